//! The life of a player.

use std::collections::BTreeMap;
use std::time::Duration;

use media::Kind;
use testkit::client::{Error, Wire};
use testkit::source::StampError;
use testkit::{Player, PlayerEvent, Stamp};
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::crew::Desk;
use crate::plan::{Manner, Play};

/// A player looks up so often whether it is to leave.
const LOOK: Duration = Duration::from_millis(500);
/// A slow player rests so long after each message.
const REST: Duration = Duration::from_millis(100);
/// Room for what a player has not read, in bytes: little, so that the server notices soon.
const ROOM: u32 = 4_096;

/// Plays until the life is over, or all leave.
pub(crate) async fn live(desk: &Desk, life: Play) {
    let over = Instant::now() + Duration::from_millis(life.lasts_ms);
    let key = life.place.key();
    match life.manner {
        Manner::Watch | Manner::WatchReset => match Player::connect(&desk.url(&key)).await {
            Ok(player) => watch(desk, player, &key, over, life.manner).await,
            Err(error) => desk.books.problem(format!("{key} cannot be played: {error}")),
        },
        Manner::Slow | Manner::Stall => match open(desk, &key).await {
            Ok(wire) if life.manner == Manner::Slow => slow(desk, wire, over).await,
            Ok(wire) => {
                desk.books.count("plays that stall");
                let _socket = wire.into_socket();
                desk.pause(over.duration_since(Instant::now())).await;
            }
            Err(error) => desk.books.problem(format!("{key} cannot be played: {error}")),
        },
    }
}

/// Takes everything and checks it.
async fn watch(desk: &Desk, mut player: Player, key: &str, over: Instant, manner: Manner) {
    desk.books.count("plays");
    let mut seen = Seen::default();
    loop {
        let left = over.saturating_duration_since(Instant::now());
        if left.is_zero() || desk.pause(Duration::ZERO).await {
            break;
        }
        match player.try_next(left.min(LOOK)).await {
            Ok(Some(PlayerEvent::Packet(packet))) if packet.kind != Kind::Data => {
                desk.books.count("frames played");
                if let Err(what) = seen.frame(&packet.body) {
                    desk.books.problem(format!("{key}: a player got {what}"));
                }
            }
            Ok(Some(PlayerEvent::Closed)) => return desk.books.count("plays cut off"),
            Ok(_) => {}
            Err(Error::Socket(_) | Error::Closed) => return desk.books.count("plays cut off"),
            Err(error) => return desk.books.problem(format!("{key}: a player failed: {error}")),
        }
    }
    desk.books.add("frames that players were spared", seen.missed);
    match manner {
        Manner::WatchReset => drop(player.abort()),
        // It may be thrown out at the last moment.
        _ => drop(player.close().await),
    }
}

/// What a player has got of the runs that it saw.
#[derive(Debug, Default)]
struct Seen {
    next: BTreeMap<u32, u64>,
    missed: u64,
}

impl Seen {
    fn frame(&mut self, body: &[u8]) -> Result<(), String> {
        let stamp = match Stamp::read(body) {
            Ok(stamp) => stamp,
            Err(StampError::Missing) => return Ok(()),
            Err(StampError::Checksum) => return Err("a frame that is not as it was sent".into()),
        };
        if let Some(next) = self.next.insert(stamp.stream, stamp.sequence + 1) {
            let missed = stamp.sequence.checked_sub(next);
            self.missed += missed.ok_or_else(|| format!("frame {} again", stamp.sequence))?;
        }
        Ok(())
    }
}

/// A player with little room.
async fn open(desk: &Desk, key: &str) -> Result<Wire, Error> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(ROOM)?;
    let socket = socket.connect(desk.addr).await?;
    let (app, name) = key.split_once('/').unwrap_or((key, ""));
    let mut wire = Wire::over(socket).await?;
    wire.connect(vec![("app".to_owned(), app.into())]).await?;
    wire.play(name).await?;
    Ok(wire)
}

/// Takes little.
async fn slow(desk: &Desk, mut wire: Wire, over: Instant) {
    desk.books.count("plays that are slow");
    while Instant::now() < over && !desk.pause(REST).await {
        let next = tokio::time::timeout(LOOK, wire.next()).await;
        if let Ok(Ok(None) | Err(_)) = next {
            return desk.books.count("slow plays cut off");
        }
    }
}
