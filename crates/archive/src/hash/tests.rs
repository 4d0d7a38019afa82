use super::*;

#[test]
fn values_never_change() {
    // Names on disk depend on them.
    assert_eq!(hash64([]), 0xefd0_1f60_ba99_2926);
    assert_eq!(hash64([&b"live/test"[..]]), 0xb64a_5aaa_20fb_7c23);
}

#[test]
fn parts_are_kept_apart() {
    assert_ne!(hash64([&b"ab"[..], b"c"]), hash64([&b"a"[..], b"bc"]));
    assert_ne!(hash64([&b""[..]]), hash64([]));
}
