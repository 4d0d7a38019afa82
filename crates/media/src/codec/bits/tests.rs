use super::*;

#[test]
fn exp_golomb_numbers_are_read() {
    // 1, 010, 011, 00100, 00111, then one of 31 zeros.
    let bytes = [0b1010_0110, 0b0100_0011, 0b1000_0000, 0, 0, 0, 0b0000_0011, 0xFF, 0xFF, 0xFF];
    let mut bits = Bits::new(&bytes);
    for expected in [0, 1, 2, 3, 6] {
        assert_eq!(bits.ue(), Some(expected));
    }
    let mut bits = Bits::new(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE]);
    assert_eq!(bits.ue(), Some(u32::MAX - 1));
    assert_eq!(bits.ue(), None);
    let mut bits = Bits::new(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(bits.ue(), None);
}

#[test]
fn signed_exp_golomb_alternates() {
    // Codes 0 to 4: 1, 010, 011, 00100, 00101.
    let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
    for expected in [0, 1, -1, 2, -2] {
        assert_eq!(bits.se(), Some(expected));
    }
}

#[test]
fn reads_beyond_the_end_are_none() {
    let mut bits = Bits::new(&[0xA5]);
    assert_eq!(bits.u8(3), Some(0b101));
    assert_eq!(bits.rest(), None);
    assert_eq!(bits.u32(6), None);
    let mut bits = Bits::new(&[0xA5, 0x5A]);
    assert_eq!(bits.skip(3), Some(()));
    bits.align();
    assert_eq!(bits.rest(), Some(&[0x5A][..]));
    assert_eq!(bits.skip(8), Some(()));
    assert_eq!(bits.flag(), None);
    assert_eq!(Bits::new(&[0xA5]).skip(9), None);
    assert_eq!(Bits::new(&[0xA5]).skip(usize::MAX), None);
}

#[test]
fn emulation_prevention_is_removed() {
    assert_eq!(&*unescape(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), &[0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(&*unescape(&[0, 3, 0, 0, 1]), &[0, 3, 0, 0, 1]);
}

#[test]
fn implausible_sizes_and_rates_are_none() {
    assert_eq!(cropped(64, [2, 4], 2), Some(52));
    assert_eq!(cropped(64, [32, 0], 2), None);
    assert_eq!(cropped(u32::MAX, [0, 0], 1), None);
    assert_eq!(cropped(64, [u32::MAX, 1], 2), None);
    assert_eq!(frame_rate(50, 2), Some(25.0));
    assert_eq!(frame_rate(90_000, 1), None);
    assert_eq!(frame_rate(25, 0), None);
    assert_eq!(frame_rate(0, 1), None);
}
