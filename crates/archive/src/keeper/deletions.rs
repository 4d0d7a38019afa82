//! Deletions on their way into the catalog. One is entered once the disk has it for good: what a disk that fails may
//! bring back when it is mounted again is not forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use crate::archive::Shared;
use crate::catalog::{Catalog, Error, Segment};
use crate::retention::{self, Cause};
use crate::{Notice, RecordingId, telemetry};

/// Most that are entered together: a crash has them found missing at the next start.
const PENDING_MAX: usize = 64;
/// Those that are tried again: what is more is found out at the next start.
const UNSETTLED_MAX: usize = 10_000;

/// What retention deleted.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    pending: Vec<(Segment, Cause)>,
    /// Those of which the disk did not say that they last. Another catalog may have other rows for them.
    unsettled: BTreeMap<(RecordingId, u32), (Segment, Cause)>,
    /// That files cannot be deleted is logged.
    is_told: bool,
}

impl Deletions {
    /// Whether the file of a segment was deleted, as far as is known.
    pub(super) fn has(&self, segment: &Segment) -> bool {
        self.unsettled.contains_key(&(segment.recording, segment.number))
    }

    /// A file was deleted.
    pub(super) fn push(&mut self, segment: Segment, cause: Cause) {
        self.pending.push((segment, cause));
    }

    /// Whether so many wait that they are to be entered.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= PENDING_MAX
    }

    /// Tells, once, that a file cannot be deleted.
    pub(super) fn failed(&mut self, segment: &Segment, error: &io::Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            telemetry::delete_failed(segment, &crate::words(error));
        }
    }

    /// Tries again what did not last.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(super) fn settle(
        &mut self,
        shared: &Shared,
        catalog: &Catalog,
        now_unix_ms: i64,
    ) -> Result<(), Error> {
        let unsettled = std::mem::take(&mut self.unsettled).into_values();
        let mut failure = None;
        for (segment, cause) in unsettled {
            match shared.disk.entry(&segment.path) {
                // What is there again is deleted again.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match catalog.reader().of_recording(segment.recording) {
                        Ok(all) => {
                            let known = all.into_iter().find(|one| one.number == segment.number);
                            self.pending.extend(known.map(|known| (known, cause)));
                        }
                        Err(error) => {
                            failure = Some(error);
                            self.keep(segment, cause);
                        }
                    }
                }
                Err(_) => self.keep(segment, cause),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => self.enter(shared, catalog, now_unix_ms),
        }
    }

    /// Tries it again later.
    fn keep(&mut self, segment: Segment, cause: Cause) {
        if self.unsettled.len() < UNSETTLED_MAX {
            self.unsettled.insert((segment.recording, segment.number), (segment, cause));
        }
    }

    /// Enters what lasts.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(super) fn enter(
        &mut self,
        shared: &Shared,
        catalog: &Catalog,
        now_unix_ms: i64,
    ) -> Result<(), Error> {
        let mut deleted = std::mem::take(&mut self.pending);
        let roots = shared.roots_in_catalog();
        let dir = |segment: &Segment| segment.path.parent().map(PathBuf::from);
        let dirs: BTreeSet<_> = deleted.iter().filter_map(|(segment, _)| dir(segment)).collect();
        let tidied = dirs.into_iter().filter_map(|path| {
            let error = retention::tidy(&*shared.disk, &roots, &path).err()?;
            Some((path, error))
        });
        let doubtful: BTreeMap<_, _> = tidied.collect();
        deleted.retain(|(segment, cause)| {
            let error = dir(segment).and_then(|dir| doubtful.get(&dir));
            if let Some(error) = error {
                self.failed(segment, error);
                self.keep(segment.clone(), *cause);
            }
            error.is_none()
        });
        for (segment, cause) in &deleted {
            self.is_told = false;
            tell(shared, segment, *cause, now_unix_ms);
        }
        catalog.deleted(&deleted, now_unix_ms)
    }
}

/// Tells that a file was deleted.
pub(super) fn tell(shared: &Shared, segment: &Segment, cause: Cause, now_unix_ms: i64) {
    telemetry::recording_deleted(segment, retention::age(now_unix_ms, segment), cause);
    shared.observer.tell(|| Notice::Deleted {
        id: segment.recording,
        key: segment.stream_key.clone(),
        segment: segment.number,
        file: segment.path.clone(),
        cause: cause.name().to_owned(),
        binned: false,
    });
}
