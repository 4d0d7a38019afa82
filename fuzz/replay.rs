//! The inputs of a fuzz target, run once.
//!
//! A module of the tests of each crate that has targets: the pure ones need no other crate for it.

use std::path::Path;

/// Set to `write`, the seeds are written before they are compared.
const SEEDS: &str = "RTMP_SERVER_TEST_SEEDS";

/// Runs a target on its corpus, which has the seeds and what fuzzing found.
pub(super) fn replay(target: &str, run: impl Fn(&[u8]), seeds: &[Vec<u8>]) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
    let folder = Path::new(corpus).join(target);
    for (number, seed) in seeds.iter().enumerate() {
        let path = folder.join(format!("seed-{number:02}"));
        if std::env::var_os(SEEDS).is_some_and(|value| value == "write") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, seed).unwrap();
        }
        let same = std::fs::read(&path).is_ok_and(|bytes| bytes == *seed);
        assert!(same, "{} is old: run with {SEEDS}=write", path.display());
    }
    let mut inputs = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&std::fs::read(&path).unwrap());
        inputs += 1;
    }
    assert!(inputs >= seeds.len() && inputs > 0);
}
