//! One recording: a thread that owns a cursor and writes what it reads.
//!
//! A batch is muxed and appended in one vectored write, at each key frame and at least twice a
//! second, so what a killed process costs is what came since. All waiting for a disk happens here;
//! the cursor holds what comes meanwhile, and tells what it could not hold. When a disk call fails,
//! the recording ends and keeps what it has.
//!
//! Who starts, stops and joins these threads is `archive`; the bytes of a file are `segment` and
//! `media::flv::mux`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Zoned;
use live::{Cursor, Key, Lost, Read, Wait};
use media::time::Rebase;
use media::{Header, Packet, Role};

use crate::archive::Shared;
use crate::counters::Meter;
use crate::path::{Facts, Template};
use crate::segment::Segment;
use crate::{About, Counters, Cut, Reason, RecordingId, telemetry, words};

/// A batch is written when this much is there, when a key frame came, or after this time.
const WAIT: Wait = Wait { bytes: 256 << 10, timeout: Duration::from_millis(500) };
/// How often the metadata of a growing file is brought up to date; the first time at once, so that
/// the file says what is in it from its first bytes on.
const REFRESH: Duration = Duration::from_secs(10);
/// How soon after the stream's header has changed.
const REFRESH_CHANGED: Duration = Duration::from_secs(1);
/// FLV times end at 2^32 ms. From ten minutes before that, the next key frame begins another file.
const ROLL_FROM_MS: u64 = u32::MAX as u64 - 600_000;

/// What others may know and say of a recording while it runs.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: RecordingId,
    pub(crate) key: Key,
    pub(crate) meter: Meter,
    /// The newest segment's file.
    pub(crate) file: Mutex<Option<PathBuf>>,
    /// Why the recording was asked to end, if it was.
    pub(crate) stopped: OnceLock<Reason>,
}

impl Task {
    pub(crate) fn new(id: RecordingId, key: Key) -> Self {
        let (meter, file, stopped) = Default::default();
        Self { id, key, meter, file, stopped }
    }

    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_file(&self, path: &Path) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
    }
}

pub(crate) struct Recorder {
    shared: Arc<Shared>,
    task: Arc<Task>,
    cursor: Cursor,
    segment: Option<Segment>,
    /// Duration of the segments before this one.
    finished_ms: u64,
    rebase: Rebase,
    /// What a decoder needs before the next packet.
    header: Header,
    /// What was pushed and not yet flushed.
    pending: Counters,
    refresh_at: Instant,
    /// When the segment was created.
    created: Instant,
}

/// Why a recording cannot go on.
enum Failure {
    Create(io::Error),
    Write(io::Error),
}

impl Recorder {
    pub(crate) fn new(shared: Arc<Shared>, task: Arc<Task>, cursor: Cursor) -> Self {
        let now = shared.clock.instant();
        Self {
            shared,
            task,
            cursor,
            segment: None,
            finished_ms: 0,
            rebase: Rebase::default(),
            header: Header::default(),
            pending: Counters::default(),
            refresh_at: now,
            created: now,
        }
    }

    /// Records until the run ends, the cursor is stopped or the disk fails.
    pub(crate) fn run(mut self) {
        let outcome = self.prepare().and_then(|()| self.record());
        let reason = match outcome {
            Ok(()) => {
                self.finish_segment();
                self.task.stopped.get().copied().unwrap_or(Reason::Ended)
            }
            Err(failure) => {
                self.fail(&failure);
                if self.task.file().is_none() {
                    return;
                }
                Reason::Failed
            }
        };
        let counters = self.task.meter.read();
        if counters.gaps > 1 {
            telemetry::gaps_ended(&self.task.key, &counters);
        }
        telemetry::recorder_closed(&self.task.key, self.task.file().as_deref(), &counters, reason);
    }

    /// Finds out now, and not at the first packet, whether files can be made.
    fn prepare(&self) -> Result<(), Failure> {
        let disk = &*self.shared.disk;
        let dir = &self.shared.config.record_dir;
        let probe = dir.join(format!(".{}.probe", self.task.id));
        disk.create_dir_all(dir).map_err(Failure::Create)?;
        disk.create_new(&probe).map(drop).map_err(Failure::Create)?;
        // Where files can be made and not removed, recordings can be made too.
        let _ = disk.remove(&probe);
        Ok(())
    }

    fn record(&mut self) -> Result<(), Failure> {
        let mut batch = Vec::new();
        loop {
            match self.cursor.read_blocking(&mut batch, &WAIT) {
                Read::Packets => {
                    for packet in batch.drain(..) {
                        self.push(&packet)?;
                    }
                }
                Read::Joined { header, lost, .. } => self.join(&header, lost)?,
                Read::Idle => {}
                Read::Ended { lost } => {
                    self.count_gap(lost);
                    return Ok(());
                }
            }
            self.flush()?;
            self.refresh()?;
        }
    }

    /// Begins in mid-run, or goes on after a gap: in the same file, with what changed in the gap.
    fn join(&mut self, header: &Header, lost: Lost) -> Result<(), Failure> {
        self.count_gap(lost);
        if self.segment.is_none() {
            self.header = header.clone();
            return Ok(());
        }
        for packet in header.packets() {
            if self.header.push(packet) {
                self.push(packet)?;
            }
        }
        Ok(())
    }

    /// Counts what the window could not hold, and says so the first time.
    fn count_gap(&mut self, lost: Lost) {
        if lost == Lost::default() {
            return;
        }
        if self.task.meter.read().gaps == 0 {
            telemetry::gap_began(&self.task.key, lost.packets, lost.bytes);
        }
        self.count(&Counters {
            gaps: 1,
            lost_packets: lost.packets,
            lost_bytes: lost.bytes,
            dropped_packets: lost.packets,
            ..Counters::default()
        });
    }

    fn push(&mut self, packet: &Packet) -> Result<(), Failure> {
        let mut time_ms = self.rebase.map(packet);
        let late = time_ms > ROLL_FROM_MS && packet.role == Role::Key;
        if late || time_ms > u64::from(u32::MAX) {
            self.roll()?;
            time_ms = self.rebase.map(packet);
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => {
                let segment = self.create_segment()?;
                self.segment.insert(segment)
            }
        };
        match segment.push(packet, time_ms) {
            Ok(()) => {
                self.pending.packets += 1;
                if self.header.push(packet) {
                    let soon = self.shared.clock.instant() + REFRESH_CHANGED;
                    self.refresh_at = self.refresh_at.min(soon);
                }
            }
            Err(error) => {
                if self.task.meter.read().refused_packets + self.pending.refused_packets == 0 {
                    telemetry::packet_refused(&self.task.key, &error);
                }
                self.pending.refused_packets += 1;
                self.pending.dropped_packets += 1;
            }
        }
        Ok(())
    }

    /// Goes on in another file: this one's times are used up.
    fn roll(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if let Some(segment) = &self.segment {
            telemetry::segment_finished(&self.task.key, segment.path());
        }
        self.finish_segment();
        self.rebase = Rebase::default();
        Ok(())
    }

    fn create_segment(&mut self) -> Result<Segment, Failure> {
        let start = self.shared.clock.now();
        let name = Template::default().name(&Facts {
            stream_key: self.task.key.as_str(),
            start: &start,
            end: None,
            sequence: 1,
            recording: &self.task.id.to_string(),
        });
        let segment = Segment::create(
            &*self.shared.disk,
            &self.shared.config.record_dir,
            &name,
            &self.about(&start),
            &self.header,
        )
        .map_err(Failure::Create)?;
        telemetry::recorder_initialized(&self.task.key, segment.path());
        self.task.set_file(segment.path());
        self.created = self.shared.clock.instant();
        self.refresh_at = self.created;
        Ok(segment)
    }

    /// What the file says of itself, wherever it is copied to.
    fn about(&self, start: &Zoned) -> About {
        About {
            recording: self.task.id,
            stream_key: self.task.key.as_str().to_owned(),
            segment: 1,
            start_time: start.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            start_ms: self.finished_ms,
            cut: Cut::Start,
            gap_before: None,
            first_packet: 0,
            chain_before: None,
            server: self.shared.config.server.clone(),
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let known_ms = self.task.meter.read().duration_ms;
        self.pending.bytes = segment.flush().map_err(Failure::Write)?;
        let duration_ms = self.finished_ms + segment.duration_ms();
        self.pending.duration_ms = duration_ms.saturating_sub(known_ms);
        let pending = std::mem::take(&mut self.pending);
        self.count(&pending);
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), Failure> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let now = self.shared.clock.instant();
        if now < self.refresh_at {
            return Ok(());
        }
        // A young file changes most: at one second, two, four, …
        let age = now.saturating_duration_since(self.created);
        self.refresh_at = now + age.clamp(REFRESH_CHANGED, REFRESH);
        segment.refresh().map_err(Failure::Write)
    }

    /// Ends the file after everything was flushed. A failure here has cost no packet.
    fn finish_segment(&mut self) {
        let Some(segment) = self.segment.take() else { return };
        self.finished_ms += segment.duration_ms();
        if let Err(error) = segment.finish(&*self.shared.disk) {
            telemetry::close_failed(&self.task.key, &words(&error));
            self.count(&Counters { errors: 1, ..Counters::default() });
        }
    }

    /// Says once what happened and keeps of the file what can be kept; that this may fail too goes
    /// without saying.
    fn fail(&mut self, failure: &Failure) {
        match failure {
            Failure::Create(error) => telemetry::create_failed(&self.task.key, &words(error)),
            Failure::Write(error) => telemetry::write_failed(&self.task.key, &words(error)),
        }
        let pending = std::mem::take(&mut self.pending);
        self.count(&Counters {
            errors: 1,
            dropped_packets: pending.packets + pending.dropped_packets,
            refused_packets: pending.refused_packets,
            ..Counters::default()
        });
        if let Some(segment) = self.segment.take() {
            let _ = segment.abandon(&*self.shared.disk);
        }
    }

    fn count(&self, more: &Counters) {
        self.task.meter.add(more);
        self.shared.total.add(more);
    }
}

#[cfg(test)]
mod tests;
