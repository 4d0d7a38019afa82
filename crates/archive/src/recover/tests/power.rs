//! A power cut at every disk call of a recording, and at every disk call of the recovery after it.

use std::collections::BTreeSet;

use media::flv::scan::{Item, Scanner};
use media::{Kind, mp4};

use super::*;
use crate::disk::fake::power::{Fate, Image, Tear};

/// A segment as it was recorded.
struct Recorded {
    number: u32,
    sent: Vec<Packet>,
    /// After how many calls how many packets were flushed, and synced.
    flushed: Vec<(usize, usize)>,
    synced: Vec<(usize, usize)>,
    /// After how many calls it was finished, and under which name.
    finished: Option<(usize, PathBuf)>,
}

/// Pictures of many pages between those of a clip.
fn packets(segment: u32) -> Vec<Packet> {
    let mut packets = clip(3);
    for (i, at) in [8, 19, 30, 41].into_iter().enumerate() {
        let size = 9_000 + 7_000 * i + segment as usize;
        packets.insert(at, video(20_000 + at as i64, i == 0, size));
    }
    packets
}

fn record(disk: &FakeDisk, format: Format, number: u32, finish: bool) -> Recorded {
    let calls = || disk.calls().len();
    let sent = packets(number);
    let mut recorded =
        Recorded { number, sent, flushed: Vec::new(), synced: Vec::new(), finished: None };
    let about = About { segment: number, ..about() };
    let (header, dir) = (Header::default(), Path::new("rec"));
    let form = testing::form(format, &header, &recorded.sent);
    let first = testing::name_of("live/test", format);
    let mut segment = Segment::create(disk, dir, &first, about, form, &header).unwrap();
    let mut pushed = 0;
    for part in recorded.sent.chunks(11) {
        push(&mut segment, part, pushed);
        pushed += part.len();
        segment.flush().unwrap();
        recorded.flushed.push((calls(), pushed));
        if recorded.flushed.len().is_multiple_of(2) {
            segment.refresh(&ledger(&recorded.sent[..pushed])).unwrap();
        }
        if recorded.flushed.len() % 4 == 3 {
            segment.sync().unwrap();
            recorded.synced.push((calls(), pushed));
        }
    }
    if finish {
        let final_name = testing::name_of(&format!("live/end{number}"), format);
        let end = End { final_name: Some(final_name), ..end() };
        let finished = segment.finish(disk, &ledger(&recorded.sent), &end).1.unwrap();
        recorded.finished = Some((calls(), finished.path));
    }
    recorded
}

/// How many packets there were after so many calls.
fn at(marks: &[(usize, usize)], calls: usize) -> usize {
    marks.iter().take_while(|(at, _)| *at <= calls).last().map_or(0, |(_, packets)| *packets)
}

/// Asserts what is promised of a disk after the power failed after `calls` calls and what was there
/// was recovered.
fn check(
    disk: &FakeDisk,
    recorded: &[Recorded],
    whole: &BTreeMap<PathBuf, Vec<u8>>,
    calls: usize,
    is_kept: bool,
) {
    let files = disk.files();
    let mut found = BTreeMap::new();
    for (path, file) in files.iter().filter(|(path, _)| Format::of(path).is_some()) {
        let number = metadata(file, "segment").as_f64().unwrap();
        let segment = recorded.iter().find(|r| f64::from(r.number) == number).unwrap();
        assert_eq!(metadata(file, "complete"), Value::from(true), "{path:?}");
        assert_eq!(metadata(file, "filesize").as_f64(), Some(file.len() as f64));
        let packets = assert_begins(&scan(file), &segment.sent);
        let books = books(file);
        assert!(books.is_balanced());
        assert_eq!(books.written, ledger(&segment.sent[..packets]).written);
        assert_eq!(found.insert(segment.number, packets), None, "two of {number}");
    }
    for segment in recorded {
        let marks = if is_kept { &segment.flushed } else { &segment.synced };
        let packets = found.get(&segment.number).copied().unwrap_or_default();
        let promised = at(marks, calls);
        assert!(packets >= promised, "{packets} of {promised} after {calls} calls");
        if let Some((_, path)) = segment.finished.as_ref().filter(|(at, _)| *at <= calls) {
            assert!(files[path] == whole[path], "a finished file was changed");
        }
    }
}

/// Recovers a disk that holds `image`; what was a file still is one.
fn recovered(image: &Image) -> FakeDisk {
    let disk = FakeDisk::remembering(image.clone());
    recover(&disk, Path::new("rec"));
    assert!(disk.files().len() >= image.files.len(), "a file was deleted");
    for path in image.files.keys().map(|path| path.to_str().unwrap()) {
        let files = disk.files();
        let is_there = files.keys().any(|after| after.to_str().unwrap().starts_with(path));
        assert!(is_there, "{path} is gone");
    }
    disk
}

/// All messages in the files of a disk whose tags, or parts, are whole.
fn bodies(files: &BTreeMap<PathBuf, Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let mut bodies = BTreeSet::new();
    for file in files.values() {
        if file.get(4..8) == Some(b"ftyp") {
            bodies.extend(bodies_of_parts(file));
            continue;
        }
        let mut scanner = Scanner::default();
        scanner.push(file);
        scanner.finish();
        while let Some(item) = scanner.poll() {
            let Item::Tag(tag) = item else { continue };
            let end = usize::try_from(tag.offset + tag.size).unwrap();
            let is_whole = file.get(end - 4..end) == Some(&tag.header.tag_size().to_be_bytes());
            if is_whole && tag.packet.kind != Kind::Data {
                bodies.insert(tag.packet.body.to_vec());
            }
        }
    }
    bodies
}

/// All messages of the parts that are whole, wherever those are in the file.
fn bodies_of_parts(file: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<_> = file
        .windows(mp4::mux::PART_MARK.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == mp4::mux::PART_MARK)
        .map(|(at, _)| at - 4)
        .collect();
    let Some(first) = starts.first() else { return Vec::new() };
    let script = crate::script::Script::read(file).expect("a recording");
    let room = usize::try_from(script.end).unwrap();
    let mut head = file[..*first].to_vec();
    head[room..room + 16].copy_from_slice(b"\0\0\0\x10free\0\0\0\0\0\0\0\0");
    let mut bodies = Vec::new();
    for (start, next) in starts.iter().zip(starts.iter().skip(1).chain([&file.len()])) {
        let (packets, _) = testing::scan_torn(&[&head, &file[*start..*next]].concat());
        bodies.extend(packets.into_iter().map(|packet| packet.body.to_vec()));
    }
    bodies
}

#[test]
fn at_every_call_a_power_cut_costs_only_what_was_not_synced() {
    survives_power_cuts(Format::Flv);
}

#[test]
fn at_every_call_a_power_cut_costs_an_mp4_file_only_what_was_not_synced() {
    survives_power_cuts(Format::Mp4);
}

fn survives_power_cuts(format: Format) {
    let disk = FakeDisk::remembering(Image::default());
    let recorded = [record(&disk, format, 1, true), record(&disk, format, 2, false)];
    let whole = disk.files();
    let history = disk.history();
    let mut fates = vec![Fate::Lost, Fate::Kept];
    fates.extend([Tear::OneByte, Tear::Half, Tear::Page, Tear::AllButOne].map(Fate::Torn));
    fates.extend((0..4).map(Fate::Scattered));
    fates.extend((0..6).map(Fate::Pages));
    let mut cuts = 0;
    for calls in 0..=disk.calls().len() {
        for fate in &fates {
            let image = history.cut(calls, *fate);
            let is_kept = *fate == Fate::Kept;
            let first = recovered(&image);
            check(&first, &recorded, &whole, calls, is_kept);
            let (before, after) = (bodies(&image.files), bodies(&first.files()));
            assert!(before.is_subset(&after), "a whole tag was thrown away");
            let second = recovered(&Image { files: first.files(), ..image.clone() });
            assert!(second.files() == first.files(), "a second recovery changed something");
            cuts += 1;
            if !matches!(fate, Fate::Kept | Fate::Pages(1)) {
                continue;
            }
            let recovery = first.history();
            for calls_then in 0..first.calls().len() {
                let seed = (calls + calls_then) as u64;
                let fate = if seed.is_multiple_of(2) { Fate::Lost } else { Fate::Scattered(seed) };
                let again = recovered(&recovery.cut(calls_then, fate));
                check(&again, &recorded, &whole, calls, is_kept);
                cuts += 1;
            }
        }
    }
    assert!(cuts > 1_000, "{cuts}");
}
