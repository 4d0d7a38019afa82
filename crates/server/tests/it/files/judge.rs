//! What programs that others wrote say of a file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::flv::probe::{Probe, Report};
use serde_json::Value;
use testkit::tools;

/// More than any of these programs needs for a file of some seconds on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The programs of these names; in a fast run `None`, and a line that says what was passed over.
pub(crate) fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(tools::program);
    if found.iter().any(Option::is_none) {
        println!("fast run: passed over, needs {}", names.join(", "));
        return None;
    }
    Some(found.map(Option::unwrap_or_default))
}

/// Checks a file by the project's own reader: whole, no fault.
pub(crate) fn sound(file: &Path) -> Report {
    let mut probe = Probe::new();
    let read = testkit::flv::scan(file, |item| probe.push(&item));
    let report = probe.finish();
    assert!(read.is_ok() && report.is_sound(), "{}: {:?}", file.display(), report.faults);
    report
}

/// What ffprobe says of a file.
#[derive(Debug)]
pub(crate) struct Probed(Value);

/// Checks that ffprobe reads all packets of a file without a warning.
pub(crate) fn ffprobe(ffprobe: &Path, file: &Path) -> Probed {
    let (probed, said) = ask_ffprobe(ffprobe, file, &["-count_packets"]);
    assert!(said.is_empty(), "{}: {said}", file.display());
    probed
}

/// Checks that ffprobe knows a file that grows meanwhile. It may not like what it reads: FFmpeg 5
/// takes the first bytes that are written after it had come to the end for zeros.
pub(crate) fn ffprobe_growing(ffprobe: &Path, file: &Path) -> Probed {
    ask_ffprobe(ffprobe, file, &[]).0
}

fn ask_ffprobe(ffprobe: &Path, file: &Path, args: &[&str]) -> (Probed, String) {
    let mut command = Command::new(ffprobe);
    command.args(["-v", "warning", "-show_streams", "-show_format", "-of", "json"]);
    let output = tools::run(command.args(args).arg(file), PATIENCE).success();
    let value = serde_json::from_slice(&output.stdout);
    let value = value.unwrap_or_else(|error| panic!("ffprobe: {error}\n{}", output.text()));
    (Probed(value), output.stderr)
}

impl Probed {
    /// A field of the first video or audio stream, as text.
    pub(crate) fn stream(&self, kind: &str, field: &str) -> String {
        let streams = self.0.get("streams").and_then(Value::as_array).into_iter().flatten();
        let mut streams = streams.filter(|s| s.get("codec_type").is_some_and(|t| t == kind));
        let value = streams.next().and_then(|stream| stream.get(field)).cloned();
        match value.unwrap_or_else(|| panic!("no {field} of {kind}: {self:?}")) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// How many streams there are.
    pub(crate) fn streams(&self) -> usize {
        self.0.get("streams").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Packets of a stream.
    pub(crate) fn packets(&self, kind: &str) -> usize {
        let count = self.stream(kind, "nb_read_packets");
        count.parse().unwrap_or_else(|error| panic!("{count}: {error}"))
    }

    /// Duration of the file in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        let text = self.0.pointer("/format/duration").and_then(Value::as_str);
        let seconds = text.and_then(|text| text.parse().ok());
        seconds.unwrap_or_else(|| panic!("no duration: {self:?}"))
    }

    /// Checks that this is the demo clip, or part of it.
    pub(crate) fn assert_demo(&self) {
        let video = ["codec_name", "width", "height"].map(|field| self.stream("video", field));
        assert_eq!(video, ["h264", "640", "360"]);
        let audio = ["codec_name", "sample_rate"].map(|field| self.stream("audio", field));
        assert_eq!(audio, ["aac", "48000"]);
    }
}

/// The pictures of a file, decoded by FFmpeg without an error: a hash each.
pub(crate) fn pictures(ffmpeg: &Path, file: &Path) -> Vec<String> {
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-v", "error", "-i"]).arg(file);
    command.args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let output = tools::run(&mut command, PATIENCE).success();
    assert!(output.stderr.is_empty(), "{}: {}", file.display(), output.stderr);
    let text = output.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(',').next()).map(|hash| hash.trim().to_owned()).collect()
}
