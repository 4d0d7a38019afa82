//! FLV over a WebSocket.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;

use testkit::flv::Flv;

use super::*;

/// What a browser asks with; its key and the answer to it are those of RFC 6455 1.3.
pub(crate) fn handshake(http: &Http) -> Http {
    http.clone()
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Origin", "https://example.org")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// A client that takes what comes.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(http: &Http, path: &str) -> Self {
        let http = handshake(http);
        let mut socket = BufReader::new(http.connect());
        socket.get_mut().write_all(http.head("GET", path).as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
        Self(socket)
    }

    /// The next message: what it is, and what is in it.
    fn next(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        assert!(head[0] & 0x80 != 0 && head[1] & 0x80 == 0, "one frame, not masked");
        let length = match head[1] {
            126 => {
                let mut bytes = [0; 2];
                self.0.read_exact(&mut bytes).unwrap();
                usize::from(u16::from_be_bytes(bytes))
            }
            127 => {
                let mut bytes = [0; 8];
                self.0.read_exact(&mut bytes).unwrap();
                usize::try_from(u64::from_be_bytes(bytes)).unwrap()
            }
            length => usize::from(length),
        };
        let mut message = vec![0; length];
        self.0.read_exact(&mut message).unwrap();
        (head[0] & 0x0f, message)
    }

    /// Sends a control frame, masked with zeros.
    fn send(&mut self, kind: u8, payload: &[u8]) {
        let length = 0x80 | u8::try_from(payload.len()).unwrap();
        let frame = [&[0x80 | kind, length, 0, 0, 0, 0][..], payload].concat();
        self.0.get_mut().write_all(&frame).unwrap();
    }
}

pub(crate) const BINARY: u8 = 2;
const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
const PONG: u8 = 10;

#[test]
fn every_packet_of_a_stream_is_in_the_messages() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 300);
    let (first, rest) = sent.split_at(OPENING);
    testkit::block_on(async {
        let mut publisher = begin(&server, "live/test", first).await;
        let mut socket = Socket::open(&http, "/live/live/test.flv");
        until("a player", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            (stream["players"]["list"][0]["via"] == "websocket").then_some(())
        });
        let (mut bytes, mut asked) = (Vec::new(), 0);
        while bytes.is_empty() {
            match socket.next() {
                (PING, payload) => {
                    asked += 1;
                    socket.send(PONG, &payload);
                }
                (_, message) => bytes.extend(message),
            }
        }
        publisher.send_all(rest).await.unwrap();
        publisher.close().await.unwrap();
        let code = loop {
            match socket.next() {
                (BINARY, message) => bytes.extend(message),
                (PING, payload) => {
                    asked += 1;
                    socket.send(PONG, &payload);
                }
                (CLOSE, reason) => break u16::from_be_bytes([reason[0], reason[1]]),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(code, 1_000, "over, as it should be");
        assert!(asked > 0, "it was asked whether it is there");
        socket.send(CLOSE, &1_000_u16.to_be_bytes());
        assert_eq!(bytes[4], 5);
        assert_viewed(&Flv::from_reader(&bytes[..]).unwrap(), &sent);
    });
    server.wait_for_log("play ended", &[("reason", "the stream is over")]);
    server.stop();
}

#[test]
fn a_client_that_closes_is_gone_and_one_that_is_kicked_is_told() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let mut socket = Socket::open(&http, "/live/live/test.flv");
        socket.send(PING, b"there?");
        while socket.next() != (PONG, b"there?".to_vec()) {}
        socket.send(CLOSE, &1_001_u16.to_be_bytes());
        server.wait_for_log("play ended", &[("reason", "connection closed by peer")]);

        let mut socket = Socket::open(&http, "/live/live/test.flv");
        let id = until("a player", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            stream["players"]["list"][0]["id"].as_u64()
        });
        let kick = format!("/api/v1/streams/live%2Ftest/players/{id}");
        // It is gone when its socket is, which waits a moment for the client's word.
        assert_eq!(http.send("DELETE", &kick, None).status, 204);
        let reason = loop {
            if let (CLOSE, reason) = socket.next() {
                break reason;
            }
        };
        assert_eq!(reason, [&1_008_u16.to_be_bytes()[..], b"kicked"].concat());
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn what_is_no_handshake_is_refused() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        for (name, value) in [
            ("Connection", "close"),
            ("Sec-WebSocket-Version", "8"),
            ("Sec-WebSocket-Key", "short"),
        ] {
            let http = handshake(&http).header(name, value);
            let answer = http.raw(http.head("GET", "/live/live/test.flv").as_bytes());
            assert_eq!(answer.problem(), (400, "bad-value".to_owned()), "{name}");
            assert_eq!(answer.json()["field"], name);
        }
        let none = handshake(&http);
        let none = none.raw(none.head("GET", "/live/live/nobody.flv").as_bytes());
        assert_eq!(none.problem(), (404, "no-publisher".to_owned()));
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_client_that_says_too_much_is_gone() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let mut socket = Socket::open(&http, "/live/live/test.flv");
        server.wait_for_log("play started", &[]);
        let length = 5_000_u16.to_be_bytes();
        let frame =
            [&[0x80 | BINARY, 0x80 | 126, length[0], length[1], 0, 0, 0, 0], &[0; 5_000][..]];
        socket.0.get_mut().write_all(&frame.concat()).unwrap();
        server.wait_for_log("play ended", &[("reason", "connection closed by peer")]);
        publisher.close().await.unwrap();
    });
    server.stop();
}
