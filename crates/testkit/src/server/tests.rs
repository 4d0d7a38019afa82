//! The harness with shell scripts in the place of the server.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// A program that logs that it listens, does `rest`, waits to be stopped and exits with `code`.
fn fake(code: i32, rest: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server");
    let script = format!(
        "#!/bin/sh\n\
         trap 'exit {code}' TERM\n\
         line() {{ echo \"{{\\\"level\\\":\\\"$1\\\",\\\"message\\\":\\\"$2\\\",$3}}\" >&2; }}\n\
         line INFO listening '\"addr\":\"127.0.0.1:4321\"'\n\
         {rest}\n\
         while true; do sleep 0.01; done\n"
    );
    // Written by another process: a copy of a descriptor that is open for writing, in a child that
    // another test is just starting, would keep the system from running it.
    let mut write = Command::new("sh");
    write.args(["-c", "printf %s \"$0\" >\"$1\" && chmod +x \"$1\"", &script]).arg(&path);
    assert!(write.status().unwrap().success());
    (dir, path)
}

fn panic_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_server_is_found_by_its_log_and_stopped() {
    let (_dir, path) = fake(0, "");
    let mut server = Server::builder(&path).arg("-record-all").start();
    assert_eq!(server.addr().port(), 4321);
    assert_eq!(server.url("live/test"), "rtmp://127.0.0.1:4321/live/test");
    assert!(server.usage().rss_bytes > 0);
    server.stop();
    server.stop();
    assert_eq!(server.logs().len(), 1);
}

#[test]
fn the_arguments_and_the_environment_reach_the_server() {
    let rest = "line INFO args \"\\\"all\\\":\\\"$*\\\",\\\"env\\\":\\\"$TESTKIT_COLOR\\\"\";";
    let (_dir, path) = fake(0, rest);
    let mut server =
        Server::builder(&path).args(["-record-all", "true"]).env("TESTKIT_COLOR", "red").start();
    let line = server.wait_for_log("args", &[("env", "red")]);
    let dir = server.record_dir().display().to_string();
    let expected = format!(
        "-listen 127.0.0.1:0 -log-format json -record-dir {dir} -http-listen off -record-all true"
    );
    assert_eq!(line.field("all"), Some(expected));
    server.stop();
}

#[test]
fn recordings_are_listed_by_name() {
    let (_dir, path) = fake(0, "");
    let mut server = Server::start(&path);
    assert!(server.recordings().is_empty());
    std::fs::create_dir(server.record_dir()).unwrap();
    for name in ["b.flv", "a.flv", "c.txt"] {
        std::fs::write(server.record_dir().join(name), "").unwrap();
    }
    let names: Vec<_> =
        server.recordings().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["a.flv", "b.flv"]);
    server.stop();
}

#[test]
fn a_line_is_waited_for_by_its_fields() {
    let rest = "sleep 0.1; line INFO done '\"n\":1'; line INFO done '\"n\":2';";
    let (_dir, path) = fake(0, rest);
    let mut server = Server::start(&path);
    assert_eq!(server.wait_for_log("done", &[("n", "2")]).field("n").as_deref(), Some("2"));
    assert_eq!(server.wait_for_logs("done", &[], 2).len(), 2);
    server.stop();
}

#[test]
fn a_line_that_does_not_come_is_told_with_the_log() {
    let (_dir, path) = fake(0, "");
    let mut server = Server::start(&path);
    let patience = std::mem::replace(&mut server.deadline, Duration::from_millis(300));
    let text = panic_of(|| drop(server.wait_for_log("never", &[])));
    assert!(text.contains("\"never\"") && text.contains("listening"), "{text}");
    server.deadline = patience;
    server.stop();
}

#[test]
fn a_server_that_ends_is_not_waited_for() {
    let (_dir, path) = fake(0, "exit 0");
    let mut server = Server::start(&path);
    let text = panic_of(|| drop(server.wait_for_log("never", &[])));
    assert!(text.contains("the server ended"), "{text}");
    assert!(server.wait().success());
}

#[test]
fn a_server_that_does_not_listen_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = Server::builder(dir.path().join("none")).try_start().unwrap_err();
    assert!(error.contains("cannot start"), "{error}");
    let error = Server::builder("false").try_start().unwrap_err();
    assert!(error.contains("the server ended"), "{error}");
}

#[test]
fn unannounced_warnings_errors_and_other_output_fail_the_test() {
    for trouble in ["line WARN odd '\"n\":1';", "line ERROR odd '\"n\":1';", "echo odd >&2;"] {
        let (_dir, path) = fake(0, trouble);
        let mut server = Server::start(&path);
        server.wait_for_log("odd", &[]);
        let text = panic_of(|| server.stop());
        assert!(text.contains("not announced"), "{text}");
        server.allow("odd");
        server.stop();

        let server = Server::start(&path);
        server.wait_for_log("odd", &[]);
        let text = panic_of(|| drop(server));
        assert!(text.contains("not announced"), "{text}");
    }
}

#[test]
fn a_wrong_exit_code_fails_the_test() {
    let (_dir, path) = fake(3, "");
    let mut server = Server::start(&path);
    let text = panic_of(|| server.stop());
    assert!(text.contains("exit status: 3"), "{text}");
}

#[test]
fn no_process_is_left_behind() {
    let (_dir, path) = fake(0, "trap '' TERM INT");
    let server = Server::start(&path);
    let pid = server.pid();
    drop(server);
    assert!(Usage::of(pid).is_err(), "the process is still there");

    let mut server = Server::builder(&path).start();
    let pid = server.pid();
    server.interrupt();
    server.kill();
    assert!(Usage::of(pid).is_err(), "the process is still there");
}
