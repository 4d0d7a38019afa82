//! Another configuration while streams run: it applies to them, and costs nobody a packet.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use testkit::{Server, block_on};

use crate::http::{builder, publish, until};
use crate::record::parts::{Part, assert_joined, assert_one_recording, assert_verified, parts};
use crate::record::{Live, small};
use crate::support::BINARY;

const STREAMS: u32 = 50;
/// What is said of a file that is wrong.
const REFUSED: &str = "configuration not reloaded: nothing has changed";

/// What the file says, one after the other; the third is wrong.
const FILES: [&str; 5] = [
    "[[recorder]]\nname = 'cams'\nstreams = ['live/*']\n",
    "[[recorder]]\nname = 'cams'\nstreams = ['live/*']\nrotate-duration = '1s'\n\
     path = '{recorder}_{stream_key}_{timestamp}'\n\
     [[recorder]]\nname = 'sound'\nstreams = ['live/*']\ntracks = 'audio'\n",
    "[[recorder]]\nname = 'cams'\nstreems = ['live/*']\n",
    "[[recorder]]\nname = 'cams'\nstreams = ['live/*']\nflush = '200ms'\n\
     [[recorder]]\nname = 'sound'\nstreams = ['other/*']\ntracks = 'audio'\n",
    "[[recorder]]\nname = 'cams'\nstreams = ['live/*']\nlabels = { set = 'late' }\n",
];

fn write(dir: &Path, text: &str) {
    // As an editor does: another file in its place.
    std::fs::write(dir.join("new"), text).unwrap();
    std::fs::rename(dir.join("new"), dir.join("s.toml")).unwrap();
}

#[test]
fn a_reload_under_fifty_streams_loses_no_packet() {
    let place = tempfile::tempdir().unwrap();
    write(place.path(), FILES[0]);
    let file = place.path().join("s.toml");
    let mut server = Server::builder(BINARY).arg("-config").arg(file).start();
    server.allow(REFUSED);
    let sent = block_on(async {
        let mut streams = Vec::new();
        for i in 0..STREAMS {
            let url = server.url(&format!("live/{i}"));
            streams.push(Live::start(&url, i, small()).await);
        }
        let (mut reloaded, mut refused) = (0, 0);
        for text in FILES {
            if text != FILES[0] {
                write(place.path(), text);
                let is_wrong = text.contains("streems");
                let (message, count) = match is_wrong {
                    true => (REFUSED, &mut refused),
                    false => ("configuration reloaded", &mut reloaded),
                };
                *count += 1;
                server.wait_for_logs(message, &[], *count);
            }
            for stream in &mut streams {
                stream.send(100).await;
            }
        }
        assert_eq!(count(&server, "publish ended"), 0, "nobody was disconnected");
        assert_eq!(count(&server, "play ended"), 0, "nobody was disconnected");
        let mut sent = Vec::new();
        for stream in streams {
            stream.check();
            sent.push(stream.finish().await);
        }
        sent
    });
    server.wait_for_logs("publish ended", &[], 50);
    server.stop();
    for (i, sent) in sent.iter().enumerate() {
        let parts = parts(&server, &format!("live/{i}"));
        let (cams, sound): (Vec<Part>, Vec<Part>) =
            parts.into_iter().partition(|part| part.value("recorder").as_deref() == Some("cams"));
        assert_one_recording(&cams);
        assert_joined(&cams, sent);
        assert_verified(&cams, 0);
        assert!(cams.len() > 2, "{} files", cams.len());
        // It came with the second file and went with the fourth.
        assert_one_recording(&sound);
        assert!(sound.iter().all(|part| part.value("tracks").as_deref() == Some("audio")));
    }
}

#[test]
fn directories_go_with_their_recorders_when_nothing_is_to_be_recorded_there_any_more() {
    let place = tempfile::tempdir().unwrap();
    let recorder = |dir: &str| {
        format!("[[recorder]]\nname = '{dir}'\nstreams = ['live/*']\ndir = '{}'\n", at(&place, dir))
    };
    write(place.path(), &recorder("one"));
    let mut server = builder().arg("-config").arg(place.path().join("s.toml")).start();
    let http = server.api();
    // In the list of disks and in the metrics.
    let is_shown = |dir: &str| {
        let disks = http.get("/api/v1/server/disks").text().to_owned();
        [disks, http.get("/metrics").text().to_owned()].map(|text| text.contains(&at(&place, dir)))
    };
    let until_shown = |dir: &str, is: bool| {
        until("directories are looked at", || (is_shown(dir) == [is, is]).then_some(()));
    };
    until_shown("one", true);
    let wanted = json!({"stream": "live/later", "recorder": "one"});
    let waits = http.send("POST", "/api/v1/recordings", Some(&wanted)).json();
    write(place.path(), &recorder("two"));
    until_shown("two", true);
    assert_eq!(is_shown("one"), [true, true], "a stream is waited for that is recorded there");
    let stop = format!("/api/v1/recordings/{}/stop", waits["id"].as_str().unwrap());
    http.send("POST", &stop, None).ok();
    until_shown("one", false);
    // One that is recorded to goes when its last file is finished.
    block_on(async {
        let publisher = publish(&server, "live/now", 100).await;
        server.wait_for_log("recorder initialized", &[]);
        write(place.path(), &recorder("one"));
        until_shown("one", true);
        until_shown("two", false);
        publisher.close().await.unwrap();
    });
    server.stop();
}

/// A directory in `place`.
fn at(place: &TempDir, dir: &str) -> String {
    place.path().join(dir).display().to_string()
}

fn count(server: &Server, message: &str) -> usize {
    server.logs().iter().filter(|line| line.message == message).count()
}
