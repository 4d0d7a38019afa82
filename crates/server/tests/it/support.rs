//! What the tests share.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use socket2::{Domain, Socket, Type};
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

/// An address at which nobody listens for as long as the socket is kept: one that was given back could soon be
/// another test's.
pub(crate) fn nobody() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

/// A server that records everything as files of a format.
pub(crate) fn recording_as(format: &str) -> Builder {
    recording().args(["-record-format", format])
}

/// A server that keeps everything twice, as FLV and as MP4; its configuration is in `dir`.
pub(crate) fn recording_as_both(dir: &Path) -> Builder {
    let config = dir.join("server.toml");
    let text = "[[recorder]]\nname = 'flv'\nstreams = ['**']\n\
                [[recorder]]\nname = 'mp4'\nstreams = ['**']\nformat = 'mp4'\n";
    std::fs::write(&config, text).unwrap();
    Server::builder(BINARY).arg("-config").arg(config)
}

/// Its recordings of one stream, as FLV and as MP4.
pub(crate) fn both(server: &Server) -> [PathBuf; 2] {
    let files = server.recordings();
    assert_eq!(files.len(), 2, "{files:?}");
    ["flv", "mp4"].map(|ending| {
        let found = files.iter().find(|file| file.extension().is_some_and(|e| e == ending));
        found.unwrap_or_else(|| panic!("no {ending}: {files:?}")).clone()
    })
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
