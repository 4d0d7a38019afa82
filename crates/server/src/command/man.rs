//! The manual pages.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;

use super::format::path;
use super::{Error, print, shell};

/// `rtmp-server man`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server man | man -l -
  rtmp-server man /usr/local/share/man/man1")]
pub struct Man {
    /// Write all pages into this directory; else the first one is printed
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let command = shell::command();
        let Some(dir) = self.dir else {
            print(&page(&command)?)?;
            return Ok(ExitCode::SUCCESS);
        };
        let failed = |error: std::io::Error| {
            format!("cannot write to {}: {}", path(&dir), archive::words(&error))
        };
        fs::create_dir_all(&dir).map_err(failed)?;
        for (name, text) in pages(&command)? {
            fs::write(dir.join(name), text).map_err(failed)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All pages, by the names of their files.
fn pages(command: &Command) -> Result<Vec<(String, String)>, Error> {
    let mut pages = vec![(format!("{}.1", name(command)), page(command)?)];
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        pages.extend(self::pages(command)?);
    }
    Ok(pages)
}

/// `rtmp-server-recordings-list`
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn page(command: &Command) -> Result<String, Error> {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone().version(env!("CARGO_PKG_VERSION")));
    man.title(name(command)).manual("rtmp-server").render(&mut page)?;
    // Flags stand in bold; what is said of flags with two dashes stays.
    Ok(ascii(&String::from_utf8(page)?.replace("\\fB\\-\\-", "\\fB\\-")))
}

/// The page in signs that every troff reads, whatever the encoding that it expects.
fn ascii(page: &str) -> String {
    page.chars().fold(String::new(), |mut text, c| {
        match c.is_ascii() {
            true => text.push(c),
            false => text.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
        text
    })
}

#[cfg(test)]
mod tests;
