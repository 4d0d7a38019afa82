//! Recordings, from the command line: found, started, stopped, cut, exported, held, deleted and
//! proven, at a running server or, where it makes sense, straight in a directory.
//!
//! `place` is where they are looked for, `model` what is told of one, `text` how people see it and
//! `when` how they write times. What is done to one is in `act`, its files in `files` and `export`.

mod act;
mod export;
mod files;
mod list;
mod model;
mod place;
mod text;
mod when;

use std::process::ExitCode;

use super::{Error, Stop, block_on};

/// `rtmp-server recordings`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings list -stream 'live/*' -from yesterday
  rtmp-server recordings start live/test -max-length 2h -label event=concert
  rtmp-server recordings stop -stream live/test
  rtmp-server recordings export -stream live/test -from 20:00 -to 21:00 -o evening.flv
  rtmp-server recordings list -record-dir /srv/recordings

Asks the server at -server, or RTMP_SERVER_URL, or http://127.0.0.1:8080. With -record-dir, list, show,
export, hold, release, verify and repair look straight into a record directory.")]
pub struct Recordings {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, clap::Subcommand)]
enum Job {
    /// Find recordings
    List(list::List),
    /// Show one recording: its files, gaps and books
    Show(list::Show),
    /// Start a recording, of a stream that is there or will be
    Start(act::Start),
    /// Stop a recording; the stream goes on
    Stop(act::Stop),
    /// Begin another file at the next key frame
    Split(act::Split),
    /// Make one file, FLV or MP4, of a recording, or of a stretch of time of a stream
    Export(export::Export),
    /// Keep a recording: nothing deletes it until it is released
    Hold(act::Hold),
    /// Let a recording be deleted again
    Release(act::Release),
    /// Delete a recording: into the bin, or at once
    Delete(act::Delete),
    /// Bring a recording back from the bin
    Restore(act::Restore),
    /// Say something of a recording
    Label(act::Label),
    /// Prove that a recording is the stream: nothing lost, twice or changed
    Verify(files::VerifyOne),
    /// Mend the files of a recording
    Repair(files::RepairOne),
}

impl Recordings {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match self.job {
            Job::List(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Show(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Start(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Stop(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Split(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Export(job) => block_on(async |stop| job.run(stop).await),
            Job::Hold(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Release(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Delete(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Restore(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Label(job) => block_on(async |stop| unless(stop, job.run()).await),
            Job::Verify(job) => {
                let verify = block_on(async |stop| unless(stop, job.find()).await)?;
                verify.run()
            }
            Job::Repair(job) => {
                let repair = block_on(async |stop| unless(stop, job.find()).await)?;
                repair.run()
            }
        }
    }
}

/// The work, unless somebody stops it first. What was asked of a server may be done all the same.
async fn unless<T>(stop: Stop, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        _ = stop => Err("stopped".into()),
    }
}
