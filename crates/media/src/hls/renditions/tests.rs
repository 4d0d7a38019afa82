use std::collections::BTreeSet;

use super::*;
use crate::amf0::{self, Value};
use crate::hls::{Options, Tracer, Window};
use crate::{Header, Packet};

/// The clock on the wall when a stream begins.
const WALL_MS: i64 = 1_795_963_852_120;
const V0: TrackName = TrackName { kind: Kind::Video, id: 0 };
const V1: TrackName = TrackName { kind: Kind::Video, id: 1 };
const A0: TrackName = TrackName { kind: Kind::Audio, id: 0 };
const A1: TrackName = TrackName { kind: Kind::Audio, id: 1 };

/// High profile, level 3.1; `other` is another encoder's.
fn avc(id: u8, other: u8) -> Packet {
    let mut record = vec![
        0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40,
        0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0,
        0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
    ];
    record[42] ^= other;
    message(Kind::Video, 0, &[0x96, 0x00], b"avc1", id, &record)
}

fn aac(id: u8) -> Packet {
    message(Kind::Audio, 0, &[0x95, 0x00], b"mp4a", id, &[0x11, 0x90, 0x56, 0xe5, 0x00])
}

/// `OpusHead`: 5.1 at 48 kHz.
const OPUS: &[u8] = b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";

/// A message of one track (E-RTMP v2 "Multitrack").
fn message(kind: Kind, dts_ms: i64, head: &[u8], codec: &[u8], id: u8, data: &[u8]) -> Packet {
    Packet::new(kind, dts_ms, [head, codec, &[id], data].concat().into())
}

fn picture(id: u8, dts_ms: i64, is_key: bool) -> Packet {
    let head = [if is_key { 0x96 } else { 0xa6 }, 0x03];
    message(Kind::Video, dts_ms, &head, b"avc1", id, &[0, 0, 0, 1, 9])
}

fn sound(id: u8, dts_ms: i64) -> Packet {
    message(Kind::Audio, dts_ms, &[0x95, 0x01], b"mp4a", id, &[0x21])
}

/// Pictures of 25 a second with key frames `key` pictures apart, the first at `from_ms`.
fn pictures(id: u8, from_ms: i64, to_ms: i64, key: i64) -> Vec<Packet> {
    let count = (to_ms - from_ms).div_euclid(40);
    (0..count).map(|n| picture(id, from_ms + n * 40, n % key == 0)).collect()
}

fn sounds(id: u8, from_ms: i64, to_ms: i64) -> Vec<Packet> {
    let times = (0..).map(|n| from_ms + n * 1_024 / 48).take_while(|ms| *ms < to_ms);
    times.map(|ms| sound(id, ms)).collect()
}

/// As an encoder sends them: by their times, tracks in their order.
fn mixed(tracks: impl IntoIterator<Item = Vec<Packet>>) -> Vec<Packet> {
    let mut all: Vec<Packet> = tracks.into_iter().flatten().collect();
    all.sort_by_key(|packet| packet.dts_ms);
    all
}

/// Two pictures and two sounds.
fn four(from_ms: i64, to_ms: i64) -> Vec<Packet> {
    let pictures = [0, 1].map(|id| pictures(id, from_ms, to_ms, 50));
    let sounds = [0, 1].map(|id| sounds(id, from_ms, to_ms));
    mixed(pictures.into_iter().chain(sounds))
}

fn header(configs: &[Packet]) -> Header {
    let mut header = Header::default();
    configs.iter().for_each(|packet| _ = header.push(packet));
    header
}

fn four_tracks() -> Header {
    header(&[avc(0, 0), avc(1, 0), aac(0), aac(1)])
}

/// A stream as the server has it.
struct Stream {
    segmenter: Segmenter,
    main: Window,
    renditions: Renditions,
}

impl Stream {
    fn new() -> Self {
        Self::of(Options { has_renditions: true, start_ms: 90_000_000, ..Options::default() })
    }

    fn of(options: Options) -> Self {
        let (main, renditions) = (Window::new(1 << 30), Renditions::default());
        Self { segmenter: Segmenter::new(options), main, renditions }
    }

    /// A run, or what is left of it after a loss.
    fn begin(&mut self, header: &Header) -> &mut Self {
        self.segmenter.begin(header);
        self
    }

    fn push(&mut self, packets: &[Packet]) -> &mut Self {
        for batch in packets.chunks(7) {
            let wall_ms = |packet: &Packet| WALL_MS + packet.dts_ms;
            batch.iter().for_each(|packet| self.segmenter.push(packet, wall_ms(packet)));
            self.segmenter.flush();
            self.drain();
        }
        self
    }

    fn finish(&mut self) -> &mut Self {
        self.segmenter.finish();
        self.drain();
        self.main.end_run();
        self.renditions.end_run();
        self
    }

    fn drain(&mut self) {
        self.main.set_targets(self.segmenter.target_s(), self.segmenter.part_target_ms());
        while let Some(piece) = self.segmenter.poll() {
            self.main.push(piece);
        }
        self.renditions.take(&mut self.segmenter);
    }

    fn media(&self, name: TrackName) -> Media {
        self.renditions.playlist(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Number, begin, end, samples and independence of each segment.
    fn segments(&self, name: TrackName) -> Vec<(u64, u64, u64, usize, bool)> {
        let window = self.renditions.window(name).unwrap();
        let of = |segment: &crate::hls::Segment| {
            let first = segment.parts.first();
            let begin_ms = first.map_or(0, |part| part.info.start_ms);
            let end_ms = segment.parts.last().map_or(0, |part| part.info.end_ms);
            let samples = segment.parts.iter().map(|part| part.info.samples).sum();
            let is_independent = first.is_some_and(|part| part.info.is_independent);
            (segment.number, begin_ms, end_ms, samples, is_independent)
        };
        window.segments.iter().map(of).collect()
    }

    /// What every playlist of every track keeps, whatever the stream did.
    fn assert_rules(&self, names: &[TrackName]) {
        let all: Vec<_> = names.iter().map(|name| (name, self.media(*name))).collect();
        // One target duration in all.
        assert!(all.iter().all(|(_, media)| media.target_s == 2));
        for (name, media) in &all {
            let target_ms = media.parts.unwrap().target_ms;
            for (n, segment) in media.segments.iter().enumerate() {
                let longest_ms = media.target_s * 1_000 + 499;
                assert!(segment.duration_ms <= longest_ms, "{name} {n}: {segment:?}");
                assert!(segment.unix_ms.is_some());
                let own = segment.parts.split_last().map(|(_, parts)| parts).unwrap_or_default();
                for part in own {
                    let fills =
                        (target_ms * 85..=target_ms * 100).contains(&(part.duration_ms * 100));
                    assert!(fills, "{name} {n}: {part:?} of {target_ms}");
                }
                assert!(segment.parts.iter().all(|part| part.duration_ms <= target_ms));
            }
            let others: Vec<_> = names.iter().filter(|other| other != name).collect();
            let told: Vec<_> = media.reports.iter().map(|report| report.uri.clone()).collect();
            let expected: Vec<_> = others.iter().map(|other| format!("{other}.m3u8")).collect();
            assert_eq!(told, expected, "{name} reports the others");
            for (report, other) in media.reports.iter().zip(others) {
                let other = self.media(*other);
                let newest = other.media_sequence + other.segments.len() as u64 - 1;
                let parts = other.segments.last().unwrap().parts.len() as u64;
                assert_eq!((report.last_msn, report.last_part), (newest, parts.checked_sub(1)));
            }
        }
    }

    /// When, by the time of all tracks, each discontinuity is, by its number.
    fn discontinuities(&self, name: TrackName) -> Vec<(u64, i64)> {
        let media = self.media(name);
        let mut number = media.discontinuity_sequence;
        let mut found = Vec::new();
        for segment in media.segments.iter().filter(|segment| segment.is_discontinuous) {
            number += 1;
            found.push((number, segment.unix_ms.unwrap()));
        }
        found
    }

    /// In all of them the same ones, at the same times but for a picture or so.
    fn assert_same_discontinuities(&self, names: &[TrackName], count: usize) {
        let first = self.discontinuities(names[0]);
        assert_eq!(first.len(), count, "{first:?}");
        for name in names {
            let found = self.discontinuities(*name);
            assert_eq!(found.len(), count, "{name}: {found:?}, {first:?}");
            for ((number, unix_ms), (wanted, wanted_ms)) in found.iter().zip(&first) {
                assert_eq!(number, wanted, "{name}");
                assert!(unix_ms.abs_diff(*wanted_ms) <= 50, "{name}: {found:?}, {first:?}");
            }
        }
    }
}

#[test]
fn each_track_is_segments_of_its_own_on_one_clock() {
    let mut stream = Stream::new();
    let packets = four(5_000, 17_000);
    stream.begin(&four_tracks()).push(&packets);
    let names = [V0, V1, A0, A1];
    stream.assert_rules(&names);
    stream.finish();
    for name in names {
        let of_track = |packet: &&Packet| (packet.kind, packet.track) == (name.kind, name.id);
        let segments = stream.segments(name);
        assert_eq!(
            segments.iter().map(|segment| segment.0).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5]
        );
        let samples: usize = segments.iter().map(|segment| segment.3).sum();
        assert_eq!(samples, packets.iter().filter(of_track).count(), "{name}: once each");
        for (number, begin_ms, end_ms, _, is_independent) in &segments {
            let wanted_ms = 90_000_000 + number * 2_000;
            assert!((wanted_ms..wanted_ms + 22).contains(begin_ms), "{name} {number}: {begin_ms}");
            assert!(end_ms.abs_diff(wanted_ms + 2_000) <= 22, "{name} {number}: {end_ms}");
            assert!(is_independent, "{name} {number}");
        }
        // As the clock on the wall says it.
        for (listed, found) in stream.media(name).segments.iter().zip(&segments) {
            let wanted_ms = WALL_MS + 5_000 - 90_000_000 + i64::try_from(found.1).unwrap();
            assert_eq!(listed.unix_ms, Some(wanted_ms), "{name}");
        }
    }
}

#[test]
fn tracks_know_what_their_segments_are_made_of_and_have_lists_that_reach_back() {
    let mut stream = Stream::new();
    let packets = four(0, 40_000);
    stream.begin(&four_tracks()).push(&packets);
    for name in [V0, V1, A0, A1] {
        let window = stream.renditions.window(name).unwrap();
        let mut sent = packets.iter().filter(|packet| {
            packet.is_media() && (packet.kind, packet.track) == (name.kind, name.id)
        });
        let all: Vec<_> = window.anchors().collect();
        assert!(all.len() > 15, "{name}: {}", all.len());
        for live in &all {
            let trace = live.trace.unwrap();
            let movie = &window.init(live.init).unwrap().movie;
            let mut tracer = Tracer::default();
            for packet in sent.by_ref().take(trace.packets as usize) {
                tracer.push(movie, packet, 90_000_000_u64.saturating_add_signed(packet.dts_ms));
            }
            assert_eq!(tracer.trace(), Some(trace), "{name} {}", live.number);
        }
        let lost = BTreeSet::new();
        let whole = Reach { first: 1_000, kept: 0, length_ms: 60_000, ..Reach::of_live(&lost) };
        let media = stream.renditions.rewind(name, &whole, "?dvr=1m").unwrap();
        assert_eq!((media.media_sequence, media.segments.len()), (1_000, all.len() + 1));
        let first = &media.segments[0];
        assert_eq!(first.uri, Some(format!("../{name}/rewind-1000.m4s")));
        assert_eq!(first.map, Some(format!("../{name}/init-0.mp4")));
        let plain = stream.media(name);
        assert_eq!(media.preload_hint, plain.preload_hint);
        assert_eq!(media.reports.len(), 3);
        for (report, plain) in media.reports.iter().zip(&plain.reports) {
            assert_eq!(report.uri, format!("{}?dvr=1m", plain.uri));
            assert_eq!(
                (report.last_msn, report.last_part),
                (1_000 + plain.last_msn, plain.last_part)
            );
        }
    }
}

#[test]
fn a_stream_of_one_track_of_a_kind_is_as_it_was() {
    let packets = mixed([pictures(0, 0, 9_000, 50), sounds(0, 0, 9_000)]);
    let header = header(&[avc(0, 0), aac(0)]);
    let made = |has_renditions| {
        let mut stream = Stream::of(Options { has_renditions, ..Options::default() });
        stream.begin(&header).push(&packets).finish();
        assert!(stream.renditions.is_empty() && stream.renditions.multivariant("", "").is_none());
        let parts = stream.main.all_parts().flat_map(|(_, part)| part.bytes.clone());
        (stream.main.playlist().unwrap().to_string(), parts.collect::<Vec<_>>().concat())
    };
    assert!(made(true) == made(false));
}

#[test]
fn the_first_tracks_together_are_as_they_were() {
    let packets = four(0, 9_000);
    let made = |has_renditions| {
        let mut stream = Stream::of(Options { has_renditions, ..Options::default() });
        stream.begin(&four_tracks()).push(&packets).finish();
        let parts = stream.main.all_parts().flat_map(|(_, part)| part.bytes.clone());
        (stream.main.playlist().unwrap().to_string(), parts.collect::<Vec<_>>().concat())
    };
    assert!(made(true) == made(false));
}

#[test]
fn a_segment_begins_with_the_key_frame_next_to_that_of_the_first_track() {
    // Encoders with other delays: the same picture is decoded earlier or later.
    for (shift_ms, sends_first) in [(-66, false), (66, false), (-1, true), (0, true), (1, true)] {
        let mut second = pictures(1, 40 * 50 + shift_ms, 16_000, 50);
        second.insert(0, picture(1, 0, true));
        let mut packets = mixed([pictures(0, 0, 16_000, 50), second, sounds(0, 0, 16_000)]);
        if sends_first {
            packets.sort_by_key(|packet| (packet.dts_ms, packet.track == 0));
        }
        let mut stream = Stream::new();
        stream.begin(&header(&[avc(0, 0), avc(1, 0), aac(0)])).push(&packets);
        stream.assert_rules(&[V0, V1, A0]);
        stream.finish();
        let (first, second) = (stream.segments(V0), stream.segments(V1));
        assert_eq!(first.len(), second.len());
        for (first, second) in first.iter().zip(&second).skip(1) {
            assert_eq!(first.0, second.0);
            let shift_ms = first.1.saturating_add_signed(shift_ms);
            assert_eq!(second.1, shift_ms, "segment {}", first.0);
            assert!(first.4 && second.4, "both can be begun with");
        }
    }
}

#[test]
fn key_frames_at_other_distances_are_waited_for_as_long_as_a_segment_may_be() {
    let packets = mixed([
        pictures(0, 0, 40_000, 50),
        pictures(1, 0, 40_000, 40),
        pictures(2, 0, 40_000, 400),
        sounds(0, 0, 40_000),
    ]);
    let mut stream = Stream::new();
    stream.begin(&header(&[avc(0, 0), avc(1, 0), avc(2, 0), aac(0)]));
    let v2 = TrackName { kind: Kind::Video, id: 2 };
    for batch in packets.chunks(100) {
        stream.push(batch);
        if stream.renditions.multivariant("", "").is_some() {
            stream.assert_rules(&[V0, V1, v2, A0]);
        }
    }
    // Every other one of the second has a key frame within half a second of the first's.
    let independent = stream.segments(V1).iter().filter(|segment| segment.4).count();
    assert!(independent * 2 >= stream.segments(V1).len(), "{:?}", stream.segments(V1));
    let newest = [V0, V1, v2, A0].map(|name| stream.segments(name).last().unwrap().0);
    assert!(newest.iter().all(|number| number.abs_diff(newest[0]) <= 1), "{newest:?}");
}

#[test]
fn parts_are_filled_of_the_slowest_track_too() {
    let slow = (0..96).map(|n| picture(1, n * 125, n % 16 == 0)).collect();
    let packets = mixed([pictures(0, 0, 12_000, 50), slow, sounds(0, 0, 12_000)]);
    let mut stream = Stream::new();
    stream.begin(&header(&[avc(0, 0), avc(1, 0), aac(0)])).push(&packets);
    stream.assert_rules(&[V0, V1, A0]);
    let told = stream.renditions.multivariant("", "").unwrap();
    let rates = told.variants.iter().map(|variant| variant.frame_rate.unwrap().round());
    assert_eq!(rates.collect::<Vec<_>>(), [25.0, 8.0]);
}

#[test]
fn a_track_that_comes_later_begins_with_the_number_of_the_others() {
    let mut stream = Stream::new();
    let before = mixed([pictures(0, 0, 5_000, 50), sounds(0, 0, 5_000), sounds(1, 0, 5_000)]);
    stream.begin(&header(&[avc(0, 0), aac(0), aac(1)])).push(&before);
    let v1 = stream.renditions.multivariant("", "").unwrap();
    assert_eq!((v1.variants.len(), v1.audio.len()), (1, 2));
    stream.push(&[avc(1, 0)]).push(&four(5_000, 14_000));
    stream.assert_rules(&[V0, V1, A0, A1]);
    let (first, second) = (stream.segments(V0), stream.segments(V1));
    let at = first.iter().position(|segment| segment.0 == second[0].0).unwrap();
    for (first, second) in first[at..].iter().zip(&second).skip(1) {
        assert_eq!((first.0, first.1), (second.0, second.1));
    }
    assert_eq!(stream.renditions.multivariant("", "").unwrap().variants.len(), 2);
    // Nothing was interrupted by that.
    stream.assert_same_discontinuities(&[V0, V1, A0, A1], 0);
}

#[test]
fn a_track_that_ends_has_gaps_until_it_comes_again() {
    let mut stream = Stream::new();
    let mut packets = four(0, 25_000);
    packets.retain(|packet| packet.track == 0 || !(6_000..17_000).contains(&packet.dts_ms));
    let until = |ms| packets.iter().take_while(|packet| packet.dts_ms < ms).count();
    stream.begin(&four_tracks()).push(&packets[..until(14_000)]);
    let names = [V0, V1, A0, A1];
    stream.assert_rules(&names);
    for name in [V1, A1] {
        let media = stream.media(name);
        let gaps = media.segments.iter().filter(|segment| segment.is_gap);
        assert!(gaps.clone().count() >= 2, "{name}: {media:?}");
        assert!(gaps.clone().all(|gap| gap.uri.is_some() && gap.parts.is_empty()));
        assert!(gaps.clone().all(|gap| gap.duration_ms.abs_diff(2_000) <= 50), "{name}: {media:?}");
        let window = stream.renditions.window(name).unwrap();
        let newest = window.newest().unwrap();
        assert!(newest.is_gap() && window.segment(newest.number).is_none());
        // Who waits for a part of it learns that there is none.
        assert!(window.has(newest.number, Some(0)) && !window.has(newest.number + 1, Some(0)));
        // The part that was hinted at comes when the track does.
        assert_eq!(media.preload_hint, Some(format!("../{name}/part-{}.m4s", window.parts())));
    }
    stream.push(&packets[until(14_000)..]);
    stream.assert_rules(&names);
    let (first, second) = (stream.segments(V0), stream.segments(V1));
    assert_eq!(first.last().map(|s| (s.0, s.1)), second.last().map(|s| (s.0, s.1)));
    stream.assert_same_discontinuities(&names, 0);
}

#[test]
fn what_has_only_gaps_is_not_offered() {
    let mut stream = Stream::new();
    let mut packets = four(0, 60_000);
    packets.retain(|packet| packet.track == 0 || packet.dts_ms < 6_000);
    stream.begin(&four_tracks()).push(&packets);
    let offered = stream.renditions.multivariant("", "").unwrap();
    assert_eq!((offered.variants.len(), offered.audio.len()), (1, 1));
    assert!(stream.media(V1).segments.iter().all(|segment| segment.is_gap));
}

#[test]
fn the_first_tracks_may_be_silent_while_others_go_on() {
    let mut stream = Stream::new();
    let mut packets = four(0, 30_000);
    packets.retain(|packet| packet.track == 1 || !(6_000..19_000).contains(&packet.dts_ms));
    stream.begin(&four_tracks()).push(&packets);
    let names = [V0, V1, A0, A1];
    stream.assert_rules(&names);
    let numbers = names.map(|name| stream.segments(name).last().unwrap().0);
    assert!(numbers.iter().all(|number| number.abs_diff(numbers[0]) <= 1), "{numbers:?}");
    stream.assert_same_discontinuities(&names, 0);
}

#[test]
fn a_discontinuity_of_one_track_is_one_of_all() {
    let mut stream = Stream::new();
    let names = [V0, V1, A0, A1];
    stream.begin(&four_tracks()).push(&four(0, 4_000));
    // Another configuration of the second pictures, then the same of all in a row.
    stream.push(&[avc(1, 4)]).push(&four(4_000, 6_000));
    stream.push(&[avc(0, 4), avc(1, 2), aac(0), aac(1)]).push(&four(6_000, 8_000));
    stream.assert_rules(&names);
    stream.assert_same_discontinuities(&names, 2);
    let maps = |name| stream.media(name).segments.iter().filter(|s| s.map.is_some()).count();
    assert_eq!(names.map(maps), [2, 3, 1, 1]);
    // The encoder's clock jumps.
    stream.push(&four(900_000_000, 900_004_000));
    stream.assert_same_discontinuities(&names, 3);
    stream.assert_rules(&names);
    // A loss, and a reconnect without the second sound.
    stream.begin(&four_tracks()).push(&four(900_006_000, 900_008_000)).finish();
    let mut packets = four(0, 6_000);
    packets.retain(|packet| (packet.kind, packet.track) != (Kind::Audio, 1));
    stream.begin(&header(&[avc(0, 0), avc(1, 0), aac(0)])).push(&packets).finish();
    let numbers = names.map(|name| {
        let window = stream.renditions.window(name).unwrap();
        let newest = window.newest().unwrap();
        newest.discontinuities + u64::from(newest.begin.is_discontinuous)
    });
    assert_eq!(numbers, [5; 4]);
    assert!(stream.media(A1).segments.last().unwrap().is_gap);
}

#[test]
fn an_empty_run_is_none() {
    let mut stream = Stream::new();
    stream.begin(&four_tracks()).push(&four(0, 4_000)).finish();
    stream.begin(&four_tracks()).finish();
    stream.begin(&four_tracks()).push(&four(0, 4_000)).finish();
    stream.assert_same_discontinuities(&[V0, V1, A0, A1], 1);
}

#[test]
fn tracks_are_bounded_and_what_cannot_be_shown_is_told_once() {
    let mut stream = Stream::new();
    let mut configs: Vec<_> = (0..10).map(|id| avc(id, 0)).collect();
    configs.push(message(Kind::Audio, 0, &[0x95, 0x00], b"zzzz", 0, &[1]));
    let tracks = (0..10).map(|id| pictures(id, 0, 5_000, 50));
    stream.begin(&header(&configs)).push(&mixed(tracks)).push(&[avc(1, 4)]);
    stream.push(&mixed((0..10).map(|id| pictures(id, 5_000, 9_000, 50))));
    assert_eq!(stream.renditions.list.len(), super::super::lanes::LANES_MAX);
    let told = stream.segmenter.take_left_out();
    let tracks: Vec<_> = told.iter().map(|left| left.track.to_string()).collect();
    assert_eq!(tracks, ["audio-0", "video-8", "video-9"]);
    assert!(told[0].reason.contains("zzzz"), "{}", told[0].reason);
    assert_eq!(told[1].reason, "more than 8 tracks of pictures");
    assert_eq!(stream.segmenter.take_left_out(), []);
}

#[test]
fn all_of_them_are_bounded_together() {
    let mut stream = Stream::new();
    stream.begin(&four_tracks());
    for batch in four(0, 40_000).chunks(50) {
        stream.push(batch);
        stream.renditions.bound(&mut stream.main, 30_000);
        let bytes = stream.renditions.size_bytes() + stream.main.size_bytes();
        assert!(bytes <= 30_000, "{bytes}");
    }
    // A playlist is left of each.
    stream.assert_rules(&[V0, V1, A0, A1]);
    // Nothing more can go.
    stream.renditions.bound(&mut stream.main, 0);
    assert!([V0, V1, A0, A1].map(|name| stream.segments(name).len()).iter().all(|len| *len == 2));
}

/// What the publisher says of its tracks of sound.
fn metadata() -> Packet {
    let text = |name: &str, text: &str| (name.to_owned(), Value::String(text.to_owned()));
    let object = |properties: Vec<(String, Value)>| Value::Object(properties);
    let tracks = object(vec![
        ("0".to_owned(), object(vec![text("language", "en"), text("title", "Stage")])),
        ("1".to_owned(), object(vec![text("language", "Klingon!"), text("title", "Stage")])),
        ("2".to_owned(), object(vec![text("language", "de")])),
    ]);
    let mut body = Vec::new();
    amf0::encode(&Value::String("onMetaData".to_owned()), &mut body);
    amf0::encode(&object(vec![("audioTrackIdInfoMap".to_owned(), tracks)]), &mut body);
    Packet::new(Kind::Data, 0, body.into())
}

#[test]
fn a_multivariant_playlist_says_what_there_is() {
    let mut stream = Stream::new();
    // Three of AAC, and one of another codec, which not every player knows.
    let opus = message(Kind::Audio, 0, &[0x95, 0x00], b"Opus", 3, OPUS);
    let mut configs = vec![metadata(), avc(0, 0), avc(1, 0)];
    configs.extend([aac(0), aac(1), aac(2), opus]);
    let other = (0..450).map(|n| message(Kind::Audio, n * 20, &[0x95, 0x01], b"Opus", 3, &[7; 90]));
    let mut packets = four(0, 9_000);
    packets.extend(sounds(2, 0, 9_000).into_iter().chain(other));
    packets.sort_by_key(|packet| packet.dts_ms);
    stream.begin(&header(&configs)).push(&packets);
    let told = stream.renditions.multivariant("x/", "").unwrap();
    let text = told.to_string();
    let sound = |group, name, default, rest| {
        format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio-{group}\",NAME=\"{name}\",DEFAULT={default},\
             AUTOSELECT=YES{rest}.m3u8\""
        )
    };
    for line in [
        sound("mp4a", "Stage", "YES", ",LANGUAGE=\"en\",CHANNELS=\"2\",URI=\"x/audio-0"),
        sound("mp4a", "Stage 2", "NO", ",CHANNELS=\"2\",URI=\"x/audio-1"),
        sound("mp4a", "de", "NO", ",LANGUAGE=\"de\",CHANNELS=\"2\",URI=\"x/audio-2"),
        sound("opus", "Sound 4", "YES", ",CHANNELS=\"6\",URI=\"x/audio-3"),
    ] {
        assert!(text.lines().any(|known| known == line), "no {line}: {text}");
    }
    let of = |name| stream.renditions.window(name).unwrap().rates().unwrap();
    let wanted: Vec<_> = [V0, V1]
        .into_iter()
        .flat_map(|name| [(name, "mp4a", "mp4a.40.2", 0), (name, "opus", "opus", 3)])
        .map(|(name, group, codec, id)| {
            let (video, audio) = (of(name), of(TrackName { kind: Kind::Audio, id }));
            Variant {
                uri: format!("x/{name}.m3u8"),
                bandwidth: video.peak + audio.peak,
                average_bandwidth: Some(video.average + audio.average),
                codecs: format!("avc1.64001f,{codec}"),
                resolution: Some((1_280, 720)),
                frame_rate: told.variants[0].frame_rate,
                audio: Some(format!("audio-{group}")),
            }
        })
        .collect();
    assert_eq!(told.variants, wanted);
    assert!(text.contains(",FRAME-RATE="), "{text}");
}

#[test]
fn sound_alone_is_a_variant_too() {
    let mut stream = Stream::new();
    let packets = mixed([sounds(0, 0, 7_000), sounds(1, 0, 7_000)]);
    stream.begin(&header(&[aac(0), aac(1)])).push(&packets);
    stream.assert_rules(&[A0, A1]);
    let told = stream.renditions.multivariant("", "").unwrap();
    assert_eq!((told.variants.len(), told.audio.len()), (1, 2));
    let variant = &told.variants[0];
    assert_eq!((variant.uri.as_str(), variant.codecs.as_str()), ("audio-0.m3u8", "mp4a.40.2"));
    assert!(variant.bandwidth > variant.average_bandwidth.unwrap());
}

#[test]
fn names_are_read_back_in_one_spelling() {
    for name in [V0, V1, A1, TrackName { kind: Kind::Audio, id: 255 }] {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    for text in ["", "video", "video-", "video-256", "video-01", "video-+1", "data-0", "video-0-0"]
    {
        assert_eq!(text.parse::<TrackName>(), Err(()), "{text}");
    }
}

#[test]
fn only_what_looks_like_a_language_is_told_as_one() {
    for tag in ["en", "deu", "pt-BR", "zh-Hant-TW", "de-1996"] {
        assert!(is_tag(tag), "{tag}");
    }
    for other in ["", "e", "english language", "en-", "-en", "en_US", "Ελλ", "e1"] {
        assert!(!is_tag(other), "{other}");
    }
}
