//! As many as the machine gives: who sit there, who come and go, who all want the same.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::client::{Error, Wire, raw};
use testkit::{Player, Publisher, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::{STREAM, connected, crowd, publishing, server, unharmed};
use crate::limits::settled;

/// Raises what this process may have open as far as it may, as the server does for itself. That
/// has to be enough for so many connections, and half of them again for other tests.
#[cfg(unix)]
fn make_room_for(connections: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = connections + connections / 2;
    assert!(files >= wanted, "{files} open files are allowed (ulimit -Hn), {wanted} are needed");
}

#[cfg(not(unix))]
fn make_room_for(_connections: u64) {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_connections_cost_a_bounded_amount_and_leave_nothing() {
    /// Of a connection that says nothing, in bytes; without it the growth would be no bound.
    const EACH: u64 = 24 << 10;
    /// Those that wait for a stream that nobody publishes: they have no limit of time, and the others
    /// do. So at the end these are there, however long it took.
    const WAITING: usize = 5_000;
    /// Of 100.
    const WAITING_EACH: usize = 96;
    make_room_for(5_300);
    unharmed(server(), async |server, _| {
        let before = server.usage();
        let mut held: Vec<TcpStream> = Vec::new();
        // In parts that the queue of the system takes.
        for _ in 0..WAITING.div_ceil(WAITING_EACH) {
            let part = crowd(100, async |i| match i {
                0..WAITING_EACH => {
                    let mut wire = connected(server).await;
                    wire.play("nobody").await.unwrap();
                    wire.into_socket()
                }
                96 | 97 => raw(server.addr()).await.unwrap(),
                98 => Wire::open(server.addr()).await.unwrap().into_socket(),
                _ => connected(server).await.into_socket(),
            });
            held.extend(part.await);
        }
        let usage = server.usage();
        let open = usage.descriptors - before.descriptors;
        assert!(open >= WAITING, "{open} are connected");
        let grown = usage.rss_bytes.saturating_sub(before.rss_bytes);
        assert!(grown < EACH * open as u64, "{grown} bytes for {open} connections");
    })
    .await;
}

/// The number of somebody who publishes now: connections and publishers are counted together.
async fn number(server: &Server, name: &str) -> u64 {
    let publisher = publishing(server, name).await;
    let stream = server.api().get(&format!("/api/v1/streams/live%2F{name}")).ok();
    drop(publisher);
    stream["publisher"]["id"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_connects_a_second_for_five_seconds_are_taken() {
    const EVERY: Duration = Duration::from_millis(20);
    const EACH_TIME: usize = 100;
    unharmed(server().http(), async |server, round| {
        let idle = server.usage().descriptors;
        let first = number(server, "first").await;
        let begun = Instant::now();
        let mut pace = tokio::time::interval(EVERY);
        // The first round only shows what the second one may keep.
        let times = if round == 0 { 25 } else { 250 };
        for _ in 0..times {
            pace.tick().await;
            crowd(EACH_TIME, async |i| {
                // Several addresses: each has so many ports.
                let socket = TcpSocket::new_v4().unwrap();
                let last = u8::try_from(1 + i % 4).unwrap();
                socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
                let mut socket = socket.connect(server.addr()).await.unwrap();
                let _ = match i % 4 {
                    0 => Ok(()),
                    1 => socket.write_all(&[3]).await,
                    2 => socket.write_all(&[vec![3], vec![0; 1_536]].concat()).await,
                    _ => socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await,
                };
                // A reset, so that no port waits.
                let _ = socket.set_zero_linger();
            })
            .await;
        }
        let (made, took) = (times * EACH_TIME, begun.elapsed());
        let rate = made as f64 / took.as_secs_f64();
        println!("{made} connects in {took:.1?}, {rate:.0} a second");
        // Who comes now is taken after all of them, and when nobody is there all were served.
        drop(connected(server).await);
        settled(server, idle).await;
        let last = number(server, "last").await;
        // The one that came after them has a number as well, and who publishes has two.
        assert_eq!(last - first, made as u64 + 3, "not all were taken");
    })
    .await;
}

/// A publish of a name that others want too: whether it was granted.
async fn wants(server: &Server, key: &str) -> Option<Publisher> {
    match Publisher::connect(&server.url(key)).await {
        Ok(publisher) => Some(publisher),
        Err(Error::Rejected { code, .. }) => {
            assert_eq!(code, "NetStream.Publish.BadName");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_storm_of_publishers_of_one_name_one_gets_it() {
    unharmed(server(), async |server, round| {
        let taken = crowd(100, async |_| wants(server, STREAM).await).await;
        assert!(taken.iter().all(Option::is_none), "the bystander's own");
        for _ in 0..10 {
            let key = format!("live/prize-{round}");
            let all = crowd(50, async |_| wants(server, &key).await).await;
            let mut winners: Vec<_> = all.into_iter().flatten().collect();
            assert_eq!(winners.len(), 1);
            let mut winner = winners.remove(0);
            winner.send_all(&crate::publish::source(4, 20)).await.unwrap();
            winner.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_players_of_one_name_comes_and_goes() {
    unharmed(server().args(["-max-players", "100"]), async |server, _| {
        let refused = AtomicUsize::new(0);
        for _ in 0..4 {
            crowd(150, async |i| {
                let mut player = match Player::connect(&server.url(STREAM)).await {
                    Ok(player) => player,
                    Err(Error::Rejected { code, .. }) if code == "NetStream.Play.Failed" => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    Err(error) => panic!("{error}"),
                };
                // Metadata, two configurations and a key frame.
                player.packets(4).await;
                match i % 3 {
                    0 => player.abort().unwrap(),
                    1 => player.close().await.unwrap(),
                    _ => drop(player),
                }
            })
            .await;
        }
    })
    .await;
}
