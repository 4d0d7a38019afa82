//! The server as a whole: what it owns, how it starts and the order in which it stops.

mod reload;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use archive::{Archive, Observer, SystemClock, SystemDisk};
use live::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::Config;
use crate::config::{HttpListen, Settings};
use crate::director::Director;
use crate::drain::Drain;
use crate::http::{self, Api, Outlook};
use crate::hub::Hub;
use crate::pictures::{Pictures, Program};
use crate::rtmp::{Context, Listener, bind};
use crate::sessions::Sessions;
use crate::{platform, telemetry};

pub(crate) use reload::policy;
use reload::{archive_config, live_limits};

pub use reload::Reload;

/// A server that listens but does not serve yet.
pub struct Server {
    context: Arc<Context>,
    listeners: Vec<TcpListener>,
    http: Vec<TcpListener>,
    http_limits: http::Limits,
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
    /// The address of the HTTP server cannot be listened on.
    #[error("cannot listen on {address} for HTTP: {}", http_reason(source))]
    Http {
        /// As it was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Others reach the HTTP server, and it has no token.
    #[error("-http-listen {address} is reached from other machines and needs a token")]
    NoToken {
        /// As it was asked for.
        address: String,
    },
}

fn http_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "address in use: choose another port with -http-listen, or turn HTTP off with \
             -http-listen off"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// Takes the port of HTTP.
fn bind_http(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    let (listen, moves_on) = match &config.http_listen {
        HttpListen::Off => return Ok(Vec::new()),
        HttpListen::Default(listen) => (listen, true),
        HttpListen::Asked(listen) => (listen, false),
    };
    let address = listen.to_string();
    let sockets = match http::bind(listen, moves_on) {
        Ok(sockets) => sockets,
        Err(source) => return Err(StartError::Http { address, source }),
    };
    let addrs: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    // The configuration sees to it; a name may have come to stand for something else since.
    let is_own = addrs.iter().all(|addr| addr.ip().to_canonical().is_loopback());
    if config.api_token.is_none() && !is_own {
        return Err(StartError::NoToken { address });
    }
    if let Some(addr) = addrs.first()
        && moves_on
        && addr.port() != listen.port()
    {
        telemetry::http_moved(listen.port(), *addr);
    }
    Ok(sockets)
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

/// Descriptors that the process needs beside those of its connections and recordings.
const SPARE_FILES: u64 = 256;

impl Server {
    /// Takes the port and opens the archive.
    ///
    /// # Errors
    /// When the address cannot be listened on. A record directory that cannot be written is logged, not an error:
    /// live streams go on without it.
    pub fn bind(settings: Settings) -> Result<Self, StartError> {
        let config = settings.config.clone();
        let listeners = bind(&config.listen)
            .map_err(|source| StartError::Listen { address: config.listen.to_string(), source })?;
        let http = bind_http(&config)?;
        let wanted = config.max_connections.saturating_add(config.max_streams) as u64;
        let files = platform::raise_file_limit();
        telemetry::file_limit(files, SPARE_FILES + wanted.min(4_096));
        let hub = Arc::new(Hub::default());
        let told = hub.clone();
        let outlook = Arc::new(Outlook::default());
        let seen = outlook.clone();
        let pictures = Arc::new(Pictures::default());
        let shown = pictures.clone();
        let tell = move |notice: archive::Notice| {
            seen.see(&notice);
            if let archive::Notice::Deleted { id, .. } = notice {
                shown.forget(id);
            }
            told.tell(notice.into());
        };
        let (disk, clock) = (Arc::new(SystemDisk), Arc::new(SystemClock));
        let archive = Archive::open(archive_config(&settings), disk, clock, Observer::new(tell));
        archive.recover();
        let archive = Arc::new(archive);
        archive.set_policy(policy(&settings));
        let director = Arc::new(Director::new(archive.clone(), &settings));
        let (stop, stopping) = watch::channel(false);
        let registry = Registry::new(live_limits(&config));
        let settings = ArcSwap::from_pointee(settings);
        let sessions = Arc::new(Sessions::new(hub.clone()));
        let context = Arc::new(Context {
            fanout: Arc::default(),
            config,
            settings,
            registry,
            archive,
            director,
            sessions,
            drain: Drain::default(),
            outlook,
            pictures,
            hub,
            stopping,
        });
        let http_limits = http::Limits::new(files);
        Ok(Self { context, listeners, http, http_limits, stop })
    }

    /// The addresses that are listened on, with the ports that were given out for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|l| l.local_addr().ok()).collect()
    }

    /// For giving it other settings while it runs.
    pub fn reload(&self) -> Reload {
        Reload(self.context.clone())
    }

    /// Serves until `stop` completes, then finishes every file. Returns whether everything was finished in time.
    pub async fn run(self, stop: impl Future<Output = &'static str>) -> bool {
        let Self { context, listeners, http, http_limits, stop: stopping } = self;
        for listener in &listeners {
            if let Ok(addr) = listener.local_addr() {
                telemetry::listening(addr);
            }
        }
        let (stop_http, http_stopped) = watch::channel(false);
        for addr in http.iter().filter_map(|l| l.local_addr().ok()) {
            telemetry::http_listening(addr);
        }
        let flags = &context.config.pictures;
        if !http.is_empty() && flags.pictures {
            telemetry::pictures(&Program::find(&flags.ffmpeg), &flags.ffmpeg);
        }
        let api = Arc::new(Api::new(context.clone(), http_limits));
        let router = http::router(&api);
        let http = tokio::spawn(async move {
            tokio::select! {
                () = http::serve(http, router, http_limits, http_stopped) => {}
                () = api.watch_rates() => {}
            }
            api.close().await;
        });
        let record_dir = archive::path::display(&context.config.record_dir).to_string();
        if let Some(addr) = listeners.first().and_then(|l| l.local_addr().ok()) {
            let recorders = context.settings.load();
            let recorders = recorders.recorders.iter().filter(|recorder| recorder.enabled).count();
            telemetry::ready(addr, context.config.record_all, recorders, &record_dir);
        }
        let mut listener = Listener::new(listeners, context.clone());
        tokio::select! {
            () = listener.run() => {}
            () = context.director.run() => {}
            signal = stop => telemetry::stopping(signal),
        }
        let deadline = Instant::now() + context.config.shutdown_timeout;
        // Publishers end first: that ends every run, so players and recorders come to their end by themselves.
        stopping.send_replace(true);
        let files = deadline.checked_sub(FILES_MIN).unwrap_or(deadline);
        let connections = listener.finish(files).await;
        let recordings = close_archive(&context.archive, deadline).await;
        // Last, so that how far stopping has come can be asked until then.
        stop_http.send_replace(true);
        let _ = http.await;
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

/// Closing waits for threads that wait for disks, so it has a thread of its own. Where none can be had this one waits:
/// of the server's own tasks nothing is left to be done.
async fn close_archive(archive: &Arc<Archive>, deadline: Instant) -> Vec<String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let close = {
        let archive = archive.clone();
        move || archive.close(deadline.saturating_duration_since(Instant::now()))
    };
    let closing = close.clone();
    let begun = thread::Builder::new().name("stop".to_owned()).spawn(move || tell.send(closing()));
    let unfinished = match begun {
        Ok(_) => told.await.map_err(|error| error.to_string()),
        Err(_) => Ok(close()),
    };
    match unfinished {
        Ok(unfinished) => unfinished.iter().map(|status| status.key.to_string()).collect(),
        Err(error) => vec![error],
    }
}
