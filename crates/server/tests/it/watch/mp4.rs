//! Fragmented MP4 as the body of an answer.

use std::io::Read as _;

use super::*;

#[test]
fn every_sample_of_a_stream_is_in_the_view() {
    let (mut server, http) = server();
    let sent =
        source(SourceConfig { b_frames: 2, start_ms: 77_000, ..SourceConfig::default() }, 600);
    let (first, rest) = sent.split_at(OPENING);
    testkit::block_on(async {
        let mut publisher = begin(&server, "live/test", first).await;
        let mut body = http.open("/live/live/test.mp4");
        assert_eq!(body.head.header("content-type").unwrap(), "video/mp4");
        server.wait_for_log("making segments", &[]);
        // A first part of half a second, which the viewer has, and the rest.
        let (part, rest) = rest.split_at(90);
        publisher.send_all(part).await.unwrap();
        let mut bytes = vec![0; 8];
        body.read_exact(&mut bytes).unwrap();
        publisher.send_all(rest).await.unwrap();
        publisher.close().await.unwrap();
        body.read_to_end(&mut bytes).unwrap();
        let (found, sent) = (samples::read(&bytes), samples::of(&sent));
        let firsts = samples::assert_same_end(&found, &sent);
        assert!(firsts.values().all(|first| *first == 0), "{firsts:?}");
    });
    server.wait_for_log("play ended", &[("reason", "the stream is over"), ("lost_packets", "0")]);
    server.stop();
}

#[test]
fn viewers_of_a_stream_share_one_muxer_and_can_be_ended() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 400);
    testkit::block_on(async {
        let mut publisher = begin(&server, "live/test", &sent[..300]).await;
        let mut bodies: Vec<_> = (0..20).map(|_| http.open("/live/live/test.mp4")).collect();
        let list = until("all viewers", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            (stream["players"]["count"] == 20).then(|| stream["players"]["list"].clone())
        });
        assert!(list.as_array().unwrap().iter().all(|player| player["via"] == "mp4"), "{list}");
        let metrics = http.get("/metrics").text();
        assert!(metrics.contains("\nrtmp_hls_muxers 1.0\n"), "{metrics}");
        let kick = format!("/api/v1/streams/live%2Ftest/players/{}", list[0]["id"]);
        assert_eq!(http.send("DELETE", &kick, None).status, 204);
        publisher.send_all(&sent[300..]).await.unwrap();
        publisher.close().await.unwrap();
        let all: Vec<Vec<u8>> = bodies
            .iter_mut()
            .map(|body| {
                let mut bytes = Vec::new();
                body.read_to_end(&mut bytes).unwrap();
                bytes
            })
            .collect();
        let ended: Vec<_> = all[1..].iter().map(|bytes| samples::read(bytes)).collect();
        for found in &ended {
            samples::assert_same_end(found, &samples::of(&sent));
        }
    });
    server.stop();
}
