//! FLV as the body of an answer.

use std::io::Read as _;

use media::Role;
use testkit::flv::Flv;

use super::*;

#[test]
fn every_packet_of_a_stream_is_in_the_view() {
    let (mut server, http) = server();
    let sent =
        source(SourceConfig { b_frames: 2, start_ms: 77_000, ..SourceConfig::default() }, 400);
    let (first, rest) = sent.split_at(OPENING);
    testkit::block_on(async {
        let mut publisher = begin(&server, "live/test", first).await;
        let mut body = http.open("/live/live/test.flv");
        assert_eq!(body.head.status, 200);
        assert_eq!(body.head.header("content-type").unwrap(), "video/x-flv");
        assert_eq!(body.head.header("cache-control").unwrap(), "no-store");
        assert_eq!(body.head.header("access-control-allow-origin").unwrap(), "*");
        // It has joined when it has the beginning.
        let mut bytes = vec![0; 13];
        body.read_exact(&mut bytes).unwrap();
        publisher.send_all(rest).await.unwrap();
        publisher.close().await.unwrap();
        body.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes[4], 5, "there is sound and there are pictures");
        let flv = Flv::from_reader(&bytes[..]).unwrap();
        assert_viewed(&flv, &sent);
        // All that is no media is there as well, in its place.
        let packets = flv.packets();
        assert_eq!(packets.len(), sent.len());
        assert!(packets.iter().zip(&sent).all(|(found, sent)| found.body == sent.body));
    });
    server.wait_for_log("play ended", &[("reason", "the stream is over"), ("lost_packets", "0")]);
    server.stop();
}

#[test]
fn the_header_says_what_there_is() {
    let (mut server, http) = server();
    let both = SourceConfig::default();
    let kinds = [
        ("sound", SourceConfig { video_kbps: 0, ..both.clone() }, 4),
        ("pictures", SourceConfig { audio_kbps: 0, ..both }, 1),
    ];
    for (name, config, flags) in kinds {
        let (key, sent) = (format!("live/{name}"), source(config, 100));
        testkit::block_on(async {
            let mut publisher = begin(&server, &key, &sent[..4]).await;
            let mut body = http.open(&format!("/live/{key}.flv"));
            publisher.send_all(&sent[4..]).await.unwrap();
            // More than a second has come: what is not there is known not to be, while the stream goes on.
            let mut head = [0; 13];
            body.read_exact(&mut head).unwrap();
            assert_eq!(head, [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0], "{name}");
            publisher.close().await.unwrap();
        });
    }
    server.stop();
}

#[test]
fn a_late_viewer_begins_with_headers_and_the_newest_key_frame_at_time_0() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 700);
    testkit::block_on(async {
        let publisher = begin(&server, "a/b/c", &sent).await;
        let mut body = http.open("/live/a/b%2Fc.flv");
        server.wait_for_log("play started", &[("stream_key", "a/b/c")]);
        let mut head = [0; 13];
        body.read_exact(&mut head).unwrap();
        publisher.close().await.unwrap();
        let flv = Flv::from_reader((&head[..]).chain(&mut body)).unwrap();
        let newest_key = sent.iter().rposition(|packet| packet.role == Role::Key).unwrap();
        assert_viewed(&flv, &sent[newest_key..]);
        let roles: Vec<_> = flv.tags.iter().map(|tag| tag.packet.role).take(4).collect();
        assert_eq!(roles, [Role::Metadata, Role::Config, Role::Config, Role::Key]);
        assert!(flv.tags.iter().take(4).all(|tag| tag.packet.dts_ms <= 21));
    });
    server.stop();
}

#[test]
fn a_stream_that_is_not_live_is_told_at_once() {
    let (mut server, http) = server();
    let none = http.get("/live/live/test.flv");
    assert_eq!(none.problem(), (404, "no-publisher".to_owned()));
    assert_eq!(none.header("access-control-allow-origin").unwrap(), "*");
    assert_eq!(http.send("HEAD", "/live/live/test.flv", None).status, 404);
    for path in ["/live/live/test", "/live/", "/live/live/test.avi"] {
        assert_eq!(http.get(path).problem(), (404, "not-found".to_owned()), "{path}");
    }
    assert_eq!(http.get("/live/.flv").problem(), (400, "bad-value".to_owned()));
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let head = http.send("HEAD", "/live/live/test.flv", None);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-type").unwrap(), "video/x-flv");
        assert_eq!(head.header("content-length"), None);
        let stream = http.get("/api/v1/streams/live%2Ftest").ok();
        assert_eq!(stream["players"]["count"], 0, "who asks for the head is no player");
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn views_end_with_the_server() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let mut body = http.open("/live/live/test.flv");
        let mut head = [0; 13];
        body.read_exact(&mut head).unwrap();
        let rest =
            std::thread::spawn(move || Flv::from_reader((&head[..]).chain(&mut body)).unwrap());
        server.stop();
        let flv = rest.join().unwrap();
        let newest_key = sent.iter().rposition(|packet| packet.role == Role::Key).unwrap();
        assert_viewed(&flv, &sent[newest_key..]);
        drop(publisher);
    });
}
