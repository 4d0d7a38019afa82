//! The server as a whole: what it owns, how it starts and the order in which it stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::{Archive, SystemClock, SystemDisk};
use live::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::Config;
use crate::rtmp::{Context, Listener, bind};
use crate::{platform, telemetry};

/// A server that listens but does not serve yet.
pub struct Server {
    context: Arc<Context>,
    listeners: Vec<TcpListener>,
    stop: watch::Sender<bool>,
}

/// Why a server cannot start. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", reason(source))]
    Listen {
        /// As it was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "address in use: another program, or another rtmp-server, has this port; \
             stop it or choose another port with -listen"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: ports below 1024 need rights of the administrator".to_owned()
        }
        _ => error.to_string(),
    }
}

/// What the archive is told of the settings.
fn archive_config(config: &Config) -> archive::Config {
    archive::Config {
        record_dir: config.record_dir.clone(),
        template: config.record_path.clone(),
        min_free: config.retain.record_min_free,
        retention: config.retain.rules(),
        max_recordings: config.max_streams,
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

/// Descriptors that the process needs beside those of its connections and recordings.
const SPARE_FILES: u64 = 256;

impl Server {
    /// Takes the port and opens the archive.
    ///
    /// # Errors
    /// When the address cannot be listened on. A record directory that cannot be written is logged, not an error:
    /// live streams go on without it.
    pub fn bind(config: Config) -> Result<Self, StartError> {
        let listeners = bind(&config.listen)
            .map_err(|source| StartError::Listen { address: config.listen.to_string(), source })?;
        let limits = live::Limits {
            streams: config.max_streams,
            watchers_per_stream: config.max_players,
            join_bytes: config.join_buffer,
            play_bytes: config.play_buffer,
            record_bytes: config.record_queue,
            record_total_bytes: config.record_queue_total,
            ..live::Limits::default()
        };
        let wanted = config.max_connections.saturating_add(config.max_streams) as u64;
        telemetry::file_limit(platform::raise_file_limit(), SPARE_FILES + wanted.min(4_096));
        let archive =
            Archive::open(archive_config(&config), Arc::new(SystemDisk), Arc::new(SystemClock));
        archive.recover();
        let archive = Arc::new(archive);
        let (stop, stopping) = watch::channel(false);
        let context =
            Arc::new(Context { config, registry: Registry::new(limits), archive, stopping });
        Ok(Self { context, listeners, stop })
    }

    /// The addresses that are listened on, with the ports that were given out for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|l| l.local_addr().ok()).collect()
    }

    /// Serves until `stop` completes, then finishes every file. Returns whether everything was finished in time.
    pub async fn run(self, stop: impl Future<Output = &'static str>) -> bool {
        let Self { context, listeners, stop: stopping } = self;
        for listener in &listeners {
            if let Ok(addr) = listener.local_addr() {
                telemetry::listening(addr);
            }
        }
        let record_dir = archive::path::display(&context.config.record_dir).to_string();
        if let Some(addr) = listeners.first().and_then(|l| l.local_addr().ok()) {
            telemetry::ready(addr, context.config.record_all, &record_dir);
        }
        let mut listener = Listener::new(listeners, context.clone());
        tokio::select! {
            () = listener.run() => {}
            signal = stop => telemetry::stopping(signal),
        }
        let deadline = Instant::now() + context.config.shutdown_timeout;
        // Publishers end first: that ends every run, so players and recorders come to their end by themselves.
        stopping.send_replace(true);
        let files = deadline.checked_sub(FILES_MIN).unwrap_or(deadline);
        let connections = listener.finish(files).await;
        let recordings = close_archive(&context.archive, deadline).await;
        if connections == 0 && recordings.is_empty() {
            telemetry::stopped();
            return true;
        }
        telemetry::stop_unfinished(connections, &recordings);
        false
    }
}

/// Of the time for stopping, this much is kept for the files, whatever the connections do.
const FILES_MIN: Duration = Duration::from_secs(2);

/// Closing waits for threads that wait for disks, so it has a thread of its own.
async fn close_archive(archive: &Arc<Archive>, deadline: Instant) -> Vec<String> {
    let archive = archive.clone();
    let closing = tokio::task::spawn_blocking(move || {
        archive.close(deadline.saturating_duration_since(Instant::now()))
    });
    match closing.await {
        Ok(unfinished) => unfinished.iter().map(|status| status.key.to_string()).collect(),
        Err(error) => vec![error.to_string()],
    }
}
