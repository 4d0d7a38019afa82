use std::path::Path;

use bytes::Bytes;
use media::{Header, Kind, Packet};

use super::*;
use crate::digest::chain;
use crate::disk::fake::FakeDisk;
use crate::segment::{End, Form, Segment};
use crate::{Cut, GapReason};

const CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f];

fn amount(packets: u64, bytes: u64) -> Amount {
    Amount { packets, bytes }
}

/// A recording of segments that are ten seconds long, each with 100 packets, the first with an
/// `onMetaData` that is no tag of its own, the others with a repeated configuration.
fn recording(id: &str, segments: u32) -> Vec<File> {
    let mut files = Vec::new();
    let mut chain_before = None;
    for segment in 1..=segments {
        let before = u64::from(segment - 1);
        let (merged, repeated) = if before == 0 { (amount(1, 300), 0) } else { (amount(0, 0), 1) };
        let all = amount(100, 50_000);
        let file = File {
            name: format!("{id}/{segment}.flv"),
            size_bytes: 60_000,
            state: State::Complete,
            about: Some(About {
                recording: id.parse().unwrap(),
                stream_key: "live/test".to_owned(),
                segment,
                start_time: "2025-10-11T14:30:52.123+02:00".to_owned(),
                start_ms: before * 10_000,
                cut: if before == 0 { Cut::Start } else { Cut::Duration },
                gap_before: None,
                first_packet: before * 100,
                chain_before,
                server: "rtmp-server/1".to_owned(),
                recorder: "all".to_owned(),
                name: None,
                request_key: None,
                is_clip: false,
                tracks: crate::Tracks::All,
                labels: crate::Labels::new(),
            }),
            ledger: Some(Ledger {
                received: all,
                written: all,
                merged,
                repeated_packets: repeated,
                ..Ledger::default()
            }),
            declared_bytes: Some(60_000),
            length_ms: Some(10_000),
            is_cut_off: false,
            tags: amount(100 - merged.packets + repeated, 50_000 - merged.bytes + repeated * 40),
            repeated: amount(repeated, repeated * 40),
            fault: None,
            fault_count: 0,
            hash: Hash([u8::try_from(segment).unwrap(); 32]),
            claims: Vec::new(),
            last_known: 0,
        };
        chain_before = Some(chain(chain_before, file.hash));
        files.push(file);
    }
    files
}

const ID: &str = "00000000deadbeef";
const OTHER: &str = "00000000cafecafe";

fn about(file: &mut File) -> &mut About {
    file.about.as_mut().unwrap()
}

fn ledger(file: &mut File) -> &mut Ledger {
    file.ledger.as_mut().unwrap()
}

/// What is wrong with the only recording: file and words.
#[track_caller]
fn problems(files: Vec<File>) -> Vec<String> {
    let report = judge(files);
    assert_eq!(report.recordings.len(), 1);
    let problems = &report.recordings[0].problems;
    let unproven = !problems.is_empty() || !report.foreign.is_empty();
    assert_eq!(report.verdict() == Verdict::Unproven, unproven);
    problems.iter().map(|problem| format!("{} {}", problem.file, problem.kind)).collect()
}

/// That one change of three segments is found as just this.
#[track_caller]
fn assert_found(change: impl FnOnce(&mut Vec<File>), expected: &[&str]) {
    let mut files = recording(ID, 3);
    change(&mut files);
    let expected: Vec<_> = expected.iter().map(|text| format!("{ID}/{text}")).collect();
    assert_eq!(problems(files), expected);
}

#[test]
fn segments_in_any_order_are_proven_whole() {
    let mut files = recording(ID, 3);
    files.rotate_left(1);
    let report = judge(files);
    assert_eq!((report.verdict(), report.recordings.len()), (Verdict::Whole, 1));
    let proof = &report.recordings[0];
    let names: Vec<_> = proof.files.iter().map(|checked| &*checked.file.name).collect();
    assert_eq!(
        names,
        ["00000000deadbeef/1.flv", "00000000deadbeef/2.flv", "00000000deadbeef/3.flv"]
    );
    let agreed: Vec<_> = proof.files.iter().map(|checked| &*checked.agreed).collect();
    let next: &[_] = &[Source::NextSegment];
    assert_eq!(agreed, [next, next, &[]], "nobody tells the hash of the last");
    assert_eq!(judge(Vec::new()).verdict(), Verdict::Whole);
}

#[test]
fn a_recording_is_cut_off_where_its_last_segment_is() {
    for (cut_off, expected) in [(2, true), (1, false)] {
        let mut files = recording(ID, 3);
        files[cut_off].is_cut_off = true;
        let report = judge(files);
        assert_eq!(report.verdict(), Verdict::Whole);
        assert_eq!(report.recordings[0].is_cut_off(), expected, "segment {}", cut_off + 1);
    }
}

#[test]
fn a_missing_segment_is_found() {
    assert_found(|files| drop(files.remove(1)), &["3.flv before it segment 2 is missing"]);
    let mut files = recording(ID, 5);
    files.drain(1..4);
    assert_eq!(problems(files), [format!("{ID}/5.flv before it segments 2 to 4 are missing")]);
}

/// As after a disk that lost a file before anything was in it, whose packets are in the gap.
#[test]
fn a_number_without_packets_is_not_a_missing_segment() {
    let mut files = recording(ID, 3);
    for file in &mut files[2..] {
        file.about.as_mut().unwrap().segment += 1;
    }
    let report = judge(files.clone());
    assert_eq!((report.verdict(), report.recordings[0].problems.len()), (Verdict::Whole, 0));
    // One that cannot tell how many it has may have had the others after it.
    let missing = format!("{ID}/3.flv before it segment 3 is missing");
    let mut untold = files.clone();
    untold[1].ledger = None;
    assert!(problems(untold).contains(&missing));
    files[1].state = State::Unfinished;
    assert!(problems(files).contains(&missing));
}

#[test]
fn a_beginning_that_was_not_given_is_told() {
    let report = judge(recording(ID, 4).split_off(2));
    assert_eq!(report.recordings[0].missing_before, 2);
    assert_eq!(report.verdict(), Verdict::Partial);
}

#[test]
fn an_end_that_others_know_of_and_that_was_not_given_is_told() {
    let mut files = recording(ID, 3);
    files[0].last_known = 3;
    assert_eq!(judge(files.clone()).verdict(), Verdict::Whole);
    files.pop();
    let report = judge(files);
    assert_eq!((report.recordings[0].missing_after, report.verdict()), (1, Verdict::Partial));
}

#[test]
fn swapped_contents_are_found() {
    let why = "its BLAKE3 hash is not what the next segment says, unless that was changed";
    let hash = |n| format!("{n}.flv was changed: {why}");
    assert_found(
        |files| {
            let (one, two) = (files[0].hash, files[1].hash);
            (files[0].hash, files[1].hash) = (two, one);
        },
        &[&hash(1), &hash(2)],
    );
}

#[test]
fn swapped_numbers_are_found() {
    let mut files = recording(ID, 3);
    about(&mut files[1]).segment = 3;
    about(&mut files[2]).segment = 2;
    let found = problems(files);
    let first = "3.flv begins with packet 200 of the recording; the file before it ends with 100";
    let start = "2.flv begins at 10000 ms of the recording; the file before it ends at 30000 ms";
    for text in [first, start] {
        assert!(found.contains(&format!("{ID}/{text}")), "{found:#?}");
    }
}

#[test]
fn a_doubled_segment_is_found() {
    assert_found(
        |files| {
            let copy = File { name: format!("{ID}/copy.flv"), ..files[1].clone() };
            files.push(copy);
        },
        &[&format!("copy.flv is segment 2, and so is {ID}/2.flv")],
    );
}

#[test]
fn a_file_of_another_recording_takes_no_place() {
    let mut files = recording(ID, 3);
    files[1] = recording(OTHER, 3).remove(1);
    let report = judge(files);
    assert_eq!(report.verdict(), Verdict::Unproven);
    let found: Vec<_> =
        report.recordings.iter().map(|p| (p.recording.to_string(), p.problems.len())).collect();
    assert!(found.contains(&(ID.to_owned(), 1)) && found.contains(&(OTHER.to_owned(), 0)));
    let other = report.recordings.iter().find(|proof| proof.recording.to_string() == OTHER);
    assert_eq!(other.unwrap().missing_before, 1);
}

#[test]
fn a_foreign_file_proves_nothing() {
    let mut files = recording(ID, 1);
    files.push(File { about: None, name: "theirs.flv".to_owned(), ..files[0].clone() });
    let report = judge(files);
    assert_eq!(report.foreign, ["theirs.flv"]);
    assert_eq!(report.verdict(), Verdict::Unproven);
    assert_eq!(report.recordings[0].verdict(), Verdict::Whole);
}

#[test]
fn another_stream_under_the_same_recording_is_found() {
    assert_found(
        |files| about(&mut files[2]).stream_key = "live/other".to_owned(),
        &["3.flv is of stream live/other, the file before it of live/test"],
    );
}

#[test]
fn an_unfinished_file_is_found_and_a_growing_one_is_told() {
    let unfinished =
        "was not finished: its end may be missing; a server recovers it when it starts";
    assert_found(|files| files[2].state = State::Unfinished, &[&format!("3.flv {unfinished}")]);
    assert_found(|files| files[0].state = State::Growing, &[&format!("1.flv {unfinished}")]);
    let mut files = recording(ID, 3);
    files[2].state = State::Growing;
    files[2].ledger = None;
    assert_eq!(judge(files.clone()).verdict(), Verdict::Partial);
    assert_eq!(problems(files), [""; 0]);
}

#[test]
fn a_truncated_file_is_found() {
    assert_found(
        |files| {
            files[2].size_bytes = 59_000;
            files[2].fault =
                Some("cut off: 3 bytes of the last tag are missing at byte 58990".into());
            files[2].fault_count = 2;
            files[2].tags = amount(99, 49_000);
        },
        &[
            "3.flv cut off: 3 bytes of the last tag are missing at byte 58990 (and 1 more)",
            "3.flv has 59000 bytes, its metadata says 60000",
            "3.flv has 99 packets, its books say 101",
            "3.flv has 49000 bytes, its books say 50040",
        ],
    );
}

#[test]
fn books_that_do_not_add_up_are_found() {
    assert_found(
        |files| ledger(&mut files[1]).received.bytes += 1,
        &["2.flv its books are wrong: 50001 bytes received, 50000 written, 0 dropped"],
    );
    assert_found(
        |files| ledger(&mut files[2]).received.packets += 2,
        &["3.flv its books are wrong: 102 packets received, 100 written, 0 dropped"],
    );
    assert_found(
        |files| {
            ledger(&mut files[2]).received.packets += 2;
            ledger(&mut files[2]).dropped.packets += 2;
        },
        &["3.flv 2 packets were dropped, its gaps account for 0"],
    );
    assert_found(|files| files[2].ledger = None, &["3.flv does not tell its books"]);
    assert_found(|files| files[2].declared_bytes = None, &["3.flv does not tell its size"]);
    assert_found(|files| files[1].length_ms = None, &["3.flv does not tell its length"]);
}

#[test]
fn packets_between_two_files_are_counted() {
    assert_found(
        |files| about(&mut files[2]).first_packet = 201,
        &["3.flv begins with packet 201 of the recording; the file before it ends with 200"],
    );
    assert_found(
        |files| about(&mut files[1]).start_ms += 2_000,
        &[
            "2.flv begins at 12000 ms of the recording; the file before it ends at 10000 ms",
            "3.flv begins at 20000 ms of the recording; the file before it ends at 22000 ms",
        ],
    );
}

#[test]
fn declared_gaps_are_part_of_the_proof() {
    let mut files = recording(ID, 4);
    let gap = Gap {
        at_ms: 20_000,
        length_ms: 5_000,
        reason: GapReason::Disk,
        dropped: amount(40, 9_000),
    };
    about(&mut files[2]).gap_before = Some(gap);
    about(&mut files[2]).start_ms += 5_000;
    about(&mut files[3]).start_ms += 5_000;
    // The configuration again after the gap, in the middle of the file.
    ledger(&mut files[2]).repeated_packets += 1;
    files[2].tags += amount(1, 40);
    files[2].repeated = amount(2, 10_000);
    let inside = Gap { at_ms: 3_000, reason: GapReason::SlowDisk, dropped: amount(7, 700), ..gap };
    ledger(&mut files[2]).add_gap(inside);
    ledger(&mut files[2]).received += amount(7, 700);
    ledger(&mut files[2]).dropped += amount(7, 700);
    // What came in the gap was received after what the file before it has.
    about(&mut files[3]).first_packet += 40 + 7;
    let report = judge(files.clone());
    let proof = &report.recordings[0];
    assert_eq!(proof.problems, []);
    assert_eq!(report.verdict(), Verdict::Partial);
    let missing = |is_before, gap| Missing { segment: 3, is_before, gap };
    assert_eq!(proof.gaps, [missing(true, gap), missing(false, inside)]);
    assert_eq!(proof.gaps_unlisted, 0);
    files[2].tags.bytes = 49_999;
    assert_eq!(problems(files), [format!("{ID}/3.flv has 49999 bytes, its books say 50000")]);
}

#[test]
fn a_publisher_that_was_away_takes_nothing_from_a_recording() {
    let away = |length_ms, reason, packets| {
        let mut files = recording(ID, 4);
        let gap = Gap { at_ms: 20_000, length_ms, reason, dropped: amount(packets, packets * 10) };
        about(&mut files[2]).gap_before = Some(gap);
        about(&mut files[2]).start_ms += length_ms;
        about(&mut files[3]).start_ms += length_ms;
        about(&mut files[3]).first_packet += packets;
        let report = judge(files);
        let proof = &report.recordings[0];
        assert_eq!(
            (&*proof.problems, &*proof.gaps),
            (&[][..], &[Missing { segment: 3, is_before: true, gap }][..])
        );
        report.verdict()
    };
    assert_eq!(away(0, GapReason::Publisher, 0), Verdict::Whole);
    assert_eq!(away(5_000, GapReason::Publisher, 0), Verdict::Whole);
    assert_eq!(away(0, GapReason::Disk, 0), Verdict::Whole);
    assert_eq!(away(5_000, GapReason::Disk, 0), Verdict::Partial);
    assert_eq!(away(0, GapReason::Publisher, 1), Verdict::Partial);
}

#[test]
fn gaps_that_are_only_counted_are_told() {
    let mut files = recording(ID, 1);
    for at_ms in 0..70 {
        let dropped = amount(1, 10);
        let gap = Gap { at_ms, length_ms: 1, reason: GapReason::SlowDisk, dropped };
        ledger(&mut files[0]).add_gap(gap);
        ledger(&mut files[0]).received += dropped;
        ledger(&mut files[0]).dropped += dropped;
    }
    let report = judge(files);
    let proof = &report.recordings[0];
    assert_eq!((proof.problems.len(), proof.gaps.len(), proof.gaps_unlisted), (0, 64, 6));
}

#[test]
fn all_who_tell_a_hash_are_asked() {
    let mut files = recording(ID, 2);
    let (first, last) = (files[0].hash, files[1].hash);
    let whole = chain(Some(chain(None, first)), last);
    let claim = |source, chain| Claim { source, hash: last, chain };
    files[1].claims = vec![claim(Source::Sidecar, None), claim(Source::Catalog, Some(whole))];
    let report = judge(files.clone());
    assert_eq!(report.verdict(), Verdict::Whole);
    assert_eq!(report.recordings[0].files[1].agreed, [Source::Sidecar, Source::Catalog]);
    files[1].claims = vec![claim(Source::Catalog, Some(last))];
    let wrong = "its chain of hashes is not what the catalog says: a file before it was changed";
    assert_eq!(problems(files.clone()), [format!("{ID}/2.flv {wrong}")]);
    files[1].claims = vec![Claim { source: Source::Sidecar, hash: first, chain: None }];
    let wrong = "was changed: its BLAKE3 hash is not what the sidecar says";
    assert_eq!(problems(files), [format!("{ID}/2.flv {wrong}")]);
}

/// Two segments as they lie on disk; the second begins with the configuration again. 13 packets of
/// the stream each: in the first one an `onMetaData` and the configuration.
fn bytes() -> [Vec<u8>; 2] {
    let meta = b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09";
    let packet = |kind, at_ms: u32, body: &[u8]| {
        Packet::new(kind, at_ms.into(), Bytes::copy_from_slice(body))
    };
    let frames = |count: u32| {
        (0..count).map(move |i| {
            let head = if i == 0 { 0x17 } else { 0x27 };
            packet(Kind::Video, i * 40, &[&[head, 1, 0, 0, 0][..], &[0x55; 200]].concat())
        })
    };
    let config = packet(Kind::Video, 0, CONFIG);
    let mut header = Header::default();
    header.push(&config);
    let first: Vec<_> =
        [packet(Kind::Data, 0, meta), config].into_iter().chain(frames(11)).collect();
    let parts = [(Header::default(), first), (header, frames(13).collect())];
    let disk = FakeDisk::default();
    let name = crate::testing::name("live/test");
    let mut about = about(&mut recording(ID, 1)[0]).clone();
    parts.map(|(header, packets)| {
        let mut segment =
            Segment::create(&disk, Path::new("rec"), &name, about.clone(), Form::Flv, &header)
                .unwrap();
        for packet in &packets {
            segment.push(packet, packet.timestamp().into()).unwrap();
        }
        let bytes = packets.iter().map(|packet| packet.body.len() as u64).sum();
        let received = amount(13, bytes);
        let repeated_packets = segment.repeated_packets();
        let ledger = Ledger { received, written: received, repeated_packets, ..Ledger::default() };
        let (end_time, final_name) = (about.start_time.clone(), None);
        let end = End { length_ms: 440, end_time, final_name, checksum_files: false };
        let finished = segment.finish(&disk, &ledger, &end).1.unwrap();
        let chain_before = Some(finished.chain);
        about =
            About { segment: 2, start_ms: 440, first_packet: 13, chain_before, ..about.clone() };
        disk.files()[&finished.path].clone()
    })
}

fn walk(name: &str, bytes: &[u8], piece: usize) -> File {
    let mut walk = Walk::new();
    bytes.chunks(piece).for_each(|piece| walk.push(piece));
    walk.finish(name.to_owned())
}

#[test]
fn the_facts_of_files_prove_them_however_they_are_cut() {
    let [one, two] = bytes();
    for piece in [1, 13, 1_000, 1 << 20] {
        let files = vec![walk("two", &two, piece), walk("one", &one, piece)];
        assert_eq!(files[0].hash.to_string(), blake3::hash(&two).to_hex().as_str());
        assert_eq!((files[0].tags.packets, files[1].tags.packets), (14, 12));
        assert_eq!(files[0].repeated, amount(1, CONFIG.len() as u64));
        let report = judge(files);
        assert_eq!(report.recordings[0].problems, []);
        assert_eq!(report.verdict(), Verdict::Whole);
        assert_eq!(report.recordings[0].files[0].agreed, [Source::NextSegment]);
    }
}

#[test]
fn one_flipped_bit_anywhere_is_found_and_its_file_named() {
    let [one, two] = bytes();
    for at in 0..one.len() {
        let mut changed = one.clone();
        changed[at] ^= 1 << (at % 8);
        let report = judge(vec![walk("one", &changed, 1 << 20), walk("two", &two, 1 << 20)]);
        // With another id it is a recording of its own, and the second has lost its beginning.
        if report.recordings.len() == 2 {
            assert_eq!(report.verdict(), Verdict::Partial, "byte {at}");
            continue;
        }
        assert_eq!(report.verdict(), Verdict::Unproven, "byte {at}");
        let problems = report.recordings.iter().flat_map(|proof| &proof.problems);
        let mut named = problems.map(|problem| &problem.file).chain(&report.foreign);
        assert!(named.any(|name| name == "one"), "byte {at}");
    }
}

#[test]
fn any_cut_is_found() {
    let [one, two] = bytes();
    for end in 0..two.len() {
        let report = judge(vec![walk("one", &one, 1 << 20), walk("two", &two[..end], 1 << 20)]);
        assert_eq!(report.verdict(), Verdict::Unproven, "{end} bytes");
    }
}
