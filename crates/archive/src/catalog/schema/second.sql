-- Version 2: recordings with what has become of them, labels, holds, the bin, and the search index.

-- `seq` is the order in which recordings came to be known: blocks of it are searched as wholes
-- (`index`). What is summed up of segments is kept by the triggers below.
CREATE TABLE recordings_2 (
    seq               INTEGER PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    stream_key        TEXT NOT NULL,
    recorder          TEXT NOT NULL,
    name              TEXT,
    request_key       TEXT,
    -- What of the stream is in it, as it began.
    tracks            TEXT NOT NULL DEFAULT 'all',
    -- recording: it runs, as far as is known; interrupted: its server ended before it did.
    phase             TEXT NOT NULL CHECK (phase IN ('recording', 'complete', 'interrupted')),
    reason            TEXT,
    start_time        TEXT NOT NULL,
    start_unix_ms     INTEGER NOT NULL,
    -- Its further files are held from their beginning.
    is_hold_wanted    INTEGER NOT NULL DEFAULT 0,
    binned_unix_ms    INTEGER,
    purge_unix_ms     INTEGER,
    open_segments     INTEGER NOT NULL DEFAULT 0,
    finished_segments INTEGER NOT NULL DEFAULT 0,
    binned_segments   INTEGER NOT NULL DEFAULT 0,
    deleted_segments  INTEGER NOT NULL DEFAULT 0,
    missing_segments  INTEGER NOT NULL DEFAULT 0,
    held_segments     INTEGER NOT NULL DEFAULT 0,
    size_bytes        INTEGER NOT NULL DEFAULT 0,
    length_ms         INTEGER NOT NULL DEFAULT 0,
    last_end_unix_ms  INTEGER,
    gaps              INTEGER NOT NULL DEFAULT 0,
    received_packets  INTEGER NOT NULL DEFAULT 0,
    received_bytes    INTEGER NOT NULL DEFAULT 0,
    written_packets   INTEGER NOT NULL DEFAULT 0,
    written_bytes     INTEGER NOT NULL DEFAULT 0,
    dropped_packets   INTEGER NOT NULL DEFAULT 0,
    dropped_bytes     INTEGER NOT NULL DEFAULT 0,
    late_packets      INTEGER NOT NULL DEFAULT 0,
    -- What it said at its end; NULL where it said nothing, or that is lost.
    closed_end_unix_ms      INTEGER,
    closed_length_ms        INTEGER,
    closed_gaps             INTEGER,
    closed_received_packets INTEGER,
    closed_received_bytes   INTEGER,
    closed_written_packets  INTEGER,
    closed_written_bytes    INTEGER,
    closed_dropped_packets  INTEGER,
    closed_dropped_bytes    INTEGER,
    closed_late_packets     INTEGER,
    state TEXT NOT NULL GENERATED ALWAYS AS (CASE
        WHEN phase = 'recording' OR open_segments + finished_segments > 0 THEN phase
        WHEN binned_segments > 0 THEN 'binned'
        WHEN deleted_segments > 0 THEN 'deleted'
        WHEN missing_segments > 0 THEN 'missing'
        ELSE phase END) VIRTUAL,
    held INTEGER NOT NULL GENERATED ALWAYS AS (held_segments > 0 OR is_hold_wanted) VIRTUAL,
    end_unix_ms INTEGER GENERATED ALWAYS AS (CASE
        WHEN phase = 'recording' THEN NULL
        ELSE coalesce(closed_end_unix_ms, last_end_unix_ms, start_unix_ms) END) VIRTUAL
) STRICT;

INSERT INTO recordings_2 (id, stream_key, recorder, phase, start_time, start_unix_ms)
    SELECT id, stream_key, 'all', CASE
            WHEN EXISTS (SELECT 1 FROM segments s WHERE s.recording = r.id AND s.state = 'open')
            THEN 'recording'
            WHEN (SELECT recovered FROM segments s WHERE s.recording = r.id
                  ORDER BY number DESC LIMIT 1)
            THEN 'interrupted'
            ELSE 'complete' END,
        start_time, start_unix_ms
    FROM recordings r ORDER BY start_unix_ms, id;
DROP TABLE recordings;
ALTER TABLE recordings_2 RENAME TO recordings;
CREATE INDEX recordings_by_start ON recordings (start_unix_ms);
CREATE INDEX recordings_by_request ON recordings (request_key) WHERE request_key IS NOT NULL;
CREATE INDEX recordings_running ON recordings (seq) WHERE phase = 'recording';
CREATE INDEX recordings_binned ON recordings (purge_unix_ms) WHERE binned_segments > 0;

CREATE TABLE labels (
    seq   INTEGER NOT NULL REFERENCES recordings (seq),
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (seq, name)
) STRICT, WITHOUT ROWID;

-- Rows of `recordings` of which their block may say what is not true any more.
CREATE TABLE stale (seq INTEGER PRIMARY KEY) STRICT;
INSERT INTO stale SELECT seq FROM recordings;

-- `keys` is how many stream keys there are; `rows` the set of rows, `starts` and `ends` a time of
-- each, 64 bits, little-endian.
CREATE TABLE blocks (
    block     INTEGER PRIMARY KEY,
    keys      INTEGER NOT NULL,
    min_start INTEGER NOT NULL,
    max_start INTEGER NOT NULL,
    max_end   INTEGER NOT NULL,
    rows      BLOB NOT NULL,
    starts    BLOB NOT NULL,
    ends      BLOB NOT NULL
) STRICT;
CREATE TABLE terms (
    block INTEGER NOT NULL,
    term  TEXT NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (block, term)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER recordings_added AFTER INSERT ON recordings BEGIN
    INSERT INTO stale SELECT new.seq WHERE NOT EXISTS (SELECT 1 FROM stale WHERE seq = new.seq);
END;
CREATE TRIGGER recordings_changed AFTER UPDATE ON recordings
WHEN new.state IS NOT old.state OR new.held IS NOT old.held
    OR new.start_unix_ms IS NOT old.start_unix_ms OR new.end_unix_ms IS NOT old.end_unix_ms
    OR new.recorder IS NOT old.recorder OR new.name IS NOT old.name
    OR new.stream_key IS NOT old.stream_key
BEGIN
    INSERT INTO stale SELECT new.seq WHERE NOT EXISTS (SELECT 1 FROM stale WHERE seq = new.seq);
END;
CREATE TRIGGER labels_added AFTER INSERT ON labels BEGIN
    INSERT INTO stale SELECT new.seq WHERE NOT EXISTS (SELECT 1 FROM stale WHERE seq = new.seq);
END;
CREATE TRIGGER labels_changed AFTER UPDATE ON labels BEGIN
    INSERT INTO stale SELECT new.seq WHERE NOT EXISTS (SELECT 1 FROM stale WHERE seq = new.seq);
END;
CREATE TRIGGER labels_removed AFTER DELETE ON labels BEGIN
    INSERT INTO stale SELECT old.seq WHERE NOT EXISTS (SELECT 1 FROM stale WHERE seq = old.seq);
END;

-- `path` of a file that is in the bin is the one that it had and will have again. Paths that do not
-- lie below the record directory are absolute.
CREATE TABLE segments_2 (
    id               INTEGER PRIMARY KEY,
    recording        TEXT NOT NULL REFERENCES recordings (id),
    number           INTEGER NOT NULL,
    stream_key       TEXT NOT NULL,
    recorder         TEXT NOT NULL,
    path             TEXT NOT NULL,
    bin_path         TEXT,
    state            TEXT NOT NULL
        CHECK (state IN ('open', 'finished', 'missing', 'binned', 'deleted')),
    held             INTEGER NOT NULL,
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
    gaps_before      INTEGER NOT NULL,
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
    -- How long it is, in steps: what lies in a time is looked for step by step, each as far back
    -- as such a segment can reach (`recordings`).
    reach            INTEGER NOT NULL GENERATED ALWAYS AS (CASE
        WHEN end_unix_ms IS NULL THEN 9
        WHEN end_unix_ms - start_unix_ms <= 15000 THEN 0
        WHEN end_unix_ms - start_unix_ms <= 75000 THEN 1
        WHEN end_unix_ms - start_unix_ms <= 330000 THEN 2
        WHEN end_unix_ms - start_unix_ms <= 1200000 THEN 3
        WHEN end_unix_ms - start_unix_ms <= 4000000 THEN 4
        WHEN end_unix_ms - start_unix_ms <= 15000000 THEN 5
        WHEN end_unix_ms - start_unix_ms <= 90000000 THEN 6
        WHEN end_unix_ms - start_unix_ms <= 700000000 THEN 7
        WHEN end_unix_ms - start_unix_ms <= 4000000000 THEN 8
        ELSE 9 END) VIRTUAL,
    UNIQUE (recording, number)
) STRICT;

-- Numbers that no file can mean are cut, so that their sums are numbers too.
INSERT INTO segments_2 (
    id, recording, number, stream_key, path, state, recovered, cut, start_time, start_unix_ms,
    end_time, end_unix_ms, first_packet, server, repeated_packets, skew_ms, skew_max_ms, hash,
    chain, chain_before, start_ms, length_ms, size_bytes, modified_ms, received_packets,
    received_bytes, written_packets, written_bytes, dropped_packets, dropped_bytes, late_packets,
    gaps_total, recorder, held, gaps_before)
    SELECT
    id, recording, number, stream_key, path, state, recovered, cut, start_time, start_unix_ms,
    end_time, end_unix_ms, first_packet, server, repeated_packets, skew_ms, skew_max_ms, hash,
    chain, chain_before, min(start_ms, 1125899906842624), min(length_ms, 1125899906842624),
    min(size_bytes, 1125899906842624), min(modified_ms, 1125899906842624),
    min(received_packets, 1125899906842624), min(received_bytes, 1125899906842624),
    min(written_packets, 1125899906842624), min(written_bytes, 1125899906842624),
    min(dropped_packets, 1125899906842624), min(dropped_bytes, 1125899906842624),
    min(late_packets, 1125899906842624), min(gaps_total, 1125899906842624), 'all', 0,
    EXISTS (SELECT 1 FROM gaps WHERE segment = segments.id AND number = 0)
    FROM segments;
DROP TABLE segments;
ALTER TABLE segments_2 RENAME TO segments;
CREATE INDEX segments_by_path ON segments (path);
CREATE INDEX segments_by_bin_path ON segments (bin_path) WHERE bin_path IS NOT NULL;
CREATE INDEX segments_by_reach ON segments (stream_key, reach, start_unix_ms);
CREATE INDEX segments_by_end ON segments (end_unix_ms, start_unix_ms, size_bytes);
CREATE INDEX segments_finished ON segments (end_unix_ms, id, recorder, size_bytes)
    WHERE state = 'finished';
CREATE INDEX segments_open ON segments (id) WHERE state = 'open';
CREATE INDEX segments_binned ON segments (recording, recorder, size_bytes) WHERE state = 'binned';
CREATE INDEX segments_held ON segments (id) WHERE held;

CREATE TRIGGER segments_added AFTER INSERT ON segments BEGIN
    UPDATE recordings SET
        open_segments = open_segments + (new.state = 'open'),
        finished_segments = finished_segments + (new.state = 'finished'),
        binned_segments = binned_segments + (new.state = 'binned'),
        deleted_segments = deleted_segments + (new.state = 'deleted'),
        missing_segments = missing_segments + (new.state = 'missing'),
        held_segments = held_segments + new.held,
        size_bytes = size_bytes
            + iif(new.state IN ('open', 'finished', 'binned'), new.size_bytes, 0),
        length_ms = max(length_ms, new.start_ms + new.length_ms),
        last_end_unix_ms = max(ifnull(last_end_unix_ms, new.end_unix_ms),
            ifnull(new.end_unix_ms, last_end_unix_ms)),
        received_packets = received_packets + ifnull(new.received_packets, 0),
        received_bytes = received_bytes + ifnull(new.received_bytes, 0),
        written_packets = written_packets + ifnull(new.written_packets, 0),
        written_bytes = written_bytes + ifnull(new.written_bytes, 0),
        dropped_packets = dropped_packets + ifnull(new.dropped_packets, 0),
        dropped_bytes = dropped_bytes + ifnull(new.dropped_bytes, 0),
        late_packets = late_packets + ifnull(new.late_packets, 0),
        gaps = gaps + new.gaps_before + ifnull(new.gaps_total, 0)
    WHERE id = new.recording;
END;
CREATE TRIGGER segments_changed AFTER UPDATE ON segments BEGIN
    UPDATE recordings SET
        open_segments = open_segments + (new.state = 'open') - (old.state = 'open'),
        finished_segments = finished_segments + (new.state = 'finished') - (old.state = 'finished'),
        binned_segments = binned_segments + (new.state = 'binned') - (old.state = 'binned'),
        deleted_segments = deleted_segments + (new.state = 'deleted') - (old.state = 'deleted'),
        missing_segments = missing_segments + (new.state = 'missing') - (old.state = 'missing'),
        held_segments = held_segments + new.held - old.held,
        size_bytes = size_bytes
            + iif(new.state IN ('open', 'finished', 'binned'), new.size_bytes, 0)
            - iif(old.state IN ('open', 'finished', 'binned'), old.size_bytes, 0),
        length_ms = max(length_ms, new.start_ms + new.length_ms),
        last_end_unix_ms = max(ifnull(last_end_unix_ms, new.end_unix_ms),
            ifnull(new.end_unix_ms, last_end_unix_ms)),
        received_packets = received_packets + ifnull(new.received_packets, 0)
            - ifnull(old.received_packets, 0),
        received_bytes = received_bytes + ifnull(new.received_bytes, 0)
            - ifnull(old.received_bytes, 0),
        written_packets = written_packets + ifnull(new.written_packets, 0)
            - ifnull(old.written_packets, 0),
        written_bytes = written_bytes + ifnull(new.written_bytes, 0)
            - ifnull(old.written_bytes, 0),
        dropped_packets = dropped_packets + ifnull(new.dropped_packets, 0)
            - ifnull(old.dropped_packets, 0),
        dropped_bytes = dropped_bytes + ifnull(new.dropped_bytes, 0)
            - ifnull(old.dropped_bytes, 0),
        late_packets = late_packets + ifnull(new.late_packets, 0)
            - ifnull(old.late_packets, 0),
        gaps = gaps + new.gaps_before + ifnull(new.gaps_total, 0)
            - old.gaps_before - ifnull(old.gaps_total, 0)
    WHERE id = new.recording;
END;

-- The sums of what was there before.
UPDATE recordings SET
    open_segments = g.open,
    finished_segments = g.finished,
    binned_segments = g.binned,
    deleted_segments = g.deleted,
    missing_segments = g.missing,
    size_bytes = g.size_bytes,
    length_ms = g.length_ms,
    last_end_unix_ms = g.last_end,
    gaps = g.gaps,
    received_packets = g.received_packets,
    received_bytes = g.received_bytes,
    written_packets = g.written_packets,
    written_bytes = g.written_bytes,
    dropped_packets = g.dropped_packets,
    dropped_bytes = g.dropped_bytes,
    late_packets = g.late_packets
FROM (SELECT recording,
    sum(state = 'open') AS open,
    sum(state = 'finished') AS finished,
    sum(state = 'binned') AS binned,
    sum(state = 'deleted') AS deleted,
    sum(state = 'missing') AS missing,
    sum(iif(state IN ('open', 'finished'), size_bytes, 0)) AS size_bytes,
    max(start_ms + length_ms) AS length_ms,
    max(end_unix_ms) AS last_end,
    sum(gaps_before + ifnull(gaps_total, 0)) AS gaps,
    sum(ifnull(received_packets, 0)) AS received_packets,
    sum(ifnull(received_bytes, 0)) AS received_bytes,
    sum(ifnull(written_packets, 0)) AS written_packets,
    sum(ifnull(written_bytes, 0)) AS written_bytes,
    sum(ifnull(dropped_packets, 0)) AS dropped_packets,
    sum(ifnull(dropped_bytes, 0)) AS dropped_bytes,
    sum(ifnull(late_packets, 0)) AS late_packets
    FROM segments GROUP BY recording) g
WHERE recordings.id = g.recording;

-- The label files that were read, as they were then.
CREATE TABLE label_files (
    path        TEXT PRIMARY KEY,
    size_bytes  INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Directories that were recorded to, beside the record directory.
CREATE TABLE dirs (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
