//! The API while its disk hangs: what needs no disk answers as ever, what needs one says that it
//! does not answer, and viewers and recordings go on.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::block_on;

use super::mount::Mount;
use crate::record::{Live, assert_finished, closed, file_of, recorded, small, wait_until};
use crate::support::recording;

/// Clients that ask at the same time: more than may wait for a disk.
const CLIENTS: usize = 48;
/// Longest that an answer may take: the time that is given to a disk, twice, and a busy machine.
const LONGEST: Duration = Duration::from_secs(25);

#[test]
fn no_request_waits_for_a_disk_that_hangs() {
    let Some(disk) = Mount::ext4(64 << 20) else { return };
    let mut server = recording().http().record_dir(disk.record_dir()).start();
    for message in ["disk does not answer", "disk answers again", "recording has a gap"] {
        server.allow(message);
    }
    let http = server.api();
    let sent = block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(100).await;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 0);
        let known = || http.get("/api/v1/recordings").ok()["recordings"][0]["id"].clone();
        wait_until("the recording is known", || known().is_string());
        let path = format!("/api/v1/recordings/{}", known().as_str().unwrap());
        // It is listed before the catalog, which has its files, knows it.
        let file = format!("{path}/segments/1/file");
        wait_until("its file is known", || http.get(&file).status == 200);

        let frozen = disk.freeze();
        let answers = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (http, path, answers) = (&http, &path, &answers);
                scope.spawn(move || {
                    let labels = json!({"labels": {"client": client.to_string()}});
                    let (method, path, body) = match client % 8 {
                        0 => ("PATCH", path.clone(), Some(labels)),
                        1 => ("POST", format!("{path}/hold"), Some(json!({}))),
                        2 => ("GET", "/api/v1/recordings?text=live".to_owned(), None),
                        3 => ("GET", format!("{path}/segments/1/file"), None),
                        4 => ("GET", format!("{path}/media.mp4"), None),
                        5 => ("GET", format!("{path}/media.m3u8"), None),
                        6 => ("GET", path.clone(), None),
                        _ => ("GET", "/api/v1/streams/live%2Ftest".to_owned(), None),
                    };
                    let began = Instant::now();
                    let status = http.send(method, &path, body.as_ref()).status;
                    answers.lock().unwrap().push((client % 8, status, began.elapsed()));
                });
            }
            // Meanwhile what needs no disk is as quick as ever.
            for path in ["/health", "/metrics", "/api/v1/streams", "/api/v1/server/disks"] {
                let began = Instant::now();
                assert_eq!(http.get(path).status, 200, "{path}");
                assert!(began.elapsed() < Duration::from_secs(4), "{path}: {:?}", began.elapsed());
            }
            let body = json!({"stream": "live/test", "name": "meanwhile"});
            assert_eq!(http.send("POST", "/api/v1/recordings", Some(&body)).status, 201);
        });
        let answers = answers.into_inner().unwrap();
        assert_eq!(answers.len(), CLIENTS);
        for (kind, status, took) in answers {
            assert!(took < LONGEST, "{kind}: {took:?}");
            // So short a recording has no segment of HLS yet.
            let is_empty = kind == 5 && status == 404;
            assert!([200, 503].contains(&status) || is_empty, "{kind}: {status}");
            // What is written has to wait, and was refused; what runs is shown nevertheless.
            assert!(kind > 1 || status == 503, "{kind}: {status}");
            assert!(kind < 6 || status == 200, "{kind}: {status}");
        }
        live.send(200).await;
        live.check();
        drop(frozen);
        // What was refused for the time it took may have happened.
        wait_until("the disk answers", || {
            http.send("POST", &format!("{path}/hold"), None).status == 200
        });
        live.send(50).await;
        live.finish().await
    });
    closed(&server, "live/test");
    server.stop();
    let file = server.recordings().into_iter().next().unwrap();
    assert_finished(&file, &sent);
}
