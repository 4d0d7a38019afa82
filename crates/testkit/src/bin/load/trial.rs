//! The runs: the server, then the plain loop, as often as asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::process::Usage;

use crate::Result;
use crate::bank::{Bank, Framing};
use crate::check;
use crate::frozen::Disk;
use crate::options::{Beside, FLAT_OUT_MAX, Options};
use crate::play::{self, Seats, Seen};
use crate::publish::{self, Plan, Publisher, micros};
use crate::report;
use crate::target::Target;

/// How long the players may take to join, and so much more for each.
const JOIN: Duration = Duration::from_secs(20);
const JOIN_EACH: Duration = Duration::from_millis(200);
/// How long a run goes on before its disk is frozen.
const BEFORE_FREEZE: Duration = Duration::from_secs(2);
/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What one run has shown.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// From the first byte of the window to the end of all work, in s.
    pub(crate) seconds: f64,
    /// Bytes that were published in that time, with their framing.
    pub(crate) bytes_in: u64,
    /// Bytes that players got in that time.
    pub(crate) bytes_out: u64,
    /// Processor time of the server in it, in s.
    pub(crate) cpu_seconds: f64,
    /// Length of the streams in it, all together, in minutes.
    pub(crate) stream_minutes: f64,
    /// How much more memory the server had with the streams than before them, for each.
    pub(crate) rss_per_stream: f64,
    /// The length of a group of pictures with its sound, in bytes.
    pub(crate) group_bytes: f64,
    /// The latest that a frame was put out after it was due, in ms.
    pub(crate) late_ms: f64,
    /// What the players have seen.
    pub(crate) seen: Seen,
    /// Recordings that were looked at.
    pub(crate) recordings: usize,
    /// Everything that is wrong.
    pub(crate) errors: Vec<String>,
}

/// All runs of a command.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Of the server.
    pub(crate) servers: Vec<Outcome>,
    /// Of the server beside it.
    pub(crate) besides: Vec<Outcome>,
    /// Of the plain loop.
    pub(crate) plains: Vec<Outcome>,
}

/// Runs everything and prints the report; whether nothing was wrong.
pub(crate) fn run(options: &Options) -> Result<bool> {
    if options.flat_out && options.publishers > FLAT_OUT_MAX {
        return Err(format!("--flat-out takes at most {FLAT_OUT_MAX} publishers").into());
    }
    raise_file_limit();
    let disk = options.freeze.map(|_| Disk::new()).transpose()?;
    let dir = disk.as_ref().map(|disk| disk.path().to_owned()).or_else(|| options.dir.clone());
    let options = &Options { dir, ..options.clone() };
    let disk = disk.as_ref();
    let mut runs = Runs::default();
    for number in 1..=options.repeat {
        runs.servers.push(trial(options, Target::server(options)?, disk)?);
        report::progress(options, "server", number, runs.servers.last());
        if options.beside == Some(Beside::NginxRtmp) {
            runs.besides.push(trial(options, Target::nginx(options)?, disk)?);
            report::progress(options, "nginx-rtmp", number, runs.besides.last());
        }
        if options.plain {
            runs.plains.push(trial(options, Target::plain(options)?, disk)?);
            report::progress(options, "plain", number, runs.plains.last());
        }
    }
    report::print(options, &runs);
    // What another server does wrong is told, and is its own affair.
    Ok(runs.servers.iter().chain(&runs.plains).all(|outcome| outcome.errors.is_empty()))
}

/// Every connection takes a descriptor.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is not raised, many connections fail with a clear error.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// One run, to the end of what was started for it.
pub(crate) fn trial(options: &Options, mut target: Target, disk: Option<&Disk>) -> Result<Outcome> {
    match measure(options, &mut target, disk) {
        Ok(mut outcome) => {
            outcome.errors.extend(target.stop()?);
            Ok(outcome)
        }
        Err(error) => {
            target.abandon();
            Err(error)
        }
    }
}

fn measure(options: &Options, target: &mut Target, disk: Option<&Disk>) -> Result<Outcome> {
    let source = options.source();
    let framing = match target.is_plain() && options.players > 0 {
        true => Framing::Length,
        false => Framing::Rtmp { chunk_size: usize::try_from(options.chunk_size)? },
    };
    let plan = Arc::new(Plan {
        epoch: Instant::now(),
        bank: Bank::new(&source, framing),
        source,
        is_plain: target.is_plain(),
        chunk_size: options.chunk_size,
        publishers: options.publishers,
        rate: options.rate,
        bytes_max: options.megabytes * 1_000_000 / u64::from(options.publishers),
        stop: AtomicBool::new(false),
        sent: AtomicU64::new(0),
    });
    let idle = target.usage()?;
    let mut publishers = Vec::new();
    for stream in 0..options.publishers {
        publishers.push(Publisher::connect(target.addr(), stream, &plan)?);
    }
    let threads = match options.flat_out {
        true => None,
        false => Some(usize::try_from(options.publish_threads)?),
    };
    let mut window = Window::open(target, &plan, 0)?;
    let publishing = publish::start(publishers, threads);
    let seats = seats(options, target, &plan);
    let playing = play::start(seats.clone());
    if options.players > 0 {
        join(&seats)?;
        window = Window::open(target, &plan, seats.received.load(Ordering::Relaxed))?;
        seats.window_us.store(micros(plan.epoch.elapsed()), Ordering::Relaxed);
    }
    if let (Some(disk), Some(seconds)) = (disk, options.freeze) {
        thread::sleep(BEFORE_FREEZE);
        disk.freeze()?;
        thread::sleep(Duration::from_secs(seconds));
        disk.thaw()?;
    }
    let loaded = watch(options, target, || publishing.iter().all(|t| t.is_finished()))?;
    plan.stop.store(true, Ordering::Relaxed);
    let mut outcome = Outcome::default();
    let (mut sent, mut ended) = (BTreeMap::new(), Vec::new());
    for thread in publishing {
        let publishers = thread.join().map_err(|_| "a publisher's thread failed")??;
        let streamed = window.begun.elapsed().as_secs_f64() / 60.0;
        for mut publisher in publishers {
            publisher.finish()?;
            sent.insert(publisher.stream, publisher.frames);
            outcome.late_ms = outcome.late_ms.max(ms(publisher.late_us));
            outcome.stream_minutes += streamed;
            ended.push(publisher);
        }
    }
    ended.iter_mut().try_for_each(Publisher::wait_closed)?;
    outcome.seen = playing.join().map_err(|_| "the players' thread failed")??;
    target.settle(if options.record { sent.len() } else { 0 })?;
    window.close(target, &plan, &seats, &mut outcome)?;
    outcome.rss_per_stream = rss_per_stream(&idle, &loaded, options.publishers);
    outcome.group_bytes = group_bytes(options);
    outcome.errors = verify(options, target, &plan, &sent, &mut outcome)?;
    Ok(outcome)
}

fn seats(options: &Options, target: &Target, plan: &Plan) -> Arc<Seats> {
    Arc::new(Seats {
        addr: target.addr(),
        players: options.players,
        joining: options.joining,
        publishers: options.publishers,
        is_plain: target.is_plain(),
        epoch: plan.epoch,
        joined: AtomicUsize::new(0),
        window_us: AtomicU64::new(u64::MAX),
        received: AtomicU64::new(0),
    })
}

/// Waits until every player has got its first frame.
fn join(seats: &Seats) -> Result<()> {
    let deadline = Instant::now() + JOIN + JOIN_EACH * seats.players;
    let players = usize::try_from(seats.players)?;
    while seats.joined.load(Ordering::Relaxed) < players {
        if Instant::now() > deadline {
            let joined = seats.joined.load(Ordering::Relaxed);
            return Err(format!("only {joined} of {players} players have joined").into());
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Lets the run go on for its time, or until all publishers have ended; returns the last look at
/// the server while they were there.
fn watch(options: &Options, target: &Target, ended: impl Fn() -> bool) -> Result<Usage> {
    let end = Instant::now() + Duration::from_secs(options.seconds.into());
    let mut usage = target.usage()?;
    while Instant::now() < end && !ended() {
        usage = target.usage()?;
        thread::sleep(LOOK);
    }
    Ok(usage)
}

/// The part of a run that is measured.
struct Window {
    begun: Instant,
    cpu: Duration,
    sent: u64,
    received: u64,
}

impl Window {
    fn open(target: &Target, plan: &Plan, received: u64) -> Result<Self> {
        let cpu = target.usage()?.cpu;
        let sent = plan.sent.load(Ordering::Relaxed);
        Ok(Self { begun: Instant::now(), cpu, sent, received })
    }

    fn close(
        &self,
        target: &Target,
        plan: &Plan,
        seats: &Seats,
        outcome: &mut Outcome,
    ) -> Result<()> {
        outcome.seconds = self.begun.elapsed().as_secs_f64();
        outcome.cpu_seconds = target.usage()?.cpu.saturating_sub(self.cpu).as_secs_f64();
        outcome.bytes_in = plan.sent.load(Ordering::Relaxed) - self.sent;
        outcome.bytes_out = seats.received.load(Ordering::Relaxed) - self.received;
        Ok(())
    }
}

/// What is wrong with what players and recordings have.
fn verify(
    options: &Options,
    target: &Target,
    plan: &Plan,
    sent: &BTreeMap<u32, u64>,
    outcome: &mut Outcome,
) -> Result<Vec<String>> {
    let seen = &outcome.seen;
    let mut errors = seen.errors.clone();
    // Another server passes over what it has no key frame for; that is told as a figure.
    if target.is_ours() && seen.lost > 0 || seen.wrong > 0 {
        errors.push(format!("players lost {} frames, {} are wrong", seen.lost, seen.wrong));
    }
    let is_short = |(stream, last): &&(u32, u64)| sent.get(stream) != Some(&(last + 1));
    match seen.last.iter().filter(is_short).count() {
        0 => {}
        short => errors.push(format!("{short} players have not got the end of their stream")),
    }
    if options.record && target.has_recordings() {
        let files = target.recordings()?;
        outcome.recordings = files.len();
        errors.extend(check::recordings(&files, &plan.source, &plan.bank, sent, target.is_ours())?);
        check::delete(&files)?;
    }
    Ok(errors)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rss_per_stream(idle: &Usage, loaded: &Usage, streams: u32) -> f64 {
    loaded.rss_bytes.saturating_sub(idle.rss_bytes) as f64 / f64::from(streams)
}

fn group_bytes(options: &Options) -> f64 {
    let seconds = f64::from(options.key_interval) / f64::from(options.fps);
    f64::from(options.kbps + options.audio_kbps) * 125.0 * seconds
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}
