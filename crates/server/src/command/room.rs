//! Whether the system gives the files and threads that a command takes, found out in one line: what is refused later is
//! told one by one, if at all, and the runtime panics for want of some.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Error;
use crate::platform;

/// Files that a command has open before it comes to its work, and a server with its catalog, with some for the first
/// who come.
const FILES: usize = 32;
/// What a thread takes of the address space: its stack, and room for what it allocates.
const THREAD_BYTES: usize = (2 << 20) + (256 << 10);

/// Has so many threads and files at once for a moment. `what` takes them.
pub(super) fn check(what: &str, threads: usize) -> Result<(), Error> {
    try_files(what, platform::raise_file_limit())?;
    try_threads(what, threads)
}

fn try_files(what: &str, limit: Option<u64>) -> Result<(), Error> {
    let files: io::Result<Vec<_>> = (0..FILES / 2).map(|_| io::pipe()).collect();
    let error = match files {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let limit = limit.map_or_else(|| error.to_string(), |limit| format!("{limit} open files"));
    Err(format!(
        "the system lets this process have {limit}, and {what} takes {FILES} more than it has; each connection and \
         each recording takes one (limits: `ulimit -n`, `LimitNOFILE` of systemd, `--ulimit nofile` of a container)"
    )
    .into())
}

fn try_threads(what: &str, count: usize) -> Result<(), Error> {
    // A thread that gets no memory fails as one too many does, or ends the process.
    Vec::<u8>::new().try_reserve_exact(count.saturating_mul(THREAD_BYTES)).map_err(|_| {
        format!(
            "the system has too little memory for the {count} threads that {what} takes; each recording takes one more \
             (limits: `ulimit -v`, `LimitAS` of systemd, the memory of the machine)"
        )
    })?;
    let gate = Mutex::new(());
    let pass = || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
    thread::scope(|scope| {
        let _closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count {
            thread::Builder::new().spawn_scoped(scope, pass).map_err(|error| {
                format!(
                    "the system gives fewer threads than the {count} that {what} takes: {error}; each recording takes \
                     one more (limits: `ulimit -u`, `TasksMax` of systemd, `--pids-limit` of a container)"
                )
            })?;
        }
        Ok(())
    })
}
