//! Players that seek in a finished recording.

use std::path::Path;
use std::process::Command;

use testkit::tools;

use super::judge::{self, PATIENCE};
use super::vlc::{self, Vlc};
use super::{recorded_clip, sender};
use crate::support::in_each_format;

/// How far from its aim a seek may end: a picture takes 40 ms.
const NEAR_S: f64 = 0.05;

in_each_format!(
    mpv_seeks_to_the_picture_in_a_finished_recording,
    vlc_starts_in_the_middle_of_a_finished_recording,
);

fn mpv_seeks_to_the_picture_in_a_finished_recording(format: &str) {
    let Some([mpv]) = judge::programs(["mpv"]) else { return };
    let (mut server, file) = recorded_clip(format);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/files/seek.lua");
    let mut command = Command::new(mpv);
    // Paused, so that the time it tells is that of the picture it has come to.
    command.args(["--no-config", "--no-terminal", "--vo=null", "--ao=null", "--pause"]);
    command.arg(format!("--script={}", script.display())).arg(&file);
    let text = tools::run(&mut command, PATIENCE).success().text();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    assert_eq!(numbers.len(), 6, "{text}");
    for step in numbers.chunks_exact(2) {
        assert!((step[0] - step[1]).abs() <= NEAR_S, "wanted and got: {step:?}");
    }
    server.stop();
}

fn vlc_starts_in_the_middle_of_a_finished_recording(format: &str) {
    let Some([ffmpeg]) = judge::programs(["ffmpeg"]) else { return };
    let Some(vlc) = Vlc::new() else { return };
    let (mut server, file) = recorded_clip(format);
    let (part, remux) = vlc.remux("part.ts");
    let args = ["--start-time=5", "--stop-time=7", &remux];
    vlc::run(vlc.command(args, vlc.lend(&file)));
    // It begins with the key frame at 4 s, which the index has led it to. At its end VLC's
    // multiplexer drops what it holds, which may tear a B-frame from pictures before it.
    let all = judge::pictures(&ffmpeg, &sender::demo());
    let got = judge::pictures(&ffmpeg, &part);
    let sure = &got[..got.len().saturating_sub(3)];
    assert!(sure.len() > 50 && all[100..].starts_with(sure), "{} pictures", got.len());
    server.stop();
}
