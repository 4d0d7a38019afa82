//! The FFmpeg programs and what is asked of them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::{Kind, Packet};
use testkit::flv;
use testkit::tools::{self, Running};

use super::packets::Listing;

/// The longest that any of these programs may run. A few seconds are usual.
pub(crate) const LONGEST: Duration = Duration::from_secs(180);

/// One FFmpeg program.
#[derive(Debug, Clone)]
pub(crate) struct Ffmpeg(PathBuf);

impl Ffmpeg {
    /// FFmpeg 5; `None` in a fast run, which is told.
    pub(crate) fn five() -> Option<Self> {
        told(tools::ffmpeg5()).map(Self)
    }

    /// FFmpeg 9; `None` in a fast run, which is told.
    pub(crate) fn nine() -> Option<Self> {
        told(tools::ffmpeg9()).map(Self)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A command that says on standard error what went wrong, and nothing else.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.0);
        command.args(["-hide_banner", "-nostdin", "-nostats", "-v", "warning", "-y"]).args(args);
        command
    }

    /// The packets of a file, each by its hash; no warning may be given.
    pub(crate) fn packets(&self, file: &Path) -> Listing {
        self.packets_but_for(&[], file)
    }

    /// The same, of which these warnings may be given.
    pub(crate) fn packets_but_for(&self, known: &[&str], file: &Path) -> Listing {
        self.listing(&[], file, &["-c", "copy"], known)
    }

    /// The packets of a file that are read after a seek to `second`.
    pub(crate) fn packets_from(&self, file: &Path, second: &str) -> Listing {
        self.listing(&["-ss", second], file, &["-c", "copy"], &[])
    }

    /// The pictures that are decoded after a seek to `second`.
    pub(crate) fn pictures_from(&self, file: &Path, second: &str) -> Listing {
        self.listing(&["-ss", second], file, &["-map", "0:v"], &[])
    }

    fn listing(&self, input: &[&str], file: &Path, output: &[&str], known: &[&str]) -> Listing {
        let mut command = self.command(["-copyts"]);
        command.args(input).arg("-i").arg(file).args(output).args(["-f", "framehash", "-"]);
        let output = tools::run(&mut command, LONGEST).success();
        let is_known = |line: &&str| known.iter().any(|known| line.contains(known));
        let said: Vec<_> = output.stderr.lines().filter(|line| !is_known(line)).collect();
        assert_eq!(said, [""; 0], "warnings on {}", file.display());
        Listing::parse(&output.text())
    }

    /// Packs the packets of `source` into an FLV file as it would publish them, with other options
    /// of its output.
    pub(crate) fn pack(&self, source: &Path, options: &[&str], flv: &Path) {
        let mut command = self.command(["-i"]);
        command.arg(source).args(["-c", "copy"]).args(options).args(["-f", "flv"]).arg(flv);
        let _ = tools::run(&mut command, LONGEST).success();
    }

    /// Publishes the packets of `source` as fast as the server takes them.
    pub(crate) fn publish(&self, source: &Path, url: &str) -> Running {
        self.publish_with(source, &[], &[], url)
    }

    /// Publishes in real time, so that a player that waits for the stream can join it.
    pub(crate) fn publish_live(&self, source: &Path, url: &str) -> Running {
        self.publish_with(source, &LIVE, &[], url)
    }

    /// Publishes with options of the input and of the output.
    pub(crate) fn publish_with(
        &self,
        source: &Path,
        input: &[&str],
        output: &[&str],
        url: &str,
    ) -> Running {
        let mut command = self.command(input);
        command.arg("-i").arg(source).args(["-c", "copy"]).args(output).args(["-f", "flv", url]);
        Running::start(&mut command)
    }

    /// Plays into a listing of packets with the times that the server gives, written to `listing`
    /// as they come.
    pub(crate) fn play(&self, url: &str, listing: &Path) -> Running {
        let mut command = self.command(["-copyts", "-i", url, "-c", "copy", "-flush_packets", "1"]);
        command.args(["-f", "framehash"]).arg(listing);
        Running::start(&mut command)
    }
}

/// Options of an input that is published in real time.
pub(crate) const LIVE: [&str; 1] = ["-re"];

/// Waits for a program that should end by itself and well; returns what it had to say.
pub(crate) fn ended(running: Running) -> String {
    running.wait(LONGEST).success().stderr
}

/// Passes a program on, and says so when there is none.
pub(crate) fn told(program: Option<PathBuf>) -> Option<PathBuf> {
    if program.is_none() {
        println!("passed over: RTMP_SERVER_TEST_FAST=1 does without other programs");
    }
    program
}

/// A codec in FFmpeg's words, and options of its encoder.
pub(crate) type Encoder = (&'static str, &'static [&'static str]);

/// A source of 320x180 at 25 pictures a second with a key frame each second, and a tone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// The ending of the file's name, which is its container.
    pub(crate) container: &'static str,
    /// How pictures are encoded.
    pub(crate) video: Option<Encoder>,
    /// How sound is encoded.
    pub(crate) audio: Option<Encoder>,
}

/// Pictures between two key frames.
pub(crate) const KEY_INTERVAL: usize = 25;

/// H.264 with B-frames.
pub(crate) const H264: Encoder = ("h264", &["-c:v", "libx264", "-preset", "veryfast", "-bf", "2"]);
/// AAC, stereo.
pub(crate) const AAC: Encoder = ("aac", &["-c:a", "aac", "-b:a", "64k"]);
/// HEVC with B-frames.
pub(crate) const HEVC: Encoder = (
    "hevc",
    &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=2"],
);
/// AV1.
pub(crate) const AV1: Encoder = ("av1", &["-c:v", "libsvtav1", "-preset", "11"]);
/// Opus, stereo.
pub(crate) const OPUS: Encoder = ("opus", &["-c:a", "libopus"]);
/// VVC: a key frame each second of which nothing behind it depends on anything before it.
pub(crate) const VVC: Encoder = (
    "vvc",
    &[
        "-pix_fmt",
        "yuv420p10le",
        "-c:v",
        "libvvenc",
        "-preset",
        "faster",
        "-vvenc-params",
        "intraperiod=25:decodingrefreshtype=idr2",
    ],
);
/// VP9.
pub(crate) const VP9: Encoder =
    ("vp9", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"]);
/// FLAC.
pub(crate) const FLAC: Encoder = ("flac", &["-c:a", "flac"]);
/// AC-3.
pub(crate) const AC3: Encoder = ("ac3", &["-c:a", "ac3"]);
/// E-AC-3.
pub(crate) const EAC3: Encoder = ("eac3", &["-c:a", "eac3"]);
/// MP3 of 44.1 kHz.
pub(crate) const MP3: Encoder = ("mp3", &["-ar", "44100", "-c:a", "libmp3lame"]);
/// What most encoders send.
pub(crate) const USUAL: Source = Source { container: "mp4", video: Some(H264), audio: Some(AAC) };

impl Source {
    /// The packets of `seconds` of it, as `ffmpeg` would publish them.
    pub(crate) fn packets(&self, ffmpeg: &Ffmpeg, seconds: u32) -> Vec<Packet> {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        let packed = dir.path().join("packed.flv");
        ffmpeg.pack(&self.encode(ffmpeg, seconds, dir.path()), &[], &packed);
        flv::clip(&packed)
    }

    /// Its codecs in FFmpeg's words.
    pub(crate) fn codecs(&self) -> impl Iterator<Item = (Kind, &'static str)> {
        let tracks = [(Kind::Video, self.video), (Kind::Audio, self.audio)];
        tracks.into_iter().filter_map(|(kind, track)| Some((kind, track?.0)))
    }

    /// Encodes `seconds` of it into a file in `dir`.
    pub(crate) fn encode(&self, ffmpeg: &Ffmpeg, seconds: u32, dir: &Path) -> PathBuf {
        let file = dir.join(format!("source{seconds}")).with_extension(self.container);
        let mut command = ffmpeg.command::<&str>([]);
        let mut input = |filter: &str| {
            command.args(["-f", "lavfi", "-i"]).arg(format!("{filter}:d={seconds}"));
        };
        if self.video.is_some() {
            input("testsrc2=s=320x180:r=25");
        }
        if self.audio.is_some() {
            // No two packets of noise are the same.
            input("anoisesrc=r=48000:a=0.1:seed=1");
        }
        if let Some((_, options)) = self.video {
            let group = KEY_INTERVAL.to_string();
            command
                .args(["-pix_fmt", "yuv420p", "-keyint_min", &group, "-g", &group])
                .args(options);
        }
        if let Some((_, options)) = self.audio {
            command.args(["-ac", "2"]).args(options);
        }
        // Some encoders have lines of their own for standard error.
        let _ = tools::run(command.arg(&file), LONGEST).success();
        file
    }
}
