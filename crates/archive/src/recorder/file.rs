//! The files of a recording, one after another: all disk calls of a recorder are here.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Zoned};
use live::Lost;
use media::mp4::Movie;
use media::time::{Placed, Rebase};
use media::{Header, Packet};

use super::books::Kept;
use super::{Failure, Recorder, Shared, State};
use crate::disk::try_out;
use crate::events::{Event, Finished};
use crate::path::{Facts, Name};
use crate::recover::Mended;
use crate::segment::{End, Form, Left, NotCreated, Segment};
use crate::{About, Counters, Cut, Format, Gap, Notice, recover, telemetry, words};

/// How often the metadata of a growing file is brought up to date; the first time at once, so that
/// the file says what is in it from its first bytes on.
const REFRESH: Duration = Duration::from_secs(10);
/// How soon after the stream's header has changed.
const REFRESH_CHANGED: Duration = Duration::from_secs(1);
/// Most files that are remembered as unfinished; recovery finds the others at the next start.
const UNFINISHED_MAX: usize = 16;
/// A recording that seems to begin earlier than this has a jump of the stream's clock in what was
/// kept: that says nothing about when.
const BACK_MAX_MS: u64 = Rebase::GAP_MAX_MS.unsigned_abs();

/// What a recording catches up with that began back in the run: its files are of the time of what
/// is in them, not of the moment of their writing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back {
    /// How far back it began: no packet is older.
    kept_ms: u64,
    /// When.
    joined: Instant,
}

impl Recorder {
    /// Finds out now, and not at the first packet, whether files can be made.
    pub(super) fn probe(&self) -> Result<(), Failure> {
        let _call = self.task.calls.enter(self.shared.age());
        let disk = &*self.shared.disk;
        let dir = &self.plan.dir;
        let probe = format!(".{}.probe", self.task.id);
        let made = disk.create_dir_all(dir);
        made.and_then(|()| try_out(disk, dir, Path::new(""), &probe)).map_err(Failure::Create)
    }

    /// Begins a file with what is held and `packet`; `first_ms` is when the first of them that is
    /// coded would come in the file before.
    pub(super) fn begin_segment(&mut self, packet: &Packet, first_ms: u64) -> Result<(), Failure> {
        if self.has_next_for_these_tracks() {
            self.adopt();
        }
        if !self.place.is_open() {
            return Err(Failure::Space);
        }
        self.mend();
        let now = self.shared.clock.now();
        let start = self.start(&now, packet);
        let (start_ms, gap) = self.books.next_start(first_ms, self.rotation.first_at(self.now));
        let about = self.about(&start, start_ms, gap);
        let name = self.name(&about, &start, None);
        let opening = self.rotation.opening(&self.header, packet);
        let dir = &self.plan.dir;
        let call = self.task.calls.enter(self.shared.age());
        let header = self.filter.header(&opening);
        let form = self.form(&header, packet, &start);
        let disk = &*self.shared.disk;
        let created = Segment::create(disk, dir, &name, about, form.clone(), &header);
        drop(call);
        let segment = match created {
            Ok(segment) => segment,
            Err(NotCreated { error, left }) => {
                left.into_iter().for_each(|path| self.leave_unfinished(path));
                return Err(Failure::Create(error));
            }
        };
        // The disk may have forgotten one that had its name.
        self.unfinished.retain(|path| path != segment.path());
        self.keep_movie(form);
        // In trouble it is told when something is in it: until then it may vanish again.
        if self.trouble.is_none() {
            telemetry::recorder_initialized(&self.task.key, segment.path());
        }
        self.task.set_file(Some(segment.path().to_owned()));
        self.task.set_state(State::Recording);
        if let Some(parent) = segment.path().parent() {
            self.place = self.shared.gate.enter(parent);
        }
        self.books.open(start_ms, gap, segment.repeated_packets());
        self.doubted = None;
        self.rotation.begin(&now);
        self.rebase = Rebase::default();
        self.header = opening;
        (self.told, self.flushed_bytes) = (false, 0);
        (self.created, self.refresh_at) = (self.now, self.now);
        self.sync_at = self.now + self.plan.sync;
        self.started = start;
        self.asked_ms = 0;
        self.segment = Some(segment);
        self.heed_hold();
        Ok(())
    }

    /// What file begins with what is held and `packet`.
    fn form(&self, header: &Header, packet: &Packet, start: &Zoned) -> Form {
        if self.plan.format == Format::Flv {
            return Form::Flv;
        }
        let mut movie = Movie::of(header, self.rotation.telling(packet));
        if let Some(before) = &self.movie {
            movie = movie.going_on(before);
        }
        movie.set_start(u64::try_from(start.timestamp().as_millisecond()).ok());
        Form::Mp4(Box::new(movie))
    }

    /// Remembers the tracks of the file that has begun; tells of those that no player will find in
    /// it, once.
    fn keep_movie(&mut self, form: Form) {
        let Form::Mp4(movie) = form else { return };
        let known = self.movie.as_ref().map(|movie| movie.refused()).unwrap_or_default();
        for refused in movie.refused().iter().filter(|refused| !known.contains(refused)) {
            telemetry::track_hidden(&self.task.key, refused);
        }
        self.task.set_hidden(movie.refused().iter().map(ToString::to_string).collect());
        self.movie = Some(movie);
    }

    pub(super) fn write(&mut self, packet: &Packet, placed: &Placed) {
        let Some(segment) = &mut self.segment else { return };
        match segment.push(packet, placed.time_ms) {
            Ok(()) => {
                self.books.write(packet, placed);
                if self.header.push(packet) {
                    self.refresh_at = self.refresh_at.min(self.now + REFRESH_CHANGED);
                }
            }
            Err(error) => {
                if self.books.refuse(packet, placed.time_ms) {
                    telemetry::packet_refused(&self.task.key, &error);
                }
            }
        }
    }

    /// Writes a packet of the header that the file has not got, for the stream's own was lost.
    pub(super) fn repeat(&mut self, packet: &Packet) {
        let Some(segment) = &mut self.segment else { return };
        let before = segment.position();
        // One that is too long for a tag was refused when it came.
        if segment.push(packet, self.rebase.newest_ms()).is_ok() {
            self.books.repeat(segment.position() > before);
        }
    }

    /// Hands all that was written to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let begun = self.shared.clock.instant();
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let call = self.task.calls.enter(self.shared.age());
        segment.flush().map_err(Failure::Write)?;
        drop(call);
        let bytes = segment.position() - self.flushed_bytes;
        if bytes == 0 {
            return Ok(());
        }
        self.time(begun);
        let Some(segment) = &self.segment else { return Ok(()) };
        self.flushed_bytes += bytes;
        self.place.wrote(bytes);
        self.books.flush(segment.duration_ms());
        if !std::mem::replace(&mut self.told, true) {
            let (path, about) = (segment.path().to_owned(), segment.about().clone());
            self.last_file = Some(path.clone());
            self.shared.observer.tell(|| Notice::Opened {
                id: about.recording,
                key: self.task.key.clone(),
                segment: about.segment,
                file: path.clone(),
                cut: about.cut,
                gap: about.gap_before,
            });
            self.shared.events.send(Event::Opened { path, about });
        }
        if let Some(reason) = self.trouble.take() {
            let (file, gap) = (segment.path(), self.books.gap_before());
            telemetry::recorder_initialized(&self.task.key, file);
            telemetry::recording_resumed(&self.task.key, file, gap, reason);
            self.tell_resumed(gap);
            self.backoff.heal(self.now);
        }
        if std::mem::take(&mut self.is_lossy) {
            self.tell_resumed(self.books.newest_gap());
        }
        self.add(&Counters { bytes, ..Counters::default() });
        self.publish();
        Ok(())
    }

    /// A write that began at `begun` is over.
    fn time(&self, begun: Instant) {
        let took = self.shared.clock.instant().saturating_duration_since(begun);
        self.task.latency.add(took);
        self.shared.latency.add(took);
    }

    /// Brings the metadata up to date when it is time.
    pub(super) fn refresh(&mut self) -> Result<(), Failure> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        if self.now < self.refresh_at {
            return Ok(());
        }
        // A young file changes most: at one second, two, four, …
        let age = self.now.saturating_duration_since(self.created);
        self.refresh_at = self.now + age.clamp(REFRESH_CHANGED, REFRESH);
        let _call = self.task.calls.enter(self.shared.age());
        // Asked before it is found out whether it was deleted: what is elsewhere then was moved.
        let is_in_place = segment.is_in_place();
        segment.refresh(self.books.segment()).map_err(Failure::Write)?;
        if !is_in_place {
            // It has all that came; what comes goes to where recordings are to be.
            self.rotation.want(Cut::Disk, self.rebase.newest_ms());
        }
        Ok(())
    }

    /// Waits for the disk when it is time.
    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        let every = self.plan.sync;
        let Some(segment) = &mut self.segment else { return Ok(()) };
        if every.is_zero() || self.now < self.sync_at {
            return Ok(());
        }
        self.sync_at = self.now + every;
        let begun = self.shared.clock.instant();
        let call = self.task.calls.enter(self.shared.age());
        segment.sync().map_err(Failure::Write)?;
        drop(call);
        self.time(begun);
        Ok(())
    }

    /// Ends a file, all of it flushed, in favour of the next, whose first packet would have come at
    /// `end_ms`.
    pub(super) fn end_segment(&mut self, cut: Cut, end_ms: u64) {
        if let Some(segment) = &self.segment {
            telemetry::segment_finished(&self.task.key, segment.path(), cut);
        }
        self.finish_segment(Some(end_ms));
        self.cut = cut;
    }

    /// Ends the file, if there is one, all of it flushed. What a failure here costs, mending tells.
    pub(super) fn finish_segment(&mut self, length_ms: Option<u64>) {
        let Some(segment) = self.segment.take() else { return };
        let length_ms = length_ms.unwrap_or_else(|| segment.duration_ms());
        let end = self.end(&segment, length_ms);
        let path = segment.path().to_owned();
        let ledger = self.books.closing(length_ms);
        let call = self.task.calls.enter(self.shared.age());
        let (named, result) = segment.finish(&*self.shared.disk, ledger, &end);
        drop(call);
        match result {
            Ok(finished) => {
                self.end_hold(Some(&named));
                self.books.close(length_ms);
                self.task.set_file(Some(finished.path.clone()));
                self.finished(finished);
            }
            Err(error) => {
                self.books.close_in_doubt(length_ms);
                telemetry::close_failed(&self.task.key, &words(&error));
                self.add(&Counters { errors: 1, ..Counters::default() });
                self.doubt(named, path, &error);
            }
        }
        self.publish();
    }

    /// Ends a file after an error of its disk. Returns what is left of it.
    pub(super) fn abandon(&mut self, segment: Segment) -> Kept {
        let length_ms = self.books.flushed_ms();
        let end = self.end(&segment, length_ms);
        let path = segment.path().to_owned();
        let ledger = self.books.closing(length_ms);
        let call = self.task.calls.enter(self.shared.age());
        let result = segment.abandon(&*self.shared.disk, ledger, &end);
        drop(call);
        match result {
            Ok(Left::Nothing) => {
                self.end_hold(None);
                self.task.set_file(self.last_file.clone());
                return Kept::Nothing;
            }
            Ok(Left::Deleted) => {
                (self.chain, self.last_file) = (None, None);
                self.gone(path);
                return Kept::Deleted;
            }
            Ok(Left::File(finished)) => {
                self.end_hold(Some(&finished.path));
                self.finished(*finished);
            }
            // That this may fail too goes without saying.
            Err(error) => self.doubt(path.clone(), path, &error),
        }
        Kept::File
    }

    /// A file is whole.
    fn finished(&mut self, finished: Finished) {
        (self.last_file, self.chain) = (Some(finished.path.clone()), Some(finished.chain));
        // Of MP4 an index came behind what was flushed.
        let bytes = finished.size_bytes.saturating_sub(self.flushed_bytes);
        self.place.wrote(bytes);
        self.add(&Counters { bytes, ..Counters::default() });
        self.shared.observer.tell(|| Notice::Finished {
            id: finished.about.recording,
            key: finished.about.stream_key.clone(),
            segment: finished.about.segment,
            file: finished.path.clone(),
            size_bytes: finished.size_bytes,
            length_ms: finished.length_ms,
        });
        self.shared.events.send(Event::Finished(finished));
    }

    /// How much of the newest file is on the disk, and so its hash, is not known. It is `named` so now.
    fn doubt(&mut self, named: PathBuf, path: PathBuf, error: &io::Error) {
        (self.last_file, self.chain) = (Some(path.clone()), None);
        self.doubted = Some(path.clone());
        self.leave_unfinished(path.clone());
        match error.kind() {
            ErrorKind::NotFound => self.gone(path),
            _ => self.end_hold(Some(&named)),
        }
    }

    /// The newest file is not under its name any more.
    fn gone(&mut self, path: PathBuf) {
        self.end_hold(None);
        self.task.set_file(None);
        self.shared.events.send(Event::Gone(path));
    }

    fn leave_unfinished(&mut self, path: PathBuf) {
        if self.unfinished.len() < UNFINISHED_MAX {
            self.unfinished.push(path);
        }
    }

    /// Mends what the disk did not let end.
    pub(super) fn mend(&mut self) {
        let task = self.task.clone();
        let _call = task.calls.enter(self.shared.age());
        let Self { unfinished, shared, chain, books, doubted, plan, last_file, .. } = self;
        let Shared { disk, observer, events, .. } = &**shared;
        let (now, mut gone) = (shared.clock.instant(), None);
        unfinished.retain(|path| {
            let is_doubted = doubted.as_ref() == Some(path);
            // A file that began while this could not be mended is newer, and the chain goes on from it.
            let is_last = last_file.as_ref() == Some(path);
            let mended = match recover::mend(&**disk, path, plan.checksum_files) {
                Ok(Mended::Whole(finished)) => {
                    if is_last {
                        *chain = Some(finished.chain);
                        task.set_file(Some(path.clone()));
                    }
                    if is_doubted {
                        books.correct(finished.ledger.written, finished.length_ms, now);
                    }
                    observer.tell(|| recover::recovered(&finished));
                    events.send(Event::Recovered(*finished));
                    Ok(())
                }
                // The disk has lost all that was in it; its number and its name are free again.
                Ok(Mended::Nothing(reason)) => {
                    recover::set_aside(&**disk, path, reason, observer, events).map(|()| {
                        if is_doubted {
                            books.vanish(now);
                        }
                        gone = Some(path.clone());
                    })
                }
                Err(error) => Err(error),
            };
            mended.is_err_and(|error| match error.kind() {
                // Deleted, or its whole disk is away and comes back, perhaps just now.
                ErrorKind::NotFound => path.parent().is_some_and(|dir| {
                    let files = disk.list(dir);
                    files.map_or(true, |files| files.iter().any(|file| file.path == *path))
                }),
                // Of somebody else: that will not change.
                ErrorKind::InvalidData => false,
                _ => true,
            })
        });
        if gone.is_some() && gone == self.last_file {
            self.last_file = None;
            self.task.set_file(None);
        }
    }

    /// What the file says of itself, wherever it is copied to.
    fn about(&self, start: &Zoned, start_ms: u64, gap_before: Option<Gap>) -> About {
        About {
            recording: self.task.id,
            stream_key: self.task.key.as_str().to_owned(),
            segment: self.books.next_number(),
            start_time: rfc3339(start),
            start_ms,
            cut: self.cut,
            gap_before,
            first_packet: self.books.packets_before(),
            chain_before: self.chain,
            server: self.shared.config.server.clone(),
            recorder: self.plan.recorder.clone(),
            name: self.task.name.clone(),
            request_key: self.task.request_key.clone(),
            is_clip: false,
            tracks: self.plan.tracks,
            labels: self.task.labels.clone(),
        }
    }

    fn name(&self, about: &About, start: &Zoned, end: Option<&Zoned>) -> Name {
        self.plan.template.name(&Facts {
            stream_key: &about.stream_key,
            start,
            end,
            sequence: about.segment,
            recording: &about.recording.to_string(),
            recording_name: about.name.as_deref().unwrap_or_default(),
            recorder: &about.recorder,
            format: self.plan.format,
        })
    }

    fn end(&self, segment: &Segment, length_ms: u64) -> End {
        let end = match self.back {
            Some(_) => later(&self.started, millis(length_ms)),
            None => self.shared.clock.now(),
        };
        let has_end = self.plan.template.has_end();
        let final_name = has_end.then(|| self.name(segment.about(), &self.started, Some(&end)));
        let checksum_files = self.plan.checksum_files;
        End { length_ms, end_time: rfc3339(&end), final_name, checksum_files }
    }

    /// The run was joined at `dts_ms`. If that is where the recording begins it catches up from
    /// there, until a read leaves nothing behind.
    pub(super) fn begin_back(&mut self, dts_ms: i64, lost: Lost) {
        let is_first = self.segment.is_none() && self.books.segments() == 0 && !self.returning;
        let kept_ms = self.cursor.lag_ms(dts_ms);
        if is_first && lost == Lost::default() && kept_ms <= BACK_MAX_MS {
            self.back = Some(Back { kept_ms, joined: self.now });
        }
    }

    /// When a file begins with what is held and `packet`: when the first of them came.
    fn start(&self, now: &Zoned, packet: &Packet) -> Zoned {
        let Some(Back { kept_ms, joined }) = self.back else {
            let held = self.now.saturating_duration_since(self.rotation.first_at(self.now));
            return later(now, -SignedDuration::try_from(held).unwrap_or_default());
        };
        let since = self.now.saturating_duration_since(joined).as_millis();
        let most_ms = kept_ms.saturating_add(u64::try_from(since).unwrap_or(u64::MAX));
        let lag_ms = self.cursor.lag_ms(self.rotation.first_dts_ms(packet)).min(most_ms);
        later(now, -millis(lag_ms))
    }
}

fn millis(ms: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn later(time: &Zoned, by: SignedDuration) -> Zoned {
    time.checked_add(by).unwrap_or_else(|_| time.clone())
}

pub(crate) fn rfc3339(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
