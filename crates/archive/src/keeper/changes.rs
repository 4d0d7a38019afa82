//! What people want done to recordings, carried out.
//!
//! First the files, then the catalog: what is killed between is found by the files at the next
//! start, and doing the same again goes on where it ended. Each file is either where it was or in
//! the bin, never in neither: it gets there by one rename.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clerk::Clerk;
use super::deletions;
use crate::archive::Shared;
use crate::catalog::{self, Catalog, Recording, Segment, State};
use crate::change::Outcome as Carried;
use crate::retention::{self, Cause, Outcome, Rules};
use crate::sidecar::{self, FOLLOWERS, HOLD};
use crate::{
    Change, ChangeError, Changed, Notice, RecordingId, check_labels, telemetry, trash, words,
};

/// Most changes of one turn, between events.
pub(super) const TURN_MAX: usize = 64;
/// Most recordings that one round takes out of the bin.
const PURGE_MAX: usize = 1_000;

/// Why a change was not carried out.
enum Failure {
    /// It is told to whoever asked.
    Change(ChangeError),
    /// The catalog is at fault, which others suffer from too.
    Catalog(catalog::Error),
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<catalog::Error> for Failure {
    fn from(error: catalog::Error) -> Self {
        Self::Catalog(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Change(ChangeError::Disk(words(&error)))
    }
}

/// A file that another program has, or that is not what was recorded.
fn in_use(path: &Path) -> Failure {
    let path = path.display();
    let why = format!("{path} is in use by another program, or is not the file that was recorded");
    ChangeError::Disk(why).into()
}

/// Why there is nothing to be done to a recording that the catalog does not know: it was made of files, and
/// those of one that has just ended may have gone with it.
fn unknown(shared: &Shared, id: RecordingId) -> ChangeError {
    match shared.ended(id) {
        Some(ended) if ended.is_gone() => ChangeError::Gone,
        _ => ChangeError::Unknown,
    }
}

impl Clerk {
    /// Carries out changes that wait, some of them a turn.
    ///
    /// # Errors
    /// Those of the catalog, which the change that met them is told as well.
    pub(super) fn carry_out(&mut self) -> Result<(), catalog::Error> {
        while !self.asked.is_stopped()
            && let Some((change, reply)) = self.carrying.pop_front()
        {
            match self.carry(change) {
                Ok(changed) => reply.send(Ok(changed)),
                Err(Failure::Change(error)) => reply.send(Err(error)),
                Err(Failure::Catalog(error)) => {
                    reply.send(Err(ChangeError::Catalog(error.to_string())));
                    return Err(error);
                }
            }
        }
        if self.shared.changes.is_some() {
            self.shared.events.wake();
        }
        Ok(())
    }

    /// Tells those who wait that there is no catalog.
    pub(super) fn fail_changes(&mut self, error: &catalog::Error) {
        let failed: Carried = Err(ChangeError::Catalog(error.to_string()));
        for (_, reply) in self.carrying.drain(..) {
            reply.send(failed.clone());
        }
    }

    fn carry(&mut self, change: Change) -> Result<Changed, Failure> {
        let shared = self.shared.clone();
        let Some(catalog) = &self.catalog else {
            let is_unavailable = shared.clock.instant() < self.try_at;
            return Err(match change {
                _ if is_unavailable => ChangeError::Catalog("it cannot be used now".to_owned()),
                Change::EmptyBin => return Ok(Changed::default()),
                Change::Label { id, .. }
                | Change::Hold { id }
                | Change::Release { id }
                | Change::Delete { id, .. }
                | Change::Restore { id } => unknown(&shared, id),
            }
            .into());
        };
        let work = Work { clerk: self, shared: &shared, catalog };
        let mut labels = None;
        let done = match change {
            Change::Label { id, set } => {
                let (changed, early) = work.label(id, set)?;
                labels = early.map(|early| (id, early));
                changed
            }
            Change::Hold { id } => work.hold(id, true)?,
            Change::Release { id } => work.hold(id, false)?,
            Change::Delete { id, at_once } => work.delete(id, at_once)?,
            Change::Restore { id } => work.restore(id)?,
            Change::EmptyBin => work.purge_all(i64::MAX)?,
        };
        self.labels.extend(labels);
        Ok(done)
    }

    /// Goes on with what a crash came between: a recording of which one part is in the bin and
    /// another is not goes there or comes back, as is noted in the bin.
    ///
    /// # Errors
    /// Those of the catalog. What the disk refuses stays as it is until it is asked for again.
    pub(super) fn finish_halves(&self, catalog: &Catalog) -> Result<(), catalog::Error> {
        let shared = self.shared.clone();
        let work = Work { clerk: self, shared: &shared, catalog };
        for id in catalog.half_binned()? {
            match work.finish_half(id) {
                Err(Failure::Catalog(error)) => return Err(error),
                Err(Failure::Change(_)) | Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Deletes what has been in the bin for its time.
    ///
    /// # Errors
    /// Those of the catalog. What the disk refuses is tried again in the next round.
    pub(super) fn purge(&mut self) -> Result<(), catalog::Error> {
        let grace = self.shared.policy().bin_grace;
        let now = self.shared.clock.instant();
        if self.asked.is_stopped() || now < self.purge_at && self.grace == Some(grace) {
            return Ok(());
        }
        let shared = self.shared.clone();
        let Some(catalog) = &self.catalog else { return Ok(()) };
        catalog.set_grace(ms(grace))?;
        let work = Work { clerk: self, shared: &shared, catalog };
        match work.purge_all(shared.clock.now().timestamp().as_millisecond()) {
            Err(Failure::Catalog(error)) => return Err(error),
            // Told where it happened.
            Err(Failure::Change(_)) | Ok(_) => {}
        }
        self.purge_at = now + super::clerk::ROUND;
        self.grace = Some(grace);
        Ok(())
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX >> 2).min(i64::MAX >> 2)
}

/// What a change works with.
struct Work<'a> {
    clerk: &'a Clerk,
    shared: &'a Shared,
    catalog: &'a Catalog,
}

impl Work<'_> {
    fn recording(&self, id: RecordingId) -> Result<Recording, Failure> {
        let recording = self.catalog.reader().recording(id)?;
        recording.ok_or_else(|| unknown(self.shared, id).into())
    }

    /// The segments of a recording whose files are there, in the bin or not.
    fn segments(&self, id: RecordingId) -> Result<Vec<Segment>, Failure> {
        let mut segments = self.catalog.reader().of_recording(id)?;
        segments.retain(|s| matches!(s.state, State::Open | State::Finished | State::Binned));
        Ok(segments)
    }

    /// What is told of a recording that was changed.
    fn changed(&self, id: RecordingId, files: &[Segment]) -> Result<Changed, Failure> {
        Ok(Changed {
            recording: self.catalog.reader().recording(id)?,
            files: files.len() as u64,
            size_bytes: files.iter().map(|segment| segment.size_bytes).sum(),
        })
    }

    fn tell_changed(&self, recording: &Recording) {
        let (id, key) = (recording.id, recording.stream_key.clone());
        self.shared.observer.tell(|| Notice::Changed { id, key });
    }

    /// Sets labels; also returns them when there is no file yet that they could be beside.
    fn label(
        &self,
        id: RecordingId,
        set: std::collections::BTreeMap<String, Option<String>>,
    ) -> Result<(Changed, Option<crate::Labels>), Failure> {
        let recording = self.recording(id)?;
        let mut labels = recording.labels.clone();
        for (name, value) in set {
            match value {
                Some(value) => labels.insert(name, value),
                None => labels.remove(&name),
            };
        }
        check_labels(&labels).map_err(|error| ChangeError::Label(error.to_string()))?;
        let first = self.segments(id)?.into_iter().next();
        let is_running = self.shared.running(id).is_some();
        if first.is_none() && !is_running {
            return Err(ChangeError::Gone.into());
        }
        if let Some(first) = &first {
            sidecar::write_labels(&*self.shared.disk, first.file(), &labels)?;
        }
        self.catalog.set_labels(id, &labels)?;
        telemetry::recording_labelled(&recording, labels.len());
        self.tell_changed(&recording);
        let is_early = first.is_none() && is_running;
        Ok((self.changed(id, &[])?, is_early.then_some(labels)))
    }

    fn hold(&self, id: RecordingId, is_held: bool) -> Result<Changed, Failure> {
        let recording = self.recording(id)?;
        let task = self.shared.running(id);
        if let Some(task) = &task {
            // Before its files are looked at: a new one is either seen here or held by the recorder.
            task.set_held(is_held);
        }
        let segments = self.segments(id)?;
        if is_held && task.is_none() && segments.is_empty() {
            return Err(ChangeError::Gone.into());
        }
        self.catalog.set_hold_wanted(id, is_held && task.is_some())?;
        for segment in segments {
            match is_held {
                true => sidecar::hold(&*self.shared.disk, segment.file())?,
                false => sidecar::release(&*self.shared.disk, segment.file())?,
            }
            self.catalog.set_held(&segment, is_held)?;
        }
        telemetry::recording_held(&recording, is_held);
        self.tell_changed(&recording);
        self.changed(id, &[])
    }

    fn delete(&self, id: RecordingId, at_once: bool) -> Result<Changed, Failure> {
        if self.shared.running(id).is_some() {
            return Err(ChangeError::Running.into());
        }
        let recording = self.recording(id)?;
        let segments = self.segments(id)?;
        for segment in &segments {
            if sidecar::is_held(&*self.shared.disk, segment.file())? {
                // It may have been held by hand since the catalog looked.
                self.catalog.set_held(segment, true)?;
                return Err(ChangeError::Held.into());
            }
        }
        let grace = self.shared.policy().bin_grace;
        if at_once || grace.is_zero() {
            let gone = self.delete_files(segments, Cause::Request)?;
            return self.changed(id, &gone);
        }
        let binned = self.bin_files(&recording, segments, ms(grace))?;
        let changed = self.changed(id, &binned)?;
        if let (false, Some(recording)) = (binned.is_empty(), &changed.recording) {
            telemetry::recording_binned(recording, changed.files, changed.size_bytes);
        }
        Ok(changed)
    }

    fn finish_half(&self, id: RecordingId) -> Result<(), Failure> {
        let disk = &*self.shared.disk;
        let segments = self.segments(id)?;
        if segments.iter().filter_map(|s| self.bin_dir(s)).any(|dir| trash::is_leaving(disk, &dir))
        {
            return self.restore(id).map(drop);
        }
        for segment in &segments {
            if self.shared.running(id).is_some() || sidecar::is_held(disk, segment.file())? {
                return Ok(());
            }
        }
        let recording = self.recording(id)?;
        let binned = self.bin_files(&recording, segments, ms(self.shared.policy().bin_grace))?;
        let changed = self.changed(id, &binned)?;
        telemetry::recording_binned(&recording, changed.files, changed.size_bytes);
        Ok(())
    }

    /// Deletes files for good, and returns which were.
    fn delete_files(&self, segments: Vec<Segment>, cause: Cause) -> Result<Vec<Segment>, Failure> {
        let disk = &*self.shared.disk;
        let now_unix_ms = self.now_unix_ms();
        let mut gone = Vec::new();
        let mut failure = None;
        for segment in segments {
            match retention::delete(disk, &Rules::default(), &segment) {
                Outcome::Deleted => {
                    if let Err(error) = self.tidy(&segment) {
                        // It may come back.
                        telemetry::delete_failed(&segment, &words(&error));
                        failure = Some(error.into());
                        continue;
                    }
                    deletions::tell(self.shared, &segment, cause, now_unix_ms);
                    self.catalog.deleted(&[(segment.clone(), cause)], now_unix_ms)?;
                    gone.push(segment);
                }
                Outcome::Missing => self.catalog.missing(&segment)?,
                Outcome::Kept => failure = Some(in_use(segment.file())),
                Outcome::Failed(error) => {
                    telemetry::delete_failed(&segment, &words(&error));
                    failure = Some(error.into());
                }
            }
        }
        failure.map_or(Ok(gone), Err)
    }

    /// Makes a deletion last, and removes directories that are left empty.
    fn tidy(&self, segment: &Segment) -> io::Result<()> {
        let disk = &*self.shared.disk;
        let folder = segment.file().parent().unwrap_or(segment.file());
        match self.bin_dir(segment) {
            Some(dir) => {
                disk.sync_dir(folder)?;
                trash::tidy(disk, &dir, folder);
                Ok(())
            }
            None => retention::tidy(disk, &self.clerk.roots(), folder),
        }
    }

    /// The directory in the bin of a recording that a segment is in.
    fn bin_dir(&self, segment: &Segment) -> Option<PathBuf> {
        let path = segment.bin_path.as_ref()?;
        let is_of = |dir: &&Path| trash::recording(dir) == Some(segment.recording);
        // The highest: what it was called may look the same.
        path.ancestors().filter(is_of).last().map(ToOwned::to_owned)
    }

    fn bin_files(
        &self,
        recording: &Recording,
        segments: Vec<Segment>,
        grace_ms: i64,
    ) -> Result<Vec<Segment>, Failure> {
        let disk = &*self.shared.disk;
        let now_unix_ms = self.now_unix_ms();
        let mut binned = Vec::new();
        for segment in segments {
            if let Some(path) = &segment.bin_path {
                // A first try came to its end between a file and what belongs to it.
                if disk.entry(&segment.path).is_err() {
                    sidecar::follow(disk, &segment.path, path, &FOLLOWERS)?;
                }
                continue;
            }
            let place = trash::place(disk, &self.clerk.roots(), &segment.path, recording.id)?;
            trash::note(disk, &place.dir, now_unix_ms)?;
            let since = trash::since(disk, &place.dir).unwrap_or(now_unix_ms);
            let until = since.saturating_add(grace_ms);
            self.catalog.set_binned(recording.id, Some((since, until)))?;
            let claimed = retention::claim(disk, &segment);
            if claimed.is_err() {
                // It may be the first, and nothing else in the bin.
                trash::tidy(disk, &place.dir, &place.dir);
            }
            let file = match claimed {
                Ok(file) => file,
                Err(Outcome::Missing) => {
                    self.catalog.missing(&segment)?;
                    continue;
                }
                Err(Outcome::Failed(error)) => return Err(error.into()),
                Err(_) => return Err(in_use(&segment.path)),
            };
            let folder = place.path.parent().unwrap_or(&place.dir);
            disk.create_dir_all(folder)?;
            disk.rename_new(&segment.path, &place.path)?;
            drop(file);
            self.catalog.binned(&segment, &place.path)?;
            self.shared.observer.tell(|| Notice::Deleted {
                id: recording.id,
                key: recording.stream_key.clone(),
                segment: segment.number,
                file: segment.path.clone(),
                cause: Cause::Request.name().to_owned(),
                binned: true,
            });
            sidecar::follow(disk, &segment.path, &place.path, &FOLLOWERS)?;
            disk.sync_dir(folder)?;
            // What a power cut takes back is where it was.
            let _ = self.tidy(&segment);
            binned.push(segment);
        }
        Ok(binned)
    }

    fn restore(&self, id: RecordingId) -> Result<Changed, Failure> {
        let disk = &*self.shared.disk;
        let recording = self.recording(id)?;
        let mut segments = self.segments(id)?;
        segments.retain(|segment| segment.bin_path.is_some());
        if segments.is_empty() {
            return Err(ChangeError::NotInBin.into());
        }
        let is_taken = |segment: &Segment| match disk.entry(&segment.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            entry => entry.map(|_| true),
        };
        for segment in &segments {
            if is_taken(segment)? {
                return Err(ChangeError::Exists.into());
            }
        }
        if segments.len() > 1 {
            for dir in segments.iter().filter_map(|s| self.bin_dir(s)).collect::<BTreeSet<_>>() {
                // A full disk must not keep it in the bin, where a crash then has it all again.
                let _ = trash::note_leaving(disk, &dir);
            }
        }
        let mut restored = Vec::new();
        for segment in segments {
            let Some(from) = &segment.bin_path else { continue };
            let folder = segment.path.parent().unwrap_or(&segment.path);
            disk.create_dir_all(folder)?;
            // Before it: what is left of a first try is found by the file that is left in the bin.
            sidecar::follow(disk, from, &segment.path, &FOLLOWERS)?;
            sidecar::follow(disk, from, &segment.path, &[HOLD])?;
            match disk.rename_new(from, &segment.path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(ChangeError::Exists.into());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.catalog.missing(&segment)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            self.catalog.restored(&segment)?;
            // What a power cut takes back is in the bin again.
            let _ = disk.sync_dir(folder);
            let _ = self.tidy(&segment);
            restored.push(segment);
        }
        self.catalog.set_binned(id, None)?;
        telemetry::recording_restored(&recording, restored.len() as u64);
        let key = recording.stream_key;
        self.shared.observer.tell(|| Notice::Restored { id, key });
        self.changed(id, &restored)
    }

    /// Deletes from the bin what is to go from there until a time.
    fn purge_all(&self, until_unix_ms: i64) -> Result<Changed, Failure> {
        let mut changed = Changed::default();
        let mut failure = None;
        for id in self.catalog.purgeable(until_unix_ms, PURGE_MAX)? {
            let mut segments = self.segments(id)?;
            segments.retain(|segment| segment.bin_path.is_some());
            // What cannot be found out protects it.
            segments.retain(|segment| {
                !sidecar::is_held(&*self.shared.disk, segment.file()).unwrap_or(true)
            });
            match self.delete_files(segments, Cause::Bin) {
                Ok(gone) => {
                    changed.files += gone.len() as u64;
                    changed.size_bytes += gone.iter().map(|s| s.size_bytes).sum::<u64>();
                }
                Err(Failure::Catalog(error)) => return Err(Failure::Catalog(error)),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(changed), Err)
    }

    fn now_unix_ms(&self) -> i64 {
        self.shared.clock.now().timestamp().as_millisecond()
    }
}

#[cfg(test)]
mod tests;
