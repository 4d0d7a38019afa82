//! How long pages of searches take in a catalog of a million recordings of one segment each, and
//! how long the comparison with an unchanged directory. `cargo run --release -p archive --example
//! catalog_million [RECORDINGS]`; the figures stand in `docs/design/catalog.md`.
//!
//! The rows are made by SQL, without files. The order in which they came to be known is that of
//! their times, as with a server that has run for years, or with `shuffled` a chance one, as in a
//! catalog that was made anew from the files.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use archive::catalog::{Order, Query, Reader, RecordingState};
use archive::{
    Archive, Change, Config, Disk, DiskFile, Entry, Observer, Space, SystemClock, SystemDisk,
};
use media::amf0;
use media::flv::tag::{FILE_HEADER, TagHeader};
use rusqlite::{Connection, params};

/// Pages that are read one behind the other, the last of them being deep.
const PAGES: usize = 40;
/// Times that each is read. The middle one counts, for others use the machine too; the worst of all
/// is told at the end.
const TIMES: usize = 5;
/// Files of the comparison.
const FILES: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let count: i64 = args.next().map_or(Ok(1_000_000), |arg| arg.parse())?;
    let mut all = Took::default();
    for is_shuffled in [false, true] {
        let dir = tempfile::tempdir()?;
        let begun = Instant::now();
        fill(dir.path(), count, is_shuffled)?;
        let took = begun.elapsed().as_secs();
        let size = fs::metadata(dir.path().join(".rtmp-server/catalog.sqlite"))?.len();
        println!("\n{count} recordings, shuffled: {is_shuffled}; made in {took} s, {size} bytes\n");
        println!("| query | found | first page | deep page | worst |\n|---|---|---|---|---|");
        for (name, query) in queries(count) {
            for order in [Order::Newest, Order::Oldest] {
                let took = measure(dir.path(), name, &Query { order, ..query.clone() })?;
                all.middle = all.middle.max(took.middle);
                all.worst = all.worst.max(took.worst);
            }
        }
        between(dir.path(), count)?;
    }
    println!("\nworst page: {:.1} ms as a rule, {:.1} ms once", ms(all.middle), ms(all.worst));
    compare()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A number that looks like chance, the same each time.
fn mixed(n: i64) -> i64 {
    let mut x = n.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    i64::try_from(x >> 33).unwrap_or_default()
}

/// Lets the program make its tables, and fills them.
fn fill(dir: &Path, count: i64, is_shuffled: bool) -> Result<(), Box<dyn Error>> {
    archive::catalog::rebuild(&SystemDisk, dir, &[], &mut |_| {})?;
    let db = Connection::open(dir.join(".rtmp-server/catalog.sqlite"))?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN;")?;
    let mut recording = db.prepare(
        "INSERT INTO recordings (seq, id, stream_key, recorder, name, request_key, phase, \
         start_time, start_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8)",
    )?;
    let mut segment = db.prepare(
        "INSERT INTO segments (recording, number, stream_key, recorder, path, state, held, \
         recovered, cut, start_time, start_unix_ms, end_unix_ms, start_ms, length_ms, size_bytes, \
         modified_ms, first_packet, server, gaps_before, received_packets, gaps_total) \
         VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, 0, 'start', '', ?7, ?8, 0, ?9, 1000000, 0, 0, '', 0, 9, 0)",
    )?;
    let mut label = db.prepare("INSERT INTO labels (seq, name, value) VALUES (?1, ?2, ?3)")?;
    for n in 1..=count {
        let chance = mixed(n);
        // A place of its own for each, whatever the count.
        let seq = if is_shuffled { 1 + (n * 611_953) % (count + 1) } else { n };
        let id = format!("{:016x}", n);
        // Half of the streams are few, the others have a key of their own each.
        let key = match chance % 2 {
            0 => format!("live/camera-{}", chance / 2 % 300),
            _ => format!("events/2025/visitor-{:08x}", mixed(n + 7)),
        };
        let recorder = match chance / 7 % 3 {
            0 => "all",
            1 => "news",
            _ => "archive",
        };
        let name = (chance % 5 == 0).then(|| format!("Session {} of hall {}", n, chance / 11 % 20));
        let phase = if chance / 13 % 50 == 0 { "interrupted" } else { "complete" };
        let phase = if n > count - 500 { "recording" } else { phase };
        let state = if n < count / 10 && n % 2 == 0 { "deleted" } else { "finished" };
        let start = 1_700_000_000_000 + n * 60_000;
        let length = 1_000 + chance % 3_600_000;
        let request = (n % 10 == 0).then(|| format!("request-{n}"));
        recording.execute(params![seq, id, key, recorder, name, request, phase, start])?;
        let held = i64::from(chance / 17 % 1_000 == 0);
        let path = format!("{key}/{id}.flv");
        segment.execute(params![
            id,
            key,
            recorder,
            path,
            state,
            held,
            start,
            start + length,
            length
        ])?;
        // Two labels that never come together, and one that nearly all have.
        let side = if n % 2 == 0 { "left" } else { "right" };
        label.execute(params![seq, side, "yes"])?;
        label.execute(params![seq, "site", format!("site {}", chance / 19 % 100)])?;
    }
    drop((recording, segment, label));
    db.execute_batch("COMMIT")?;
    drop(db);
    archive::catalog::index(&SystemDisk, dir)?;
    Ok(())
}

fn queries(count: i64) -> Vec<(&'static str, Query)> {
    let text = |text: &str| Query { text: Some(text.to_owned()), ..Query::default() };
    let stream = |stream: &str| Query { stream: Some(stream.to_owned()), ..Query::default() };
    let label = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let recorder = |name: &str| Some(name.to_owned());
    let middle = 1_700_000_000_000 + count / 2 * 60_000;
    let all = Query::default();
    vec![
        ("everything", all.clone()),
        ("one stream", stream("live/camera-7")),
        ("a stream of one recording", stream("events/2025/visitor-1234abcd")),
        ("pattern, few keys", stream("live/camera-1?")),
        ("pattern, many keys", stream("events/**")),
        ("pattern, none", stream("*/*-zzz*")),
        ("pattern, end", stream("**ab")),
        ("recorder", Query { recorder: recorder("news"), ..all.clone() }),
        ("recorder, unknown", Query { recorder: recorder("none"), ..all.clone() }),
        ("state", Query { states: vec![RecordingState::Interrupted], ..all.clone() }),
        (
            "states",
            Query {
                states: vec![RecordingState::Deleted, RecordingState::Recording],
                ..all.clone()
            },
        ),
        ("held", Query { held: Some(true), ..all.clone() }),
        ("not held", Query { held: Some(false), ..all.clone() }),
        ("label", Query { labels: vec![label("site", Some("site 42"))], ..all.clone() }),
        (
            "two halves that never meet",
            Query { labels: vec![label("left", None), label("right", None)], ..all.clone() },
        ),
        (
            "an hour",
            Query {
                from_unix_ms: Some(middle),
                to_unix_ms: Some(middle + 3_600_000),
                ..all.clone()
            },
        ),
        ("from the middle", Query { from_unix_ms: Some(middle), ..all.clone() }),
        ("to the middle", Query { to_unix_ms: Some(middle), ..all.clone() }),
        ("text, nearly all", text("e")),
        ("text, two letters", text("7f")),
        ("text, a name", text("HALL 13")),
        ("text, one recording", text("session 500000 of")),
        ("text, none", text("nowhere to be found")),
        ("text, all letters but not in a row", text("visitor-2025")),
        (
            "all at once",
            Query {
                stream: Some("live/*".to_owned()),
                recorder: recorder("archive"),
                from_unix_ms: Some(1_700_000_000_000),
                to_unix_ms: Some(middle),
                states: vec![RecordingState::Complete, RecordingState::Interrupted],
                labels: vec![label("left", Some("yes")), label("site", None)],
                text: Some("session".to_owned()),
                held: Some(false),
                ..all.clone()
            },
        ),
        (
            "all at once, none",
            Query {
                stream: Some("live/*".to_owned()),
                recorder: recorder("archive"),
                states: vec![RecordingState::Complete],
                labels: vec![label("left", Some("yes")), label("right", None)],
                text: Some("session".to_owned()),
                ..all
            },
        ),
    ]
}

/// What a page took: as a rule, and at worst.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Took {
    middle: Duration,
    worst: Duration,
}

/// Each page with a connection of its own, as a server's request has it.
fn page(dir: &Path, query: &Query) -> Result<(archive::catalog::Page, Took), Box<dyn Error>> {
    let mut times = Vec::new();
    let mut page = archive::catalog::Page::default();
    for _ in 0..TIMES {
        let begun = Instant::now();
        page = Reader::open(dir)?.recordings(query)?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let [middle, worst] = [TIMES / 2, TIMES - 1].map(|n| times.get(n).copied().unwrap_or_default());
    Ok((page, Took { middle, worst }))
}

fn measure(dir: &Path, name: &str, query: &Query) -> Result<Took, Box<dyn Error>> {
    let (mut first, mut deep) = <(Duration, Duration)>::default();
    let mut all = Took::default();
    let mut found = 0;
    let mut query = query.clone();
    for number in 0..PAGES {
        let (page, took) = page(dir, &query)?;
        if number == 0 {
            first = took.middle;
        }
        deep = took.middle;
        all.middle = all.middle.max(took.middle);
        all.worst = all.worst.max(took.worst);
        found += page.recordings.len();
        // Ever further on.
        let Some(next) = page.next else { break };
        query.after = Some(next);
        query.limit = if number % 4 == 3 { 1_000 } else { 100 };
        if query.limit == 1_000 {
            // Large pages are passed over, not measured.
            let page = Reader::open(dir)?.recordings(&query)?;
            found += page.recordings.len();
            let Some(next) = page.next else { break };
            query.after = Some(next);
            query.limit = 100;
        }
    }
    let (order, worst) = (query.order, all.middle);
    println!(
        "| {name}, {order:?} | {found} | {:.1} | {:.1} | {:.1} |",
        ms(first),
        ms(deep),
        ms(worst)
    );
    Ok(all)
}

/// Segments of a stream in a time.
fn between(dir: &Path, count: i64) -> Result<(), Box<dyn Error>> {
    let middle = 1_700_000_000_000 + count / 2 * 60_000;
    let begun = Instant::now();
    let found =
        Reader::open(dir)?.segments_between("live/camera-7", middle, middle + 86_400_000, None)?;
    println!(
        "| segments of a stream in a day | {} | {:.1} | | |",
        found.len(),
        ms(begun.elapsed())
    );
    Ok(())
}

/// Writes the beginning of a recorded file that is complete.
fn write(path: &Path, number: u32) -> Result<(), Box<dyn Error>> {
    let texts = [
        ("recordingId", format!("{number:016x}")),
        ("streamKey", format!("live/{}", number % 100)),
        ("startTime", "2025-10-11T14:30:52.123+02:00".to_owned()),
    ];
    let mut values: Vec<_> =
        texts.map(|(name, text)| (name.to_owned(), amf0::Value::from(text))).into();
    values.push(("segment".to_owned(), amf0::Value::from(1.0)));
    values.push(("complete".to_owned(), amf0::Value::from(true)));
    let mut body = Vec::new();
    amf0::encode(&amf0::Value::from("onMetaData"), &mut body);
    amf0::encode(&amf0::Value::EcmaArray(values), &mut body);
    let header = TagHeader::new(18, u32::try_from(body.len())?, 0);
    let bytes = [&FILE_HEADER[..], &header.encode(), &body, &header.tag_size().to_be_bytes()];
    Ok(fs::write(path, bytes.concat())?)
}

/// The real disk, which counts the files that are opened.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU64>);

impl Counting {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Disk for Counting {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.create_dir_all(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        SystemDisk.create_new(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // The lock of the catalog is none of them.
        if path.extension().is_some_and(|end| end == "flv") {
            self.count();
        }
        SystemDisk.open(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.count();
        SystemDisk.open_read(path)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        SystemDisk.list(dir)
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        SystemDisk.entry(path)
    }

    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
        self.count();
        SystemDisk.read_head(path, buffer)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        SystemDisk.space(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.sync_dir(dir)
    }
}

/// The comparison of a directory with a catalog that knows it, as at every start of a server.
fn compare() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    for number in 1..=FILES {
        let folder = dir.path().join(format!("{:03}", number % 100));
        fs::create_dir_all(&folder)?;
        write(&folder.join(format!("{number}.flv")), number)?;
    }
    let begun = Instant::now();
    let found = archive::catalog::rebuild(&SystemDisk, dir.path(), &[], &mut |_| {})?;
    println!("\n{found} files entered in {:.1} s", begun.elapsed().as_secs_f64());
    let disk = Counting::default();
    let opened = disk.0.clone();
    let config = Config { record_dir: dir.path().to_owned(), ..Config::default() };
    let begun = Instant::now();
    let archive = Archive::open(config, Arc::new(disk), Arc::new(SystemClock), Observer::default());
    // It is answered when the directory is compared.
    let (told, answer) = channel();
    archive.change(Change::EmptyBin, move |outcome| drop(told.send(outcome)));
    answer.recv()??;
    let (took, opened) = (begun.elapsed().as_secs_f64(), opened.load(Ordering::Relaxed));
    println!("compared without a change in {took:.1} s; files opened: {opened}");
    archive.close(Duration::from_secs(60));
    Ok(())
}
