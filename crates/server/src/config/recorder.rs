//! A recorder: the rule that says which streams are recorded when, and how.
//!
//! Pure: the moment and the names of streams come from the caller. Who starts and stops recordings
//! by these rules stands in the server, the keys of a `[[recorder]]` in `keys`.

pub(super) mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use archive::path::Template;
use archive::retention::Rules;
use archive::{Format, Plan, Rotation, Tracks};
use jiff::Zoned;

use super::Config;
use super::pattern::Pattern;
use super::window::Windows;

/// A recorder of the configuration, with what it takes from the settings of the server filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorder {
    /// Its name, by which files, the catalog and the API tell it.
    pub name: String,
    /// Whether it records at all.
    pub enabled: bool,
    /// The streams that it records: those that one of these means.
    pub streams: Vec<Pattern>,
    /// But not those that one of these means.
    pub exclude: Vec<Pattern>,
    /// What files are made.
    pub format: Format,
    /// Where they go; `None` for the record directory.
    pub dir: Option<PathBuf>,
    /// How their paths are put together.
    pub path: Template,
    /// When a file ends though the stream goes on.
    pub rotation: Rotation,
    /// What is recorded of a stream.
    pub tracks: Tracks,
    /// How much earlier than its beginning a recording begins, as far as the stream was there.
    pub pre_roll: Duration,
    /// How long a recording is at most.
    pub max_length: Option<Duration>,
    /// When it records; `None` for always.
    pub schedule: Option<Windows>,
    /// What is deleted of its recordings; `None` where it says nothing of its own.
    pub retention: Option<Rules>,
    /// How long a recording waits for its publisher to come back.
    pub rejoin: Duration,
    /// What a killed process costs at most.
    pub flush: Duration,
    /// What a power cut costs at most.
    pub sync: Duration,
    /// Whether the hash of each file is written beside it.
    pub checksum_files: bool,
    /// Whether there are pictures of its recordings.
    pub pictures: bool,
    /// How far apart the small ones are.
    pub thumbnail_interval: Duration,
    /// Labels of its recordings.
    pub labels: BTreeMap<String, String>,
}

/// Whether a recorder records a stream, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Records,
    /// It is not enabled.
    Disabled,
    /// None of its patterns means the stream.
    NotMeant,
    /// This pattern of `exclude` means it.
    Excluded(String),
    /// Its schedule says no; that changes then.
    Closed(Option<Zoned>),
}

impl Recorder {
    /// The recorder of `-record-all`.
    pub const ALL: &str = "all";
    /// What recordings are told to be of that were asked for by the API.
    pub const API: &str = Plan::API;

    /// One that says nothing of its own: everything as the settings of the server have it.
    pub fn new(name: &str, streams: Vec<Pattern>, config: &Config) -> Self {
        Self {
            name: name.to_owned(),
            enabled: true,
            streams,
            exclude: Vec::new(),
            format: config.record_format,
            dir: None,
            path: config.record_path.clone(),
            rotation: Rotation {
                duration: config.record_rotate_duration,
                size_bytes: config.record_rotate_size,
                every: config.record_rotate_every,
                schedule: config.record_rotate_schedule.clone(),
            },
            tracks: Tracks::All,
            pre_roll: Duration::ZERO,
            max_length: None,
            schedule: None,
            retention: None,
            rejoin: config.record_rejoin,
            flush: config.record_flush,
            sync: config.record_sync,
            checksum_files: config.record_checksum_files,
            pictures: config.pictures.pictures,
            thumbnail_interval: config.pictures.thumbnail_interval,
            labels: BTreeMap::new(),
        }
    }

    /// That of `-record-all true`: every stream.
    pub fn all(config: &Config) -> Self {
        Self::new(Self::ALL, vec![Pattern::all()], config)
    }

    /// That of a recording which the API asked for: no stream by itself.
    pub fn api(config: &Config) -> Self {
        Self::new(Self::API, Vec::new(), config)
    }

    /// Whether the stream `app/name` is one of its, whenever that is.
    pub fn matches(&self, key: &str) -> bool {
        let means = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(key));
        means(&self.streams) && !means(&self.exclude)
    }

    /// Whether it records at this moment.
    pub fn is_active(&self, now: &Zoned) -> bool {
        self.enabled && self.schedule.as_ref().is_none_or(|windows| windows.is_open(now))
    }

    /// When that changes next, strictly after `now`; `None` when it never does by itself.
    pub fn next_change(&self, now: &Zoned) -> Option<Zoned> {
        self.schedule.as_ref().filter(|_| self.enabled)?.next_change(now)
    }

    /// Whether it records the stream at this moment, and if not, the first reason that there is.
    pub fn verdict(&self, key: &str, now: &Zoned) -> Verdict {
        let excluded = self.exclude.iter().find(|pattern| pattern.matches(key));
        match excluded {
            _ if !self.enabled => Verdict::Disabled,
            _ if !self.streams.iter().any(|pattern| pattern.matches(key)) => Verdict::NotMeant,
            Some(pattern) => Verdict::Excluded(pattern.to_string()),
            None if !self.is_active(now) => Verdict::Closed(self.next_change(now)),
            None => Verdict::Records,
        }
    }

    /// How it keeps what it records. `config` is that of the running server.
    pub fn plan(&self, config: &Config) -> Plan {
        Plan {
            recorder: self.name.clone(),
            dir: self.dir.clone().unwrap_or_else(|| config.record_dir.clone()),
            format: self.format,
            template: self.path.clone(),
            rotation: self.rotation.clone(),
            tracks: self.tracks,
            max_length: self.max_length,
            rejoin: self.rejoin,
            flush: self.flush,
            sync: self.sync,
            checksum_files: self.checksum_files,
        }
    }
}

#[cfg(test)]
mod tests;
