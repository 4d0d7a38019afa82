use media::flv::probe::{IndexCheck, Probe, Report};
use media::flv::scan::{Bodies, Scanner};
use tempfile::TempDir;

use super::*;

const VIDEO_CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 1];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 2];
const AUDIO: &[u8] = &[0xaf, 1, 1, 2, 3];

fn report(path: &Path) -> Report {
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(&fs::read(path).unwrap());
    scanner.finish();
    let mut probe = Probe::new();
    while let Some(item) = scanner.poll() {
        probe.push(&item);
    }
    probe.finish()
}

struct Fixture {
    dir: TempDir,
    recording: Recording,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let recording = Recording::create(&dir.path().join("x.flv")).unwrap();
        let now = recording.flushed;
        Self { dir, recording, now }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("x.flv")
    }

    fn push(&mut self, kind: Kind, timestamp: u32, body: &'static [u8]) -> bool {
        self.push_until(kind, timestamp, body, None)
    }

    fn push_until(
        &mut self,
        kind: Kind,
        at: u32,
        body: &'static [u8],
        end_ms: Option<u64>,
    ) -> bool {
        self.recording.push(self.now, kind, at, Bytes::from_static(body), end_ms).unwrap()
    }
}

#[test]
fn an_existing_file_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.flv");
    fs::write(&path, "precious").unwrap();
    let error = Recording::create(&path).err().expect("it exists").to_string();
    assert!(error.contains("exists already and is not overwritten"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_recording_is_a_sound_file_with_an_index_from_time_0() {
    let mut f = Fixture::new();
    f.push(Kind::Video, 0, VIDEO_CONFIG);
    for i in 0..100 {
        let body = if i % 25 == 0 { KEY } else { INTER };
        f.push(Kind::Video, 90_000 + i * 40, body);
        f.push(Kind::Audio, 90_010 + i * 40, AUDIO);
    }
    let path = f.path();
    let text = f.recording.finish().unwrap();
    let report = report(&path);
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!(report.index, IndexCheck::True { entries: 4 });
    assert_eq!(report.duration_ms, 4_010);
    let first: Vec<_> = report.tracks.iter().map(|t| (t.kind, t.first_ms, t.frames)).collect();
    assert_eq!(first, [(Kind::Video, 0, 100), (Kind::Audio, 10, 100)]);
    assert!(text.contains("101 video packets and 100 audio packets"), "{text}");
}

#[test]
fn video_before_the_first_key_frame_is_left_out_and_told() {
    let mut f = Fixture::new();
    f.push(Kind::Video, 0, VIDEO_CONFIG);
    for (i, body) in [INTER, INTER, KEY, INTER].into_iter().enumerate() {
        f.push(Kind::Video, 1_000 + 40 * u32::try_from(i).unwrap(), body);
    }
    let path = f.path();
    let text = f.recording.finish().unwrap();
    assert!(text.ends_with("2 video packets before the first key frame left out"), "{text}");
    let report = report(&path);
    assert_eq!(report.tracks.first().map(|t| (t.frames, t.keys, t.first_ms)), Some((2, 1, 0)));
}

#[test]
fn the_wanted_duration_ends_it_before_the_packet_at_that_time() {
    let mut f = Fixture::new();
    let kept = (0..100).take_while(|i| f.push_until(Kind::Audio, 500 + i * 20, AUDIO, Some(1_000)));
    assert_eq!(kept.count(), 50);
}

#[test]
fn an_event_that_is_ahead_of_the_frames_does_not_end_it() {
    let mut f = Fixture::new();
    assert!(f.push_until(Kind::Video, 0, KEY, Some(1_000)));
    assert!(f.push_until(Kind::Video, 900, KEY, Some(1_000)));
    assert!(f.push_until(Kind::Data, 1_400, b"\x02\x00\x0aonCuePoint\x05", Some(1_000)));
    assert!(f.push_until(Kind::Video, 940, KEY, Some(1_000)));
    assert!(!f.push_until(Kind::Video, 1_000, KEY, Some(1_000)));
}

#[test]
fn times_go_on_where_the_32_bits_end() {
    let mut f = Fixture::new();
    for i in 0..10u32 {
        f.push(Kind::Audio, (u32::MAX - 100).wrapping_add(i * 23), AUDIO);
    }
    let path = f.path();
    f.recording.finish().unwrap();
    assert_eq!(report(&path).tracks.first().map(|t| t.last_ms), Some(9 * 23));
}

#[test]
fn bytes_reach_the_system_at_a_key_frame_and_after_a_second() {
    let mut f = Fixture::new();
    let size = |f: &Fixture| fs::metadata(f.path()).unwrap().len();
    f.push(Kind::Video, 0, VIDEO_CONFIG);
    f.recording.tick(f.now + FLUSH).unwrap();
    f.push(Kind::Audio, 0, AUDIO);
    assert!(!f.path().exists(), "nothing that plays is on disk");
    f.push(Kind::Video, 0, KEY);
    let at_key = size(&f);
    assert_eq!(at_key, f.recording.size_bytes());
    f.push(Kind::Audio, 23, AUDIO);
    f.recording.tick(f.now + FLUSH / 2).unwrap();
    assert_eq!(size(&f), at_key);
    f.recording.tick(f.now + FLUSH).unwrap();
    assert_eq!(size(&f), f.recording.size_bytes());
    assert!(size(&f) > at_key);
    // What is there at any such moment plays as it is.
    assert!(report(&f.path()).is_sound());
}

#[test]
fn nothing_recorded_leaves_no_file() {
    let mut f = Fixture::new();
    f.push(Kind::Video, 0, VIDEO_CONFIG);
    let path = f.path();
    let text = f.recording.finish().unwrap();
    assert!(text.starts_with("nothing was recorded"), "{text}");
    assert!(!path.exists());
}

#[test]
fn an_error_of_the_disk_keeps_the_whole_tags_and_is_told_once() {
    let mut f = Fixture::new();
    f.push(Kind::Video, 0, KEY);
    let whole = f.recording.size_bytes;
    let path = f.path();
    // A file opened for reading refuses writes, as a disk that was made read-only does.
    f.recording.file = Some(File::open(&path).unwrap());
    f.push(Kind::Video, 40, INTER);
    let error = f.recording.flush(f.now).expect_err("not writable").to_string();
    assert!(error.starts_with("cannot write "), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), whole);
    assert!(f.recording.finish().unwrap().starts_with("recorded "));
    assert!(report(&path).is_sound());
}

#[test]
fn a_disk_that_takes_nothing_is_left_with_no_file() {
    let mut f = Fixture::new();
    let path = f.path();
    fs::write(&path, "").unwrap();
    f.recording.file = Some(File::open(&path).unwrap());
    let key = f.recording.push(f.now, Kind::Video, 0, Bytes::from_static(KEY), None);
    assert!(key.is_err_and(|error| error.to_string().starts_with("cannot write ")));
    assert!(f.recording.finish().unwrap().starts_with("nothing was recorded"));
    assert!(!path.exists());
}

#[test]
fn a_name_that_was_taken_since_is_not_touched() {
    let mut f = Fixture::new();
    fs::write(f.path(), "precious").unwrap();
    let key = f.recording.push(f.now, Kind::Video, 0, Bytes::from_static(KEY), None);
    assert!(key.is_err());
    f.recording.finish().unwrap();
    assert_eq!(fs::read(f.dir.path().join("x.flv")).unwrap(), b"precious");
}
