//! Makes an MP4 file of an FLV file, or an FLV file of an MP4 recording of this server: the same
//! packets in the other container.
//!
//! The file is read twice, first up to where its tracks are known. In memory are a block, a tag or
//! part, and the index that is written at the end.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use archive::{Disk as _, Format, SystemDisk};
use indicatif::ProgressBar;
use media::flv::mux::{Options, Patch};
use media::flv::scan::{Bodies, Fault, FaultKind, Item, Tag};
use media::mp4::{Movie, Unreadable};
use media::tags::Reader;
use media::{Chunks, Header, Kind, Packet, Role, flv, mp4};
use serde_json::json;

use super::{Error, format, print};

/// `rtmp-server remux`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server remux evening.flv evening.mp4
  rtmp-server remux recordings/live_test_20251011_143052.mp4 test.flv

Audio and video are copied bit for bit, nothing is encoded. MP4 is read where this server recorded \
it. No file is ever overwritten; the new one has its name when it is whole.

Exit code: 0 when it was made, 1 when it was not, 2 when the command line is wrong.")]
pub struct Remux {
    /// The FLV file, or the MP4 recording
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// The file to be made, which must not exist: NAME.mp4 or NAME.flv
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes of the first packets that are looked at for tracks, at most.
const LOOK_BYTES: usize = 64 << 20;
/// A part of an MP4 file has so much time at most.
const PART_MS: u64 = 5_000;

/// What was made.
#[derive(Debug, Default)]
struct Made {
    packets: u64,
    bytes: u64,
    duration_ms: u64,
    /// Tracks and messages that no MP4 player finds, and why.
    hidden: Vec<String>,
}

enum Muxer {
    Flv(Box<flv::mux::Muxer>),
    Mp4(Box<mp4::mux::Muxer>),
}

impl Remux {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let to = Format::of(&self.output).ok_or("OUT is to be called NAME.mp4 or NAME.flv")?;
        if self.output.symlink_metadata().is_ok() {
            return Err(exists(&self.output));
        }
        let part = Part::create(&self.output)?;
        let made = self.make(to, &part.file)?;
        part.keep(&self.output)?;
        let shown = format::path(&self.output);
        let text = if self.json {
            let Made { packets, bytes, duration_ms, hidden } = &made;
            let object = json!({
                "output": shown, "format": to.name(), "packets": packets, "bytes": bytes,
                "duration_ms": duration_ms, "hidden": hidden,
            });
            format!("{object}\n")
        } else {
            for track in &made.hidden {
                eprintln!("rtmp-server: no MP4 player finds {}", format::printable(track));
            }
            let length = format::time(made.duration_ms);
            let packets = format::count(made.packets, "packet");
            format!("{shown}: {packets}, {length}, {}\n", format::size(made.bytes))
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn make(&self, to: Format, out: &File) -> Result<Made, Error> {
        let (mut made, mut chunks) = (Made::default(), Chunks::new());
        let mut muxer = match to {
            Format::Flv => Muxer::Flv(Box::new(flv::mux::Muxer::new(Options::default()))),
            Format::Mp4 => {
                let movie = self.movie()?;
                made.hidden = movie.refused().iter().map(ToString::to_string).collect();
                Muxer::Mp4(Box::new(mp4::mux::Muxer::new(movie, Options::default())))
            }
        };
        muxer.start(&mut chunks);
        let mut unreadable = Unreadable::default();
        self.each(|packet, time_ms| {
            unreadable.note(packet);
            muxer.push(packet, time_ms, &mut chunks)?;
            made.packets += 1;
            if chunks.len() >= READ_BYTES {
                self.write(out, &mut chunks)?;
            }
            Ok(true)
        })?;
        if to == Format::Mp4 {
            made.hidden.extend(unreadable.told());
        }
        muxer.finish(&mut chunks);
        self.write(out, &mut chunks)?;
        for Patch { offset, bytes } in muxer.patches() {
            let mut out = out;
            let written = out.seek(SeekFrom::Start(offset)).and_then(|_| out.write_all(&bytes));
            written.map_err(|error| failed(&self.output, &error))?;
        }
        (made.bytes, made.duration_ms) = muxer.size();
        Ok(made)
    }

    /// What the first packets tell.
    fn movie(&self) -> Result<Movie, Error> {
        let (mut packets, mut bytes) = (Vec::new(), 0);
        self.each(|packet, _| {
            bytes += packet.body.len();
            packets.push(packet.clone());
            Ok(packets.len() < Movie::LOOK_MAX && bytes < LOOK_BYTES)
        })?;
        let movie = Movie::of(&Header::default(), &packets);
        match movie.refused().first() {
            Some(refused) if movie.is_empty() => Err(refused.to_string().into()),
            None if movie.is_empty() => Err("there is no audio and no video in it".into()),
            _ => Ok(movie),
        }
    }

    /// Hands over the packets of the file, with their times, while that is wanted.
    fn each(&self, mut take: impl FnMut(&Packet, u64) -> Result<bool, Error>) -> Result<(), Error> {
        let cannot = |error: &io::Error| -> Error {
            format!("cannot read {}: {}", format::path(&self.input), archive::words(error)).into()
        };
        let mut file = File::open(&self.input).map_err(|error| cannot(&error))?;
        if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            let path = format::path(&self.input);
            return Err(format!(
                "{path} is being written: wait until it is finished, or have a file made of what \
                 is there by now (rtmp-server recordings export)"
            )
            .into());
        }
        // Nobody is to find it in use because it is read.
        let _ = file.unlock();
        let size = file.metadata().map_err(|error| cannot(&error))?.len();
        let bar = format::bar(size);
        let done = read(&mut file, &bar, |tag| take(&tag.packet, tag.header.timestamp_ms.into()));
        bar.finish_and_clear();
        done.map_err(|failure| match failure {
            Failure::Read(error) => cannot(&error),
            Failure::Fault(fault) => {
                format!("{}: {}", format::path(&self.input), told(&fault)).into()
            }
            Failure::Made(error) => error,
        })
    }

    fn write(&self, mut out: &File, chunks: &mut Chunks) -> Result<(), Error> {
        let written = out.write_all(&chunks.to_vec());
        *chunks = Chunks::new();
        written.map_err(|error| failed(&self.output, &error))
    }
}

/// Why not all of a file was read.
enum Failure {
    Read(io::Error),
    Fault(Fault),
    Made(Error),
}

/// What a file is that cannot be read, and what to do.
fn told(fault: &Fault) -> String {
    let what = format!("{} at byte {}", fault.kind, fault.offset);
    match fault.kind {
        FaultKind::Signature => {
            format!("neither FLV nor an MP4 recording ({what}); if it was FLV, repair it first")
        }
        FaultKind::Mp4(mp4::scan::FaultKind::NotOurs) => {
            "an MP4 file that no rtmp-server recorded; ffmpeg -i IN -c copy OUT takes such files"
                .to_owned()
        }
        _ => format!("{what}; repair it first"),
    }
}

/// Reads tags, but for the one that the file says of itself.
fn read(
    file: &mut File,
    bar: &ProgressBar,
    mut take: impl FnMut(&Tag) -> Result<bool, Error>,
) -> Result<(), Failure> {
    let mut reader = Reader::new(Bodies::Keep);
    let mut buffer = vec![0; READ_BYTES];
    let mut is_first = true;
    loop {
        let n = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Failure::Read)?,
        };
        match n {
            0 => reader.finish(),
            n => reader.push(buffer.get(..n).unwrap_or_default()),
        }
        while let Some(item) = reader.poll() {
            match item {
                Item::Header(_) => {}
                Item::Fault(fault) => return Err(Failure::Fault(fault)),
                Item::Tag(tag) => {
                    let is_own = std::mem::take(&mut is_first)
                        && (tag.packet.kind, tag.packet.role) == (Kind::Data, Role::Metadata);
                    if !is_own && !take(&tag).map_err(Failure::Made)? {
                        return Ok(());
                    }
                }
            }
        }
        bar.set_position(reader.position());
        if n == 0 {
            return Ok(());
        }
    }
}

impl Muxer {
    fn start(&mut self, out: &mut Chunks) {
        match self {
            Self::Flv(muxer) => muxer.start(&Header::default(), out),
            Self::Mp4(muxer) => muxer.start(&Header::default(), out),
        }
    }

    fn push(&mut self, packet: &Packet, time_ms: u64, out: &mut Chunks) -> Result<(), Error> {
        match self {
            Self::Flv(muxer) => muxer.push(packet, time_ms, out)?,
            Self::Mp4(muxer) => {
                if muxer.movie().is_changed_by(packet) {
                    return Err(format!(
                        "the configuration changes at {}, and an MP4 file has one",
                        format::time(time_ms)
                    )
                    .into());
                }
                if packet.role == Role::Key || muxer.open_ms() >= PART_MS {
                    muxer.cut();
                }
                muxer.push(packet, time_ms, out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Chunks) {
        if let Self::Mp4(muxer) = self {
            muxer.finish(out);
        }
    }

    fn patches(&self) -> Vec<Patch> {
        let (mut patches, complete) = match self {
            Self::Flv(muxer) => (muxer.patches(), muxer.complete_patch()),
            Self::Mp4(muxer) => (muxer.patches(), muxer.complete_patch()),
        };
        patches.push(complete);
        patches
    }

    /// Bytes, and ms.
    fn size(&self) -> (u64, u64) {
        match self {
            Self::Flv(muxer) => (muxer.position(), muxer.duration_ms()),
            Self::Mp4(muxer) => (muxer.position(), muxer.duration_ms()),
        }
    }
}

/// A file on its way. What is dropped before it was kept is removed.
struct Part {
    file: File,
    path: PathBuf,
}

impl Part {
    fn create(output: &Path) -> Result<Self, Error> {
        let mut path = output.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let file = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&path),
            _ => failed(&path, &error),
        })?;
        Ok(Self { file, path })
    }

    fn keep(self, output: &Path) -> Result<(), Error> {
        let kept = self.file.sync_all().and_then(|()| SystemDisk.rename_new(&self.path, output));
        kept.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(output),
            _ => failed(output, &error),
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Where it was kept there is none of this name any more.
        let _ = fs::remove_file(&self.path);
    }
}

fn exists(path: &Path) -> Error {
    format!("{} exists already and is not overwritten", format::path(path)).into()
}

fn failed(path: &Path, error: &io::Error) -> Error {
    format!("cannot write {}: {}", format::path(path), archive::words(error)).into()
}

#[cfg(test)]
mod tests;
