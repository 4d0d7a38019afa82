//! `cargo xtask obs`: the tests with OBS Studio by one that knows Enhanced RTMP.
//!
//! Debian 12 has OBS 29.0, which does not. The next Debian has one that does, with libraries of its own: it is installed
//! below the target directory and runs there with its own root, in a mount namespace that ends with it.

use std::fs;
use std::path::Path;

use crate::run::{self, Result, Workspace, cargo, command};
use crate::tools::{attempt, packages};

/// The Debian that OBS comes from: 30.2.
const RELEASE: &str = "trixie";

/// Installs OBS and runs its tests, also those that the ordinary run passes over.
///
/// # Errors
///
/// When it cannot be installed, which needs root, or when a test fails.
pub(crate) fn tests() -> Result<()> {
    let workspace = Workspace::find()?;
    let root = workspace.target.join("obs");
    if !root.exists() {
        packages(&[("debootstrap", "a Debian for OBS to run in")])?;
        let staged = root.with_extension("staged");
        attempt(|| install(&staged))?;
        fs::rename(&staged, &root)
            .map_err(|error| format!("cannot move {}: {error}", staged.display()))?;
    }
    let program = workspace.target.join("obs.sh");
    launcher(&program, &root, &workspace.root)?;
    let mut tests = cargo();
    tests.current_dir(&workspace.root).env("RTMP_SERVER_TEST_OBS", program);
    tests.args(["test", "--package", "rtmp-server", "--test", "it", "--locked", "--", "obs::"]);
    run::run(tests.args(["--test-threads", "1"]))
}

/// A root with OBS in it. What is half made is made anew.
fn install(root: &Path) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)
            .map_err(|error| format!("cannot remove {}: {error}", root.display()))?;
    }
    run::run(command("debootstrap").args(["--variant=minbase", RELEASE]).arg(root))?;
    let script = "export DEBIAN_FRONTEND=noninteractive
        printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
        apt-get -q update
        apt-get -qy install --no-install-recommends obs-studio libgl1-mesa-dri
        apt-get clean";
    run::run(command("chroot").arg(root).args(["sh", "-ec", script]))
}

/// A program that is OBS with `root` as its root, where it finds what tests make and the workspace.
fn launcher(path: &Path, root: &Path, workspace: &Path) -> Result<()> {
    let (root, workspace) = (root.display(), workspace.display());
    let text = format!(
        r#"#!/bin/sh
# Made by `cargo xtask obs`.
exec unshare --mount sh -ec '
    mount -t proc proc "$0/proc"
    for shared in /tmp "${{TMPDIR:-/tmp}}" "{workspace}"; do
        mkdir -p "$0$shared"
        mount --rbind "$shared" "$0$shared"
    done
    exec chroot "$0" obs "$@"' "{root}" "$@"
"#
    );
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    run::run(command("chmod").arg("+x").arg(path))
}
