use std::time::Duration;

use bytes::Bytes;
use live::{Class, Limits, Start};
use media::amf0::Value;
use media::{Kind, Role};

use super::*;

mod cuts;
mod hold;
mod length;
mod mp4;
mod plans;
mod rejoin;
mod several;
mod told;
mod tracks;
mod trouble;

use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::testing::{
    Rig, Stream, assert_begins, audio, audio_config, clip, errors_of, log_of, metadata, scan,
    second, video, video_config, wait_until,
};
use crate::{Amount, Archive, Config, Gap, Observer, StartRequest, SystemClock, SystemDisk};

#[test]
fn a_recording_is_told_and_named_as_promised() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "test");
    let key = stream.key.clone();
    let sent = rig.record(stream, clip(3));
    let file = rig.file("live_test_20251011_143052.flv");
    let closed = format!(
        "INFO recorder closed stream_key=live/test \
         file=./recordings/live_test_20251011_143052.flv bytes={} duration_ms={} packets={} \
         dropped=0 late=0 gaps=0 segments=1 reason=\"ended\"",
        file.len(),
        rig.archive.counters().duration_ms,
        sent.len(),
    );
    let complete = format!(
        "INFO recording complete stream_key=live/test recording={} segments=1 duration_ms={} \
         received={n} written={n} dropped=0 gaps=0 reason=\"ended\"",
        metadata(&file, "recordingId").as_str().unwrap(),
        rig.archive.counters().duration_ms,
        n = sent.len(),
    );
    assert_eq!(
        log_of(&key),
        [
            "INFO recording started stream_key=live/test record_dir=./recordings",
            "INFO recorder initialized stream_key=live/test \
             file=./recordings/live_test_20251011_143052.flv",
            &closed,
            &complete,
        ]
    );
    rig.record(Stream::publish("app", "stream"), clip(1));
    rig.file("app_stream_20251011_143052.flv");
}

#[test]
fn everything_sent_is_in_the_file_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { record_dir: dir.path().join("a/b"), ..Config::default() };
    let archive =
        Archive::open(config, Arc::new(SystemDisk), Arc::new(SystemClock), Observer::default());
    let mut stream = Stream::publish("live", "bits");
    let plan = archive.plan();
    archive.start(StartRequest::new(stream.key.clone(), stream.cursor(), plan)).unwrap();
    stream.push(clip(5));
    stream.push((5..9).flat_map(second));
    // An empty message, a large one, an unknown codec.
    stream.push([
        Packet::new(Kind::Audio, 9_000, Bytes::new()),
        video(9_001, true, 3 << 20),
        Packet::new(Kind::Video, 9_002, Bytes::from_static(&[0x9f, b'x', b'y', b'z', b'w', 1])),
    ]);
    let sent = std::mem::take(&mut stream.sent);
    drop(stream);
    assert_eq!(archive.close(Duration::from_secs(20)), []);
    let entries = std::fs::read_dir(dir.path().join("a/b")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = std::fs::read(&files[0]).unwrap();
    let packets = scan(&file);
    assert_eq!(assert_begins(&packets, &sent), sent.len());
    // What is no frame moves no clock.
    let times = |packets: &[Packet]| -> Vec<_> {
        packets.iter().filter(|p| p.is_media()).map(|p| p.dts_ms).collect()
    };
    assert_eq!(times(&packets), times(&sent));
}

#[test]
fn the_file_says_what_it_is() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "identity");
    let id = rig.start(&stream);
    assert_eq!(id.to_string().len(), 16);
    let mut stream = stream;
    stream.push(clip(3));
    drop(stream);
    rig.wait_for_end();
    let file = rig.file("live_identity_20251011_143052.flv");
    assert_eq!(metadata(&file, "recordingId"), Value::from(id.to_string()));
    assert_eq!(metadata(&file, "streamKey"), Value::from("live/identity"));
    assert_eq!(metadata(&file, "startTime"), Value::from("2025-10-11T14:30:52.123+02:00"));
    let server = concat!("rtmp-server/", env!("CARGO_PKG_VERSION"));
    assert_eq!(metadata(&file, "server"), Value::from(server));
    assert_eq!(metadata(&file, "filesize").as_f64(), Some(file.len() as f64));
    assert!(metadata(&file, "duration").as_f64().unwrap() >= 2.9);
}

#[test]
fn a_growing_file_is_brought_up_to_date() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "growing");
    rig.start(&stream);
    stream.push(clip(4));
    rig.wait_for_packets(stream.sent.len() as u64);
    // The first time at once, or a player that opens the file knows nothing of its first seconds.
    let file = || rig.file("live_growing_20251011_143052.flv");
    wait_until("the metadata is patched", || {
        metadata(&file(), "hasVideo") == Value::from(true)
            && metadata(&file(), "hasAudio") == Value::from(true)
    });
    let is_current = || {
        let file = file();
        metadata(&file, "filesize").as_f64() == Some(file.len() as f64)
    };
    stream.push(second(4));
    rig.wait_for_packets(stream.sent.len() as u64);
    assert!(!is_current());
    rig.clock.advance(Duration::from_secs(10));
    wait_until("the metadata is patched again", is_current);
    assert_eq!(scan(&file()).len(), stream.sent.len());
    assert!(metadata(&file(), "duration").as_f64().unwrap() >= 4.9);
}

#[test]
fn a_growing_file_soon_says_what_has_changed() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "changing");
    rig.start(&stream);
    let file = || rig.file("live_changing_20251011_143052.flv");
    let has = |what: &str| metadata(&file(), what) == Value::from(true);
    // Sound that comes after the first pictures.
    stream.push([video_config(1), video(0, true, 900)]);
    rig.wait_for_packets(stream.sent.len() as u64);
    wait_until("the metadata knows of the pictures", || has("hasVideo"));
    stream.push([audio_config(), audio(10, 150), video(1_000, true, 900)]);
    rig.wait_for_packets(stream.sent.len() as u64);
    assert!(!has("hasAudio"));
    rig.clock.advance(Duration::from_secs(1));
    wait_until("the metadata knows of the sound", || has("hasAudio"));
}

#[test]
fn keys_that_meet_in_a_name_keep_both_files_whole() {
    let rig = Rig::new(FakeDisk::default());
    let one = rig.record(Stream::publish("live", "a_b"), clip(2));
    let other = rig.record(Stream::publish("live_a", "b"), clip(3));
    let packets = scan(&rig.file("live_a_b_20251011_143052.flv"));
    assert_eq!(assert_begins(&packets, &one), one.len());
    let packets = scan(&rig.file("live_a_b_20251011_143052_2.flv"));
    assert_eq!(assert_begins(&packets, &other), other.len());
}

#[test]
fn a_publisher_that_sends_nothing_leaves_no_file() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "silent");
    let key = stream.key.clone();
    rig.record(stream, Vec::new());
    assert_eq!(rig.file_names(), Vec::<String>::new());
    let closed = "INFO recorder closed stream_key=live/silent file= bytes=0 duration_ms=0 \
                  packets=0 dropped=0 late=0 gaps=0 segments=0 reason=\"ended\"";
    assert_eq!(log_of(&key)[1..2], [closed]);
}

#[test]
fn a_failed_end_is_a_close_error() {
    let mut syncs = 0;
    let rig = Rig::new(FakeDisk::failing(move |_, call| {
        syncs += usize::from(call == Call::SyncData);
        let failing = call == Call::SyncData && syncs > 1;
        failing.then_some(Fault::Error(io::ErrorKind::QuotaExceeded))
    }));
    let stream = Stream::publish("live", "unsynced");
    let key = stream.key.clone();
    let sent = rig.record(stream, clip(1));
    assert_eq!(
        errors_of(&key),
        ["ERROR recorder close error error=\"disk quota exceeded\" stream_key=live/unsynced"]
    );
    let packets = scan(&rig.file("live_unsynced_20251011_143052.flv"));
    assert_eq!(assert_begins(&packets, &sent), sent.len());
}

#[test]
fn a_slow_disk_costs_counted_groups_of_pictures() {
    let mut appends = 0;
    let rig = Rig::new(FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        // The first is the beginning of the file.
        (call == Call::Append && appends == 2).then_some(Fault::Hang)
    }));
    let limits = Limits { record_bytes: 100_000, join_bytes: 50_000, ..Limits::default() };
    let mut stream = Stream::publish_within("live", "slow", limits);
    rig.start(&stream);
    stream.push(clip(1));
    wait_until("the disk hangs", || rig.disk.is_hanging());
    // A new configuration in the middle of what will be lost.
    stream.push([video_config(2)]);
    for n in 1..60 {
        stream.push(second(n));
    }
    rig.disk.release();
    rig.wait_for_packets(100);
    let sent = std::mem::take(&mut stream.sent);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    let counters = rig.archive.counters();
    assert_eq!((counters.gaps, counters.dropped_packets), (1, counters.lost_packets));
    assert!(counters.lost_packets > 500, "{counters:?}");
    // The repeated configuration is counted apart.
    assert_eq!(counters.packets + counters.lost_packets, sent.len() as u64);
    let warning = format!(
        "WARN recording has a gap stream_key=live/slow packets={} bytes={}",
        counters.lost_packets, counters.lost_bytes
    );
    let warnings: Vec<_> = log_of(&key).into_iter().filter(|l| l.starts_with("WARN")).collect();
    assert_eq!(warnings, [warning]);

    // The gap is in the first file, and as long as it was. With the first picture of the new
    // configuration begins another.
    let first = rig.file("live_slow_20251011_143052.flv");
    let second = scan(&rig.file("live_slow_20251011_143052_2.flv"));
    assert_begins(&scan(&first)[..22], &sent);
    assert_eq!(second[0].body, video_config(2).body);
    assert_eq!(second[2].role, Role::Key);
    let rest = &sent[sent.len() - (second.len() - 2)..];
    assert_begins(&second[2..], rest);
    let gap_ms = u64::try_from(rest[0].dts_ms).unwrap() - 923;
    let gap = Gap {
        at_ms: 923,
        length_ms: gap_ms,
        reason: GapReason::SlowDisk,
        dropped: Amount { packets: counters.lost_packets, bytes: counters.lost_bytes },
    };
    let finished = rig.take_finished();
    assert_eq!(finished[0].ledger.gaps, [gap]);
    assert_eq!((finished[0].length_ms, finished[1].about.gap_before), (923 + gap_ms, None));
    assert!(finished.iter().all(|file| file.ledger.is_balanced()));
}

#[test]
fn many_gaps_are_two_lines() {
    let rig = Rig::new(FakeDisk::failing(|_, call| match call {
        Call::Append => Some(Fault::Short(usize::MAX)),
        _ => None,
    }));
    let stream = Stream::publish("live", "gaps");
    let id = "0123456789abcdef".parse().unwrap();
    let (task, cursor) = Task::new(id, rig.request(&stream), 0);
    let mut recorder = Recorder::new(rig.archive.shared().clone(), Arc::new(task), cursor);
    for _ in 0..50 {
        let joined = recorder.join(&Header::default(), Lost { packets: 3, bytes: 200 });
        assert!(joined.is_ok());
    }
    drop(stream.publisher);
    recorder.run();
    let warnings: Vec<_> =
        log_of(&stream.key).into_iter().filter(|l| l.starts_with("WARN")).collect();
    assert_eq!(
        warnings,
        [
            "WARN recording has a gap stream_key=live/gaps packets=3 bytes=200",
            "WARN recording had gaps stream_key=live/gaps gaps=50 packets=150 bytes=10000",
        ]
    );
}

#[test]
fn a_recording_from_mid_run_begins_with_the_header_and_a_key_frame() {
    let rig = Rig::new(FakeDisk::default());
    let limits = Limits { join_ms: 1_500, ..Limits::default() };
    let mut stream = Stream::publish_within("live", "late", limits);
    stream.push(clip(8));
    let cursor = stream.publisher.cursor(Class::Record, Start::Oldest);
    rig.archive.start(StartRequest { cursor, ..rig.request(&stream) }).unwrap();
    drop(stream);
    rig.wait_for_end();
    let packets = scan(&rig.file("live_late_20251011_143051.flv"));
    assert_eq!(rig.take_finished()[0].about.start_time, "2025-10-11T14:30:51.200+02:00");
    assert_eq!(packets[0].body, video_config(1).body);
    assert_eq!(packets[1].body, audio_config().body);
    assert_eq!((packets[2].role, packets[2].dts_ms), (Role::Key, 0));
    assert_eq!(packets.len(), 2 + 20);
}

#[test]
fn a_message_too_long_for_a_tag_is_refused_and_counted() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "long");
    let key = stream.key.clone();
    let mut packets = clip(1);
    packets.extend([video(1_000, true, 1 << 24), video(1_100, false, 1 << 24)]);
    packets.extend(second(2));
    rig.record(stream, packets);
    let counters = rig.archive.counters();
    assert_eq!((counters.packets, counters.refused_packets, counters.dropped_packets), (42, 2, 2));
    let warnings: Vec<_> = log_of(&key).into_iter().filter(|l| l.starts_with("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("WARN packet not recorded reason=\"message of 16777221"));
    assert_eq!(scan(&rig.file("live_long_20251011_143052.flv")).len(), 42);
}

#[test]
fn another_file_begins_before_times_run_out() {
    for (name, with_video) in [("video", true), ("audio", false)] {
        let rig = Rig::new(FakeDisk::default());
        let stream = Stream::publish("ages", name);
        let key = stream.key.clone();
        let half_hours = i64::from(u32::MAX) / 1_800_000 + 2;
        let mut packets = vec![audio_config()];
        if with_video {
            packets.insert(0, video_config(1));
        }
        packets.extend((0..half_hours).flat_map(|n| {
            let frame = if with_video { video(n * 1_800_000, n % 2 == 0, 40) } else { audio(0, 0) };
            let after = audio(n * 1_800_000 + 20, 40);
            with_video.then_some(frame).into_iter().chain([after])
        }));
        let config = packets.iter().filter(|p| p.role == Role::Config).count();
        let sent = rig.record(stream, packets);
        let files = [
            format!("ages_{name}_20251011_143052.flv"),
            format!("ages_{name}_20251011_143052_2.flv"),
        ];
        assert_eq!(rig.file_names(), files);
        let first = scan(&rig.file(&files[0]));
        let written = assert_begins(&first, &sent);
        let last_ms = first.last().unwrap().dts_ms;
        assert!(last_ms > i64::from(u32::MAX) - 3_600_000 && last_ms <= i64::from(u32::MAX));
        let second = scan(&rig.file(&files[1]));
        // The second file begins with the header, at 0, and goes on where the first ended.
        assert!(second[..config].iter().all(|p| p.role == Role::Config));
        assert_eq!(second[config].dts_ms, 0);
        assert_eq!(second[config].role == Role::Key, with_video);
        assert_eq!(assert_begins(&second[config..], &sent[written..]), sent.len() - written);
        let lines = log_of(&key);
        assert!(lines[2].starts_with("INFO segment finished"), "{lines:?}");
        assert!(lines[3].ends_with(&files[1]) && lines.len() == 6, "{lines:?}");
    }
}
