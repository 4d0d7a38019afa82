//! A publisher and a player that are there from beginning to end, and notice nothing of the others:
//! the player gets everything, bit for bit and in time.

use std::rc::Rc;
use std::time::Duration;

use media::Packet;
use testkit::client::Error;
use testkit::{Player, PlayerEvent, Publisher, Source, SourceConfig};
use tokio::time::Instant;

use crate::books::RunState;
use crate::crew::Desk;
use crate::publish::Sender;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(40);
/// A player that is without a frame for so long has a gap.
const SILENCE: Duration = Duration::from_secs(5);

/// Publishes and plays until all leave.
pub(crate) async fn pair(desk: Rc<Desk>, number: u32) {
    let format = if number.is_multiple_of(2) { "mp4" } else { "flv" };
    let key = format!("steady-{format}/{number}");
    if let Err(what) = carry(&desk, &key).await {
        desk.books.problem(format!("{key}: {what}"));
    }
}

async fn carry(desk: &Desk, key: &str) -> Result<(), String> {
    let config = SourceConfig {
        video_kbps: 250,
        audio_kbps: 32,
        key_interval: 30,
        ..SourceConfig::default()
    };
    let words = |error: Error| error.to_string();
    // The player is first, and so gets the first packet.
    let player = Player::connect(&desk.url(key)).await.map_err(words)?;
    let publisher = Publisher::connect(&desk.url(key)).await.map_err(words)?;
    let run = desk.books.begin(None);
    let expected = Source::new(run, config.clone());
    let played = tokio::task::spawn_local(watch(player, expected));
    let mut sender = Sender::new(publisher, run, &config);
    let sent = loop {
        if let Err(error) = sender.turn().await {
            break Err(format!("the publisher is cut off: {error}"));
        }
        if desk.pause(TICK).await {
            break Ok(());
        }
    };
    let frames = sender.frames;
    let closed = match sent {
        Ok(()) => sender.into_publisher().close().await.map_err(words),
        Err(what) => Err(what),
    };
    let state = if closed.is_ok() { RunState::Whole } else { RunState::Torn };
    desk.books.end(run, frames, state);
    closed?;
    let (got, silence) = played.await.map_err(|error| error.to_string())??;
    desk.books.add("frames of bystanders", frames);
    desk.books.most(
        "longest silence of a bystander, ms",
        u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
    );
    match got.checked_sub(frames) {
        // What comes before the first frame.
        Some(3) => Ok(()),
        _ => Err(format!("the player got {got} packets, {frames} frames were sent")),
    }
}

/// Compares every packet; how many came, and the longest time without one.
async fn watch(mut player: Player, mut expected: Source) -> Result<(u64, Duration), String> {
    let (mut got, mut silence) = (0, Duration::ZERO);
    let mut last: Option<(Instant, i64)> = None;
    loop {
        let next = player.try_next(SILENCE).await.map_err(|error| error.to_string())?;
        let packet = match next {
            Some(PlayerEvent::Packet(packet)) => packet,
            Some(PlayerEvent::End | PlayerEvent::Closed) => return Ok((got, silence)),
            Some(PlayerEvent::Begin | PlayerEvent::Status { .. }) => continue,
            None if last.is_none() => continue,
            None => return Err(format!("the player got nothing for {SILENCE:?}")),
        };
        let wanted = expected.next();
        let same = |wanted: &Packet| wanted.kind == packet.kind && wanted.body == packet.body;
        if !wanted.as_ref().is_some_and(same) {
            return Err(format!("packet {got} of the player is not the one that was sent"));
        }
        // One that does not come at its time, by the stream's own clock, was kept waiting.
        if let Some((at, dts_ms)) = last {
            let own = u64::try_from(packet.dts_ms - dts_ms).unwrap_or(0);
            silence = silence.max(at.elapsed().saturating_sub(Duration::from_millis(own)));
        }
        last = Some((Instant::now(), packet.dts_ms));
        got += 1;
    }
}
