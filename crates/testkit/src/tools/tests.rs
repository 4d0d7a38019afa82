use std::time::Instant;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Waits until a program has made the file that says so.
fn wait_until_ready(running: &mut Running, dir: &Path) {
    let start = Instant::now();
    while !dir.join("ready").exists() {
        assert!(running.is_running() && start.elapsed() < LONG);
        thread::yield_now();
    }
}

#[test]
fn output_and_exit_code_are_kept() {
    let output = run(&mut shell("echo out; echo err >&2; exit 3"), LONG);
    assert_eq!((output.text().as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(output.status.and_then(|status| status.code()), Some(3));
    assert!(!output.is_success());
    assert!(run(&mut shell("true"), LONG).success().is_success());
}

#[test]
fn a_program_that_writes_much_is_not_held_up() {
    let output = run(&mut shell("head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2"), LONG);
    assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 300_000));
}

#[test]
fn a_program_whose_time_is_over_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    // The second sleep holds the pipes, so that waiting for it would take its time.
    let script = "echo $$; : >ready; sleep 100 & sleep 100";
    let mut running = Running::start(shell(script).current_dir(dir.path()));
    wait_until_ready(&mut running, dir.path());
    let start = Instant::now();
    let output = running.wait(Duration::from_millis(200));
    assert!(output.status.is_none() && start.elapsed() < LONG);
    assert_eq!(output.text().lines().count(), 1);
}

#[test]
fn a_program_beside_the_test_is_interrupted_or_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap 'exit 7' INT; : >ready; while true; do sleep 0.01; done";
    let mut running = Running::start(shell(script).current_dir(dir.path()));
    wait_until_ready(&mut running, dir.path());
    let output = running.interrupt(LONG);
    assert_eq!(output.status.and_then(|status| status.code()), Some(7));

    let running = Running::start(&mut shell("sleep 100"));
    let pid = running.child.id();
    drop(running);
    #[cfg(target_os = "linux")]
    assert!(crate::process::Usage::of(pid).is_err());
}

#[test]
fn the_line_of_xtask_is_read() {
    let text = "OTHER=1\nRTMP_SERVER_TEST_FFMPEG9=/opt/a b/ffmpeg\n";
    assert_eq!(named_in(text, FFMPEG9), Some(PathBuf::from("/opt/a b/ffmpeg")));
    assert_eq!(named_in("RTMP_SERVER_TEST_FFMPEG90=x", FFMPEG9), None);
    assert_eq!(find("no-such-program"), None);
    assert!(find("sh").is_some());
}
