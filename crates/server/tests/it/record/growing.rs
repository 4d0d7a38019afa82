//! A file while it grows, and one whose server was killed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use media::flv::scan::Fault;
use media::{Kind, Packet, Role};
use testkit::{Publisher, Server, SourceConfig, block_on, flv, tools};

use super::{
    Live, assert_finished, closed, file_of, metadata, packets, recorded, small, wait_until,
};
use crate::support::recording;

/// Checks a file that somebody is writing: the first of what was sent, a last tag that may be torn,
/// and metadata that a player can read. Returns how many audio and video packets there are.
fn assert_playable(file: &Path, sent: &[Packet]) -> usize {
    let count = flv::assert_recorded_beginning(file, sent);
    let report = super::report(file);
    let is_torn = |fault: &Fault| fault.kind.is_torn_end();
    assert!(report.faults.iter().all(is_torn), "{:?}", report.faults);
    let duration = metadata(&report, "duration").expect("onMetaData has a duration");
    let size = metadata(&report, "filesize").expect("onMetaData has a size");
    assert!(duration * 1_000.0 <= report.duration_ms as f64 + 0.5, "no more than is there");
    assert!(size <= std::fs::metadata(file).unwrap().len() as f64, "no more than is there");
    count
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_growing_file_is_playable_at_every_moment() {
    let mut server = recording().start();
    let sent = packets(1, SourceConfig { video_kbps: 3_000, ..small() }, 2_000);
    let done = AtomicBool::new(false);
    let looks = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let file = file_of(&server, "live/test");
            wait_until("the first bytes", || recorded(&file) > 0);
            let (mut looks, mut before) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let count = assert_playable(&file, &sent);
                assert!(count >= before, "a file only grows");
                before = count;
                looks += 1;
            }
            looks
        });
        // Also when this panics: the scope waits for the reader.
        let set = SetAtEnd(&done);
        block_on(async {
            let url = server.url("live/test");
            let mut publisher = Publisher::connect(&url).await.unwrap();
            let mut media = 0;
            for part in sent.chunks(200) {
                publisher.send_all(part).await.unwrap();
                media += part.iter().filter(|packet| packet.kind != Kind::Data).count();
                // So that there are many moments to look at.
                let file = file_of(&server, "live/test");
                wait_until("the file has grown", || recorded(&file) == media);
            }
            drop(set);
            publisher.close().await.unwrap();
        });
        reader.join().unwrap()
    });
    assert!(looks >= 3, "{looks} looks");
    closed(&server, "live/test");
    server.stop();
    assert_finished(&file_of(&server, "live/test"), &sent);
}

#[test]
fn what_was_sent_reaches_the_file_though_nothing_follows() {
    // Up to a key frame; up to a frame that is none; sound alone.
    let config = small();
    let all = packets(1, config.clone(), 200);
    let is_key = |packet: &Packet| packet.role == Role::Key;
    let key = all[..180].iter().rposition(is_key).unwrap();
    let to_key = all[..=key].to_vec();
    let past_key = all[..key + 8].to_vec();
    let sound = packets(1, SourceConfig { video_kbps: 0, ..config }, 60);
    for sent in [to_key, past_key, sound] {
        let mut server = recording().start();
        let publisher = block_on(async {
            let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
            publisher.send_all(&sent).await.unwrap();
            publisher
        });
        let file = file_of(&server, "live/test");
        let media = sent.iter().filter(|packet| packet.kind != Kind::Data).count();
        wait_until("all that was sent is in the file", || recorded(&file) == media);
        assert_eq!(assert_playable(&file, &sent), media);
        drop(publisher);
        closed(&server, "live/test");
        server.stop();
        assert_finished(&file, &sent);
    }
}

#[test]
fn the_metadata_of_a_growing_file_is_brought_up_to_date() {
    let mut server = recording().start();
    block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(60).await;
        let file = file_of(&server, "live/test");
        // It has a period of ten seconds and happens when there is something to write or to wait
        // for.
        let has_duration = || metadata(&super::report(&file), "duration") > Some(0.5);
        wait_until("the file says how long it is", || recorded(&file) > 0 && has_duration());
        live.send(60).await;
        let sent = live.finish().await;
        closed(&server, "live/test");
        server.stop();
        assert_finished(&file, &sent);
    });
}

/// Longest that a program may run.
const LONGEST: Duration = Duration::from_secs(180);

#[test]
fn programs_read_a_growing_file() {
    let Some(ffprobe) = tools::ffprobe() else { return eprintln!("passed over: a fast run") };
    let mut server = recording().start();
    // Real pictures: what is in the frames of a source is noise.
    let clip = flv::clip(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv")));
    let (most, rest) = clip.split_at(clip.len() * 3 / 4);
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        let file_with = |sent: &[Packet]| {
            let file = file_of(&server, "live/test");
            let media = sent.iter().filter(|packet| packet.kind != Kind::Data).count();
            // The last tag may be torn before, of which ffprobe warns.
            wait_until("all that was sent is in the file", || recorded(&file) == media);
            file
        };
        for (run, (part, sent)) in [(most, most), (rest, &clip)].into_iter().enumerate() {
            publisher.send_all(part).await.unwrap();
            let file = file_with(sent);
            let mut command = std::process::Command::new(&ffprobe);
            command.args(["-v", "warning", "-count_packets", "-show_entries"]);
            command.args(["stream=codec_name,nb_read_packets", "-of", "csv=p=0"]).arg(&file);
            let output = tools::run(&mut command, LONGEST).success();
            assert_eq!(output.stderr, "", "run {run}");
            assert!(output.text().contains("h264,"), "{}", output.text());
            assert!(output.text().contains("aac,"), "{}", output.text());
            let mut probe = std::process::Command::new(crate::support::BINARY);
            let output = tools::run(probe.arg("probe").arg(&file), LONGEST);
            assert!(output.is_success(), "{}", output.stderr);
        }
        publisher.close().await.unwrap();
    });
    closed(&server, "live/test");
    server.stop();
    assert_finished(&file_of(&server, "live/test"), &clip);
}

/// Kills a server in mid-stream, when there are `at_least` packets in its file. Returns the file
/// and what was sent.
fn kill(at_least: usize, config: SourceConfig) -> (Server, PathBuf, Vec<Packet>) {
    let mut server = recording().start();
    let sent = packets(1, config, 6_000);
    let (url, to_send) = (server.url("live/test"), sent.clone());
    let publisher = thread::spawn(move || {
        block_on(async {
            let mut publisher = Publisher::connect(&url).await.unwrap();
            for part in to_send.chunks(50) {
                if publisher.send_all(part).await.is_err() {
                    return;
                }
            }
            // It was killed in the silence after the last packet then.
            publisher.closed().await.ok();
        });
    });
    let file = file_of(&server, "live/test");
    wait_until("packets in the file", || recorded(&file) >= at_least);
    server.kill();
    publisher.join().unwrap();
    (server, file, sent)
}

#[test]
fn a_killed_server_leaves_a_file_that_plays() {
    for at_least in [1, 500, 2_500] {
        let (_server, file, sent) = kill(at_least, SourceConfig { video_kbps: 2_000, ..small() });
        let count = assert_playable(&file, &sent);
        assert!(count >= at_least, "{count} of at least {at_least} packets");
    }
}

#[test]
fn a_killed_server_has_lost_nothing_that_it_had_time_for() {
    let mut server = recording().start();
    let sent = packets(1, small(), 300);
    let media = sent.iter().filter(|packet| packet.kind != Kind::Data).count();
    let publisher = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&sent).await.unwrap();
        publisher
    });
    let file = file_of(&server, "live/test");
    wait_until("all that was sent is in the file", || recorded(&file) == media);
    server.kill();
    drop(publisher);
    // Not torn either: the writer was at rest.
    flv::assert_recorded(&file, &sent);
    // The next start completes it.
    let mut next = recording().record_dir(server.record_dir()).start();
    next.allow("recording recovered");
    block_on(super::publish(&next, "live/test", &sent));
    closed(&next, "live/test");
    next.wait_for_log("recording recovered", &[]);
    next.stop();
    assert_finished(&file, &sent);
    assert_eq!(next.recordings().len(), 2);
}
