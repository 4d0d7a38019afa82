//! How long one may take, and how often one may be told of.

use std::time::Duration;

use testkit::client::{Wire, raw};
use testkit::{Publisher, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{is_rejected, recording, serves};

/// Sends a byte a second until the server closes the connection.
pub(crate) async fn drip(mut socket: TcpStream, bytes: Vec<u8>) {
    let mut pace = tokio::time::interval(Duration::from_secs(1));
    let mut buffer = [0; 4_096];
    for byte in bytes {
        tokio::select! {
            _ = pace.tick() => if socket.write_all(&[byte]).await.is_err() { return },
            read = socket.read(&mut buffer) => if !matches!(read, Ok(1..)) { return },
        }
    }
    panic!("a handshake of hours is let be");
}

/// Waits until the server closes the connection.
pub(crate) async fn closed(mut socket: TcpStream) {
    let mut buffer = [0; 4_096];
    while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
}

#[tokio::test]
async fn who_does_not_get_to_connect_in_time_is_disconnected() {
    let server = recording().start();
    let addr = server.addr();
    let silent = closed(raw(addr).await.unwrap());
    let slow = drip(raw(addr).await.unwrap(), [vec![3], vec![0; 1_536]].concat());
    let idle = closed(Wire::open(addr).await.unwrap().into_socket());
    let mut half = Wire::open(addr).await.unwrap();
    half.bytes(&[3, 0, 0, 0, 0, 0, 200, 20, 0, 0, 0, 0, 2]).await.unwrap();
    let dribble = drip(half.into_socket(), vec![0; 127]);
    let all = async { tokio::join!(silent, slow, idle, dribble) };
    tokio::time::timeout(testkit::client::DEADLINE, all).await.expect("still connected");
    let line = server.wait_for_log("connection closed: timed out", &[]);
    assert!(line.field("error").unwrap().starts_with("timed out: no "), "{line}");
    serves(&server, "live/test").await;
}

#[tokio::test]
async fn a_repeated_warning_is_counted_and_not_repeated() {
    // Few enough to be over before the next line is due.
    const AT_ONCE: usize = 10;
    let server = recording().start();
    server.allow("publish refused");
    let url = server.url("live/test");
    let first = Publisher::connect(&url).await.unwrap();
    let refused = async |server: &Server| {
        let again = Publisher::connect(&server.url("live/test")).await;
        assert!(is_rejected(again, "NetStream.Publish.BadName"));
    };
    let mut attempts = 0;
    for _ in 0..AT_ONCE {
        refused(&server).await;
        attempts += 1;
    }
    server.wait_for_log("publish refused", &[]);
    let lines = || server.logs().into_iter().filter(|line| line.message == "publish refused");
    assert_eq!(lines().count(), 1);
    assert_eq!(lines().next().unwrap().field("suppressed").as_deref(), Some("0"));
    // The next line comes after 10 s and tells of those between.
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    while lines().count() == 1 {
        assert!(attempts < AT_ONCE + 200, "no second line");
        pace.tick().await;
        refused(&server).await;
        attempts += 1;
    }
    let second = lines().nth(1).unwrap();
    let suppressed: usize = second.field("suppressed").unwrap().parse().unwrap();
    // All but the first and the one that this line is of; some may have come since then.
    assert!((AT_ONCE - 1..=attempts - 2).contains(&suppressed), "{suppressed} of {attempts}");
    first.close().await.unwrap();
}
