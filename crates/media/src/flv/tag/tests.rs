use proptest::prelude::*;

use super::*;

#[test]
fn file_header_is_thirteen_fixed_bytes() {
    assert_eq!(
        FILE_HEADER,
        [0x46, 0x4C, 0x56, 0x01, 0x05, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00]
    );
}

#[test]
fn header_has_type_size_low_time_high_time_and_stream_id() {
    let header = TagHeader::new(9, 0x01_02_03, 0x0A_0B_0C_0D);
    assert_eq!(header.encode(), [0x09, 0x01, 0x02, 0x03, 0x0B, 0x0C, 0x0D, 0x0A, 0x00, 0x00, 0x00]);
}

#[test]
fn time_goes_on_past_24_bits_in_the_eighth_byte() {
    let time = |ms| TagHeader::new(8, 0, ms).encode()[4..8].to_vec();
    assert_eq!(time(0), [0, 0, 0, 0]);
    assert_eq!(time(16_777_215), [0xFF, 0xFF, 0xFF, 0x00]);
    assert_eq!(time(16_777_216), [0x00, 0x00, 0x00, 0x01]);
    assert_eq!(time(u32::MAX), [0xFF, 0xFF, 0xFF, 0xFF]);
}

#[test]
fn tag_types_are_8_9_and_hex_12() {
    let first = |kind: crate::Kind| TagHeader::new(kind.number(), 0, 0).encode()[0];
    assert_eq!(first(crate::Kind::Audio), 0x08);
    assert_eq!(first(crate::Kind::Video), 0x09);
    assert_eq!(first(crate::Kind::Data), 0x12);
}

#[test]
fn previous_tag_size_counts_the_header() {
    assert_eq!(TagHeader::new(9, 0, 0).tag_size(), 11);
    assert_eq!(TagHeader::new(9, 0xFF_FFFF, 0).tag_size(), 0x0100_000A);
}

#[test]
fn filter_and_reserved_bits_are_told_from_the_type() {
    let header = TagHeader::decode([0xE9, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!((header.kind, header.encrypted, header.reserved), (9, true, 3));
    assert_eq!((header.size, header.stream_id), (1, 7));
}

proptest! {
    #[test]
    fn any_eleven_bytes_survive_decoding_and_encoding(bytes: [u8; 11]) {
        prop_assert_eq!(TagHeader::decode(bytes).encode(), bytes);
    }
}
