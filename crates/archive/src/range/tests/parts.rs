//! MP4 gives the packets that FLV gives.

use super::*;
use crate::{Amount, Format};
use made::Run;

pub(super) fn made(format: Format, runs: &[Run]) -> Made {
    let mut made = Made::new();
    runs.iter().for_each(|run| made.run(&Run { format, ..run.clone() }));
    made
}

/// What is told of a packet, but for where it stands.
fn told(packets: &[Timed]) -> Vec<(Kind, i64, Bytes, i64, bool, usize)> {
    let told = |timed: &Timed| {
        let Timed { packet, unix_ms, is_before, segment, .. } = timed;
        (packet.kind, packet.dts_ms, packet.body.clone(), *unix_ms, *is_before, *segment)
    };
    packets.iter().map(told).collect()
}

#[test]
fn any_range_of_mp4_is_that_of_flv() {
    let gap = crate::Gap {
        at_ms: 1_500,
        length_ms: 400,
        reason: GapReason::SlowDisk,
        dropped: Amount { packets: 3, bytes: 99 },
    };
    let streams = [
        vec![Run { gops: 6, ..Run::default() }],
        vec![Run { gops: 7, cut_every: 2, ..Run::default() }],
        vec![Run { gops: 5, cut_every: 3, video: false, ..Run::default() }],
        vec![Run { gops: 5, gap: Some(gap), change: Some((3, 9)), ..Run::default() }],
        vec![
            Run { gops: 3, cut_every: 2, ..Run::default() },
            Run { gops: 4, away_ms: 2_500, dts_ms: 77, config: 2, ..Run::default() },
            Run { gops: 3, recording: 2, away_ms: 900, grows: true, ..Run::default() },
        ],
    ];
    let ends = [0, 1, 990, 1_000, 1_550, 2_999, 3_700, 4_250, 6_000, 60_000];
    for runs in &streams {
        let (flv, mp4) = (made(Format::Flv, runs), made(Format::Mp4, runs));
        let (flv, mp4) = (source(&flv), source(&mp4));
        for cut in [Cut::KeyFrame, Cut::Exact] {
            for (i, from) in ends.iter().enumerate() {
                for to in &ends[i + 1..] {
                    let range = range(*from, *to, cut);
                    let (packets, gaps) = read(&mp4, range);
                    let (expected, missing) = read(&flv, range);
                    assert_eq!(told(&packets), told(&expected), "{from} to {to} {cut:?} {runs:?}");
                    assert_eq!(gaps, missing, "{from} to {to} {cut:?} {runs:?}");
                    match (bytes(&mp4, range), bytes(&flv, range)) {
                        (Ok(found), Ok(expected)) => {
                            let (found, expected) = (tags(&found).0, tags(&expected).0);
                            assert_eq!(media_of(&found), media_of(&expected), "{from} to {to}");
                        }
                        (found, expected) => assert_eq!(found.err(), expected.err()),
                    }
                }
            }
        }
    }
}

#[test]
fn a_growing_mp4_file_gives_its_whole_parts_and_the_same_as_it_was_to_a_download() {
    let mut made = Made::new();
    let run =
        Run { gops: 9, grows: true, frame_bytes: 9_000, format: Format::Mp4, ..Run::default() };
    made.run(&run);
    let path = made.segments[0].path.clone();
    let whole = made.disk.files()[&path].clone();
    let (all, _) = read(&source(&made), Range::ALL);
    assert_eq!(told(&all).len(), made.sent.len());
    let mut counts = Vec::new();
    for end in ((33 << 10)..whole.len()).step_by(7_919) {
        made.disk.put(path.to_str().unwrap(), &whole[..end]);
        let (packets, gaps) = read(&source(&made), Range::ALL);
        assert_eq!(gaps, []);
        assert_eq!(told(&packets), told(&all[..packets.len()]));
        counts.push(packets.len());
    }
    counts.dedup();
    assert_eq!(counts.len(), 9, "{counts:?}");
    made.disk.put(path.to_str().unwrap(), &whole);
    tags(&bytes_while_it_grows(&made));
}

#[test]
fn a_damaged_part_is_told_and_all_others_are_given() {
    let mut made = Made::new();
    made.run(&Run { gops: 4, format: Format::Mp4, ..Run::default() });
    let path = made.segments[0].path.clone();
    let mut file = made.disk.files()[&path].clone();
    let third = marks(&file)[2];
    file[third..third + 40].fill(0xff);
    made.disk.put(path.to_str().unwrap(), &file);
    let (packets, gaps) = read(&source(&made), Range::ALL);
    assert_eq!(packets.iter().filter(|timed| timed.packet.is_media()).count(), 60);
    assert!(matches!(gaps[..], [Gap { cause: Cause::Damaged, .. }]), "{gaps:?}");
    assert_eq!((gaps[0].from_unix_ms - START, gaps[0].to_unix_ms - START), (1_923, 3_000));
}

/// Where the parts of a file say that they are some.
fn marks(file: &[u8]) -> Vec<usize> {
    let mark = &media::mp4::mux::PART_MARK;
    let marks = file.windows(20).enumerate().filter(|(_, bytes)| bytes == mark);
    marks.map(|(at, _)| at).collect()
}
