use super::*;

#[test]
fn a_chain_of_modifiers_is_followed_to_the_packet_type() {
    // Size 3 - 1, 999,999 ns, then type TimestampOffsetNano and ModEx; size 1 - 1, unknown type 4,
    // CodedFrames.
    let rest = [2, 0x0F, 0x42, 0x3F, 0x07, 0, 0xAA, 0x41, 0xEE];
    let modified = mod_ex(MOD_EX, &rest).unwrap();
    assert_eq!(modified.packet_type, 1);
    assert_eq!(modified.timestamp_offset_nanos, 999_999);
    assert_eq!(modified.rest, [0xEE]);
}

#[test]
fn a_modifier_of_256_bytes_or_more_has_a_16_bit_size() {
    for size in [256_usize, 257, 300, 65_536] {
        let mut rest = vec![0xFF];
        rest.extend_from_slice(&u16::try_from(size - 1).unwrap().to_be_bytes());
        rest.extend(vec![0; size]);
        rest.extend([0x01, 0xEE]);
        let modified = mod_ex(MOD_EX, &rest).unwrap();
        assert_eq!((modified.packet_type, modified.rest), (1, [0xEE].as_slice()), "size {size}");
    }
}

#[test]
fn a_modifier_of_255_bytes_has_an_8_bit_size() {
    let mut rest = vec![0xFE];
    rest.extend([0; 255]);
    rest.push(0x03);
    assert_eq!(mod_ex(MOD_EX, &rest).unwrap().packet_type, 3);
}

#[test]
fn an_offset_beyond_a_millisecond_or_too_short_counts_as_none() {
    let nanos = |rest: &[u8]| mod_ex(MOD_EX, rest).unwrap().timestamp_offset_nanos;
    assert_eq!(nanos(&[2, 0x0F, 0x42, 0x40, 0x01]), 0);
    assert_eq!(nanos(&[1, 0x0F, 0x42, 0x01]), 0);
    assert_eq!(nanos(&[3, 0x00, 0x00, 0x07, 0xFF, 0x01]), 7);
    assert_eq!(nanos(&[2, 0, 0, 7, 0x07, 2, 0xFF, 0xFF, 0xFF, 0x01]), 7, "the last that counts");
    assert_eq!(nanos(&[2, 0, 0, 7, 0x07, 2, 0, 0, 9, 0x01]), 9);
}

#[test]
fn a_chain_of_modifiers_is_bounded() {
    let chain = |modifiers: usize| {
        let mut rest = [0, 0xAA, 0x57].repeat(modifiers - 1);
        rest.extend([0, 0xAA, 0x51]);
        mod_ex(MOD_EX, &rest).map(|modified| modified.packet_type)
    };
    assert_eq!(chain(MODIFIERS_MAX), Ok(1));
    assert_eq!(chain(MODIFIERS_MAX + 1), Err(Malformed::TooManyModifiers));
}

#[test]
fn a_chain_cut_anywhere_is_told() {
    let rest = [2, 0, 0, 1, 0x07, 0xFF, 0, 0, 0xAA, 0x01];
    for len in 0..rest.len() {
        let cut = mod_ex(MOD_EX, &rest[..len]);
        assert!(matches!(cut, Err(Malformed::Truncated(_))), "{len} bytes: {cut:?}");
    }
    assert!(mod_ex(MOD_EX, &rest).is_ok());
}

#[test]
fn nested_and_reserved_multitrack_is_refused() {
    let read = |body| Tracks::new(6, 6, body).map(|_| ());
    assert_eq!(read(b"\x06avc1\x00"), Err(Malformed::Nested));
    assert_eq!(read(b"\x31avc1\x00"), Err(Malformed::Layout(3)));
    assert_eq!(read(b"\x01avc1\x00"), Ok(()));
}

#[test]
fn tracks_end_at_the_first_that_is_cut_short() {
    let body = b"\x11avc1\x00\x00\x00\x01A\x01\x00\x00\x02B";
    let tracks = Tracks::new(6, 6, body).unwrap().map(|track| track.map(|t| (t.id, t.data)));
    let found: Vec<_> = tracks.collect();
    assert_eq!(found, [Ok((0, b"A".as_slice())), Err(Malformed::Truncated("track"))]);
}
