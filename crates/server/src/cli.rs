//! The command line: flags with one dash or two, one clear line for what cannot be understood.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::Config;
use crate::command::Command;

/// Records live streams that OBS, FFmpeg and other encoders publish by RTMP, and serves them to
/// players.
///
/// Flags may be written with one dash or two: -record-all true, -record-all=true, --record-all. Each
/// may also be said in the environment, RTMP_SERVER_RECORD_ALL=true, and in a file (-config).
#[derive(Debug, Parser)]
#[command(
    name = "rtmp-server",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub struct Cli {
    /// What to do; without a command the server runs.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Settings of the server.
    #[command(flatten)]
    pub config: Config,
}

/// What was asked for instead of running, or what was wrong with the arguments.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Text to print on standard output: help or version. Exit code 0.
    Text(String),
    /// For standard error: one line for each thing that is wrong. Exit code 2.
    Wrong(String),
}

/// Reads the arguments, the program's name first.
///
/// # Errors
/// [`Stop`] says what to print and whether it is an error.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    parse_with_values(args).map(|(cli, _)| cli)
}

/// A flag's name, its value as it was written, and whether somebody wrote it.
pub(crate) type Given = (String, OsString, bool);

/// The same, with the values of the server's flags.
pub(crate) fn parse_with_values(
    args: impl IntoIterator<Item = OsString>,
) -> Result<(Cli, Vec<Given>), Stop> {
    let stop = |error: clap::Error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Text(error.to_string()),
        _ => Stop::Wrong(one_line(&error)),
    };
    let matches = Cli::command().try_get_matches_from(plain(args)).map_err(stop)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(stop)?;
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if !is_given("http_listen") {
        cli.config.http_listen = cli.config.http_listen.unasked();
    }
    // Settings are told by the flags' names, which are clap's with `-` for `_`.
    let values = matches.ids().filter_map(|id| {
        let value = matches.try_get_raw(id.as_str()).ok()??.next_back()?;
        Some((id.as_str().replace('_', "-"), value.to_owned(), is_given(id.as_str())))
    });
    Ok((cli, values.collect()))
}

/// The settings when nothing is said.
pub(crate) fn defaults() -> Config {
    #[expect(clippy::expect_used, reason = "no argument is required; a test runs this")]
    parse(["rtmp-server".into()]).map(|cli| cli.config).expect("the defaults are valid")
}

/// The arguments as clap wants them: long flags with two dashes, and `--loop` with its number or
/// none behind `=`, since clap would take what follows for the number. What follows `--` stays as
/// it is.
fn plain(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter().peekable();
    let mut plain: Vec<_> = args.next().into_iter().collect();
    while let Some(arg) = args.next() {
        if arg == "--" {
            plain.push(arg);
            plain.extend(args);
            return plain;
        }
        let arg = dashes(arg);
        let is_number = |next: &OsString| {
            next.to_str().is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()))
        };
        if arg == "--loop" && !args.peek().is_some_and(is_number) {
            plain.push("--loop=forever".into());
        } else {
            plain.push(arg);
        }
    }
    plain
}

/// Gives a long flag with one dash its second one. Single letters (`-h`) and everything else stay
/// as they are.
fn dashes(arg: OsString) -> OsString {
    match arg.as_encoded_bytes() {
        [b'-', first, _, ..] if first.is_ascii_alphabetic() => {
            let mut long = OsString::from("-");
            long.push(arg);
            long
        }
        _ => arg,
    }
}

fn one_line(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let help = "; -help lists all flags";
    let arg = context(ContextKind::InvalidArg);
    match (error.kind(), arg, context(ContextKind::InvalidValue)) {
        (ErrorKind::UnknownArgument, Some(arg), _) if arg.starts_with('-') => {
            match context(ContextKind::SuggestedArg) {
                Some(near) => format!("unknown flag {}: did you mean {}?", flag(&arg), flag(&near)),
                None => format!("unknown flag {}{help}", flag(&arg)),
            }
        }
        (ErrorKind::UnknownArgument, Some(arg), _) => {
            format!("unexpected argument {arg:?}{help}")
        }
        (ErrorKind::InvalidSubcommand, ..) => {
            let word = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            match context(ContextKind::SuggestedSubcommand) {
                Some(near) => format!("unknown command {word:?}: did you mean {near}?"),
                None => format!("unknown command {word:?}{help}"),
            }
        }
        (ErrorKind::ArgumentConflict, ..) => match context(ContextKind::InvalidSubcommand) {
            Some(command) => format!("flags of the server cannot stand before {command}"),
            None => {
                let given = flag(&context(ContextKind::InvalidArg).unwrap_or_default());
                match context(ContextKind::PriorArg).map(|prior| flag(&prior)) {
                    Some(prior) if prior != given => format!("{given} does not go with {prior}"),
                    _ => format!("{given} is given twice"),
                }
            }
        },
        (ErrorKind::MissingRequiredArgument, ..) => {
            let names = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::Strings(names)) => names.iter().map(|n| flag(n)).collect(),
                _ => Vec::new(),
            };
            format!("{} missing; add -help to see what goes where", names.join(" and "))
        }
        (ErrorKind::InvalidValue, Some(arg), Some(value)) if value.is_empty() => {
            format!("{} needs a value{help}", flag(&arg))
        }
        (ErrorKind::InvalidValue, Some(arg), Some(value)) => {
            let valid = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(words)) => any_of(words),
                _ => "another value".to_owned(),
            };
            format!("{} {value:?} is not valid: expected {valid}", flag(&arg))
        }
        (ErrorKind::ValueValidation, Some(arg), Some(value)) => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            let why = why.unwrap_or_default();
            match flag(&arg).as_str() {
                // It may hold a token or a password.
                "URL" => format!("the URL is not valid: {why}"),
                arg @ ("-api-token" | "-token" | "-server") => format!("{arg} is not valid: {why}"),
                arg => format!("{arg} {value:?} is not valid: {why}"),
            }
        }
        _ => {
            let text = error.to_string();
            let lines = text.lines().take_while(|l| !l.is_empty()).map(str::trim);
            let line = lines.collect::<Vec<_>>().join(" ");
            line.strip_prefix("error: ").unwrap_or(&line).to_owned()
        }
    }
}

/// `a, b or c`
fn any_of(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// The name of an argument as clap shows it (`--listen <ADDRESS>`, `<URL>...`) in the way this
/// program writes it.
fn flag(shown: &str) -> String {
    let word = shown.split(' ').next().unwrap_or_default();
    match word.strip_prefix("--") {
        Some(name) => format!("-{}", name.escape_debug()),
        None => {
            let name = word.trim_end_matches("...").trim_matches(['<', '>', '[', ']']);
            name.escape_debug().to_string()
        }
    }
}

#[cfg(test)]
mod tests;
