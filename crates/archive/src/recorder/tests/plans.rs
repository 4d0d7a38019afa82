//! A recording that is kept by another plan, or split, while it runs.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use media::{Kind, Packet, Role};
use proptest::prelude::*;

use super::cuts::{check, op, stream_of};
use crate::config::Rotation;
use crate::disk::fake::several::Several;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::events::Finished;
use crate::recorder::Timing;
use crate::testing::{
    Rig, Stream, TIMING, audio, audio_config, clip, second, video, video_config, wait_until,
};
use crate::verify::{Verdict, Walk, judge};
use crate::{Config, Cut, Plan, RecordingId, State, Tracks};

fn rig() -> Rig {
    Rig::with(FakeDisk::default(), Config { rejoin: Duration::ZERO, ..Config::default() })
}

/// Ends the stream, and returns what was recorded of it and what it was.
fn end(rig: &Rig, mut stream: Stream) -> (Vec<Finished>, Vec<Packet>) {
    let sent = std::mem::take(&mut stream.sent);
    drop(stream);
    rig.wait_for_end();
    (rig.take_finished(), sent)
}

#[test]
fn a_split_is_made_at_the_next_key_frame_and_loses_nothing() {
    let rig = rig();
    let mut stream = Stream::publish("plans", "split");
    let id = rig.start(&stream);
    stream.push(clip(2));
    stream.push([video(2_000, true, 900), audio(2_023, 150)]);
    rig.wait_for_packets(44);
    assert!(rig.archive.split(id));
    // Those that come now are in the file that is open, up to the key frame.
    stream.push([video(2_100, false, 900), audio(2_123, 150)]);
    stream.push((3..5).flat_map(second));
    let (segments, sent) = end(&rig, stream);
    check(&rig, &segments, &sent);
    assert_eq!(segments.len(), 2);
    assert_eq!((segments[1].about.cut, segments[1].about.start_ms), (Cut::Request, 3_000));
    assert!(!rig.archive.split(id), "it is over");
}

#[test]
fn rotation_changes_at_once() {
    let rig = rig();
    let mut stream = Stream::publish("plans", "rotation");
    let id = rig.start_by(&stream, |plan| {
        plan.rotation = Rotation { duration: Some(Duration::ZERO), ..Rotation::default() };
    });
    stream.push(clip(3));
    rig.wait_for_packets(stream.sent.len() as u64);
    let plan = rig.plan(|plan| plan.rotation = Rotation::default());
    assert!(rig.archive.update(id, plan.clone()));
    assert_eq!(rig.archive.list()[0].plan, plan);
    stream.push((3..6).flat_map(second));
    rig.wait_for_packets(stream.sent.len() as u64);
    rig.archive.update(
        id,
        rig.plan(|plan| {
            plan.rotation =
                Rotation { duration: Some(Duration::from_secs(2)), ..Rotation::default() };
        }),
    );
    stream.push((6..9).flat_map(second));
    let (segments, sent) = end(&rig, stream);
    check(&rig, &segments, &sent);
    let starts: Vec<_> = segments.iter().map(|segment| segment.about.start_ms).collect();
    // The update to no rule met the third file, or one was due to begin with the next key frame.
    assert!(
        starts == [0, 1_000, 2_000, 6_000, 8_000] || starts == [0, 1_000, 2_000, 6_000],
        "{starts:?}"
    );
    assert!(!rig.archive.update(id, plan), "it is over");
}

#[test]
fn another_folder_and_name_take_effect_by_a_cut() {
    let rig = rig();
    let mut stream = Stream::publish("plans", "folder");
    let id = rig.start(&stream);
    stream.push(clip(2));
    rig.wait_for_packets(42);
    let plan = rig.plan(|plan| {
        plan.dir = "elsewhere".into();
        plan.template = "{recorder}/{recording_name}_{sequence}".parse().unwrap();
    });
    rig.archive.update(id, plan);
    stream.push((2..5).flat_map(second));
    let (segments, sent) = end(&rig, stream);
    check(&rig, &segments, &sent);
    let paths: Vec<_> = segments.iter().map(|segment| &*segment.path).collect();
    assert_eq!(
        paths,
        [
            Path::new("recordings/plans_folder_20251011_143052.flv"),
            Path::new("elsewhere/all/none~_0002.flv"),
        ]
    );
    assert_eq!((segments[1].about.cut, segments[1].about.start_ms), (Cut::Request, 2_000));
}

#[test]
fn updates_and_splits_under_load_lose_nothing() {
    let rig = rig();
    let mut stream = Stream::publish("plans", "load");
    let id = rig.start(&stream);
    stream.push(clip(1));
    let archive = &rig.archive;
    let plans = ["a", "b"].map(|dir| rig.plan(|plan| plan.dir = dir.into()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for plan in plans.iter().cycle().take(2_000) {
                assert!(archive.update(id, plan.clone()) && archive.split(id));
                std::thread::yield_now();
            }
        });
        for n in 1..400 {
            stream.push(second(n));
        }
    });
    // However the two threads met, these find the last plan.
    for n in 400..402 {
        stream.push(second(n));
        rig.wait_until_read(id);
    }
    let (segments, sent) = end(&rig, stream);
    check(&rig, &segments, &sent);
    assert!(segments.last().unwrap().path.starts_with("b"), "{} files", segments.len());
}

#[test]
fn a_plan_that_comes_before_the_first_frame_is_not_forgotten() {
    let rig = rig();
    let mut stream = Stream::publish("plans", "early");
    let id = rig.start(&stream);
    // The file is begun by what is no frame.
    stream.push(clip(0));
    rig.wait_for_packets(2);
    rig.archive.update(id, rig.plan(|plan| plan.dir = "elsewhere".into()));
    stream.push(second(0));
    stream.push(second(1));
    let (segments, sent) = end(&rig, stream);
    check(&rig, &segments, &sent);
    assert!(segments.last().unwrap().path.starts_with("elsewhere"), "{segments:?}");
}

#[test]
fn a_disk_in_trouble_is_left_at_once_for_that_of_a_new_plan() {
    let bad = FakeDisk::failing(|_, call| {
        (call == Call::CreateNew).then_some(Fault::Error(std::io::ErrorKind::StorageFull))
    });
    let disk = FakeDisk::default();
    let mounted = [("recordings".into(), bad), ("elsewhere".into(), disk.clone())].to_vec();
    let hour = Duration::from_secs(3_600);
    let timing = Timing { backoff_first: hour, backoff_most: hour, ..TIMING };
    let config = Config { rejoin: Duration::ZERO, ..Config::default() };
    let rig = Rig::on(Arc::new(Several(mounted)), disk, config, timing);
    let mut stream = Stream::publish("plans", "trouble");
    let id = rig.start(&stream);
    stream.push(clip(2));
    wait_until("it is in trouble", || rig.state() == Some(State::Trouble));
    let plan = rig.plan(|plan| {
        plan.dir = "elsewhere".into();
        plan.tracks = Tracks::Audio;
    });
    rig.archive.update(id, plan);
    rig.wait_for_packets(21);
    let (segments, sent) = end(&rig, stream);
    // The queue has held all, and nothing was in a file before the new plan was.
    check_tracks(&rig, &segments, &sent);
    assert_eq!((segments.len(), segments[0].about.tracks), (1, Tracks::Audio));
    assert!(segments[0].path.starts_with("elsewhere"));
}

#[test]
fn other_tracks_wait_a_minute_for_a_key_frame_and_no_longer() {
    let rig = rig();
    let mut stream = Stream::publish("plans", "keyless");
    let id = rig.start_by(&stream, |plan| plan.tracks = Tracks::Audio);
    stream.push([video_config(1), audio_config(), video(0, true, 10), audio(1, 10)]);
    rig.wait_for_packets(2);
    rig.archive.update(id, rig.plan(|_| {}));
    stream.push((1..100).flat_map(|n| [video(n * 1_000, false, 10), audio(n * 1_000 + 1, 10)]));
    let (segments, _) = end(&rig, stream);
    let starts: Vec<_> =
        segments.iter().map(|file| (file.about.tracks, file.about.start_ms)).collect();
    // The first packet a minute after the update; times are those of the audio.
    assert_eq!(starts, [(Tracks::Audio, 0), (Tracks::All, 60_999)]);
}

/// The segments are the stream, but for what their tracks leave out; each can be decoded.
pub(super) fn check_tracks(rig: &Rig, segments: &[Finished], sent: &[Packet]) {
    check_tracks_from(rig, segments, sent, &[]);
}

/// The same of a recording that was to have other tracks before it had any file.
fn check_tracks_from(rig: &Rig, segments: &[Finished], sent: &[Packet], before: &[Tracks]) {
    let files = rig.disk.files();
    let mut rest: VecDeque<_> = sent.iter().filter(|p| p.kind != Kind::Data).collect();
    let is_video = |p: &&Packet| p.kind == Kind::Video && p.role != Role::Event;
    let video_track = sent.iter().find(is_video).map_or(0, |packet| packet.track);
    let passes = |tracks, packet: &Packet| passes(tracks, packet, video_track);
    let (mut clock_ms, mut received) = (0, 0);
    let first_tracks = segments.first().map(|segment| segment.about.tracks);
    let mut tracks: Vec<Tracks> = before.iter().copied().chain(first_tracks).collect();
    let is_left_out = |tracks: &[Tracks], p: &Packet| tracks.iter().any(|of| !passes(*of, p));
    for segment in segments {
        assert_eq!((segment.about.start_ms, segment.about.first_packet), (clock_ms, received));
        assert!(segment.ledger.is_balanced(), "{:?}", segment.ledger);
        clock_ms += segment.length_ms;
        received += segment.ledger.received.packets;
        let packets = crate::testing::scan(&files[&segment.path]);
        let repeated = usize::try_from(segment.ledger.repeated_packets).unwrap();
        let (header, own) = packets.split_at(repeated);
        let of = segment.about.tracks;
        assert!(header.iter().all(|p| p.role == Role::Config && passes(of, p)), "{header:?}");
        // What is before it was left out by the tracks of the file before.
        for _ in 0..begin_of(own, &rest, |p| passes(of, p)) {
            let next = rest.pop_front().unwrap();
            assert!(is_left_out(&tracks, next), "lost: {next:?}");
        }
        tracks = vec![of];
        let mut first = true;
        for packet in own {
            let same = loop {
                let next = rest.pop_front().expect("no packet is in two files");
                if (next.kind, &next.body) == (packet.kind, &packet.body) {
                    break next;
                }
                assert!(is_left_out(&tracks, next), "lost: {next:?}");
            };
            assert!(passes(of, same), "{same:?}");
            // The first file begins with the run, whatever that begins with. Audio may come between
            // a configuration and its key frame.
            let is_frame = same.is_media() && same.kind == Kind::Video && same.track == video_track;
            if is_frame && std::mem::take(&mut first) && segment.about.segment > 1 {
                assert_eq!(same.role, Role::Key, "in segment {}", segment.about.segment);
            }
        }
        assert!(own.len() as u64 <= segment.ledger.written.packets);
    }
    assert!(rest.iter().all(|packet| is_left_out(&tracks, packet)), "no packet is lost");
    // What anybody can prove who has the files.
    let walk = |segment: &Finished| {
        let mut walk = Walk::new();
        walk.push(&files[&segment.path]);
        walk.finish(segment.path.display().to_string())
    };
    let report = judge(segments.iter().map(walk).collect());
    assert!(segments.is_empty() || report.verdict() == Verdict::Whole, "{report:?}");
}

/// Where in `rest` the packets of a file are: configurations come again and again, so all of them
/// are looked at.
fn begin_of(own: &[Packet], rest: &VecDeque<&Packet>, passes: impl Fn(&Packet) -> bool) -> usize {
    let is_here = |from: usize| {
        let mut of_file = rest.range(from..).filter(|packet| passes(packet));
        own.iter()
            .all(|own| of_file.next().is_some_and(|p| (p.kind, &p.body) == (own.kind, &own.body)))
    };
    (0..=rest.len()).find(|from| is_here(*from)).expect("a file has what was sent, once")
}

fn passes(tracks: Tracks, packet: &Packet, video_track: u8) -> bool {
    match tracks {
        Tracks::All => true,
        Tracks::Audio => packet.kind != Kind::Video,
        Tracks::Video => packet.kind != Kind::Audio,
        Tracks::KeyFrames => {
            packet.kind == Kind::Video
                && packet.track == video_track
                && matches!(packet.role, Role::Key | Role::Config)
        }
    }
}

#[test]
fn other_tracks_take_effect_where_they_can_be_decoded() {
    let all = Tracks::ALL;
    for (from, to) in all.into_iter().flat_map(|from| all.map(|to| (from, to))) {
        let rig = rig();
        let mut stream = Stream::publish("plans", &format!("{from}-{to}"));
        let id = rig.start_by(&stream, |plan| plan.tracks = from);
        stream.push(clip(2));
        stream.push(second(2).take(7));
        rig.wait_until_read(id);
        rig.archive.update(id, rig.plan(|plan| plan.tracks = to));
        stream.push(second(2).skip(7));
        stream.push((3..6).flat_map(second));
        let (segments, sent) = end(&rig, stream);
        check_tracks(&rig, &segments, &sent);
        let tracks: Vec<_> = segments.iter().map(|segment| segment.about.tracks).collect();
        if from == to {
            assert_eq!(tracks, [from]);
        } else {
            assert_eq!((tracks.as_slice(), segments[1].about.cut), (&[from, to][..], Cut::Request));
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Read,
    Split,
    Update(Box<Plan>),
}

fn step() -> impl Strategy<Value = Step> {
    let plan = (0..3usize, 0..4usize, proptest::option::of(0..2_000u64), 0..200u64);
    prop_oneof![
        6 => (1..40usize).prop_map(Step::Push),
        2 => Just(Step::Read),
        2 => Just(Step::Split),
        3 => plan.prop_map(|(dir, tracks, duration_ms, flush_ms)| {
            let mut plan = Config::default().plan();
            plan.dir = ["recordings", "a", "b"][dir].into();
            plan.tracks = Tracks::ALL[tracks];
            plan.rotation.duration = duration_ms.map(Duration::from_millis);
            plan.flush = Duration::from_millis(flush_ms);
            plan.rejoin = Duration::ZERO;
            Step::Update(Box::new(plan))
        }),
    ]
}

fn run(name: &str, steps: Vec<Step>, packets: Vec<Packet>, keeps_tracks: bool) {
    let rig = rig();
    let mut stream = Stream::publish("plans", name);
    let id: RecordingId = rig.start(&stream);
    let mut packets = packets.into_iter();
    let mut tracks = vec![Tracks::All];
    for step in steps {
        match step {
            Step::Push(count) => stream.push(packets.by_ref().take(count)),
            Step::Read => rig.wait_until_read(id),
            Step::Split => assert!(rig.archive.split(id)),
            Step::Update(mut plan) => {
                if keeps_tracks {
                    plan.tracks = Tracks::All;
                }
                tracks.push(plan.tracks);
                assert!(rig.archive.update(id, Arc::new(*plan)));
            }
        }
    }
    stream.push(packets);
    let (segments, sent) = end(&rig, stream);
    if keeps_tracks {
        check(&rig, &segments, &sent);
    }
    check_tracks_from(&rig, &segments, &sent, &tracks);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]
    #[test]
    fn whatever_is_asked_of_a_recording_loses_nothing(
        ops in proptest::collection::vec(op(), 1..300),
        steps in proptest::collection::vec(step(), 1..30),
        with_video in any::<bool>(),
        keeps_tracks in any::<bool>(),
    ) {
        run("any", steps, stream_of(&ops, with_video), keeps_tracks);
    }
}
