//! Publishes an FLV file, or the built-in clip, as an encoder would: in real time, once or again
//! and again.
//!
//! Reading is in `source`, times are in `schedule`.

mod schedule;
mod source;

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use media::Packet;
use rtmp::client::{ClientEvent, Role};
use rtmp::url::Url;

use super::client::Client;
use super::{Error, block_on, format};
use schedule::{Pacer, Passes, Speed, Times};
use source::Source;

/// `rtmp-server publish`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server publish demo rtmp://localhost:1935/live/test
  rtmp-server publish -loop demo rtmp://localhost/live/test
  rtmp-server publish -loop 3 -speed 2 clip.flv rtmp://localhost/live/test
  rtmp-server publish -speed max clip.flv rtmp://example.com/live/key?token=secret

Ctrl-C ends the stream in order. A server that asks for it (Enhanced RTMP's reconnect request) is \
followed to where it says, at the next key frame.

Exit code: 0 when everything was published or Ctrl-C was pressed, 1 when something failed, 2 when \
the command line is wrong.")]
pub struct Publish {
    /// FLV file to publish, or demo for the built-in clip (a file of that name is ./demo)
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Where to publish: rtmp://HOST[:PORT]/APP/NAME
    #[arg(value_name = "URL", value_parser = Url::parse)]
    url: Url,

    /// Start again at the end: N times in all, or without N until Ctrl-C
    #[arg(long = "loop", value_name = "N", num_args = 0..=1, default_value = "1",
          default_missing_value = "forever", hide_default_value = true)]
    repeat: Times,

    /// How fast: 1 is real time, 2 twice as fast, max as fast as the server takes it
    #[arg(long, value_name = "SPEED", default_value = "1")]
    speed: Speed,
}

/// Bytes that may wait for the socket. Beyond it nothing is read from the file.
const QUEUE_MAX: usize = 1 << 20;
/// Between two looks at the progress bar.
const TICK: Duration = Duration::from_millis(200);

impl Publish {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let source = Source::open(&self.source)?;
        block_on(async |stop| {
            let mut stop = pin!(stop);
            let client = tokio::select! {
                client = Client::open(&self.url, Role::Publish) => client?,
                _ = &mut stop => return Ok(ExitCode::SUCCESS),
            };
            let mut sender = Sender::new(&self, source, client);
            let sent = tokio::select! {
                sent = sender.run() => sent,
                _ = &mut stop => Ok(()),
            };
            sender.finish(sent).await
        })
    }
}

/// A publish that was granted.
struct Sender {
    source: Source,
    client: Client,
    url: Url,
    /// Where the server has asked to connect instead.
    asked: Option<String>,
    passes: Passes,
    pacer: Pacer,
    progress: Progress,
}

impl Sender {
    fn new(command: &Publish, source: Source, client: Client) -> Self {
        let now = Instant::now();
        let progress = Progress::new(now, source.size_bytes(), command.repeat);
        Self {
            source,
            client,
            url: command.url.clone(),
            asked: None,
            passes: Passes::new(command.repeat),
            pacer: Pacer::new(command.speed, now),
            progress,
        }
    }

    /// Sends everything, each packet when it is due. Packets that are late, because the socket or
    /// the machine was busy, follow at once: the stream's clock is that of the machine, not of the
    /// network.
    async fn run(&mut self) -> Result<(), Error> {
        let mut next = self.next()?;
        while next.is_some() || self.client.queued() > 0 {
            let now = Instant::now();
            let mut wake = None;
            while let Some(packet) = &next {
                if self.client.queued() >= QUEUE_MAX {
                    break;
                }
                wake = self.pacer.due(packet).filter(|due| *due > now);
                if wake.is_some() {
                    break;
                }
                let begins = self.passes.can_begin_with(packet);
                if let Some(tc_url) = self.asked.take_if(|_| begins) {
                    self.follow(&tc_url, packet.dts_ms).await?;
                }
                self.client.send(packet);
                self.progress.sent(packet);
                next = self.next()?;
            }
            self.progress.show(now, self.source.position());
            self.client.flush();
            // With room for more that is due, only a look is taken at what the server says.
            let has_room = next.is_some() && self.client.queued() < QUEUE_MAX;
            if has_room || self.client.queued() > 0 {
                let event = self.client.turn(wake.or(has_room.then_some(now))).await?;
                if let Some(ClientEvent::ReconnectRequest { tc_url, .. }) = event {
                    self.asked = Some(tc_url);
                }
            }
        }
        Ok(())
    }

    /// Connects where the server has asked to, and goes on there from `dts_ms` on. Where that is not possible the
    /// stream goes on where it is.
    async fn follow(&mut self, tc_url: &str, dts_ms: i64) -> Result<(), Error> {
        let shown = format::printable(tc_url.split('?').next().unwrap_or_default());
        let Ok(url) = self.url.at(tc_url) else {
            let line = format!("asked to connect to {shown}, which is no RTMP address");
            self.progress.tell(&line);
            return Ok(());
        };
        let mut before = None;
        if url == self.url {
            // The name is free once this connection has ended.
            self.client.close().await;
            self.client = Client::open(&url, Role::Publish).await?;
        } else {
            match Client::open(&url, Role::Publish).await {
                Ok(client) => before = Some(std::mem::replace(&mut self.client, client)),
                Err(error) => {
                    self.progress
                        .tell(&format!("asked to reconnect: {error}; goes on where it is"));
                    return Ok(());
                }
            }
        }
        self.progress.tell(&format!("asked to reconnect: goes on at {shown}"));
        self.url = url;
        for packet in self.passes.header().packets() {
            self.client.send(&Packet { dts_ms, ..packet.clone() });
        }
        if let Some(mut before) = before {
            before.close().await;
        }
        Ok(())
    }

    /// The next packet with its time in the stream.
    fn next(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            match self.source.next()? {
                Some(packet) => {
                    if let Some(packet) = self.passes.place(packet) {
                        return Ok(Some(packet));
                    }
                }
                None if self.passes.has_more() => {
                    if !self.passes.start_again() {
                        return Err(format!("{} has no audio and no video", self.source).into());
                    }
                    self.source.rewind()?;
                    self.progress.pass_done();
                }
                None => return Ok(None),
            }
        }
    }

    async fn finish(mut self, sent: Result<(), Error>) -> Result<ExitCode, Error> {
        if sent.is_ok() {
            self.client.close().await;
        }
        self.progress.finish();
        if self.source.fault_count() > 0 {
            let faults = format::count(self.source.fault_count(), "fault");
            let source = &self.source;
            eprintln!("{source} has {faults}; rtmp-server probe tells which");
        }
        sent.map(|()| ExitCode::SUCCESS)
    }
}

/// What was sent, on a bar where somebody looks and in a line at the end.
struct Progress {
    bar: ProgressBar,
    shown: Instant,
    began: Instant,
    /// Bytes of the passes before.
    done_bytes: u64,
    size_bytes: u64,
    packets: u64,
    bytes: u64,
    stream_ms: u64,
}

impl Progress {
    fn new(now: Instant, size_bytes: u64, times: Times) -> Self {
        let (bar, template) = match times.total() {
            Some(times) => (
                ProgressBar::new(size_bytes.saturating_mul(times)),
                "{wide_bar} {percent:>3}%  {msg}",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            shown: now,
            began: now,
            done_bytes: 0,
            size_bytes,
            packets: 0,
            bytes: 0,
            stream_ms: 0,
        }
    }

    fn sent(&mut self, packet: &Packet) {
        self.packets += 1;
        self.bytes += packet.body.len() as u64;
        self.stream_ms = self.stream_ms.max(u64::try_from(packet.dts_ms).unwrap_or(0));
    }

    fn pass_done(&mut self) {
        self.done_bytes = self.done_bytes.saturating_add(self.size_bytes);
    }

    fn show(&mut self, now: Instant, position: u64) {
        if now.duration_since(self.shown) < TICK {
            return;
        }
        self.shown = now;
        self.bar.set_position(self.done_bytes.saturating_add(position));
        self.bar.set_message(self.text());
    }

    /// Prints a line, also where no bar is drawn.
    fn tell(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    fn text(&self) -> String {
        let time = self.began.elapsed();
        format!(
            "{} of stream, {} in {}, {}",
            format::time(self.stream_ms),
            format::size(self.bytes),
            format::duration(time),
            format::mean_rate(self.bytes, time),
        )
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
        eprintln!("published {}: {}", format::count(self.packets, "packet"), self.text());
    }
}
