//! As many as the machine gives: who sit there, who come and go, who all want the same.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testkit::client::{Error, Wire, raw};
use testkit::{Player, Publisher, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::{STREAM, connected, crowd, server, unharmed};

/// How many of `wanted` connections fit into what this process may have open beside other tests;
/// raises that as far as it may. The server does so for itself.
#[cfg(unix)]
fn room_for(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    wanted.min(usize::try_from(files / 2).unwrap_or(wanted))
}

#[cfg(not(unix))]
fn room_for(wanted: usize) -> usize {
    wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_connections_cost_a_bounded_amount_and_leave_nothing() {
    /// Of a connection that says nothing, in bytes; without it the growth would be no bound.
    const EACH: u64 = 24 << 10;
    let idle = room_for(5_000);
    unharmed(server(), async |server, _| {
        let before = server.usage();
        let mut held: Vec<TcpStream> = Vec::new();
        // In parts that the queue of the system takes.
        while held.len() < idle {
            let part = crowd(100, async |i| match i % 10 {
                0 => raw(server.addr()).await.unwrap(),
                1 => Wire::open(server.addr()).await.unwrap().into_socket(),
                2 | 3 => connected(server).await.into_socket(),
                // Nobody publishes it: these wait without a limit of time, and the others not.
                _ => {
                    let mut wire = connected(server).await;
                    wire.play("nobody").await.unwrap();
                    wire.into_socket()
                }
            });
            held.extend(part.await);
        }
        let usage = server.usage();
        let open = usage.descriptors - before.descriptors;
        assert!(open >= idle / 2, "{open} of {idle} are connected");
        let grown = usage.rss_bytes.saturating_sub(before.rss_bytes);
        assert!(grown < EACH * open as u64, "{grown} bytes for {open} connections");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_connects_a_second_for_five_seconds_are_taken() {
    const EVERY: Duration = Duration::from_millis(20);
    const EACH_TIME: usize = 100;
    unharmed(server(), async |server, round| {
        let taken = AtomicUsize::new(0);
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
                let Ok(mut socket) = socket.connect(server.addr()).await else { return };
                taken.fetch_add(1, Ordering::Relaxed);
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
        let taken = taken.into_inner();
        assert!(taken > times * EACH_TIME / 2, "{taken} were let in");
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
