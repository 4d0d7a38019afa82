//! The life of a publisher.

use std::time::Duration;

use media::Packet;
use testkit::client::Error;
use testkit::source::opening;
use testkit::{Publisher, Source};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::books::RunState;
use crate::crew::Desk;
use crate::plan::{End, Publish};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(40);
/// The server gives up a silent publisher after 5 s; and it is late.
const PATIENCE: Duration = Duration::from_secs(30);
/// The beginning of a message: type 0 (RTMP 5.3.1.2.1) on chunk stream 7, video of 5,000 bytes on
/// message stream 1.
const HALF_MESSAGE: [u8; 12] = [7, 0, 0, 0, 0, 0x13, 0x88, 9, 1, 0, 0, 0];

/// A publisher that sends in real time what a source makes.
pub(crate) struct Sender {
    publisher: Publisher,
    source: std::iter::Peekable<Source>,
    begun: Instant,
    first_ms: i64,
    /// Frames that were handed to the system.
    pub(crate) frames: u64,
    /// Packets before the first frame that were not sent yet.
    opening: usize,
}

impl Sender {
    pub(crate) fn new(publisher: Publisher, run: u32, life: &testkit::SourceConfig) -> Self {
        Self {
            publisher,
            source: Source::new(run, life.clone()).peekable(),
            begun: Instant::now(),
            first_ms: life.start_ms,
            frames: 0,
            opening: opening(life).len(),
        }
    }

    /// Sends what is due.
    pub(crate) async fn turn(&mut self) -> Result<(), Error> {
        let age_ms = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (mut frames, first_ms) = (0, self.first_ms);
        let is_due = |packet: &Packet| packet.dts_ms - first_ms <= age_ms;
        while let Some(packet) = self.source.next_if(is_due) {
            self.publisher.send(&packet).await?;
            match self.opening.checked_sub(1) {
                Some(less) => self.opening = less,
                None => frames += 1,
            }
        }
        self.publisher.flush().await?;
        self.frames += frames;
        Ok(())
    }

    pub(crate) fn into_publisher(self) -> Publisher {
        self.publisher
    }
}

/// Publishes until the life is over, or all leave.
pub(crate) async fn live(desk: &Desk, life: Publish) {
    let run = desk.books.begin(Some(life.place));
    let url = desk.url(&life.place.key());
    let connected =
        Publisher::connect_with(&url, |config| config.chunk_size = life.chunk_size).await;
    let publisher = match connected {
        Ok(publisher) => publisher,
        Err(error) => {
            desk.books.forget(run);
            match error {
                Error::Rejected { .. } => desk.books.count("publishes refused"),
                error => desk.books.problem(format!("{url} cannot be published: {error}")),
            }
            return;
        }
    };
    desk.books.count("publishes");
    let mut sender = Sender::new(publisher, run, &life.source);
    let over = Instant::now() + Duration::from_millis(life.lasts_ms);
    let mut is_cut = false;
    while Instant::now() < over && !is_cut {
        if let Err(error) = sender.turn().await {
            is_cut = true;
            if let Error::Timeout(what) = error {
                desk.books.problem(format!("{url}: not in time: {what}"));
            }
        }
        if desk.pause(TICK).await {
            break;
        }
    }
    let frames = sender.frames;
    let state = match is_cut {
        true => {
            desk.books.count("publishes cut off");
            RunState::Torn
        }
        false => end(desk, sender.into_publisher(), life.end).await,
    };
    desk.books.end(run, frames, state);
}

/// Ends a publish.
async fn end(desk: &Desk, publisher: Publisher, end: End) -> RunState {
    match end {
        End::Clean => {
            desk.books.count("ends in order");
            return match publisher.close().await {
                Ok(()) => RunState::Whole,
                // It was thrown out at the last moment.
                Err(_) => RunState::Torn,
            };
        }
        End::Reset => {
            desk.books.count("ends by a reset");
            let _ = publisher.abort();
        }
        End::HalfClosed => {
            desk.books.count("ends half-closed");
            let mut socket = publisher.stall();
            let _ = socket.shutdown().await;
            given_up(desk, socket).await;
        }
        End::MidMessage => {
            desk.books.count("ends in mid-message");
            let mut socket = publisher.stall();
            let _ = socket.write_all(&HALF_MESSAGE).await;
            let _ = socket.write_all(&[0x27; 100]).await;
            given_up(desk, socket).await;
        }
        End::Silent => {
            desk.books.count("ends in silence");
            given_up(desk, publisher.stall()).await;
        }
        End::Gone => desk.books.count("ends without a word"),
    }
    RunState::Torn
}

/// Waits until the server has closed the connection.
async fn given_up(desk: &Desk, mut socket: TcpStream) {
    let mut room = [0; 4_096];
    let closed = async { while !matches!(socket.read(&mut room).await, Ok(0) | Err(_)) {} };
    if timeout(PATIENCE, closed).await.is_err() {
        desk.books.problem(format!("a publisher that is silent is not given up in {PATIENCE:?}"));
    }
}
