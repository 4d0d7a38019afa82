//! The files of a recording that has several.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::amf0::Value;
use media::flv::probe::Report;
use media::{Packet, Role};
use testkit::flv::Flv;
use testkit::tools;
use testkit::{Server, Stamp};

use super::report;
use crate::support::BINARY;

/// Longest that `verify` may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One file, checked: no fault, finished, playable alone.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) file: PathBuf,
    pub(crate) report: Report,
    /// The numbers that the frames carry, in their order in the file.
    pub(crate) frames: Vec<u64>,
}

impl Part {
    /// # Panics
    /// When the file has a fault, is not finished, or cannot be played alone.
    pub(crate) fn read(file: &Path) -> Self {
        let (name, flv) = (file.display(), Flv::read(file).unwrap());
        assert_eq!(flv.faults, [], "{name}");
        let media: Vec<_> = flv.tags.iter().filter(|tag| tag.packet.is_media()).collect();
        let video = media.iter().find(|tag| tag.packet.kind == media::Kind::Video);
        assert!(video.is_none_or(|tag| tag.packet.role == Role::Key), "{name}: no key frame first");
        let first = media.first().unwrap_or_else(|| panic!("{name}: no frame"));
        assert_eq!(first.header.timestamp_ms, 0, "{name}: starts at 0");
        let frames = media.iter().map(|tag| number(&tag.packet)).collect();
        let part = Self { file: file.to_owned(), report: report(file), frames };
        assert!(is_complete(file), "{name}: not finished");
        part
    }

    /// A value of the file's `onMetaData`, as text.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let (_, value) = self.report.metadata.iter().find(|(known, _)| known == name)?;
        let number = || value.as_f64().map(|number| number.to_string());
        value.as_str().map(str::to_owned).or_else(number)
    }

    /// The recording that it belongs to.
    pub(crate) fn recording(&self) -> String {
        self.value("recordingId").expect("the file names its recording")
    }

    /// A number that its `onMetaData` has, 0 when it has none.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.value(name).map_or(0, |text| text.parse().expect("a whole number"))
    }
}

/// Whether a file says that it is finished.
pub(crate) fn is_complete(file: &Path) -> bool {
    let metadata = report(file).metadata;
    metadata.iter().any(|(name, value)| name == "complete" && *value == Value::Boolean(true))
}

/// The number that a frame of a source carries.
fn number(packet: &Packet) -> u64 {
    Stamp::read(&packet.body).expect("a frame as it was sent").sequence
}

/// All finished files of a stream, those of one recording in the order of their numbers.
pub(crate) fn files(server: &Server, stream: &str) -> Vec<PathBuf> {
    let place = |file: PathBuf| {
        let metadata = report(&file).metadata;
        let value = |wanted| metadata.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
        let text = |name| value(name).and_then(Value::as_str).map(str::to_owned);
        let number = value("segment").and_then(Value::as_f64);
        let is_of_stream = text("streamKey").as_deref() == Some(stream);
        is_of_stream.then(|| (text("startTime"), number.map(f64::to_bits), file))
    };
    let mut files: Vec<_> = server.recordings().into_iter().filter_map(place).collect();
    files.sort();
    files.into_iter().map(|(_, _, file)| file).collect()
}

/// Likewise, read.
pub(crate) fn parts(server: &Server, stream: &str) -> Vec<Part> {
    files(server, stream).iter().map(|file| Part::read(file)).collect()
}

/// Checks that these files are one recording, numbered from 1 on.
pub(crate) fn assert_one_recording(parts: &[Part]) {
    let first = parts.first().expect("files").recording();
    for (number, part) in (1..).zip(parts) {
        assert_eq!(part.recording(), first, "{}", part.file.display());
        assert_eq!(part.count("segment"), number, "{}", part.file.display());
    }
}

/// The numbers of all frames of these files, which only grow.
pub(crate) fn frames_of(parts: &[Part]) -> Vec<u64> {
    let frames: Vec<_> = parts.iter().flat_map(|part| part.frames.iter().copied()).collect();
    let twice = frames.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(twice, None, "a frame is there twice or in another order");
    frames
}

/// Checks that these files, joined, have every frame that was sent, once, in order.
pub(crate) fn assert_joined(parts: &[Part], sent: &[Packet]) {
    let sent: Vec<_> = sent.iter().filter(|packet| packet.is_media()).map(number).collect();
    assert_eq!(frames_of(parts), sent);
}

/// What `rtmp-server verify` says of files: the exit code and the report.
pub(crate) fn verify<'a>(files: impl IntoIterator<Item = &'a Path>) -> (Option<i32>, String) {
    let mut command = Command::new(BINARY);
    let output = tools::run(command.arg("verify").args(files), TIMEOUT);
    let said = format!("{}{}", output.text(), output.stderr);
    (output.status.and_then(|status| status.code()), said)
}

/// Likewise, of a recording's files.
pub(crate) fn assert_verified(parts: &[Part], expected: i32) {
    let (code, said) = verify(parts.iter().map(|part| part.file.as_path()));
    assert_eq!(code, Some(expected), "{said}");
}
