//! A stream in real time and one who watches it: how late each frame comes.

use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use media::Packet;
use testkit::{Player, PlayerEvent, Source, SourceConfig, block_on};

use crate::files::sender::Sender;
use crate::record::assert_played;

/// Longest wait at once for the stream to go on, in ms of the stream.
const STEP_MS: i64 = 5_000;

/// A publisher and a viewer, each in a thread of its own.
pub(super) struct Show {
    sender: Sender,
    viewer: JoinHandle<Vec<(Instant, Packet)>>,
}

impl Show {
    /// The viewer is there before the publisher comes and so gets every frame.
    pub(super) fn start(url: &str, config: SourceConfig) -> Self {
        let (ready, is_ready) = channel();
        let to = url.to_owned();
        let viewer = thread::spawn(move || {
            block_on(async {
                let mut player = Player::connect(&to).await.unwrap();
                ready.send(()).unwrap();
                let mut got = Vec::new();
                loop {
                    match player.next().await {
                        PlayerEvent::Packet(packet) => got.push((Instant::now(), packet)),
                        PlayerEvent::Begin | PlayerEvent::Status { .. } => {}
                        PlayerEvent::End | PlayerEvent::Closed => return got,
                    }
                }
            })
        });
        is_ready.recv().unwrap();
        Self { sender: Sender::start(url, Source::new(1, config), 1), viewer }
    }

    /// Lets the stream go on for a while.
    pub(super) fn go_on(&self, for_ms: i64) {
        let from = self.sender.newest_ms();
        let steps = (1..).map(|step| from + step * STEP_MS).take_while(|at| *at < from + for_ms);
        steps.chain([from + for_ms]).for_each(|at| self.sender.wait_until_sent(at));
    }

    /// Ends the stream. The viewer must have had every frame, bit for bit, in order.
    pub(super) fn finish(self) -> Seen {
        let sent = self.sender.stop_and_tell().sent;
        let got = self.viewer.join().expect("the viewer failed");
        let packets = |of: &[(Instant, Packet)]| -> Vec<_> {
            of.iter().map(|(_, packet)| packet.clone()).collect()
        };
        let all = packets(&sent);
        assert_played(&packets(&got), &all);
        let media = |of: Vec<(Instant, Packet)>| {
            of.into_iter().filter(|(_, packet)| packet.is_media()).map(|(at, _)| at)
        };
        // The receiver may be awake before the sender has its clock read.
        let late = media(sent).zip(media(got));
        let late = late.map(|(sent, got)| (sent, got.saturating_duration_since(sent)));
        Seen { sent: all, late: late.collect() }
    }
}

/// What was sent, and how late each frame was at the viewer's.
pub(super) struct Seen {
    pub(super) sent: Vec<Packet>,
    late: Vec<(Instant, Duration)>,
}

impl Seen {
    /// Of the frames that were sent in a time: how late the middle one and the one after 99 % were.
    pub(super) fn latency(&self, from: Instant, to: Instant) -> Latency {
        let within = self.late.iter().filter(|(at, _)| (from..to).contains(at));
        let mut late: Vec<_> = within.map(|(_, late)| *late).collect();
        late.sort_unstable();
        let at = |percent: usize| late.get(late.len() * percent / 100).copied();
        Latency {
            frames: late.len(),
            p50: at(50).unwrap_or_default(),
            p99: at(99).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    pub(super) frames: usize,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}
