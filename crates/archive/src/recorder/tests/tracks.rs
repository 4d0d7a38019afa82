//! Recordings of a part of a stream.

use std::time::Duration;

use bytes::Bytes;
use media::amf0::Value;
use media::{Kind, Packet, Role};

use super::plans::check_tracks;
use crate::config::Rotation;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::testing::{Rig, Stream, clip, log_of, metadata, scan, wait_until};
use crate::{Config, Plan, Tracks};

fn record(name: &str, change: impl FnOnce(&mut Plan)) -> (Rig, Stream) {
    let rig =
        Rig::with(FakeDisk::default(), Config { rejoin: Duration::ZERO, ..Config::default() });
    let mut stream = Stream::publish("tracks", name);
    let id = rig.start_by(&stream, change);
    stream.push([Packet::new(Kind::Data, 0, Bytes::from_static(b"\x02\0\x04text"))]);
    stream.push(clip(4));
    rig.wait_until_read(id);
    rig.archive.stop(id);
    rig.wait_for_end();
    (rig, stream)
}

#[test]
fn a_recording_has_the_tracks_that_were_asked_for_and_says_so() {
    for (tracks, packets) in
        [(Tracks::All, 83), (Tracks::Audio, 42), (Tracks::Video, 42), (Tracks::KeyFrames, 5)]
    {
        let (rig, stream) = record(tracks.name(), |plan| plan.tracks = tracks);
        let segments = rig.take_finished();
        check_tracks(&rig, &segments, &stream.sent);
        let [segment] = &segments[..] else { panic!("not one: {segments:?}") };
        assert_eq!((segment.about.tracks, segment.ledger.received.packets), (tracks, packets));
        let file = &rig.disk.files()[&segment.path];
        let (video, audio) =
            (tracks != Tracks::Audio, matches!(tracks, Tracks::All | Tracks::Audio));
        assert_eq!(metadata(file, "hasVideo"), Value::from(video));
        assert_eq!(metadata(file, "hasAudio"), Value::from(audio));
        // What is left out is in no books, and that is told as well.
        let complete = log_of(&stream.key).pop().unwrap();
        assert!(
            complete.contains(&format!(" received={packets} written={packets} ")),
            "{complete}"
        );
    }
}

#[test]
fn key_frames_keep_their_times() {
    let (rig, _) = record("times", |plan| plan.tracks = Tracks::KeyFrames);
    let packets = scan(&rig.file("tracks_times_20251011_143052.flv"));
    let times = packets.iter().filter(|p| p.role == Role::Key).map(|p| p.dts_ms);
    assert_eq!(times.collect::<Vec<_>>(), [0, 1_000, 2_000, 3_000]);
}

#[test]
fn audio_alone_is_cut_at_any_packet() {
    let (rig, stream) = record("cuts", |plan| {
        plan.tracks = Tracks::Audio;
        plan.rotation = Rotation { duration: Some(Duration::ZERO), ..Rotation::default() };
    });
    let segments = rig.take_finished();
    check_tracks(&rig, &segments, &stream.sent);
    assert_eq!(segments.len(), 40);
}

#[test]
fn what_a_failed_disk_costs_is_of_the_tracks_alone() {
    let disk = FakeDisk::failing(|_, call| {
        (call == Call::CreateNew).then_some(Fault::Error(std::io::ErrorKind::StorageFull))
    });
    let rig = Rig::new(disk);
    let mut stream = Stream::publish("tracks", "failed");
    rig.start_by(&stream, |plan| plan.tracks = Tracks::Audio);
    wait_until("it is in trouble", || rig.archive.counters().errors > 0);
    stream.push(clip(4));
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();
    let complete = log_of(&key).pop().unwrap();
    assert!(complete.contains(" received=41 written=0 dropped=41 "), "{complete}");
}
