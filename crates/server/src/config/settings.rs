//! The settings as a whole: what flags, environment and file say together, and what a change of
//! them means for a server that runs.
//!
//! A flag beats the environment, which beats the file, which beats the default. Each value is read
//! by the parser of the flag, wherever it comes from.

mod given;
mod token;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use super::problem::Problem;
use super::{Config, Recorder, file};
use crate::cli::{self, Stop};

use given::Given;
#[cfg(test)]
pub(super) use given::{flags, variable};

/// Before the name of a flag in the environment: `RTMP_SERVER_RECORD_ALL`.
const PREFIX: &str = "RTMP_SERVER_";

/// What the server is to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings of the server.
    pub config: Config,
    /// Everything that is recorded without being asked for: that of `-record-all true`, then those
    /// of the file in its order.
    pub recorders: Vec<Recorder>,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// What each setting was given as, in the order of the flags.
    shown: Vec<Shown>,
    /// Of the bytes of the file.
    stamp: Option<u64>,
    given: Given,
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// The configuration file, at this line.
    File(usize),
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl Source {
    /// The word for people and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(_) => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// A setting as it is shown: without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The flag's name, without a dash.
    pub name: String,
    /// As it was given; a secret as `set`.
    pub value: String,
    /// What it is if nobody says anything; empty for nothing.
    pub default: String,
    /// Where the value comes from.
    pub source: Source,
}

/// What a reload found.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// The settings that are to apply from now on. What needs a restart is as it was.
    pub settings: Settings,
    /// Settings that have changed and need a restart, by the names of their flags.
    pub needs_restart: Vec<&'static str>,
}

impl Settings {
    /// Every setting and where it comes from, in the order of the flags.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// How much of a stream is to be kept in memory: the longest that its recorders want, or that
    /// is kept of every stream.
    pub fn pre_roll(&self, key: &str) -> std::time::Duration {
        let meant = self.recorders.iter().filter(|r| r.enabled && r.matches(key));
        meant.map(|recorder| recorder.pre_roll).fold(self.config.pre_roll, Ord::max)
    }

    /// The directories of recorders that are not the record directory, each once.
    pub fn dirs(&self) -> Vec<PathBuf> {
        let dirs = self.recorders.iter().filter_map(|recorder| recorder.dir.clone());
        let dirs = dirs.filter(|dir| *dir != self.config.record_dir);
        dirs.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What the file was like when it was read; `None` without one.
    pub(super) fn stamp(&self) -> Option<u64> {
        self.stamp
    }
}

impl Default for Settings {
    /// Those of a server that nobody told anything.
    fn default() -> Self {
        Self {
            config: Config::default(),
            recorders: Vec::new(),
            file: None,
            shown: Vec::new(),
            stamp: None,
            given: Given { args: vec!["rtmp-server".into()], ..Given::default() },
        }
    }
}

/// Reads the command line (the program's name first), the environment and the configuration file.
///
/// # Errors
/// Help that was asked for, or what is wrong: one line each.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, Stop> {
    let args: Vec<OsString> = args.into_iter().collect();
    cli::parse(args.iter().cloned())?;
    examine(args, env).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Stop::Wrong(lines.join("\n"))
    })
}

/// The same for who shows the problems one by one.
///
/// # Errors
/// Everything that is wrong.
pub fn examine(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, Vec<Problem>> {
    given(args, env).read(file::read)
}

/// The same with the bytes of a file that need not be there.
#[cfg(any(test, fuzzing))]
pub(crate) fn examine_bytes(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    bytes: &[u8],
) -> Result<Settings, Vec<Problem>> {
    given(args, env).read(|_| Ok(bytes.to_vec()))
}

fn given(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Given {
    let is_ours = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        // An empty one is as good as none: there is no other way to say so in many places.
        (!value.is_empty()).then_some((name, value))
    };
    let args = args.into_iter().collect();
    Given { args, env: env.into_iter().filter_map(is_ours).collect() }
}

/// Reads the file again. The command line and the environment are those of the start.
///
/// # Errors
/// Everything that is wrong; then nothing is to change.
pub fn reload(running: &Settings) -> Result<Reloaded, Vec<Problem>> {
    let mut settings = running.given.read(file::read_again)?;
    let mut needs_restart = Vec::new();
    for (name, is_same, keep) in RESTART {
        if !is_same(&settings.config, &running.config) {
            keep(&mut settings.config, &running.config);
            let shown = running.shown.iter().find(|shown| shown.name == *name);
            let now = settings.shown.iter_mut().find(|shown| shown.name == *name);
            if let (Some(shown), Some(now)) = (shown, now) {
                shown.clone_into(now);
            }
            needs_restart.push(*name);
        }
    }
    Ok(Reloaded { settings, needs_restart })
}

/// A setting that a running server cannot change: its name, whether two configurations agree on it,
/// and how one takes it from another.
type Fixed = (&'static str, fn(&Config, &Config) -> bool, fn(&mut Config, &Config));

macro_rules! fixed {
    ($($name:literal $field:ident),* $(,)?) => {
        &[$((
            $name,
            |a, b| a.$field == b.$field,
            |to, from| from.$field.clone_into(&mut to.$field),
        )),*]
    };
}

/// What needs a restart: sockets, the limits that are handed out at the start, and the directory
/// that holds the catalog. Everything else applies at once.
pub(super) const RESTART: &[Fixed] = fixed![
    "listen" listen,
    "http-listen" http_listen,
    "record-dir" record_dir,
    "log-format" log_format,
    "publish-timeout" publish_timeout,
    "play-timeout" play_timeout,
    "play-hold" play_hold,
    "shutdown-timeout" shutdown_timeout,
    "max-connections" max_connections,
    "max-connections-per-address" max_connections_per_address,
    "max-handshakes" max_handshakes,
    "max-streams" max_streams,
    "max-players" max_players,
    "max-message-size" max_message_size,
    "join-buffer" join_buffer,
    "play-buffer" play_buffer,
    "record-queue" record_queue,
    "record-queue-total" record_queue_total,
    "pre-roll-buffer" pre_roll_buffer,
];

/// What a file is like, to see that it has changed.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
