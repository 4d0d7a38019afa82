//! What the tests of this crate share: captured log lines, packets, and streams to record.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use live::{Class, Cursor, Key, Limits, Publisher, Registry, Start};
use media::amf0::Value;
use media::flv::scan::{Item, Scanner};
use media::mp4::Movie;
use media::{Header, Kind, Packet, mp4};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::clock::fixed::FixedClock;
use crate::disk::Disk;
use crate::disk::fake::FakeDisk;
use crate::events::{self, Finished};
use crate::path::{Facts, Name, Template};
use crate::recorder::Timing;
use crate::recover::Mended;
use crate::script::Script;
use crate::segment::Form;
use crate::{
    About, Archive, Config, Cut, Format, Labels, Notice, Observer, Plan, RecordingId, StartRequest,
    State, Tracks,
};

/// Lines by stream key. Recorders are threads, so the capture is global and each test has keys of
/// its own.
#[derive(Default)]
struct Capture;

static LINES: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

/// Begins to capture, once in the process.
pub(crate) fn capture_log() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| tracing::subscriber::set_global_default(Capture).unwrap());
}

/// The lines logged of a stream so far, as `LEVEL message field=value…`.
pub(crate) fn log_of(key: &Key) -> Vec<String> {
    lines_of(key.as_str())
}

/// The lines logged of a stream, or with `""` of no stream, so far.
pub(crate) fn lines_of(stream_key: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    lines.iter().flat_map(|map| map.get(stream_key).cloned()).flatten().collect()
}

pub(crate) fn errors_of(key: &Key) -> Vec<String> {
    log_of(key).into_iter().filter(|line| line.starts_with("ERROR")).collect()
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
    stream_key: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => {
                if name == "stream_key" {
                    self.stream_key = format!("{value:?}");
                }
                write!(self.fields, " {name}={value:?}").unwrap();
            }
        }
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{} {}{}", event.metadata().level(), line.message, line.fields);
        let mut lines = LINES.lock().unwrap();
        lines.get_or_insert_default().entry(line.stream_key).or_default().push(text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Waits until `done`; a test that waits longer than a minute has failed.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A published stream.
pub(crate) struct Stream {
    pub(crate) key: Key,
    pub(crate) publisher: Publisher,
    /// Everything that was pushed.
    pub(crate) sent: Vec<Packet>,
}

impl Stream {
    pub(crate) fn publish(app: &str, name: &str) -> Self {
        Self::publish_within(app, name, Limits::default())
    }

    pub(crate) fn publish_within(app: &str, name: &str, limits: Limits) -> Self {
        let key = Key::new(app, name).unwrap();
        let publisher = Registry::new(limits).publish(&key).unwrap();
        Self { key, publisher, sent: Vec::new() }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.publisher.cursor(Class::Record, Start::Oldest)
    }

    pub(crate) fn push(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let mut packets: Vec<_> = packets.into_iter().collect();
        self.sent.extend_from_slice(&packets);
        self.publisher.push(&mut packets);
    }
}

/// An AVC sequence header whose record ends with `mark`.
pub(crate) fn video_config(mark: u8) -> Packet {
    let record = [0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 1, mark];
    Packet::new(Kind::Video, 0, Bytes::copy_from_slice(&record))
}

pub(crate) fn audio_config() -> Packet {
    Packet::new(Kind::Audio, 0, Bytes::from_static(&[0xaf, 0, 0x12, 0x10]))
}

/// A frame whose payload of `size` bytes is like no other's.
pub(crate) fn video(dts_ms: i64, key: bool, size: usize) -> Packet {
    let header = [if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    Packet::new(Kind::Video, dts_ms, header.into_iter().chain(noise(dts_ms, size)).collect())
}

pub(crate) fn audio(dts_ms: i64, size: usize) -> Packet {
    Packet::new(Kind::Audio, dts_ms, [0xaf, 1].into_iter().chain(noise(dts_ms, size)).collect())
}

fn noise(seed: i64, size: usize) -> impl Iterator<Item = u8> {
    let mut state = seed.unsigned_abs();
    (0..size).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
}

/// Configuration and `seconds` of 10 frames/s video with a key frame each second, and audio
/// between.
pub(crate) fn clip(seconds: i64) -> Vec<Packet> {
    let mut packets = vec![video_config(1), audio_config()];
    packets.extend((0..seconds).flat_map(second));
    packets
}

/// One group of pictures of that clip.
pub(crate) fn second(second: i64) -> impl Iterator<Item = Packet> {
    (0..10).flat_map(move |i| {
        let at_ms = second * 1_000 + i * 100;
        [video(at_ms, i == 0, 900), audio(at_ms + 23, 150)]
    })
}

/// The audio and video of a file, in order; it must be without a fault.
pub(crate) fn scan(file: &[u8]) -> Vec<Packet> {
    let (packets, faults) = scan_torn(file);
    assert_eq!(faults, Vec::<String>::new());
    packets
}

/// The audio and video of an MP4 file, in order, and its faults.
fn scan_parts(file: &[u8]) -> (Vec<Packet>, Vec<String>) {
    use mp4::scan::{Item, Scanner};
    let (mut packets, mut faults) = (Vec::new(), Vec::new());
    let mut scanner = Scanner::new();
    let mut take = |scanner: &mut Scanner| {
        while let Some(item) = scanner.poll() {
            match item {
                Item::Packet(packet) if packet.kind != Kind::Data => packets.push(packet),
                Item::Fault(fault) => faults.push(format!("{fault:?}")),
                _ => {}
            }
        }
    };
    for block in file.chunks(4_096) {
        scanner.push(block);
        take(&mut scanner);
    }
    scanner.finish();
    take(&mut scanner);
    (packets, faults)
}

/// The audio and video of a file, in order, and its faults.
pub(crate) fn scan_torn(file: &[u8]) -> (Vec<Packet>, Vec<String>) {
    if file.get(4..8) == Some(b"ftyp") {
        return scan_parts(file);
    }
    let mut packets = Vec::new();
    let mut faults = Vec::new();
    let mut scanner = Scanner::default();
    let mut parts = file.chunks(4_096);
    loop {
        match scanner.poll() {
            Some(Item::Tag(tag)) if tag.packet.kind != Kind::Data => packets.push(tag.packet),
            Some(Item::Fault(fault)) => faults.push(format!("{fault:?}")),
            Some(_) => {}
            None => match parts.next() {
                Some(part) => scanner.push(part),
                None => break,
            },
        }
    }
    scanner.finish();
    while let Some(item) = scanner.poll() {
        faults.push(format!("{item:?}"));
    }
    (packets, faults)
}

/// Asserts that `file` holds the first of `sent`, bit for bit and in order, and returns how many.
pub(crate) fn assert_begins(file: &[Packet], sent: &[Packet]) -> usize {
    let bodies = |packets: &[Packet]| -> Vec<(Kind, Bytes)> {
        packets.iter().map(|p| (p.kind, p.body.clone())).collect()
    };
    let sent = bodies(sent);
    let file = bodies(file);
    assert!(sent.starts_with(&file), "not what was sent: {} packets", file.len());
    file.len()
}

/// A property of the `onMetaData` that a file begins with.
pub(crate) fn metadata(file: &[u8], property: &str) -> Value {
    let script = Script::read(file).expect("a recording");
    script.property(property).unwrap_or_else(|| panic!("no {property} in {script:?}")).clone()
}

/// An archive in `recordings` on a lying disk at 14:30:52 on a day in Berlin.
///
/// When it is dropped, the books of all its recordings that are over must balance.
pub(crate) struct Rig {
    pub(crate) archive: Archive,
    pub(crate) disk: FakeDisk,
    pub(crate) clock: Arc<FixedClock>,
    events: events::Told,
    notices: Arc<Mutex<Vec<Notice>>>,
    keys: Mutex<Vec<Key>>,
}

impl Rig {
    /// One that makes each publish a recording of its own.
    pub(crate) fn new(disk: FakeDisk) -> Self {
        Self::with(disk, Config { rejoin: Duration::ZERO, ..Config::default() })
    }

    pub(crate) fn with(disk: FakeDisk, config: Config) -> Self {
        Self::waiting(disk, config, TIMING)
    }

    /// One that waits as it is told.
    pub(crate) fn waiting(disk: FakeDisk, config: Config, timing: Timing) -> Self {
        Self::on(Arc::new(disk.clone()), disk, config, timing)
    }

    /// One whose disk is, or is among others, `disk`.
    pub(crate) fn on(disks: Arc<dyn Disk>, disk: FakeDisk, config: Config, timing: Timing) -> Self {
        capture_log();
        let clock = Arc::new(FixedClock::new("2025-10-11T14:30:52.123+02:00[Europe/Berlin]"));
        let notices = Arc::<Mutex<Vec<Notice>>>::default();
        let told = notices.clone();
        let observer = Observer::new(move |notice| told.lock().unwrap().push(notice));
        let (archive, events) = Archive::alone(config, disks, clock.clone(), timing, observer);
        Self { archive, disk, clock, events, notices, keys: Mutex::default() }
    }

    /// What whoever embeds the archive was told since the last call.
    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.lock().unwrap())
    }

    /// What the catalog was told since the last call.
    pub(crate) fn take_events(&self) -> Vec<events::Event> {
        self.events.try_iter().collect()
    }

    pub(crate) fn start(&self, stream: &Stream) -> RecordingId {
        self.begin(self.request(stream))
    }

    /// Starts a recording of a stream by a plan that is the default but for `change`.
    pub(crate) fn start_by(&self, stream: &Stream, change: impl FnOnce(&mut Plan)) -> RecordingId {
        let plan = self.plan(change);
        self.begin(StartRequest { plan, ..self.request(stream) })
    }

    /// The default plan but for `change`.
    pub(crate) fn plan(&self, change: impl FnOnce(&mut Plan)) -> Arc<Plan> {
        let mut plan = Plan::clone(&self.archive.plan());
        change(&mut plan);
        Arc::new(plan)
    }

    /// Waits until a recording has read all that its stream has carried.
    pub(crate) fn wait_until_read(&self, id: RecordingId) {
        wait_until("all is read", || {
            let list = self.archive.list();
            list.iter().all(|status| status.id != id || status.waiting_bytes == 0)
        });
    }

    /// What asks for a recording of a stream by the default plan.
    pub(crate) fn request(&self, stream: &Stream) -> StartRequest {
        let plan = self.archive.plan();
        StartRequest::new(stream.key.clone(), stream.cursor(), plan)
    }

    /// Starts a recording whose books are looked at in the end.
    pub(crate) fn begin(&self, request: StartRequest) -> RecordingId {
        self.keys.lock().unwrap().push(request.key.clone());
        self.archive.start(request).unwrap()
    }

    /// The files that are whole since the last call, in the order in which they became so.
    pub(crate) fn take_finished(&self) -> Vec<Finished> {
        let finished = |event| match event {
            events::Event::Finished(finished) | events::Event::Recovered(finished) => {
                Some(finished)
            }
            _ => None,
        };
        self.events.try_iter().filter_map(finished).collect()
    }

    /// Records all that is pushed to a stream from its start to its end.
    pub(crate) fn record(&self, mut stream: Stream, packets: Vec<Packet>) -> Vec<Packet> {
        self.start(&stream);
        stream.push(packets);
        let sent = std::mem::take(&mut stream.sent);
        drop(stream);
        self.wait_for_end();
        sent
    }

    pub(crate) fn wait_for_end(&self) {
        wait_until("the recordings end", || self.archive.list().is_empty());
    }

    pub(crate) fn wait_for_packets(&self, packets: u64) {
        wait_until("the packets are written", || self.archive.counters().packets >= packets);
    }

    /// What the only recording does; `None` when it is over.
    pub(crate) fn state(&self) -> Option<State> {
        self.archive.list().first().map(|status| status.state)
    }

    /// Waits until so many packets are written or dropped.
    pub(crate) fn wait_for_received(&self, packets: u64) {
        wait_until("the packets are accounted for", || {
            let counters = self.archive.counters();
            counters.packets + counters.dropped_packets >= packets
        });
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        let files = self.disk.files();
        let path = Path::new("recordings").join(name);
        files.get(&path).unwrap_or_else(|| panic!("{name} is not among {:?}", files.keys())).clone()
    }

    pub(crate) fn file_names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.disk.files().keys().map(name).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Or its watch would look for ever.
        self.archive.close(Duration::ZERO);
        if std::thread::panicking() {
            return;
        }
        for key in self.keys.lock().unwrap().iter() {
            let lines = log_of(key);
            for line in lines.iter().filter(|line| line.contains(" recording complete ")) {
                let count = |field: &str| -> u64 {
                    let mut words = line.split(' ');
                    words.find_map(|w| w.strip_prefix(field)).unwrap().parse().unwrap()
                };
                let used = count("written=") + count("dropped=");
                assert_eq!(count("received="), used, "{line}");
            }
        }
    }
}

/// Waits that a test can afford.
pub(crate) const TIMING: Timing = Timing {
    backoff_first: Duration::from_millis(2),
    backoff_most: Duration::from_millis(20),
    space: Duration::from_millis(2),
    watch: Duration::from_millis(2),
};

/// A file of a format with the tracks of `packets`.
pub(crate) fn form<'a>(
    format: Format,
    header: &Header,
    packets: impl IntoIterator<Item = &'a Packet>,
) -> Form {
    match format {
        Format::Flv => Form::Flv,
        Format::Mp4 => Form::Mp4(Box::new(Movie::of(header, packets))),
    }
}

/// The file that was mended.
pub(crate) fn mended(result: std::io::Result<Mended>) -> Finished {
    match result.unwrap() {
        Mended::Whole(finished) => *finished,
        Mended::Nothing(reason) => panic!("{reason}"),
    }
}

/// The names of a first segment that began at 14:30:52 on a day in Berlin.
pub(crate) fn name(stream_key: &str) -> Name {
    name_of(stream_key, Format::Flv)
}

/// The same for a file of a format.
pub(crate) fn name_of(stream_key: &str, format: Format) -> Name {
    let start = &"2025-10-11T14:30:52+02:00[Europe/Berlin]".parse().unwrap();
    let (end, sequence, recording) = (None, 1, "0123456789abcdef");
    let (recording_name, recorder) = ("", "all");
    Template::default().name(&Facts {
        stream_key,
        start,
        end,
        sequence,
        recording,
        recording_name,
        recorder,
        format,
    })
}

/// The identity of a first segment.
pub(crate) fn about() -> About {
    About {
        recording: "0123456789abcdef".parse().unwrap(),
        stream_key: "live/test".to_owned(),
        segment: 1,
        start_time: "2025-10-11T14:30:52.123+02:00".to_owned(),
        start_ms: 0,
        cut: Cut::Start,
        gap_before: None,
        first_packet: 0,
        chain_before: None,
        server: "rtmp-server/test".to_owned(),
        recorder: "all".to_owned(),
        name: None,
        request_key: None,
        is_clip: false,
        tracks: Tracks::All,
        labels: Labels::new(),
    }
}
