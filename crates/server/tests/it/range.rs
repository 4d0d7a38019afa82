//! One FLV of a range of time of a recording in several files, as other programs see it.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use archive::SystemDisk;
use archive::range::{Cut, Range, Source, export};
use media::{Kind, Packet};
use testkit::{Publisher, Server, block_on, tools};

use crate::ffmpeg::tool::{Ffmpeg, LONGEST};
use crate::files::judge::{self, PATIENCE, programs};
use crate::files::sender;
use crate::record::closed;
use crate::support::recording;

/// Three rounds of the clip, 24 s, in files of about 4 s.
fn recorded() -> Server {
    recorded_of(|_| true)
}

fn recorded_of(is_sent: impl Fn(&Packet) -> bool) -> Server {
    let length = sender::clip().len();
    let packets = sender::endless().take(length * 3 - 10).filter(is_sent);
    recorded_as_sent(&packets.collect::<Vec<_>>())
}

fn recorded_as_sent(packets: &[Packet]) -> Server {
    let mut server = recording().args(["-record-rotate-duration", "4s"]).start();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(packets).await.unwrap();
        publisher.close().await.unwrap();
    });
    closed(&server, "live/test");
    server.stop();
    server
}

fn source(server: &Server) -> Source {
    let (source, left) = Source::of_files(Arc::new(SystemDisk), server.recordings());
    assert!(left.is_empty(), "{left:?}");
    source
}

/// Writes the stretch of a recording, in ms from its start.
fn exported(server: &Server, name: &str, from_ms: i64, to_ms: i64, cut: Cut) -> PathBuf {
    let source = source(server);
    let start = source.start_unix_ms().unwrap();
    let range = Range { from_unix_ms: start + from_ms, to_unix_ms: start + to_ms, cut };
    let output = server.dir().join(name);
    export(&source, range, &SystemDisk, &output, &mut |_| true).unwrap();
    output
}

/// The same as MP4.
fn exported_as_mp4(server: &Server, name: &str, from_ms: i64, to_ms: i64) -> PathBuf {
    let source = source(server);
    let start = source.start_unix_ms().unwrap();
    let (from_unix_ms, to_unix_ms) = (start + from_ms, start + to_ms);
    let mp4 = source.mp4(Range { from_unix_ms, to_unix_ms, cut: Cut::Exact }).unwrap();
    let pieces = mp4.read(0..mp4.info().size_bytes).map(Result::unwrap);
    let output = server.dir().join(name);
    std::fs::write(&output, pieces.collect::<Vec<_>>().concat()).unwrap();
    output
}

/// Time (ms) and hash of each picture that FFmpeg shows, from the first of all packets on.
fn pictures(ffmpeg: &Path, file: &Path) -> Vec<(i64, String)> {
    pictures_with(ffmpeg, &[], file)
}

pub(crate) fn pictures_with(ffmpeg: &Path, options: &[&str], file: &Path) -> Vec<(i64, String)> {
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-v", "warning"]).args(options).arg("-i").arg(file);
    command.args(["-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1:1000"]);
    let output = tools::run(command.args(["-f", "framemd5", "-"]), PATIENCE).success();
    assert!(output.stderr.is_empty(), "{}: {}", file.display(), output.stderr);
    let text = output.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let picture = |line: &str| {
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        (fields[2].parse().unwrap(), fields[5].to_owned())
    };
    lines.map(picture).collect()
}

#[test]
fn range_over_several_files_is_read_without_a_warning() {
    let Some([ffmpeg, ffprobe]) = programs(["ffmpeg", "ffprobe"]) else { return };
    let server = recorded();
    assert!(server.recordings().len() > 3);
    let all = exported(&server, "all.flv", 0, 100_000, Cut::KeyFrame);
    let at_keys = exported(&server, "keys.flv", 5_000, 15_000, Cut::KeyFrame);
    let exact = exported(&server, "exact.flv", 5_130, 15_370, Cut::Exact);
    for file in [&all, &at_keys, &exact] {
        judge::sound(file);
        judge::ffprobe(&ffprobe, file).assert_demo();
    }
    let shown = pictures(&ffmpeg, &all);
    // From the first picture on each one, as late as it was after that.
    let follow = |from_ms: i64, count: usize| -> Vec<(i64, String)> {
        let after = shown.iter().filter(|(ms, _)| *ms >= from_ms).take(count);
        after.map(|(ms, hash)| (ms - from_ms, hash.clone())).collect()
    };

    let found = pictures(&ffmpeg, &at_keys);
    // The key frames are each two seconds, 4.0 s and 16.0 s among them.
    let first = found[0].0;
    let since_first: Vec<_> = found.iter().map(|(ms, hash)| (ms - first, hash.clone())).collect();
    assert_eq!(since_first, follow(4_040, found.len()));
    assert_eq!(since_first.len(), 300, "12 s");

    // All that the decoder runs through has the time 0; then each picture when it is to be shown.
    let found = pictures(&ffmpeg, &exact);
    let before = found.iter().take_while(|(ms, _)| *ms == 0).count();
    assert!((1..=51).contains(&before), "{before}");
    let first = found[before].0;
    let after: Vec<_> =
        found[before..].iter().map(|(ms, hash)| (ms - first, hash.clone())).collect();
    assert_eq!(after, follow(5_130 + first, after.len()));
    assert_eq!(first, 30, "the picture at 5.160 s");
    // A frame that is decoded before the end is shown at most its delay later.
    let last = found.last().unwrap().0;
    assert!((10_240 - 40..10_240 + 120).contains(&last), "{last}");
    let seconds = judge::ffprobe(&ffprobe, &exact).seconds();
    assert!((seconds - 10.24).abs() < 0.04, "{seconds}");
}

#[test]
fn exact_mp4_is_shown_from_the_asked_picture_to_the_asked_time() {
    let [Some(five), Some(nine)] = [tools::ffmpeg5(), tools::ffmpeg9()] else { return };
    let server = recorded();
    let all = exported(&server, "all.flv", 0, 100_000, Cut::KeyFrame);
    let exact = exported_as_mp4(&server, "exact.mp4", 5_130, 15_370);
    let shown = pictures(&five, &all);
    let within = shown.iter().filter(|(ms, _)| (5_130..15_370).contains(ms));
    let wanted: Vec<_> = within.map(|(ms, hash)| (ms - 5_130, hash.clone())).collect();
    // Where the clip begins again the picture before is shown for another 40 ms.
    assert_eq!((wanted[0].0, wanted.len()), (30, 255), "the picture at 5.160 s is the first");
    for ffmpeg in [five, nine] {
        // The first sound is not at 0 either.
        let found = pictures_with(&ffmpeg, &["-copyts"], &exact);
        assert_eq!(found, wanted, "{}", ffmpeg.display());
    }
}

#[test]
fn range_without_video_or_without_audio_is_read_without_a_warning() {
    let Some([ffprobe]) = programs(["ffprobe"]) else { return };
    for kind in [Kind::Audio, Kind::Video] {
        let server = recorded_of(|packet| packet.kind == kind);
        let file = exported(&server, "one.flv", 3_300, 9_700, Cut::Exact);
        judge::sound(&file);
        let probed = judge::ffprobe(&ffprobe, &file);
        assert!((probed.seconds() - 6.4).abs() < 0.05, "{}", probed.seconds());
        assert_eq!(probed.streams(), 1, "of {}", kind.name());
    }
}

/// Pictures and silence of 3 s in Opus, with a tone at 500 and at 1,500 ms, as FFmpeg publishes them.
fn tones(nine: &Ffmpeg, dir: &Path) -> Vec<Packet> {
    let file = dir.join("tones.flv");
    let tone = "aevalsrc=if(between(mod(t\\,1)\\,0.5\\,0.55)*lt(t\\,2)\\,sin(2*PI*1000*t)\\,0):s=48000:d=3";
    let mut command = nine.command(["-f", "lavfi", "-i", tone, "-f", "lavfi", "-i"]);
    command.args(["testsrc2=s=160x120:r=25:d=3", "-c:a", "libopus", "-c:v", "libx264"]);
    command.args(["-pix_fmt", "yuv420p", "-bf", "0", "-g", "25"]);
    let _ = tools::run(command.arg(&file), LONGEST).success();
    testkit::flv::clip(&file)
}

/// At which samples, of 48,000 a second of the file's own time, a tone begins.
fn heard(ffmpeg: &Ffmpeg, file: &Path) -> Vec<i64> {
    let raw = file.with_extension("raw");
    let mut command = ffmpeg.command(["-copyts", "-i"]);
    command.arg(file).args(["-map", "0:a", "-ac", "1", "-f", "framecrc", "-"]);
    command.args(["-map", "0:a", "-ac", "1", "-f", "s16le"]).arg(&raw);
    let frames = tools::run(&mut command, LONGEST).success();
    assert!(frames.stderr.is_empty(), "{}: {}", file.display(), frames.stderr);
    let text = frames.text();
    let fields = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.split(',').map(str::trim);
        let time = fields.nth(2).unwrap().parse::<i64>().unwrap();
        (time, fields.next().unwrap().parse::<i64>().unwrap())
    });
    let times = fields.flat_map(|(time, samples)| time..time + samples);
    let raw = std::fs::read(raw).unwrap();
    let (samples, _) = raw.as_chunks::<2>();
    let is_loud = |sample: &[u8; 2]| i16::from_le_bytes(*sample).unsigned_abs() > 1_000;
    let loud = times.zip(samples).filter(|(_, sample)| is_loud(sample)).map(|(time, _)| time);
    let mut begins: Vec<i64> = Vec::new();
    let mut last = i64::MIN / 2;
    for time in loud {
        if time - last > 10_000 {
            begins.push(time);
        }
        last = time;
    }
    begins
}

#[test]
fn sound_of_opus_is_heard_in_mp4_when_it_is_in_the_flv() {
    let Some((five, nine)) = Ffmpeg::five().zip(Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = recorded_as_sent(&tones(&nine, dir.path()));
    let flv = exported(&server, "all.flv", 0, 100_000, Cut::KeyFrame);
    let wanted = heard(&nine, &flv);
    assert!(wanted.len() == 2 && (wanted[0] - 24_000).abs() < 1_000, "{wanted:?}");
    // All of it; from within what primes the first sound behind a key frame; from within sound.
    for from_ms in [0, 250, 1_025, 1_290] {
        let mp4 = exported_as_mp4(&server, "exact.mp4", from_ms, 100_000);
        let wanted: Vec<_> =
            wanted.iter().map(|at| at - 48 * from_ms).filter(|at| *at > 0).collect();
        for ffmpeg in [&five, &nine] {
            let found = heard(ffmpeg, &mp4);
            let is_near = |(found, wanted): (&i64, &i64)| (found - wanted).abs() <= 48;
            let are_near = found.iter().zip(&wanted).all(is_near) && found.len() == wanted.len();
            assert!(are_near, "from {from_ms} ms on: {found:?}, and in the FLV {wanted:?}");
        }
    }
}
