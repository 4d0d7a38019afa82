//! How the allocator keeps what is freed.
//!
//! glibc keeps it for the thread that freed it, up to seven of each small size, and has heaps of their own for each few
//! threads. With a thread for each recording that was a third of what a stream needs beside its pictures
//! (`docs/design/performance.md`). It can be told otherwise before a program starts, and not later.

/// What glibc is told.
const TUNABLES: (&str, &str) =
    ("GLIBC_TUNABLES", "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0");
/// Says that the program was started again for that. glibc may take its own variable out of the environment.
const STARTED_AGAIN: (&str, &str) = ("RTMP_SERVER_STARTED_AGAIN", "allocator");

/// Starts this program once more in its own place, as the same process, with an allocator that keeps little. Does
/// nothing where that was done, where somebody has set the allocator up, or where the system does not let it; then
/// recordings cost more memory, and nothing else.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn start_again() {
    use std::os::unix::process::CommandExt as _;
    let is_set_up = |name| std::env::var_os(name).is_some();
    if is_set_up(TUNABLES.0) || is_set_up(STARTED_AGAIN.0) {
        return;
    }
    let mut arguments = std::env::args_os();
    // Not by `/proc/self/exe`, which would become the name of the process.
    let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
    let mut command = std::process::Command::new(program);
    // Returns only when it could not.
    let _ = command.arg0(name).args(arguments).envs([TUNABLES, STARTED_AGAIN]).exec();
}

/// Other allocators have nothing to be told.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn start_again() {}

/// Has another program use its allocator as it is.
pub(crate) fn leave_alone(command: &mut std::process::Command) {
    if std::env::var_os(STARTED_AGAIN.0).is_some() {
        command.env_remove(TUNABLES.0);
    }
}
