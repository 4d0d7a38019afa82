//! One FLV or MP4 file of a recording, or of a stretch of time of a stream.
//!
//! The server makes it, or in a directory `archive::range`, of the same segments in the same way.
//! Where it goes is `output`; what it is, `report` reads from its first bytes, which say it.

mod output;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use archive::catalog::{self, Reader, WhoseError};
use archive::range::{self, Range, Segment, Source};
use archive::{RecordingId, SystemDisk};
use bytes::Bytes;
use indicatif::ProgressBar;
use jiff::Zoned;

use super::place::{At, Place, Which, call, read};
use super::when::When;
use crate::command::api::Api;
use crate::command::{Error, Stop, Usage, format};
use crate::http;
use output::{Output, Target};
use report::Report;

/// `rtmp-server recordings export`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings export last -o last.flv
  rtmp-server recordings export -stream live/test -from 20:00 -to 21:00 -o evening.flv
  rtmp-server recordings export 8c1f -from 20:15 -cut exact -o goal.mp4
  rtmp-server recordings export -stream live/test -from -10m -o - | ffplay -
  rtmp-server recordings export last -record-dir /srv/recordings

A range may be of any number of files. -cut keyframe begins at the last key frame before -from and \
ends at the first one after -to; -cut exact cuts to the ms, with the pictures that decoders need, \
which an MP4 file does not show. \
The file gets its name when it is whole. What it lacks is told, and said in the file.")]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,

    /// Not before this time; with -stream from all its recordings
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    from: Option<When>,

    /// Not after this time
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    to: Option<When>,

    /// Where to cut: at key frames, or exactly
    #[arg(long, value_name = "WHERE", default_value = "keyframe",
          value_parser = ["keyframe", "exact"])]
    cut: String,

    /// What kind of file; by its name, unless said
    #[arg(long, value_name = "FORMAT", value_parser = ["flv", "mp4"])]
    format: Option<String>,

    /// Of a stream, what this recorder made; needed where several recorded it then
    #[arg(long, value_name = "NAME", requires = "stream", conflicts_with = "id")]
    recorder: Option<String>,

    /// The file, or a directory for it, or - for standard output; else a name of stream and start
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Put it into the place of a file that is there
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    at: At,
}

/// What is asked for.
enum Asked {
    Recording(RecordingId),
    Stream(String),
}

/// So often an export from a directory is begun anew because a segment was deleted or changed.
const RETRIES_MAX: u32 = 3;

impl Export {
    pub(super) async fn run(self, mut stop: Stop) -> Result<ExitCode, Error> {
        if let Some(ending) = self.unknown_ending() {
            let ending = format::printable(&ending);
            let why = format!("no .{ending} is made: -output takes a NAME.flv or NAME.mp4");
            return Err(Usage(why).into());
        }
        let place = self.at.place()?;
        let range = self.range(&Zoned::now())?;
        let is_of_time = self.from.is_some() || self.to.is_some();
        let asked = match &self.which.stream {
            Some(stream) if is_of_time || self.recorder.is_some() => Asked::Stream(stream.clone()),
            _ => Asked::Recording(place.find(&self.which).await?),
        };
        let target = self.target(&place, &asked, range).await?;
        let mut output = Output::create(target)?;
        let mut report = Report::default();
        let done = match &place {
            Place::Server(api) => tokio::select! {
                done = self.download(api, &asked, range, &mut output, &mut report) => done,
                _ = &mut stop => Err("stopped".into()),
            },
            Place::Directory(reader) => {
                let source = source(reader, &asked, range, self.recorder.as_deref())?;
                let made = (&source, range, self.format());
                make(made, &mut output, &mut report, &mut stop)
            }
        };
        done?;
        let file = output.keep()?;
        report.tell(file.as_deref(), self.at.json)?;
        Ok(ExitCode::SUCCESS)
    }

    /// What the name of the file promises, if nothing here is made so.
    fn unknown_ending(&self) -> Option<String> {
        let path = self.output.as_ref().filter(|path| self.format.is_none() && !path.is_dir())?;
        let ending = path.extension()?.to_string_lossy().into_owned();
        let is_known = ["flv", "mp4"].iter().any(|known| ending.eq_ignore_ascii_case(known));
        (!is_known).then_some(ending)
    }

    /// The ending of its name.
    fn format(&self) -> &'static str {
        let name = self.output.as_ref().and_then(|path| path.extension());
        let is_mp4 = match &self.format {
            Some(format) => format == "mp4",
            None => name.is_some_and(|name| name.eq_ignore_ascii_case("mp4")),
        };
        if is_mp4 { "mp4" } else { "flv" }
    }

    fn range(&self, now: &Zoned) -> Result<Range, Error> {
        let ms = |when: &Option<When>| when.as_ref().map(|when| when.unix_ms(now)).transpose();
        let from_unix_ms = ms(&self.from)?.unwrap_or(i64::MIN);
        let to_unix_ms = ms(&self.to)?.unwrap_or(i64::MAX);
        if from_unix_ms >= to_unix_ms {
            return Err(Usage("-from is not before -to".to_owned()).into());
        }
        let cut = match self.cut.as_str() {
            "exact" => range::Cut::Exact,
            _ => range::Cut::KeyFrame,
        };
        Ok(Range { from_unix_ms, to_unix_ms, cut })
    }

    /// Where the file goes. Its name is asked for only where nobody gave one.
    async fn target(&self, place: &Place, asked: &Asked, range: Range) -> Result<Target, Error> {
        let given = self.output.as_ref();
        if given.is_some_and(|path| path.as_os_str() == "-") {
            return Ok(Target::Stdout);
        }
        let overwrite = self.overwrite;
        if let Some(path) = given.filter(|path| !path.is_dir()) {
            return Ok(Target::File { path: path.clone(), overwrite });
        }
        let (stream, start) = match asked {
            Asked::Stream(stream) => (stream.clone(), range.from_unix_ms),
            Asked::Recording(id) => {
                let recording = read(&place.show(*id).await?)?;
                let start = recording.start.and_then(|start| start.parse().ok());
                let start = start.map_or(i64::MIN, |start: jiff::Timestamp| start.as_millisecond());
                (recording.stream, start.max(range.from_unix_ms))
            }
        };
        let name = output::name(&stream, start, self.format());
        let path = given.map_or_else(|| PathBuf::from(&name), |dir| dir.join(&name));
        Ok(Target::File { path, overwrite })
    }

    /// Has the server make it.
    async fn download(
        &self,
        api: &Api,
        asked: &Asked,
        range: Range,
        output: &mut Output,
        report: &mut Report,
    ) -> Result<(), Error> {
        let mut query = Vec::new();
        // The server wants to be told how far back a stretch of a stream goes.
        let earliest = if matches!(asked, Asked::Stream(_)) { 0 } else { i64::MIN };
        let range = Range { from_unix_ms: range.from_unix_ms.max(earliest), ..range };
        for (name, unix_ms) in [("from", range.from_unix_ms), ("to", range.to_unix_ms)] {
            if ![i64::MIN, i64::MAX].contains(&unix_ms) {
                query.push((name, http::time::of_ms(unix_ms)));
            }
        }
        query.push(("cut", self.cut.clone()));
        query.extend(self.recorder.iter().map(|recorder| ("recorder", recorder.clone())));
        let id;
        let (file, media_type) = match self.format() {
            "mp4" => ("media.mp4", "video/mp4"),
            _ => ("media.flv", "video/x-flv"),
        };
        let path = match asked {
            Asked::Recording(recording) => {
                id = recording.to_string();
                call(&id, &[file])
            }
            Asked::Stream(stream) => vec!["api", "v1", "streams", stream, file],
        };
        let mut answer = api.open(&path, &query, media_type).await?;
        let told = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        report.refused(told("x-refused-tracks").unwrap_or_default());
        if let Some(start) = told(http::START_TIME.as_str()) {
            report.begins(start);
        }
        let bar = format::bar(answer.content_length().unwrap_or(0));
        while let Some(piece) = api.piece(&mut answer).await? {
            take(&piece, output, report, &bar)?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn take(
    piece: &Bytes,
    output: &mut Output,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Error> {
    report.see(piece);
    output.write(piece)?;
    bar.inc(piece.len() as u64);
    Ok(())
}

/// The segments of what is asked for; with all others of their recordings, so that their times do
/// not depend on the range.
fn source(
    reader: &Reader,
    asked: &Asked,
    range: Range,
    recorder: Option<&str>,
) -> Result<Source, Error> {
    let recordings = match asked {
        Asked::Recording(id) => vec![*id],
        Asked::Stream(key) => {
            // What begins at its end says when what is before that ends.
            let (from, to) = (range.from_unix_ms, range.to_unix_ms.saturating_add(1));
            let there = reader.segments_between(key, from, to, None)?;
            let there = catalog::of_recorder(there, recorder).map_err(|error| {
                let hint = match error {
                    WhoseError::Several(_) => ": -recorder says whose is meant",
                    WhoseError::Other { .. } => "",
                };
                format!("{}{hint}", format::printable(&error.to_string()))
            })?;
            let mut recordings: Vec<_> = there.iter().map(|segment| segment.recording).collect();
            recordings.sort();
            recordings.dedup();
            recordings
        }
    };
    let mut segments = Vec::new();
    for recording in recordings {
        segments.extend(reader.of_recording(recording)?.iter().map(known));
    }
    Ok(Source::new(Arc::new(SystemDisk), segments))
}

/// A segment; how long an unfinished one is so far, only its file knows.
fn known(segment: &catalog::Segment) -> Segment {
    let of_catalog = Segment::from(segment);
    if of_catalog.length_ms.is_some() {
        return of_catalog;
    }
    // One that cannot be read now is told of when it is to be.
    let of_file = Segment::of_file(&SystemDisk, &of_catalog.path).ok().flatten();
    let at_least_ms = of_file.map_or(0, |file| file.at_least_ms);
    Segment { at_least_ms, ..of_catalog }
}

/// Pieces of a file.
type Pieces = Box<dyn Iterator<Item = Result<Bytes, range::Error>>>;

/// The file, and its size.
fn file(
    source: &Source,
    range: Range,
    format: &str,
    report: &mut Report,
) -> Result<(u64, Pieces), range::Error> {
    if format != "mp4" {
        let flv = source.flv(range)?;
        return Ok((flv.info().size_bytes, Box::new(flv)));
    }
    let mp4 = source.mp4(range)?;
    report.refused(&mp4.refused().join("; "));
    report.begins(&mp4.info().start_time);
    Ok((mp4.info().size_bytes, Box::new(mp4.read(0..u64::MAX))))
}

/// Makes it here. Blocks as the disk does; between two pieces is looked whether to stop.
fn make(
    (source, range, format): (&Source, Range, &str),
    output: &mut Output,
    report: &mut Report,
    stop: &mut Stop,
) -> Result<(), Error> {
    let mut retries = 0;
    loop {
        let (size_bytes, pieces) = file(source, range, format, report)?;
        let bar = format::bar(size_bytes);
        let mut changed = None;
        for piece in pieces {
            match piece {
                Err(error @ range::Error::Changed { .. }) => changed = Some(error),
                piece => take(&piece?, output, report, &bar)?,
            }
            if stop.try_recv().is_ok() {
                return Err("stopped".into());
            }
        }
        bar.finish_and_clear();
        match changed {
            None => return Ok(()),
            Some(error) if retries >= RETRIES_MAX || !output.rewind()? => {
                return Err(error.to_string().into());
            }
            Some(_) => {
                retries += 1;
                *report = Report::default();
            }
        }
    }
}
