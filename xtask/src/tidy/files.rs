//! Rules of the text of one file.

use super::{File, Finding};

/// Lines of code a Rust file may have outside tests: more is two nouns in one file.
pub(super) const LINES: usize = 650;

/// Pieces of text that no Rust file has. Written in two parts, as this file is checked as well.
const IN_RUST: &[(&str, &str)] = &[
    (concat!("#[ig", "nore"), "delete the test or make it run: there are no ignored tests"),
    (concat!("#[al", "low("), "fix it, or write #[expect(lint, reason = \"...\")]"),
    (concat!("#![al", "low("), "fix it, or write #[expect(lint, reason = \"...\")]"),
    (concat!("to", "do!"), "finish it"),
    (concat!("unimple", "mented!"), "finish it, or leave it out"),
];

/// Words that say that work is left.
const LEFT_OVER: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];

/// How paths begin that exist on one machine only.
const MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/tmp/", "target"),
    concat!("C:\\Us", "ers\\"),
];

/// All findings in one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let is_rust = file.path.ends_with(".rs");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut found = |problem: String, remedy| {
            findings.push(Finding { place: format!("{}:{number}", file.path), problem, remedy });
        };
        for (text, remedy) in IN_RUST.iter().filter(|(text, _)| is_rust && line.contains(text)) {
            found(format!("`{text}`"), remedy);
        }
        if let Some(word) = LEFT_OVER.iter().find(|word| has_word(line, word)) {
            found(format!("the word {word}"), "do it now, or open an issue and delete the word");
        }
        if let Some(path) = MACHINE.iter().find(|path| has_path(line, path)) {
            let remedy = "write a path from the repository, or find it while running";
            found(format!("the path {path}... of one machine"), remedy);
        }
    }
    if is_rust && !is_test(&file.path) {
        let lines = lines_of_code(&file.text);
        if lines > LINES {
            findings.push(Finding {
                place: file.path.clone(),
                problem: format!("has {lines} lines of code, more than {LINES}"),
                remedy: "find the second noun in it and give it a file",
            });
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn lines_of_code(text: &str) -> usize {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let (before, rest) = line.split_at(start);
        let after = rest.get(word.len()..).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// Whether an absolute path begins so, rather than being the end of a relative path or of a URL.
fn has_path(line: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "._-/}$~*>".contains(c);
    line.match_indices(path).any(|(start, _)| {
        line.split_at_checked(start).is_some_and(|(before, _)| !before.ends_with(is_part))
    })
}
