use super::*;
use crate::disk::fake::{Call, FakeDisk, Fault};

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn names(disk: &FakeDisk) -> Vec<String> {
    disk.files().keys().map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn labels_are_replaced_in_one_step() {
    let disk = FakeDisk::default();
    disk.create_dir_all(Path::new("r")).unwrap();
    disk.put("r/a.flv.labels.part", b"left by a killed process");
    let path = Path::new("r/a.flv");
    assert_eq!(read_labels(&disk, path).unwrap(), None);
    for set in [labels(&[("a", "b")]), labels(&[("c", "\"d\"")]), labels(&[])] {
        write_labels(&disk, path, &set).unwrap();
        assert_eq!(read_labels(&disk, path).unwrap(), Some(set));
        assert_eq!(names(&disk), ["r/a.flv.labels"]);
    }
}

#[test]
fn labels_that_cannot_be_written_leave_those_that_were() {
    for failing in [Call::CreateNew, Call::Append, Call::SyncData, Call::Rename] {
        let disk = FakeDisk::failing(move |_, call| {
            (call == failing).then_some(Fault::Error(io::ErrorKind::StorageFull))
        });
        disk.create_dir_all(Path::new("r")).unwrap();
        disk.put("r/a.flv.labels", b"{\"a\": \"old\"}");
        let path = Path::new("r/a.flv");
        write_labels(&disk, path, &labels(&[("a", "new")])).unwrap_err();
        assert_eq!(read_labels(&disk, path).unwrap(), Some(labels(&[("a", "old")])), "{failing:?}");
        assert_eq!(names(&disk), ["r/a.flv.labels"]);
    }
}

#[test]
fn what_are_no_labels_is_told() {
    let disk = FakeDisk::default();
    for text in [
        "",
        "[]",
        "{\"a\": 1}",
        "{\"A\": \"b\"}",
        &format!("{{\"a\": \"{}\"}}", "b".repeat(70_000)),
    ] {
        disk.put("r/a.flv.labels", text.as_bytes());
        let error = read_labels(&disk, Path::new("r/a.flv")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn holding_twice_and_releasing_twice_is_fine() {
    let disk = FakeDisk::default();
    disk.create_dir_all(Path::new("r")).unwrap();
    let path = Path::new("r/a.flv");
    for is in [true, false] {
        for _ in 0..2 {
            if is { hold(&disk, path) } else { release(&disk, path) }.unwrap();
            assert_eq!(is_held(&disk, path).unwrap(), is);
        }
    }
    let broken = FakeDisk::failing(|_, _| Some(Fault::Error(io::ErrorKind::PermissionDenied)));
    hold(&broken, path).unwrap_err();
    release(&broken, path).unwrap_err();
    is_held(&broken, path).unwrap_err();
}

#[test]
fn what_goes_with_a_file_does_not_replace_anything() {
    let disk = FakeDisk::default();
    for name in ["r/a.flv.b3", "r/a.flv.labels", "r/b.flv.labels", "r/a.flv.hold"] {
        disk.put(name, name.as_bytes());
    }
    follow(&disk, Path::new("r/a.flv"), Path::new("r/b.flv"), &FOLLOWERS).unwrap();
    let names = names(&disk);
    assert_eq!(names, ["r/a.flv.hold", "r/a.flv.labels", "r/b.flv.b3", "r/b.flv.labels"]);
    assert_eq!(disk.files()[Path::new("r/b.flv.labels")], b"r/b.flv.labels");
}
