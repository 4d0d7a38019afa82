//! Recordings with any damage: what is whole in them comes back, and what is not is told.

use super::mux::{apply, finished, growing};
use super::*;
use crate::flv::meta;
use crate::flv::repair::tests::damage;
use crate::flv::repair::{Lost, Mend, Summary};
use crate::mp4::mux::{Check, Repair, region};
use crate::mp4::scan::{Item, Part, Scanner};

fn repair(file: &[u8]) -> Option<(Vec<u8>, Summary)> {
    let (mut repair, mut out) = (Repair::new(), Chunks::new());
    file.chunks(1_000).for_each(|piece| repair.push(piece, &mut out));
    let repaired = repair.finish(&mut out)?;
    let mut file = out.to_vec();
    repaired.patches.iter().chain([&repaired.complete]).for_each(|patch| apply(&mut file, patch));
    Some((file, repaired.summary))
}

/// All messages of whole parts, and the parts.
fn scan(mut scanner: Scanner, file: &[u8]) -> (Vec<Packet>, Vec<Part>) {
    let (mut packets, mut parts) = (Vec::new(), Vec::new());
    scanner.push(file);
    scanner.finish();
    while let Some(item) = scanner.poll() {
        match item {
            Item::Packet(packet) => packets.push(packet),
            Item::Part(part) => parts.push(part),
            _ => {}
        }
    }
    (packets, parts)
}

/// Repairs a file and checks what holds of every repair: the new file is sound to its last byte, has
/// what is whole in the old one, and needs no repair.
fn mended(file: &[u8]) -> (Vec<u8>, Summary) {
    let (new, summary) = repair(file).unwrap();
    let mut check = Check::new();
    check.push(&new);
    assert_eq!(check.finish(), None);
    let (packets, _) = scan(Scanner::new(), &new);
    assert_eq!(packets, scan(Scanner::searching(), file).0);
    // A message whose head was damaged may be of a track that the file has not.
    let samples = packets.iter().flat_map(samples).count();
    assert!(tree::samples_of_file(&new).len() <= samples);
    let all = [summary.audio, summary.video, summary.data];
    assert_eq!(all.iter().map(|carried| carried.found).sum::<u64>(), packets.len() as u64);
    assert_eq!(all.iter().map(|carried| carried.written).sum::<u64>(), packets.len() as u64);
    let (again, left) = repair(&new).unwrap();
    assert_eq!(mends(&left), []);
    assert!(again == new, "a repaired file is repaired into another");
    (new, summary)
}

fn mends(summary: &Summary) -> Vec<(Mend, u64, u64)> {
    let mends = summary.mends.iter();
    mends.map(|(mend, count)| (*mend, count.bytes, count.first_offset)).collect()
}

/// Four seconds in eight parts, finished.
fn recording() -> Vec<u8> {
    let packets: Vec<_> = (0..200_u32)
        .map(|n| {
            let ms = i64::from(n / 2) * 40;
            if n % 2 == 0 { video(ms, n % 25 == 0, 40, n) } else { audio(ms + 5, n) }
        })
        .collect();
    let cuts: Vec<_> = (25..200).step_by(25).collect();
    let (muxer, mut file) = finished(&packets, &cuts);
    apply(&mut file, &muxer.complete_patch());
    file
}

fn parts_of(file: &[u8]) -> Vec<Part> {
    scan(Scanner::new(), file).1
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

#[test]
fn a_sound_file_needs_nothing() {
    let (new, summary) = mended(&recording());
    assert_eq!(mends(&summary), []);
    let [old, new] = [&recording(), &new].map(|file| region(file).unwrap().properties);
    assert_eq!(old[..2], new[..2], "the identity");
    let names = |properties: &[(String, _)]| {
        properties.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&old), names(&new));
}

#[test]
fn an_unfinished_file_is_finished() {
    let (mut muxer, mut file) = growing(&[video(0, true, 0, 1), video(40, true, 0, 2)], &[1]);
    let mut out = Chunks::new();
    muxer.flush(&mut out);
    file.extend_from_slice(&out.to_vec());
    for patch in muxer.patches() {
        apply(&mut file, &patch);
    }
    let (_, summary) = mended(&file);
    assert_eq!(mends(&summary), [(Mend::Unfinished, 0, 0)]);
    assert_eq!((summary.video.found, summary.audio.found), (3, 1));
}

#[test]
fn a_file_cut_at_any_byte_keeps_its_whole_parts() {
    let file = recording();
    let parts = parts_of(&file);
    let end = parts.last().unwrap().end;
    for len in (0..at(end)).step_by(331).chain([at(parts[2].end), at(end), file.len() - 1]) {
        let torn = &file[..len];
        let whole: Vec<_> = parts.iter().filter(|part| at(part.end) <= len).collect();
        let Some((_, summary)) = repair(torn) else {
            assert!(whole.is_empty());
            continue;
        };
        mended(torn);
        let found = summary.audio.found + summary.video.found + summary.data.found;
        assert_eq!(found, whole.iter().map(|part| part.messages as u64).sum::<u64>(), "{len}");
        let Some(last) = whole.last() else { continue };
        let cut = summary.mends.get(&Mend::CutPart);
        let cut = cut.map(|cut| (cut.first_offset, cut.first_offset + cut.bytes));
        let is_between = at(last.end) == len || len >= at(end);
        assert_eq!(cut, (!is_between).then_some((last.end, len as u64)), "{len}");
    }
}

#[test]
fn a_damaged_part_is_a_gap_and_what_is_behind_it_stays_at_its_time() {
    let file = recording();
    let parts = parts_of(&file);
    // The size of its samples, and all of two parts side by side.
    for (from, until) in [(3, 3), (4, 5)] {
        let mut damaged = file.clone();
        let (start, end) = (parts[from].offset, parts[until].end);
        let mdat = damaged[at(start)..].windows(4).position(|name| name == b"mdat").unwrap();
        if from == until {
            damaged[at(start) + mdat - 3] ^= 0x40;
        } else {
            damaged[at(start)..at(end)].fill(0);
        }
        let (new, summary) = mended(&damaged);
        let told = mends(&summary).into_iter().filter(|(mend, ..)| *mend != Mend::WrongIndex);
        let told: Vec<_> = told.map(|(mend, bytes, _)| (mend, bytes)).collect();
        assert_eq!(told, [(Mend::Part, end - start), (Mend::Samples, 0)]);
        let before: Vec<_> = scan(Scanner::new(), &file).0;
        let kept: Vec<_> = scan(Scanner::new(), &new).0;
        let skipped: usize = parts[from..=until].iter().map(|part| part.messages).sum();
        let first: usize = parts[..from].iter().map(|part| part.messages).sum();
        assert_eq!(kept[..first], before[..first]);
        let samples = kept.iter().flat_map(samples).count();
        assert_eq!(tree::samples_of_file(&new).len(), samples);
        assert_eq!(kept[first..], before[first + skipped..]);
        let end_ms = |packets: &[Packet]| {
            let video = packets.iter().rev().find(|packet| packet.kind == Kind::Video).unwrap();
            let audio = packets.iter().rev().find(|packet| packet.kind == Kind::Audio).unwrap();
            (video.dts_ms + 40).max(audio.dts_ms + 40)
        };
        let at_ms = end_ms(&before[..first]);
        let next_ms = before[first + skipped..].iter().map(|packet| packet.dts_ms).min().unwrap();
        let [at_ms, length_ms] = [at_ms, next_ms - at_ms].map(i64::unsigned_abs);
        assert_eq!(summary.lost, [Lost { at_ms, length_ms }]);
    }
}

#[test]
fn a_message_between_the_frames_keeps_a_time_that_is_older_than_theirs() {
    let packets = [
        video(0, true, 0, 1),
        audio(19, 2),
        // An end of sequence at the time of the last picture.
        packet(Kind::Video, 0, b"\x17\x02\0\0\0"),
        video(40, true, 0, 3),
    ];
    let (muxer, mut file) = finished(&packets, &[3]);
    apply(&mut file, &muxer.complete_patch());
    let (new, summary) = mended(&file);
    assert_eq!(mends(&summary), []);
    assert_eq!(scan(Scanner::new(), &new).0, scan(Scanner::new(), &file).0);
}

#[test]
fn a_part_that_the_samples_of_a_damaged_one_seem_to_reach_into_is_whole() {
    let file = recording();
    let parts = parts_of(&file);
    // As many bytes as there are up to each box of the next part.
    let [_, short, next, ..] = parts[..] else { panic!("{parts:?}") };
    let of_next = &file[at(next.offset)..at(next.end)];
    let before: Vec<_> = scan(Scanner::new(), &file).0;
    let first = parts[0].messages + short.messages;
    for name in [b"moof", b"mdat", b"free"] {
        let place = of_next.windows(4).rposition(|bytes| bytes == name).unwrap() - 4;
        // The end of the part before it is among them.
        let removed = place + 8;
        let from = at(short.end) - 40 - removed;
        let damaged = [&file[..from], &file[from + removed..]].concat();
        let (new, _) = mended(&damaged);
        let kept = scan(Scanner::new(), &new).0;
        let lost = before[first..].iter().find(|packet| !kept.contains(packet));
        assert!(lost.is_none(), "{} at {place}: {lost:?}", name.escape_ascii());
    }
}

#[test]
fn what_is_not_as_its_parts_say_is_made_anew() {
    let file = recording();
    let parts = parts_of(&file);
    let index = at(parts.last().unwrap().end);
    let mut bent = file.clone();
    bent[index + 200] ^= 1;
    let (new, summary) = mended(&bent);
    assert_eq!(mends(&summary), [(Mend::Samples, 0, index as u64 + 200)]);
    assert_eq!(scan(Scanner::new(), &new), scan(Scanner::new(), &repair(&file).unwrap().0));
    // Something behind its end.
    let longer = [&file[..], b"more of something"].concat();
    let (_, summary) = mended(&longer);
    assert_eq!(mends(&summary)[0], (Mend::Garbage, 17, file.len() as u64));
    // A box before its tracks, and what it says of itself.
    let mut headless = file.clone();
    headless[..16].fill(0xEE);
    let (new, summary) = mended(&headless);
    assert_eq!(mends(&summary)[..2], [(Mend::FileHeader, 0, 0), (Mend::NoMetadata, 0, 0)]);
    assert_eq!(meta::region(&new), None);
    let mut unsaid = file.clone();
    unsaid[300..1_500].fill(0xEE);
    let (_, summary) = mended(&unsaid);
    assert!(summary.mends.contains_key(&Mend::BrokenMetadata), "{summary:?}");
}

#[test]
fn sound_in_mp3_and_a_track_that_mp4_has_no_word_for_are_kept() {
    let mp3 = samples::AUDIO.iter().find(|sample| bytes(sample.body)[0] >> 4 == 2).unwrap();
    let sound = |ms| packet(Kind::Audio, ms, &bytes(mp3.body));
    let packets = [sound(0), sound(26), packet(Kind::Audio, 30, b"\xB6abc"), sound(52)];
    let mut out = Chunks::new();
    let mut muxer =
        crate::mp4::mux::Muxer::new(Movie::of(&Header::default(), &packets), super::mux::options());
    for packet in &packets {
        muxer.push(packet, packet.dts_ms.unsigned_abs(), &mut out).unwrap();
        muxer.flush(&mut out);
    }
    let (new, summary) = mended(&out.to_vec());
    assert_eq!(scan(Scanner::new(), &new).0, packets);
    assert_eq!(tree::samples_of_file(&new).len(), 3);
    assert_eq!(summary.audio.found, 4);
}

#[test]
fn nothing_is_made_of_what_is_no_recording() {
    for file in
        [&b""[..], b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &[0; 5_000], b"\0\0\0\x14ftypisom\0\0\0\0isom"]
    {
        assert!(repair(file).is_none());
    }
}

proptest! {
    #[test]
    fn random_damage_costs_only_the_parts_that_it_touches(
        damages in proptest::collection::vec((damage(), any::<prop::sample::Index>()), 1..4),
    ) {
        let whole = recording();
        let parts = parts_of(&whole);
        let (mut file, mut touched) = (whole.clone(), Vec::new());
        // From the end to the start, so that places stay.
        let mut damages: Vec<_> =
            damages.into_iter().map(|(damage, at)| (at.index(whole.len()), damage)).collect();
        damages.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, (replaced, by)) in damages {
            let end = (at + replaced).min(file.len());
            if touched.last().is_some_and(|touched: &std::ops::Range<u64>| end as u64 > touched.start) {
                continue;
            }
            file.splice(at..end, by);
            touched.push(at as u64..(at + replaced) as u64);
        }
        let first = parts[0].offset;
        // Nothing tells its tracks.
        let has_start = touched.iter().all(|touched| touched.start >= first);
        let Some((new, _)) = repair(&file) else {
            prop_assert!(!has_start);
            return Ok(());
        };
        if !has_start {
            return Ok(());
        }
        mended(&file);
        let kept = scan(Scanner::new(), &new).0;
        let packets = scan(Scanner::new(), &whole).0;
        let mut packets = packets.iter();
        for part in parts {
            let of_part: Vec<_> = packets.by_ref().take(part.messages).collect();
            let is_outside =
                |touched: &std::ops::Range<u64>| touched.end <= part.offset || touched.start >= part.end;
            if touched.iter().all(is_outside) {
                let lost = of_part.into_iter().find(|packet| !kept.contains(packet));
                prop_assert!(lost.is_none(), "{part:?} without {lost:?}, {touched:?} was damaged");
            }
        }
    }
}
