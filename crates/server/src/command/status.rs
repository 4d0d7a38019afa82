//! What a running server does, in the terminal: drawn anew every second, or printed once.
//!
//! `look` asks the API, `feed` reads its events, `text` makes lines of it and `screen` draws them.

mod feed;
mod look;
mod screen;
mod text;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::api::Access;
use super::table::terminal_width;
use super::{Error, block_on, print};
use crate::platform::Keys;
use feed::Feed;
use look::Look;
use screen::Screen;

/// `rtmp-server status`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server status
  rtmp-server status -server http://192.0.2.7:8080 -token-file token
  rtmp-server status -json | jq '.streams[].key'

q or Ctrl-C ends it. Where standard output is no terminal, -once is meant.")]
pub struct Status {
    /// Print it once
    #[arg(long)]
    once: bool,

    /// Print it once, as one JSON object: what the API says
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    access: Access,
}

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Longest wait for the events that were, where it is printed once.
const EVENTS: Duration = Duration::from_secs(2);

impl Status {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let is_once = self.once || self.json || !std::io::stdout().is_terminal();
        block_on(async |stop| {
            let stopped = async {
                // That nobody can say so any more is no request.
                if stop.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                done = async {
                    match is_once {
                        true => self.print_once().await,
                        false => self.follow().await,
                    }
                } => done?,
                () = stopped => {}
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn print_once(&self) -> Result<(), Error> {
        let api = self.access.api()?;
        let mut look = Look::at(&api, true).await?;
        look.events = feed::newest(&api, EVENTS).await;
        match self.json {
            true => print(&format!("{}\n", look.json()))?,
            false => {
                let lines = text::lines(&look, &api.server(), terminal_width(), None, None);
                print(&lines.into_iter().map(|line| line + "\n").collect::<String>())?
            }
        };
        Ok(())
    }

    /// Draws until somebody presses q. The first look has to work; later ones may not for a while.
    async fn follow(&self) -> Result<(), Error> {
        let api = self.access.api()?;
        let mut look = Look::at(&api, false).await?;
        let feed = Feed::start(api.clone());
        let mode = Keys::new();
        let mut keys = keys(mode.is_some());
        let mut screen = Screen::open()?;
        let mut every = tokio::time::interval(LOOK);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let trouble = tokio::select! {
                _ = every.tick() => match Look::at(&api, false).await {
                    Ok(new) => {
                        look = new;
                        None
                    }
                    Err(error) => Some(error.to_string()),
                },
                key = keys.recv() => match key {
                    Some('q' | 'Q' | '\u{1b}') => return Ok(()),
                    _ => continue,
                },
            };
            look.events = feed.newest();
            let (height, width) = screen.size();
            let server = api.server();
            screen.draw(&text::lines(
                &look,
                &server,
                Some(width),
                Some(height),
                trouble.as_deref(),
            ))?;
        }
    }
}

/// The keys that are pressed. Their thread waits for the terminal, and ends with the process.
fn keys(is_there: bool) -> mpsc::Receiver<char> {
    let (send, receive) = mpsc::channel(8);
    let read = move || {
        while let Some(key) = is_there.then(Keys::read).flatten() {
            if send.blocking_send(key).is_err() {
                return;
            }
        }
        // Whoever waits for keys is to go on waiting.
        std::mem::forget(send);
    };
    std::thread::spawn(read);
    receive
}
