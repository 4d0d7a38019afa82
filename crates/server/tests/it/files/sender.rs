//! The demo clip on its way to a server, in real time, with a record of what was sent when.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use media::Packet;
use testkit::client::Error;
use testkit::{Publisher, block_on};

/// Length of the clip: the last picture is shown until then.
const CLIP_MS: i64 = 8_040;

/// The clip that the server has built in: 8 s of H.264 with B-frames, a key frame every 2 s, and
/// AAC.
pub(crate) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.flv")
}

/// Its packets.
pub(crate) fn clip() -> Vec<Packet> {
    testkit::flv::clip(&demo())
}

/// Its packets, and its media again and again.
pub(crate) fn endless() -> impl Iterator<Item = Packet> + Send {
    again(clip(), CLIP_MS)
}

/// Packets of so many ms, and their media again and again.
pub(crate) fn again(first: Vec<Packet>, length_ms: i64) -> impl Iterator<Item = Packet> + Send {
    let media: Vec<_> = first.iter().filter(|packet| packet.is_media()).cloned().collect();
    let again = (1..).flat_map(move |round| {
        let later =
            move |packet: Packet| Packet { dts_ms: packet.dts_ms + round * length_ms, ..packet };
        media.clone().into_iter().map(later)
    });
    first.into_iter().chain(again)
}

/// A thread that publishes. Dropping it ends it.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    log: Mutex<Log>,
}

/// What was sent.
#[derive(Clone, Default)]
pub(crate) struct Log {
    /// The packets that the system has taken, each with the moment at which it was handed over.
    pub(crate) sent: Vec<(Instant, Packet)>,
    /// How late the system had a packet at worst: the machine's part in any delay.
    pub(crate) late: Duration,
}

impl Log {
    /// The packets alone.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        self.sent.iter().map(|(_, packet)| packet.clone()).collect()
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(
        &self,
        url: &str,
        packets: impl Iterator<Item = Packet>,
        speed: u64,
    ) -> Result<(), Error> {
        let mut publisher = Publisher::connect(url).await?;
        let start = Instant::now();
        for packet in packets {
            let at_ms = u64::try_from(packet.dts_ms).unwrap_or(0);
            let due = start + Duration::from_millis(at_ms / speed);
            tokio::time::sleep_until(due.into()).await;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let begun = Instant::now();
            publisher.send(&packet).await?;
            publisher.flush().await?;
            let mut log = self.log();
            log.late = log.late.max(due.elapsed());
            log.sent.push((begun, packet));
        }
        publisher.close().await
    }
}

impl Sender {
    /// Begins to publish packets, each at its time, `speed` times as fast as they were made.
    pub(crate) fn start(
        url: &str,
        packets: impl IntoIterator<Item = Packet, IntoIter: Send + 'static>,
        speed: u64,
    ) -> Self {
        let packets = packets.into_iter();
        let shared = Arc::<Shared>::default();
        let (url, sender) = (url.to_owned(), shared.clone());
        let thread = thread::spawn(move || block_on(sender.run(&url, packets, speed)));
        Self { shared, thread: Some(thread) }
    }

    /// What was sent so far.
    pub(crate) fn log(&self) -> Log {
        self.shared.log().clone()
    }

    /// Time of the newest packet that was sent, in ms of the stream.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.shared.log().sent.last().map_or(0, |(_, packet)| packet.dts_ms)
    }

    /// Waits until the stream has come to a time, in ms.
    pub(crate) fn wait_until_sent(&self, at_ms: i64) {
        super::wait_until("the publisher has sent so much", || self.newest_ms() >= at_ms);
    }

    /// Whether it has not come to the end of its packets.
    pub(crate) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits for the end of the packets, unpublishes in order and returns what was sent.
    pub(crate) fn finish(mut self) -> Vec<Packet> {
        self.join().packets()
    }

    /// Stops here, unpublishes in order and returns what was sent.
    pub(crate) fn stop(self) -> Vec<Packet> {
        self.stop_and_tell().packets()
    }

    /// Likewise, with the moments.
    pub(crate) fn stop_and_tell(mut self) -> Log {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    fn join(&mut self) -> Log {
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(Ok(())))), "the publisher failed: {ended:?}");
        self.log()
    }

    /// Waits for an end that the server has caused, and returns what was sent.
    pub(crate) fn cut_off(mut self) -> Log {
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(Err(_)))), "the publisher was not cut off: {ended:?}");
        self.log()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
