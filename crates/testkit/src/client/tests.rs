//! The ends against a server session on a loopback socket. What a whole server does with them is
//! tested in the server crate.

use std::time::Instant;

use media::{Chunks, Kind, Packet};
use rtmp::server::{Event, RejectCode, ServerConfig, ServerSession};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Source, SourceConfig, block_on};

/// What the server saw of a publisher, and how the connection ended.
#[derive(Debug, Default)]
struct Seen {
    packets: Vec<Packet>,
    ended: bool,
    error: Option<io::Error>,
}

/// Serves one connection: takes what is published, plays `packets` and ends the stream; refuses the
/// name `taken`.
async fn serve(listener: TcpListener, packets: Vec<Packet>) -> Seen {
    let (mut socket, _) = listener.accept().await.unwrap();
    let entropy = [7; rtmp::handshake::ENTROPY_BYTES];
    let mut session = ServerSession::new(ServerConfig::default(), &entropy, Instant::now());
    let mut seen = Seen::default();
    let mut buffer = vec![0; 1 << 16];
    let mut clock = media::time::Unwrap::default();
    loop {
        while let Some(event) = session.poll_event() {
            act(&mut session, &mut seen, &mut clock, event, &packets);
        }
        if write(&mut socket, &mut session).await.is_err() {
            return seen;
        }
        match socket.read(&mut buffer).await {
            Ok(0) => return seen,
            Ok(n) => session.handle_input(Instant::now(), &buffer[..n]).unwrap(),
            Err(error) => return Seen { error: Some(error), ..seen },
        }
    }
}

fn act(
    session: &mut ServerSession,
    seen: &mut Seen,
    clock: &mut media::time::Unwrap,
    event: Event,
    packets: &[Packet],
) {
    match event {
        Event::Connect { request, .. } => session.accept(request),
        Event::Publish { request, name, .. } if name == "taken" => {
            session.reject(request, RejectCode::BadName, "taken");
        }
        Event::Publish { request, .. } => session.accept(request),
        Event::Play { request, stream, .. } => {
            session.accept(request);
            session.begin(stream);
            for packet in packets {
                session.send(stream, packet);
            }
            session.end(stream);
        }
        Event::Media { kind, timestamp, body, .. } => {
            seen.packets.push(clock.packet(kind, timestamp, body));
        }
        Event::PublishEnded { .. } => seen.ended = true,
        _ => {}
    }
}

async fn write(socket: &mut TcpStream, session: &mut ServerSession) -> io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut out = Chunks::new();
    session.take_output(&mut out);
    socket.write_all(&out.to_vec()).await
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtmp://{}/live/test", listener.local_addr().unwrap());
    (listener, url)
}

/// More than fits into the buffers of a socket.
fn media() -> Vec<Packet> {
    let config = SourceConfig { video_kbps: 20_000, ..SourceConfig::default() };
    Source::new(1, config).take(1_000).collect()
}

#[test]
fn what_is_published_arrives_whole_and_the_end_is_told() {
    block_on(async {
        let (listener, url) = listen().await;
        let packets = media();
        let publish = async {
            let mut publisher = Publisher::connect(&url).await.unwrap();
            publisher.send_all(&packets).await.unwrap();
            publisher.close().await.unwrap();
        };
        let (seen, ()) = tokio::join!(serve(listener, Vec::new()), publish);
        assert!(seen.packets == packets, "{} packets", seen.packets.len());
        assert!(seen.ended && seen.error.is_none());
    });
}

#[test]
fn a_reset_is_seen_as_a_reset() {
    block_on(async {
        let (listener, url) = listen().await;
        let publish = async {
            let mut publisher = Publisher::connect(&url).await.unwrap();
            publisher.send_all(&media()[..10]).await.unwrap();
            publisher.abort().unwrap();
        };
        let (seen, ()) = tokio::join!(serve(listener, Vec::new()), publish);
        let error = seen.error.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_refusal_has_its_code() {
    block_on(async {
        let (listener, url) = listen().await;
        let url = url.replace("/test", "/taken");
        let (_, publisher) =
            tokio::join!(serve(listener, Vec::new()), async { Publisher::connect(&url).await });
        match publisher.unwrap_err() {
            Error::Rejected { code, .. } => assert_eq!(code, "NetStream.Publish.BadName"),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn a_player_gets_what_is_played_and_the_end() {
    block_on(async {
        let (listener, url) = listen().await;
        let packets = media();
        let play = async {
            let mut player = Player::connect(&url).await.unwrap();
            assert_eq!(player.packets(3).await, packets[..3]);
            assert!(player.until_end().await == packets[3..]);
            player.close().await.unwrap();
        };
        tokio::join!(serve(listener, packets.clone()), play);
    });
}

#[test]
fn a_player_that_gets_nothing_can_tell() {
    block_on(async {
        let (listener, url) = listen().await;
        let packet = Packet::new(Kind::Audio, 0, bytes::Bytes::from_static(&[0xaf, 1, 2]));
        let play = async {
            let mut player = Player::connect(&url).await.unwrap();
            assert_eq!(player.next().await, PlayerEvent::Begin);
            assert_eq!(player.next().await, PlayerEvent::Packet(packet.clone()));
            assert_eq!(player.next().await, PlayerEvent::End);
            assert_eq!(player.next_within(Duration::from_millis(20)).await, None);
            drop(player.stall());
        };
        tokio::join!(serve(listener, vec![packet.clone()]), play);
    });
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    block_on(async {
        // Bound, so that it is nobody else's, and not listening.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let url = format!("rtmp://{}/live/test", socket.local_addr().unwrap());
        assert!(matches!(Player::connect(&url).await, Err(Error::Socket(_))));
        assert!(matches!(Player::connect("http://x/y").await, Err(Error::Url(_))));
    });
}

#[test]
fn a_wire_sends_messages_as_they_are_and_shows_every_answer() {
    block_on(async {
        let (listener, _) = listen().await;
        let addr = listener.local_addr().unwrap();
        let packets: Vec<Packet> = media().into_iter().take(10).collect();
        let talk = async {
            let mut wire = Wire::connected(addr, "live").await.unwrap();
            assert!(matches!(wire.publish("taken").await, Err(Error::Rejected { .. })));
            let stream = wire.publish("test").await.unwrap();
            wire.set_chunk_size(9).await.unwrap();
            for packet in &packets {
                wire.media(stream, packet).await.unwrap();
            }
            wire.ping().await.unwrap();
            let unknown = wire.call(0, "unknown", Vec::new()).await.unwrap();
            assert!(matches!(wire.result(unknown).await, Err(Error::Rejected { .. })));
            wire.call(0, "deleteStream", vec![f64::from(stream).into()]).await.unwrap();
            let (of, code) = wire.next_status().await.unwrap();
            assert_eq!((of, code.as_str()), (stream, "NetStream.Unpublish.Success"));
        };
        let (seen, ()) = tokio::join!(serve(listener, Vec::new()), talk);
        assert!(seen.packets == packets && seen.ended);
    });
}
