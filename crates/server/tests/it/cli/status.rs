//! `rtmp-server status`

use serde_json::Value;
use testkit::server::Server;
use testkit::tools::{self, Output};
use testkit::{Publisher, block_on};

use super::{TIMEOUT, code, command};
use crate::record::{packets, small, wait_until};
use crate::support::recording;

fn status(server: &Server, args: &[&str]) -> Output {
    let mut command = command(["status"].iter().chain(args));
    command.env("RTMP_SERVER_URL", format!("http://{}", server.http_addr()));
    tools::run(&mut command, TIMEOUT)
}

/// A server with a stream that is being recorded.
async fn live() -> (Server, Publisher) {
    let server = recording().http().start();
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    publisher.send_all(&packets(1, small(), 200)).await.unwrap();
    server.wait_for_log("recorder initialized", &[]);
    (server, publisher)
}

#[test]
fn a_server_is_described_once_where_nobody_watches() {
    block_on(async {
        let (mut server, publisher) = live().await;
        let mut text = String::new();
        wait_until("the stream is shown", || {
            let output = status(&server, &[]);
            assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
            text = output.text();
            text.contains("live/test") && text.contains("\nDISK ")
        });
        let head = format!(
            "rtmp-server {} at http://{}, up ",
            env!("CARGO_PKG_VERSION"),
            server.http_addr()
        );
        assert!(text.starts_with(&head), "{text}");
        assert!(text.lines().next().unwrap().ends_with(", ready"), "{text}");
        assert!(text.contains(", 1 publisher, 0 viewers, 1 recording"), "{text}");
        let stream = text.lines().find(|line| line.starts_with("live/test ")).unwrap();
        assert!(
            stream.contains("  H.264 ") && stream.contains("  AAC ") && stream.ends_with("  all"),
            "{stream}"
        );
        assert!(text.contains("\nDISK "), "{text}");
        assert!(text.contains("  recording.started  live/test  "), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");

        let output = status(&server, &["-json"]).success();
        let all: Value = serde_json::from_str(&output.text()).unwrap();
        assert_eq!(all["ready"]["ready"], true);
        assert_eq!(all["streams"][0]["key"], "live/test");
        assert_eq!(all["streams"][0]["recordings"][0]["state"], "recording");
        assert!(all["disks"][0]["total_bytes"].as_u64() > Some(0));
        assert_eq!(all["server"]["publishers"], 1);
        assert!(!all["events"].as_array().unwrap().is_empty());
        publisher.close().await.unwrap();
        server.stop();
    });
}

/// In a terminal of its own, which `script` makes.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_drawn_over_and_left_as_it_was() {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};
    let Some(script) = tools::program("script") else { return };
    block_on(async {
        let (mut server, publisher) = live().await;
        let program = format!(
            "stty cols 70 rows 20; {} status -server http://{}; echo left $? $(stty -a | grep -o ' -*icanon')",
            crate::support::BINARY,
            server.http_addr()
        );
        let mut child = Command::new(script)
            .args(["-qefc", &program, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut seen = Vec::new();
        let mut read_until = |seen: &mut Vec<u8>, what: &dyn Fn(&str) -> bool| {
            let mut buffer = [0; 4_096];
            while !what(&String::from_utf8_lossy(seen)) {
                let n = screen.read(&mut buffer).unwrap();
                assert!(n > 0, "{}", String::from_utf8_lossy(seen));
                seen.extend_from_slice(&buffer[..n]);
            }
        };
        // Drawn twice, each time from the top.
        read_until(&mut seen, &|text| {
            text.matches("\u{1b}[Hrtmp-server ").count() >= 2 && text.contains("live/test")
        });
        keys.write_all(b"q").unwrap();
        read_until(&mut seen, &|text| text.contains("left "));
        let text = String::from_utf8_lossy(&seen).into_owned();
        let (before, after) = text.split_once("\u{1b}[?1049l").unwrap();
        assert!(before.contains("\u{1b}[?1049h") && before.contains("\u{1b}[?25l"), "{text:?}");
        assert!(after.contains("\u{1b}[?25h") && after.contains("left 0"), "{text:?}");
        drop(keys);
        child.wait().unwrap();
        publisher.close().await.unwrap();
        server.stop();
    });
}
