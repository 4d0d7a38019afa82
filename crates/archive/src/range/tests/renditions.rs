//! Segments of each track, where there are several of a kind.

use media::hls::TrackName;
use media::{Packet, mp4};

use super::hls::media_in;
use super::made::Run;
use super::*;
use crate::{Disk, Format};

const V0: TrackName = TrackName { kind: Kind::Video, id: 0 };
const V1: TrackName = TrackName { kind: Kind::Video, id: 1 };
const A0: TrackName = TrackName { kind: Kind::Audio, id: 0 };
const A1: TrackName = TrackName { kind: Kind::Audio, id: 1 };

/// A message of one track (E-RTMP v2 "Multitrack").
fn message(name: TrackName, dts_ms: i64, is_key: bool, packet_type: u8, data: &[u8]) -> Packet {
    let (head, codec) = match name.kind {
        Kind::Video => (if is_key { 0x96 } else { 0xa6 }, b"avc1"),
        _ => (0x95, b"mp4a"),
    };
    let body = [&[head, packet_type][..], codec, &[name.id], data].concat();
    Packet::new(name.kind, dts_ms, body.into())
}

fn config(name: TrackName, dts_ms: i64) -> Packet {
    let record: &[u8] = match name.kind {
        Kind::Video => &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 1, 1],
        _ => &[0x12, 0x10],
    };
    message(name, dts_ms, true, 0, record)
}

/// Ten frames a second, with a key frame each second; a frame says first whether it is one.
fn frames(name: TrackName, from_ms: i64, to_ms: i64) -> Vec<Packet> {
    let frame = |n: i64| {
        let dts_ms = from_ms + n * 100;
        let is_key = n % 10 == 0;
        let data = [&[u8::from(is_key)][..], &dts_ms.to_be_bytes(), &[name.id; 40]].concat();
        // Frames of H.264 whose composition time is 0.
        message(name, dts_ms, is_key, if name.kind == Kind::Video { 3 } else { 1 }, &data)
    };
    (0..(to_ms - from_ms) / 100).map(frame).collect()
}

/// With its configuration.
fn track(name: TrackName, from_ms: i64, to_ms: i64) -> Vec<Packet> {
    [vec![config(name, from_ms.min(0))], frames(name, from_ms, to_ms)].concat()
}

/// What was sent of a track, in a row.
fn sent(made: &Made, name: TrackName) -> Vec<u8> {
    let samples = made.sent.iter().flat_map(|sent| mp4::samples(&sent.packet));
    let of_track = samples.filter(|sample| (sample.kind, sample.track) == (name.kind, name.id));
    of_track.flat_map(|sample| sample.data.to_vec()).collect()
}

/// The segments of a track, in which files have it; each is the same when it is asked for again.
fn segments(source: &Source, hls: &Hls, name: TrackName) -> Vec<(OfTrack, Vec<u8>)> {
    let all = source.renditions(hls).unwrap();
    let rendition = all.find(name).unwrap();
    let of = |of: &HlsSegment| {
        let found = rendition.of(of)?;
        let read = || {
            let fragments = source.fragments_of(of.segment, found.place, name).unwrap();
            fragments.map(Result::unwrap).collect::<Vec<_>>().concat()
        };
        let bytes = read();
        assert_eq!(bytes, read());
        assert_eq!(&bytes[4..8], b"styp");
        let init = source.hls_init_of(of.segment, found.place.settled, name).unwrap();
        assert_eq!(&init[4..8], b"ftyp");
        Some((found, bytes))
    };
    hls.segments.iter().filter_map(of).collect()
}

fn all_media(segments: &[(OfTrack, Vec<u8>)]) -> Vec<u8> {
    segments.iter().flat_map(|(_, bytes)| media_in(bytes)).collect()
}

/// The files forget where their tracks are, as if an earlier version had written them.
fn forget(made: &Made) {
    (0..made.segments.len()).for_each(|file| replace(made, file, b"trackPlaces", b"trackPlaceX"));
}

/// Puts other bytes where some are first.
fn replace(made: &Made, file: usize, old: &[u8], new: &[u8]) {
    made.damage(file, |bytes| {
        let at = bytes.windows(old.len()).position(|found| found == old).unwrap();
        bytes[at..at + new.len()].copy_from_slice(new);
    });
}

#[test]
fn each_track_is_whole_in_segments_that_begin_with_its_key_frames() {
    for format in [Format::Flv, Format::Mp4] {
        for shift_ms in [-40, 0, 40] {
            let mut made = Made::new();
            let pictures = frames(V1, 1_000 + shift_ms, 20_000 + shift_ms);
            let others =
                [vec![config(V1, 0)], frames(V1, 0, 1_000), pictures, track(A1, 10, 20_010)];
            let others = others.concat();
            made.run(&Run { gops: 20, cut_every: 8, format, others, ..Run::default() });
            let source = source(&made);
            let hls = source.hls(Range::ALL, 3_000).unwrap();
            assert!(hls.may_have_several());
            // Of the first tracks together none is missing where a file begins.
            let together = super::hls::segment(&source, &hls.segments[0]);
            let frame = sent(&made, V0)[..300].to_vec();
            assert!(media_in(&together).windows(300).any(|part| part == frame));
            for name in [V0, V1, A0, A1] {
                let found = segments(&source, &hls, name);
                assert_eq!(found.len(), hls.segments.len(), "{name}");
                assert!(found.iter().all(|(of, _)| !of.is_gap), "{name}");
                assert!(all_media(&found) == sent(&made, name), "{format:?} {shift_ms} {name}");
                for (of, (_, bytes)) in hls.segments.iter().zip(&found).filter(|_| name == V1) {
                    // A key frame right before the end of a file stands in it.
                    let is_cut_off = shift_ms < 0 && of.place.from == of.place.settled;
                    let is_first = of.segment == 0 && of.place.from == of.place.settled;
                    assert_eq!(media_in(bytes)[0] == 1, !is_cut_off || is_first, "{of:?}");
                }
            }
        }
    }
}

#[test]
fn of_one_track_a_kind_there_is_nothing_to_choose() {
    let mut made = Made::new();
    made.run(&Run { gops: 6, ..Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 3_000).unwrap();
    assert!(!hls.may_have_several());
    let all = source.renditions(&hls).unwrap();
    assert!(!all.has_several());
    assert!(all_media(&segments(&source, &hls, V0)) == sent(&made, V0));
    let refused = all.find(V1).unwrap_err().to_string();
    assert_eq!(refused, "there is no track video-1: there are video-0, audio-0");
}

#[test]
fn a_track_that_begins_or_ends_in_a_file_has_gaps_there() {
    let mut made = Made::new();
    let mut others = track(V1, 0, 16_200);
    others.push(config(A1, 13_450));
    others.extend(frames(A1, 13_500, 30_000));
    made.run(&Run { gops: 30, others, ..Run::default() });
    let told = gaps_of_ends(&made);
    forget(&made);
    assert!(gaps_of_ends(&made) == told);
}

/// Checks them, and returns the segments of both.
fn gaps_of_ends(made: &Made) -> [Vec<(OfTrack, Vec<u8>)>; 2] {
    let source = source(made);
    let hls = source.hls(Range::ALL, 3_000).unwrap();
    let gaps = |found: &[(OfTrack, Vec<u8>)]| -> Vec<bool> {
        found.iter().map(|(of, _)| of.is_gap).collect()
    };
    let (pictures, sound) = (segments(&source, &hls, V1), segments(&source, &hls, A1));
    assert_eq!(
        gaps(&pictures),
        [[false; 3], [false; 3], [true; 3]].concat().into_iter().chain([true]).collect::<Vec<_>>()
    );
    assert_eq!(gaps(&sound)[..6], [true, true, true, true, false, false]);
    for (name, found) in [(V1, &pictures), (A1, &sound)] {
        // Who asks for a gap gets a fragment that has nothing.
        let empty = found.iter().filter(|(of, _)| of.is_gap);
        assert!(
            empty.clone().count() >= 4 && empty.into_iter().all(|(_, b)| media_in(b).is_empty())
        );
        assert!(all_media(found) == sent(made, name), "{name}");
    }
    // It is known at the same place in a list that begins later.
    let later = source.hls(range(21_000, 27_000, Cut::KeyFrame), 3_000).unwrap();
    let found = segments(&source, &later, A1);
    assert_eq!(found[0], sound[7]);
    assert!(source.renditions(&later).unwrap().find(V1).is_err(), "it has ended");
    [pictures, sound]
}

#[test]
fn a_track_that_is_away_for_a_while_has_empty_segments() {
    let mut made = Made::new();
    let mut others = track(A1, 0, 7_000);
    others.extend(frames(A1, 25_000, 30_000));
    made.run(&Run { gops: 30, others, ..Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 3_000).unwrap();
    let found = segments(&source, &hls, A1);
    let empty: Vec<_> = found.iter().map(|(_, bytes)| media_in(bytes).is_empty()).collect();
    let expected = [[false; 3], [true; 3]].concat();
    assert_eq!(empty[..6], expected);
    assert!(all_media(&found) == sent(&made, A1));
}

#[test]
fn files_without_a_track_have_none_of_it() {
    let mut made = Made::new();
    made.run(&Run { gops: 6, ..Run::default() });
    let others = track(A1, 0, 6_000);
    made.run(&Run { gops: 6, away_ms: 9_000, recording: 2, others, ..Run::default() });
    made.run(&Run { gops: 6, away_ms: 9_000, recording: 3, ..Run::default() });
    let source = source(&made);
    for is_told in [true, false] {
        if !is_told {
            forget(&made);
        }
        let hls = source.hls(Range::ALL, 3_000).unwrap();
        let all = source.renditions(&hls).unwrap();
        let known: Vec<_> =
            hls.segments.iter().map(|of| all.find(A1).unwrap().of(of).is_some()).collect();
        assert_eq!(known, [false, false, true, true, false, false]);
        assert!(all_media(&segments(&source, &hls, A1)) == sent(&made, A1));
    }
}

#[test]
fn segments_of_a_growing_file_stay_what_they_are() {
    let others = || [track(V1, 0, 22_000), track(A1, 5, 22_005)].concat();
    let (mut grows, mut is_whole) = (Made::new(), Made::new());
    let run = Run { gops: 22, cut_every: 14, ..Run::default() };
    grows.run(&Run { grows: true, others: others(), ..run.clone() });
    is_whole.run(&Run { others: others(), ..run });
    let (grown, whole) = (source(&grows), source(&is_whole));
    let before = grown.hls(Range::ALL, 3_000).unwrap();
    let after = whole.hls(Range::ALL, 3_000).unwrap();
    for name in [V0, V1, A0, A1] {
        let before = segments(&grown, &before, name);
        assert!(segments(&whole, &after, name).starts_with(&before), "{name}");
        assert_eq!(before.len(), 6);
    }
}

#[test]
fn what_cannot_be_there_is_told_and_the_others_are() {
    let mut made = Made::new();
    let mut others: Vec<_> =
        (1..10).flat_map(|id| track(TrackName { id, ..V0 }, 0, 6_000)).collect();
    let unknown = |n: i64| {
        let body = [&[0x95, 1][..], b"zzzz", &[3, 1, 2, 3]].concat();
        Packet::new(Kind::Audio, n * 100, body.into())
    };
    others.extend((0..60).map(unknown));
    made.run(&Run { gops: 6, others, ..Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 3_000).unwrap();
    let all = source.renditions(&hls).unwrap();
    let told: Vec<_> = all.left_out().iter().map(|left| left.track.to_string()).collect();
    assert_eq!(told, ["audio-3", "video-8", "video-9"]);
    assert!(all.left_out()[0].reason.contains("zzzz"), "{:?}", all.left_out());
    let offered = all.multivariant(|name| name.to_string()).unwrap();
    assert_eq!((offered.variants.len(), offered.audio.len()), (8, 1));
}

#[test]
fn rates_are_about_those_of_the_tracks() {
    rates_with(&[track(V1, 0, 20_000), track(A1, 0, 20_000)].concat());
    let middle = [vec![config(V1, 6_900)], frames(V1, 7_000, 13_000)];
    rates_with(&middle.concat());
}

fn rates_with(others: &[Packet]) {
    let mut made = Made::new();
    let others = others.to_vec();
    made.run(&Run { gops: 20, frame_bytes: 3_000, others, ..Run::default() });
    let source = source(&made);
    let all = source.renditions(&source.hls(Range::ALL, 6_000).unwrap()).unwrap();
    let offered = all.multivariant(|name| format!("x?track={name}")).unwrap();
    let [first, second] = &offered.variants[..] else { panic!("{offered:?}") };
    assert_eq!(first.uri, "x?track=video-0");
    assert_eq!(first.frame_rate.map(f64::round), Some(10.0));
    assert_eq!(first.audio, Some("audio-mp4a".to_owned()));
    // 3 KB and 49 bytes ten times a second, with some 50 of sound.
    let averages = [first, second].map(|variant| variant.average_bandwidth.unwrap());
    assert!((240_000..270_000).contains(&averages[0]), "{averages:?}");
    assert!((7_000..14_000).contains(&averages[1]), "{averages:?}");
    assert!(first.bandwidth >= averages[0] && second.bandwidth >= averages[1]);
}

#[test]
fn a_track_that_a_file_has_no_place_for_is_whole_in_mp4() {
    for format in [Format::Flv, Format::Mp4] {
        let mut made = Made::new();
        let configs = vec![config(V1, 4_000), config(A1, 4_000)];
        let others = [configs, frames(V1, 4_010, 12_010), frames(A1, 4_050, 12_050)].concat();
        // As with a recorder, the first group of pictures.
        let told_by = 20;
        made.run(&Run { gops: 12, cut_every: 6, format, others, told_by, ..Run::default() });
        let view = source(&made).mp4(Range::ALL).unwrap();
        let samples = made.sent.iter().flat_map(|sent| mp4::samples(&sent.packet));
        assert_eq!(view.samples(), samples.count(), "{format:?}");
    }
}

/// A second sound from 12 s to 18 s, in a file of 30 s.
fn of_the_middle(format: Format) -> Run {
    let others = [vec![config(A1, 12_000)], frames(A1, 12_050, 18_050)].concat();
    Run { gops: 30, format, others, ..Run::default() }
}

#[test]
fn a_track_of_the_middle_of_a_file_alone_is_found() {
    for (format, told_by) in [(Format::Flv, 20), (Format::Mp4, usize::MAX), (Format::Mp4, 20)] {
        let mut made = Made::new();
        made.run(&Run { told_by, ..of_the_middle(format) });
        let whole = source(&made);
        let hls = whole.hls(Range::ALL, 3_000).unwrap();
        assert!(hls.may_have_several());
        let found = segments(&whole, &hls, A1);
        let gaps: Vec<_> = found.iter().map(|(of, _)| of.is_gap).collect();
        assert_eq!(gaps, [vec![true; 4], vec![false; 2], vec![true; 4]].concat());
        assert!(all_media(&found) == sent(&made, A1));
        let all = whole.renditions(&hls).unwrap();
        let offered = all.multivariant(|name| name.to_string()).unwrap();
        assert_eq!(offered.audio.len(), 2);
        // In a list that begins while it is there the segments are the same; in one behind it there is no such track.
        let inside = whole.hls(range(15_000, 21_000, Cut::KeyFrame), 3_000).unwrap();
        assert_eq!(segments(&whole, &inside, A1), found[5..7]);
        let behind = whole.hls(range(21_000, 27_000, Cut::KeyFrame), 3_000).unwrap();
        assert!(!behind.may_have_several());
        let samples = made.sent.iter().flat_map(|sent| mp4::samples(&sent.packet)).count();
        if told_by == usize::MAX || format == Format::Flv {
            assert_eq!(whole.mp4(Range::ALL).unwrap().samples(), samples);
        }
        // Of a file that does not say it, only where it is looked at.
        forget(&made);
        let hls = whole.hls(Range::ALL, 3_000).unwrap();
        assert!(!hls.may_have_several() && whole.renditions(&hls).unwrap().find(A1).is_err());
        assert_eq!(segments(&whole, &inside, A1), found[5..7]);
    }
}

#[test]
fn a_track_of_the_middle_stays_when_its_file_goes_on_and_is_recovered() {
    for format in [Format::Flv, Format::Mp4] {
        let run = of_the_middle(format);
        let mut before: Vec<(OfTrack, Vec<u8>)> = Vec::new();
        for (gops, grows) in [(18, true), (24, true), (30, true), (30, false)] {
            let mut made = Made::new();
            let others = run.others.clone();
            made.run(&Run { gops, grows, others, flush_every: 7, ..run.clone() });
            let grown = source(&made);
            let bytes = |found: &[(OfTrack, Vec<u8>)]| -> Vec<_> {
                found.iter().map(|(of, bytes)| (of.place, bytes.clone())).collect()
            };
            let found = segments(&grown, &grown.hls(Range::ALL, 3_000).unwrap(), A1);
            assert!(bytes(&found).starts_with(&bytes(&before)), "{format:?} {gops}");
            if grows {
                // Others look at what is logged of the stream that all tests have.
                replace(&made, 0, b"live/test", b"live/kept");
                let path = &made.segments[0].path;
                crate::recover::mend(&made.disk, path, false).unwrap();
                made.segments[0] = Segment::of_file(&made.disk, path).unwrap().unwrap();
                let mended = source(&made);
                let again = segments(&mended, &mended.hls(Range::ALL, 3_000).unwrap(), A1);
                assert!(bytes(&again).starts_with(&bytes(&found)), "{format:?} {gops}");
                assert!(again.len() > found.len());
            }
            before = found;
        }
        assert_eq!(before.len(), 10);
    }
}

#[test]
fn what_a_file_says_of_tracks_is_not_believed_where_it_is_not_so() {
    let mut made = Made::new();
    made.run(&of_the_middle(Format::Flv));
    let whole = source(&made);
    let told = |made: &Made| {
        let mut file = made.disk.open_read(&made.segments[0].path).unwrap();
        super::super::head::Head::read(&mut *file).unwrap().unwrap().tracks
    };
    let place = told(&made).iter().find(|places| places.name == A1).unwrap().message;
    let number = |place: u64| (place as f64).to_be_bytes();
    // Another message stands there; a place of no message; none of the file.
    for wrong in [place - 66, place + 1, u64::from(u32::MAX)] {
        replace(&made, 0, &number(place), &number(wrong));
        let hls = whole.hls(Range::ALL, 3_000).unwrap();
        assert!(whole.renditions(&hls).unwrap().find(A1).is_err(), "{wrong}");
        assert_eq!(segments(&whole, &hls, A0).len(), 10);
        replace(&made, 0, &number(wrong), &number(place));
    }
    assert_eq!(told(&made).len(), 3);
}
