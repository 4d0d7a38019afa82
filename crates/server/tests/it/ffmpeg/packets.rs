//! Packets as FFmpeg's `framehash` lists them, and how two listings compare.

use std::path::Path;

use media::{Kind, Role};
use testkit::flv;

/// What FFmpeg read from a file or from a server.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// By FFmpeg's numbers.
    pub(crate) tracks: Vec<Track>,
}

/// The packets of one track.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// `video` or `audio`.
    pub(crate) kind: String,
    /// The codec in FFmpeg's words.
    pub(crate) codec: String,
    /// A tick of its clock in µs, as a fraction.
    tick_us: (i64, i64),
    pub(crate) packets: Vec<Hashed>,
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) dts_us: i64,
    pub(crate) pts_us: i64,
    /// Size and SHA-256.
    pub(crate) body: String,
}

impl Listing {
    /// Reads the text that `-f framehash` puts out; `#` lines come first.
    pub(crate) fn parse(text: &str) -> Self {
        let mut listing = Self::default();
        for line in text.lines() {
            match line.strip_prefix('#') {
                Some(head) => listing.head(head),
                None => listing.packet(line),
            }
        }
        listing
    }

    fn head(&mut self, line: &str) {
        // `tb 0: 1/1000`; other lines are about the listing itself.
        let Some((name, value)) = line.split_once(": ") else { return };
        let Some((name, number)) = name.split_once(' ') else { return };
        let Ok(number) = number.parse::<usize>() else { return };
        self.tracks.resize_with(self.tracks.len().max(number + 1), Track::default);
        let track: &mut Track = &mut self.tracks[number];
        match name {
            "media_type" => value.clone_into(&mut track.kind),
            "codec_id" => value.clone_into(&mut track.codec),
            "tb" => {
                let (numerator, denominator) = value.split_once('/').expect("a fraction");
                let numerator: i64 = numerator.parse().expect("a number");
                track.tick_us = (numerator * 1_000_000, denominator.parse().expect("a number"));
            }
            _ => {}
        }
    }

    fn packet(&mut self, line: &str) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [number, dts, pts, _duration, size, hash, ..] = fields[..] else {
            panic!("no packet: {line}")
        };
        // FFmpeg's demuxer makes an empty packet of the message that lays out the channels.
        if size == "0" {
            return;
        }
        let track = &mut self.tracks[number.parse::<usize>().expect("a track")];
        let (ticks, per) = track.tick_us;
        let time = |text: &str| text.parse::<i64>().expect("a time") * ticks / per;
        let body = format!("{size} {hash}");
        track.packets.push(Hashed { dts_us: time(dts), pts_us: time(pts), body });
    }

    pub(crate) fn track(&self, kind: &str) -> Option<&Track> {
        self.tracks.iter().find(|track| track.kind == kind)
    }

    fn kinds(&self) -> Vec<(&str, &str)> {
        self.tracks.iter().map(|t| (t.kind.as_str(), t.codec.as_str())).collect()
    }

    /// Size and hash of all packets, track by track.
    pub(crate) fn bodies(&self) -> Vec<Vec<&str>> {
        self.tracks
            .iter()
            .map(|track| track.packets.iter().map(|p| p.body.as_str()).collect())
            .collect()
    }

    /// From the first packet of all to the last, and the longest step within a track, µs.
    pub(crate) fn span_us(&self) -> (i64, i64) {
        let times = || self.tracks.iter().flat_map(|track| &track.packets).map(|p| p.dts_us);
        let steps = self.tracks.iter().flat_map(|track| track.packets.windows(2));
        let longest = steps.map(|pair| pair[1].dts_us - pair[0].dts_us).max();
        let (first, last) = (times().min().expect("a packet"), times().max().expect("a packet"));
        (last - first, longest.expect("two packets"))
    }
}

/// How far times may differ beside the common base, µs, where a container rounds to ms.
pub(crate) const ROUNDING_US: i64 = 1_000;

/// Checks that `found` has the packets of `source`, all of them, in order, with one common base of
/// all times, of sound and of pictures, so near to it.
pub(crate) fn assert_same(source: &Listing, found: &Listing, near_us: i64) {
    assert_eq!(source.kinds(), found.kinds());
    let mut base_us = None;
    for (source, found) in source.tracks.iter().zip(&found.tracks) {
        assert_track(source, &source.packets, &found.packets, &mut base_us, near_us);
    }
}

/// Checks that a player got what was sent, as `sent` (an FLV file as its publisher packs it) has
/// it, from a key frame on to the end, all times moved by one number. Returns how many pictures
/// came before; without video, how many frames.
pub(crate) fn assert_tail(sent: &Path, listed: &Listing, played: &Listing) -> usize {
    assert_part(sent, listed, played, true)
}

/// Like [`assert_tail`], for a player that may have left before the end.
pub(crate) fn assert_part(sent: &Path, listed: &Listing, played: &Listing, to_end: bool) -> usize {
    assert_eq!(listed.kinds(), played.kinds());
    let media: Vec<_> = flv::clip(sent).into_iter().filter(media::Packet::is_media).collect();
    let main = if listed.track("video").is_some() { "video" } else { "audio" };
    let (all, got) = (listed.track(main).unwrap(), played.track(main).unwrap());
    let first = got.packets.first().expect("a player that gets nothing");
    let missed = all.packets.iter().position(|packet| packet.body == first.body);
    let missed = missed.unwrap_or_else(|| panic!("the player's first {main} packet was not sent"));

    let is_main = |packet: &media::Packet| packet.kind.name() == main;
    let mains = media.iter().enumerate().filter(|(_, packet)| is_main(packet));
    let (place, packet) = mains.clone().nth(missed).expect("as many packets as are listed");
    assert_eq!(mains.count(), all.packets.len());
    if packet.kind == Kind::Video {
        assert_eq!(packet.role, Role::Key, "the player begins with picture {missed}");
    }
    let mut base_us = None;
    for (all, got) in listed.tracks.iter().zip(&played.tracks) {
        let before = media[..place].iter().filter(|packet| packet.kind.name() == all.kind).count();
        let mut rest = &all.packets[before..];
        if !to_end {
            rest = rest.get(..got.packets.len()).unwrap_or(rest);
        }
        assert_track(all, rest, &got.packets, &mut base_us, 0);
    }
    missed
}

fn assert_track(
    track: &Track,
    expected: &[Hashed],
    found: &[Hashed],
    base_us: &mut Option<i64>,
    tolerance_us: i64,
) {
    let kind = &track.kind;
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert_eq!(expected.body, found.body, "{kind} packet {number} of {}", track.codec);
        let base_us = *base_us.get_or_insert(found.dts_us - expected.dts_us);
        let off = |expected: i64, found: i64| (found - expected - base_us).abs();
        let off_us = off(expected.dts_us, found.dts_us).max(off(expected.pts_us, found.pts_us));
        assert!(
            off_us <= tolerance_us,
            "{kind} packet {number}: {expected:?}, {found:?}, others are {base_us} µs apart"
        );
    }
    assert_eq!(expected.len(), found.len(), "{kind} packets of {}", track.codec);
}
