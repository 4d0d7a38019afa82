use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::params;

use super::*;
use crate::catalog::{Catalog, Recording};
use crate::disk::SystemDisk;

const KEYS: [&str; 6] =
    ["live/Cam1", "live/cam2", "live/a/cam1", "studio/x", "Studio/liveé", "a*b/live/cam"];

/// What a recording of a test is like.
#[derive(Debug, Clone)]
struct Made {
    seq: i64,
    key: String,
    recorder: usize,
    phase: usize,
    start: i64,
    length: i64,
    name: Option<String>,
    labels: BTreeMap<String, String>,
    is_held: bool,
}

const PHASES: [&str; 3] = ["recording", "complete", "interrupted"];

impl Made {
    fn insert(&self, catalog: &Catalog) {
        let db = &catalog.reader.db;
        db.execute(
            "INSERT INTO recordings (seq, id, stream_key, recorder, name, phase, start_time, \
             start_unix_ms, last_end_unix_ms, held_segments) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', ?7, ?8, ?9)",
            params![
                self.seq,
                format!("{:016x}", self.seq),
                self.key,
                format!("r{}", self.recorder),
                self.name,
                PHASES[self.phase],
                self.start,
                self.start + self.length,
                self.is_held,
            ],
        )
        .unwrap();
        catalog.enter_labels(self.seq, &self.labels).unwrap();
    }

    /// The slow answer.
    fn is_meant(&self, query: &Query) -> bool {
        let end = if self.phase == 0 { i64::MAX } else { self.start + self.length };
        let has = |text: &str, of: &str| of.to_lowercase().contains(&text.to_lowercase());
        let texts = || [&self.key].into_iter().chain(&self.name).chain(self.labels.values());
        query.stream.as_ref().is_none_or(|p| Glob::new(p).unwrap().matches(&self.key))
            && query.recorder.as_ref().is_none_or(|name| *name == format!("r{}", self.recorder))
            && query.from_unix_ms.is_none_or(|from| end >= from)
            && query.to_unix_ms.is_none_or(|to| self.start < to)
            && (query.states.is_empty()
                || query.states.iter().any(|state| state.name() == PHASES[self.phase]))
            && query.labels.iter().all(|(name, value)| match (self.labels.get(name), value) {
                (Some(known), Some(value)) => known == value,
                (known, None) => known.is_some(),
                (None, Some(_)) => false,
            })
            && query.text.as_ref().is_none_or(|text| texts().any(|of| has(text, of)))
            && query.held.is_none_or(|held| held == self.is_held)
    }
}

fn made() -> impl Strategy<Value = Made> {
    let text = prop::option::of("[abC ]{0,5}");
    let labels = prop::collection::btree_map("[xy]", "[abD]{1,3}", 0..3);
    let key = prop_oneof![4 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned), 1 => "[ab]{1,3}/[ab]{1,3}"];
    (0_i64..40, key, 0_usize..2, 0_usize..3, 0_i64..30, 0_i64..10, text, labels, any::<bool>())
        .prop_map(|(at, key, recorder, phase, start, length, name, labels, is_held)| {
            let seq = 1 + at * 1_500;
            Made { seq, key, recorder, phase, start, length, name, labels, is_held }
        })
}

fn query() -> impl Strategy<Value = Query> {
    let stream = prop::sample::select(vec![
        "live/*",
        "live/**",
        "**/cam1",
        "*/*",
        "live/cam2",
        r"a\*b/**",
        "*/cam?",
        "**a*",
        "x/*",
    ]);
    let labels = prop::collection::vec(("[xy]", prop::option::of("[abD]{1,2}")), 0..2);
    let states = prop::collection::vec(prop::sample::select(&RecordingState::ALL[..4]), 0..3);
    (
        prop::option::weighted(0.3, stream),
        prop::option::weighted(0.3, 0_usize..3),
        (prop::option::weighted(0.3, 0_i64..40), prop::option::weighted(0.3, 0_i64..40)),
        states,
        labels,
        prop::option::weighted(
            0.4,
            prop::sample::select(vec!["a", "B", "ab", "CAM", "live/", "é", "bca"]),
        ),
        prop::option::weighted(0.3, any::<bool>()),
        any::<bool>(),
        1_usize..7,
    )
        .prop_map(
            |(stream, recorder, (from, to), states, labels, text, held, oldest, limit)| Query {
                stream: stream.map(str::to_owned),
                recorder: recorder.map(|n| format!("r{n}")),
                from_unix_ms: from,
                to_unix_ms: to,
                states,
                labels,
                text: text.map(str::to_owned),
                held,
                order: if oldest { Order::Oldest } else { Order::Newest },
                after: None,
                limit,
            },
        )
}

/// The starts of all pages, one behind the other.
fn all_pages(reader: &Reader, query: &Query) -> Vec<Recording> {
    let mut all = Vec::new();
    let mut query = query.clone();
    loop {
        let page = reader.recordings(&query).unwrap();
        assert!(page.recordings.len() <= query.limit);
        assert!(page.next.is_none() || page.recordings.len() == query.limit);
        all.extend(page.recordings);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

fn check(reader: &Reader, made: &[Made], query: &Query) {
    let mut wanted: Vec<_> = made.iter().filter(|made| made.is_meant(query)).collect();
    wanted.sort_by_key(|made| (made.start, made.seq));
    if query.order == Order::Newest {
        wanted.reverse();
    }
    let wanted: Vec<_> = wanted.iter().map(|made| format!("{:016x}", made.seq)).collect();
    let found = all_pages(reader, query);
    let found: Vec<_> = found.iter().map(|recording| recording.id.to_string()).collect();
    assert_eq!(found, wanted, "{query:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn pages_joined_are_what_a_slow_search_finds(
        made in prop::collection::vec(made(), 0..30),
        queries in prop::collection::vec(query(), 12),
        changes in prop::collection::vec((0_usize..30, 0_usize..3), 0..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
        let made: BTreeMap<_, _> = made.into_iter().map(|made| (made.seq, made)).collect();
        let mut made: Vec<_> = made.into_values().collect();
        made.iter().for_each(|made| made.insert(&catalog));
        let reader = Reader::open(dir.path()).unwrap();
        // All stale, a part of it indexed, all indexed, and some stale again.
        queries.iter().for_each(|query| check(&reader, &made, query));
        catalog.index(8, 2).unwrap();
        queries.iter().for_each(|query| check(&reader, &made, query));
        catalog.index(0, usize::MAX).unwrap();
        queries.iter().for_each(|query| check(&reader, &made, query));
        for (at, phase) in changes {
            let Some(made) = made.get_mut(at) else { continue };
            made.phase = phase;
            made.is_held = phase == 1;
            let sql = "UPDATE recordings SET phase = ?2, held_segments = ?3 WHERE seq = ?1";
            let params = params![made.seq, PHASES[phase], made.is_held];
            catalog.reader.db.execute(sql, params).unwrap();
        }
        queries.iter().for_each(|query| check(&reader, &made, query));
    }
}

/// So many recordings of as many keys, in one block.
fn many(dir: &std::path::Path, count: i64, key: impl Fn(i64) -> String) -> Vec<Made> {
    let catalog = Catalog::open(&SystemDisk, dir).unwrap();
    let whole = catalog.reader.db.unchecked_transaction().unwrap();
    let made = |seq| Made {
        seq,
        key: key(seq),
        recorder: 0,
        phase: 1,
        start: seq,
        length: 1,
        name: None,
        labels: BTreeMap::new(),
        is_held: false,
    };
    let made: Vec<_> = (1..=count).map(made).collect();
    made.iter().for_each(|made| made.insert(&catalog));
    whole.commit().unwrap();
    catalog.index(0, usize::MAX).unwrap();
    made
}

#[test]
fn many_keys_are_searched_by_their_letters() {
    let dir = tempfile::tempdir().unwrap();
    let made = many(dir.path(), 200, |n| match n % 50 {
        0 => format!("live/{n}/{}", "long".repeat(100)),
        _ => format!("live/cam{n}"),
    });
    let reader = Reader::open(dir.path()).unwrap();
    for pattern in ["live/cam1?", "**/cam*7", "live/*", "live/**long", "*/cam7", "cam*", "**9*"] {
        let query = Query { stream: Some(pattern.to_owned()), limit: 30, ..Query::default() };
        check(&reader, &made, &query);
        let query = Query { order: Order::Oldest, text: Some("CAM1".to_owned()), ..query };
        check(&reader, &made, &query);
    }
}

#[test]
fn a_page_for_which_too_many_are_looked_at_goes_on_from_its_mark() {
    let dir = tempfile::tempdir().unwrap();
    // All have the letters; the oldest alone has them in this order.
    let made = many(dir.path(), 5_000, |n| match n {
        1 => "abcde".to_owned(),
        _ => "bcde/abcd".to_owned(),
    });
    assert_eq!(made.len(), 5_000);
    let reader = Reader::open(dir.path()).unwrap();
    let mut query = Query { text: Some("abcde".to_owned()), ..Query::default() };
    for _ in 0..3 {
        let page = reader.recordings(&query).unwrap();
        assert_eq!(page.recordings.len(), 0);
        query.after = page.next;
        assert!(query.after.is_some());
    }
    let page = reader.recordings(&query).unwrap();
    assert_eq!((page.recordings.len(), page.next), (1, None));
}

#[test]
fn what_cannot_be_asked_says_what_was_expected() {
    let dir = tempfile::tempdir().unwrap();
    drop(Catalog::open(&SystemDisk, dir.path()).unwrap());
    let reader = Reader::open(dir.path()).unwrap();
    let error = |query: Query| reader.recordings(&query).unwrap_err().to_string();
    let default = Query::default;
    assert_eq!(
        error(Query { limit: 0, ..default() }),
        "a page of 0 recordings: expected 1 to 1000"
    );
    assert!(error(Query { limit: 1_001, ..default() }).ends_with("expected 1 to 1000"));
    assert!(reader.recordings(&Query { limit: 1_000, ..default() }).is_ok());
    let text = |length| Query { text: Some("a".repeat(length)), ..default() };
    assert_eq!(error(text(0)), "a text of 0 bytes to look for: expected 1 to 256 bytes");
    assert!(error(text(257)).ends_with("expected 1 to 256 bytes"));
    assert!(reader.recordings(&text(256)).is_ok());
    let labels = |count| Query { labels: vec![("a".to_owned(), None); count], ..default() };
    assert_eq!(error(labels(33)), "33 labels to look for: expected 32 at most");
    assert!(reader.recordings(&labels(32)).is_ok());
    let stream = Query { stream: Some("[".to_owned()), ..default() };
    assert!(error(stream).starts_with("'[' in a pattern: expected"));
}
