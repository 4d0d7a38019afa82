use super::*;

fn fields(timestamp: u32) -> Fields {
    Fields {
        timestamp,
        extended: timestamp >= EXTENDED,
        length: 0x0A_0B0C,
        message_type: 9,
        message_stream_id: 0x0403_0201,
    }
}

const FORMATS: [Format; 4] = [Format::Full, Format::SameStream, Format::SameLength, Format::Same];

#[test]
fn message_stream_id_is_little_endian_and_the_rest_big_endian() {
    let header = encode(Format::Full, 3, &fields(0x01_0203));
    let expected = [0x03, 1, 2, 3, 0x0A, 0x0B, 0x0C, 9, 1, 2, 3, 4];
    assert_eq!(header.as_slice(), expected);
}

#[test]
fn shorter_formats_leave_fields_out_from_the_end() {
    assert_eq!(
        encode(Format::SameStream, 3, &fields(7)).as_slice(),
        [0x43, 0, 0, 7, 0x0A, 0x0B, 0x0C, 9]
    );
    assert_eq!(encode(Format::SameLength, 3, &fields(7)).as_slice(), [0x83, 0, 0, 7]);
    assert_eq!(encode(Format::Same, 3, &fields(7)).as_slice(), [0xC3]);
}

#[test]
fn a_timestamp_of_24_ones_is_extended_and_one_less_is_not() {
    let last_short = [0x83, 0xFF, 0xFF, 0xFE];
    assert_eq!(encode(Format::SameLength, 3, &fields(0xFF_FFFE)).as_slice(), last_short);
    let first_long = [0x83, 0xFF, 0xFF, 0xFF, 0x00, 0xFF, 0xFF, 0xFF];
    assert_eq!(encode(Format::SameLength, 3, &fields(0xFF_FFFF)).as_slice(), first_long);
    let continuation = [0xC3, 0x00, 0xFF, 0xFF, 0xFF];
    assert_eq!(encode(Format::Same, 3, &fields(0xFF_FFFF)).as_slice(), continuation);
}

#[test]
fn chunk_stream_ids_take_one_two_or_three_bytes_the_third_form_little_endian() {
    for (id, bytes) in [
        (2, &[0x02][..]),
        (63, &[0x3F]),
        (64, &[0x00, 0]),
        (319, &[0x00, 255]),
        (320, &[0x01, 0x00, 0x01]),
        (CHUNK_STREAM_ID_MAX, &[0x01, 0xFF, 0xFF]),
    ] {
        let header = encode(Format::Full, id, &fields(0));
        assert_eq!(&header.as_slice()[..bytes.len()], bytes);
        assert_eq!(decode_basic(bytes), Some((Format::Full, id, bytes.len())));
    }
}

#[test]
fn ids_from_64_to_319_are_the_same_in_the_two_byte_and_the_three_byte_form() {
    for beyond in 0..=255 {
        let id = 64 + u32::from(beyond);
        assert_eq!(decode_basic(&[0xC0, beyond]), Some((Format::Same, id, 2)));
        assert_eq!(decode_basic(&[0xC1, beyond, 0]), Some((Format::Same, id, 3)));
    }
}

#[test]
fn every_id_in_every_format_is_read_back_and_every_shorter_prefix_asks_for_more() {
    let ids = (2..700).chain([1_000, 65_535, 65_536, CHUNK_STREAM_ID_MAX]);
    for id in ids {
        for format in FORMATS {
            for timestamp in [0, 0xFF_FFFE, 0xFF_FFFF, u32::MAX] {
                let sent = fields(timestamp);
                let header = encode(format, id, &sent);
                let bytes = header.as_slice();
                let (got_format, got_id, basic) = decode_basic(bytes).unwrap();
                assert_eq!((got_format, got_id), (format, id));
                if format == Format::Same {
                    continue;
                }
                let rest = &bytes[basic..];
                assert_eq!(decode_fields(format, rest, sent), Some((sent, rest.len())));
                for cut in 0..rest.len() {
                    assert_eq!(decode_fields(format, &rest[..cut], sent), None);
                }
            }
        }
    }
}

#[test]
fn header_bytes_take_what_fits_and_drop_from_the_front() {
    let mut bytes = HeaderBytes::default();
    assert_eq!(bytes.put(&[1; 10]), 10);
    assert_eq!(bytes.put(&[2; 10]), HEADER_BYTES_MAX - 10);
    bytes.consume(10);
    assert_eq!(bytes.as_slice(), [2; HEADER_BYTES_MAX - 10]);
    bytes.consume(1_000);
    assert!(bytes.as_slice().is_empty());
}
