//! Finding recordings, and looking at one.

use std::process::ExitCode;

use jiff::Zoned;
use serde_json::Value;

use super::place::{At, Place, Search, Which, read};
use super::text;
use super::when::When;
use crate::command::table::terminal_width;
use crate::command::{Error, print};

/// Recordings that are listed unless somebody says it.
const LIMIT: u32 = 50;
/// Recordings that are asked for at once.
const PAGE: usize = 1_000;

/// `rtmp-server recordings list`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings list
  rtmp-server recordings list -stream 'live/*' -from yesterday -to today
  rtmp-server recordings list -state complete -label event=concert -all -json | jq .id

Times: 2026-11-29, 2026-11-29T18:00, 18:00 (today), -2h, now, today, yesterday; by the clock here.")]
pub(super) struct List {
    /// Only those of such streams: * within a part of the name, ** over parts, ? for one character
    #[arg(long, value_name = "PATTERN")]
    stream: Option<String>,

    /// Only those that this recorder made
    #[arg(long, value_name = "NAME")]
    recorder: Option<String>,

    /// Only those with something at or after this time
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    from: Option<When>,

    /// Only those with something before this time
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    to: Option<When>,

    /// Only those in this state, such as recording, complete or binned; may be repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,

    /// Only those with this label; may be repeated, and all have to be there
    #[arg(long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,

    /// Only those with this text in the stream's name, the recording's, or a label
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Only those that are held, or with false those that are not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    held: Option<bool>,

    /// What comes first: newest or oldest
    #[arg(long, value_name = "ORDER", default_value = "newest", value_parser = ["newest", "oldest"])]
    order: String,

    /// List so many at most
    #[arg(long, value_name = "N", default_value_t = LIMIT,
          value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// List all there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,

    #[command(flatten)]
    at: At,
}

impl List {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let (place, search) = (self.at.place()?, self.search()?);
        let mut left = if self.all { usize::MAX } else { self.limit as usize };
        let (mut after, mut listed) = (None, 0_usize);
        loop {
            let (page, next) = place.page(&search, after.as_deref(), left.min(PAGE)).await?;
            listed += page.len();
            left = left.saturating_sub(page.len());
            if !print(&self.shown(&page, listed == 0 && next.is_none())?)? {
                break;
            }
            // A page may have more than was asked for: those that wait for their streams come first.
            if next.is_none() || left == 0 {
                if next.is_some() && !self.at.json {
                    eprintln!("there are more: -limit N lists so many, -all lists all");
                }
                break;
            }
            after = next;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn shown(&self, page: &[Value], is_nothing: bool) -> Result<String, Error> {
        if self.at.json {
            return Ok(page.iter().map(|recording| format!("{recording}\n")).collect());
        }
        if is_nothing {
            return Ok("no recordings\n".to_owned());
        }
        if page.is_empty() {
            return Ok(String::new());
        }
        let recordings = page.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(text::list(&recordings, terminal_width()))
    }

    fn search(&self) -> Result<Search, Error> {
        let now = Zoned::now();
        let ms = |when: &Option<When>| when.as_ref().map(|when| when.unix_ms(&now)).transpose();
        let label = |text: &String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        };
        Ok(Search {
            stream: self.stream.clone(),
            recorder: self.recorder.clone(),
            from_unix_ms: ms(&self.from)?,
            to_unix_ms: ms(&self.to)?,
            states: self.state.clone(),
            labels: self.label.iter().map(label).collect(),
            text: self.text.clone(),
            held: self.held,
            is_oldest_first: self.order == "oldest",
        })
    }
}

/// `rtmp-server recordings show`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings show last
  rtmp-server recordings show 8c1f -json | jq '.files[].file'
  rtmp-server recordings show -stream live/test")]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    at: At,
}

impl Show {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let place = self.at.place()?;
        let id = place.find(&self.which).await?;
        let shown = place.show(id).await?;
        match self.at.json {
            true => print(&format!("{shown}\n"))?,
            false => print(&text::one(&read(&shown)?, matches!(place, Place::Directory(_))))?,
        };
        Ok(ExitCode::SUCCESS)
    }
}
