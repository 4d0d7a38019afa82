//! The program: reads the command line, then runs the server or one command.

use std::io::Write as _;
use std::process::ExitCode;

use rtmp_server::cli::{self, Stop};

/// The command line was wrong.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Stop::Text(text)) => {
            // Whoever closed the pipe has read enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Stop::Wrong(line)) => {
            complain(&line);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let done = match cli.command {
        Some(command) => command.run(),
        None => rtmp_server::command::serve(cli.config),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error. Where that is closed or full there is nobody to tell, and the exit code still says it.
fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "rtmp-server: {what}");
}
