//! Every line that the server logs, one function a message. What a peer can cause again and again is limited in
//! rate and counted.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use live::{Key, Lost, Stats};
use media::codec::{AudioInfo, VideoInfo};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

use crate::config::{LogFormat, LogLevel};
use crate::rtmp::Rates;

/// Lines that wait for a reader of the log that does not read; beyond it lines are lost, never a stream.
const LINES: usize = 20_000;

/// Writes what is left of the log when it is dropped, waiting a second at most.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct Logging(#[expect(dead_code, reason = "held for its drop")] WorkerGuard);

/// Starts logging to standard error: for people on a terminal, plain or as JSON elsewhere. To be called once.
///
/// A thread of its own writes, so that a terminal or a pipe that nobody reads stops no stream; a log that cannot be
/// written is lost without a word, since there is nobody left to tell.
pub fn init(level: LogLevel, format: LogFormat) -> Logging {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(writer);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Logging(guard)
}

/// At most one line in this time for each kind of line that a peer can cause.
const QUIET: Duration = Duration::from_secs(10);

/// Lets one line through in [`QUIET`] and counts those it held back.
struct Limit(Mutex<(Option<Instant>, u64)>);

impl Limit {
    const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// `Some(n)` when a line may be written; `n` were held back since the last one.
    fn pass(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, suppressed) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < QUIET) {
            *suppressed += 1;
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(suppressed))
    }
}

pub(crate) fn listening(addr: SocketAddr) {
    info!(%addr, "listening");
}

/// What a person who just started the server wants to know next.
pub(crate) fn ready(addr: SocketAddr, record_all: bool, record_dir: &str) {
    let local = addr.ip().is_unspecified() || addr.ip().is_loopback();
    let host = if local { format!("localhost:{}", addr.port()) } else { addr.to_string() };
    if record_all {
        info!(%record_dir, "recording every stream");
    } else {
        info!("recording nothing; start with -record-all true to record every stream");
    }
    info!("publish to rtmp://{host}/live/test (OBS: server rtmp://{host}/live, key test)");
    info!("play with ffplay rtmp://{host}/live/test");
}

pub(crate) fn file_limit(limit: Option<u64>, wanted: u64) {
    if let Some(limit) = limit.filter(|limit| *limit < wanted) {
        warn!(
            limit,
            wanted, "few open files allowed; raise the limit (ulimit -n) for many connections"
        );
    }
}

pub(crate) fn stopping(signal: &str) {
    info!(signal, "stopping; a second signal exits at once");
}

pub(crate) fn stopped() {
    info!("stopped");
}

pub(crate) fn stop_unfinished(connections: usize, recordings: &[String]) {
    error!(connections, recordings = ?recordings, "stopped before everything was finished");
}

pub(crate) fn connection_panicked(error: &dyn Display) {
    error!(%error, "connection ended by a fault of the server");
}

pub(crate) fn accept_failed(error: &std::io::Error) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(%error, suppressed, "cannot accept connections; trying again");
    }
}

pub(crate) fn connection_refused(peer: SocketAddr, reason: &str) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(%peer, reason, suppressed, "connection refused");
    }
}

/// Something on the port that is no RTMP client: told once in a while, at a level that nobody is woken by.
pub(crate) fn not_rtmp(peer: SocketAddr, error: &dyn Display) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        info!(%peer, %error, suppressed, "not an RTMP client");
    }
}

pub(crate) fn timed_out(peer: SocketAddr, error: &dyn Display) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        info!(%peer, %error, suppressed, "connection closed: timed out");
    }
}

pub(crate) fn protocol_error(peer: SocketAddr, error: &dyn Display) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(%peer, %error, suppressed, "connection closed: protocol error");
    }
}

pub(crate) fn connected(peer: SocketAddr, app: &str, client: &str) {
    debug!(%peer, app, client, "client connected");
}

pub(crate) fn disconnected(peer: SocketAddr, reason: &dyn Display) {
    debug!(%peer, reason = reason.to_string(), "client disconnected");
}

pub(crate) fn publish_started(key: &Key, peer: SocketAddr, client: &str) {
    info!(stream_key = %key, %peer, client, "publish started");
}

pub(crate) fn publish_refused(key: &dyn Display, peer: SocketAddr, reason: &dyn Display) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(stream_key = %key, %peer, reason = reason.to_string(), suppressed, "publish refused");
    }
}

pub(crate) fn publish_ended(key: &Key, peer: SocketAddr, reason: &dyn Display) {
    info!(stream_key = %key, %peer, reason = reason.to_string(), "publish ended");
}

pub(crate) fn play_started(key: &Key, peer: SocketAddr, client: &str) {
    info!(stream_key = %key, %peer, client, "play started");
}

pub(crate) fn play_refused(key: &dyn Display, peer: SocketAddr, reason: &dyn Display) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(stream_key = %key, %peer, reason = reason.to_string(), suppressed, "play refused");
    }
}

pub(crate) fn play_ended(key: &Key, peer: SocketAddr, lost: Lost, reason: &dyn Display) {
    info!(stream_key = %key, %peer, lost_packets = lost.packets, lost_bytes = lost.bytes, reason = reason.to_string(),
        "play ended");
}

pub(crate) fn player_lags(key: &Key, peer: SocketAddr, lost: Lost) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(stream_key = %key, %peer, lost_packets = lost.packets, lost_bytes = lost.bytes, suppressed,
            "player too slow; groups of pictures passed over");
    }
}

pub(crate) fn media_packet(kind: &str, csid: u32, msid: u32, timestamp: u32, length: usize) {
    debug!("type" = %kind, csid, msid, timestamp, length, "Media packet");
}

pub(crate) fn stream_codecs(key: &Key, video: Option<&VideoInfo>, audio: Option<&AudioInfo>) {
    let video = video.map_or_else(|| "none".to_owned(), describe_video);
    let audio = audio.map_or_else(|| "none".to_owned(), describe_audio);
    info!(stream_key = %key, video, audio, "stream codecs");
}

/// As in `H.264 High 4.0 1920x1080 avc1.640028`; what is not known is left out.
pub(crate) fn describe_video(info: &VideoInfo) -> String {
    let size = (info.width > 0).then(|| format!("{}x{}", info.width, info.height));
    let parts = [info.profile.clone(), info.level.clone(), size, info.codec_string.clone()];
    words(info.codec.name(), parts)
}

/// As in `AAC LC 48000 Hz 2 channels mp4a.40.2`; what is not known is left out.
pub(crate) fn describe_audio(info: &AudioInfo) -> String {
    let rate = (info.sample_rate_hz > 0).then(|| format!("{} Hz", info.sample_rate_hz));
    let channels = (info.channels > 0).then(|| format!("{} channels", info.channels));
    words(info.codec.name(), [info.profile.clone(), rate, channels, info.codec_string.clone()])
}

fn words(name: impl Display, parts: [Option<String>; 4]) -> String {
    parts.into_iter().flatten().fold(name.to_string(), |text, part| text + " " + &part)
}

pub(crate) fn stream_statistics(key: &Key, rates: &Rates, stats: &Stats) {
    info!(
        stream_key = %key,
        video_kbps = %tenth(rates.video_kbps),
        audio_kbps = %tenth(rates.audio_kbps),
        frame_rate = %tenth(rates.frame_rate),
        key_interval_ms = stats.key_interval_ms(),
        players = stats.players,
        "stream statistics"
    );
}

pub(crate) fn stream_summary(key: &Key, rates: &Rates, stats: &Stats) {
    info!(
        stream_key = %key,
        seconds = %tenth(rates.seconds),
        video_packets = stats.video.packets,
        video_bytes = stats.video.bytes,
        audio_packets = stats.audio.packets,
        audio_bytes = stats.audio.bytes,
        data_packets = stats.data.packets,
        key_frames = stats.key_frames,
        key_interval_ms = stats.key_interval_ms(),
        key_interval_max_ms = stats.key_interval_max_ms,
        frame_rate = %tenth(rates.frame_rate),
        players_peak = stats.players_peak,
        "stream summary"
    );
}

fn tenth(value: f64) -> impl Display {
    format!("{value:.1}")
}
