//! Somebody whom permissions stop. Root they do not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::BINARY;

/// `nobody` and `nogroup`, everywhere.
const NOBODY: u32 = 65_534;

/// Who runs a server: nobody when the tests run as root, else who runs the tests.
pub(crate) struct User {
    /// Where nobody can run the program; the target directory may be closed to others.
    public: Option<TempDir>,
}

impl User {
    pub(crate) fn unprivileged() -> Self {
        let public = rustix::process::geteuid().is_root().then(|| {
            let dir = tempfile::tempdir().unwrap();
            set_mode(dir.path(), 0o755);
            let place = dir.path().join("rtmp-server");
            if std::fs::hard_link(BINARY, &place).is_err() {
                std::fs::copy(BINARY, &place).unwrap();
            }
            dir
        });
        Self { public }
    }

    /// User and group to become, if any.
    pub(crate) fn id(&self) -> Option<(u32, u32)> {
        self.public.as_ref().map(|_| (NOBODY, NOBODY))
    }

    /// The program.
    pub(crate) fn binary(&self) -> PathBuf {
        self.public.as_ref().map_or(BINARY.into(), |dir| dir.path().join("rtmp-server"))
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
