//! What a stream is called, by whichever address it is published.

use std::net::TcpListener;
use std::path::Path;

use media::amf0::Value;
use testkit::client::{Error, Wire};
use testkit::flv::assert_recorded;
use testkit::{Player, Publisher, Server};

use super::{bodies, recorded, source};
use crate::support::recording;

#[tokio::test]
async fn a_stream_is_one_however_the_client_splits_its_name() {
    const SPLITS: [(&str, &str); 5] = [
        ("live/a", "b"),
        ("live", "a/b"),
        ("/live/", "/a//b/"),
        ("live/a/_definst_", "b?x=1"),
        ("live?x=1", "a/b"),
    ];
    let mut server = recording().start();
    server.allow("publish refused");
    let sent = source(1, 20);
    for (i, (app, name)) in SPLITS.into_iter().enumerate() {
        let mut first = Wire::connected(server.addr(), app).await.unwrap();
        let stream = first.publish(name).await.unwrap();
        for (app, name) in SPLITS {
            let mut second = Wire::connected(server.addr(), app).await.unwrap();
            let refused = second.publish(name).await;
            assert!(
                matches!(&refused, Err(Error::Rejected { code, .. }) if code == "NetStream.Publish.BadName"),
                "{app} and {name}: {refused:?}"
            );
        }
        for packet in &sent {
            first.media(stream, packet).await.unwrap();
        }
        first.call(0, "deleteStream", vec![f64::from(stream).into()]).await.unwrap();
        server.wait_for_logs("recorder closed", &[("stream_key", "live/a/b")], i + 1);
    }
    server.stop();
    let files = server.recordings();
    assert_eq!(files.len(), SPLITS.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("live_a_b_2"), "{name}");
        assert_recorded(&file, &sent);
    }
}

/// Whether any file under `dir` has `text` in its name or in its bytes.
fn holds(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().map(Result::unwrap).any(|entry| {
        let in_name = entry.file_name().to_string_lossy().contains(text);
        in_name
            || match entry.file_type().unwrap().is_dir() {
                true => holds(&entry.path(), text),
                false => {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    bytes.windows(text.len()).any(|window| window == text.as_bytes())
                }
            }
    })
}

#[tokio::test]
async fn a_token_is_in_no_name_no_file_and_no_log_line() {
    const TOKEN: &str = "s3cr3t-t0k3n";
    const NAME: &str = "test?token=s3cr3t-t0k3n";
    let mut server = recording().args(["-log-level", "debug"]).start();
    server.allow("publish refused");
    server.allow("play refused");
    let connected = async || {
        let mut wire = Wire::open(server.addr()).await.unwrap();
        let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
        let properties = vec![
            text("app", "live?token=s3cr3t-t0k3n"),
            text("tcUrl", "rtmp://user:s3cr3t-t0k3n@localhost/live?token=s3cr3t-t0k3n"),
            text("swfUrl", "http://localhost/s3cr3t-t0k3n.swf"),
            text("pageUrl", "http://localhost/?token=s3cr3t-t0k3n"),
        ];
        wire.connect(properties).await.unwrap();
        wire
    };
    let mut publisher = connected().await;
    for call in ["releaseStream", "FCPublish", "s3cr3t-t0k3n"] {
        publisher.call(0, call, vec![NAME.into()]).await.unwrap();
    }
    let stream = publisher.publish(NAME).await.unwrap();
    let mut player = connected().await;
    player.call(0, "FCSubscribe", vec![NAME.into()]).await.unwrap();
    player.play(NAME).await.unwrap();
    connected().await.publish(NAME).await.unwrap_err();
    connected().await.publish("?token=s3cr3t-t0k3n").await.unwrap_err();
    connected().await.play("?token=s3cr3t-t0k3n").await.unwrap_err();
    let sent = source(1, 20);
    for packet in &sent {
        publisher.media(stream, packet).await.unwrap();
    }
    publisher.call(0, "FCUnpublish", vec![NAME.into()]).await.unwrap();
    let file = recorded(&server, "live/test");
    assert!(file.file_name().unwrap().to_string_lossy().starts_with("live_test_2"));
    assert_recorded(&file, &sent);
    drop((publisher, player));
    server.stop();
    let lines = server.logs();
    let leak = lines.iter().find(|line| line.to_string().contains(TOKEN));
    assert!(leak.is_none(), "{}", leak.unwrap());
    assert!(!holds(server.dir(), TOKEN));
}

/// Publishes and plays through each of the hosts, and plays what was published through another.
async fn carries(server: &Server, hosts: &[&str]) {
    let port = server.addr().port();
    let sent = source(1, 20);
    for (i, host) in hosts.iter().enumerate() {
        let key = format!("live/{i}");
        let mut publisher =
            Publisher::connect(&format!("rtmp://{host}:{port}/{key}")).await.unwrap();
        let mut players = Vec::new();
        for host in hosts {
            let url = format!("rtmp://{host}:{port}/{key}");
            players.push(Player::connect(&url).await.unwrap());
        }
        publisher.send_all(&sent).await.unwrap();
        for player in &mut players {
            assert!(bodies(&player.packets(sent.len()).await) == bodies(&sent));
        }
        publisher.close().await.unwrap();
        assert_recorded(&recorded(server, &key), &sent);
    }
}

#[tokio::test]
async fn ipv4_ipv6_and_localhost_reach_the_same_streams() {
    let all = recording().listen(":0").start();
    let mut hosts = vec!["127.0.0.1", "localhost"];
    // A machine without IPv6 is served through IPv4.
    if TcpListener::bind("[::1]:0").is_ok() {
        hosts.push("[::1]");
        let v6 = recording().listen("[::1]:0").start();
        carries(&v6, &["[::1]"]).await;
    }
    carries(&all, &hosts).await;
    let v4 = recording().listen("0.0.0.0:0").start();
    carries(&v4, &["127.0.0.1"]).await;
    let name = recording().listen("localhost:0").start();
    carries(&name, &["localhost"]).await;
}
