//! Recordings: while they grow, and when they are finished.

use super::*;
use crate::amf0::Value;
use crate::flv::meta;
use crate::mp4::mux::{Check, Muxer, Options, Patch, Repair, Restore, SCRIPT_ID};

pub(super) fn options() -> Options {
    Options {
        reserve_bytes: 2_048,
        identity: vec![("recording".to_owned(), Value::from("abc"))],
        extra: vec![("gap".to_owned(), Value::Number(1.0))],
    }
}

/// The file of packets that are cut before those at `cuts`, and its muxer, not yet finished.
pub(super) fn growing(packets: &[Packet], cuts: &[usize]) -> (Muxer, Vec<u8>) {
    growing_of(movie(), packets, cuts)
}

pub(super) fn growing_of(movie: Movie, packets: &[Packet], cuts: &[usize]) -> (Muxer, Vec<u8>) {
    let mut out = Chunks::new();
    let mut muxer = Muxer::new(movie, options());
    muxer.start(&header(&configs()), &mut out);
    for (at, packet) in packets.iter().enumerate() {
        if cuts.contains(&at) {
            muxer.cut();
        }
        muxer.push(packet, packet.dts_ms as u64, &mut out).unwrap();
    }
    assert_eq!(muxer.position(), out.len() as u64);
    (muxer, out.to_vec())
}

pub(super) fn finished(packets: &[Packet], cuts: &[usize]) -> (Muxer, Vec<u8>) {
    finish(growing(packets, cuts))
}

pub(super) fn finish((mut muxer, mut file): (Muxer, Vec<u8>)) -> (Muxer, Vec<u8>) {
    let mut out = Chunks::new();
    muxer.finish(&mut out);
    file.extend_from_slice(&out.to_vec());
    assert_eq!(muxer.position(), file.len() as u64);
    for patch in muxer.patches() {
        apply(&mut file, &patch);
    }
    (muxer, file)
}

pub(super) fn apply(file: &mut [u8], patch: &Patch) {
    let at = usize::try_from(patch.offset).unwrap();
    file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
}

fn packets() -> Vec<Packet> {
    vec![
        video(0, true, 80, 1),
        audio(5, 2),
        packet(Kind::Data, 9, b"\x02\0\x06onText\x05"),
        audio(28, 3),
        video(40, false, -40, 4),
        audio(51, 5),
        video(80, true, 80, 6),
        video(120, false, 0, 7),
        audio(130, 8),
    ]
}

/// What the file says of itself.
fn script(file: &[u8]) -> Vec<(String, Value)> {
    let (_, uuid) = tree::boxes(file).into_iter().find(|(name, _)| name == "uuid").unwrap();
    let (properties, is_whole) =
        meta::readable_properties(uuid.strip_prefix(&SCRIPT_ID).unwrap()).unwrap();
    assert!(is_whole);
    properties
}

pub(super) fn property(file: &[u8], name: &str) -> Option<Value> {
    script(file).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// The names of the boxes, and a dump of all but those that are large and dull.
fn dump(file: &[u8]) -> String {
    let names: Vec<_> = tree::boxes(file).into_iter().map(|(name, _)| name).collect();
    format!("{}\n{}", names.join(" "), tree::dump(file))
}

#[test]
fn a_growing_file_is_as_it_was() {
    assert_eq!(dump(&growing(&packets(), &[6]).1), include_str!("mux/growing.txt"));
}

#[test]
fn a_finished_file_is_as_it_was() {
    let (muxer, file) = finished(&packets(), &[6]);
    assert_eq!(dump(&file), include_str!("mux/finished.txt"));
    assert_eq!((muxer.counters().messages, muxer.counters().samples), (9, 8));
}

#[test]
fn a_finished_file_has_one_mdat_of_64_bits_whose_head_is_in_one_sector() {
    for title in ["", "av01"] {
        let config = samples::VIDEO.iter().find(|s| s.source.contains("libsvtav1")).unwrap();
        let av1 = [packet(Kind::Video, 0, &bytes(config.body))];
        let movie = if title.is_empty() { movie() } else { Movie::of(&header(&av1), []) };
        let mut out = Chunks::new();
        let mut muxer = Muxer::new(movie, Options::default());
        muxer.start(&Header::default(), &mut out);
        muxer.finish(&mut out);
        let patches = muxer.patches();
        assert_eq!((patches[1].offset % 16, patches[1].bytes.len()), (0, 16));
        let mut file = out.to_vec();
        patches.iter().for_each(|patch| apply(&mut file, patch));
        let names: Vec<_> = tree::boxes(&file).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["ftyp", "uuid", "mdat", "moov"]);
    }
}

#[test]
fn a_file_says_what_it_is_and_how_far_it_is() {
    let (mut muxer, mut file) = growing(&packets(), &[6]);
    assert_eq!(property(&file, "recording"), Some(Value::from("abc")));
    assert_eq!(property(&file, "complete"), Some(Value::Boolean(false)));
    assert_eq!(property(&file, "duration"), Some(Value::Number(0.0)));
    muxer.set_extra(vec![("gap".to_owned(), Value::Number(2.0))]);
    for patch in muxer.patches() {
        apply(&mut file, &patch);
    }
    assert_eq!(property(&file, "gap"), Some(Value::Number(2.0)));
    assert_eq!(property(&file, "duration"), Some(Value::Number(0.209)));

    let (muxer, mut file) = finished(&packets(), &[6]);
    apply(&mut file, &muxer.complete_patch());
    assert_eq!(property(&file, "complete"), Some(Value::Boolean(true)));
    assert_eq!(property(&file, "filesize"), Some(Value::Number(file.len() as f64)));
    assert_eq!(property(&file, "codecs"), Some(Value::from("avc1.64001e,mp4a.40.2")));
    assert_eq!(script(&file)[0].0, "recording");
}

#[test]
fn nothing_can_be_pushed_into_a_finished_file() {
    let (mut muxer, file) = finished(&packets(), &[]);
    let mut out = Chunks::new();
    assert_eq!(muxer.push(&audio(200, 9), 200, &mut out), Err(Error::FileFull));
    muxer.finish(&mut out);
    assert_eq!((out.len(), muxer.position()), (0, file.len() as u64));
}

#[test]
fn a_full_part_is_cut_by_itself() {
    let mut out = Chunks::new();
    let mut muxer = Muxer::new(movie(), Options::default());
    for at in 0..=PART_SAMPLES_MAX as u64 {
        muxer.push(&audio(0, 1), at, &mut out).unwrap();
    }
    muxer.finish(&mut out);
    assert_eq!(muxer.counters().parts, 2);
}

/// The first byte that is not as the parts of a file say, however the file comes.
fn wrong(file: &[u8], pieces: usize) -> Option<u64> {
    let mut check = Check::new();
    file.chunks(pieces).for_each(|piece| check.push(piece));
    check.finish()
}

#[test]
fn an_index_that_does_not_tell_what_the_parts_hold_is_found() {
    let (_, file) = finished(&packets(), &[6]);
    assert_eq!(wrong(&file, 7), None);
    let at = |name: &[u8]| file.windows(4).position(|bytes| bytes == name).unwrap();
    let index = file.windows(4).rposition(|bytes| bytes == b"moov").unwrap() - 4;
    for place in (index..file.len()).chain([at(b"mdat") + 11]) {
        let mut file = file.clone();
        file[place] ^= 1;
        assert!(wrong(&file, 1_000).is_some(), "byte {place}, of the index from {index} on");
    }
    // Durations, sizes, flags, compositions; the times of fragments.
    for place in (at(b"trun") + 12..at(b"trun") + 40).chain(at(b"tfdt") + 8..at(b"tfdt") + 16) {
        let mut file = file.clone();
        file[place] ^= 1;
        assert!(wrong(&file, 1_000).is_some(), "byte {place}, of a fragment");
    }
    assert!(wrong(&file[..file.len() - 1], 99).is_some());
    assert!(wrong(&growing(&packets(), &[6]).1, 99).is_some());
}

/// Restores the muxer of the first bytes of a file, and finishes it.
fn restored(file: &[u8]) -> Vec<u8> {
    let mut restore = Restore::new(options(), file.len() as u64);
    while let Some(want) = restore.want() {
        let from = usize::try_from(want.offset).unwrap();
        restore.push(&file[from..from + want.len]);
    }
    let muxer = restore.finish().unwrap();
    let whole = usize::try_from(muxer.position()).unwrap();
    finish((muxer, file[..whole].to_vec())).1
}

#[test]
fn what_of_a_movie_is_shown_is_in_the_index_and_comes_back_from_the_file() {
    let mut clip = movie();
    clip.set_shown(50..125);
    let (muxer, mut file) = finish(growing_of(clip, &packets(), &[6]));
    let all = finished(&packets(), &[6]).1;
    let index = |file: &[u8]| tree::boxes(file).pop().map(|(_, moov)| moov.to_vec()).unwrap();
    // Pictures are shown at 80, 0, 160 and 120; the sounds are at 5, 28, 51 and 130.
    let head = [&[0, 0, 0, 0][..], b"moov", &index(&file)].concat();
    let head = [&u32::try_from(head.len()).unwrap().to_be_bytes(), &head[4..]].concat();
    let edits = super::plan::edits(&head);
    assert_eq!(edits[0][0], (30 * 90, -1), "{edits:?}");
    assert_eq!((edits[0][1].0, edits[1][0].0), (45 * 90, 75 * 90), "{edits:?}");
    assert_eq!(wrong(&file, 7), None);
    let [from, to] = ["shownFrom", "shownTo"].map(|name| property(&file, name));
    assert_eq!((from, to), (Some(Value::Number(0.05)), Some(Value::Number(0.125))));
    assert_eq!(property(&all, "shownFrom"), None);
    assert!(index(&file) != index(&all));

    let torn = restored(&file[..file.len() - 9]);
    assert!(index(&torn) == index(&file), "of one whose index is torn");
    assert_eq!(property(&torn, "shownFrom"), Some(Value::Number(0.05)));
    apply(&mut file, &muxer.complete_patch());
    let (mut repair, mut out) = (Repair::new(), Chunks::new());
    repair.push(&file, &mut out);
    let repaired = repair.finish(&mut out).unwrap();
    let mut new = out.to_vec();
    repaired.patches.iter().chain([&repaired.complete]).for_each(|patch| apply(&mut new, patch));
    assert!(index(&new) == index(&file));
    assert_eq!(property(&new, "shownTo"), Some(Value::Number(0.125)));
}

proptest! {
    #[test]
    fn an_index_is_what_its_parts_say(
        packets in parts::stream(),
        cuts in proptest::collection::vec(1_usize..80, 0..6),
        pieces in 1_usize..3_000,
    ) {
        let (_, file) = finished(&packets, &cuts);
        prop_assert_eq!(wrong(&file, pieces), None);
    }

    /// In the finished file every sample is where its tables say, byte for byte, at the time that it
    /// had in the stream, moved so that the first to be shown is at 0.
    #[test]
    fn an_index_tells_where_and_when_every_sample_is(
        packets in parts::stream(),
        cuts in proptest::collection::vec(1_usize..80, 0..6),
    ) {
        let (_, file) = finished(&packets, &cuts);
        let found = tree::samples_of_file(&file);
        let later = |packet: &Packet| {
            i64::from(parts::composition(&samples(packet).next().unwrap()))
        };
        // In units of the movie.
        let shown = |packet: &Packet| 90 * packet.dts_ms + later(packet);
        let start = packets.iter().map(shown).min().unwrap();
        for (mp4_id, kind, per_ms) in [(1, Kind::Video, 90), (2, Kind::Audio, 48)] {
            let of_track = packets.iter().filter(|packet| packet.kind == kind);
            let wanted: Vec<_> = of_track
                .map(|packet| {
                    let sample = samples(packet).next().unwrap();
                    let decoded = ((90 * packet.dts_ms - start) * per_ms).div_euclid(90);
                    let shown = decoded + later(packet);
                    (shown, sample.is_key, sample.data.to_vec())
                })
                .collect();
            let found = found.iter().filter(|sample| sample.track == mp4_id);
            let found: Vec<_> = found
                .map(|sample| {
                    let shown = sample.time.cast_signed() + i64::from(sample.composition);
                    (shown, sample.is_key, sample.data.clone())
                })
                .collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
