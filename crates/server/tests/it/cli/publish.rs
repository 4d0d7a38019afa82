//! `rtmp-server publish`

use std::process::Command;

use media::Kind;
use media::Packet;
use testkit::server::Builder;
use testkit::tools::Running;
use testkit::{Player, Publisher, block_on, flv};

use super::{TIMEOUT, code, command, demo, demo_file, error_line, run};
use crate::record::{assert_finished, assert_played, closed, file_of, recorded, wait_until};
use crate::support::{nobody, recording};

#[test]
fn demo_reaches_players_and_the_recording_as_it_is() {
    let mut server = recording().start();
    let clip = demo();
    block_on(async {
        // There before the stream, so that it gets all of it.
        let mut player = Player::connect(&server.url("live/test")).await.unwrap();
        let running = Running::start(&mut command(["publish", "demo", &server.url("live/test")]));
        let got = player.until_end().await;
        assert_played(&got, &clip);
        let output = running.wait(TIMEOUT).success();
        assert!(output.stderr.starts_with("published "), "{}", output.stderr);
    });
    let line = closed(&server, "live/test");
    assert_eq!(line.field("reason").as_deref(), Some("ended"));
    server.stop();
    assert_finished(&file_of(&server, "live/test"), &clip);
}

#[test]
fn a_file_is_published_as_fast_as_the_server_takes_it() {
    let mut server = recording().start();
    let url = server.url("live/test?token=secret");
    let file = demo_file();
    let args = ["publish", "--speed", "max", file.to_str().unwrap(), &url];
    let output = run(args).success();
    assert!(!output.stderr.contains("secret"), "{}", output.stderr);
    closed(&server, "live/test");
    server.stop();
    assert_finished(&file_of(&server, "live/test"), &demo());
}

#[test]
fn a_recording_can_be_published_again() {
    let mut server = recording().start();
    let sent = crate::record::packets(1, crate::record::small(), 300);
    block_on(crate::record::publish(&server, "live/first", &sent));
    closed(&server, "live/first");
    let first = file_of(&server, "live/first");
    let url = server.url("live/second");
    let _ = run(["publish", "-speed=max", first.to_str().unwrap(), &url]).success();
    closed(&server, "live/second");
    server.stop();
    assert_finished(&file_of(&server, "live/second"), &sent);
}

#[test]
fn a_loop_is_one_stream_whose_time_goes_on() {
    let mut server = recording().start();
    let file = demo_file();
    let url = server.url("live/test");
    let args = ["publish", "-speed", "max", "--loop", "2", file.to_str().unwrap(), &url];
    let _ = run(args).success();
    closed(&server, "live/test");
    server.stop();
    let flv = flv::Flv::read(&file_of(&server, "live/test")).unwrap();
    // Times that go back would be faults.
    assert_eq!(flv.faults, []);
    let bodies = |packets: &[Packet]| -> Vec<_> {
        let media = packets.iter().filter(|packet| packet.is_media());
        media.map(|packet| (packet.kind, packet.body.clone())).collect()
    };
    let once = bodies(&demo());
    assert!(bodies(&flv.packets()) == [once.clone(), once].concat(), "the clip twice");
    let times = |packets: &[Packet]| -> Vec<i64> {
        let pictures = packets.iter().filter(|p| p.kind == Kind::Video && p.is_media());
        pictures.map(|packet| packet.dts_ms).collect()
    };
    let (all, clip) = (times(&flv.packets()), times(&demo()));
    let step = |times: &[i64]| times.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(step(&all) <= step(&clip).map(|step| step + 50), "no pause between the passes");
}

fn frames(packets: &[Packet]) -> Vec<bytes::Bytes> {
    packets.iter().filter(|packet| packet.is_media()).map(|packet| packet.body.clone()).collect()
}

/// A server that asks a publisher to reconnect when it has begun to record it, which is soon.
fn asking() -> Builder {
    recording().http().args(["-record-flush", "20ms"])
}

/// Publishes the clip five times, has the server ask for a reconnect and returns what `publish` said.
fn publish_and_ask(server: &testkit::Server, body: &serde_json::Value) -> String {
    let (http, url) = (server.api(), server.url("live/test?token=secret"));
    let args = ["publish", "-loop", "5", "-speed", "12", "demo", url.as_str()];
    let running = Running::start(&mut command(args));
    let file = file_of(server, "live/test");
    wait_until("something is in the file", || recorded(&file) > 0);
    let path = "/api/v1/streams/live%2Ftest/publisher/reconnect";
    assert_eq!(http.send("POST", path, Some(body)).status, 202);
    let said = running.wait(TIMEOUT).success().stderr;
    assert!(!said.contains("secret"), "{said}");
    said
}

#[test]
fn a_request_to_reconnect_is_followed_and_the_recording_loses_nothing() {
    let mut server = asking().start();
    let said = publish_and_ask(&server, &serde_json::json!({}));
    assert!(said.contains("asked to reconnect: goes on at rtmp://"), "{said}");
    server.wait_for_log("recording rejoined", &[]);
    server.stop();
    let parts = crate::record::parts::files(&server, "live/test");
    assert_eq!(parts.len(), 2);
    let got: Vec<_> =
        parts.iter().flat_map(|file| frames(&flv::Flv::read(file).unwrap().packets())).collect();
    assert!(got == vec![frames(&demo()); 5].concat(), "every frame once, in order");
}

#[test]
fn a_request_that_leads_elsewhere_is_followed_and_one_that_leads_nowhere_is_not() {
    let (mut here, mut there) = (asking().start(), recording().start());
    let to = serde_json::json!({ "tc_url": format!("rtmp://{}/other?from=here", there.addr()) });
    let said = publish_and_ask(&here, &to);
    assert!(said.contains(&format!("goes on at rtmp://{}/other\n", there.addr())), "{said}");
    here.stop();
    there.stop();
    let files = [file_of(&here, "live/test"), file_of(&there, "other/test")];
    let got = files.iter().flat_map(|file| frames(&flv::Flv::read(file).unwrap().packets()));
    assert!(got.collect::<Vec<_>>() == vec![frames(&demo()); 5].concat(), "every frame once");

    let mut here = asking().start();
    let (_unused, unused) = nobody();
    let nowhere = serde_json::json!({ "tc_url": format!("rtmp://{unused}/live") });
    let said = publish_and_ask(&here, &nowhere);
    assert!(said.contains("goes on where it is"), "{said}");
    here.stop();
    let got = frames(&flv::Flv::read(&file_of(&here, "live/test")).unwrap().packets());
    assert!(got == vec![frames(&demo()); 5].concat(), "every frame");
}

#[test]
fn a_publish_that_is_refused_says_why() {
    let server = recording().start();
    server.allow("publish refused");
    let publisher = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&crate::record::packets(1, crate::record::small(), 40)).await.unwrap();
        publisher
    });
    let line = error_line(&run(["publish", "demo", &server.url("live/test")]), 1);
    let reason = format!("{} refused: NetStream.Publish.BadName", server.addr());
    assert!(line.starts_with(&reason), "{line}");
    drop(publisher);
}

#[test]
fn a_publish_that_cannot_begin_says_why() {
    let (_unused, unused) = nobody();
    let line = error_line(&run(["publish", "demo", &format!("rtmp://{unused}/live/test")]), 1);
    assert!(line.starts_with(&format!("cannot connect to {unused}: ")), "{line}");
    let line = error_line(&run(["publish", "no such.flv", "rtmp://localhost/live/test"]), 1);
    assert!(line.starts_with("cannot open no such.flv: "), "{line}");
    let line = error_line(&run(["publish", "demo", "http://localhost/live/test"]), 2);
    assert!(line.starts_with("the URL is not valid: "), "{line}");
}

#[test]
fn ctrl_c_ends_a_publish_in_order() {
    let mut server = recording().start();
    let mut publish: Command = command(["publish", "-loop", "demo", &server.url("live/test")]);
    let running = Running::start(&mut publish);
    let file = file_of(&server, "live/test");
    wait_until("something is in the file", || recorded(&file) > 0);
    let output = running.interrupt(TIMEOUT);
    assert_eq!(code(&output), Some(0), "{}", output.stderr);
    let line = server.wait_for_log("publish ended", &[]);
    assert_eq!(line.field("reason").as_deref(), Some("ended by the publisher"));
    closed(&server, "live/test");
    server.stop();
    assert!(flv::compare(&file, &demo()).unwrap() > 0);
}
