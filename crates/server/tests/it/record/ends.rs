//! When a recording ends, and what is then on the disk.

use media::Packet;
use testkit::client::raw;
use testkit::{Player, Publisher, Server, block_on, flv};

use super::{
    Live, assert_finished, closed, file_of, metadata, packets, publish, recorded, report, small,
    tree, wait_until,
};
use crate::support::recording;

/// Checks that a stream's recording was closed for one of these reasons, and has everything.
fn assert_closed(server: &Server, stream: &str, reasons: &[&str], sent: &[Packet]) {
    let line = closed(server, stream);
    let reason = line.field("reason").unwrap();
    assert!(reasons.contains(&&*reason), "{reason}");
    let file = file_of(server, stream);
    assert_eq!(server.dir().join(line.field("file").unwrap()), file);
    assert_finished(&file, sent);
    let report = report(&file);
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert_eq!(line.field("bytes"), Some(bytes.to_string()));
    assert_eq!(line.field("duration_ms"), Some(report.duration_ms.to_string()));
    assert_eq!(line.field("packets"), Some(sent.len().to_string()));
    assert_eq!(line.field("dropped").as_deref(), Some("0"));
}

#[test]
fn every_way_a_publisher_can_go_finishes_its_file_once() {
    // Nobody but the one that falls silent waits for so long.
    let args = ["-publish-timeout", "2s", "-record-flush", "20ms"];
    let mut server = recording().args(args).start();
    let streams = ["live/clean", "live/dropped", "live/reset", "live/silent"];
    let sent: Vec<_> = (1..=4).map(|seed| packets(seed, small(), 120)).collect();
    let silent = block_on(async {
        let mut silent = None;
        for (stream, sent) in streams.iter().zip(&sent) {
            let mut publisher = Publisher::connect(&server.url(stream)).await.unwrap();
            publisher.send_all(sent).await.unwrap();
            // A reset takes with it what the server has not read yet.
            let media = sent.iter().filter(|packet| packet.kind != media::Kind::Data).count();
            let file = file_of(&server, stream);
            wait_until("all that was sent is in the file", || recorded(&file) == media);
            match *stream {
                "live/clean" => publisher.close().await.unwrap(),
                "live/dropped" => drop(publisher),
                "live/reset" => publisher.abort().unwrap(),
                _ => silent = Some(publisher.stall()),
            }
        }
        silent
    });
    for (stream, sent) in streams.iter().zip(&sent) {
        assert_closed(&server, stream, &["ended"], sent);
    }
    drop(silent);
    // A name is free again, whatever became of the publisher before.
    for stream in streams {
        block_on(publish(&server, stream, &sent[0]));
        server.wait_for_logs("recorder closed", &[("stream_key", stream)], 2);
    }
    server.stop();
    assert_eq!(server.recordings().len(), 8);
    assert_eq!(server.wait_for_logs("recorder closed", &[], 8).len(), 8, "once each");
}

#[test]
fn a_publisher_that_sends_nothing_leaves_no_file() {
    let mut server = recording().start();
    block_on(publish(&server, "live/test", &[]));
    let line = closed(&server, "live/test");
    assert_eq!(line.field("file").as_deref(), Some(""));
    server.stop();
    assert_eq!(server.recordings(), [] as [std::path::PathBuf; 0]);
    // Nor anything else, such as what was made to see whether files can be made.
    assert!(tree(server.record_dir()).is_empty(), "{:?}", tree(server.record_dir()));
}

/// Several streams with players, some of which do not read, when the server is asked to stop.
fn stop(ask: impl Fn(&Server)) {
    const STREAMS: u32 = 5;
    let mut server = recording().start();
    let name = |seed: u32| format!("live/stream{seed}");
    let sent = block_on(async {
        let mut lives = Vec::new();
        let mut idle = Vec::new();
        for seed in 0..STREAMS {
            let url = server.url(&name(seed));
            idle.push(Player::connect(&url).await.unwrap().stall());
            lives.push(Live::start(&url, seed, small()).await);
        }
        // Connections that say nothing and players that wait for what does not come are no reason
        // to wait.
        idle.push(raw(server.addr()).await.unwrap());
        idle.push(Player::connect(&server.url("live/never")).await.unwrap().stall());
        for live in &mut lives {
            live.send(400).await;
        }
        ask(&server);
        let status = server.wait();
        assert!(status.success(), "{status}");
        let mut sent = Vec::new();
        for mut live in lives {
            live.check();
            // The publisher was told: its connection is closed.
            let _ = live.publisher.closed().await;
            sent.push(live.sent);
        }
        drop(idle);
        sent
    });
    for (seed, sent) in (0..STREAMS).zip(&sent) {
        // Which of the two the recorder hears of first is nobody's concern.
        assert_closed(&server, &name(seed), &["shutdown", "ended"], sent);
    }
    // Of what was logged nothing is left to announce.
    server.stop();
}

#[test]
fn sigterm_finishes_every_file() {
    stop(Server::terminate);
}

#[test]
fn sigint_finishes_every_file() {
    stop(Server::interrupt);
}

#[test]
fn a_stop_in_the_middle_of_what_is_sent_leaves_whole_files() {
    let mut server = recording().start();
    let sent = packets(1, small(), 20_000);
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            block_on(async {
                let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
                for part in sent.chunks(50) {
                    if publisher.send_all(part).await.is_err() {
                        return;
                    }
                }
                publisher.closed().await.ok();
            });
        });
        let file = file_of(&server, "live/test");
        wait_until("packets in the file", || recorded(&file) >= 100);
        server.terminate();
        publisher.join().unwrap();
    });
    let status = server.wait();
    assert!(status.success(), "{status}");
    server.stop();
    let file = file_of(&server, "live/test");
    let count = flv::compare(&file, &sent).unwrap();
    assert!(count >= 100, "{count}");
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert_eq!(metadata(&report(&file), "filesize"), Some(bytes as f64));
}
