//! Prints what lets a shell complete the program's commands and flags.

use std::process::ExitCode;

use clap_complete::Shell;

use super::{Error, print, shell};

/// `rtmp-server completions`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server completions bash > /etc/bash_completion.d/rtmp-server
  rtmp-server completions zsh > /usr/local/share/zsh/site-functions/_rtmp-server
  rtmp-server completions fish > ~/.config/fish/completions/rtmp-server.fish")]
pub struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        print(&script(self.shell)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn script(shell: Shell) -> Result<String, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shell::command(), "rtmp-server", &mut script);
    let script = shell::one_dash(&String::from_utf8(script)?);
    Ok(match shell {
        // What is typed with two dashes is completed, and understood, all the same.
        Shell::Bash => {
            let one_dash = "    cur=\"${cur/#--/-}\"\n    prev=\"${prev/#--/-}\"\n    cmd=\"\"\n";
            let script = script.replacen("    cmd=\"\"\n", one_dash, 1);
            // clap_complete 4.6.12 has two names for each command of a program with a dash in its own.
            script.replace("rtmp__subcmd__server", "rtmp__server")
        }
        // Single letters in one word would be looked for in every flag.
        Shell::Zsh => script.replace("(-s -S -C)", "(-S -C)").replace("(-s -C)", "(-C)"),
        // Long flags with one dash are its `old` ones.
        Shell::Fish => script.replace(" -l ", " -o "),
        _ => script,
    })
}

#[cfg(test)]
mod tests;
