use std::io;

use super::*;

#[test]
fn known_errors_have_plain_words() {
    let of = |kind: io::ErrorKind| words(&kind.into());
    assert_eq!(of(io::ErrorKind::PermissionDenied), "permission denied");
    assert_eq!(of(io::ErrorKind::StorageFull), "no space left on device");
    assert_eq!(of(io::ErrorKind::ReadOnlyFilesystem), "read-only file system");
    assert_eq!(of(io::ErrorKind::NotADirectory), "not a directory");
}

#[cfg(target_os = "linux")]
#[test]
fn error_numbers_have_the_same_words() {
    let of = |number| words(&io::Error::from_raw_os_error(number));
    assert_eq!(of(13), "permission denied");
    assert_eq!(of(1), "permission denied");
    assert_eq!(of(28), "no space left on device");
    assert_eq!(of(30), "read-only file system");
    assert_eq!(of(122), "disk quota exceeded");
    assert_eq!(of(2), "no such file or directory");
    assert_eq!(of(116), "stale file handle");
    assert!(of(5).starts_with("Input/output error"), "{}", of(5));
}

#[test]
fn own_texts_are_kept() {
    let own = io::Error::new(io::ErrorKind::NotFound, "the file was deleted");
    assert_eq!(words(&own), "the file was deleted");
}
