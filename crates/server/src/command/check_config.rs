//! Tells what is wrong with a configuration, or what it comes to.
//!
//! `config` reads and judges it as the server does at its start; here the answer is shown: `text`
//! for people, `json` for programs. Nothing is started.

mod json;
mod text;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Zoned;
use live::Key;

use super::Error;
use crate::config::examine;

/// `rtmp-server check-config`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server check-config rtmp-server.toml
  rtmp-server check-config rtmp-server.toml -streams live/test,live/other
  rtmp-server check-config rtmp-server.toml -json -- -record-dir /srv/recordings

Without FILE that of RTMP_SERVER_CONFIG is taken. The environment counts as it does for the server.
Exit code: 0 when everything is right, 2 when something is wrong.")]
pub struct CheckConfig {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Tell which recorders would record these streams now, and why the others would not
    #[arg(long, value_name = "APP/NAME,…", value_delimiter = ',', value_parser = stream)]
    streams: Vec<Key>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Flags that the server has beside the file
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

/// The configuration is wrong.
const EXIT_WRONG: u8 = 2;

fn stream(text: &str) -> Result<Key, String> {
    Key::new("", text).map_err(|error| error.to_string())
}

impl CheckConfig {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let mut args: Vec<OsString> = vec!["rtmp-server".into()];
        if let Some(file) = &self.file {
            let mut arg = OsString::from("--config=");
            arg.push(file);
            args.push(arg);
        }
        args.extend(self.flags.iter().cloned());
        let (out, code) = match (examine(args, std::env::vars_os()), self.json) {
            (Ok(settings), true) => {
                let object = json::object(&settings, &self.streams, &Zoned::now());
                (format!("{object}\n"), ExitCode::SUCCESS)
            }
            (Ok(settings), false) => {
                (text::report(&settings, &self.streams, &Zoned::now()), ExitCode::SUCCESS)
            }
            (Err(problems), true) => {
                (format!("{}\n", json::problems(&problems)), ExitCode::from(EXIT_WRONG))
            }
            (Err(problems), false) => {
                let lines = problems.iter().map(|problem| format!("{problem}\n"));
                (lines.collect(), ExitCode::from(EXIT_WRONG))
            }
        };
        match io::stdout().lock().write_all(out.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot print the report: {error}").into())
            }
            _ => Ok(code),
        }
    }
}

/// What is printed of settings, for programs and for people.
#[cfg(any(test, fuzzing))]
pub(crate) fn told(
    settings: &crate::config::Settings,
    streams: &[Key],
    now: &Zoned,
) -> (serde_json::Value, String) {
    (json::object(settings, streams, now), text::report(settings, streams, now))
}

#[cfg(test)]
mod tests;
