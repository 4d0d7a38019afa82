//! The programs that the tests drive: encoders, players and inspectors that users have.
//!
//! Most come as Debian packages, whose versions the Debian release pins. The newest FFmpeg comes
//! in a Python wheel, pinned here, in a virtual environment in the target directory. Nothing is
//! installed that is already there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::run::{Result, Workspace, command, output, run, succeeds};

/// Debian packages, with what the tests want of them.
const PACKAGES: &[(&str, &str)] = &[
    ("chromium", "the page to watch, and players of other pages"),
    ("e2fsprogs", "small file systems that fill up"),
    ("ffmpeg", "FFmpeg 5: publish, play, inspect"),
    ("flvmeta", "inspect recordings"),
    ("groff", "read the manual pages"),
    ("gstreamer1.0-libav", "encoders for GStreamer"),
    ("gstreamer1.0-plugins-bad", "rtmp2sink, rtmp2src, rtmpsink"),
    ("gstreamer1.0-plugins-base", "sources and converters for GStreamer"),
    ("gstreamer1.0-plugins-good", "FLV for GStreamer"),
    ("gstreamer1.0-plugins-ugly", "x264 for GStreamer"),
    ("gstreamer1.0-tools", "gst-launch-1.0"),
    ("libgl1-mesa-dri", "OpenGL without a graphics card, for OBS"),
    ("mediainfo", "inspect recordings"),
    ("mpv", "play"),
    ("nodejs", "drive Chromium"),
    ("obs-studio", "publish"),
    ("python3-venv", "the environment of the newest FFmpeg"),
    ("rtmpdump", "play"),
    ("vlc-bin", "play"),
    ("vlc-plugin-base", "RTMP for VLC"),
    ("xauth", "a display for OBS"),
    ("xvfb", "a display for OBS"),
];

/// The Python wheel that carries FFmpeg 9, and its version.
const FFMPEG9_WHEEL: &str = "imageio-ffmpeg==0.8.1";

/// Tests find the FFmpeg 9 program by this variable, or by the line of that name in the file
/// `tools/env` of the target directory.
pub(crate) const FFMPEG9: &str = "RTMP_SERVER_TEST_FFMPEG9";

/// The Python package that asks the API whatever its description allows, and its version.
const SCHEMATHESIS_WHEEL: &str = "schemathesis==4.32.5";

/// Tests find its program by this name, as [`FFMPEG9`].
pub(crate) const SCHEMATHESIS: &str = "RTMP_SERVER_TEST_SCHEMATHESIS";

/// The Python package that has FFmpeg's libraries as programs of others use them, and its version.
const PYAV_WHEEL: &str = "av==18.1.0";

/// Tests find the Python that has it by this name, as [`FFMPEG9`].
pub(crate) const PYAV: &str = "RTMP_SERVER_TEST_PYAV";

/// Tests find Playwright's module by this name, as [`FFMPEG9`]; the players that Chromium runs are
/// beside it.
pub(crate) const PLAYWRIGHT: &str = "RTMP_SERVER_TEST_PLAYWRIGHT";

/// Where the npm packages of the tests in Chromium are pinned, by hash too.
const NPM_LOCK: [&str; 2] = ["package.json", "package-lock.json"];

/// What tests need to be told of.
pub(crate) struct Tools {
    /// The FFmpeg 9 program.
    pub(crate) ffmpeg9: PathBuf,
    /// The program `schemathesis`.
    pub(crate) schemathesis: PathBuf,
    /// The module of Playwright.
    pub(crate) playwright: PathBuf,
    /// The Python that has PyAV.
    pub(crate) pyav: PathBuf,
}

/// A download is tried this often before it counts as failed.
const ATTEMPTS: u32 = 3;

/// The wait between two attempts.
const PAUSE: Duration = Duration::from_secs(10);

/// Installs what is missing.
///
/// # Errors
///
/// Tells what could not be installed, and the command that does it by hand.
pub(crate) fn install(workspace: &Workspace) -> Result<Tools> {
    packages(PACKAGES)?;
    let folder = workspace.target.join("tools");
    let ffmpeg9 = ffmpeg9(&folder.join("venv"))?;
    let schemathesis = schemathesis(&folder.join("schemathesis"))?;
    let playwright = playwright(workspace, &folder.join("browser"))?;
    let pyav = pyav(&folder.join("pyav"))?;
    let tools = Tools { ffmpeg9, schemathesis, playwright, pyav };
    let lines = tools.named().map(|(name, path)| format!("{name}={}\n", path.display()));
    std::fs::write(folder.join("env"), lines.concat())
        .map_err(|error| format!("cannot write {}: {error}", folder.join("env").display()))?;
    for (name, path) in tools.named() {
        println!("{name}: {}", path.display());
    }
    Ok(tools)
}

impl Tools {
    /// Each by the name that tests find it by.
    pub(crate) fn named(&self) -> [(&'static str, &Path); 4] {
        [
            (FFMPEG9, &self.ffmpeg9),
            (SCHEMATHESIS, &self.schemathesis),
            (PLAYWRIGHT, &self.playwright),
            (PYAV, &self.pyav),
        ]
    }
}

/// Installs Debian packages, named with what they are for.
///
/// # Errors
///
/// Tells what could not be installed, and the command that does it by hand.
pub(crate) fn packages(wanted: &[(&'static str, &str)]) -> Result<()> {
    let missing = missing_packages(wanted)?;
    if missing.is_empty() {
        println!("{} Debian packages: all installed", wanted.len());
        return Ok(());
    }
    for (name, what_for) in wanted.iter().filter(|(name, _)| missing.contains(name)) {
        println!("missing: {name} ({what_for})");
    }
    let Some(prefix) = root_prefix() else {
        let names = missing.join(" ");
        return Err(format!(
            "some packages are missing and this user cannot install them. As root, run:\n  \
             apt-get update && apt-get install -y --no-install-recommends {names}\n\
             or leave their tests out with `cargo xtask test --fast`"
        ));
    };
    // Old package lists may still do, so a failed update alone is no reason to stop.
    if let Err(error) = attempt(|| run(apt_get(prefix).arg("update"))) {
        println!("{error}; going on with the package lists that are there");
    }
    attempt(|| {
        let arguments = ["install", "-y", "--no-install-recommends"];
        run(apt_get(prefix).args(arguments).args(&missing))
    })?;
    let left = missing_packages(wanted)?;
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("apt-get succeeded, but these are still missing: {}", left.join(" ")))
    }
}

fn missing_packages(wanted: &[(&'static str, &str)]) -> Result<Vec<&'static str>> {
    let mut query = command("dpkg-query");
    query.args(["--show", "--showformat=${Package} ${db:Status-Status}\n"]);
    query.args(wanted.iter().map(|(name, _)| name));
    // It exits with 1 when it does not know one of the names, and tells so on its standard error.
    let answer = query.stderr(Stdio::null()).output().map_err(|error| {
        format!(
            "dpkg-query cannot be started ({error}). The tests with real programs need Debian or \
             Ubuntu; elsewhere run `cargo xtask test --fast`"
        )
    })?;
    Ok(missing_in(wanted, &String::from_utf8_lossy(&answer.stdout)))
}

fn missing_in(wanted: &[(&'static str, &str)], answer: &str) -> Vec<&'static str> {
    let installed = |name: &str| {
        answer.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(name) && words.next() == Some("installed")
        })
    };
    wanted.iter().map(|(name, _)| *name).filter(|name| !installed(name)).collect()
}

/// The words before `apt-get` that make it run as root; `None` when nothing does without asking.
fn root_prefix() -> Option<&'static [&'static str]> {
    if output(command("id").arg("-u")).is_ok_and(|answer| answer.trim() == "0") {
        Some(&["env"])
    } else if succeeds(command("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n", "env"])
    } else {
        None
    }
}

fn apt_get(prefix: &[&str]) -> Command {
    let (program, rest) = prefix.split_first().unwrap_or((&"env", &[]));
    let mut apt_get = command(program);
    apt_get.args(rest).args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    // Another installation may be under way: wait for it, but not for ever.
    apt_get.args(["-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2"]);
    apt_get
}

fn ffmpeg9(venv: &Path) -> Result<PathBuf> {
    if let Some(path) = find_ffmpeg9(venv) {
        return Ok(path);
    }
    python_package(venv, &["--no-deps", "--only-binary", ":all:", FFMPEG9_WHEEL])?;
    find_ffmpeg9(venv).ok_or_else(|| {
        format!("{FFMPEG9_WHEEL} is installed in {}, but has no FFmpeg 9", venv.display())
    })
}

fn schemathesis(venv: &Path) -> Result<PathBuf> {
    let program = venv.join("bin").join("schemathesis");
    let (_, version) = SCHEMATHESIS_WHEEL.split_once("==").unwrap_or_default();
    let is_there = || {
        let answer = output(command(&program).arg("--version"));
        answer.is_ok_and(|answer| answer.split_whitespace().any(|word| word == version))
    };
    if !is_there() {
        python_package(venv, &["--only-binary", ":all:", SCHEMATHESIS_WHEEL])?;
    }
    match is_there() {
        true => Ok(program),
        false => Err(format!("{SCHEMATHESIS_WHEEL} is installed, but does not run")),
    }
}

fn pyav(venv: &Path) -> Result<PathBuf> {
    let python = venv.join("bin").join("python");
    let (_, version) = PYAV_WHEEL.split_once("==").unwrap_or_default();
    let is_there = || {
        let answer = output(command(&python).args(["-c", "import av; print(av.__version__)"]));
        answer.is_ok_and(|answer| answer.trim() == version)
    };
    if !is_there() {
        python_package(venv, &["--no-deps", "--only-binary", ":all:", PYAV_WHEEL])?;
    }
    match is_there() {
        true => Ok(python),
        false => Err(format!("{PYAV_WHEEL} is installed, but cannot be imported")),
    }
}

/// Installs the npm packages of the tests in Chromium, unless these very versions are there.
fn playwright(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let source = workspace.root.join("crates/server/tests/browser");
    let module = folder.join("node_modules/playwright-core/index.mjs");
    let text = |path: PathBuf| {
        std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let mut is_same = module.is_file();
    for name in NPM_LOCK {
        is_same &= text(folder.join(name)).ok() == Some(text(source.join(name))?);
    }
    if is_same {
        return Ok(module);
    }
    // The Node.js of others than Debian brings npm, and does not go with Debian's.
    if !succeeds(command("npm").arg("--version")) {
        packages(&[("npm", "packages that Chromium runs")])?;
    }
    // What says that all is there is written when it is.
    let staged = folder.join("staged");
    std::fs::create_dir_all(&staged)
        .map_err(|error| format!("cannot make {}: {error}", staged.display()))?;
    let copy = |from: &Path, to: &Path| {
        NPM_LOCK.iter().try_for_each(|name| {
            std::fs::copy(from.join(name), to.join(name))
                .map(drop)
                .map_err(|error| format!("cannot write {name} in {}: {error}", to.display()))
        })
    };
    copy(&source, &staged)?;
    attempt(|| {
        let mut npm = command("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&staged);
        run(&mut npm)
    })?;
    let modules = folder.join("node_modules");
    if modules.exists() {
        std::fs::remove_dir_all(&modules)
            .map_err(|error| format!("cannot remove {}: {error}", modules.display()))?;
    }
    std::fs::rename(staged.join("node_modules"), &modules)
        .map_err(|error| format!("cannot move {}: {error}", modules.display()))?;
    copy(&source, folder)?;
    match module.is_file() {
        true => Ok(module),
        false => Err(format!("npm succeeded, but there is no {}", module.display())),
    }
}

/// Installs a package in an environment of its own, which is made anew: one that is half made would
/// stay so.
fn python_package(venv: &Path, package: &[&str]) -> Result<()> {
    if venv.exists() {
        std::fs::remove_dir_all(venv)
            .map_err(|error| format!("cannot remove {}: {error}", venv.display()))?;
    }
    run(command(python()).args(["-m", "venv"]).arg(venv))?;
    attempt(|| {
        let mut pip = command(venv.join("bin").join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        run(pip.args(package))
    })
}

/// Debian's own Python, which `python3-venv` belongs to, before any other.
fn python() -> &'static str {
    const DEBIAN: &str = "/usr/bin/python3";
    if Path::new(DEBIAN).exists() { DEBIAN } else { "python3" }
}

/// The program in the environment, if it is there and runs.
fn find_ffmpeg9(venv: &Path) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(venv.join("lib")).ok()?;
    pythons
        .filter_map(|python| {
            let packages = python.ok()?.path().join("site-packages");
            std::fs::read_dir(packages.join("imageio_ffmpeg").join("binaries")).ok()
        })
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| is_ffmpeg9(path))
}

fn is_ffmpeg9(path: &Path) -> bool {
    let is_named_so =
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-"));
    is_named_so && output(command(path).arg("-version")).is_ok_and(|answer| says_version_9(&answer))
}

/// Releases call themselves `9.0`, builds from the repository `n9.0`.
fn says_version_9(answer: &str) -> bool {
    let version = answer.strip_prefix("ffmpeg version ").unwrap_or_default();
    version.strip_prefix('n').unwrap_or(version).starts_with("9.")
}

/// Does something that a bad network may spoil.
///
/// # Errors
///
/// Those of the last attempt.
pub(crate) fn attempt(mut work: impl FnMut() -> Result<()>) -> Result<()> {
    for _ in 1..ATTEMPTS {
        match work() {
            Ok(()) => return Ok(()),
            Err(error) => println!("{error}; again in {} s", PAUSE.as_secs()),
        }
        thread::sleep(PAUSE);
    }
    work()
}

#[cfg(test)]
mod tests {
    use super::{PACKAGES, missing_in, says_version_9};

    fn answer_with_all_but(left_out: &str, status: &str) -> String {
        let lines = PACKAGES.iter().map(|(name, _)| {
            let status = if *name == left_out { status } else { "installed" };
            format!("{name} {status}\n")
        });
        lines.collect()
    }

    #[test]
    fn nothing_is_missing_when_all_is_installed() {
        assert!(missing_in(PACKAGES, &answer_with_all_but("", "")).is_empty());
    }

    #[test]
    fn a_removed_or_unknown_package_is_missing() {
        assert_eq!(
            missing_in(PACKAGES, &answer_with_all_but("flvmeta", "config-files")),
            ["flvmeta"]
        );
        assert_eq!(missing_in(PACKAGES, &answer_with_all_but("mpv", "not-installed")), ["mpv"]);
        assert_eq!(missing_in(PACKAGES, "").len(), PACKAGES.len());
    }

    #[test]
    fn a_package_whose_name_begins_alike_does_not_count() {
        let answer = answer_with_all_but("ffmpeg", "not-installed") + "ffmpeg-doc installed\n";
        assert_eq!(missing_in(PACKAGES, &answer), ["ffmpeg"]);
    }

    #[test]
    fn only_version_9_is_taken_for_ffmpeg_9() {
        assert!(says_version_9("ffmpeg version n9.0.2-17-g2a571b6068 Copyright"));
        assert!(says_version_9("ffmpeg version 9.1 Copyright"));
        assert!(!says_version_9("ffmpeg version 5.1.9-0+deb12u1 Copyright"));
        assert!(!says_version_9("ffmpeg version 90 Copyright"));
        assert!(!says_version_9(""));
    }
}
