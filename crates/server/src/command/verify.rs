//! Proves that the files of a recording are the stream: nothing lost, twice or changed.
//!
//! `archive::verify` judges; here files are found and read, with what is told of them beside
//! (`claims`), and the verdict is shown: `text` for people, `json` for programs.

mod claims;
mod json;
mod text;

use std::collections::BTreeSet;
use std::fs::{self, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use archive::catalog::Reader;
use archive::verify::{File, Report, State, Verdict, Walk, judge};
use indicatif::ProgressBar;

use super::{Error, format, retention};

/// `rtmp-server verify`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server verify recordings/live_test_20251011_*.flv
  rtmp-server verify -json recordings | jq .verdict
  rtmp-server verify -record-dir recordings /mnt/other-disk

The files of one recording belong together by what stands in them, whatever they are called. Each \
is read once, to its last byte. What is proven, and against what the hashes were checked, is \
printed; so is what could not be checked.

Exit code: 0 when the files are proven to be the whole stream; 3 when they are proven and say \
themselves that something is missing; 1 when something is not as it should be; 2 when the command \
line is wrong.")]
pub struct Verify {
    /// Files of recordings, or directories with them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Record directory whose catalog knows the files, where they are not below it
    #[arg(long, value_name = "PATH")]
    record_dir: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Read at once.
const READ_BYTES: usize = 4 << 20;
/// Proven, and something is missing that was declared.
const EXIT_PARTIAL: u8 = 3;

/// Something that could not be read, and why.
struct Unreadable {
    path: String,
    why: String,
}

/// The verdict on all that was given.
struct Verified {
    report: Report,
    unreadable: Vec<Unreadable>,
    /// Names of the files that no catalog was found for.
    without_catalog: BTreeSet<String>,
}

impl Verified {
    fn verdict(&self) -> Verdict {
        if self.unreadable.is_empty() { self.report.verdict() } else { Verdict::Unproven }
    }
}

impl Verify {
    /// The command for these files, which the catalog of a record directory knows.
    pub(super) fn of(files: Vec<PathBuf>, record_dir: Option<PathBuf>, json: bool) -> Self {
        Self { files, record_dir, json }
    }

    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let catalogs = match self.record_dir {
            Some(dir) => {
                let reader = Reader::open(&dir).map_err(|error| retention::words(&dir, &error))?;
                claims::Catalogs::with(reader)
            }
            None => claims::Catalogs::default(),
        };
        let verified = verify(&self.files, catalogs);
        let text = match self.json {
            true => format!("{:#}\n", json::object(&verified)),
            false => text::report(&verified),
        };
        match io::Write::write_all(&mut io::stdout(), text.as_bytes()) {
            Ok(()) => {}
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(format!("cannot print the report: {error}").into()),
        }
        Ok(match verified.verdict() {
            Verdict::Whole => ExitCode::SUCCESS,
            Verdict::Partial => ExitCode::from(EXIT_PARTIAL),
            Verdict::Unproven => ExitCode::FAILURE,
        })
    }
}

fn verify(given: &[PathBuf], mut catalogs: claims::Catalogs) -> Verified {
    let mut unreadable = Vec::new();
    let mut fail = |path: &Path, error: io::Error| {
        unreadable.push(Unreadable { path: format::path(path), why: archive::words(&error) });
    };
    // A file that is given twice is read once.
    let mut paths = BTreeSet::new();
    for path in given {
        match find(path) {
            // What is beside a file is read with it.
            Ok(_) if archive::is_sidecar(path) => {}
            Ok(found) if found.is_empty() => fail(path, io::Error::other("no recording in it")),
            Ok(found) => paths.extend(found),
            Err(error) => fail(path, error),
        }
    }
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let bar = format::bar(paths.iter().map(size).sum());
    let mut without_catalog = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        match read(&path, &bar) {
            Ok(mut file) => {
                file.claims = claims::sidecar(&path, &mut fail);
                if let Some(about) = &file.about {
                    let told = catalogs.claims(&path, about, &mut fail);
                    file.claims.extend(told.claim);
                    file.last_known = told.last_known;
                    if !told.has_catalog {
                        without_catalog.insert(file.name.clone());
                    }
                }
                files.push(file);
            }
            Err(error) => fail(&path, error),
        }
    }
    bar.finish_and_clear();
    Verified { report: judge(files), unreadable, without_catalog }
}

/// The file, or all recordings in the directory and below it. What the program keeps for itself
/// and links are left out.
fn find(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let ending =
            path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let is_media = ending.is_some_and(|ending| ending.parse::<archive::Format>().is_ok());
        if kind.is_dir() && !is_hidden || kind.is_file() && is_media {
            files.extend(find(&path)?);
        }
    }
    Ok(files)
}

/// The facts of a file. Of one that is being written only its beginning is read, which says where
/// it belongs.
fn read(path: &Path, bar: &ProgressBar) -> io::Result<File> {
    let mut file = fs::File::open(path)?;
    let is_growing = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    // Nobody is to find it in use because it is looked at.
    let _ = file.unlock();
    let mut walk = Walk::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                walk.push(buffer.get(..n).unwrap_or_default());
                bar.inc(n as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if is_growing {
            break;
        }
    }
    let mut facts = walk.finish(format::path(path));
    if is_growing {
        facts.state = State::Growing;
        facts.size_bytes = file.metadata()?.len();
    }
    Ok(facts)
}
