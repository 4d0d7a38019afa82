use std::io::{self, IoSlice};

use bytes::Bytes;
use media::Chunks;

use super::fake::{Call, FakeDisk, Fault};
use super::*;

fn chunks(parts: usize, size: usize) -> Chunks {
    let mut chunks = Chunks::new();
    for part in (0..=u8::MAX).cycle().take(parts) {
        chunks.put(Bytes::from(vec![part; size]));
    }
    chunks
}

fn fake_file(disk: &FakeDisk) -> Box<dyn DiskFile> {
    disk.create_dir_all(Path::new("d")).unwrap();
    disk.create_new(Path::new("d/f")).unwrap()
}

#[test]
fn short_and_interrupted_appends_are_continued() {
    let disk = FakeDisk::failing(|n, call| match (call, n % 3) {
        (Call::Append, 0) => Some(Fault::Error(io::ErrorKind::Interrupted)),
        (Call::Append, 1) => Some(Fault::Short(333)),
        _ => None,
    });
    let mut chunks = chunks(2_000, 300);
    let all = chunks.to_vec();
    append_all(&mut *fake_file(&disk), &mut chunks, |_| {}).unwrap();
    assert!(chunks.is_empty());
    assert!(disk.files()[Path::new("d/f")] == all);
}

#[test]
fn a_file_that_takes_nothing_is_an_error() {
    let disk = FakeDisk::failing(|_, call| (call == Call::Append).then_some(Fault::Short(0)));
    let error = append_all(&mut *fake_file(&disk), &mut chunks(1, 10), |_| {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn after_an_error_the_rest_is_still_there() {
    let mut appends = 0;
    let disk = FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        match (call, appends) {
            (Call::Append, 1) => Some(Fault::Short(1_000)),
            (Call::Append, 2) => Some(Fault::Error(io::ErrorKind::StorageFull)),
            _ => None,
        }
    });
    let mut file = fake_file(&disk);
    let mut chunks = chunks(10, 500);
    let all = chunks.to_vec();
    let error = append_all(&mut *file, &mut chunks, |_| {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(chunks.len(), 4_000);
    append_all(&mut *file, &mut chunks, |_| {}).unwrap();
    assert!(disk.files()[Path::new("d/f")] == all);
}

#[test]
fn real_files_are_appended_to_patched_and_cut() {
    let dir = tempfile::tempdir().unwrap();
    let nested = dir.path().join("a/b");
    SystemDisk.create_dir_all(&nested).unwrap();
    SystemDisk.create_dir_all(&nested).unwrap();
    let path = nested.join("f");
    let mut file = SystemDisk.create_new(&path).unwrap();
    assert_eq!(file.append(&[IoSlice::new(b"0123"), IoSlice::new(b"456789")]).unwrap(), 10);
    file.write_at(2, b"xy").unwrap();
    assert_eq!(file.append(&[IoSlice::new(b"ab")]).unwrap(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), b"01xy456789ab");
    file.truncate(5).unwrap();
    file.append(&[IoSlice::new(b"Z")]).unwrap();
    file.sync_data().unwrap();
    file.check().unwrap();
    drop(file);
    SystemDisk.sync_dir(&nested).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"01xy4Z");
    SystemDisk.remove(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn an_existing_file_is_never_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, b"precious").unwrap();
    let error = SystemDisk.create_new(&path).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[cfg(unix)]
#[test]
fn a_deleted_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let mut file = SystemDisk.create_new(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(file.check().unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_moved_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let [path, elsewhere] = ["f", "g"].map(|name| dir.path().join(name));
    let mut file = SystemDisk.create_new(&path).unwrap();
    file.append(&[IoSlice::new(b"grows")]).unwrap();
    assert!(file.is_at(&path));
    assert!(!file.is_at(&dir.path().join("no/such/directory")));
    std::fs::rename(&path, &elsewhere).unwrap();
    assert!(!file.is_at(&path) && file.is_at(&elsewhere));
    file.check().unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_in_the_place_of_a_moved_one_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let mut file = SystemDisk.create_new(&path).unwrap();
    std::fs::rename(&path, dir.path().join("g")).unwrap();
    file.append(&[IoSlice::new(b"grows")]).unwrap();
    std::fs::write(&path, b"as it was").unwrap();
    assert!(!file.is_at(&path));
}

#[cfg(unix)]
#[test]
fn files_are_not_for_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    drop(SystemDisk.create_new(&path).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0);
}

#[cfg(unix)]
#[test]
fn the_working_directory_can_be_synced() {
    SystemDisk.sync_dir(Path::new("")).unwrap();
}

#[test]
fn a_file_that_is_open_is_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let created = SystemDisk.create_new(&path).unwrap();
    let refused = || SystemDisk.open(&path).err().map(|error| error.kind());
    assert_eq!(refused(), Some(io::ErrorKind::WouldBlock));
    drop(created);
    let mut opened = SystemDisk.open(&path).unwrap();
    assert_eq!(refused(), Some(io::ErrorKind::WouldBlock));
    // The lock is the file's, whatever it is called.
    let renamed = dir.path().join("g");
    SystemDisk.rename_new(&path, &renamed).unwrap();
    assert!(SystemDisk.open(&renamed).is_err());
    opened.append(&[IoSlice::new(b"1")]).unwrap();
    drop(opened);
    assert!(SystemDisk.open(&renamed).is_ok());
    assert_eq!(refused(), Some(io::ErrorKind::NotFound));
}

#[test]
fn a_new_name_never_replaces_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let [from, to, free] = ["from", "to", "free"].map(|name| dir.path().join(name));
    std::fs::write(&from, b"new").unwrap();
    std::fs::write(&to, b"precious").unwrap();
    let error = SystemDisk.rename_new(&from, &to).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    // The same on a file system that has no call for it.
    let error = rename_reserved(&from, &to).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    rename_reserved(&from, &free).unwrap();
    assert_eq!(std::fs::read(&free).unwrap(), b"new");
    assert!(rename_reserved(&from, &dir.path().join("nothing")).is_err());
    let left: Vec<_> = SystemDisk.list(dir.path()).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
}
