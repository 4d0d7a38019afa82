//! The search for recordings.
//!
//! Blocks are gone through in the order of their times; of each the rows that may be meant are
//! found by their bits (`index`), and the best of them are kept, with those that are stale and
//! meant. The best of all is the next one when no block that is left can have anything before it. What bits
//! cannot decide, texts and some patterns, is looked at then. So a page costs a few bits of each
//! block and the rows that it has.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, OptionalExtension as _, Row, params};

use super::index::{self, Bits, KEY_END, KEY_START, KEYS_MAX, ROWS, grams, kind, term};
use super::{Error, Glob, Mark, Order, Page, Query, QueryError, Reader, RecordingState};

/// Rows that are looked at in vain for one page; then it ends, with a mark to go on from.
const VAIN_MAX: usize = 1_500;
/// Letters in a row that are looked up for a text.
const GRAMS: usize = 8;
/// So few rows are read one by one, more with all times of the block.
const FEW: usize = 8;

/// A row in its order: the first is the greatest.
type Rank = (i64, i64);

/// What is asked, in terms.
struct Asked<'a> {
    query: &'a Query,
    /// Of each of these one.
    any_of: Vec<Vec<String>>,
    glob: Option<Glob>,
    /// The key that is meant, if it is one.
    key: Option<String>,
    /// Letters of keys that are meant.
    key_grams: Vec<String>,
    /// In lower case.
    text: Option<String>,
    text_grams: Vec<String>,
}

/// A block, without what it says of its rows.
struct Block {
    number: i64,
    keys: usize,
    min_start: i64,
    max_start: i64,
    max_end: i64,
    rows: Bits,
}

impl Query {
    /// Whether it can be asked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), QueryError> {
        Asked::new(self).map(drop)
    }
}

impl<'a> Asked<'a> {
    fn new(query: &'a Query) -> Result<Self, QueryError> {
        if !(1..=Query::LIMIT_MAX).contains(&query.limit) {
            return Err(QueryError::Limit(query.limit));
        }
        if query.labels.len() > Query::LABELS_MAX {
            return Err(QueryError::Labels(query.labels.len()));
        }
        let length = query.text.as_ref().map(String::len);
        if let Some(length) = length.filter(|length| !(1..=Query::TEXT_MAX).contains(length)) {
            return Err(QueryError::Text(length));
        }
        let glob = query.stream.as_deref().map(Glob::new).transpose()?;
        let key = glob.as_ref().and_then(Glob::exact);
        let runs = glob.as_ref().map(|glob| glob.runs(KEY_START, KEY_END)).unwrap_or_default();
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        let mut any_of = Vec::new();
        if !query.states.is_empty() {
            let states = query.states.iter();
            any_of.push(states.map(|state| term(kind::STATE, state.name())).collect());
        }
        any_of.extend(query.recorder.iter().map(|name| vec![term(kind::RECORDER, name)]));
        any_of.extend(query.labels.iter().map(|(name, value)| match value {
            Some(value) => vec![term(kind::VALUE, &format!("{name}={value}"))],
            None => vec![term(kind::LABEL, name)],
        }));
        any_of.extend((query.held == Some(true)).then(|| vec![term(kind::HELD, "")]));
        any_of.extend(key.iter().map(|key| vec![term(kind::KEY, key)]));
        Ok(Self {
            query,
            any_of,
            key_grams: some_grams(kind::KEY_GRAM, runs.iter().map(String::as_str)),
            text_grams: some_grams(kind::GRAM, text.as_deref().into_iter()),
            glob,
            key,
            text,
        })
    }

    fn rank(&self, start: i64, seq: i64) -> Rank {
        match self.query.order {
            Order::Newest => (start, seq),
            // Turned round without an overflow.
            Order::Oldest => (!start, !seq),
        }
    }

    fn unrank(&self, rank: Rank) -> Mark {
        let (start_unix_ms, seq) = match self.query.order {
            Order::Newest => rank,
            Order::Oldest => (!rank.0, !rank.1),
        };
        Mark { start_unix_ms, seq }
    }

    fn is_after_mark(&self, rank: Rank) -> bool {
        let mark = self.query.after.map(|mark| self.rank(mark.start_unix_ms, mark.seq));
        mark.is_none_or(|mark| rank < mark)
    }

    fn is_in_time(&self, start: i64, end: i64) -> bool {
        self.query.to_unix_ms.is_none_or(|to| start < to)
            && self.query.from_unix_ms.is_none_or(|from| end >= from)
    }

    /// The first that a block can have.
    fn first(&self, block: &Block) -> Rank {
        match self.query.order {
            Order::Newest => (block.max_start, i64::MAX),
            Order::Oldest => (!block.min_start, i64::MAX),
        }
    }

    /// Whether a block can have any row that is meant.
    fn may_have(&self, block: &Block) -> bool {
        let last = match self.query.order {
            Order::Newest => (block.min_start, i64::MIN),
            Order::Oldest => (!block.max_start, i64::MIN),
        };
        self.is_in_time(block.min_start, block.max_end) && self.is_after_mark(last)
    }

    fn is_meant_key(&self, key: &str) -> bool {
        match (&self.key, &self.glob) {
            (Some(meant), _) => meant == key,
            (None, Some(glob)) => glob.matches(key),
            (None, None) => true,
        }
    }
}

/// Terms for letters in a row of texts: not all, but those of the whole length.
fn some_grams<'a>(kind: char, texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        let size = text.chars().take(3).count();
        let is_mark = text.len() == 1 && text.starts_with([KEY_START, KEY_END]);
        if !is_mark {
            all.extend(grams(text, size).map(|gram| term(kind, gram)));
        }
    }
    all.sort_unstable();
    all.dedup();
    // Spread, for neighbours say much the same.
    let step = all.len().div_ceil(GRAMS).max(1);
    all.into_iter().step_by(step).collect()
}

impl Reader {
    /// A page of the recordings that are asked for. Where very many had to be looked at one by one
    /// it may have fewer than it could, or none; it has a mark then.
    ///
    /// # Errors
    /// [`Error::Query`] for what cannot be asked; those of the database.
    pub fn recordings(&self, query: &Query) -> Result<Page, Error> {
        let asked = Asked::new(query)?;
        // One state of the catalog for all that is read.
        let whole = self.db.unchecked_transaction()?;
        let page = Search::new(self, &asked)?.page()?;
        whole.finish()?;
        Ok(page)
    }
}

struct Search<'a> {
    reader: &'a Reader,
    asked: &'a Asked<'a>,
    /// Those that may have something, the first last.
    blocks: Vec<Block>,
    /// In order.
    stale: Vec<i64>,
    /// The best rows that may be meant, and whether that is known: as many as a page can need.
    best: BTreeSet<(Rank, bool)>,
    bits: CachedStatement<'a>,
}

impl<'a> Search<'a> {
    fn new(reader: &'a Reader, asked: &'a Asked<'a>) -> Result<Self, Error> {
        let sql = "SELECT bits FROM terms WHERE block = ?1 AND term = ?2";
        let bits = reader.db.prepare_cached(sql)?;
        let (blocks, stale, best) = Default::default();
        let mut search = Self { reader, asked, blocks, stale, best, bits };
        search.read_stale()?;
        search.read_blocks()?;
        Ok(search)
    }

    fn page(mut self) -> Result<Page, Error> {
        let mut page = Page::default();
        let mut vain = 0;
        let mut last = None;
        while let Some((rank, is_known)) = self.next()? {
            if vain == VAIN_MAX {
                page.next = last;
                break;
            }
            let mark = self.asked.unrank(rank);
            if is_known || self.is_meant(mark.seq)? {
                if page.recordings.len() == self.asked.query.limit {
                    page.next = last;
                    break;
                }
                page.recordings.extend(self.reader.recording_at(mark.seq)?);
            } else {
                vain += 1;
            }
            last = Some(mark);
        }
        Ok(page)
    }

    /// The next row that may be meant.
    fn next(&mut self) -> Result<Option<(Rank, bool)>, Error> {
        while let Some(block) = self.blocks.last() {
            let first = self.asked.first(block);
            if self.best.last().is_some_and(|(rank, _)| *rank > first) {
                break;
            }
            if let Some(block) = self.blocks.pop() {
                self.search(&block)?;
            }
        }
        Ok(self.best.pop_last())
    }

    fn read_blocks(&mut self) -> Result<(), Error> {
        let sql = "SELECT block, keys, min_start, max_start, max_end, rows FROM blocks";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let blocks = statement.query_map([], |row| {
            Ok(Block {
                number: row.get(0)?,
                keys: row.get(1)?,
                min_start: row.get(2)?,
                max_start: row.get(3)?,
                max_end: row.get(4)?,
                rows: Bits::decode(row.get_ref(5)?.as_blob()?),
            })
        })?;
        for block in blocks {
            let block = block?;
            if self.asked.may_have(&block) {
                self.blocks.push(block);
            }
        }
        self.blocks.sort_by_key(|block| self.asked.first(block));
        Ok(())
    }

    /// Finds the rows of a block that may be meant.
    fn search(&mut self, block: &Block) -> Result<(), Error> {
        let mut rows = block.rows.clone();
        let (first, last) = (index::seq(block.number, 0), index::seq(block.number, ROWS - 1));
        let stale = self.stale.partition_point(|seq| *seq < first);
        let stale = self.stale.iter().skip(stale).take_while(|seq| **seq <= last);
        stale.for_each(|seq| rows.remove(index::place(*seq).1.into()));
        for terms in &self.asked.any_of {
            let mut any = Bits::NONE;
            for term in terms {
                any.add(&bits(&mut self.bits, block.number, term)?);
            }
            rows.keep(&any);
            if rows.is_empty() {
                return Ok(());
            }
        }
        if self.asked.query.held == Some(false) {
            rows.take(&bits(&mut self.bits, block.number, &term(kind::HELD, ""))?);
        }
        let mut is_known = self.asked.text.is_none();
        if self.asked.glob.is_some() && self.asked.key.is_none() {
            if block.keys <= KEYS_MAX {
                rows.keep(&self.of_keys(block.number)?);
            } else {
                is_known = false;
                self.keep_grams(block.number, &self.asked.key_grams, &mut rows)?;
            }
        }
        self.keep_grams(block.number, &self.asked.text_grams, &mut rows)?;
        self.push(block.number, &rows, is_known)
    }

    /// Leaves rows that have all of these letters, or more than have terms.
    fn keep_grams(&mut self, block: i64, terms: &[String], rows: &mut Bits) -> Result<(), Error> {
        let Some((first, others)) = terms.split_first() else { return Ok(()) };
        if rows.is_empty() {
            return Ok(());
        }
        let mut having = bits(&mut self.bits, block, first)?;
        for term in others {
            if having.is_empty() {
                break;
            }
            having.keep(&bits(&mut self.bits, block, term)?);
        }
        having.add(&bits(&mut self.bits, block, &term(kind::LONG, ""))?);
        rows.keep(&having);
        Ok(())
    }

    /// The rows of a block whose keys are meant.
    fn of_keys(&self, block: i64) -> Result<Bits, Error> {
        let mut any = Bits::NONE;
        let sql = "SELECT term, bits FROM terms WHERE block = ?1 AND term >= ?2 AND term < ?3";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let range = params![block, term(kind::KEY, ""), term(kind::AFTER_KEY, "")];
        let mut terms = statement.query(range)?;
        while let Some(row) = terms.next()? {
            let key = row.get_ref(0)?.as_str()?.strip_prefix(kind::KEY).unwrap_or_default();
            if self.asked.is_meant_key(key) {
                any.add(&Bits::decode(row.get_ref(1)?.as_blob()?));
            }
        }
        Ok(any)
    }

    /// Keeps the best of rows, as far as they are in the time and behind the mark.
    fn push(&mut self, block: i64, rows: &Bits, is_known: bool) -> Result<(), Error> {
        let db = &self.reader.db;
        let asked = self.asked;
        let best = &mut self.best;
        let mut push = |seq, start, end| {
            let rank = asked.rank(start, seq);
            if asked.is_in_time(start, end) && asked.is_after_mark(rank) {
                keep(best, asked, rank, is_known);
            }
        };
        if rows.len() <= FEW {
            let sql = "SELECT start_unix_ms, coalesce(end_unix_ms, 9223372036854775807) \
                       FROM recordings WHERE seq = ?1";
            let mut statement = db.prepare_cached(sql)?;
            for place in rows.places() {
                let seq = index::seq(block, place);
                let times = statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)));
                if let Some((start, end)) = times.optional()? {
                    push(seq, start, end);
                }
            }
            return Ok(());
        }
        let times = |column: &str| -> Result<Vec<i64>, Error> {
            let sql = format!("SELECT {column} FROM blocks WHERE block = ?1");
            let mut statement = db.prepare_cached(&sql)?;
            let times = statement.query_row([block], |row| {
                let (times, _) = row.get_ref(0)?.as_blob()?.as_chunks::<8>();
                Ok(times.iter().map(|time| i64::from_le_bytes(*time)).collect())
            });
            Ok(times?)
        };
        let starts = times("starts")?;
        let ends = asked.query.from_unix_ms.map(|_| times("ends")).transpose()?;
        for place in rows.places() {
            let Some(start) = starts.get(place) else { continue };
            let end = ends.as_ref().and_then(|ends| ends.get(place)).copied().unwrap_or(i64::MAX);
            push(index::seq(block, place), *start, end);
        }
        Ok(())
    }

    /// Looks at the rows of which no block tells the truth.
    fn read_stale(&mut self) -> Result<(), Error> {
        let mut statement = self.reader.db.prepare_cached(
            "SELECT s.seq, r.start_unix_ms, coalesce(r.end_unix_ms, 9223372036854775807), \
             r.recorder, r.state, r.held, r.stream_key, r.name \
             FROM stale s JOIN recordings r ON r.seq = s.seq ORDER BY s.seq",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, start) = (row.get(0)?, row.get(1)?);
            self.stale.push(seq);
            let Asked { query, .. } = self.asked;
            let rank = self.asked.rank(start, seq);
            let state = RecordingState::from_name(row.get_ref(4)?.as_str()?);
            let key = row.get_ref(6)?.as_str()?;
            let is_meant = self.asked.is_after_mark(rank)
                && self.asked.is_in_time(start, row.get(2)?)
                && query.recorder.as_deref().is_none_or(|name| is_text(row, 3, name))
                && (query.states.is_empty() || state.is_some_and(|s| query.states.contains(&s)))
                && query.held.is_none_or(|held| row.get(5).is_ok_and(|is: bool| is == held))
                && self.asked.is_meant_key(key);
            if is_meant && self.has_labels(seq)? && self.has_text(seq, key, row.get(7)?)? {
                keep(&mut self.best, self.asked, rank, true);
            }
        }
        Ok(())
    }

    fn has_labels(&self, seq: i64) -> Result<bool, Error> {
        let sql = "SELECT value FROM labels WHERE seq = ?1 AND name = ?2";
        for (name, wanted) in &self.asked.query.labels {
            let mut statement = self.reader.db.prepare_cached(sql)?;
            let value = statement.query_row(params![seq, name], |row| row.get::<_, String>(0));
            match (value.optional()?, wanted) {
                (Some(value), Some(wanted)) if value == *wanted => {}
                (Some(_), None) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn has_text(&self, seq: i64, key: &str, name: Option<String>) -> Result<bool, Error> {
        let Some(text) = &self.asked.text else { return Ok(true) };
        let has = |of: &str| of.to_lowercase().contains(text.as_str());
        if has(key) || name.as_deref().is_some_and(has) {
            return Ok(true);
        }
        let mut statement =
            self.reader.db.prepare_cached("SELECT value FROM labels WHERE seq = ?1")?;
        let mut values = statement.query([seq])?;
        while let Some(row) = values.next()? {
            if has(row.get_ref(0)?.as_str()?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a row is meant that has the bits for it.
    fn is_meant(&self, seq: i64) -> Result<bool, Error> {
        let sql = "SELECT stream_key, name FROM recordings WHERE seq = ?1";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let texts = statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)));
        let (key, name): (String, _) = texts?;
        Ok(self.asked.is_meant_key(&key) && self.has_text(seq, &key, name)?)
    }
}

fn is_text(row: &Row<'_>, column: usize, text: &str) -> bool {
    row.get_ref(column).is_ok_and(|value| value.as_str() == Ok(text))
}

/// Keeps a row, if it is among as many as a page can need.
fn keep(best: &mut BTreeSet<(Rank, bool)>, asked: &Asked<'_>, rank: Rank, is_known: bool) {
    // Those of the page, the one that tells that there are more, and those looked at in vain.
    let most = asked.query.limit + 1 + VAIN_MAX;
    if best.len() >= most {
        if best.first().is_some_and(|(worst, _)| *worst >= rank) {
            return;
        }
        best.pop_first();
    }
    best.insert((rank, is_known));
}

/// The rows of a block that have a term.
fn bits(statement: &mut CachedStatement<'_>, block: i64, term: &str) -> Result<Bits, Error> {
    let bits = statement
        .query_row(params![block, term], |row| Ok(Bits::decode(row.get_ref(0)?.as_blob()?)));
    Ok(bits.optional()?.unwrap_or(Bits::NONE))
}

#[cfg(test)]
mod tests;
