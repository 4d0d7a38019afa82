//! Tells what is in FLV files, and in MP4 recordings of this server, and everything that is wrong with them.
//!
//! `media::flv::probe` finds it out; here files are read and reports shown: `text` for people,
//! `json` for programs.

mod json;
mod text;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use archive::{About, Ledger};
use indicatif::ProgressBar;
use media::amf0::Value as Amf;
use media::flv::probe::{self, Report};
use media::flv::scan::{Bodies, FaultKind};
use media::mp4::scan::FaultKind as Mp4Fault;
use media::tags::Reader;

use super::Error;
use super::format;

pub(super) use json::gap;

/// `rtmp-server probe`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server probe recordings/live_test_20251011_143052.flv
  rtmp-server probe -json recordings/*.flv | jq .duration_ms

A file that is being recorded can be probed; that its last tag, or part, is cut off is then no \
fault.

Exit code: 0 when nothing is wrong with any file, 1 when something is or a file cannot be read, \
2 when the command line is wrong.")]
pub struct Probe {
    /// FLV files, or MP4 files that this server recorded
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Print one JSON object a file, each on a line of its own
    #[arg(long)]
    json: bool,
}

/// Read at once.
const READ_BYTES: usize = 256 << 10;
/// To pass over fewer bytes, reading is faster than seeking.
const SEEK_MIN: u64 = 256 << 10;
/// A recorder writes at least once a second.
const GROWTH: Duration = Duration::from_millis(1_500);
/// How often growth is looked for in that time.
const GROWTH_LOOKS: u32 = 15;

/// A file and what was found.
struct Probed {
    /// As it is shown.
    path: String,
    size_bytes: u64,
    /// Whether somebody still writes it. Only found out where the end is cut off.
    is_growing: bool,
    report: Report,
}

/// Why nothing can be told of a file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("neither an FLV nor an MP4 file")]
    NotFlv,
    #[error("{}", archive::words(.0))]
    Read(#[from] io::Error),
}

impl Probed {
    /// Sorts out what has nothing of an FLV file.
    fn of_flv(self) -> Result<Self, Failure> {
        let Report { header, tags, faults, .. } = &self.report;
        let has_start = !faults.iter().any(|fault| fault.kind == FaultKind::Signature);
        let is_flv = header.is_some() || *tags > 0 || has_start && self.size_bytes > 0;
        if is_flv { Ok(self) } else { Err(Failure::NotFlv) }
    }

    /// What the file says of itself, when this program recorded it.
    fn about(&self) -> Option<About> {
        About::from_properties(&self.report.metadata)
    }

    /// The books that the file carries.
    fn ledger(&self) -> Option<Ledger> {
        Ledger::from_properties(&self.report.metadata)
    }

    /// Whether the recorder has finished it and all of that is there; `None` where the file does not
    /// say.
    fn is_complete(&self) -> Option<bool> {
        let Amf::Boolean(complete) = self.told("complete")? else { return None };
        Some(*complete && self.lost_bytes() == 0)
    }

    /// How many bytes it lacks of what it had when it was finished.
    fn lost_bytes(&self) -> u64 {
        let was_complete = self.told("complete") == Some(&Amf::Boolean(true));
        let told = self.told("filesize").and_then(Amf::as_f64).filter(|_| was_complete);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates"
        )]
        told.map_or(0, |told| (told as u64).saturating_sub(self.size_bytes))
    }

    fn told(&self, name: &str) -> Option<&Amf> {
        let told = self.report.metadata.iter().find(|(told, _)| told == name);
        told.map(|(_, value)| value)
    }

    /// Whether nothing is wrong; the end of a growing file is not.
    fn is_sound(&self) -> bool {
        let excused = u64::from(self.is_growing && self.report.is_truncated());
        let Report { fault_count, index, .. } = &self.report;
        *fault_count == excused && !matches!(index, probe::IndexCheck::Wrong { .. })
    }
}

impl Probe {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match self.print(&mut io::stdout().lock()) {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Ok(ExitCode::FAILURE),
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::FAILURE),
            Err(error) => Err(format!("cannot print the report: {error}").into()),
        }
    }

    /// Prints all reports. Returns whether nothing is wrong with any file.
    fn print(&self, out: &mut impl io::Write) -> io::Result<bool> {
        let mut all_sound = true;
        for (i, path) in self.files.iter().enumerate() {
            let probed = probe(path).and_then(Probed::of_flv);
            all_sound &= probed.as_ref().is_ok_and(Probed::is_sound);
            match (&probed, self.json) {
                (Ok(probed), true) => writeln!(out, "{}", json::object(probed))?,
                (Err(error), true) => {
                    writeln!(out, "{}", json::unreadable(&format::path(path), error))?
                }
                (Ok(probed), false) => {
                    let gap = if i > 0 { "\n" } else { "" };
                    write!(out, "{gap}{}", text::report(probed))?;
                }
                (Err(error), false) => {
                    let path = format::path(path);
                    match error {
                        Failure::NotFlv => eprintln!("rtmp-server: {path} is {error}"),
                        Failure::Read(_) => eprintln!("rtmp-server: cannot read {path}: {error}"),
                    }
                }
            }
        }
        out.flush()?;
        Ok(all_sound)
    }
}

fn probe(path: &Path) -> Result<Probed, Failure> {
    let mut file = File::open(path)?;
    let bar = format::bar(file.metadata()?.len());
    let result = scan(&mut file, &bar);
    bar.finish_and_clear();
    let (report, size_bytes) = result?;
    let is_growing = report.is_truncated() && grows(&file, size_bytes)?;
    Ok(Probed { path: format::path(path), size_bytes, is_growing, report })
}

/// Reads the whole file, or seeks over what tells nothing. Returns the report and the bytes that it
/// is about.
fn scan(file: &mut File, bar: &ProgressBar) -> io::Result<(Report, u64)> {
    let mut scanner = Reader::new(Bodies::Skip);
    let mut probe = probe::Probe::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let mut is_at_end = false;
        if scanner.skippable() >= SEEK_MIN {
            // Never past the end, where seeking works and reading does not.
            let left = file.metadata()?.len().saturating_sub(scanner.position());
            scanner.skip(scanner.skippable().min(left));
            file.seek(SeekFrom::Start(scanner.position()))?;
        }
        match file.read(&mut buffer) {
            Ok(0) => {
                scanner.finish();
                is_at_end = true;
            }
            Ok(n) => scanner.push(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        while let Some(item) = scanner.poll() {
            probe.push(&item);
        }
        bar.set_position(scanner.position());
        if is_at_end {
            return Ok((probe.finish(), scanner.position()));
        }
    }
}

/// Whether the file is being written: it has grown, or grows within the time in which a recorder
/// writes.
fn grows(file: &File, size_bytes: u64) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if metadata.len() > size_bytes {
        return Ok(true);
    }
    // Nobody has touched it for a while: no need to wait. A clock that was set tells nothing.
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
    if age.is_some_and(|age| age > GROWTH * 2) {
        return Ok(false);
    }
    let until = Instant::now() + GROWTH;
    while Instant::now() < until {
        std::thread::sleep(GROWTH / GROWTH_LOOKS);
        if file.metadata()?.len() > size_bytes {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a fault means to whoever plays the file.
fn meaning(fault: &FaultKind, report: &Report) -> &'static str {
    match fault {
        FaultKind::Signature => "this is not an FLV file, or its start is lost",
        FaultKind::Version(_) => "players may refuse the file",
        FaultKind::HeaderFlags(_) | FaultKind::Reserved => "players ignore it; it may be damage",
        FaultKind::HeaderSize(_) => "players that count on 9 bytes lose the first tag",
        FaultKind::PreviousTagSize { .. } => {
            "players that step backwards lose their place here; forwards it plays"
        }
        FaultKind::TagType(_) => "players pass over the tag; it may be damage",
        FaultKind::StreamId(_) => "players ignore it; it may be damage",
        FaultKind::Encrypted => "players cannot decode the tag",
        FaultKind::TimeBack { .. } => {
            "the picture or the sound may stutter here, and seeking may miss"
        }
        FaultKind::Truncated { .. } => "the writer was stopped here; all before it plays",
        FaultKind::Mp4(Mp4Fault::NotOurs) => "ffprobe may tell more of it",
        FaultKind::Mp4(Mp4Fault::Torn) if report.tags == 0 => {
            "the end is missing, and there is no whole part before it"
        }
        FaultKind::Mp4(Mp4Fault::Torn) => {
            "the end is missing; all whole parts are there, and repair makes a file of them"
        }
        FaultKind::Mp4(Mp4Fault::TornIndex | Mp4Fault::NoIndex) => {
            "players may not open it; all parts are there, and repair makes the index anew"
        }
        FaultKind::Mp4(_) => {
            "what is behind this place was not read; repair saves all whole parts, those too"
        }
        FaultKind::Garbage { .. } => "bytes were lost or damaged here; it plays on behind them",
    }
}

#[cfg(test)]
mod tests;
