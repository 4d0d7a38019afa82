//! The rules of the house that the compiler cannot check, as a test and as `cargo xtask tidy`.
//!
//! `crates` keeps the direction of the crates and the purity of the pure ones, `files` the rules
//! of the text of every file, `docs` the links. Each check is a function of what it checks, so
//! that a test can show it bad input; only this page reads files.

mod crates;
mod docs;
mod files;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::run::{Result, Workspace, command, output};

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// A file with its line, or a crate.
    place: String,
    /// What is wrong there.
    problem: String,
    /// What to do about it.
    remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}\n    {}", self.place, self.problem, self.remedy)
    }
}

/// A file of the repository: its path from the root, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

/// Checks the workspace.
///
/// # Errors
///
/// Lists every broken rule, or tells why the check was not possible.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let paths = listed(&workspace.root)?;
    let files = read(&workspace.root, &paths);

    let mut findings = crates::direction(&workspace.packages)?;
    for name in crates::PURE {
        let tree = crates::tree(&workspace.root, name)?;
        findings.extend(crates::closure(name, &tree));
        let path = format!("crates/{name}/clippy.toml");
        let text = files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
        findings.extend(crates::bans(&path, text.unwrap_or_default()));
    }
    findings.extend(files.iter().flat_map(files::check));
    findings.extend(docs::links(&files, &paths));
    findings.extend(docs::unlinked(&files));

    if findings.is_empty() {
        println!("tidy: {} files, no rule broken", paths.len());
        return Ok(());
    }
    let list = findings.iter().map(|finding| format!("\n{finding}")).collect::<String>();
    Err(format!("{} broken rules (see CONTRIBUTING.md):{list}", findings.len()))
}

/// The files that are in the repository or would be with the next commit.
fn listed(root: &Path) -> Result<Vec<String>> {
    let mut git = command("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let answer = output(&mut git)?;
    let paths = answer.split('\0').filter(|path| root.join(path).is_file());
    Ok(paths.map(str::to_owned).collect())
}

/// The text of the files that have one: the rules are about words.
fn read(root: &Path, paths: &[String]) -> Vec<File> {
    let read = |path: &String| {
        let text = std::fs::read_to_string(root.join(PathBuf::from(path))).ok()?;
        Some(File { path: path.clone(), text })
    };
    paths.iter().filter_map(read).collect()
}
