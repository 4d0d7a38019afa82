use std::io::IoSlice;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use archive::{Entry, Space, SystemDisk};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE};
use axum::response::IntoResponse;
use axum::routing::get;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

mod asked;

/// A file of bytes that tell where they stand.
struct Rig {
    dir: TempDir,
    downloads: Downloads,
    bytes: Vec<u8>,
}

impl Rig {
    fn new(size: usize, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + i / 251).to_le_bytes()[0]).collect();
        std::fs::write(dir.path().join("file.flv"), &bytes).unwrap();
        Self { dir, downloads: Downloads::new(limits), bytes }
    }

    fn file(&self) -> File {
        File {
            path: self.dir.path().join("file.flv"),
            kind: FLV,
            name: "live_test.flv".to_owned(),
            identity: "0123456789abcdef.1".to_owned(),
            is_growing: false,
        }
    }

    async fn ask(&self, method: Method, headers: &[(HeaderName, &str)]) -> Answer {
        self.ask_for(&self.file(), method, headers).await
    }

    async fn ask_for(&self, file: &File, method: Method, headers: &[(HeaderName, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().unwrap());
        }
        let response = self.downloads.file(Arc::new(SystemDisk), file, &method, &map).await;
        Answer::of(response.unwrap()).await
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[tokio::test]
async fn whole_file_comes_with_all_that_is_known_of_it() {
    let rig = Rig::new(700_000, Limits::default());
    let answer = rig.ask(Method::GET, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, rig.bytes);
    assert_eq!(answer.header(&CONTENT_TYPE), "video/x-flv");
    assert_eq!(answer.header(&CONTENT_LENGTH), "700000");
    assert_eq!(answer.header(&ACCEPT_RANGES), "bytes");
    assert_eq!(answer.header(&CONTENT_DISPOSITION), "attachment; filename=\"live_test.flv\"");
    assert_eq!(answer.header(&X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert!(answer.header(&ETAG).starts_with("\"0123456789abcdef1-aae60-"));
    assert!(answer.header(&LAST_MODIFIED).ends_with(" GMT"));

    let head = rig.ask(Method::HEAD, &[(RANGE, "bytes=0-1")]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header(&CONTENT_LENGTH), "700000");
    assert_eq!(head.header(&ETAG), answer.header(&ETAG));
}

#[tokio::test]
async fn part_is_what_was_asked_for() {
    let rig = Rig::new(600_000, Limits::default());
    let parts = [
        ("bytes=0-0", 0..1, "bytes 0-0/600000"),
        ("bytes=100-399999", 100..400_000, "bytes 100-399999/600000"),
        ("bytes=599999-", 599_999..600_000, "bytes 599999-599999/600000"),
        ("bytes=-10", 599_990..600_000, "bytes 599990-599999/600000"),
        ("bytes=-99999999999999999999999", 0..600_000, "bytes 0-599999/600000"),
        ("Bytes = 5 - 99999999999999999999999", 5..600_000, "bytes 5-599999/600000"),
    ];
    for (range, bytes, told) in parts {
        let answer = rig.ask(Method::GET, &[(RANGE, range)]).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header(&CONTENT_RANGE), told);
        assert_eq!(answer.header(&CONTENT_LENGTH), bytes.len().to_string());
        assert!(answer.body == rig.bytes[bytes], "{range}");
    }
    for range in ["bytes=600000-", "bytes=99999999999999999999999-", "bytes=-0"] {
        let answer = rig.ask(Method::GET, &[(RANGE, range)]).await;
        assert_eq!((answer.status, answer.body.len()), (416, 0), "{range}");
        assert_eq!(answer.header(&CONTENT_RANGE), "bytes */600000");
    }
}

#[tokio::test]
async fn several_ranges_and_nonsense_get_the_file_once() {
    let rig = Rig::new(10_000, Limits::default());
    let bomb = (0..2_000).map(|_| "0-").collect::<Vec<_>>().join(",");
    let bomb = format!("bytes={bomb}");
    let ranges =
        ["bytes=0-1,5-6", "bytes=0-9,0-9,0-9", &bomb, "lines=1-2", "bytes=9-1", "bytes=a-b"];
    for range in ranges.into_iter().chain(["bytes=-", "bytes=--1", "bytes=0x10-", "bytes", ""]) {
        let answer = rig.ask(Method::GET, &[(RANGE, range)]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 10_000), "{range}");
    }
    let twice = [(RANGE, "bytes=0-1"), (RANGE, "bytes=2-3")];
    assert_eq!(rig.ask(Method::GET, &twice).await.status, 200);
}

#[tokio::test]
async fn client_that_has_the_file_is_told_so() {
    let rig = Rig::new(10_000, Limits::default());
    let first = rig.ask(Method::GET, &[]).await;
    let tag = first.header(&ETAG).to_owned();
    let date = first.header(&LAST_MODIFIED).to_owned();
    let many = format!("\"other\", W/{tag}");
    let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
    for known in [tag.as_str(), "*", &many] {
        let answer = rig.ask(Method::GET, &[(IF_NONE_MATCH, known)]).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header(&ETAG), tag);
    }
    assert_eq!(rig.ask(Method::GET, &[(IF_MODIFIED_SINCE, &date)]).await.status, 304);
    assert_eq!(rig.ask(Method::HEAD, &[(IF_MODIFIED_SINCE, &date)]).await.status, 304);
    assert_eq!(rig.ask(Method::GET, &[(IF_MODIFIED_SINCE, long_ago)]).await.status, 200);
    assert_eq!(rig.ask(Method::GET, &[(IF_MODIFIED_SINCE, "yesterday")]).await.status, 200);
    // The tag decides where both are given.
    let both = [(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, date.as_str())];
    assert_eq!(rig.ask(Method::GET, &both).await.status, 200);
}

#[tokio::test]
async fn part_of_another_state_of_the_file_is_never_added_to_one() {
    let rig = Rig::new(10_000, Limits::default());
    let first = rig.ask(Method::GET, &[]).await;
    let tag = first.header(&ETAG).to_owned();
    let date = first.header(&LAST_MODIFIED).to_owned();
    let with = async |known: &str| {
        let headers = [(RANGE, "bytes=5-9"), (IF_RANGE, known)];
        rig.ask(Method::GET, &headers).await.status
    };
    assert_eq!(with(&tag).await, 206);
    assert_eq!(with(&format!("W/{tag}")).await, 200);
    assert_eq!(with(&date).await, 200, "a date is no strong validator");
    std::fs::write(rig.file().path, vec![1; 10_001]).unwrap();
    assert_eq!(with(&tag).await, 200);
}

#[tokio::test]
async fn growing_file_is_sent_up_to_the_size_it_had() {
    let rig = Rig::new(3_000_000, Limits::default());
    let file = File { is_growing: true, ..rig.file() };
    let response = rig
        .downloads
        .file(Arc::new(SystemDisk), &file, &Method::GET, &HeaderMap::new())
        .await
        .unwrap();
    let mut grown = rig.bytes.clone();
    grown.extend_from_slice(&[7; 1_000]);
    std::fs::write(&file.path, &grown).unwrap();
    let answer = Answer::of(response).await;
    assert_eq!(answer.header(&CONTENT_LENGTH), "3000000");
    assert!(answer.body == rig.bytes);
    assert!(answer.header(&ETAG).starts_with("W/\""));

    let part = rig.ask_for(&file, Method::GET, &[(RANGE, "bytes=3000000-")]).await;
    assert_eq!((part.status, part.body.len()), (206, 1_000));
    assert_eq!(part.header(&CONTENT_RANGE), "bytes 3000000-3000999/*");
    let tag = part.header(&ETAG).trim_start_matches("W/").to_owned();
    let headers = [(RANGE, "bytes=0-9"), (IF_RANGE, tag.as_str())];
    assert_eq!(rig.ask_for(&file, Method::GET, &headers).await.status, 200);
}

#[tokio::test]
async fn file_that_is_cut_off_while_it_is_sent_is_an_error_and_no_end() {
    let limits = Limits { ahead: 1, ..Limits::default() };
    let rig = Rig::new(4_000_000, limits);
    let file = rig.file();
    let disk = Arc::new(SystemDisk);
    let response = rig.downloads.file(disk, &file, &Method::GET, &HeaderMap::new()).await.unwrap();
    std::fs::write(&file.path, b"short").unwrap();
    let error = to_bytes(response.into_body(), usize::MAX).await.unwrap_err();
    assert!(error.to_string().contains("cut off"), "{error}");
}

#[tokio::test]
async fn what_is_no_file_is_missing() {
    let rig = Rig::new(1, Limits::default());
    for name in ["none.flv", "."] {
        let file = File { path: rig.dir.path().join(name), ..rig.file() };
        let disk = Arc::new(SystemDisk);
        let error = rig.downloads.file(disk, &file, &Method::GET, &HeaderMap::new()).await;
        assert_eq!(error.err(), Some(Refusal::Missing), "{name}");
    }
}

#[tokio::test]
async fn download_beyond_the_limit_is_refused_until_one_ends() {
    let rig = Rig::new(4_000_000, Limits { downloads: 2, ..Limits::default() });
    let get = async || {
        let (disk, file) = (Arc::new(SystemDisk), rig.file());
        rig.downloads.file(disk, &file, &Method::GET, &HeaderMap::new()).await
    };
    let first = get().await.unwrap();
    let second = get().await.unwrap();
    assert_eq!(get().await.err(), Some(Refusal::Busy { limit: 2 }));
    drop(first);
    // Its place is free when the task that read ahead for it is gone.
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    while rig.downloads.places.available_permits() == 0 {
        assert!(tokio::time::Instant::now() < until);
        tokio::task::yield_now().await;
    }
    get().await.unwrap();
    drop(second);
}

/// The real disk, but for what hangs while it is told to.
struct Hanging {
    opens: Arc<AtomicBool>,
    reads: Arc<AtomicBool>,
    /// Ends every hang when its other end is dropped.
    until: Arc<std::sync::Mutex<mpsc::Receiver<()>>>,
}

impl Hanging {
    fn new() -> (Self, mpsc::Sender<()>) {
        let (sender, receiver) = mpsc::channel();
        let until = Arc::new(std::sync::Mutex::new(receiver));
        let (opens, reads) = Default::default();
        (Self { opens, reads, until }, sender)
    }
}

fn hang(is_on: &AtomicBool, until: &std::sync::Mutex<mpsc::Receiver<()>>) {
    if is_on.load(Ordering::Relaxed) {
        let _ = until.lock().unwrap().recv();
    }
}

struct HangingFile {
    file: Box<dyn DiskFile>,
    reads: Arc<AtomicBool>,
    until: Arc<std::sync::Mutex<mpsc::Receiver<()>>>,
}

impl Disk for Hanging {
    fn entry(&self, path: &Path) -> io::Result<Entry> {
        SystemDisk.entry(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        hang(&self.opens, &self.until);
        let file = SystemDisk.open_read(path)?;
        let (reads, until) = (self.reads.clone(), self.until.clone());
        Ok(Box::new(HangingFile { file, reads, until }))
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        unreachable!()
    }

    fn create_new(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        unreachable!()
    }

    fn open(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        unreachable!()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn rename_new(&self, _: &Path, _: &Path) -> io::Result<()> {
        unreachable!()
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Entry>> {
        unreachable!()
    }

    fn read_head(&self, _: &Path, _: &mut [u8]) -> io::Result<usize> {
        unreachable!()
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        unreachable!()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        unreachable!()
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        unreachable!()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        unreachable!()
    }
}

impl DiskFile for HangingFile {
    fn size(&mut self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        hang(&self.reads, &self.until);
        self.file.read_at(offset, buffer)
    }

    fn append(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        unreachable!()
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        unreachable!()
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        unreachable!()
    }

    fn sync_data(&mut self) -> io::Result<()> {
        unreachable!()
    }

    fn check(&mut self) -> io::Result<()> {
        unreachable!()
    }

    fn is_at(&mut self, _: &Path) -> bool {
        unreachable!()
    }
}

#[tokio::test]
async fn disk_that_hangs_is_a_refusal_before_the_first_byte_and_keeps_its_place() {
    let time = Duration::from_millis(20);
    let rig = Rig::new(10_000, Limits { open_time: time, downloads: 1, ..Limits::default() });
    let (disk, release) = Hanging::new();
    disk.opens.store(true, Ordering::Relaxed);
    let file = rig.file();
    let hung = rig.downloads.file(Arc::new(disk), &file, &Method::GET, &HeaderMap::new()).await;
    assert_eq!(hung.err(), Some(Refusal::Timeout { waited: time }));
    let disk = Arc::new(SystemDisk);
    let next = rig.downloads.file(disk, &file, &Method::GET, &HeaderMap::new()).await;
    assert_eq!(next.err(), Some(Refusal::Busy { limit: 1 }), "its thread is still there");
    drop(release);
    let place = rig.downloads.places.acquire();
    drop(tokio::time::timeout(Duration::from_secs(60), place).await.unwrap().unwrap());
}

#[tokio::test]
async fn disk_that_hangs_later_ends_the_body_with_its_reason() {
    let time = Duration::from_millis(20);
    let rig = Rig::new(4_000_000, Limits { read_time: time, ahead: 1, ..Limits::default() });
    let (disk, release) = Hanging::new();
    let reads = disk.reads.clone();
    let file = rig.file();
    let response =
        rig.downloads.file(Arc::new(disk), &file, &Method::GET, &HeaderMap::new()).await.unwrap();
    reads.store(true, Ordering::Relaxed);
    let error = to_bytes(response.into_body(), usize::MAX).await.unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
    drop(release);
}

#[tokio::test]
async fn client_that_takes_nothing_holds_no_thread_and_loses_its_place() {
    let time = Duration::from_millis(20);
    let limits = Limits { stall_time: time, ahead: 2, downloads: 1, ..Limits::default() };
    let rig = Rig::new(4_000_000, limits);
    let file = rig.file();
    let disk = Arc::new(SystemDisk);
    let response = rig.downloads.file(disk, &file, &Method::GET, &HeaderMap::new()).await.unwrap();
    // Nothing is taken out of the body, which is still held.
    let place = rig.downloads.places.clone().acquire_owned();
    let place = tokio::time::timeout(Duration::from_secs(60), place).await.unwrap();
    drop(place);
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(body.len(), 2 * (256 << 10), "what was read ahead");
}

async fn served(State(rig): State<Arc<Rig>>, method: Method, headers: HeaderMap) -> Response {
    let disk = Arc::new(SystemDisk);
    match rig.downloads.file(disk, &rig.file(), &method, &headers).await {
        Ok(response) => response,
        Err(refusal) => (StatusCode::SERVICE_UNAVAILABLE, refusal.to_string()).into_response(),
    }
}

/// Sends a request to a server of one file and reads until that closes the connection.
async fn over_the_wire(rig: Rig, request: &str) -> String {
    let router = Router::new().route("/file", get(served)).with_state(Arc::new(rig));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut client = TcpStream::connect(addr).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    server.abort();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn router_sends_the_length_that_was_told_and_no_chunks() {
    let rig = Rig::new(0, Limits::default());
    std::fs::write(rig.file().path, b"0123456789").unwrap();
    let request = "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\nConnection: close\r\n\r\n";
    let answer = over_the_wire(rig, request).await;
    assert!(answer.starts_with("HTTP/1.1 206 "), "{answer}");
    assert!(answer.contains("\r\ncontent-length: 3\r\n"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n234"), "{answer}");

    let rig = Rig::new(5_000, Limits::default());
    let request = "HEAD /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = over_the_wire(rig, request).await;
    assert!(answer.contains("\r\ncontent-length: 5000\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn range_of_time_that_cannot_be_made_is_refused_with_its_reason() {
    let downloads = Downloads::new(Limits::default());
    let nothing = || Err(Refusal::Range(range::Error::Nothing));
    let error = downloads.range(nothing, &Method::GET).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing was recorded in that time");

    let time = Duration::from_millis(20);
    let downloads = Downloads::new(Limits { plan_time: time, ..Limits::default() });
    let (release, until) = mpsc::channel::<()>();
    let hangs = move || {
        let _ = until.recv();
        Err(Refusal::Missing)
    };
    let error = downloads.range(hangs, &Method::GET).await.unwrap_err();
    assert_eq!(error, Refusal::Timeout { waited: time });
    drop(release);
}

/// A recorded file of four seconds.
fn recorded(dir: &Path) -> PathBuf {
    let packet = |i: i64| {
        let body =
            [if i % 10 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0].into_iter().chain([9; 9_000]);
        media::Packet::new(media::Kind::Video, i * 100, body.collect())
    };
    written(dir, (0..40).map(packet))
}

/// A recorded file of these packets.
fn written(dir: &Path, packets: impl Iterator<Item = media::Packet>) -> PathBuf {
    use media::flv::mux::{Muxer, Options};
    let about = archive::About {
        recording: "0123456789abcdef".parse().unwrap(),
        stream_key: "live/test".to_owned(),
        segment: 1,
        start_time: "2025-10-11T14:30:52.123+02:00".to_owned(),
        start_ms: 0,
        cut: archive::Cut::Start,
        gap_before: None,
        first_packet: 0,
        chain_before: None,
        server: "test".to_owned(),
        recorder: "all".to_owned(),
        name: None,
        request_key: None,
        is_clip: false,
        tracks: archive::Tracks::All,
        labels: archive::Labels::default(),
    };
    let mut muxer = Muxer::new(Options { identity: about.properties(), ..Options::default() });
    let mut out = media::Chunks::new();
    for packet in packets {
        muxer.push(&packet, packet.dts_ms.unsigned_abs(), &mut out).unwrap();
    }
    let mut bytes = out.to_vec();
    for patch in muxer.patches().into_iter().chain([muxer.complete_patch()]) {
        let at = usize::try_from(patch.offset).unwrap();
        bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    let path = dir.join("recorded.flv");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn range_of_time_is_sent_with_its_length_and_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let downloads = Downloads::new(Limits::default());
    for method in [Method::GET, Method::HEAD] {
        let path = path.clone();
        let make = move || {
            let (source, _) = range::Source::of_files(Arc::new(SystemDisk), [path]);
            Ok(source.flv(range::Range::ALL)?)
        };
        let response = downloads.range(make, &method).await.unwrap();
        let answer = Answer::of(response).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header(&CONTENT_TYPE), FLV);
        assert_eq!(answer.header(&ACCEPT_RANGES), "none");
        let name = "attachment; filename=\"live_test_20251011_143052_4.000s.flv\"";
        assert_eq!(answer.header(&CONTENT_DISPOSITION), name);
        assert_eq!(answer.header(&START_TIME), "2025-10-11T14:30:52.123+02:00");
        let length: usize = answer.header(&CONTENT_LENGTH).parse().unwrap();
        assert!(length > 40 * 9_000);
        let sent = if method == Method::GET { length } else { 0 };
        assert_eq!(answer.body.len(), sent);
    }
}

#[tokio::test]
async fn segment_that_vanishes_under_a_range_ends_the_body_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let limits = Limits { ahead: 1, ..Limits::default() };
    let gone = path.clone();
    let make = move || {
        let (source, _) = range::Source::of_files(Arc::new(SystemDisk), [path.clone()]);
        let flv = source.flv(range::Range::ALL)?;
        std::fs::remove_file(path).map_err(|error| Refusal::Disk(error.to_string()))?;
        Ok(flv)
    };
    let response = Downloads::new(limits).range(make, &Method::GET).await.unwrap();
    let error = to_bytes(response.into_body(), usize::MAX).await.unwrap_err();
    assert!(error.to_string().contains(gone.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn plans_of_files_that_are_being_sent_are_bounded_together() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.flv");
    let path = written(dir.path(), testkit::flv::clip(&demo).into_iter());
    let (source, unread) = range::Source::of_files(Arc::new(SystemDisk), [path]);
    assert!(unread.is_empty(), "{unread:?}");
    let segments: Vec<_> = source.segments().cloned().collect();
    let start = source.start_unix_ms().unwrap();
    // Each cut is another file, and has a plan of its own.
    let made = |ms| {
        let range =
            range::Range { from_unix_ms: start, to_unix_ms: start + ms, ..range::Range::ALL };
        Made { segments: segments.clone(), range }
    };
    let samples = source.mp4(made(6_000).range).unwrap().samples();
    assert!(samples > 300, "{samples}");
    let headers = HeaderMap::new();
    for limits in [
        Limits { samples: samples * 3 / 2, ahead: 1, ..Limits::default() },
        Limits { plans: 1, ahead: 1, ..Limits::default() },
    ] {
        let downloads = Downloads::new(limits);
        let first = downloads.mp4(made(6_000), &Method::GET, &headers).await.unwrap();
        let refused = downloads.mp4(made(6_001), &Method::GET, &headers).await.unwrap_err();
        assert_eq!(refused, Refusal::Memory);
        // The same file needs no other plan; one that nobody is sent makes room.
        let again = downloads.mp4(made(6_000), &Method::GET, &headers).await.unwrap();
        let bodies = [Answer::of(first).await.body, Answer::of(again).await.body];
        assert!(bodies[0] == bodies[1] && &bodies[0][4..8] == b"ftyp");
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while let Err(error) = downloads.mp4(made(6_001), &Method::GET, &headers).await {
            // Whoever sent it lets go of it a moment after its last byte.
            assert!(error == Refusal::Memory && std::time::Instant::now() < deadline, "{error}");
            tokio::task::yield_now().await;
        }
    }
}
