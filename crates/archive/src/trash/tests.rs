use super::*;
use crate::disk::Space;
use crate::disk::fake::FakeDisk;

fn id() -> RecordingId {
    "00000000000000ab".parse().unwrap()
}

#[test]
fn a_file_goes_where_a_rename_can_take_it() {
    let disk = FakeDisk::default();
    disk.mount("r/mounted", Space { device: 2, free_bytes: 1, total_bytes: 1 });
    let roots = [PathBuf::from("r"), PathBuf::from("r/inner"), PathBuf::from("other")];
    let place = |path: &str| place(&disk, &roots, Path::new(path), id());
    let bin = |base: &str, below: &str| {
        let dir = PathBuf::from(format!("{base}/.rtmp-server/bin/00000000000000ab"));
        Place { path: dir.join(below), dir }
    };
    assert_eq!(place("r/a.flv").unwrap(), bin("r", "a.flv"));
    assert_eq!(place("r/day/a.flv").unwrap(), bin("r", "day/a.flv"));
    assert_eq!(place("r/inner/day/a.flv").unwrap(), bin("r/inner", "day/a.flv"));
    assert_eq!(place("r/mounted/day/a.flv").unwrap(), bin("r/mounted", "day/a.flv"));
    assert_eq!(place("other/a.flv").unwrap(), bin("other", "a.flv"));
    assert_eq!(place("elsewhere/a.flv").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(recording(&place("r/a.flv").unwrap().dir), Some(id()));
    assert_eq!(recording(Path::new("r/day")), None);
}

#[test]
fn the_first_note_stays() {
    let disk = FakeDisk::default();
    let dir = Path::new("r/.rtmp-server/bin/00000000000000ab");
    assert_eq!(since(&disk, dir), None);
    note(&disk, dir, 1_760_185_852_123).unwrap();
    note(&disk, dir, 5).unwrap();
    assert_eq!(since(&disk, dir), Some(1_760_185_852_123));
    for text in ["", "[]", "{}", "{\"binned\": 1}", "{\"binned\": \"yesterday\"}"] {
        disk.put(dir.join(NOTE).to_str().unwrap(), text.as_bytes());
        assert_eq!(since(&disk, dir), None, "{text}");
    }
    note(&disk, dir, 5).unwrap();
    assert_eq!(since(&disk, dir), Some(5));
    // The way that it goes is the last that was noted.
    assert!(!is_leaving(&disk, dir));
    note_leaving(&disk, dir).unwrap();
    assert_eq!((since(&disk, dir), is_leaving(&disk, dir)), (Some(5), true));
    note(&disk, dir, 9).unwrap();
    assert_eq!((since(&disk, dir), is_leaving(&disk, dir)), (Some(5), false));
}

#[test]
fn what_is_empty_goes_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let dir = of(root.path()).join(id().to_string());
    let folder = dir.join("a/b");
    std::fs::create_dir_all(&folder).unwrap();
    note(&crate::SystemDisk, &dir, 5).unwrap();
    std::fs::write(dir.join("a/kept"), b"").unwrap();
    tidy(&crate::SystemDisk, &dir, &folder);
    assert!(!folder.exists() && dir.join(NOTE).exists());
    std::fs::remove_file(dir.join("a/kept")).unwrap();
    tidy(&crate::SystemDisk, &dir, &dir.join("a"));
    assert!(!of(root.path()).exists());
}
