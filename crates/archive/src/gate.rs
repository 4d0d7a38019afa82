//! Where recorders learn whether there is room on their disk, without asking it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The directories that are recorded to, each with a gate that is shut while its file system has
/// less room than is kept.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    places: Mutex<Vec<Place>>,
}

/// A recorder's use of a directory; watched for as long as it is held.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    dir: PathBuf,
    used: Arc<Use>,
}

#[derive(Debug, Default)]
struct Use {
    shut: AtomicBool,
    /// Bytes that recorders wrote since the last look.
    written: AtomicU64,
}

impl Gate {
    /// Has `dir` watched. It is as open as it was for those who use it already, else open.
    pub(crate) fn enter(&self, dir: &Path) -> Place {
        let mut places = self.lock();
        if let Some(place) = places.iter().find(|place| place.dir == dir) {
            return place.clone();
        }
        let place = Place { dir: dir.to_owned(), used: Arc::default() };
        places.push(place.clone());
        place
    }

    /// All directories in use; forgets those that nobody uses any more.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places = self.lock();
        places.retain(|place| Arc::strong_count(&place.used) > 1);
        places.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether there is room to record.
    pub(crate) fn is_open(&self) -> bool {
        !self.used.shut.load(Ordering::Relaxed)
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.used.shut.store(!open, Ordering::Relaxed);
    }

    /// A recorder has written so much.
    pub(crate) fn wrote(&self, bytes: u64) {
        self.used.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes written since the last call.
    pub(crate) fn take_written(&self) -> u64 {
        self.used.written.swap(0, Ordering::Relaxed)
    }
}
