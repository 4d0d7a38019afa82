//! Makes the catalog of a record directory anew from the files.
//!
//! `archive::catalog` does it; here it is refused in words, shown while it goes on, and reported.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use archive::SystemDisk;
use archive::catalog::{self, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Error, format};

/// `rtmp-server catalog`
#[derive(Debug, clap::Args)]
pub struct Catalog {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the catalog anew from the recorded files; the old one is kept under another name
    Rebuild(Rebuild),
}

/// `rtmp-server catalog rebuild`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server catalog rebuild
  rtmp-server catalog rebuild -record-dir /srv/recordings -dir /mnt/archive -json

Recordings, their gaps and books, labels, holds and the bin are read from the files. Lost are hashes, \
why recordings ended and the list of what was deleted; they stay in the old catalog, which is called \
catalog.sqlite.broken-1 then. Stop the server first: it makes a catalog that is gone anew by itself.")]
struct Rebuild {
    /// Directory of the recordings
    #[arg(long, value_name = "PATH", default_value = "recordings")]
    record_dir: PathBuf,

    /// Further directory that recorders write to; those that the old catalog knows need not be given
    #[arg(long = "dir", value_name = "PATH")]
    dirs: Vec<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Catalog {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match self.action {
            Action::Rebuild(rebuild) => rebuild.run(),
        }
    }
}

/// What was done.
struct Report {
    segments: u64,
    files: u64,
    time: Duration,
}

impl Rebuild {
    fn run(self) -> Result<ExitCode, Error> {
        let report = self.rebuild().map_err(|error| self.words(&error))?;
        let text = if self.json { self.object(&report) } else { self.text(&report) };
        match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot print the report: {error}").into())
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn rebuild(&self) -> Result<Report, catalog::Error> {
        let begun = Instant::now();
        let bar = bar();
        let mut last = Progress::default();
        let segments =
            catalog::rebuild(&SystemDisk, &self.record_dir, &self.dirs, &mut |progress| {
                bar.set_length(progress.found);
                bar.set_position(progress.read);
                last = progress;
            });
        bar.finish_and_clear();
        Ok(Report { segments: segments?, files: last.found, time: begun.elapsed() })
    }

    fn text(&self, report: &Report) -> String {
        let dir = format::path(&self.record_dir);
        let [files, segments] =
            [format::count(report.files, "file"), format::count(report.segments, "segment")];
        let time = format::duration(report.time);
        format!("{dir}\n  found       {files}\n  entered     {segments}, in {time}\n")
    }

    fn object(&self, report: &Report) -> String {
        let object = json!({
            "record_dir": self.record_dir.to_string_lossy(),
            "files": report.files,
            "segments": report.segments,
            "seconds": report.time.as_secs_f64(),
        });
        format!("{object}\n")
    }

    fn words(&self, error: &catalog::Error) -> String {
        let dir = format::path(&self.record_dir);
        match error {
            catalog::Error::InUse => format!("a server uses the catalog in {dir}; stop it first"),
            error => format!("cannot make the catalog in {dir} anew: {error}"),
        }
    }
}

/// A bar where somebody looks.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{wide_bar} {percent:>3}%  {human_pos} of {human_len} files";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests;
