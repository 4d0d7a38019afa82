//! Players that begin in the middle of a file that is still growing.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Server, tools};

use crate::disk::user::set_mode;
use crate::files::judge::{self, PATIENCE};
use crate::files::sender::{self, Sender};
use crate::files::vlc::{self, Vlc};
use crate::files::{file_of, wait_until};
use crate::record::{metadata, report};
use crate::support::recording;

/// How far from its aim a start may be: a picture takes 40 ms.
const NEAR_S: f64 = 0.05;

/// A recording that says itself to be longer than 25 s, and goes on.
fn growing(dir: &Path) -> (Server, Sender, PathBuf) {
    let server = recording().record_dir(dir).start();
    let sender = Sender::start(&server.url("live/test"), sender::endless(), 8);
    let file = file_of(&server);
    wait_until("the file says to be long", || metadata(&report(&file), "duration") > Some(25.0));
    (server, sender, file)
}

fn finish(mut server: Server, sender: Sender) {
    assert!(sender.is_running(), "it has grown all the time");
    sender.stop();
    server.wait_for_log("recorder closed", &[("stream_key", "live/test")]);
    server.stop();
}

#[test]
fn mpv_starts_in_the_middle_of_a_growing_file() {
    let Some([mpv]) = judge::programs(["mpv"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (server, sender, file) = growing(dir.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/players/start.lua");
    for start in [20.5, 3.7] {
        let mut command = Command::new(&mpv);
        command.args(["--no-config", "--no-terminal", "--vo=null", "--ao=null", "--pause"]);
        command.args(["--hr-seek=yes".to_owned(), format!("--start={start}")]);
        command.arg(format!("--script={}", script.display())).arg(&file);
        let text = tools::run(&mut command, PATIENCE).success().text();
        let at: f64 = text.trim().parse().unwrap_or_else(|_| panic!("{text:?}"));
        assert!((at - start).abs() <= NEAR_S, "wanted {start}, got {at}");
    }
    finish(server, sender);
}

#[test]
fn vlc_starts_in_the_middle_of_a_growing_file() {
    let Some([ffmpeg]) = judge::programs(["ffmpeg"]) else { return };
    let Some(vlc) = Vlc::new() else { return };
    let (server, sender, file) = growing(&vlc.dir().join("recordings"));
    set_mode(vlc.dir(), 0o755);
    set_mode(server.record_dir(), 0o755);
    set_mode(&file, 0o644);
    let (part, remux) = vlc.remux("part.ts");
    vlc::run(vlc.command(["--start-time=21", "--stop-time=23", &remux], &file));
    // It begins with the key frame at 20.08 s, which the index has led it to: that at 4 s of the
    // clip when it comes for the third time. At its end VLC's multiplexer drops what it holds.
    let all = judge::pictures(&ffmpeg, &sender::demo());
    let got = judge::pictures(&ffmpeg, &part);
    let sure = got.get(..got.len().saturating_sub(3)).unwrap_or_default();
    assert!(sure.len() > 50 && all[100..].starts_with(sure), "{} pictures", got.len());
    finish(server, sender);
}
