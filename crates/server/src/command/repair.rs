//! Mends FLV files, torn ones and those of other servers, and MP4 recordings of this server.
//!
//! `media::flv::repair` and `media::mp4::mux` find out what is wrong and set it right; here files are
//! read, twice: the first time to see whether there is anything to do, the second time to do it.
//! Where the new file
//! goes, and that the old one is never lost, is in `output`; `report` says what was done.

mod output;
mod report;

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use archive::Format;
use indicatif::ProgressBar;
use media::flv::mux::Options;
use media::flv::repair::{self, Repaired, Summary};
use media::flv::scan::{Bodies, Scanner};
use media::{Chunks, mp4};

use super::{Error, Usage, format};
use output::Output;

/// `rtmp-server repair`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server repair old.flv                 writes old.repaired.flv
  rtmp-server repair killed.mp4              of an MP4 recording of this server likewise
  rtmp-server repair -in-place broken/*.flv  the old files are called NAME.flv.bak then
  rtmp-server repair -dry-run old.flv        only says what is wrong

Audio and video are kept bit for bit; what is set right is what stands around them: metadata, \
sizes, times, the index, the end. Of an MP4 recording all whole parts are kept, and damaged ones \
become gaps. A file in which nothing is wrong, and one that \
another program is writing, is not touched. No file is ever overwritten.

Exit code: 0 when each file is sound or repaired, 1 when one could not be, 2 when the command line \
is wrong.")]
pub struct Repair {
    /// FLV files, or MP4 files that this server recorded
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    how: How,

    /// Print one JSON object a file, each on a line of its own
    #[arg(long)]
    json: bool,
}

/// How to mend files.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Write the repaired file there; it must not exist
    #[arg(short, long, value_name = "OUT", conflicts_with = "in_place")]
    output: Option<PathBuf>,

    /// Put the repaired file into the place of the old one, which is kept as NAME.flv.bak
    #[arg(long)]
    in_place: bool,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Read at once.
const READ_BYTES: usize = 1 << 20;

/// What became of a file.
enum Outcome {
    /// Nothing is wrong with it.
    Sound,
    /// It was only looked at.
    Repairable(Summary),
    /// There is a new file; `backup` is the old one's name if it has another one now.
    Repaired { summary: Summary, output: PathBuf, backup: Option<PathBuf> },
}

/// Why a file was not repaired. It is as it was.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot read it: {}", archive::words(.0))]
    Read(#[from] io::Error),
    #[error("another program is writing it")]
    InUse,
    #[error("neither an FLV nor an MP4 file")]
    NotFlv,
    #[error(
        "an MP4 file that no rtmp-server recorded, or whose beginning is lost; ffmpeg -i IN -c copy \
         OUT may read it"
    )]
    Foreign,
    #[error("no {0} is left in it that could be saved")]
    Empty(&'static str),
    #[error("{} exists already and is not overwritten", format::path(.0))]
    Exists(PathBuf),
    #[error("cannot write {}: {}", format::path(.0), archive::words(.1))]
    Write(PathBuf, io::Error),
}

impl Repair {
    /// The command for these files.
    pub(super) fn of(files: Vec<PathBuf>, how: How, json: bool) -> Self {
        Self { files, how, json }
    }

    pub(super) fn run(self) -> Result<ExitCode, Error> {
        if self.how.output.is_some() && self.files.len() > 1 {
            return Err(Usage("-output takes one FILE".to_owned()).into());
        }
        let mut all_fine = true;
        for path in &self.files {
            let outcome = self.repair(path);
            all_fine &= outcome.is_ok();
            let text = match (&outcome, self.json) {
                (_, true) => report::object(path, &outcome).to_string() + "\n",
                (Ok(outcome), false) => report::text(path, outcome),
                (Err(failure), false) => {
                    let path = format::path(path);
                    eprintln!("rtmp-server: {path} was not repaired: {failure}");
                    String::new()
                }
            };
            match io::Write::write_all(&mut io::stdout(), text.as_bytes()) {
                Ok(()) => {}
                // Whoever reads has seen enough; the work goes on.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => return Err(format!("cannot print the report: {error}").into()),
            }
        }
        Ok(if all_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn repair(&self, path: &Path) -> Result<Outcome, Failure> {
        if let Some(output) = self.how.output.as_ref().filter(|output| output.exists()) {
            return Err(Failure::Exists(output.clone()));
        }
        let mut file = File::open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Failure::InUse),
            // Where a file system has no locks there are none.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let bar = format::bar(file.metadata()?.len().saturating_mul(2));
        let outcome = self.repair_open(path, &mut file, &bar);
        bar.finish_and_clear();
        outcome
    }

    fn repair_open(
        &self,
        path: &Path,
        file: &mut File,
        bar: &ProgressBar,
    ) -> Result<Outcome, Failure> {
        let mut head = Vec::new();
        file.take(8).read_to_end(&mut head)?;
        let format = if head.ends_with(b"ftyp") { Format::Mp4 } else { Format::Flv };
        let Repaired { summary, .. } = pass(file, format, bar, |out| {
            out.advance(out.len());
            Ok(())
        })?;
        let Summary { audio, video, data, .. } = &summary;
        match (audio.found + video.found + data.found, format) {
            (0, Format::Mp4) => return Err(Failure::Empty("part")),
            (0, Format::Flv) if head.starts_with(b"FLV") => return Err(Failure::Empty("tag")),
            (0, Format::Flv) => return Err(Failure::NotFlv),
            _ if summary.mends.is_empty() => return Ok(Outcome::Sound),
            _ if self.how.dry_run => return Ok(Outcome::Repairable(summary)),
            _ => {}
        }
        let target = match &self.how.output {
            Some(output) => output.clone(),
            None if self.how.in_place => path.to_owned(),
            None => output::beside(path, format, 1),
        };
        let failed = |error| Failure::Write(target.clone(), error);
        let mut output = Output::create(&target, file).map_err(failed)?;
        let repaired = pass(file, format, bar, |out| output.write(out).map_err(failed))?;
        output.patch(&repaired.patches).map_err(failed)?;
        output.patch(&[repaired.complete]).map_err(failed)?;
        let summary = repaired.summary;
        if self.how.in_place {
            let backup = output.replace(path).map_err(failed)?;
            return Ok(Outcome::Repaired { summary, output: target, backup: Some(backup) });
        }
        let output = match &self.how.output {
            Some(_) => output.keep(&target).map(|()| target.clone()),
            None => output.keep_beside(path, format),
        };
        Ok(Outcome::Repaired { summary, output: output.map_err(failed)?, backup: None })
    }
}

/// Reads all of a file. The bytes of the new one are handed to `write` as they come.
fn pass(
    file: &mut File,
    format: Format,
    bar: &ProgressBar,
    mut write: impl FnMut(&mut Chunks) -> Result<(), Failure>,
) -> Result<Repaired, Failure> {
    file.rewind()?;
    let mut mender = Mender::of(format);
    let (mut out, mut buffer) = (Chunks::new(), vec![0; READ_BYTES]);
    loop {
        let read = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            let repaired = mender.finish(&mut out).ok_or(Failure::Foreign)?;
            write(&mut out)?;
            return Ok(repaired);
        }
        mender.push(buffer.get(..read).unwrap_or_default(), &mut out);
        write(&mut out)?;
        bar.inc(read as u64);
    }
}

/// What mends a file of a format.
enum Mender {
    Flv(Box<(Scanner, repair::Repair)>),
    Mp4(Box<mp4::mux::Repair>),
}

impl Mender {
    fn of(format: Format) -> Self {
        match format {
            Format::Flv => Self::Flv(Box::new((
                Scanner::new(Bodies::Keep),
                repair::Repair::new(Options::default().reserve_bytes),
            ))),
            Format::Mp4 => Self::Mp4(Box::default()),
        }
    }

    fn push(&mut self, bytes: &[u8], out: &mut Chunks) {
        match self {
            Self::Flv(flv) => {
                let (scanner, repair) = &mut **flv;
                scanner.push(bytes);
                while let Some(item) = scanner.poll() {
                    repair.push(&item, out);
                }
            }
            Self::Mp4(repair) => repair.push(bytes, out),
        }
    }

    /// `None` for a file of which nothing can be made.
    fn finish(self, out: &mut Chunks) -> Option<Repaired> {
        match self {
            Self::Flv(flv) => {
                let (mut scanner, mut repair) = *flv;
                scanner.finish();
                while let Some(item) = scanner.poll() {
                    repair.push(&item, out);
                }
                Some(repair.finish(out))
            }
            Self::Mp4(repair) => repair.finish(out),
        }
    }
}
