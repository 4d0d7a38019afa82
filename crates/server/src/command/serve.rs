//! Runs the server until a signal.

use std::process::ExitCode;

use tokio::runtime::Builder;

use super::{EXIT_AT_ONCE, Error};
use crate::platform::StopSignals;
use crate::{Config, Server, init_logging};

/// Runs the server until SIGINT, SIGTERM or SIGHUP, then finishes every file. A second signal exits at once.
///
/// # Errors
/// When the server cannot start.
pub fn serve(config: Config) -> Result<ExitCode, Error> {
    let _logging = init_logging(config.log_level, config.log_format);
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let finished = runtime.block_on(async {
        let mut signals = StopSignals::new()?;
        let server = Server::bind(config)?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            // The receiver is there until the server has stopped.
            let _ = stop.send(signals.next().await);
            signals.next().await;
            std::process::exit(EXIT_AT_ONCE);
        });
        Ok::<_, Error>(server.run(async { stopped.await.unwrap_or("signals lost") }).await)
    })?;
    // A thread that waits for a disk that hangs must not keep the process.
    runtime.shutdown_background();
    Ok(if finished { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
