use std::path::Path;

use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    rebuild: Rebuild,
}

fn asked(args: &[&str]) -> Rebuild {
    Cli::try_parse_from(["rebuild"].iter().chain(args)).unwrap().rebuild
}

#[test]
fn what_was_done_is_told() {
    let report = Report { segments: 1_200, files: 1_204, time: Duration::from_millis(420) };
    let rebuild = asked(&[]);
    assert_eq!(
        rebuild.text(&report),
        "recordings\n  found       1,204 files\n  entered     1,200 segments, in 0.42 s\n"
    );
    let object: serde_json::Value = serde_json::from_str(&rebuild.object(&report)).unwrap();
    assert_eq!(
        object,
        json!({"record_dir": "recordings", "files": 1_204, "segments": 1_200, "seconds": 0.42})
    );
}

#[test]
fn why_not_is_told_in_words() {
    let rebuild = asked(&["--record-dir", "/srv/r", "--dir", "/a", "--dir", "/b"]);
    assert_eq!(rebuild.dirs, [Path::new("/a"), Path::new("/b")]);
    assert_eq!(
        rebuild.words(&catalog::Error::InUse),
        "a server uses the catalog in /srv/r; stop it first"
    );
    let error = catalog::Error::Disk(io::ErrorKind::NotFound.into());
    assert_eq!(
        rebuild.words(&error),
        "cannot make the catalog in /srv/r anew: no such file or directory"
    );
}
