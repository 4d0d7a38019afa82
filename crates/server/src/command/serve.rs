//! Runs the server until a signal.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::Builder;

use super::{EXIT_AT_ONCE, Error};
use crate::config::{Settings, Watch, reload};
use crate::platform::{self, HangupMeans, StopSignals};
use crate::{Server, init_logging, telemetry};

/// Threads that a server has from its start on beside those of its runtime: the log's, the catalog's, and those that
/// look at disks.
const OWN_THREADS: usize = 4;
/// Files that a server has open before anybody comes, with those of its catalog, and some for the first who do.
const START_FILES: u64 = 32;

/// Runs the server until SIGINT or SIGTERM, then finishes every file. A second signal exits at once. SIGHUP is a
/// request to stop as well, but with a configuration file, which is read again then.
///
/// # Errors
/// When the server cannot start.
pub fn serve(settings: Settings) -> Result<ExitCode, Error> {
    check_files(platform::raise_file_limit())?;
    try_threads(thread::available_parallelism().map_or(1, usize::from) + OWN_THREADS)?;
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

/// Whether as many files may be open as a start takes: what it could not open would be told one by one, if at all.
fn check_files(limit: Option<u64>) -> Result<(), Error> {
    match limit.filter(|limit| *limit < START_FILES) {
        None => Ok(()),
        Some(limit) => Err(format!(
            "the system lets this process have {limit} open files, and a start takes {START_FILES}; each connection \
             and each recording takes one more (limits: `ulimit -n`, `LimitNOFILE` of systemd, `--ulimit nofile` of \
             a container)"
        )
        .into()),
    }
}

/// Has so many threads at once for a moment: the runtime panics, and may hang, where the system refuses one.
fn try_threads(count: usize) -> Result<(), Error> {
    let gate = Mutex::new(());
    let pass = || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
    thread::scope(|scope| {
        let _closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count {
            thread::Builder::new().spawn_scoped(scope, pass).map_err(|error| {
                format!(
                    "the system gives fewer threads than the {count} that a start takes: {error}; a recording takes \
                     one more (limits: `ulimit -u`, `TasksMax` of systemd, `--pids-limit` of a container)"
                )
            })?;
        }
        Ok(())
    })
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
