//! What the parts of a server are told of its settings, at the start and whenever they change.

use std::sync::Arc;

use archive::Policy;
use jiff::Zoned;

use crate::config::{Config, Settings};
use crate::rtmp::Context;
use crate::telemetry;

/// Gives a running server other settings.
#[derive(Clone)]
pub struct Reload(pub(super) Arc<Context>);

impl Reload {
    /// Takes settings over: what is recorded, how and for how long, the log's level and the token of
    /// the API. What needs a restart is to be as it was, which [`crate::config::reload`] sees to.
    pub fn apply(&self, settings: &Settings) {
        let context = &*self.0;
        let mut settings = settings.clone();
        let before = context.settings.load_full();
        // The port is the one of the start: others may reach it, though a new configuration that
        // has no token says otherwise.
        if settings.config.api_token.is_none() {
            settings.config.api_token.clone_from(&before.config.api_token);
        }
        context.settings.store(Arc::new(settings.clone()));
        context.archive.set_dirs(&settings.dirs());
        context.archive.set_policy(policy(&settings));
        context.director.configure(&settings, &Zoned::now());
        // A level that was set while the server ran stays until the file says another one.
        if before.config.log_level != settings.config.log_level {
            telemetry::set_level(settings.config.log_level);
        }
    }
}

/// What the archive begins with.
pub(super) fn archive_config(settings: &Settings) -> archive::Config {
    let config = &settings.config;
    let enabled = settings.recorders.iter().filter(|recorder| recorder.enabled);
    archive::Config {
        record_dir: config.record_dir.clone(),
        dirs: settings.dirs(),
        wanted: enabled.map(|recorder| recorder.plan(config).dir).collect(),
        format: config.record_format,
        template: config.record_path.clone(),
        min_free: config.retain.record_min_free,
        retention: config.retain.rules(),
        bin_grace: config.bin_grace,
        // Several recorders may record one stream.
        max_recordings: config.max_streams.saturating_mul(4),
        flush: config.record_flush,
        sync: config.record_sync,
        rotation: archive::Rotation {
            duration: config.record_rotate_duration,
            size_bytes: config.record_rotate_size,
            every: config.record_rotate_every,
            schedule: config.record_rotate_schedule.clone(),
        },
        rejoin: config.record_rejoin,
        checksum_files: config.record_checksum_files,
        ..archive::Config::default()
    }
}

/// What is deleted when.
pub(crate) fn policy(settings: &Settings) -> Policy {
    let config = &settings.config;
    let rules = settings
        .recorders
        .iter()
        .filter_map(|recorder| recorder.retention.map(|rules| (recorder.name.clone(), rules)));
    Policy {
        retention: config.retain.rules(),
        by_recorder: rules.collect(),
        min_free: config.retain.record_min_free,
        bin_grace: config.bin_grace,
    }
}

/// What live streams may hold in memory.
pub(super) fn live_limits(config: &Config) -> live::Limits {
    live::Limits {
        streams: config.max_streams,
        watchers_per_stream: config.max_players,
        join_bytes: config.join_buffer,
        play_bytes: config.play_buffer,
        record_bytes: config.record_queue,
        record_total_bytes: config.record_queue_total,
        pre_roll_bytes: config.pre_roll_buffer,
        ..live::Limits::default()
    }
}

#[cfg(test)]
mod tests;
