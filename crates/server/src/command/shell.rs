//! The command line as shells and manual pages are told of it: flags with one dash, as people write
//! them here. The programs that make those texts know only two.

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// All commands and flags.
pub(super) fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Gives every long flag in a text one dash.
pub(super) fn one_dash(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, from) = rest.split_at(at);
        let after = from.get(2..).unwrap_or_default();
        let is_alone = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let is_flag = is_alone && after.starts_with(|c: char| c.is_ascii_lowercase());
        out.push_str(before);
        out.push_str(if is_flag { "-" } else { "--" });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests;
