//! Packets that are found by their traces, and what leads to them.

use media::Header;
use media::hls::{Trace, Tracer};
use media::mp4::Movie;

use super::*;
use crate::Format;

/// Of what two publishers sent one after the other, the formats of the files.
const FORMATS: [[Format; 2]; 3] =
    [[Format::Flv, Format::Flv], [Format::Mp4, Format::Mp4], [Format::Flv, Format::Mp4]];

/// The tracks of all that was sent.
fn movie(made: &Made) -> Movie {
    let mut header = Header::default();
    made.sent.iter().take(20).for_each(|sent| _ = header.push(&sent.packet));
    Movie::of(&header, made.sent.iter().take(20).map(|sent| &sent.packet))
}

/// That of packets which were live, the first of them at `begin_ms`.
fn trace(movie: &Movie, sent: &[made::Sent], begin_ms: u64) -> Trace {
    let mut tracer = Tracer::default();
    let first = sent.iter().find(|sent| sent.packet.is_media()).unwrap().packet.dts_ms;
    for made::Sent { packet, .. } in sent {
        tracer.push(movie, packet, begin_ms.saturating_add_signed(packet.dts_ms - first));
    }
    tracer.trace().unwrap()
}

/// The places of all key frames in what was sent.
fn keys(made: &Made) -> Vec<usize> {
    let is_key = |sent: &made::Sent| sent.packet.role == Role::Key;
    made.sent.iter().enumerate().filter(|(_, sent)| is_key(sent)).map(|(at, _)| at).collect()
}

/// What is in the `mdat`s, sorted as a multiset of frames: pictures, then sound.
fn media_in(mut bytes: &[u8]) -> Vec<u8> {
    let mut media = Vec::new();
    while let Some((size, _)) = bytes.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        if &bytes[4..8] == b"mdat" {
            media.extend(&bytes[8..size]);
        }
        bytes = &bytes[size..];
    }
    media
}

fn frames(sent: &[made::Sent]) -> Vec<u8> {
    let of = |kind, head: usize| {
        let of = sent.iter().filter(move |sent| sent.packet.kind == kind);
        let of = of.filter(|sent| sent.packet.is_media());
        of.flat_map(move |sent| sent.packet.body[head..].to_vec())
    };
    of(Kind::Video, 5).chain(of(Kind::Audio, 2)).collect()
}

#[test]
fn packets_are_found_again_wherever_they_are() {
    FORMATS.iter().for_each(|formats| are_found_again(*formats));
}

fn are_found_again([first, second]: [Format; 2]) {
    let mut made = Made::new();
    let run = made::Run { flush_every: 15, ..made::Run::default() };
    made.run(&made::Run { gops: 20, cut_every: 7, dts_ms: 90_000, format: first, ..run.clone() });
    made.run(&made::Run { gops: 6, away_ms: 5_000, grows: true, format: second, ..run });
    let (source, movie, keys) = (source(&made), movie(&made), keys(&made));
    // Two groups of pictures, of which the second may be in another file.
    for pair in keys.windows(3).filter(|pair| made.sent[pair[2]].unix_ms < START + 20_000) {
        let sent = &made.sent[pair[0]..pair[2]];
        let trace = trace(&movie, sent, 1_000_000);
        for wrong_ms in [0, -1_500, 3_600_000, -86_400_000] {
            let near_ms = sent[0].unix_ms + wrong_ms;
            let found = source.find(&trace, &movie, near_ms).unwrap().expect("it is there");
            assert_eq!((found.segment, found.unix_ms), (sent[0].segment, sent[0].unix_ms));
            let bytes = source.again(&found, &trace, &movie).unwrap().expect("it is the same");
            assert_eq!(media_in(&bytes.concat()), frames(sent));
        }
    }
}

#[test]
fn what_is_not_quite_the_same_is_not_found() {
    [Format::Flv, Format::Mp4].into_iter().for_each(is_not_found);
}

fn is_not_found(format: Format) {
    let mut made = Made::new();
    made.run(&made::Run { gops: 8, cut_every: 5, format, ..made::Run::default() });
    let (source, movie, keys) = (source(&made), movie(&made), keys(&made));
    let sent = made.sent[keys[2]..keys[4]].to_vec();
    let find = |sent: &[made::Sent]| {
        let trace = trace(&movie, sent, 5_000);
        source.find(&trace, &movie, sent[0].unix_ms).unwrap()
    };
    let found = find(&sent).expect("as it was sent");
    let mut missing = sent.clone();
    missing.remove(7);
    assert_eq!(find(&missing), None, "one that the recorder did not get");
    let mut late = sent.clone();
    late[9].packet.dts_ms += 1;
    assert_eq!(find(&late), None, "another time");
    let mut other = sent.clone();
    let mut body = other[5].packet.body.to_vec();
    *body.last_mut().unwrap() ^= 1;
    other[5].packet.body = body.into();
    assert_eq!(find(&other), None, "another bit");
    let trace = trace(&movie, &other, 5_000);
    assert_eq!(source.again(&found, &trace, &movie).unwrap(), None, "nor is it made");
}

#[test]
fn what_leads_to_packets_ends_with_them_and_goes_on_where_the_stream_did() {
    FORMATS.iter().for_each(|formats| leads_to_them(*formats));
}

fn leads_to_them([first, second]: [Format; 2]) {
    let mut made = Made::new();
    let run = made::Run { gops: 9, cut_every: 4, flush_every: 15, ..made::Run::default() };
    made.run(&made::Run { format: first, ..run.clone() });
    made.run(&made::Run { away_ms: 5_000, grows: true, format: second, ..run });
    let (source, movie, keys) = (source(&made), movie(&made), keys(&made));
    for pair in keys.windows(2) {
        let sent = &made.sent[pair[0]..pair[1]];
        let trace = trace(&movie, sent, 5_000);
        let found = source.find(&trace, &movie, sent[0].unix_ms).unwrap().unwrap();
        let lead_in = source.lead_in(&found, i64::MIN, 2_000).unwrap();
        let segments = &lead_in.hls.segments;
        let fragments = segments.iter().flat_map(|of| {
            let shift_ms = 1_000_000;
            let all = source.fragments_at(of.segment, of.place, shift_ms).unwrap();
            all.map(Result::unwrap).collect::<Vec<_>>()
        });
        let bytes: usize = fragments.map(|fragment| media_in(&fragment).len()).sum();
        assert_eq!(bytes, frames(&made.sent[..pair[0]]).len(), "no frame more, and none less");
        let is_first_of_run = pair[0] == keys[0] || pair[0] == keys[9];
        assert_eq!(lead_in.goes_on, !is_first_of_run, "key frame {}", pair[0]);
        let length_ms: u64 = segments.iter().map(|segment| segment.duration_ms).sum();
        let away_ms = if pair[0] >= keys[9] { 5_000 } else { 0 };
        let passed_ms = found.unix_ms - made.sent[keys[0]].unix_ms - away_ms;
        assert!(length_ms.abs_diff(passed_ms.unsigned_abs()) <= 200, "{length_ms} {passed_ms}");
    }
}
