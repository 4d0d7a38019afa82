//! Recordings: where they are, what they are called, what is in them, when they end.

mod content;
mod ends;
mod growing;
mod logs;
mod names;
pub(crate) mod parts;
mod plain;
mod times;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::flv::probe::{IndexCheck, Probe, Report};
use media::{Kind, Packet, Role};
use testkit::server::{DEADLINE, LogLine};
use testkit::{Player, PlayerEvent, Publisher, Server, Source, SourceConfig, flv};

/// A stream of 400 kbit/s with a key frame each half second: small, and of many groups.
pub(crate) fn small() -> SourceConfig {
    let (video_kbps, audio_kbps) = (400, 64);
    SourceConfig { key_interval: 15, video_kbps, audio_kbps, ..SourceConfig::default() }
}

/// The first packets of a source.
pub(crate) fn packets(seed: u32, config: SourceConfig, count: usize) -> Vec<Packet> {
    Source::new(seed, config).take(count).collect()
}

/// Publishes all of a stream and unpublishes.
pub(crate) async fn publish(server: &Server, stream: &str, sent: &[Packet]) {
    let mut publisher = Publisher::connect(&server.url(stream)).await.unwrap();
    publisher.send_all(sent).await.unwrap();
    publisher.close().await.unwrap();
}

/// Records all of a stream with a server of its own, which has stopped when this returns.
pub(crate) fn record(sent: &[Packet]) -> (Server, PathBuf) {
    let mut server = crate::support::recording().start();
    testkit::block_on(publish(&server, "live/test", sent));
    closed(&server, "live/test");
    server.stop();
    let file = file_of(&server, "live/test");
    (server, file)
}

/// Waits for the end of a stream's first recording.
pub(crate) fn closed(server: &Server, stream: &str) -> LogLine {
    server.wait_for_log("recorder closed", &[("stream_key", stream)])
}

/// The file of a stream's first recording.
pub(crate) fn file_of(server: &Server, stream: &str) -> PathBuf {
    file_in(server, &server.wait_for_log("recorder initialized", &[("stream_key", stream)]))
}

/// The file that a log line names.
pub(crate) fn file_in(server: &Server, line: &LogLine) -> PathBuf {
    server.dir().join(line.field("file").expect("the line names a file"))
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Coded audio and video: kind, time on the wire, body.
pub(crate) fn frames(packets: &[Packet]) -> Vec<(Kind, u32, Bytes)> {
    let media = packets.iter().filter(|packet| packet.is_media());
    media.map(|packet| (packet.kind, packet.timestamp(), packet.body.clone())).collect()
}

/// Audio and video packets that are in a file, as far as it goes.
pub(crate) fn recorded(file: &Path) -> usize {
    flv::Flv::read(file).map_or(0, |flv| flv.media().len())
}

/// Everything below a directory but the server's own, as paths from it; links are not followed.
pub(crate) fn tree(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name() == ".rtmp-server" {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path.clone());
            }
            found.insert(path.strip_prefix(dir).unwrap_or(&path).to_owned());
        }
    }
    found
}

/// What a file is, from its bytes.
pub(crate) fn report(file: &Path) -> Report {
    let mut probe = Probe::new();
    flv::scan(file, |item| probe.push(&item)).unwrap();
    probe.finish()
}

/// A number that the file's `onMetaData` has.
pub(crate) fn metadata(report: &Report, name: &str) -> Option<f64> {
    let (_, value) = report.metadata.iter().find(|(known, _)| known == name)?;
    value.as_f64()
}

/// Checks that a file is whole, was finished in order and has everything that was sent.
pub(crate) fn assert_finished(file: &Path, sent: &[Packet]) {
    flv::assert_recorded(file, sent);
    let report = report(file);
    let name = file.display();
    assert_eq!(report.faults, [], "{name}");
    let bytes = std::fs::metadata(file).unwrap().len();
    assert_eq!(metadata(&report, "filesize"), Some(bytes as f64), "{name}");
    let duration = metadata(&report, "duration").expect("onMetaData has a duration");
    assert_eq!((duration * 1_000.0).round(), report.duration_ms as f64, "{name}");
    // Two key frames of one time are one place to seek to; sound alone has places of its own.
    let tags = flv::Flv::read(file).unwrap().tags;
    let keys = tags.iter().filter(|tag| tag.packet.role == Role::Key);
    let keys: BTreeSet<_> = keys.map(|tag| tag.header.timestamp_ms).collect();
    match report.index {
        IndexCheck::True { entries } if !keys.is_empty() => {
            assert_eq!(entries, keys.len(), "{name}");
        }
        IndexCheck::True { .. } => {}
        // FFmpeg warns of an index of one entry.
        IndexCheck::None => assert!(keys.len() < 2, "{name}"),
        IndexCheck::Wrong { .. } => panic!("{name}: {:?}", report.index),
    }
}

/// Sent at once at most, in bytes: what any queue of a test takes.
const STEP_BYTES: usize = 256 << 10;

/// A stream and one of its players, which must get every frame.
pub(crate) struct Live {
    pub(crate) publisher: Publisher,
    pub(crate) player: Player,
    /// Everything that was sent.
    pub(crate) sent: Vec<Packet>,
    got: Vec<Packet>,
    source: Source,
}

impl Live {
    /// The player waits before the publisher comes, so that nothing is too early for it.
    pub(crate) async fn start(url: &str, seed: u32, config: SourceConfig) -> Self {
        let player = Player::connect(url).await.unwrap();
        let publisher = Publisher::connect(url).await.unwrap();
        let source = Source::new(seed, config);
        Self { publisher, player, sent: Vec::new(), got: Vec::new(), source }
    }

    /// Sends some packets and waits until the player has them: a slow test loses nothing. At first
    /// only a few: a player begins with the newest group of pictures.
    pub(crate) async fn send(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            let most = if self.sent.is_empty() { 8 } else { 64 };
            let (mut step, mut bytes) = (Vec::new(), 0);
            while step.len() < left.min(most) && bytes < STEP_BYTES {
                step.extend(self.source.next());
                bytes += step.last().map_or(0, |packet: &Packet| packet.body.len());
            }
            left -= step.len();
            self.publisher.send_all(&step).await.unwrap();
            self.sent.extend(step);
            let sent = frames(&self.sent).len();
            let mut got = frames(&self.got).len();
            while got < sent {
                match self.player.next().await {
                    PlayerEvent::Packet(packet) => {
                        got += usize::from(packet.is_media());
                        self.got.push(packet);
                    }
                    PlayerEvent::Begin | PlayerEvent::Status { .. } => {}
                    over => panic!("{over:?} after {got} of {sent} frames"),
                }
            }
        }
    }

    /// Sends as many packets as make so many bytes, likewise.
    pub(crate) async fn send_bytes(&mut self, bytes: usize) {
        let size = |packets: &[Packet]| packets.iter().map(|p| p.body.len()).sum::<usize>();
        let mut sent = 0;
        while sent < bytes {
            let from = self.sent.len();
            self.send(8).await;
            sent += size(&self.sent[from..]);
        }
    }

    /// Unpublishes, and checks that the player has had every frame, bit for bit, and the end.
    /// Returns what was sent.
    pub(crate) async fn finish(mut self) -> Vec<Packet> {
        self.publisher.close().await.unwrap();
        self.got.extend(self.player.until_end().await);
        assert_played(&self.got, &self.sent);
        self.sent
    }

    /// Checks that the player has had every frame, bit for bit, so far.
    pub(crate) fn check(&self) {
        assert_played(&self.got, &self.sent);
    }
}

/// Checks that a player has had every frame that was sent, bit for bit, once, in order.
pub(crate) fn assert_played(got: &[Packet], sent: &[Packet]) {
    let (got, sent) = (frames(got), frames(sent));
    let differs = got.iter().zip(&sent).position(|(got, sent)| got != sent);
    assert_eq!(differs, None, "the first frame that differs");
    assert_eq!(got.len(), sent.len(), "frames");
}
