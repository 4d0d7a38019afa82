//! The tables, and how a catalog of an older version comes to them. Those of version 1 stand here,
//! what later versions made of them in files named by their numbers.

use rusqlite::{Connection, TransactionBehavior};

use super::Error;

/// One step of SQL for each version, from an empty file on. A step is never changed once it was
/// released; further ones follow it.
const STEPS: &[&str] =
    &[FIRST, include_str!("schema/second.sql"), include_str!("schema/third.sql")];

/// Times end in `_unix_ms` where they are by the clock on the wall, in ms since 1970; `start_ms`
/// and `at_ms` are on the recording's own clock. Paths are relative to the record directory, with
/// `/`. `*_time` are RFC 3339 with offset, as the file has them.
const FIRST: &str = "
CREATE TABLE recordings (
    id            TEXT PRIMARY KEY,
    stream_key    TEXT NOT NULL,
    start_time    TEXT NOT NULL,
    start_unix_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX recordings_by_time ON recordings (start_unix_ms);
CREATE INDEX recordings_by_stream ON recordings (stream_key, start_unix_ms);

-- open: being written, or left unfinished; missing: its file is not where it was;
-- deleted: by retention.
CREATE TABLE segments (
    id               INTEGER PRIMARY KEY,
    recording        TEXT NOT NULL REFERENCES recordings (id),
    number           INTEGER NOT NULL,
    stream_key       TEXT NOT NULL,
    path             TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('open', 'finished', 'missing', 'deleted')),
    recovered        INTEGER NOT NULL,
    cut              TEXT NOT NULL,
    start_time       TEXT NOT NULL,
    start_unix_ms    INTEGER NOT NULL,
    end_time         TEXT,
    end_unix_ms      INTEGER,
    start_ms         INTEGER NOT NULL,
    length_ms        INTEGER NOT NULL,
    size_bytes       INTEGER NOT NULL,
    modified_ms      INTEGER NOT NULL,
    first_packet     INTEGER NOT NULL,
    server           TEXT NOT NULL,
    received_packets INTEGER,
    received_bytes   INTEGER,
    written_packets  INTEGER,
    written_bytes    INTEGER,
    dropped_packets  INTEGER,
    dropped_bytes    INTEGER,
    late_packets     INTEGER,
    repeated_packets INTEGER,
    gaps_total       INTEGER,
    skew_ms          INTEGER,
    skew_max_ms      INTEGER,
    hash             BLOB CHECK (length(hash) = 32),
    chain            BLOB CHECK (length(chain) = 32),
    chain_before     BLOB CHECK (length(chain_before) = 32),
    UNIQUE (recording, number)
) STRICT;
CREATE INDEX segments_by_path ON segments (path);
CREATE INDEX segments_by_time ON segments (start_unix_ms);
CREATE INDEX segments_by_stream ON segments (stream_key, start_unix_ms);
CREATE INDEX segments_by_end ON segments (end_unix_ms, start_unix_ms, size_bytes);
CREATE INDEX segments_finished ON segments (end_unix_ms, id, size_bytes) WHERE state = 'finished';
CREATE INDEX segments_open ON segments (id) WHERE state = 'open';

-- number 0 is the gap before the segment, the others are inside it.
CREATE TABLE gaps (
    segment         INTEGER NOT NULL REFERENCES segments (id) ON DELETE CASCADE,
    number          INTEGER NOT NULL,
    at_ms           INTEGER NOT NULL,
    length_ms       INTEGER NOT NULL,
    reason          TEXT NOT NULL,
    dropped_packets INTEGER NOT NULL,
    dropped_bytes   INTEGER NOT NULL,
    PRIMARY KEY (segment, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE deletions (
    id              INTEGER PRIMARY KEY,
    segment         INTEGER NOT NULL REFERENCES segments (id),
    path            TEXT NOT NULL,
    size_bytes      INTEGER NOT NULL,
    deleted_unix_ms INTEGER NOT NULL,
    reason          TEXT NOT NULL
) STRICT;

CREATE TABLE set_aside (
    id           INTEGER PRIMARY KEY,
    from_path    TEXT NOT NULL,
    to_path      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    seen_unix_ms INTEGER NOT NULL
) STRICT;
";

/// The version that this program writes.
pub(super) const VERSION: usize = STEPS.len();

/// Brings a catalog to [`VERSION`], all steps or none.
///
/// # Errors
/// [`Error::Newer`] for one of a later version, which stays as it is; those of the database.
pub(super) fn migrate(db: &mut Connection) -> Result<(), Error> {
    // A table that gives its place to a new one must not take what refers to it with it.
    db.pragma_update(None, "foreign_keys", false)?;
    // Nobody else may see a version and its tables apart.
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&step)?;
    for sql in STEPS.get(found..).unwrap_or_default() {
        step.execute_batch(sql)?;
    }
    if found < VERSION {
        step.pragma_update(None, "user_version", VERSION)?;
    }
    step.commit()?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// The version of a catalog, which is one that this program knows; 0 for an empty one.
///
/// # Errors
/// [`Error::Newer`]; those of the database.
pub(super) fn version(db: &Connection) -> Result<usize, Error> {
    let found = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION { Err(Error::Newer { found, known: VERSION }) } else { Ok(found) }
}

#[cfg(test)]
mod tests;
