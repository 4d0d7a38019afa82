//! Plays a stream of a foreign server and records it.
//!
//! What goes into the file, and when, is in `recording`; here are the connection and the ends: the
//! stream's, the wanted duration's, the person's and the network's.

mod recording;

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rtmp::client::{ClientEvent, Role};
use rtmp::url::Url;

use super::client::{Client, ClientError};
use super::{Error, Stop, block_on, format};
use recording::Recording;

/// `rtmp-server pull`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server pull rtmp://localhost:1935/live/test test.flv
  rtmp-server pull -duration 10m -timeout 2h rtmp://example.com/live/test test.flv

Waits for a stream that has not begun, and ends when it ends. Ctrl-C ends it as well. The file is \
finished in every case.

Exit code: 0 when the stream ended, -duration was reached or Ctrl-C was pressed; 1 when the \
stream did not begin, the server ended the play, the connection was lost or the file cannot be written; 2 when the command \
line is wrong.")]
pub struct Pull {
    /// What to play: rtmp://HOST[:PORT]/APP/NAME
    #[arg(value_name = "URL", value_parser = Url::parse)]
    url: Url,

    /// FLV file to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Stop when this much of the stream is recorded, for example 10s, 5m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration)]
    duration: Option<Duration>,

    /// Longest wait for the stream to begin, and for more of it once it has
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = crate::config::duration)]
    timeout: Duration,
}

/// Without a packet for this long after the start, the wait is mentioned.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(200);

impl Pull {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let mut recording = Recording::create(&self.file)?;
        block_on(async |stop| {
            let received = self.record(&mut recording, stop).await;
            // Whatever happened, what came is kept as a file that plays.
            let recorded = recording.finish();
            if let Ok(text) = &recorded {
                eprintln!("{text}");
            }
            // A fault of the disk shows in both; the first one is the cause.
            received?;
            recorded?;
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn record(&self, recording: &mut Recording, stop: Stop) -> Result<(), Error> {
        let mut stop = pin!(stop);
        let mut client = tokio::select! {
            client = Client::open(&self.url, Role::Play) => client?,
            _ = &mut stop => return Ok(()),
        };
        let mut progress = Progress::new();
        let ended = tokio::select! {
            ended = self.receive(recording, &mut client, &mut progress) => ended,
            _ = &mut stop => Ok(()),
        };
        progress.bar.finish_and_clear();
        if ended.is_ok() {
            client.close().await;
        }
        ended
    }

    /// Returns at the end of the stream and when enough is recorded.
    async fn receive(
        &self,
        recording: &mut Recording,
        client: &mut Client,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let began = Instant::now();
        let mut newest = began;
        let mut is_told = false;
        let wanted_ms = self.duration.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        loop {
            let event = client.turn(Some(Instant::now() + TICK)).await?;
            let now = Instant::now();
            match event {
                Some(ClientEvent::Media { kind, timestamp, body }) => {
                    newest = now;
                    if !recording.push(now, kind, timestamp, body, wanted_ms)? {
                        return Ok(());
                    }
                }
                // Some servers tell the end of what has not begun.
                Some(ClientEvent::End) if recording.has_media() => return ended(client).await,
                _ => {}
            }
            recording.tick(now)?;
            progress.show(now, began, recording);
            if !is_told && !recording.has_media() && now.duration_since(began) > PATIENCE {
                is_told = true;
                progress.tell(&self.waiting());
            }
            if now.duration_since(newest) > self.timeout {
                return Err(self.silent(recording).into());
            }
        }
    }

    fn stream(&self) -> String {
        // The query may hold a token.
        let name = self.url.name.split('?').next().unwrap_or_default();
        format::printable(&format!("{}/{name}", self.url.app))
    }

    fn waiting(&self) -> String {
        let stream = self.stream();
        let most = self.timeout.as_secs_f64();
        format!("waiting for {stream} to begin, at most {most} s (-timeout); Ctrl-C gives up")
    }

    fn silent(&self, recording: &Recording) -> String {
        let (stream, most) = (self.stream(), self.timeout.as_secs_f64());
        match recording.has_media() {
            true => format!("nothing came of {stream} for {most} s (-timeout)"),
            false => format!("{stream} did not begin within {most} s (-timeout)"),
        }
    }
}

/// The play is over: because the stream is, or because the server wants it so, which it says in the same breath.
async fn ended(client: &mut Client) -> Result<(), Error> {
    let until = Instant::now() + TICK;
    while Instant::now() < until {
        match client.turn(Some(until)).await {
            Ok(Some(ClientEvent::Status { level, description, .. })) if level == "warning" => {
                let why = format::printable(&description);
                return Err(format!("the server has ended it: {why}").into());
            }
            Ok(_) => {}
            Err(error @ ClientError::Refused { .. }) => return Err(error.into()),
            Err(_) => break,
        }
    }
    Ok(())
}

/// A line that is drawn over and over where somebody looks.
struct Progress {
    bar: ProgressBar,
    shown: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, shown: None }
    }

    fn show(&mut self, now: Instant, began: Instant, recording: &Recording) {
        if self.shown.is_some_and(|shown| now.duration_since(shown) < TICK) {
            return;
        }
        self.shown = Some(now);
        self.bar.tick();
        self.bar.set_message(match recording.has_media() {
            true => format!(
                "{} recorded, {} in {}, {}",
                format::time(recording.duration_ms()),
                format::size(recording.size_bytes()),
                format::duration(now.duration_since(began)),
                format::mean_rate(recording.size_bytes(), now.duration_since(began)),
            ),
            false => "waiting".to_owned(),
        });
    }

    /// Prints a line, also where no bar is drawn.
    fn tell(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}
