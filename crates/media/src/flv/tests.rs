//! Vectors of every form of Enhanced RTMP, made by hand: read whole, cut at every byte, and bent.

use proptest::prelude::*;

use super::{Malformed, audio, video};
use crate::{Header, Kind, Packet, Role};

mod vectors;

use vectors::{VECTORS, Vector};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn packet(vector: &Vector) -> Packet {
    Packet::new(vector.kind, 0, bytes(vector.hex).into())
}

/// All parts of a message in words, separated by `; `.
fn told(kind: Kind, body: &[u8]) -> String {
    let hex = |data: &[u8]| data.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tell = |part: Result<String, Malformed>| part.unwrap_or_else(|error| format!("! {error}"));
    let parts: Vec<String> = match kind {
        Kind::Video => video::read(body)
            .map(|part| {
                tell(part.map(|tag| {
                    let (track, ms) = (tag.track, tag.composition_time_ms);
                    let (frame, what) = (tag.frame_type, tag.packet_type);
                    let nanos = tag.timestamp_offset_nanos;
                    let codec = tag.codec.fourcc().map_or_else(String::new, |f| f.to_string());
                    format!("{track} {codec} {frame:?} {what:?} {ms}ms {nanos}ns {}", hex(tag.data))
                }))
            })
            .collect(),
        _ => audio::read(body)
            .map(|part| {
                tell(part.map(|tag| {
                    let (track, what, nanos) =
                        (tag.track, tag.packet_type, tag.timestamp_offset_nanos);
                    let codec = tag.codec.fourcc().map_or_else(String::new, |f| f.to_string());
                    format!("{track} {codec} {what:?} {nanos}ns {}", hex(tag.data))
                }))
            })
            .collect(),
    };
    parts.join("; ")
}

#[test]
fn every_form_is_read() {
    for vector in VECTORS {
        let packet = packet(vector);
        assert_eq!(told(vector.kind, &packet.body), vector.told, "{}", vector.section);
        assert_eq!(packet.role, vector.role, "{}", vector.section);
    }
}

#[test]
fn a_vector_cut_anywhere_is_an_error_or_has_less_data() {
    for vector in VECTORS.iter().filter(|vector| !vector.told.contains('!')) {
        let body = bytes(vector.hex);
        for len in 0..body.len() {
            let cut = &body[..len];
            let errors = match vector.kind {
                Kind::Video => video::read(cut).filter(Result::is_err).count(),
                _ => audio::read(cut).filter(Result::is_err).count(),
            };
            let text = told(vector.kind, cut);
            if errors > 0 {
                assert!(text.contains("the message ends inside its "), "{text}");
            } else {
                // The cut is behind the head, in what the last part carries.
                assert!(len == 0 || vector.told.starts_with(&text), "{text}: {}", vector.told);
            }
            let _ = Packet::new(vector.kind, 0, bytes::Bytes::copy_from_slice(cut));
        }
    }
}

#[test]
fn the_head_alone_tells_role_and_track() {
    for vector in VECTORS {
        let whole = packet(vector);
        for len in 0..=whole.body.len() {
            let missing = whole.body.len() - len;
            let (role, track) = Packet::classify(vector.kind, &whole.body[..len], missing);
            if role == whole.role && track == whole.track {
                // From here on it stays so.
                for len in len..=whole.body.len() {
                    let missing = whole.body.len() - len;
                    let head = &whole.body[..len];
                    let known = Packet::classify(vector.kind, head, missing);
                    let unknown = (Role::Frame, 0);
                    assert!(known == (role, track) || known == unknown, "{}", vector.section);
                }
                break;
            }
        }
    }
}

#[test]
fn headers_of_all_forms_are_kept_and_frames_are_not() {
    for vector in VECTORS {
        let (mut header, packet) = (Header::default(), packet(vector));
        let is_header = matches!(vector.role, Role::Config | Role::Metadata);
        assert_eq!(header.push(&packet), is_header, "{}", vector.section);
        assert_eq!(header.packets().len(), usize::from(is_header));
        for track in packet.tracks().iter() {
            let config = header.config_of(vector.kind, track);
            assert_eq!(config.is_some(), vector.role == Role::Config, "{}", vector.section);
        }
    }
}

/// Parts of a message: codec, track, data.
type Parts = Vec<([u8; 4], u8, Vec<u8>)>;

/// Builds an enhanced video message as the specification lays it out.
fn build(frame: u8, what: u8, nanos: &[u32], layout: Option<u8>, parts: &Parts) -> Vec<u8> {
    let mut packet_type = if layout.is_some() { 6 } else { what };
    let mut tail = Vec::new();
    for nanos in nanos.iter().rev() {
        let [_, a, b, c] = nanos.to_be_bytes();
        tail.splice(0..0, [2, a, b, c, packet_type]);
        packet_type = 7;
    }
    let mut body = vec![0x80 | frame << 4 | packet_type];
    body.extend(tail);
    body.extend(layout.map(|layout| layout << 4 | what));
    let (first, ..) = parts[0];
    if layout != Some(2) {
        body.extend(first);
    }
    for (codec, track, data) in parts {
        if layout == Some(2) {
            body.extend(codec);
        }
        body.extend(layout.map(|_| *track));
        if layout.is_some_and(|layout| layout > 0) {
            body.extend(&u32::try_from(data.len()).unwrap().to_be_bytes()[1..]);
        }
        body.extend(data);
    }
    body
}

fn parts() -> impl Strategy<Value = Parts> {
    let codec = prop_oneof![Just(*b"av01"), Just(*b"vp09"), Just(*b"zzzz")];
    let data = prop::collection::vec(any::<u8>(), 0..20);
    prop::collection::vec((codec, any::<u8>(), data), 1..5)
}

proptest! {
    #[test]
    fn what_is_laid_out_is_read_back(
        frame in 1u8..4,
        what in prop_oneof![Just(0u8), Just(1), Just(2), Just(3), Just(4), Just(5), Just(9)],
        nanos in prop::collection::vec(0u32..1_000_000, 0..4),
        layout in prop::option::of(0u8..3),
        mut parts in parts(),
    ) {
        if layout.is_none_or(|layout| layout == 0) {
            parts.truncate(1);
        }
        if layout != Some(2) {
            let (first, ..) = parts[0];
            parts.iter_mut().for_each(|(codec, ..)| *codec = first);
        }
        if layout.is_none() {
            parts[0].1 = 0;
        }
        let body = build(frame, what, &nanos, layout, &parts);
        let read: Result<Vec<_>, _> = video::read(&body).collect();
        let found: Parts = read.unwrap().into_iter().map(|tag| {
            assert_eq!(tag.timestamp_offset_nanos, nanos.last().copied().unwrap_or(0));
            (tag.codec.fourcc().unwrap().0, tag.track, tag.data.to_vec())
        }).collect();
        prop_assert_eq!(found, parts);
        let modifiers: Vec<_> = video::modifiers(&body).collect();
        prop_assert_eq!(modifiers.len(), nanos.len());
    }

    #[test]
    fn a_bent_vector_never_stops_a_reader(
        index in 0..VECTORS.len(),
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let vector = &VECTORS[index];
        let mut body = bytes(vector.hex);
        body.push(0);
        for (at, byte) in bends {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len()) + 1);
        let parts = told(vector.kind, &body);
        prop_assert!(parts.matches("; ").count() <= body.len());
        let packet = Packet::new(vector.kind, 0, body.into());
        let mut header = Header::default();
        let is_asked = header.is_changed_by(&packet);
        prop_assert!(!header.push(&packet) || is_asked);
    }
}
