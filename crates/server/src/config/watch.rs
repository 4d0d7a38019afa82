//! When the configuration is to be read again: at SIGHUP, and when its file has changed.
//!
//! The directories that the file and what it links to are in are watched, not the file: editors put
//! another one in its place, and Kubernetes turns a link to a directory. An event only says that it
//! is time to look; what counts is whether the bytes are others than before.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::file;
use super::settings::{Settings, hash};
use crate::platform::Hangups;
use crate::telemetry;

/// So long it is quiet before the file is looked at: who writes it may not be done.
const QUIET: Duration = Duration::from_millis(500);
/// Longest that it is waited for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the configuration is to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// SIGHUP came.
    Signal,
    /// The file has changed.
    File,
}

impl Cause {
    /// The word in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signal => "SIGHUP",
            Self::File => "file changed",
        }
    }
}

/// Tells when the configuration is to be read again.
pub struct Watch {
    hangups: Option<Hangups>,
    file: Option<Watched>,
    /// SIGHUP came, and is still to be told.
    hung_up: bool,
}

struct Watched {
    /// What it was like when it was looked at last.
    seen: Option<u64>,
    eyes: Arc<Mutex<Eyes>>,
    /// Something has happened in one of the directories.
    events: Arc<Notify>,
    due: Option<Due>,
}

/// What waits for a disk; so the runtime's threads do not touch it.
struct Eyes {
    path: PathBuf,
    /// Without one nothing is told by itself.
    watcher: Option<RecommendedWatcher>,
    dirs: BTreeSet<PathBuf>,
}

/// When the file is to be looked at.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    latest: Instant,
}

impl Watch {
    /// To be called on a runtime. Without a configuration file nothing ever happens, and SIGHUP
    /// ends the process as before. A file that cannot be watched is logged; SIGHUP works still.
    ///
    /// # Errors
    /// When there is no handler for the signal.
    pub fn new(settings: &Settings) -> std::io::Result<Self> {
        let Some(path) = &settings.file else {
            return Ok(Self { hangups: None, file: None, hung_up: false });
        };
        let hangups = Some(Hangups::new()?);
        let events = Arc::new(Notify::new());
        let told = events.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Events may have been lost where there is an error.
            if !matches!(event.map(|event| event.kind), Ok(EventKind::Access(_))) {
                told.notify_one();
            }
        });
        let watcher =
            watcher.map_err(|error| telemetry::configuration_not_watched(path, &error)).ok();
        // It may have changed since it was read.
        events.notify_one();
        let mut eyes = Eyes { path: path.clone(), watcher, dirs: BTreeSet::new() };
        eyes.follow();
        let eyes = Arc::new(Mutex::new(eyes));
        let file = Some(Watched { seen: settings.stamp(), eyes, events, due: None });
        Ok(Self { hangups, file, hung_up: false })
    }

    /// Completes when the configuration is to be read again. Cancel safe.
    pub async fn changed(&mut self) -> Cause {
        let Self { hangups, file, hung_up } = self;
        let hangup = async {
            if !*hung_up {
                match hangups {
                    Some(hangups) => hangups.next().await,
                    None => std::future::pending().await,
                }
                *hung_up = true;
            }
        };
        let change = async {
            match file {
                Some(file) => file.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hangup => {}
            () = change => return Cause::File,
        }
        // What the file is like now is told with the signal, and not once more.
        if let Some(file) = file {
            file.look().await;
        }
        *hung_up = false;
        Cause::Signal
    }
}

impl Watched {
    /// Cancel safe: what is known so far is kept.
    async fn changed(&mut self) {
        loop {
            self.wait().await;
            if self.look().await {
                return;
            }
        }
    }

    /// Whether the file is another than it was. One that is gone for the moment comes back, and one
    /// that is empty is most likely about to be written.
    async fn look(&mut self) -> bool {
        let eyes = self.eyes.clone();
        let look = tokio::task::spawn_blocking(move || {
            let mut eyes = eyes.lock().unwrap_or_else(PoisonError::into_inner);
            eyes.follow();
            file::read_again(&eyes.path)
        });
        let read = look.await;
        self.due = None;
        let now = match read {
            Ok(Ok(bytes)) if !bytes.is_empty() => Some(hash(&bytes)),
            _ => return false,
        };
        std::mem::replace(&mut self.seen, now) != now
    }

    /// Until something has happened and it has been quiet since then.
    async fn wait(&mut self) {
        loop {
            let quiet = async {
                match self.due {
                    Some(due) => tokio::time::sleep_until(due.at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.events.notified() => {
                    let now = Instant::now();
                    let latest = self.due.map_or(now + PATIENCE, |due| due.latest);
                    self.due = Some(Due { at: (now + QUIET).min(latest), latest });
                }
                () = quiet => return,
            }
        }
    }
}

impl Eyes {
    /// Watches where the file, and what it links to, is now. While it is not there, where it was is
    /// watched on.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let target = std::fs::canonicalize(&self.path).ok();
        let places = [Some(self.path.clone()), target.clone()];
        // By one name each: the system has one watch for a directory, whatever it is called, and
        // to end it by one name ends it for all.
        let parent = |path: &PathBuf| {
            let dir = path.parent()?;
            let dir = if dir == Path::new("") { Path::new(".") } else { dir };
            Some(std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned()))
        };
        let mut dirs: BTreeSet<_> = places.iter().flatten().filter_map(parent).collect();
        if target.is_none() {
            dirs.extend(self.dirs.iter().cloned());
        }
        for gone in self.dirs.difference(&dirs) {
            // It may not be there any more.
            let _ = watcher.unwatch(gone);
        }
        let mut watched: BTreeSet<_> = self.dirs.intersection(&dirs).cloned().collect();
        for dir in dirs.difference(&self.dirs) {
            match watcher.watch(dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(dir.clone());
                }
                Err(error) => telemetry::configuration_not_watched(&self.path, &error),
            }
        }
        self.dirs = watched;
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("file", &self.file.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
