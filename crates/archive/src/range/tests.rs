use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use media::amf0::{self, Value};
use media::flv::probe::{IndexCheck, Probe, Report};
use media::flv::scan::{Bodies, Scanner, Tag};
use media::flv::{meta, scan};
use media::{Kind, Role};

use super::*;
use crate::GapReason;

mod clocks;
mod exact;
mod growing;
mod hls;
mod limits;
mod made;
mod model;
mod mp4;
mod overlap;
mod parts;
mod renditions;
mod trace;
mod trouble;
mod views;

use made::{Made, START};

fn source(made: &Made) -> Source {
    Source::new(Arc::new(made.disk.clone()), made.segments.clone())
}

fn range(from_ms: i64, to_ms: i64, cut: Cut) -> Range {
    Range { from_unix_ms: START + from_ms, to_unix_ms: START + to_ms, cut }
}

/// What a reader gives: packets, with ms since the start, and gaps.
fn read(source: &Source, range: Range) -> (Vec<Timed>, Vec<Gap>) {
    let (mut packets, mut gaps, mut headers) = (Vec::new(), Vec::new(), 0);
    for item in source.read(range) {
        match item {
            Item::Header(_) => headers += 1,
            Item::Packet(timed) => {
                assert_eq!(headers, 1, "a header before the first packet, and no other");
                packets.push(timed);
            }
            Item::Gap(gap) => gaps.push(gap),
        }
    }
    (packets, gaps)
}

/// All bytes of a file; as many as were told.
fn bytes(source: &Source, range: Range) -> Result<Vec<u8>, Error> {
    let flv = source.flv(range)?;
    let size = flv.info().size_bytes;
    let file = flv.collect::<Result<Vec<Bytes>, Error>>()?.concat();
    assert_eq!(file.len() as u64, size, "the size that was told");
    Ok(file)
}

/// All bytes of a file that is asked for when half of its only segment is there, and sent when all of it is.
fn bytes_while_it_grows(made: &Made) -> Vec<u8> {
    let path = made.segments[0].path.clone();
    let whole = made.disk.files()[&path].clone();
    made.disk.put(path.to_str().unwrap(), &whole[..whole.len() / 2]);
    let mut flv = source(made).flv(Range::ALL).unwrap();
    assert!(flv.info().is_growing);
    let size = flv.info().size_bytes;
    let mut sent = flv.next().unwrap().unwrap().to_vec();
    made.disk.put(path.to_str().unwrap(), &whole);
    flv.for_each(|piece| sent.extend_from_slice(&piece.unwrap()));
    assert_eq!(sent.len() as u64, size);
    sent
}

/// What is in a file, which must be without a fault.
fn tags(file: &[u8]) -> (Vec<Tag>, Report) {
    let (mut tags, mut probe) = (Vec::new(), Probe::new());
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(file);
    scanner.finish();
    while let Some(item) = scanner.poll() {
        probe.push(&item);
        match item {
            scan::Item::Tag(tag) => tags.push(tag),
            scan::Item::Header(_) => {}
            scan::Item::Fault(fault) => panic!("{fault:?}"),
        }
    }
    (tags, probe.finish())
}

fn property(file: &[u8], name: &str) -> Option<Value> {
    let (tags, _) = tags(file);
    let properties = meta::properties(&tags[0].packet.body, amf0::Limits::default()).unwrap();
    properties.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn text(file: &[u8], name: &str) -> String {
    property(file, name).unwrap().as_str().unwrap().to_owned()
}

fn media_of(tags: &[Tag]) -> Vec<(Kind, u32, Bytes)> {
    let media = tags.iter().map(|tag| &tag.packet).filter(|packet| packet.is_media());
    media.map(|packet| (packet.kind, packet.timestamp(), packet.body.clone())).collect()
}

#[test]
fn file_of_all_is_the_stream_and_says_what_it_is() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 6, cut_every: 2, ..made::Run::default() });
    let source = source(&made);
    assert_eq!(source.segments().len(), 3);
    let file = bytes(&source, Range::ALL).unwrap();
    let (tags, report) = tags(&file);
    let sent: Vec<_> = made.sent.iter().filter(|sent| sent.packet.is_media()).collect();
    let expected: Vec<_> = sent
        .iter()
        .map(|sent| {
            let ms = u32::try_from(sent.unix_ms - START).unwrap();
            (sent.packet.kind, ms, sent.packet.body.clone())
        })
        .collect();
    assert_eq!(media_of(&tags), expected);
    let configs = tags.iter().filter(|tag| tag.packet.role == Role::Config).count();
    assert_eq!(configs, 2, "not repeated for each segment");
    assert_eq!(report.index, IndexCheck::True { entries: 6 });
    assert_eq!(file[4], 0x05);

    assert_eq!(text(&file, "streamKey"), "live/test");
    assert_eq!(text(&file, "recordings"), "0000000000000001");
    assert_eq!(text(&file, "startTime"), "2025-10-11T14:30:52.123+02:00");
    assert_eq!(text(&file, "endTime"), "2025-10-11T14:30:58.146+02:00");
    assert_eq!(property(&file, "duration"), Some(Value::Number(6.023)));
    assert_eq!(property(&file, "from"), None);
    assert_eq!(property(&file, "segment"), None);
    assert_eq!(property(&file, "filesize"), Some(Value::Number(file.len() as f64)));
    assert_eq!(property(&file, "videocodecid"), Some(Value::Number(7.0)));
}

#[test]
fn range_at_key_frames_begins_before_it_and_ends_after_it() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 10, cut_every: 3, ..made::Run::default() });
    let source = source(&made);
    let asked = range(2_500, 5_500, Cut::KeyFrame);
    let (packets, gaps) = read(&source, asked);
    assert_eq!(gaps, []);
    let first = &packets[0];
    assert_eq!((first.unix_ms - START, first.packet.role), (2_000, Role::Key));
    let videos = packets.iter().filter(|timed| timed.packet.kind == Kind::Video);
    assert_eq!(videos.last().unwrap().unix_ms - START, 5_900);
    assert!(packets.iter().all(|timed| !timed.is_before));

    let file = bytes(&source, asked).unwrap();
    assert_eq!(property(&file, "duration"), Some(Value::Number(4.023)));
    assert_eq!(text(&file, "startTime"), "2025-10-11T14:30:54.123+02:00");
    assert_eq!(text(&file, "from"), "2025-10-11T14:30:54.623+02:00");
    assert_eq!(text(&file, "to"), "2025-10-11T14:30:57.623+02:00");
    assert_eq!(text(&file, "cut"), "key frame");
    let (tags, _) = tags(&file);
    assert_eq!(tags[1].packet.role, Role::Config, "configurations come first");
    assert_eq!(media_of(&tags)[0].1, 0);
}

#[test]
fn range_that_ends_at_a_key_frame_goes_up_to_it() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, ..made::Run::default() });
    let (packets, _) = read(&source(&made), range(1_000, 3_000, Cut::KeyFrame));
    assert_eq!(packets[0].unix_ms - START, 1_000);
    assert!(packets.iter().all(|timed| timed.unix_ms - START < 3_000));
    assert_eq!(packets.iter().filter(|timed| timed.packet.role == Role::Key).count(), 2);
}

#[test]
fn audio_alone_is_cut_at_any_packet() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 8, cut_every: 3, video: false, ..made::Run::default() });
    let source = source(&made);
    for cut in [Cut::KeyFrame, Cut::Exact] {
        let file = bytes(&source, range(2_050, 5_050, cut)).unwrap();
        let (tags, _) = tags(&file);
        assert_eq!(file[4], 0x04, "audio, no video");
        let media = media_of(&tags);
        assert!(media.iter().all(|(kind, ..)| *kind == Kind::Audio));
        assert_eq!(media.len(), if cut == Cut::Exact { 30 } else { 31 });
        assert_eq!(property(&file, "videocodecid"), None);
        assert_eq!(property(&file, "hasVideo"), Some(Value::Boolean(false)));
    }
}

#[test]
fn video_alone_says_that_it_has_no_audio() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, audio: false, ..made::Run::default() });
    let file = bytes(&source(&made), range(1_500, 3_500, Cut::Exact)).unwrap();
    assert_eq!(file[4], 0x01);
    assert_eq!(property(&file, "duration"), Some(Value::Number(2.0)));
}

#[test]
fn configuration_comes_again_only_where_it_differs() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, cut_every: 1, config: 1, ..made::Run::default() });
    made.run(&made::Run { gops: 2, config: 1, ..made::Run::default() });
    made.run(&made::Run { gops: 2, cut_every: 1, config: 2, ..made::Run::default() });
    let file = bytes(&source(&made), range(1_000, 9_000, Cut::KeyFrame)).unwrap();
    let (tags, _) = tags(&file);
    let configs: Vec<_> = tags
        .iter()
        .filter(|tag| tag.packet.role == Role::Config && tag.packet.kind == Kind::Video)
        .map(|tag| (tag.header.timestamp_ms, tag.packet.body.last().copied().unwrap()))
        .collect();
    // At the start; as the second publisher's own packet; as the third's.
    assert_eq!(configs, [(0, 1), (3_000, 1), (5_000, 2)]);
}

#[test]
fn long_reconnect_keeps_its_length_and_is_told() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 2, ..made::Run::default() });
    made.run(&made::Run { gops: 2, away_ms: 90_000, dts_ms: 5, ..made::Run::default() });
    made.run(&made::Run { gops: 2, away_ms: 30_000, recording: 2, ..made::Run::default() });
    let source = source(&made);
    let (_, gaps) = read(&source, Range::ALL);
    let told: Vec<_> = gaps
        .iter()
        .map(|gap| (gap.from_unix_ms - START, gap.to_unix_ms - START, gap.cause.clone()))
        .collect();
    let away = Cause::Recording(GapReason::Publisher);
    assert_eq!(told, [(2_000, 92_000, away), (94_000, 124_000, Cause::NotRecorded)]);

    let file = bytes(&source, Range::ALL).unwrap();
    let (tags, _) = tags(&file);
    let keys: Vec<_> = tags
        .iter()
        .filter(|tag| tag.packet.role == Role::Key)
        .map(|tag| tag.header.timestamp_ms)
        .collect();
    assert_eq!(keys, [0, 1_000, 92_000, 93_000, 124_000, 125_000]);
    assert_eq!(text(&file, "gapReasons"), "publisher away, not recorded");
    assert_eq!(text(&file, "recordings"), "0000000000000001, 0000000000000002");
    assert_eq!(property(&file, "duration"), Some(Value::Number(126.023)));
    let times = property(&file, "gapTimes").unwrap();
    assert_eq!(times, Value::StrictArray(vec![Value::Number(2.0), Value::Number(94.0)]));
}

#[test]
fn range_in_a_gap_begins_with_what_comes_after_it() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 2, ..made::Run::default() });
    made.run(&made::Run { gops: 2, away_ms: 60_000, ..made::Run::default() });
    let source = source(&made);
    for cut in [Cut::KeyFrame, Cut::Exact] {
        let file = bytes(&source, range(30_000, 70_000, cut)).unwrap();
        assert_eq!(text(&file, "startTime"), "2025-10-11T14:31:54.123+02:00");
        assert_eq!(property(&file, "duration"), Some(Value::Number(2.023)));
        let error = source.flv(range(30_000, 40_000, cut)).err();
        assert_eq!(error, Some(Error::Nothing));
    }
}

#[test]
fn times_go_on_past_24_bits() {
    let mut made = Made::new();
    let late_ms = (1 << 24) - 1_500;
    made.run(&made::Run { gops: 1, ..made::Run::default() });
    made.run(&made::Run { gops: 4, away_ms: late_ms, ..made::Run::default() });
    let file = bytes(&source(&made), Range::ALL).unwrap();
    let (tags, _) = tags(&file);
    let (_, last_ms, _) = media_of(&tags).pop().unwrap();
    assert!(last_ms > 1 << 24);
    assert_eq!(tags.last().unwrap().header.timestamp_ms, last_ms);
}

#[test]
fn range_longer_than_a_file_can_be_is_refused() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 1, ..made::Run::default() });
    made.run(&made::Run { gops: 1, away_ms: 1 << 32, recording: 2, ..made::Run::default() });
    let error = source(&made).flv(Range::ALL).err();
    assert_eq!(error, Some(Error::TooLong { duration_ms: (1 << 32) + 2_023 }));
}

#[test]
fn source_of_bare_files_needs_no_catalog() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, cut_every: 1, ..made::Run::default() });
    made.disk.put("recordings/other.flv", b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    made.disk.put("recordings/notes.txt", b"no");
    let disk = Arc::new(made.disk.clone());
    let paths = [Path::new("recordings").to_owned(), "recordings/none.flv".into()];
    let (found, left) = Source::of_files(disk, paths);
    let found: Vec<_> = found.segments().cloned().collect();
    assert_eq!(found, made.segments);
    let left: Vec<_> =
        left.iter().map(|(path, error)| (path.to_str().unwrap(), error.kind())).collect();
    let kinds = [std::io::ErrorKind::InvalidData, std::io::ErrorKind::NotFound];
    assert_eq!(left, [("recordings/other.flv", kinds[0]), ("recordings/none.flv", kinds[1])]);
}

#[test]
fn export_writes_the_file_once_and_never_over_another() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 3, ..made::Run::default() });
    let source = source(&made);
    let output = Path::new("recordings/out.flv");
    let mut told = Vec::new();
    let mut go_on = |progress| {
        told.push(progress);
        true
    };
    let exported = export(&source, Range::ALL, &made.disk, output, &mut go_on).unwrap();
    let file = made.disk.files()[output].clone();
    assert_eq!(file, bytes(&source, Range::ALL).unwrap());
    let total_bytes = file.len() as u64;
    assert_eq!(exported.info.size_bytes, total_bytes);
    assert_eq!(told.last(), Some(&Progress { done_bytes: total_bytes, total_bytes }));

    let again = export(&source, Range::ALL, &made.disk, output, &mut |_| true).unwrap_err();
    let reason = "file exists".to_owned();
    assert_eq!(again, Error::Output { path: output.to_owned(), reason });
    assert_eq!(made.disk.files()[output], file);
}

#[test]
fn export_that_is_stopped_leaves_no_file() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 3, ..made::Run::default() });
    let output = Path::new("recordings/out.flv");
    let stopped = export(&source(&made), Range::ALL, &made.disk, output, &mut |_| false);
    assert_eq!(stopped, Err(Error::Stopped));
    assert!(!made.disk.files().contains_key(output));
}

fn packets_of(packets: &[Timed]) -> Vec<(Kind, Bytes)> {
    let media = packets.iter().filter(|timed| timed.packet.is_media());
    media.map(|timed| (timed.packet.kind, timed.packet.body.clone())).collect()
}
