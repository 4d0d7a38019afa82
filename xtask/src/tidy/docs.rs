//! Links in Markdown: none leads nowhere, and every page can be reached.

use std::collections::HashSet;

use super::{File, Finding};

/// Relative links to files that do not exist. A folder exists when a file is in it.
pub(super) fn links(files: &[File], paths: &[String]) -> Vec<Finding> {
    let mut known = HashSet::from([String::new()]);
    for path in paths {
        let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        known.extend(folders.map(str::to_owned));
        known.insert(path.clone());
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, target) in targets(&file.text) {
            let place = format!("{}:{number}", file.path);
            match resolve(&file.path, target) {
                Some(path) if known.contains(&path) => {}
                _ => findings.push(Finding {
                    place,
                    problem: format!("links to {target}, which does not exist"),
                    remedy: "correct the link; it is relative to the page that it stands on",
                }),
            }
        }
    }
    findings
}

/// Pages under `docs/` that no index links to: `README.md`, that of `docs/` or of a folder in it.
pub(super) fn unlinked(files: &[File]) -> Vec<Finding> {
    let indexes = files.iter().filter(|file| is_index(&file.path));
    let linked = indexes.flat_map(|index| {
        let targets = targets(&index.text).into_iter();
        targets.filter_map(|(_, target)| resolve(&index.path, target))
    });
    let linked = linked.collect::<HashSet<_>>();
    let pages = files.iter().filter(|file| {
        file.path.starts_with("docs/") && file.path.ends_with(".md") && !linked.contains(&file.path)
    });
    let finding = |page: &File| Finding {
        place: page.path.clone(),
        problem: "is a page that no reader finds".into(),
        remedy: "link to it from README.md, docs/README.md or the README.md of its folder",
    };
    pages.map(finding).collect()
}

fn is_index(path: &str) -> bool {
    path == "README.md" || (path.starts_with("docs/") && path.ends_with("/README.md"))
}

/// The relative links of a page, each with its line: `[text](target)` and `[name]: target`
/// outside of code.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut fence = None;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        if mark.is_some() && (fence.is_none() || fence == mark) {
            fence = if fence.is_none() { mark } else { None };
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if let Some((_, target)) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once("]: "))
        {
            targets.push((number, target));
        }
        // Every second piece between backquotes is code.
        for prose in line.split('`').step_by(2) {
            let pieces = prose.split("](").skip(1);
            let pieces = pieces.filter_map(|piece| piece.split(')').next());
            targets.extend(pieces.map(|target| (number, target)));
        }
    }
    let words = targets.into_iter().filter_map(|(number, target)| {
        // A title may follow the target; a heading's name is not checked.
        let target = target.split_whitespace().next()?.trim_matches(['<', '>']);
        let target = target.split('#').next()?;
        Some((number, target))
    });
    let is_relative = |target: &str| !target.is_empty() && !target.contains(':');
    words.filter(|(_, target)| is_relative(target)).collect()
}

/// The path from the root of a link on a page; `None` when it leaves the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut path = page.split('/').collect::<Vec<_>>();
    path.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()?),
            part => path.push(part),
        }
    }
    Some(path.join("/"))
}
