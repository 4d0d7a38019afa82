//! One recording: a thread that owns a cursor and writes what it reads.
//!
//! A batch is muxed and appended in one vectored write, at each key frame, at 256 KiB and at half of
//! the time that a killed process may cost. All waiting for a disk happens here; the cursor holds
//! what comes meanwhile, and tells what it could not hold. When a disk call fails, the file is ended
//! as well as the disk allows, the cursor is left alone, and the recording goes on in another file
//! when the disk works again.
//!
//! This file is the loop; [`file`] are its files, from their creation to their end, with what is
//! beside them in [`hold`]; [`orders`] is what others ask of it, [`report`] what it tells them.
//! Decisions and accounts are pure: [`tracks`] what is recorded of a stream, [`rotation`] when a
//! file ends, [`books`] what was received, written and dropped, [`trouble`] how long to wait. Who
//! starts, stops and joins these threads is `archive`; the bytes of a file are `segment`,
//! `media::flv::mux` and `media::mp4::mux`.
//!
//! Invariant: a packet that was read is in the file, held by `rotation`, in the `backlog`, or in the
//! books as dropped or as left out.

mod books;
mod file;
mod hold;
mod orders;
mod report;
mod rotation;
mod task;
mod tracks;
mod trouble;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Zoned;
use live::{Cursor, Lost, Read, Wait};
use media::mp4::Movie;
use media::time::{Placed, Rebase};
use media::{Header, Packet};

use crate::archive::Shared;
use crate::gate::Place;
use crate::segment::Segment;
use crate::{Counters, Cut, Format, GapReason, Hash, Plan, telemetry};
use books::Books;
use file::Back;
pub(crate) use file::rfc3339;
use hold::Hold;
pub(crate) use rotation::CUTS;
use rotation::{At, Needs, Rotation, Step, differs};
pub use task::State;
pub(crate) use task::Task;
use tracks::Filter;
use trouble::Backoff;

/// A batch is written when this much is there, at the latest.
const BATCH_BYTES: u64 = 256 << 10;
/// A batch is never waited for shorter than this.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// While it waits for a disk, a recorder looks so often at what it was asked.
const LOOK: Duration = Duration::from_millis(500);
/// A file goes on for so long after free space has run out, if no key frame comes.
const SPACE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a recorder waits for what is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// After the first failure of a disk; then twice as long each time.
    pub(crate) backoff_first: Duration,
    /// At most.
    pub(crate) backoff_most: Duration,
    /// Between looks at free space.
    pub(crate) space: Duration,
    /// Between looks at disks that do not answer.
    pub(crate) watch: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        let (backoff_first, backoff_most) = (second, Duration::from_secs(30));
        Self { backoff_first, backoff_most, space: second, watch: second }
    }
}

pub(crate) struct Recorder {
    shared: Arc<Shared>,
    task: Arc<Task>,
    /// What it is kept by now, and from the next file on, if that is another.
    plan: Arc<Plan>,
    next_plan: Option<Arc<Plan>>,
    /// When that was asked for, on the clock of the file.
    asked_ms: u64,
    cursor: Cursor,
    wait: Wait,
    batch: Vec<Packet>,
    /// Read, and to be taken before anything else: what an error has left.
    backlog: VecDeque<Packet>,
    /// When packets were read last.
    now: Instant,
    segment: Option<Segment>,
    /// The tracks of the newest MP4 file of this run.
    movie: Option<Box<Movie>>,
    rebase: Rebase,
    filter: Filter,
    /// What a decoder of the whole stream needs before the next packet, without what is held.
    header: Header,
    rotation: Rotation,
    books: Books,
    /// Why the next segment begins.
    cut: Cut,
    /// Packets are dropped up to the next place where a file may begin: since when, on the clock of
    /// the last file.
    skip: Option<u64>,
    /// Where there has to be free space.
    place: Place,
    shut_since: Option<Instant>,
    trouble: Option<GapReason>,
    backoff: Backoff,
    /// How long to wait before the next try.
    delay: Duration,
    /// A recording that began back in the run, while it catches up.
    back: Option<Back>,
    /// Whether the publisher came back and has not sent anything yet.
    returning: bool,
    /// Files that the disk did not let end.
    unfinished: Vec<PathBuf>,
    /// The last of them, while no other file has begun: less may be in it than was flushed.
    doubted: Option<PathBuf>,
    /// The file that holds the open one.
    hold: Hold,
    /// Whether the recording is as long as it is to be.
    is_complete: bool,
    /// Whether something was lost inside the open file, and the end of that is not told.
    is_lossy: bool,
    /// When the newest run ended.
    ended: Zoned,
    /// Over the segments so far.
    chain: Option<Hash>,
    /// The newest file that has something in it.
    last_file: Option<PathBuf>,
    /// The open segment: whether it is told of, its bytes on the disk, when it began, and when what
    /// is due.
    told: bool,
    flushed_bytes: u64,
    started: Zoned,
    created: Instant,
    refresh_at: Instant,
    sync_at: Instant,
}

/// Why there is no file, or none any more.
#[derive(Debug)]
enum Failure {
    Create(io::Error),
    Write(io::Error),
    /// There is too little free space.
    Space,
}

impl Recorder {
    /// On the heap: each move would stand on the stack of its thread, which keeps all that it ever had.
    pub(crate) fn new(shared: Arc<Shared>, task: Arc<Task>, cursor: Cursor) -> Box<Self> {
        let now = shared.clock.instant();
        let started = shared.clock.now();
        let plan = task.plan();
        let timeout = (plan.flush / 2).max(WAIT_MIN);
        let Timing { backoff_first, backoff_most, .. } = shared.timing;
        let (batch, backlog, segment, rebase, header, skip, shut_since) = Default::default();
        let (trouble, delay, returning, unfinished, doubted, chain) = Default::default();
        let (last_file, told, flushed_bytes, next_plan, asked_ms) = Default::default();
        let (hold, is_complete, is_lossy, back, movie) = Default::default();
        Box::new(Self {
            wait: Wait { bytes: BATCH_BYTES, timeout },
            rotation: Rotation::new(plan.rotation.clone(), timeout),
            filter: Filter::new(plan.tracks),
            books: Books::new(now),
            place: shared.gate.enter(&plan.dir),
            backoff: Backoff::new(backoff_first, backoff_most),
            cut: Cut::Start,
            shared,
            task,
            plan,
            next_plan,
            asked_ms,
            cursor,
            batch,
            backlog,
            now,
            segment,
            movie,
            rebase,
            header,
            skip,
            shut_since,
            trouble,
            delay,
            back,
            returning,
            unfinished,
            doubted,
            hold,
            is_complete,
            is_lossy,
            chain,
            last_file,
            told,
            flushed_bytes,
            ended: started.clone(),
            started,
            created: now,
            refresh_at: now,
            sync_at: now,
        })
    }

    /// Records until the publisher has left for good, or the recording is stopped.
    pub(crate) fn run(mut self: Box<Self>) {
        self.tell_started();
        if let Err(failure) = self.probe() {
            self.fail(&failure);
        }
        loop {
            self.record();
            if !self.rejoin() {
                break;
            }
        }
        let counters = self.task.meter.read();
        if counters.gaps > 1 {
            telemetry::gaps_ended(&self.task.key, &counters);
        }
        telemetry::recording_complete(&self.task, &self.books.complete(), self.summary());
        self.tell_completed();
    }

    /// Records one run of the publisher.
    fn record(&mut self) {
        // Whether nothing more will come, so that a disk in trouble is tried once more only.
        let mut last = false;
        loop {
            if self.trouble.is_some() && self.segment.is_none() {
                last = self.wait_for_disk();
            }
            match self.turn() {
                Ok(false) => {}
                Ok(true) => break,
                Err(failure) => {
                    self.fail(&failure);
                    if last {
                        self.give_up();
                        break;
                    }
                }
            }
        }
        self.finish_segment(None);
        if !self.unfinished.is_empty() {
            self.mend();
        }
        self.books.end_run(self.cursor.position());
        self.ended = self.shared.clock.now();
        self.publish();
        let (counters, file) = (self.task.meter.read(), self.task.progress().file);
        let (task, ledger) = (&self.task, self.books.complete());
        telemetry::recorder_closed(task, file.as_deref(), &counters, &ledger, self.summary());
    }

    /// Waits until the disk is to be tried again, or something was asked that may help. Returns
    /// whether nothing more will come.
    fn wait_for_disk(&self) -> bool {
        let until = Instant::now() + self.delay;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let last = self.cursor.wait_ended(left.min(LOOK));
            if last || left <= LOOK || self.task.has_orders() {
                return last;
            }
        }
    }

    /// Reads once and writes what was read. Returns whether the run is over.
    fn turn(&mut self) -> Result<bool, Failure> {
        self.look_around();
        self.heed_orders();
        while let Some(packet) = self.backlog.pop_front() {
            if let Err(failure) = self.take(&packet) {
                self.backlog.push_front(packet);
                return Err(failure);
            }
        }
        let mut batch = std::mem::take(&mut self.batch);
        let read = self.cursor.read_blocking(&mut batch, &self.wait);
        self.look_around();
        // What was asked before these packets came is done before they are taken.
        self.heed_orders();
        let is_ended = matches!(read, Read::Ended { .. });
        match read {
            Read::Packets => self.take_all(&mut batch)?,
            Read::Joined { header, lost, dts_ms } => {
                self.begin_back(dts_ms, lost);
                self.join(&header, lost)?;
            }
            Read::Idle => self.idle()?,
            Read::Ended { lost } => {
                let released = self.release();
                self.lose(lost);
                released?;
            }
        }
        self.batch = batch;
        self.back = self.back.filter(|_| !self.cursor.is_current());
        self.flush()?;
        self.refresh()?;
        self.sync()?;
        self.heed_space()?;
        Ok(is_ended || self.is_complete)
    }

    /// Reads the clocks and the gate, once a batch.
    fn look_around(&mut self) {
        self.now = self.shared.clock.instant();
        if self.rotation.has_marks() {
            self.rotation.look(&self.shared.clock.now(), self.rebase.newest_ms());
        }
        self.rotation.set_shut(!self.place.is_open());
    }

    fn take_all(&mut self, batch: &mut Vec<Packet>) -> Result<(), Failure> {
        self.books.newest = self.now;
        if std::mem::take(&mut self.returning) {
            telemetry::recording_rejoined(&self.task, self.books.missing_ms(self.now));
        }
        let mut packets = batch.drain(..);
        while let Some(packet) = packets.next() {
            if let Err(failure) = self.take(&packet) {
                self.backlog.push_back(packet);
                self.backlog.extend(packets);
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Takes the next packet of the stream. After an error it is still to be taken.
    fn take(&mut self, packet: &Packet) -> Result<(), Failure> {
        self.filter.see(packet);
        if self.is_complete {
            self.books.leave_out(packet);
            return Ok(());
        }
        if self.next_plan.is_some() {
            self.turn_over(packet)?;
        }
        if !self.filter.passes(packet) {
            self.header.push(packet);
            self.books.leave_out(packet);
            return Ok(());
        }
        let placed = self.rebase.place(packet);
        if placed.is_jump && self.segment.is_none() {
            self.books.jump();
        }
        if self.skips(packet, &placed) {
            return Ok(());
        }
        if self.is_long_enough(packet, &placed) {
            return self.end_at_length(packet, &placed);
        }
        let at = At {
            placed,
            size_bytes: self.segment.as_ref().map_or(0, Segment::position),
            empty: self.segment.is_none() || self.books.is_empty(),
            now: self.now,
            header: &self.header,
            is_full: self.segment.as_ref().is_some_and(Segment::is_full),
            needs: needs(&self.plan, self.segment.as_ref(), self.movie.as_deref()),
        };
        match self.rotation.see(packet, &at) {
            Step::Write => {}
            Step::Hold => return Ok(()),
            Step::Cut(cut) => {
                self.flush()?;
                let end_ms = self.rotation.first_ms(&placed);
                self.end_segment(cut, end_ms);
            }
        }
        self.put(packet, placed)
    }

    /// Writes what is held and `packet`; into a new file, if there is none.
    fn put(&mut self, packet: &Packet, placed: Placed) -> Result<(), Failure> {
        let is_fresh = self.segment.is_none();
        if is_fresh {
            let first_ms = self.rotation.first_ms(&placed);
            self.begin_segment(packet, first_ms)?;
        }
        for (held, placed) in self.rotation.take_held() {
            let placed = if is_fresh { self.rebase.place(&held) } else { placed };
            self.write(&held, &placed);
        }
        let placed = if is_fresh { self.rebase.place(packet) } else { placed };
        self.write(packet, &placed);
        Ok(())
    }

    /// Nothing came for a while: holds nothing back any longer, unless a file could not begin with
    /// it.
    fn idle(&mut self) -> Result<(), Failure> {
        let needs = needs(&self.plan, self.segment.as_ref(), self.movie.as_deref());
        let waits = matches!(needs, Needs::Tracks) && !self.rotation.holds_media();
        if waits { Ok(()) } else { self.release() }
    }

    /// Holds nothing back any longer.
    fn release(&mut self) -> Result<(), Failure> {
        let Some((packet, placed)) = self.rotation.pop_held() else { return Ok(()) };
        self.put(&packet, placed).inspect_err(|_| self.backlog.push_front(packet))
    }

    /// Whether a packet is dropped because no file can begin with it.
    fn skips(&mut self, packet: &Packet, placed: &Placed) -> bool {
        let Some(since_ms) = self.skip else { return false };
        let waited_ms = placed.time_ms.saturating_sub(since_ms);
        let is_place = self.rotation.is_place(packet);
        if is_place || packet.is_media() && waited_ms >= Rotation::CAP_MS {
            self.skip = None;
            return false;
        }
        self.header.push(packet);
        self.books.drop_packet(packet, self.rebase.newest_ms());
        true
    }

    /// Begins in mid-run, or goes on after a gap: in the same file, with what changed in the gap.
    fn join(&mut self, header: &Header, lost: Lost) -> Result<(), Failure> {
        let released = self.release();
        self.lose(lost);
        if self.segment.is_none() {
            self.header = header.clone();
            return released;
        }
        for packet in header.packets() {
            if !self.filter.passes(packet) {
                self.header.push(packet);
                continue;
            }
            if differs(&self.header, packet) {
                self.rotation.want(Cut::Configuration, self.rebase.newest_ms());
            }
            if self.header.push(packet) {
                self.repeat(packet);
            }
        }
        Ok(())
    }

    /// Counts what the window could not hold, and says so the first time.
    fn lose(&mut self, lost: Lost) {
        if lost == Lost::default() {
            return;
        }
        if self.task.meter.read().gaps == 0 && self.trouble.is_none() {
            telemetry::gap_began(&self.task.key, lost.packets, lost.bytes);
        }
        if self.trouble.is_none() {
            self.is_lossy = true;
            self.tell_trouble("the disk is slower than the stream".to_owned());
        }
        let is_open = self.segment.is_some();
        self.books.lose(lost, self.rebase.newest_ms(), is_open);
        self.count();
    }

    /// Ends the file when free space has run out and no place to end it comes.
    fn heed_space(&mut self) -> Result<(), Failure> {
        if self.place.is_open() || self.segment.is_none() {
            self.shut_since = None;
            return Ok(());
        }
        let since = *self.shut_since.get_or_insert(self.now);
        if self.now.saturating_duration_since(since) < SPACE_PATIENCE {
            return Ok(());
        }
        self.release()?;
        self.flush()?;
        self.finish_segment(None);
        Err(Failure::Space)
    }

    /// There is no file, for a reason that is told once: what to do until there is one again.
    fn fail(&mut self, failure: &Failure) {
        let now = self.shared.clock.instant();
        self.report(failure);
        let (cut, reason) = match failure {
            Failure::Create(_) | Failure::Write(_) => (Cut::Disk, GapReason::Disk),
            Failure::Space => (Cut::Space, GapReason::Space),
        };
        self.cut = cut;
        for (packet, _) in self.rotation.take_held().into_iter().rev() {
            self.backlog.push_front(packet);
        }
        match self.segment.take() {
            Some(segment) => {
                let kept = self.abandon(segment);
                self.books.fail(kept, reason, now);
                // What comes next needs what was lost.
                self.skip = Some(self.rebase.newest_ms());
            }
            None => self.books.wait(reason, now),
        }
        self.delay = match failure {
            Failure::Create(_) | Failure::Write(_) => self.backoff.fail(now),
            Failure::Space => self.shared.timing.space,
        };
        self.cursor.pause();
        self.show_trouble();
        self.publish();
    }

    /// Tells of trouble, once.
    fn report(&mut self, failure: &Failure) {
        let key = &self.task.key;
        match (failure, self.trouble) {
            (Failure::Space, None) => {
                telemetry::recording_paused(key, self.place.dir());
                self.tell_trouble("not enough free space".to_owned());
                self.trouble = Some(GapReason::Space);
            }
            (Failure::Space, _) | (_, Some(GapReason::Disk)) => return,
            (Failure::Create(error), _) => {
                let error = crate::words(error);
                telemetry::create_failed(key, &error);
                self.tell_trouble(error);
                self.trouble = Some(GapReason::Disk);
            }
            (Failure::Write(error), _) => {
                let file = self.segment.as_ref().map(Segment::path);
                let error = crate::words(error);
                telemetry::write_failed(key, &error, file);
                self.tell_trouble(error);
                self.trouble = Some(GapReason::Disk);
            }
        }
        let errors = u64::from(self.trouble == Some(GapReason::Disk));
        self.add(&Counters { errors, ..Counters::default() });
    }

    /// Drops all that is left of a run that no file was to be had for.
    fn give_up(&mut self) {
        for packet in std::mem::take(&mut self.backlog) {
            self.drop_unwritten(&packet);
        }
        let mut batch = Vec::new();
        let wait = Wait { bytes: 0, timeout: Duration::ZERO };
        loop {
            match self.cursor.read_blocking(&mut batch, &wait) {
                Read::Packets => {
                    self.books.newest = self.now;
                    batch.drain(..).for_each(|packet| self.drop_unwritten(&packet));
                }
                Read::Joined { lost, .. } => self.lose(lost),
                Read::Idle => {}
                Read::Ended { lost } => return self.lose(lost),
            }
        }
    }

    /// A packet came that no file was to be had for.
    fn drop_unwritten(&mut self, packet: &Packet) {
        self.filter.see(packet);
        if self.filter.passes(packet) && !self.is_complete {
            self.rebase.place(packet);
            self.books.drop_packet(packet, self.rebase.newest_ms());
        } else {
            self.books.leave_out(packet);
        }
    }

    /// Waits for the publisher's next run. Returns whether it came.
    fn rejoin(&mut self) -> bool {
        self.task.set_state(State::Away);
        let Some(cursor) = self.task.next_run() else { return false };
        self.cursor = cursor;
        self.show_trouble();
        self.books.away();
        self.rotation.begin_run();
        self.filter.begin_run();
        (self.header, self.rebase, self.skip, self.back) = Default::default();
        self.movie = None;
        self.cut = Cut::Rejoin;
        self.returning = true;
        true
    }
}

/// What a file has to know of the stream before the next packet.
fn needs<'a>(plan: &Plan, open: Option<&Segment>, movie: Option<&'a Movie>) -> Needs<'a> {
    match (plan.format, open, movie) {
        (Format::Mp4, Some(_), Some(movie)) => Needs::Only(movie),
        (Format::Mp4, None, None) => Needs::Tracks,
        _ => Needs::Nothing,
    }
}

#[cfg(test)]
mod tests;
