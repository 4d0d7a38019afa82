//! What the tests share.

use testkit::server::{Builder, Server};

/// The program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_rtmp-server");

/// A server that records everything, not started yet.
pub(crate) fn recording() -> Builder {
    Server::builder(BINARY).args(["-record-all", "true"])
}

/// A number that whoever runs the tests may set in the environment.
pub(crate) fn setting(name: &str, default: impl FnOnce() -> u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default(),
    }
}

/// The same, as files of a format.
pub(crate) fn recording_as(format: &str) -> Builder {
    recording().args(["-record-format", format])
}

/// Makes tests of functions that take a format of recordings: one of each for each format.
macro_rules! in_each_format {
    ($($test:ident),+ $(,)?) => {
        mod as_flv {
            $(#[test] fn $test() { super::$test("flv"); })+
        }

        mod as_mp4 {
            $(#[test] fn $test() { super::$test("mp4"); })+
        }
    };
}

pub(crate) use in_each_format;
