//! OBS Studio on a display that nobody sees, with a home of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::tools::Running;

use crate::files::judge;
use crate::files::{sender, wait_until};

/// Both programs end after this time, in seconds, even if nobody is left to end them.
const LIFE_S: &str = "400";
/// How long the display may take to clean up behind itself.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Names another OBS than that of `PATH`: `cargo xtask obs` does.
const OBS: &str = "RTMP_SERVER_TEST_OBS";
/// Of the first track of pictures.
const BITRATE_KBPS: u32 = 300;

/// OBS, streaming a scene with the demo clip. Dropping it kills it, as a crash does.
pub(super) struct Studio {
    /// Before the display, which it needs.
    obs: Option<Running>,
    display: Option<Running>,
    home: TempDir,
}

impl Studio {
    /// Starts OBS, which begins to stream H.264 and AAC to `server` under `key` when it has come up. `None` in a fast
    /// run.
    pub(super) fn stream(server: &str, key: &str) -> Option<Self> {
        Self::with_profile(server, key, include_str!("basic.ini"))
    }

    /// Whether there is an OBS that knows Enhanced RTMP: `cargo xtask obs` installs and names it.
    pub(super) fn is_enhanced() -> bool {
        let is_named = std::env::var_os(OBS).is_some();
        if !is_named {
            println!("passed over, `cargo xtask obs` runs it");
        }
        is_named
    }

    /// The same in Enhanced RTMP, which OBS 29.0 does not know yet: AV1 in one track or, as Enhanced Broadcasting, in
    /// one of each size, and AAC in two.
    pub(super) fn stream_enhanced(server: &str, key: &str, sizes: &[(u32, u32)]) -> Option<Self> {
        let mut profile = include_str!("enhanced.ini").to_owned();
        if sizes.len() > 1 {
            // What a service tells OBS, here by hand: text with JSON in a value, where a backslash is two.
            let config = json!({ "text": broadcast(sizes).to_string() }).to_string();
            profile += "EnableMultitrackVideo=true\nMultitrackVideoConfigOverrideEnabled=true\n";
            profile += &format!("MultitrackVideoConfigOverride={}\n", config.replace('\\', r"\\"));
        }
        Self::with_profile(server, key, &profile)
    }

    fn with_profile(server: &str, key: &str, profile: &str) -> Option<Self> {
        let [timeout, sh, xvfb, obs] = judge::programs(["timeout", "sh", "Xvfb", "obs"])?;
        let obs = std::env::var_os(OBS).map_or(obs, PathBuf::from);
        let home = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        let mut studio = Self { obs: None, display: None, home };
        studio.configure(server, key, profile);
        studio.start(&[timeout, sh, xvfb, obs]);
        Some(studio)
    }

    /// Stops the stream as a user does.
    pub(super) fn stop_streaming(&self) {
        write(&self.home.path().join("stop"), "");
    }

    /// Ends OBS by `SIGKILL`.
    pub(super) fn kill(&mut self) {
        self.obs = None;
    }

    fn config(&self) -> PathBuf {
        self.home.path().join(".config/obs-studio")
    }

    fn configure(&self, server: &str, key: &str, profile: &str) {
        let (home, config) = (self.home.path(), self.config());
        let service = json!({
            "type": "rtmp_custom",
            "settings": { "server": server, "key": key, "use_auth": false, "bwtest": false },
        });
        let script = home.join("stop.lua");
        let scene = json!({
            "name": "test",
            "current_scene": "Scene",
            "current_program_scene": "Scene",
            "scene_order": [{ "name": "Scene" }],
            "sources": [
                {
                    "id": "ffmpeg_source",
                    "versioned_id": "ffmpeg_source",
                    "name": "Clip",
                    "mixers": 255,
                    "settings": {
                        "hw_decode": false,
                        "is_local_file": true,
                        "local_file": sender::demo(),
                        "looping": true,
                    },
                },
                {
                    "id": "scene",
                    "name": "Scene",
                    "settings": {
                        "id_counter": 1,
                        "custom_size": false,
                        "items": [{
                            "name": "Clip",
                            "id": 1,
                            "visible": true,
                            "pos": { "x": 0.0, "y": 0.0 },
                            "scale": { "x": 1.0, "y": 1.0 },
                            "bounds_type": 0,
                            "align": 5,
                        }],
                    },
                },
            ],
            "modules": {
                "scripts-tool": [{ "path": script, "settings": { "file": home.join("stop") } }],
            },
        });
        write(&script, include_str!("stop.lua"));
        write(&config.join("global.ini"), include_str!("global.ini"));
        let profiles = config.join("basic/profiles/test");
        write(&profiles.join("basic.ini"), profile);
        write(&profiles.join("streamEncoder.json"), &encoder(BITRATE_KBPS).to_string());
        write(&profiles.join("service.json"), &service.to_string());
        write(&config.join("basic/scenes/test.json"), &scene.to_string());
    }

    fn start(&mut self, [timeout, sh, xvfb, obs]: &[PathBuf; 4]) {
        let home = self.home.path();
        let number = home.join("display");
        let mut command = Command::new(timeout);
        command.arg(LIFE_S).arg(sh).args(["-c", r#"exec "$0" "$@" 3>"$DISPLAY_NUMBER""#]);
        command.arg(xvfb).args(["-displayfd", "3", "-screen", "0", "1024x768x24"]);
        command.args(["-nolisten", "tcp"]).env("DISPLAY_NUMBER", &number);
        self.display = Some(Running::start(&mut command));
        let display = || std::fs::read_to_string(&number).unwrap_or_default();
        wait_until("the display is there", || display().ends_with('\n'));

        let mut command = Command::new(timeout);
        command.args(["-s", "KILL", LIFE_S]).arg(obs).args(["--multi", "--disable-updater"]);
        command.args(["--disable-shutdown-check", "--minimize-to-tray", "--startstreaming"]);
        command.args(["--enable-multitrack-video-dev"]);
        command.args(["--profile", "test", "--collection", "test"]).current_dir(home);
        command.env("HOME", home).env("XDG_CONFIG_HOME", home.join(".config"));
        command.env("XDG_RUNTIME_DIR", home).env("LIBGL_ALWAYS_SOFTWARE", "1");
        command.env("DISPLAY", format!(":{}", display().trim())).env("QT_QPA_PLATFORM", "xcb");
        self.obs = Some(Running::start(&mut command));
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        if thread::panicking() {
            let logs = std::fs::read_dir(self.config().join("logs")).into_iter().flatten();
            for log in logs.flatten().filter_map(|log| std::fs::read_to_string(log.path()).ok()) {
                eprintln!("the log of OBS:\n{log}");
            }
        }
        self.kill();
        if let Some(display) = self.display.take() {
            // Asked to end, it removes its lock and its socket.
            let _ = display.interrupt(CLEAN_UP);
        }
    }
}

/// How AV1 is encoded.
fn encoder(bitrate_kbps: u32) -> Value {
    json!({ "rate_control": "CBR", "bitrate": bitrate_kbps, "keyint_sec": 2, "preset": 11 })
}

/// What a service with Enhanced Broadcasting answers.
fn broadcast(sizes: &[(u32, u32)]) -> Value {
    let video = |(&(width, height), share): (&(u32, u32), u32)| {
        json!({
            "type": "ffmpeg_svt_av1",
            "width": width,
            "height": height,
            "framerate": { "numerator": 30, "denominator": 1 },
            "settings": encoder(BITRATE_KBPS / share),
            "canvas_index": 0,
        })
    };
    let audio = |track_id: u32, bitrate: u32| {
        let settings = json!({ "bitrate": bitrate });
        json!([{ "codec": "aac", "track_id": track_id, "channels": 2, "settings": settings }])
    };
    json!({
        "meta": { "service": "test", "schema_version": "2024-06-04", "config_id": "test" },
        "ingest_endpoints": [],
        "encoder_configurations": sizes.iter().zip(1..).map(video).collect::<Vec<_>>(),
        "audio_configurations": { "live": audio(1, 96), "vod": audio(2, 64) },
    })
}

fn write(path: &Path, text: &str) {
    let parent = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = parent.and_then(|()| std::fs::write(path, text));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
