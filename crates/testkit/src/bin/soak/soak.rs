//! The soak itself: a round to warm up, the round that counts, and the look at what is left.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::process::descriptors;

use crate::Result;
use crate::audit::Audit;
use crate::books::Books;
use crate::crew::{Crew, Size};
use crate::options::Options;
use crate::plan::Troubles;
use crate::poke::Poke;
use crate::report::{Outcome, Rest, judge};
use crate::sample::Sample;
use crate::stage::Stage;

/// Between two samples.
const SAMPLE: Duration = Duration::from_secs(5);
/// Between two looks at new recordings.
const AUDIT: Duration = Duration::from_secs(4);
/// Between two uses of the API.
const POKE: Duration = Duration::from_millis(700);
/// Between two looks whether a time has come.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks whether the server is at rest.
const SETTLE: Duration = Duration::from_secs(1);
/// Longest that the server may take until nothing is left of those who came.
const LEAVE: Duration = Duration::from_secs(90);
/// A server at rest has had the same threads and descriptors for so long: threads that waited for
/// disks stay for 10 s.
const REST: Duration = Duration::from_secs(15);

/// What goes on beside those who publish and play.
#[derive(Debug)]
struct Scene<'a> {
    stage: &'a Stage,
    books: &'a Books,
    start: Instant,
    stop: AtomicBool,
    known: AtomicU64,
    is_troubled: AtomicBool,
    samples: Mutex<Vec<Sample>>,
    is_quiet: bool,
}

/// Runs all of it.
pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let seed = options.seed();
    let mut stage = Stage::start(options)?;
    if !options.json {
        println!("RTMP_SERVER_TEST_SEED={seed}");
        println!("the disk that fails: {}", stage.weak.kind());
    }
    stage.hush()?;
    let books = Arc::new(Books::default());
    let mut scene = Scene {
        stage: &stage,
        books: &books,
        start: Instant::now(),
        stop: AtomicBool::new(false),
        known: AtomicU64::new(0),
        is_troubled: AtomicBool::new(false),
        samples: Mutex::default(),
        is_quiet: options.json,
    };
    let size = Size {
        publishers: options.publishers,
        players: options.players,
        steady: options.steady,
        seed,
    };
    let mut audit = Audit::default();
    scene.round(&mut audit, &books, Size { seed: !seed, ..size }, options.warm_up())?;
    let before = scene.rest()?;
    scene.stop = AtomicBool::new(false);
    let begun = scene.start.elapsed();
    scene.round(&mut audit, &books, size, options.length())?;
    let left = scene.start.elapsed();
    let after = scene.rest()?;
    audit.turn(&stage, &books)?;
    let samples = scene.samples.into_inner().unwrap_or_else(PoisonError::into_inner);
    let marks = [(begun, "warmed up"), (left, "all leave")];
    judge(
        &mut stage,
        &mut audit,
        &books,
        Outcome::new(options, seed, samples, marks, before, after),
    )
}

impl Scene<'_> {
    /// Everybody comes, and leaves after so long.
    fn round(
        &self,
        audit: &mut Audit,
        books: &Arc<Books>,
        size: Size,
        length: Duration,
    ) -> Result<()> {
        let crew = Crew::start(self.stage.server.addr(), books.clone(), size);
        thread::scope(|scope| {
            let troubles = scope.spawn(|| self.troubles(size.seed));
            let mut poke = Poke::new(size.seed);
            let poking =
                scope.spawn(move || self.again(POKE, || poke.turn(self.stage, self.books)));
            let auditing = scope.spawn(|| {
                self.again(AUDIT, || {
                    audit.turn(self.stage, self.books)?;
                    self.known.store(audit.known, Ordering::Relaxed);
                    Ok(())
                })
            });
            let over = Instant::now() + length;
            let mut watched = Ok(());
            while Instant::now() < over && watched.is_ok() && !troubles.is_finished() {
                watched = self.sample();
                self.pause(SAMPLE.min(over.saturating_duration_since(Instant::now())));
            }
            self.stop.store(true, Ordering::Relaxed);
            let ended = [troubles.join(), poking.join(), auditing.join()];
            crew.leave()?;
            ended.into_iter().try_for_each(|ended| ended.map_err(|_| "a thread has failed")?)?;
            watched
        })
    }

    /// The disk gets into trouble again and again.
    fn troubles(&self, seed: u64) -> Result<()> {
        let mut troubles = Troubles::new(seed);
        loop {
            let (until_ms, trouble, lasts_ms) = troubles.next();
            if self.pause(Duration::from_millis(until_ms)) {
                return Ok(());
            }
            self.is_troubled.store(true, Ordering::Relaxed);
            let lasts = Duration::from_millis(lasts_ms);
            let name = self.stage.weak.suffer(trouble, || {
                self.pause(lasts);
            })?;
            self.is_troubled.store(false, Ordering::Relaxed);
            self.books.count(name);
        }
    }

    /// Does something again and again.
    fn again(&self, pause: Duration, mut work: impl FnMut() -> Result<()>) -> Result<()> {
        while !self.pause(pause) {
            work()?;
        }
        Ok(())
    }

    /// Waits, but not when the round is over; whether it is.
    fn pause(&self, time: Duration) -> bool {
        let over = Instant::now() + time;
        while !self.stop.load(Ordering::Relaxed) {
            let left = over.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(LOOK));
        }
        true
    }

    fn sample(&self) -> Result<()> {
        let (known, is_troubled) = (&self.known, &self.is_troubled);
        let (known, is_troubled) =
            (known.load(Ordering::Relaxed), is_troubled.load(Ordering::Relaxed));
        let sample = Sample::take(self.stage, self.start, known, is_troubled)?;
        if !self.is_quiet {
            println!("{}", sample.line());
        }
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        Ok(())
    }

    /// Waits until nothing is left of those who came, and nothing changes any more.
    fn rest(&self) -> Result<Rest> {
        let deadline = Instant::now() + LEAVE;
        let mut since: Option<(Instant, Sample)> = None;
        while Instant::now() < deadline {
            thread::sleep(SETTLE);
            let now =
                Sample::take(self.stage, self.start, self.known.load(Ordering::Relaxed), false)?;
            let same = |was: &Sample| {
                was.usage.threads == now.usage.threads
                    && was.usage.descriptors == now.usage.descriptors
            };
            match &since {
                Some((at, was)) if now.is_idle() && same(was) => {
                    if at.elapsed() >= REST {
                        self.sample()?;
                        let descriptors = descriptors(self.stage.server.pid())?;
                        return Ok(Rest { sample: now, descriptors });
                    }
                }
                _ => since = Some((Instant::now(), now)),
            }
        }
        let last = since.map(|(_, sample)| sample.line()).unwrap_or_default();
        Err(format!("not within {LEAVE:?} is the server at rest: {last}").into())
    }
}
