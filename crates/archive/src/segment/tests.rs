use std::io;

use super::*;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::path::{Facts, Template};
use crate::testing::{about, clip, scan};

fn create(disk: &FakeDisk) -> io::Result<Segment> {
    let start = "2025-10-11T14:30:52+02:00[Europe/Berlin]".parse().unwrap();
    let (stream_key, recording) = ("live/test", "00");
    let name = Template::default().name(&Facts {
        stream_key,
        start: &start,
        end: None,
        sequence: 1,
        recording,
    });
    Segment::create(disk, Path::new("rec"), &name, &about(), &Header::default())
}

#[test]
fn existing_files_are_kept_and_the_next_name_is_taken() {
    let disk = FakeDisk::default();
    disk.put("rec/live_test_20251011_143052.flv", b"somebody's");
    disk.put("rec/live_test_20251011_143052_3.flv", b"else's");
    let mut paths = Vec::new();
    for _ in 0..2 {
        let mut segment = create(&disk).unwrap();
        segment.push(&clip(1)[2], 0).unwrap();
        segment.flush().unwrap();
        paths.push(segment.path().to_owned());
        segment.finish(&disk).unwrap();
    }
    let expected = ["rec/live_test_20251011_143052_2.flv", "rec/live_test_20251011_143052_4.flv"];
    assert_eq!(paths, expected.map(PathBuf::from));
    let files = disk.files();
    assert_eq!(files[Path::new("rec/live_test_20251011_143052.flv")], b"somebody's");
    assert_eq!(files[Path::new("rec/live_test_20251011_143052_3.flv")], b"else's");
    assert_eq!(scan(&files[&paths[0]]), scan(&files[&paths[1]]));
}

#[test]
fn names_are_not_tried_for_ever() {
    let taken =
        |_, call| (call == Call::CreateNew).then_some(Fault::Error(io::ErrorKind::AlreadyExists));
    let disk = FakeDisk::failing(taken);
    let error = create(&disk).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    let expected = "10000 files named like live_test_20251011_143052.flv exist";
    assert_eq!(error.to_string(), expected);
    let tries = disk.calls().iter().filter(|call| **call == Call::CreateNew).count();
    assert_eq!(tries, CANDIDATES as usize);
}

#[test]
fn a_torn_append_is_cut_back_to_whole_tags() {
    let mut appends = 0;
    let disk = FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        match (call, appends) {
            (Call::Append, 2) => Some(Fault::Short(2_222)),
            (Call::Append, 3) => Some(Fault::Error(io::ErrorKind::StorageFull)),
            _ => None,
        }
    });
    let packets = clip(2);
    let mut segment = create(&disk).unwrap();
    for part in packets.chunks(22) {
        for packet in part {
            segment.push(packet, packet.dts_ms.unsigned_abs()).unwrap();
        }
        let _ = segment.flush();
    }
    let path = segment.path().to_owned();
    segment.abandon(&disk).unwrap();
    let kept: Vec<_> = scan(&disk.files()[&path]).into_iter().map(|p| p.body).collect();
    let first: Vec<_> = packets[..22].iter().map(|p| p.body.clone()).collect();
    assert_eq!(kept, first);
}

#[test]
fn a_file_that_got_nothing_is_removed() {
    let disk = FakeDisk::failing(|_, call| (call == Call::Append).then_some(Fault::Os(28)));
    let mut segment = create(&disk).unwrap();
    segment.push(&clip(1)[0], 0).unwrap();
    assert_eq!(segment.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    segment.abandon(&disk).unwrap();
    assert!(disk.files().is_empty());
}
