use std::io;

use media::amf0::Value;

use super::*;
use crate::Amount;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::testing::{
    self, assert_begins, clip, mended, metadata, name, scan, video, video_config,
};

/// A stream of its own: log lines are kept by stream.
fn about() -> About {
    About { stream_key: "live/segment".to_owned(), ..testing::about() }
}

fn create(disk: &FakeDisk) -> io::Result<Segment> {
    let (name, header) = (name("live/test"), Header::default());
    let created = Segment::create(disk, Path::new("rec"), &name, about(), Form::Flv, &header);
    created.map_err(|not| not.error)
}

fn end() -> End {
    let end_time = "2025-10-11T14:30:54.123+02:00".to_owned();
    End { length_ms: 2_000, end_time, final_name: None, checksum_files: false }
}

fn ledger(packets: u64) -> Ledger {
    let written = Amount { packets, bytes: packets * 100 };
    Ledger { received: written, written, ..Ledger::default() }
}

fn push(segment: &mut Segment, packets: &[Packet]) {
    for packet in packets {
        segment.push(packet, packet.dts_ms.unsigned_abs()).unwrap();
    }
}

fn path_in(disk: &FakeDisk, name: &str) -> Vec<u8> {
    disk.files()[&Path::new("rec").join(name)].clone()
}

/// A disk that fails at the `n`th of these calls (from 1), and from then on if it `stays` so.
fn failing(wanted: Call, n: usize, stays: bool) -> FakeDisk {
    let mut calls = 0;
    FakeDisk::failing(move |_, call| {
        calls += usize::from(call == wanted);
        let is_due = if stays { calls >= n } else { calls == n };
        (call == wanted && is_due).then_some(Fault::Os(5))
    })
}

#[test]
fn existing_files_are_kept_and_the_next_name_is_taken() {
    let disk = FakeDisk::default();
    disk.put("rec/live_test_20251011_143052.flv", b"somebody's");
    disk.put("rec/live_test_20251011_143052_3.flv", b"else's");
    let mut paths = Vec::new();
    for _ in 0..2 {
        let mut segment = create(&disk).unwrap();
        push(&mut segment, &clip(1)[2..3]);
        paths.push(segment.path().to_owned());
        segment.finish(&disk, &ledger(1), &end()).1.unwrap();
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
fn a_new_file_says_who_it_is_and_is_on_the_disk() {
    let disk = FakeDisk::default();
    let mut header = Header::default();
    header.push(&video_config(7));
    let segment =
        Segment::create(&disk, Path::new("rec"), &name("live/test"), about(), Form::Flv, &header)
            .unwrap();
    use Call::{Append, CreateDir, CreateNew, SyncData, SyncDir};
    assert_eq!(disk.calls(), [CreateDir, CreateNew, Append, SyncData, SyncDir]);
    let file = &disk.files()[segment.path()];
    assert_eq!(metadata(file, "complete"), Value::from(false));
    assert_eq!(metadata(file, "packetsRepeated").as_f64(), Some(1.0));
    assert_eq!(scan(file).len(), 1);
    assert_eq!(segment.position(), file.len() as u64);
    assert_eq!(segment.repeated_packets(), 1);
    assert_eq!(segment.about(), &about());
}

#[test]
fn a_file_that_cannot_be_begun_is_not_left_behind() {
    for call in [Call::Append, Call::SyncData, Call::SyncDir] {
        let disk = failing(call, 1, false);
        assert!(create(&disk).is_err());
        assert!(disk.files().is_empty(), "{call:?}");
    }
}

#[test]
fn a_finished_file_is_synced_before_it_says_so_and_hashed() {
    let disk = FakeDisk::default();
    let mut segment = create(&disk).unwrap();
    let packets = clip(2);
    push(&mut segment, &packets[..20]);
    segment.flush().unwrap();
    segment.refresh(&ledger(20)).unwrap();
    segment.sync().unwrap();
    push(&mut segment, &packets[20..]);
    let before = disk.calls().len();
    let end = End { final_name: Some(name("live/end")), checksum_files: true, ..end() };
    let finished = segment.finish(&disk, &ledger(42), &end).1.unwrap();
    use Call::{Append, Check, CreateDir, CreateNew, Read, Rename, SyncData, SyncDir, WriteAt};
    let expected = [
        Append, Check, WriteAt, SyncData, WriteAt, SyncData, Read, CreateDir, Rename, SyncDir,
        CreateNew, Append, SyncData, CreateNew, Append, SyncData,
    ];
    assert_eq!(disk.calls()[before..], expected);
    let path = Path::new("rec/live_end_20251011_143052.flv");
    let file = path_in(&disk, "live_end_20251011_143052.flv");
    assert_eq!(assert_begins(&scan(&file), &packets), packets.len());
    assert_eq!(metadata(&file, "complete"), Value::from(true));
    assert_eq!(metadata(&file, "filesize").as_f64(), Some(file.len() as f64));
    assert_eq!(metadata(&file, "packetsWritten").as_f64(), Some(42.0));
    let hash = Hash(blake3::hash(&file).into());
    let expected = Finished {
        path: path.to_owned(),
        about: about(),
        ledger: ledger(42),
        size_bytes: file.len() as u64,
        length_ms: 2_000,
        end_time: end.end_time.clone(),
        hash,
        chain: chain(None, hash),
    };
    assert_eq!(finished, expected);
    let beside = |suffix| {
        String::from_utf8(path_in(&disk, &format!("live_end_20251011_143052.flv{suffix}"))).unwrap()
    };
    assert_eq!(beside(".b3"), format!("{hash}  live_end_20251011_143052.flv\n"));
    assert_eq!(beside(".chain"), format!("{}\n", finished.chain));
}

#[test]
fn a_name_that_is_taken_is_not_replaced_at_the_end() {
    let disk = FakeDisk::default();
    disk.put("rec/live_end_20251011_143052.flv", b"somebody's");
    let segment = create(&disk).unwrap();
    let end = End { final_name: Some(name("live/end")), ..end() };
    let finished = segment.finish(&disk, &ledger(0), &end).1.unwrap();
    assert_eq!(finished.path, Path::new("rec/live_end_20251011_143052_2.flv"));
    assert_eq!(path_in(&disk, "live_end_20251011_143052.flv"), b"somebody's");
    assert_eq!(disk.files().len(), 2);
}

#[test]
fn a_file_is_not_said_to_be_complete_when_the_disk_fails_before() {
    // Creating syncs once; finishing patches and syncs, then patches one byte and syncs.
    for (call, n) in [(Call::WriteAt, 1), (Call::SyncData, 2), (Call::WriteAt, 2)] {
        let disk = failing(call, n, false);
        let mut segment = create(&disk).unwrap();
        let packets = clip(1);
        push(&mut segment, &packets);
        let path = segment.path().to_owned();
        assert!(segment.finish(&disk, &ledger(22), &end()).1.is_err(), "{call:?} {n}");
        let file = &disk.files()[&path];
        assert_eq!(metadata(file, "complete"), Value::from(false), "{call:?} {n}");
        assert_eq!(assert_begins(&scan(file), &packets), packets.len());
    }
}

#[test]
fn a_sidecar_that_cannot_be_written_costs_only_itself() {
    let disk = failing(Call::CreateNew, 2, true);
    let segment = create(&disk).unwrap();
    let end = End { checksum_files: true, ..end() };
    segment.finish(&disk, &ledger(0), &end).1.unwrap();
    assert_eq!(disk.files().len(), 1);
}

#[test]
fn a_torn_append_is_cut_back_to_whole_tags_and_completed() {
    let mut appends = 0;
    let disk = FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        match (call, appends) {
            (Call::Append, 3) => Some(Fault::Short(2_222)),
            (Call::Append, 4) => Some(Fault::Error(io::ErrorKind::StorageFull)),
            _ => None,
        }
    });
    let packets = clip(2);
    let mut segment = create(&disk).unwrap();
    push(&mut segment, &packets[..22]);
    segment.flush().unwrap();
    segment.refresh(&ledger(22)).unwrap();
    push(&mut segment, &packets[22..]);
    assert_eq!(segment.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    let path = segment.path().to_owned();
    let Left::File(finished) = segment.abandon(&disk, &ledger(22), &end()).unwrap() else {
        panic!("there is a file")
    };
    let file = &disk.files()[&path];
    assert_eq!(assert_begins(&scan(file), &packets), 22);
    assert_eq!(metadata(file, "complete"), Value::from(true));
    assert_eq!(metadata(file, "filesize").as_f64(), Some(file.len() as f64));
    assert_eq!(finished.hash, Hash(blake3::hash(file).into()));
    assert_eq!(finished.ledger, ledger(22));
}

#[test]
fn what_cannot_be_completed_now_is_mended_later() {
    let disk = failing(Call::SyncData, 2, false);
    let packets = clip(2);
    let mut segment = create(&disk).unwrap();
    push(&mut segment, &packets);
    segment.flush().unwrap();
    let path = segment.path().to_owned();
    assert!(segment.abandon(&disk, &ledger(42), &end()).is_err());
    let finished = mended(recover::mend(&disk, &path, false));
    let file = &disk.files()[&path];
    assert_eq!(assert_begins(&scan(file), &packets), packets.len());
    assert_eq!(metadata(file, "complete"), Value::from(true));
    assert_eq!(finished.hash, Hash(blake3::hash(file).into()));
    assert_eq!(finished.ledger.written.packets, 42);
    assert!(finished.ledger.is_balanced());
    // Twice is once.
    assert_eq!(mended(recover::mend(&disk, &path, false)), finished);
}

#[test]
fn a_file_that_got_nothing_is_removed() {
    let disk = failing(Call::Append, 2, true);
    let mut segment = create(&disk).unwrap();
    push(&mut segment, &[video(0, true, 10)]);
    assert!(segment.flush().is_err());
    assert_eq!(segment.abandon(&disk, &ledger(0), &end()).unwrap(), Left::Nothing);
    assert!(disk.files().is_empty());
}

/// Linux counts its copy as clean after it could not be written, and the next sync succeeds.
#[test]
fn what_a_failed_sync_may_have_lost_is_cut_off_and_written_anew() {
    let disk = failing(Call::SyncData, 2, false);
    let mut segment = create(&disk).unwrap();
    push(&mut segment, &clip(1));
    segment.flush().unwrap();
    assert!(segment.sync().is_err());
    segment.refresh(&ledger(22)).unwrap();
    let path = segment.path().to_owned();
    assert!(segment.abandon(&disk, &ledger(22), &end()).is_err(), "the next sync proves nothing");
    let before = disk.files()[&path].clone();
    let calls = disk.calls().len();
    let finished = mended(recover::mend(&disk, &path, false));
    let files = disk.files();
    assert_eq!(files.len(), 1, "what was kept beside is removed");
    assert_eq!(scan(&files[&path]), scan(&before));
    assert_eq!(finished.hash, Hash(blake3::hash(&files[&path]).into()));
    let calls: Vec<_> = disk.calls()[calls..].to_vec();
    let wanted = [Call::CreateNew, Call::Append, Call::SyncData, Call::Truncate, Call::Append];
    let mut wanted = wanted.iter().peekable();
    for call in &calls {
        wanted.next_if(|next| *next == call);
    }
    assert_eq!(wanted.next(), None, "{calls:?}");
}
