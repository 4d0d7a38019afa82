//! The server's allocator keeps little, which takes a start of its own.

#![cfg(target_os = "linux")]

use testkit::Server;
use testkit::server::Builder;

use crate::support::BINARY;

/// What the process is called, and what its allocator was told; glibc puts an end to each of those words.
fn started(builder: Builder) -> (String, Vec<String>) {
    let mut server = builder.start();
    let of_process = |name| std::fs::read(format!("/proc/{}/{name}", server.pid())).unwrap();
    let environment = String::from_utf8(of_process("environ")).unwrap();
    let ours = |line: &&str| line.contains("STARTED_AGAIN") || line.contains("glibc.malloc");
    let ours = environment.split('\0').filter(ours).map(str::to_owned).collect();
    let name = String::from_utf8(of_process("comm")).unwrap();
    server.stop();
    (name, ours)
}

#[test]
fn the_server_starts_once_more_in_its_own_place() {
    let (name, variables) = started(Server::builder(BINARY));
    let is_told = |told: &str| variables.iter().any(|variable| variable.contains(told));
    let told = ["arena_max=1", "tcache_count=0", "RTMP_SERVER_STARTED_AGAIN=allocator"];
    assert!(told.into_iter().all(is_told), "{variables:?}");
    assert_eq!(name, "rtmp-server\n");
}

#[test]
fn who_has_set_the_allocator_up_is_left_alone() {
    let own = "glibc.malloc.arena_max=4";
    let (_, variables) = started(Server::builder(BINARY).env("GLIBC_TUNABLES", own));
    assert_eq!(variables, [format!("GLIBC_TUNABLES={own}")]);
}
