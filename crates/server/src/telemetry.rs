//! Every line that the server logs, one function a message. What a peer can cause again and again is limited in
//! rate and counted.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use live::{Key, Lost, Stats};
use media::codec::{AudioInfo, VideoInfo};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::config::{Ffmpeg, LogFormat, LogLevel, Problem};
use crate::pictures::Program;
use crate::rtmp::Rates;
use crate::sessions::Codecs;

/// Lines that wait for a reader of the log that does not read; beyond it lines are lost, never a stream. Their places
/// are there from the beginning, of 32 bytes each.
const LINES: usize = 10_000;

/// Writes what is left of the log when it is dropped, waiting a second at most.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct Logging(#[expect(dead_code, reason = "held for its drop")] WorkerGuard);

/// Starts logging to standard error: for people on a terminal, plain or as JSON elsewhere. To be called once.
///
/// A thread of its own writes, so that a terminal or a pipe that nobody reads stops no stream; a log that cannot be
/// written is lost without a word, since there is nobody left to tell.
pub fn init(level: LogLevel, format: LogFormat) -> Logging {
    let (level_filter, handle) = reload::Layer::new(filter(level));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    // There is one log, as there is one standard error.
    let _ = LOG.set(Log { level: Mutex::new(level), handle, lost });
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(writer);
    let log = tracing_subscriber::registry().with(level_filter);
    match format {
        LogFormat::Text => log.with(lines).init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).init(),
    }
    Logging(guard)
}

/// What can be asked and changed of the log while it runs.
struct Log {
    level: Mutex<LogLevel>,
    handle: reload::Handle<LevelFilter, Registry>,
    lost: ErrorCounter,
}

/// Nothing where a program that embeds the server has a log of its own.
static LOG: OnceLock<Log> = OnceLock::new();

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}

/// The level that is logged now, if this log is the program's.
pub(crate) fn level() -> Option<LogLevel> {
    LOG.get().map(|log| *log.level.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Logs from another level on. Returns whether this log is the program's.
pub(crate) fn set_level(level: LogLevel) -> bool {
    let Some(log) = LOG.get() else { return false };
    let mut now = log.level.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::mem::replace(&mut *now, level);
    let tell = || info!(from = before.name(), to = level.name(), "log level changed");
    // While it is heard: before or after.
    let is_heard = matches!(before, LogLevel::Debug | LogLevel::Info);
    if is_heard && before != level {
        tell();
    }
    let changed = log.handle.reload(filter(level)).is_ok();
    if !is_heard && before != level {
        tell();
    }
    changed
}

/// Lines that nobody read in time, and that are lost.
pub(crate) fn lines_lost() -> u64 {
    LOG.get().map_or(0, |log| log.lost.dropped_lines() as u64)
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

pub(crate) fn http_listening(addr: SocketAddr) {
    info!(%addr, "http listening");
}

/// The default port of HTTP was taken.
pub(crate) fn http_moved(wanted: u16, addr: SocketAddr) {
    info!(wanted, %addr, "the default port of HTTP is taken; using the next free one");
}

pub(crate) fn http_refused(peer: SocketAddr, limit: usize) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(%peer, limit, suppressed, "HTTP connection refused: too many");
    }
}

pub(crate) fn http_failed(peer: SocketAddr, error: &dyn Display, age: Duration) {
    debug!(%peer, %error, seconds = age.as_secs(), "HTTP connection lost");
}

pub(crate) fn http_panicked(path: &str) {
    error!(path, "request ended by a fault of the server");
}

/// What a person who just started the server wants to know next.
pub(crate) fn ready(addr: SocketAddr, record_all: bool, recorders: usize, record_dir: &str) {
    let local = addr.ip().is_unspecified() || addr.ip().is_loopback();
    let host = if local { format!("localhost:{}", addr.port()) } else { addr.to_string() };
    if record_all {
        info!(%record_dir, "recording every stream");
    } else if recorders > 0 {
        info!(%record_dir, recorders, "recording what recorders of the configuration say");
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

/// Through the API.
pub(crate) fn publisher_kicked(key: &Key, peer: SocketAddr) {
    info!(stream_key = %key, %peer, "publisher kicked");
}

/// Through the API.
pub(crate) fn player_kicked(key: &Key, peer: SocketAddr) {
    info!(stream_key = %key, %peer, "player kicked");
}

/// What pictures are made with, and what was asked for.
pub(crate) fn pictures(program: &Program, asked: &Ffmpeg) {
    match (program.path(), asked) {
        (Some(path), _) => info!(ffmpeg = %path.display(), "pictures are made with FFmpeg"),
        (None, Ffmpeg::Off) => info!("FFmpeg is switched off: pictures of H.264 alone"),
        (None, _) => info!("no FFmpeg found: pictures of H.264 alone"),
    }
}

pub(crate) fn picture_failed(of: &dyn Display, error: &str) {
    static LIMIT: Limit = Limit::new();
    if let Some(suppressed) = LIMIT.pass() {
        warn!(%of, error, suppressed, "picture not made");
    }
}

/// Through the API; E-RTMP v2 "Reconnect Request".
pub(crate) fn asked_to_reconnect(key: &Key, peer: SocketAddr) {
    info!(stream_key = %key, %peer, "client asked to reconnect");
}

/// Through the API.
pub(crate) fn drain_started(asked: usize) {
    info!(asked, "draining: nothing new begins");
}

/// Through the API.
pub(crate) fn drain_ended() {
    info!("draining taken back");
}

pub(crate) fn play_started(key: &Key, peer: SocketAddr, client: &str) {
    info!(stream_key = %key, %peer, client, "play started");
}

/// A stream is made into segments, for the first of those who asked.
pub(crate) fn segments_begin(key: &Key) {
    info!(stream_key = %key, "making segments");
}

/// A track of it is in no segment.
pub(crate) fn track_left_out(key: &Key, left: &media::hls::LeftOut) {
    info!(stream_key = %key, track = %left.track, reason = left.reason, "track left out of segments");
}

/// Nobody asks for its segments any more.
pub(crate) fn segments_end(key: &Key, parts: u64) {
    info!(stream_key = %key, parts, "no more segments");
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

pub(crate) fn stream_codecs(key: &Key, codecs: &Codecs) {
    let (video, audio) = codecs.first();
    let tracks = codecs.are_several().then(|| codecs.to_string());
    let video = video.map_or_else(|| "none".to_owned(), describe_video);
    let audio = audio.map_or_else(|| "none".to_owned(), describe_audio);
    info!(stream_key = %key, video, audio, tracks, "stream codecs");
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

pub(crate) fn configuration_loaded(file: &Path, recorders: usize) {
    let file = archive::path::display(file);
    info!(%file, recorders, "configuration loaded");
}

pub(crate) fn configuration_reloaded(file: &Path, recorders: usize, cause: &str) {
    let file = archive::path::display(file);
    info!(%file, recorders, cause, "configuration reloaded");
}

/// A line for each problem.
pub(crate) fn configuration_refused(problems: &[Problem], cause: &str) {
    for problem in problems {
        error!(
            problem = problem.to_string(),
            cause, "configuration not reloaded: nothing has changed"
        );
    }
}

pub(crate) fn needs_restart(settings: &[&str]) {
    if !settings.is_empty() {
        warn!(settings = settings.join(" "), "changed settings need a restart");
    }
}

pub(crate) fn configuration_not_watched(file: &Path, error: &dyn Display) {
    let file = archive::path::display(file);
    warn!(%file, %error, "changes of the configuration file are not seen; send SIGHUP");
}
