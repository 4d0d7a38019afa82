//! The samples of fragmented MP4, read by what ISO 14496-12 says and nothing of the product.

use std::collections::BTreeMap;

use media::{Kind, Packet};

/// A sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Decoding time in ms of its track.
    pub(super) time_ms: i64,
    pub(super) data: Vec<u8>,
}

/// Samples by the kind of their track, in order.
pub(super) type Samples = BTreeMap<Kind, Vec<Sample>>;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The boxes in `bytes`: type, where they begin, and content.
fn boxes(bytes: &[u8]) -> Vec<(&[u8], usize, &[u8])> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let size = usize::try_from(u32_at(bytes, at)).unwrap();
        assert!(size >= 8 && at + size <= bytes.len(), "a box of {size} bytes at {at}");
        found.push((&bytes[at + 4..at + 8], at, &bytes[at + 8..at + size]));
        at += size;
    }
    found
}

fn child<'a>(bytes: &'a [u8], path: &[&[u8]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, name| {
        boxes(bytes).into_iter().find(|(kind, ..)| kind == name).map(|(.., content)| content)
    })
}

/// Reads `init` and the fragments behind it; another `moov` may come between.
pub(super) fn read(bytes: &[u8]) -> Samples {
    let mut samples = Samples::new();
    let mut tracks: BTreeMap<u32, (Kind, u32)> = BTreeMap::new();
    for (kind, at, content) in boxes(bytes) {
        match kind {
            b"moov" => {
                tracks = boxes(content)
                    .into_iter()
                    .filter(|(kind, ..)| *kind == b"trak")
                    .map(|(.., trak)| track(trak))
                    .collect();
            }
            b"moof" => {
                for (_, _, traf) in boxes(content).into_iter().filter(|(kind, ..)| *kind == b"traf")
                {
                    fragment(bytes, at, traf, &tracks, &mut samples);
                }
            }
            _ => {}
        }
    }
    samples
}

/// Id, kind and time scale.
fn track(trak: &[u8]) -> (u32, (Kind, u32)) {
    let id = |tkhd: &[u8]| u32_at(tkhd, if tkhd[0] == 1 { 20 } else { 12 });
    let scale = |mdhd: &[u8]| u32_at(mdhd, if mdhd[0] == 1 { 20 } else { 12 });
    let handler = &child(trak, &[b"mdia", b"hdlr"]).unwrap()[8..12];
    let kind = if handler == b"vide" { Kind::Video } else { Kind::Audio };
    let id = id(child(trak, &[b"tkhd"]).unwrap());
    (id, (kind, scale(child(trak, &[b"mdia", b"mdhd"]).unwrap())))
}

fn fragment(
    bytes: &[u8],
    moof: usize,
    traf: &[u8],
    tracks: &BTreeMap<u32, (Kind, u32)>,
    samples: &mut Samples,
) {
    let tfhd = child(traf, &[b"tfhd"]).unwrap();
    let (kind, scale) = tracks[&u32_at(tfhd, 4)];
    let tfdt = child(traf, &[b"tfdt"]).unwrap();
    let mut time = if tfdt[0] == 1 { u64_at(tfdt, 4) } else { u32_at(tfdt, 4).into() };
    let Some(trun) = child(traf, &[b"trun"]) else {
        const DURATION_IS_EMPTY: u32 = 0x01_0000;
        assert!(u32_at(tfhd, 0) & DURATION_IS_EMPTY != 0, "nothing, which is not said");
        return;
    };
    let flags = u32_at(trun, 0) & 0xff_ffff;
    let count = u32_at(trun, 4);
    assert!(flags & 1 == 1 && flags & 0x200 != 0 && flags & 0x100 != 0, "{flags:x}");
    let mut data = moof + usize::try_from(u32_at(trun, 8)).unwrap();
    let mut at = if flags & 4 == 0 { 12 } else { 16 };
    for _ in 0..count {
        let (duration, size) = (u32_at(trun, at), usize::try_from(u32_at(trun, at + 4)).unwrap());
        at += 8 + 4 * usize::try_from((flags & 0xc00).count_ones()).unwrap();
        let ms = time * 1_000 / u64::from(scale);
        assert_eq!(ms * u64::from(scale), time * 1_000, "a time of whole ms");
        let sample =
            Sample { time_ms: i64::try_from(ms).unwrap(), data: bytes[data..data + size].to_vec() };
        samples.entry(kind).or_default().push(sample);
        data += size;
        time += u64::from(duration);
    }
}

/// What H.264 and AAC packets are as samples: without what FLV puts before them, from the oldest at 0.
pub(super) fn of(packets: &[Packet]) -> Samples {
    let media = || packets.iter().filter(|packet| packet.is_media());
    let origin_ms = media().map(|packet| packet.dts_ms).min().unwrap_or(0);
    let mut samples = Samples::new();
    for packet in media() {
        let head = if packet.kind == Kind::Video { 5 } else { 2 };
        let data = packet.body[head..].to_vec();
        let time_ms = packet.dts_ms - origin_ms;
        samples.entry(packet.kind).or_default().push(Sample { time_ms, data });
    }
    samples
}

/// Checks that `found` are samples of `sent` that follow each other, to the last, at their distances and those
/// between the tracks. Returns the number of the first of each track.
pub(super) fn assert_same_end(found: &Samples, sent: &Samples) -> BTreeMap<Kind, usize> {
    assert_eq!(found.len(), sent.len(), "tracks");
    let mut shifts = Vec::new();
    let mut firsts = BTreeMap::new();
    for (kind, sent) in sent {
        let found = &found[kind];
        assert!(found.len() <= sent.len(), "{kind:?}: {} of {}", found.len(), sent.len());
        let first = sent.len() - found.len();
        for (n, (found, sent)) in found.iter().zip(&sent[first..]).enumerate() {
            assert!(found.data == sent.data, "{kind:?} sample {n} of {}", sent.data.len());
            shifts.push(sent.time_ms - found.time_ms);
        }
        firsts.insert(*kind, first);
    }
    let shift = shifts.first().copied();
    assert!(shifts.iter().all(|other| Some(*other) == shift), "sound and pictures drift apart");
    firsts
}
