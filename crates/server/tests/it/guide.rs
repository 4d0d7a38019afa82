//! The commands of the guide do what it says: those in fences that begin with ```` ```sh run ```` are
//! run, in the order of the page, each fence by a shell of its own that stops at the first failure.
//!
//! What a page takes for granted is there: a server at the address that it names, which records
//! everything into `recordings` of the working directory; a stream `live/test` that somebody
//! publishes; and a recording of it that is complete. A new page is a line in [`PAGES`].

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::server::Server;
use testkit::tools::{self, Running};

use crate::record::{packets, publish, small, wait_until};
use crate::support::{BINARY, recording};

/// The pages, and what of them is another word while they are run: there is a recording of the last
/// minutes, not of the evening.
const PAGES: &[(&str, &[(&str, &str)])] =
    &[("docs/guide/control.md", &[("-from 20:00", "-from -1h"), ("-to 21:00", "-to now")])];

/// Longest that a fence may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The fences of a page that are to be run: each with the line that it begins on.
fn fences(page: &str) -> Vec<(usize, String)> {
    let (mut fences, mut open) = (Vec::new(), None::<(usize, String)>);
    for (number, line) in (1..).zip(page.lines()) {
        match (&mut open, line) {
            (None, "```sh run") => open = Some((number, String::new())),
            (Some(_), "```") => fences.extend(open.take()),
            (Some((_, text)), line) => {
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    assert!(open.is_none(), "a fence has no end");
    fences
}

fn run(server: &Server, script: &str) -> tools::Output {
    // Under the names that the page uses.
    let dir = Path::new(BINARY).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(dir).chain(std::env::split_paths(&path)));
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(server.dir()).env("PATH", path.unwrap());
    command.env("RTMP_SERVER_URL", format!("http://{}", server.http_addr()));
    tools::run(&mut command, TIMEOUT)
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_guide_work() {
    for (page, words) in PAGES {
        let text = std::fs::read_to_string(crate::docs::root().join(page)).unwrap();
        let mut server = recording().http().args(["-record-rejoin", "0"]).start();
        testkit::block_on(publish(&server, "live/test", &packets(1, small(), 300)));
        let http = server.api();
        let has = |path: &str, is_so: &dyn Fn(&Value) -> bool| {
            let answer = http.get(path);
            answer.status == 200 && is_so(&answer.json())
        };
        wait_until("its first recording is complete", || {
            has("/api/v1/recordings?state=complete", &|list| list["recordings"][0] != Value::Null)
        });
        let mut command = Command::new(BINARY);
        command.args(["publish", "-loop", "demo", &server.url("live/test")]);
        let publisher = Running::start(&mut command);
        wait_until("the stream is there again", || {
            has("/api/v1/streams/live%2Ftest", &|stream| {
                stream["video"]["key_frames"].as_u64() > Some(0)
            })
        });
        let fences = fences(&text);
        assert!(!fences.is_empty(), "{page} has no fence to run");
        for (line, script) in fences {
            let script = words.iter().fold(script, |script, (is, now)| script.replace(is, now));
            let script =
                script.replace("http://localhost:8080", &format!("http://{}", server.http_addr()));
            let output = run(&server, &script);
            assert!(
                output.is_success(),
                "{page}:{line}\n{script}\n{}{}",
                output.text(),
                output.stderr
            );
        }
        let _ = publisher.interrupt(TIMEOUT);
        server.stop();
    }
}

#[test]
fn only_fences_that_are_marked_are_run() {
    let page = "```sh\nno\n```\n\n```sh run\nyes\nand\n```\ntext\n```\nno\n```\n";
    assert_eq!(fences(page), [(5, "yes\nand\n".to_owned())]);
}
