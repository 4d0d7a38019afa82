//! Prints the commented sample configuration.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::Error;
use crate::config::SAMPLE;

/// `rtmp-server sample-config`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server sample-config > rtmp-server.toml
  rtmp-server -config rtmp-server.toml")]
pub struct SampleConfig {}

impl SampleConfig {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match io::stdout().lock().write_all(SAMPLE.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot print the sample: {error}").into())
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}
