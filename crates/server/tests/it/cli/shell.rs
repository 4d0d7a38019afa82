//! `rtmp-server completions` and `rtmp-server man`

use std::process::Command;

use testkit::tools;

use super::{TIMEOUT, error_line, run};
use crate::record::tree;

/// What a bash completes for a line that is being typed.
fn complete(bash: &std::path::Path, line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(' ').collect();
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, previous) = (words[words.len() - 1], words[words.len() - 2]);
    let script = format!(
        "eval \"$('{}' completions bash)\"; COMP_WORDS=({}); COMP_CWORD={}; \
         _rtmp__server rtmp-server '{last}' '{previous}' && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        crate::support::BINARY,
        quoted.join(" "),
        words.len() - 1
    );
    let output = tools::run(Command::new(bash).args(["--norc", "-c", &script]), TIMEOUT).success();
    assert_eq!(output.stderr, "", "{line}");
    output.text().lines().map(str::to_owned).collect()
}

#[test]
fn a_bash_completes_commands_flags_and_words() {
    let Some(bash) = tools::program("bash") else { return };
    assert_eq!(complete(&bash, "rtmp-server reco"), ["recordings"]);
    assert_eq!(complete(&bash, "rtmp-server recordings st"), ["start", "stop"]);
    assert_eq!(complete(&bash, "rtmp-server -record-al"), ["-record-all"]);
    // Two dashes are as good.
    assert_eq!(complete(&bash, "rtmp-server --record-al"), ["-record-all"]);
    assert_eq!(complete(&bash, "rtmp-server recordings export --overw"), ["-overwrite"]);
    assert_eq!(complete(&bash, "rtmp-server recordings export -cut "), ["keyframe", "exact"]);
    assert_eq!(complete(&bash, "rtmp-server recordings export --cut ex"), ["exact"]);
    assert_eq!(complete(&bash, "rtmp-server -log-level de"), ["debug"]);
    assert!(complete(&bash, "rtmp-server completions ").contains(&"fish".to_owned()));
    let flags = complete(&bash, "rtmp-server recordings list -");
    assert!(flags.contains(&"-held".to_owned()), "{flags:?}");
    assert!(!flags.iter().any(|flag| flag.starts_with("--")), "{flags:?}");
}

#[test]
fn a_shell_that_is_not_known_is_refused() {
    let line = error_line(&run(["completions", "tcsh"]), 2);
    assert!(line.contains("expected bash, elvish, fish, powershell or zsh"), "{line}");
}

#[test]
fn manual_pages_are_read_by_groff_without_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let _ = run(["man".as_ref(), dir.path().join("man1").as_os_str()]).success();
    let pages = tree(&dir.path().join("man1"));
    assert!(pages.len() > 20, "{pages:?}");
    let first = run(["man"]).success();
    assert_eq!(first.stdout, std::fs::read(dir.path().join("man1/rtmp-server.1")).unwrap());
    let Some(groff) = tools::program("groff") else { return };
    for page in pages {
        let mut command = Command::new(&groff);
        command.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(dir.path().join("man1").join(&page));
        let output = tools::run(&mut command, TIMEOUT).success();
        assert_eq!(output.stderr, "", "{}", page.display());
        assert!(output.text().contains("SYNOPSIS"), "{}", page.display());
    }
    let list =
        std::fs::read_to_string(dir.path().join("man1/rtmp-server-recordings-list.1")).unwrap();
    assert!(list.contains(r"\-stream") && !list.contains(r"\-\-stream"), "{list}");
}

#[test]
fn a_directory_for_pages_that_cannot_be_made_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = error_line(&run(["man".as_ref(), file.path().join("man1").as_os_str()]), 1);
    assert!(line.starts_with("cannot write to ") && line.ends_with(": not a directory"), "{line}");
}
