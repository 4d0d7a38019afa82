//! What makes a search fast, whatever is combined in it.
//!
//! Recordings are numbered as they come (`seq`) and lie in blocks of [`ROWS`]. For each block the
//! catalog has, for every property that is searched by, the set of its rows that have it: bits, so
//! that a block is searched with a few ANDs and a million rows in milliseconds. A property is a
//! *term*, whose first letter says of what kind it is. Of text there are terms for every one, two
//! and three letters in a row ([`grams`]): what has all of those that are looked for very likely has
//! the text, and is looked at.
//!
//! Invariant: a row is in `stale`, or its block says of it what is true. Triggers of the tables see
//! to the first half (`schema`), [`Catalog::index`] to the second; a search reads what is stale row
//! by row (`search`).

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};

use super::{Catalog, Error};

mod bits;

pub(super) use bits::Bits;

/// Rows of a block: so many that their bits stay on one page of the database.
pub(super) const ROWS: usize = 7_168;
const ROWS_I64: i64 = 7_168;

/// With more keys than this in a block, they are searched by their letters.
pub(super) const KEYS_MAX: usize = 64;
/// Rows that may be stale before a block is indexed anew.
pub(crate) const STALE_MAX: u64 = 2_048;
/// Characters of a text whose letters have terms; a longer one is looked at.
const TEXT_CHARS: usize = 256;
/// Letters of a block that have terms; texts with further ones are looked at.
const GRAMS_MAX: usize = 100_000;

/// How often, on an average, a moment may lie between the first and the last start of a block.
const DISORDER_MAX: f64 = 8.0;
/// That of recordings, which is 1 when they are in order.
const DISORDER: &str = "
SELECT 1.0 * sum(latest - earliest) / nullif(max(latest) - min(earliest), 0)
FROM (SELECT min(start_unix_ms) AS earliest, max(start_unix_ms) AS latest
    FROM recordings GROUP BY seq / ?1)";

/// What the key of a stream begins and ends with when its letters are terms.
pub(super) const KEY_START: char = '\u{1}';
pub(super) const KEY_END: char = '\u{2}';

/// Kinds of terms.
pub(super) mod kind {
    pub(in crate::catalog) const RECORDER: char = 'r';
    pub(in crate::catalog) const STATE: char = 's';
    pub(in crate::catalog) const HELD: char = 'h';
    /// A stream key.
    pub(in crate::catalog) const KEY: char = 'k';
    /// What follows the keys: the end of their range.
    pub(in crate::catalog) const AFTER_KEY: char = 'l';
    /// The name of a label.
    pub(in crate::catalog) const LABEL: char = 'n';
    /// The name of a label, `=`, and its value.
    pub(in crate::catalog) const VALUE: char = 'v';
    /// Letters in a row in a text, in lower case.
    pub(in crate::catalog) const GRAM: char = 'g';
    /// Letters in a row in a stream key.
    pub(in crate::catalog) const KEY_GRAM: char = 'p';
    /// A text that is too long for all of its letters to be terms.
    pub(in crate::catalog) const LONG: char = 'x';
}

/// A term.
pub(super) fn term(kind: char, text: &str) -> String {
    format!("{kind}{text}")
}

/// Which block a row lies in, and where in it.
pub(super) fn place(seq: i64) -> (i64, u16) {
    (seq.div_euclid(ROWS_I64), u16::try_from(seq.rem_euclid(ROWS_I64)).unwrap_or_default())
}

/// The row at a place of a block.
pub(super) fn seq(block: i64, place: usize) -> i64 {
    block.saturating_mul(ROWS_I64).saturating_add(i64::try_from(place).unwrap_or_default())
}

/// Every `size` letters in a row of a text.
pub(super) fn grams(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().map(|(at, _)| at);
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).skip(size.saturating_sub(1));
    starts.zip(ends).filter_map(|(start, end)| text.get(start..end))
}

/// Terms, and the rows that have them.
#[derive(Default)]
struct Terms {
    places: HashMap<String, Vec<u16>>,
    buffer: String,
}

impl Terms {
    fn add(&mut self, kind: char, text: &str, place: u16) {
        self.add_unless(kind, text, place, false);
    }

    /// Adds a term, but not a new one if it `is_full`. Returns whether it is there.
    fn add_unless(&mut self, kind: char, text: &str, place: u16, is_full: bool) -> bool {
        self.buffer.clear();
        self.buffer.push(kind);
        self.buffer.push_str(text);
        match self.places.get_mut(&self.buffer) {
            Some(places) if places.last() == Some(&place) => {}
            Some(places) => places.push(place),
            None if is_full => return false,
            None => {
                self.places.insert(self.buffer.clone(), vec![place]);
            }
        }
        true
    }

    /// The letters of a text.
    fn add_text(&mut self, kind: char, text: &str, place: u16) {
        let end = text.char_indices().nth(TEXT_CHARS).map(|(end, _)| end);
        let mut is_whole = end.is_none();
        let text = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        for size in 1..=3 {
            for gram in grams(text, size) {
                let is_full = self.places.len() >= GRAMS_MAX;
                is_whole &= self.add_unless(kind, gram, place, is_full);
            }
        }
        if !is_whole {
            self.add(kind::LONG, "", place);
        }
    }
}

/// What a block says of all its rows.
struct Block {
    rows: Bits,
    starts: Vec<i64>,
    ends: Vec<i64>,
    keys: Vec<(u16, String)>,
    terms: Terms,
}

impl Catalog {
    /// Indexes blocks anew while more than `stale_max` rows are stale, at most `blocks_max` of
    /// them. Returns whether there is more to do.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn index(&self, stale_max: u64, blocks_max: usize) -> Result<bool, Error> {
        let db = &self.reader.db;
        for _ in 0..blocks_max {
            let stale: u64 = db.query_row("SELECT count(*) FROM stale", [], |row| row.get(0))?;
            if stale <= stale_max {
                return Ok(false);
            }
            let sql = "SELECT seq / ?1 AS block FROM stale GROUP BY block \
                       ORDER BY count(*) DESC, block LIMIT 1";
            let block = db.query_row(sql, [ROWS_I64], |row| row.get(0)).optional()?;
            match block {
                Some(block) => self.index_block(block)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Numbers recordings by their times where these are all over the place, as in a catalog that was
    /// made of files in the order of their names: else every search would have to read every block.
    /// All of them are stale then.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn renumber(&self) -> Result<bool, Error> {
        let db = &self.reader.db;
        let disorder: Option<f64> = db.query_row(DISORDER, [ROWS_I64], |row| row.get(0))?;
        if disorder.is_none_or(|times| times < DISORDER_MAX) {
            return Ok(false);
        }
        // More than fits into memory; readers wait for the end of it.
        db.pragma_update(None, "cache_spill", true)?;
        let done = self.copy_in_order();
        db.pragma_update(None, "cache_spill", false)?;
        done.map(|()| true)
    }

    fn copy_in_order(&self) -> Result<(), Error> {
        let db = &self.reader.db;
        let mut columns = db.prepare("SELECT name FROM pragma_table_info('recordings')")?;
        let columns = columns.query_map([], |row| row.get::<_, String>(0))?;
        let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
        let others: Vec<_> = columns.iter().filter(|name| *name != "seq").cloned().collect();
        let others = others.join(", ");
        let whole = db.unchecked_transaction()?;
        whole.pragma_update(None, "defer_foreign_keys", true)?;
        whole.execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.numbered;
             DROP TABLE IF EXISTS temp.labelled;
             CREATE TEMP TABLE numbered AS
                 SELECT row_number() OVER (ORDER BY start_unix_ms, seq) AS number, seq AS old,
                     {others} FROM recordings;
             CREATE TEMP TABLE labelled AS
                 SELECT number, l.name AS label, l.value FROM labels l JOIN numbered ON old = l.seq;
             DELETE FROM labels;
             DELETE FROM recordings;
             DELETE FROM stale;
             DELETE FROM blocks;
             DELETE FROM terms;
             INSERT INTO recordings (seq, {others})
                 SELECT number, {others} FROM numbered ORDER BY number;
             INSERT INTO labels (seq, name, value)
                 SELECT number, label, value FROM labelled ORDER BY number, label;
             DROP TABLE numbered;
             DROP TABLE labelled;"
        ))?;
        whole.commit()?;
        Ok(())
    }

    /// Writes what is true of a block's rows.
    fn index_block(&self, number: i64) -> Result<(), Error> {
        let whole = self.reader.db.unchecked_transaction()?;
        let block = self.read_block(number)?;
        whole.execute("DELETE FROM terms WHERE block = ?1", [number])?;
        let mut insert =
            whole.prepare_cached("INSERT INTO terms (block, term, bits) VALUES (?1, ?2, ?3)")?;
        let mut terms: Vec<_> = block.terms.places.iter().collect();
        terms.sort_unstable_by_key(|(term, _)| *term);
        for (term, places) in terms {
            let mut bits = Bits::NONE;
            places.iter().for_each(|place| bits.insert((*place).into()));
            insert.execute(params![number, term, bits.encode()])?;
        }
        drop(insert);
        let at = |times: &[i64]| -> Vec<i64> {
            block.rows.places().filter_map(|place| times.get(place).copied()).collect()
        };
        let (starts, ends) = (at(&block.starts), at(&block.ends));
        let bytes = |times: &[i64]| -> Vec<u8> {
            times.iter().flat_map(|time| time.to_le_bytes()).collect()
        };
        let mut keys: Vec<_> = block.keys.iter().map(|(_, key)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        whole.execute(
            "INSERT OR REPLACE INTO blocks (block, keys, min_start, max_start, max_end, rows, \
             starts, ends) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                number,
                i64::try_from(keys.len()).unwrap_or(i64::MAX),
                starts.iter().min().copied().unwrap_or(i64::MAX),
                starts.iter().max().copied().unwrap_or(i64::MIN),
                ends.iter().max().copied().unwrap_or(i64::MIN),
                block.rows.encode(),
                bytes(&block.starts),
                bytes(&block.ends),
            ],
        )?;
        let (first, last) = (seq(number, 0), seq(number, ROWS - 1));
        whole.execute("DELETE FROM stale WHERE seq BETWEEN ?1 AND ?2", [first, last])?;
        whole.commit()?;
        Ok(())
    }

    fn read_block(&self, number: i64) -> Result<Block, Error> {
        let db = &self.reader.db;
        let (first, last) = (seq(number, 0), seq(number, ROWS - 1));
        let mut block = Block {
            rows: Bits::NONE,
            starts: vec![0; ROWS],
            ends: vec![0; ROWS],
            keys: Vec::new(),
            terms: Terms::default(),
        };
        let mut statement = db.prepare_cached(
            "SELECT seq, stream_key, recorder, state, held, name, start_unix_ms, \
             coalesce(end_unix_ms, 9223372036854775807) FROM recordings \
             WHERE seq BETWEEN ?1 AND ?2",
        )?;
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            let place = place(row.get(0)?).1;
            let key: String = row.get(1)?;
            block.rows.insert(place.into());
            let terms = &mut block.terms;
            terms.add(kind::RECORDER, row.get_ref(2)?.as_str().unwrap_or_default(), place);
            terms.add(kind::STATE, row.get_ref(3)?.as_str().unwrap_or_default(), place);
            if row.get(4)? {
                terms.add(kind::HELD, "", place);
            }
            if let Some(name) = row.get::<_, Option<String>>(5)? {
                terms.add_text(kind::GRAM, &name.to_lowercase(), place);
            }
            terms.add(kind::KEY, &key, place);
            terms.add_text(kind::GRAM, &key.to_lowercase(), place);
            let (start, end) = (row.get(6)?, row.get(7)?);
            block.starts.get_mut(usize::from(place)).into_iter().for_each(|at| *at = start);
            block.ends.get_mut(usize::from(place)).into_iter().for_each(|at| *at = end);
            block.keys.push((place, key));
        }
        let mut labels =
            db.prepare_cached("SELECT seq, name, value FROM labels WHERE seq BETWEEN ?1 AND ?2")?;
        let mut rows = labels.query([first, last])?;
        while let Some(row) = rows.next()? {
            let place = place(row.get(0)?).1;
            let (name, value): (String, String) = (row.get(1)?, row.get(2)?);
            block.terms.add(kind::LABEL, &name, place);
            block.terms.add(kind::VALUE, &format!("{name}={value}"), place);
            block.terms.add_text(kind::GRAM, &value.to_lowercase(), place);
        }
        let mut distinct: Vec<_> = block.keys.iter().map(|(_, key)| key).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() > KEYS_MAX {
            for (place, key) in &block.keys {
                let key = format!("{KEY_START}{key}{KEY_END}");
                block.terms.add_text(kind::KEY_GRAM, &key, *place);
            }
        }
        Ok(block)
    }
}

#[cfg(test)]
mod tests;
