//! How many there may be.

use std::net::Ipv4Addr;

use testkit::client::{Wire, raw};
use testkit::{Player, Publisher, Server};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::{admitted, is_rejected, recording, serves, settled};

/// Waits until the server closes a connection, however.
async fn closed(mut socket: TcpStream) {
    let mut buffer = [0; 4_096];
    let closed = async { while matches!(socket.read(&mut buffer).await, Ok(1..)) {} };
    tokio::time::timeout(testkit::client::DEADLINE, closed).await.expect("not closed");
}

/// Connects from another address of the loopback network.
async fn from(server: &Server, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    socket.connect(server.addr()).await.unwrap()
}

#[tokio::test]
async fn more_connections_than_max_connections_are_closed() {
    let server = recording().args(["-max-connections", "3"]).start();
    server.allow("connection refused");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Wire::connected(server.addr(), "live").await.unwrap());
    }
    for _ in 0..5 {
        closed(raw(server.addr()).await.unwrap()).await;
    }
    let line = server.wait_for_log("connection refused", &[]);
    assert!(line.field("reason").unwrap().contains("-max-connections"));
    // Those within still work, and one that goes makes room for one.
    held[0].publish("test").await.unwrap();
    held.pop();
    admitted(&server).await;
}

#[tokio::test]
async fn one_address_has_at_most_max_connections_per_address() {
    let server = recording().args(["-max-connections-per-address", "2"]).start();
    server.allow("connection refused");
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(Wire::connected(server.addr(), "live").await.unwrap());
    }
    closed(from(&server, 1).await).await;
    let mut other = Wire::over(from(&server, 2).await).await.unwrap();
    other.connect(vec![("app".to_owned(), "live".into())]).await.unwrap();
    other.publish("test").await.unwrap();
    drop(held);
    admitted(&server).await;
}

#[tokio::test]
async fn beyond_max_handshakes_the_oldest_is_dropped_and_newcomers_get_in() {
    const MOST: usize = 4;
    let server = recording().args(["-max-handshakes", &MOST.to_string()]).start();
    server.allow("connection refused");
    let mut silent = Vec::new();
    for i in 0..3 * MOST {
        silent.push(raw(server.addr()).await.unwrap());
        if i >= MOST {
            closed(silent.remove(0)).await;
        }
    }
    // A whole one costs the oldest its place too, and needs none when it is through.
    serves(&server, "live/test").await;
    closed(silent.remove(0)).await;
    let line = server.wait_for_log("connection refused", &[]);
    assert!(line.field("reason").unwrap().contains("-max-handshakes"));
    for i in 0..2 * MOST {
        let name = i.to_string();
        Wire::connected(server.addr(), "live").await.unwrap().publish(&name).await.unwrap();
    }
    let mut buffer = [0; 1];
    for socket in &silent {
        assert!(socket.try_read(&mut buffer).is_err(), "the younger ones stay");
    }
}

#[tokio::test]
async fn streams_and_players_beyond_their_limits_are_refused() {
    let server = recording().args(["-max-streams", "2", "-max-players", "2"]).start();
    server.allow("publish refused");
    server.allow("play refused");
    let (a, b) = (server.url("live/a"), server.url("live/b"));
    let publisher = Publisher::connect(&a).await.unwrap();
    // One that is waited for counts.
    let waiting = Player::connect(&b).await.unwrap();
    let third = server.url("live/c");
    assert!(is_rejected(Publisher::connect(&third).await, "NetStream.Publish.Failed"));
    assert!(is_rejected(Player::connect(&third).await, "NetStream.Play.Failed"));
    assert!(Publisher::connect(&b).await.is_ok());
    let players = [Player::connect(&a).await.unwrap(), Player::connect(&a).await.unwrap()];
    assert!(is_rejected(Player::connect(&a).await, "NetStream.Play.Failed"));

    // Whoever goes makes room.
    publisher.close().await.unwrap();
    for player in players {
        player.close().await.unwrap();
    }
    waiting.close().await.unwrap();
    let mut next = Wire::connected(server.addr(), "live").await.unwrap();
    while next.publish("c").await.is_err() {
        next = admitted(&server).await;
    }
}

/// Linux only: elsewhere the limit of another process cannot be set.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn running_out_of_descriptors_neither_spins_nor_ends_the_server() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    use std::time::Duration;

    let server = recording().start();
    server.allow("cannot accept connections; trying again");
    server.allow("failed to create recorder");
    let mut before = Wire::connected(server.addr(), "live").await.unwrap();
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    let descriptors = server.usage().descriptors;
    let most = u64::try_from(descriptors).unwrap() + 8;
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) }).unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(raw(server.addr()).await.unwrap());
    }
    let line = server.wait_for_log("cannot accept connections; trying again", &[]);
    assert!(line.field("error").unwrap().contains("Too many open files"), "{line}");

    // The stretch that is measured, not a wait for anything.
    let from = server.usage().cpu;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = server.usage().cpu - from;
    assert!(spent < Duration::from_millis(500), "{spent:?} of 2 s");
    // Who is connected is served; without a descriptor for a file, live.
    before.publish("test").await.unwrap();
    server.wait_for_log("failed to create recorder", &[]);
    drop(before);

    drop(held);
    // A newcomer is behind all those that waited in the queue.
    drop(admitted(&server).await);
    settled(&server, descriptors).await;
    serves(&server, "live/last").await;
    let warnings = server.logs().into_iter().filter(|line| line.level == "WARN").count();
    assert!(warnings <= 3, "{warnings} warnings");
}
