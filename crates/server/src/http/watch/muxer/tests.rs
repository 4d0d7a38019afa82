use super::*;

#[test]
fn no_other_stream_is_begun_beyond_the_number_or_the_bytes_of_all() {
    let muxers = Muxers { most: (2, 100), ..Muxers::default() };
    let refused = |count| muxers.admit(count).err().map(|problem| problem.code());
    assert_eq!(refused(1), None);
    assert_eq!(refused(2), Some(Code::TooManyViews));
    // What a muxer holds counts from when it holds it until it is gone.
    muxers.bytes.fetch_add(99, Ordering::Relaxed);
    assert_eq!(refused(1), None);
    muxers.bytes.fetch_add(1, Ordering::Relaxed);
    assert_eq!(refused(0), Some(Code::TooManyViews));
    muxers.bytes.fetch_sub(1, Ordering::Relaxed);
    assert_eq!(refused(0), None);
}
