//! Tells what retention would delete now, what it deleted, and when the disk will be full.
//!
//! `archive::retention` decides; here the answer is shown: `text` for people, `json` for programs.
//! Nothing is changed, and no server needs to run.

mod json;
mod text;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use archive::catalog::{self, Reader};
use archive::retention::Outlook;
use archive::{Policy, SystemDisk};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Error;
use super::format::printable;
use crate::Retain;

/// `rtmp-server retention`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server retention -retain-age 30d
  rtmp-server retention -record-dir /srv/recordings -retain-free 200GB -json | jq .doomed

Give the flags that the server has, or will have: this shows what they would do, and deletes nothing.
A file NAME.flv.hold beside NAME.flv keeps it for ever.")]
pub struct Retention {
    /// Directory of the recordings
    #[arg(long, value_name = "PATH", default_value = "recordings")]
    record_dir: PathBuf,

    #[command(flatten)]
    rules: Retain,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Deletions that are shown.
const DELETIONS: usize = 20;

impl Retention {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let outlook = self.outlook(Timestamp::now());
        let outlook = outlook.map_err(|error| words(&self.record_dir, &error))?;
        let out = match self.json {
            true => format!("{}\n", json::object(&self, &outlook)),
            false => text::report(&self, &outlook, &TimeZone::system()),
        };
        match io::stdout().lock().write_all(out.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot print the report: {error}").into())
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn outlook(&self, now: Timestamp) -> Result<Outlook, catalog::Error> {
        let reader = Reader::open(&self.record_dir)?;
        let policy = Policy {
            retention: self.rules.rules(),
            min_free: self.rules.record_min_free,
            ..Policy::default()
        };
        Outlook::new(&reader, &SystemDisk, &policy, now.as_millisecond(), DELETIONS)
    }
}

/// Why the catalog in a record directory cannot be asked.
pub(super) fn words(dir: &Path, error: &catalog::Error) -> String {
    let dir = printable(&dir.to_string_lossy());
    match error {
        catalog::Error::None => format!(
            "there is no catalog in {dir}; a server that records makes one, and one that \
             starts with this -record-dir makes it of the files that are there"
        ),
        error => format!("cannot read the catalog in {dir}: {error}"),
    }
}

#[cfg(test)]
mod tests;
