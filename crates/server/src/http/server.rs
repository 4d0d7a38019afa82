//! The server itself: what it is, what it was told, its disks and its log.

use std::sync::Arc;

use archive::{DiskState, DiskStatus};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Body;
use super::problem::{Code, Problem};
use super::{Api, shape, time};
use crate::config::{LogLevel, Source};
use crate::telemetry;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(server))
        .routes(routes!(config))
        .routes(routes!(disks))
        .routes(routes!(log_level, set_log_level))
}

/// The server.
#[derive(Debug, Serialize, ToSchema)]
struct Server {
    /// Always `rtmp-server`.
    #[schema(example = "rtmp-server")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Since when it runs.
    #[schema(example = "2026-11-29T14:00:00.000+01:00")]
    started: String,
    uptime_ms: u64,
    /// Now, by its clock.
    time: String,
    /// Its process.
    pid: u32,
    connections: usize,
    publishers: usize,
    /// Players, with those that wait.
    players: usize,
    /// Recordings that run.
    recordings: usize,
    /// Bytes of media that wait for disks.
    record_queue_bytes: usize,
    traffic: Traffic,
    /// Events since the start.
    events: u64,
    pictures: super::pictures::Status,
}

/// What RTMP connections have carried since the start.
#[derive(Debug, Serialize, ToSchema)]
struct Traffic {
    /// Read from all connections.
    received_bytes: u64,
    /// Written to all connections.
    sent_bytes: u64,
    /// Messages of publishers.
    received_packets: u64,
    /// Messages to players.
    sent_packets: u64,
}

/// The server, in figures
#[utoipa::path(get, path = "/server", tag = "server", operation_id = "show_server",
    responses((status = 200, description = "The server", body = Server)))]
async fn server(State(api): State<Arc<Api>>) -> Json<Server> {
    let context = &api.context;
    let counts = context.sessions.counts();
    let traffic = context.sessions.traffic();
    let uptime = api.started.1.elapsed();
    Json(Server {
        name: "rtmp-server",
        version: env!("CARGO_PKG_VERSION"),
        started: time::text(&api.started.0),
        uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        time: time::now(),
        pid: std::process::id(),
        connections: counts.connections,
        publishers: counts.publishers,
        players: counts.players,
        recordings: context.archive.list().len(),
        record_queue_bytes: context.registry.backlog_bytes(),
        traffic: Traffic {
            received_bytes: traffic.bytes_in,
            sent_bytes: traffic.bytes_out,
            received_packets: traffic.packets_in,
            sent_packets: traffic.packets_out,
        },
        events: context.hub.told(),
        pictures: super::pictures::Status::new(
            &context.settings.load().config.pictures,
            &context.pictures,
        ),
    })
}

/// What the server was told.
#[derive(Debug, Serialize, ToSchema)]
struct Config {
    /// The configuration file, if there is one.
    file: Option<String>,
    /// All settings, in the order of the flags.
    settings: Vec<Setting>,
    /// The names of the recorders.
    recorders: Vec<String>,
}

/// One setting.
#[derive(Debug, Serialize, ToSchema)]
struct Setting {
    /// The flag's name, without a dash.
    #[schema(example = "record-dir")]
    name: String,
    /// As it was given; a secret as `set`, nothing as an empty text.
    #[schema(example = "recordings")]
    value: String,
    /// What it is if nobody says anything.
    #[schema(example = "recordings")]
    default: String,
    /// `default`, `file`, `environment` or `flag`.
    #[schema(example = "default")]
    source: &'static str,
    /// The line of the file that says so.
    line: Option<usize>,
}

/// The settings that hold now
///
/// As they came to be from the command line, the environment and the file; without secrets.
#[utoipa::path(get, path = "/server/config", tag = "server", operation_id = "show_config",
    responses((status = 200, description = "The settings", body = Config)))]
async fn config(State(api): State<Arc<Api>>) -> Json<Config> {
    let settings = api.context.settings.load();
    let shown = settings.shown().iter().map(|shown| Setting {
        name: shown.name.clone(),
        value: shown.value.clone(),
        default: shown.default.clone(),
        source: shown.source.name(),
        line: match shown.source {
            Source::File(line) => Some(line),
            _ => None,
        },
    });
    Json(Config {
        file: settings.file.as_deref().map(shape::path),
        settings: shown.collect(),
        recorders: settings.recorders.iter().map(|recorder| recorder.name.clone()).collect(),
    })
}

/// The disks that are recorded to.
#[derive(Debug, Serialize, ToSchema)]
struct Disks {
    disks: Vec<Disk>,
}

/// A disk.
#[derive(Debug, Serialize, ToSchema)]
struct Disk {
    /// A directory on it that is recorded to.
    #[schema(example = "/var/lib/rtmp-server/recordings")]
    dir: String,
    /// The directory before it in the list that is on the same disk: all figures here are that disk's.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_disk_as: Option<String>,
    /// `good`, `low`, `full` or `hanging`; `unwritable` where no file can be made in the directory
    /// though recordings are to be made there.
    #[schema(example = "good")]
    state: &'static str,
    total_bytes: u64,
    free_bytes: u64,
    /// What recording leaves free.
    min_free_bytes: u64,
    /// What recordings write to it.
    write_bytes_per_second: u64,
    /// When recording stops for want of room, if it goes on like this.
    full_at: Option<String>,
    /// Why the directory is `unwritable`, and where: itself, or what it would be made in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "permission denied: /var/lib")]
    error: Option<String>,
}

/// The disks that are recorded to
///
/// As they were when they were looked at last, some seconds ago: no disk is asked for this.
#[utoipa::path(get, path = "/server/disks", tag = "server", operation_id = "list_disks",
    responses((status = 200, description = "The disks", body = Disks)))]
async fn disks(State(api): State<Arc<Api>>) -> Json<Disks> {
    Json(Disks { disks: shown(&api.context.archive.disks()) })
}

fn shown(known: &[DiskStatus]) -> Vec<Disk> {
    // One that has never answered tells nothing, and one that cannot be written is no place to look for figures.
    let is_told = |disk: &&DiskStatus| disk.device != 0 && disk.state != DiskState::Unwritable;
    let first = |device| known.iter().filter(is_told).find(|disk| disk.device == device);
    let shown = known.iter().map(|disk| Disk {
        dir: shape::path(&disk.dir),
        same_disk_as: first(disk.device)
            .filter(|first| is_told(&disk) && first.dir != disk.dir)
            .map(|first| shape::path(&first.dir)),
        state: disk.state.name(),
        total_bytes: disk.total_bytes,
        free_bytes: disk.free_bytes,
        min_free_bytes: disk.min_free_bytes,
        write_bytes_per_second: disk.write_bytes_per_second,
        full_at: disk.full_in.and_then(time::after),
        error: disk.obstacle.clone(),
    });
    shown.collect()
}

/// The least level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// Each packet as well.
    Debug,
    Info,
    Warn,
    Error,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// What is logged.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"level": "debug"}))]
struct Log {
    level: Level,
}

/// The least level that is logged
#[utoipa::path(get, path = "/server/log-level", tag = "server", operation_id = "show_log_level",
    responses((status = 200, description = "The level", body = Log)))]
async fn log_level(State(api): State<Arc<Api>>) -> Json<Log> {
    let level = telemetry::level().unwrap_or(api.context.config.log_level);
    Json(Log { level: level.into() })
}

/// Log from another level on
///
/// At once and until the server ends. `debug` writes a line for each packet.
#[utoipa::path(put, path = "/server/log-level", tag = "server", operation_id = "set_log_level",
    request_body = Log,
    responses((status = 200, description = "The level from now on", body = Log)))]
async fn set_log_level(Body(log): Body<Log>) -> Result<Json<Log>, Problem> {
    match telemetry::set_level(log.level.into()) {
        true => Ok(Json(log)),
        false => Err(Problem::new(Code::Internal, "the log is not this server's to change")),
    }
}

#[cfg(test)]
mod tests;
