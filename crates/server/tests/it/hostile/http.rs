//! The HTTP port: slow, long, split into a thousand parts, and out of the directory.

use std::time::Duration;

use testkit::server::Builder;
use testkit::{Publisher, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::bystander::assert_peak;
use super::{crowd, patient, unharmed};
use crate::limits::foreign::foreign;
use crate::limits::timeouts::{closed, drip};
use crate::publish::{recorded, source};

/// What one request may add, in MiB: a head of 32 KiB, and of a file what is on its way; the rest is what the program
/// loads of itself.
const PEAK_MAX: u64 = 32;

fn builder() -> Builder {
    super::server().http()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_are_given_up_and_take_no_place_from_others() {
    unharmed(builder(), async |server, round| {
        let http = server.api();
        let body = http.clone().header("Content-Length", "1000");
        let body = body.header("Content-Type", "application/json");
        let foreign = foreign();
        let all = crowd(200, async |i| {
            let mut socket = TcpStream::connect(server.http_addr()).await.unwrap();
            match i % 5 {
                0 => closed(socket).await,
                // What is no HTTP at all.
                4 => {
                    let _ = socket.write_all(&foreign[i % foreign.len()]).await;
                    closed(socket).await;
                }
                1 => drip(socket, http.head("GET", "/health").into_bytes()).await,
                2 => {
                    let head = body.head("PUT", "/api/v1/server/log-level");
                    socket.write_all(head.as_bytes()).await.unwrap();
                    drip(socket, vec![b' '; 1_000]).await;
                }
                // Many requests, and no answer is read.
                _ => {
                    let head = http.head("GET", "/api/v1/openapi.json").repeat(100);
                    let sent = socket.write_all(head.as_bytes());
                    let _ = tokio::time::timeout(Duration::from_secs(1), sent).await;
                }
            }
        });
        patient(round, all).await;
        assert_eq!(http.get("/health").status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_heads_are_refused() {
    unharmed(builder(), async |server, _| {
        let before = server.usage().rss_bytes;
        let http = server.api();
        for _ in 0..5 {
            let many = (0..1_000).fold(http.clone(), |http, n| http.header(&format!("X-{n}"), "1"));
            assert_eq!(many.get("/health").status, 431);
            let wide = http.clone().header("X-Wide", &"x".repeat(1 << 20));
            assert_eq!(wide.get("/health").status, 431);
            let uri = format!("/api/v1/streams/{}", "a".repeat(30_000));
            assert_eq!(http.get(&uri).status, 414);
            let uri = format!("/{}", "a/".repeat(1 << 19));
            assert!(matches!(http.get(&uri).status, 414 | 431));
        }
        assert_peak(server, before, PEAK_MAX);
    })
    .await;
}

/// A recording that is whole: where its file is on disk and in the API.
pub(super) async fn film(server: &Server, round: u64) -> (Vec<u8>, String) {
    let key = format!("live/film-{round}");
    let mut publisher = Publisher::connect(&server.url(&key)).await.unwrap();
    publisher.send_all(&source(3, 300)).await.unwrap();
    publisher.close().await.unwrap();
    let bytes = std::fs::read(server.dir().join(recorded(server, &key))).unwrap();
    let list = format!("/api/v1/recordings?stream=live%2Ffilm-{round}&state=complete");
    let found = || {
        let list = server.api().get(&list).ok();
        list["recordings"].as_array()?.first().cloned()
    };
    for _ in 0..1_000 {
        if let Some(recording) = found() {
            let path = format!("/api/v1/recordings/{}", recording["id"].as_str().unwrap());
            let whole = server.api().get(&path).ok();
            return (bytes, whole["files"][0]["url"].as_str().unwrap().to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the recording is not listed");
}

/// Ranges by the thousand, and at the ends of what can be asked for.
pub(super) fn range_bombs(server: &Server, url: &str, bytes: &[u8]) {
    let http = server.api();
    let many = |range: &str| format!("bytes={}", vec![range; 1_000].join(","));
    let ranges = [many("0-"), many("0-0"), many("-1"), many("5-3"), "bytes=".to_owned()];
    for range in ranges.iter().cycle().take(50) {
        let answer = http.clone().header("Range", range).get(url);
        assert!(answer.status == 200 && answer.body == bytes, "{} {range}", answer.status);
    }
    let last = bytes.len() - 1;
    for (range, part) in [("bytes=-1", last..), ("bytes=0-99999999999999999999", 0..)] {
        let answer = http.clone().header("Range", range).get(url);
        assert!(answer.status == 206 && answer.body == bytes[part]);
    }
    let none = http.clone().header("Range", "bytes=99999999999999999999-").get(url);
    assert_eq!((none.status, none.body.len()), (416, 0));
}

/// Paths that are to lead out of the directory, or to what is no part of the API.
fn tricks(url: &str) -> Vec<String> {
    let up = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..\\", "..%5c", "%252e%252e%252f", "..;/"];
    let places = ["/", "/api/v1/", "/api/v1/recordings/", "/api/v1/streams/", url];
    let to_file = |place: &&str| {
        let place = place.to_string();
        up.map(|up| format!("{place}{}secret.txt", up.repeat(6)))
    };
    let mut tricks: Vec<String> = places.iter().flat_map(to_file).collect();
    tricks.extend(
        [
            "//secret.txt",
            "/%00",
            "/secret.txt%00.flv",
            "/./secret.txt",
            "/%ff%fe",
            "/C:/secret.txt",
        ]
        .map(str::to_owned),
    );
    tricks.push(format!("{url}%00"));
    tricks.push(url.replace("/segments/", "/segments/..%2f"));
    tricks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn range_bombs_and_path_tricks_get_no_more_than_the_file() {
    const SECRET: &str = "nobody is to read this";
    unharmed(builder(), async |server, round| {
        let (bytes, url) = film(server, round).await;
        let before = server.usage().rss_bytes;
        range_bombs(server, &url, &bytes);
        assert_peak(server, before, PEAK_MAX);
        for dir in [server.dir(), server.record_dir()] {
            std::fs::write(dir.join("secret.txt"), SECRET).unwrap();
        }
        for path in tricks(&url) {
            for method in ["GET", "DELETE", "POST"] {
                let answer = server.api().send(method, &path, None);
                assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
                assert!(!answer.text().contains(SECRET), "{path}");
            }
        }
        for dir in [server.dir(), server.record_dir()] {
            assert_eq!(std::fs::read_to_string(dir.join("secret.txt")).unwrap(), SECRET);
        }
    })
    .await;
}
