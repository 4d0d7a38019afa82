//! Runs the server until a signal.

use std::process::ExitCode;
use std::thread;

use tokio::runtime::Builder;

use super::{EXIT_AT_ONCE, Error, room};
use crate::config::{Settings, Watch, reload};
use crate::platform::{HangupMeans, StopSignals};
use crate::{Server, init_logging, telemetry};

/// Threads that a server has from its start on beside those of its runtime: the log's, the catalog's, and those that
/// look at disks.
const OWN_THREADS: usize = 4;

/// Runs the server until SIGINT or SIGTERM, then finishes every file. A second signal exits at once. SIGHUP is a
/// request to stop as well, but with a configuration file, which is read again then.
///
/// # Errors
/// When the server cannot start.
pub fn serve(settings: Settings) -> Result<ExitCode, Error> {
    room::check("a start", thread::available_parallelism().map_or(1, usize::from) + OWN_THREADS)?;
    let config = &settings.config;
    let _logging = init_logging(config.log_level, config.log_format);
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let finished = runtime.block_on(async {
        let hangup = match settings.file {
            Some(_) => HangupMeans::Reload,
            None => HangupMeans::Stop,
        };
        let mut signals = StopSignals::new(hangup)?;
        let watch = Watch::new(&settings)?;
        if let Some(file) = &settings.file {
            telemetry::configuration_loaded(file, settings.recorders.len());
        }
        let server = Server::bind(settings.clone())?;
        let reload = server.reload();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            // The receiver is there until the server has stopped.
            let _ = stop.send(signals.next().await);
            signals.next().await;
            std::process::exit(EXIT_AT_ONCE);
        });
        let run = server.run(async { stopped.await.unwrap_or("signals lost") });
        let finished = tokio::select! {
            finished = run => finished,
            never = follow(watch, settings, |settings| reload.apply(settings)) => match never {},
        };
        Ok::<_, Error>(finished)
    })?;
    // A thread that waits for a disk that hangs must not keep the process.
    runtime.shutdown_background();
    Ok(if finished { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the configuration again whenever that is due, and hands on what is to apply from then on. One that is not
/// right changes nothing.
async fn follow(
    mut watch: Watch,
    mut settings: Settings,
    apply: impl Fn(&Settings),
) -> std::convert::Infallible {
    loop {
        let cause = watch.changed().await.name();
        let running = settings.clone();
        // It waits for a disk.
        let read = tokio::task::spawn_blocking(move || reload(&running)).await;
        match read {
            Ok(Ok(reloaded)) => {
                settings = reloaded.settings;
                if let Some(file) = &settings.file {
                    telemetry::configuration_reloaded(file, settings.recorders.len(), cause);
                }
                telemetry::needs_restart(&reloaded.needs_restart);
                apply(&settings);
            }
            Ok(Err(problems)) => telemetry::configuration_refused(&problems, cause),
            // A fault of the program, which its panic has told.
            Err(_) => {}
        }
    }
}
