//! Viewers over HTTP: those that take nothing, those that talk over their WebSocket, and those that ask for a
//! thousand pieces of what is being made.

use std::time::Duration;

use testkit::{Http, Publisher, Server, Source, SourceConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::http::{film, range_bombs};
use super::{crowd, patient, unharmed};
use crate::limits::settled;
use crate::watch::socket::{BINARY, PING, handshake};

/// What they all watch.
const FAT: &str = "live/fat";
const FLV: &str = "/live/live/fat.flv";
const HLS: &str = "/live/live/fat.m3u8";

/// One whose system takes little that it does not read.
async fn narrow(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    socket.connect(server.http_addr()).await.unwrap()
}

/// A client's frame, masked with zeros, that claims to have so many bytes.
fn frame(kind: u8, claims: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match claims {
        0..126 => frame.push(0x80 | u8::try_from(claims).unwrap()),
        _ => {
            frame.push(0x80 | 127);
            frame.extend(claims.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What a viewer sends, of eight kinds; none reads anything.
fn asks(http: &Http, kind: usize) -> Vec<u8> {
    let many = |range: &str| format!("bytes={}", vec![range; 1_000].join(","));
    let socket = || handshake(http).head("GET", FLV).into_bytes();
    match kind {
        0 => http.head("GET", FLV).into_bytes(),
        1 => socket(),
        2 => http.head("GET", HLS).repeat(100).into_bytes(),
        3 => [socket(), frame(PING, 0, b"").repeat(50_000)].concat(),
        4 => [socket(), frame(BINARY, 100, &[7; 100]).repeat(20_000)].concat(),
        5 => [socket(), frame(BINARY, 1 << 40, &[7; 100_000])].concat(),
        6 => http.clone().header("Range", &many("0-0")).head("GET", FLV).into_bytes(),
        _ => http.clone().header("Range", &many("5-3")).head("GET", HLS).repeat(10).into_bytes(),
    }
}

/// Publishes somewhat faster than in real time, for ever.
async fn publish(publisher: &mut Publisher) {
    let config = SourceConfig { video_kbps: 4_000, key_interval: 15, ..SourceConfig::default() };
    let mut source = Source::new(2, config);
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        let part: Vec<_> = source.by_ref().take(2).collect();
        publisher.send_all(&part).await.unwrap();
        pace.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_take_nothing_talk_or_want_a_thousand_pieces_do_no_harm() {
    let builder = super::server().http().args(["-play-timeout", "1s", "-play-buffer", "1MiB"]);
    unharmed(builder, async |server, round| {
        let (http, before) = (server.api(), server.usage().descriptors);
        let mut publisher = Publisher::connect(&server.url(FAT)).await.unwrap();
        let all = crowd(80, async |i| {
            let mut socket = narrow(server).await;
            // The server may close, or stop to read, before it has everything.
            let asks = asks(&http, i % 8);
            let sent = tokio::time::timeout(Duration::from_secs(1), socket.write_all(&asks));
            let _ = sent.await;
            socket
        });
        let watched = async {
            let _unread = all.await;
            // The publisher stays, and its file.
            settled(server, before + 2).await;
        };
        tokio::select! {
            () = patient(round, watched) => {}
            () = publish(&mut publisher) => {}
        }
        publisher.close().await.unwrap();
        let (_, url) = film(server, round).await;
        let mp4 = format!("{}/media.mp4", url.split("/segments/").next().unwrap());
        let whole = http.get(&mp4);
        assert_eq!(whole.status, 200);
        range_bombs(server, &mp4, &whole.body);
    })
    .await;
}
