//! Peers that speak something else, or rubbish.

use testkit::client::{Wire, raw};
use testkit::{Noise, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{recording, serves};

/// A ClientHello, as far as it matters.
fn client_hello() -> Vec<u8> {
    let mut hello = b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03".to_vec();
    hello.extend(Noise::new(7).bytes(242));
    hello
}

/// What comes to a public port, and is no RTMP.
pub(crate) fn foreign() -> [Vec<u8>; 8] {
    let get = b"GET / HTTP/1.1\r\nHost: localhost:1935\r\nUser-Agent: x\r\n\r\n".to_vec();
    let post = b"POST /open/1 HTTP/1.1\r\nContent-Type: application/x-fcs\r\n\r\n".to_vec();
    let encrypted = |version: u8| [vec![version], Noise::new(version.into()).bytes(1_536)].concat();
    let ssh = b"SSH-2.0-OpenSSH_9.2\r\n".to_vec();
    let random = [vec![0xff], Noise::new(9).bytes(5_000)].concat();
    [client_hello(), get, post, encrypted(6), encrypted(8), encrypted(9), ssh, random]
}

/// Sends bytes and waits until the server closes the connection.
async fn refused(server: &Server, bytes: &[u8]) {
    let mut socket = raw(server.addr()).await.unwrap();
    // It may close before it has everything.
    let _ = socket.write_all(bytes).await;
    let mut buffer = [0; 4_096];
    let closed = async {
        let mut answer = 0;
        while let Ok(n @ 1..) = socket.read(&mut buffer).await {
            answer += n;
        }
        answer
    };
    let answer = tokio::time::timeout(testkit::client::DEADLINE, closed).await;
    assert_eq!(answer.expect("not closed"), 0, "nothing is answered");
}

#[tokio::test]
async fn what_is_no_rtmp_is_refused_quietly() {
    // Lines are limited in rate, so each kind has a server of its own. Nothing is allowed: a WARN
    // fails the test.
    for bytes in foreign() {
        let server = recording().start();
        refused(&server, &bytes).await;
        let line = server.wait_for_log("not an RTMP client", &[]);
        assert_eq!(line.level, "INFO");
        serves(&server, "live/test").await;
    }
    let server = recording().start();
    for bytes in foreign().iter().cycle().take(100) {
        refused(&server, bytes).await;
    }
    serves(&server, "live/test").await;
    let lines = server.logs().into_iter().filter(|line| line.message == "not an RTMP client");
    assert!(lines.count() <= 3, "told once in a while");
}

#[tokio::test]
async fn every_message_type_cut_short_ends_its_connection_alone() {
    let server = recording().start();
    server.allow("connection closed: protocol error");
    for message_type in 0..=255 {
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        wire.publish(&format!("type-{message_type}")).await.unwrap();
        for body in [b"".as_slice(), b"\x00", b"\x02\x00", b"\x00\x06\x00", b"\x02\x00\x07publish"]
        {
            let length = u8::try_from(body.len()).unwrap();
            let head = [6, 0, 0, 0, 0, 0, length, message_type, 1, 0, 0, 0];
            if wire.bytes(&[head.as_slice(), body].concat()).await.is_err() {
                break;
            }
        }
    }
    serves(&server, "live/test").await;
}
