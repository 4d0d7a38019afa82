//! The files of a recording, for the commands that work on files.

use std::path::PathBuf;

use archive::RecordingId;

use super::place::{At, Place, Which, read};
use crate::command::Error;
use crate::command::format::path;
use crate::command::repair::{How, Repair};
use crate::command::verify::Verify;

/// `rtmp-server recordings verify`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings verify last
  rtmp-server recordings verify 8c1f -record-dir /srv/recordings

The same as rtmp-server verify with all files of the recording, which have to be on this machine.
Exit code: 0 proven whole, 3 proven but not whole, 1 not proven.")]
pub(super) struct VerifyOne {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    at: At,
}

impl VerifyOne {
    /// The command for the recording's files.
    pub(super) async fn find(self) -> Result<Verify, Error> {
        let place = self.at.place()?;
        let id = place.find(&self.which).await?;
        let record_dir = place.record_dir().await;
        Ok(Verify::of(files(&place, id).await?, record_dir, self.at.json))
    }
}

/// `rtmp-server recordings repair`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings repair 8c1f4e2a90b7d635 -dry-run
  rtmp-server recordings repair 8c1f4e2a90b7d635 -in-place -record-dir /srv/recordings

The same as rtmp-server repair with all files of the recording, which have to be on this machine.
Exit code: 0 when each file is sound or repaired, 1 when one could not be.")]
pub(super) struct RepairOne {
    /// The recording: its whole id
    #[arg(value_name = "ID")]
    id: RecordingId,

    #[command(flatten)]
    how: How,

    #[command(flatten)]
    at: At,
}

impl RepairOne {
    /// The command for the recording's files.
    pub(super) async fn find(self) -> Result<Repair, Error> {
        let place = self.at.place()?;
        Ok(Repair::of(files(&place, self.id).await?, self.how, self.at.json))
    }
}

/// The files of a recording that are there, in order.
pub(super) async fn files(place: &Place, id: RecordingId) -> Result<Vec<PathBuf>, Error> {
    let recording = read(&place.show(id).await?)?;
    let there = recording.files.iter().filter(|file| file.is_there());
    let files: Vec<PathBuf> = there.map(|file| PathBuf::from(&file.file)).collect();
    if files.is_empty() {
        return Err(format!("recording {id} has no file: it is {}", recording.state).into());
    }
    match files.iter().find(|file| !file.exists()) {
        None => Ok(files),
        Some(file) => Err(format!(
            "{} is not there: the server's files have to be on this machine, and a path that is not \
             absolute is below the server's working directory; -record-dir PATH says where they are",
            path(file)
        )
        .into()),
    }
}
