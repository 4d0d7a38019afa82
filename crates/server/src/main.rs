//! The program: reads the command line, then runs the server or one command.

use std::io::Write as _;
use std::process::ExitCode;

use rtmp_server::cli::{self, Stop};
use rtmp_server::command::{self, Command};
use rtmp_server::config::{self, Settings};

/// What the program is to do.
enum Asked {
    Command(Command),
    Server(Box<Settings>),
}

fn main() -> ExitCode {
    if let Some(code) = rtmp_server::pictures::native::run(std::env::args_os()) {
        return code;
    }
    let asked = cli::parse(std::env::args_os()).and_then(|cli| match cli.command {
        Some(command) => Ok(Asked::Command(command)),
        None => {
            rtmp_server::allocator::start_again();
            config::load(std::env::args_os(), std::env::vars_os()).map(Box::new).map(Asked::Server)
        }
    });
    let asked = match asked {
        Ok(asked) => asked,
        Err(Stop::Text(text)) => return ended(command::print(&text).map(|_| ExitCode::SUCCESS)),
        Err(Stop::Wrong(lines)) => {
            lines.lines().for_each(|line| complain(&line));
            return ExitCode::from(command::EXIT_USAGE);
        }
    };
    let done = match asked {
        Asked::Command(command) => command.run(),
        Asked::Server(settings) => command::serve(*settings),
    };
    ended(done)
}

fn ended(done: Result<ExitCode, command::Error>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            command::exit_code(&error)
        }
    }
}

/// One line on standard error. Where that is closed or full there is nobody to tell, and the exit code still says it.
fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "rtmp-server: {what}");
}
