use std::io::IoSlice;

use super::*;

fn bytes_of(messages: &[(u32, u32, u8, u32, &'static [u8])]) -> Vec<u8> {
    let mut writer = ChunkWriter::new();
    let mut out = Chunks::new();
    for (id, stream, kind, timestamp, body) in messages {
        let body = Bytes::from_static(body);
        writer.write(&mut out, *id, *stream, *kind, *timestamp, &body).unwrap();
    }
    out.to_vec()
}

/// What the second message looks like after one of type 8, stream 1, at 1000 ms, with one byte.
fn second(stream: u32, kind: u8, timestamp: u32, body: &'static [u8]) -> Vec<u8> {
    bytes_of(&[(4, 1, 8, 1_000, b"a"), (4, stream, kind, timestamp, body)])[13..].to_vec()
}

#[test]
fn first_message_and_other_message_streams_have_full_headers() {
    let full = [4, 0, 3, 0xE8, 0, 0, 1, 8, 1, 0, 0, 0, b'a'];
    assert_eq!(bytes_of(&[(4, 1, 8, 1_000, b"a")]), full);
    assert_eq!(second(2, 8, 1_000, b"b"), [4, 0, 3, 0xE8, 0, 0, 1, 8, 2, 0, 0, 0, b'b']);
}

#[test]
fn times_that_go_backwards_have_full_headers() {
    assert_eq!(second(1, 8, 999, b"b"), [4, 0, 3, 0xE7, 0, 0, 1, 8, 1, 0, 0, 0, b'b']);
}

#[test]
fn another_length_or_type_has_a_format_1_header() {
    assert_eq!(second(1, 8, 1_020, b"bb"), [0x44, 0, 0, 20, 0, 0, 2, 8, b'b', b'b']);
    assert_eq!(second(1, 9, 1_020, b"b"), [0x44, 0, 0, 20, 0, 0, 1, 9, b'b']);
}

#[test]
fn format_3_starts_a_message_after_an_equal_delta_but_never_after_a_full_header() {
    // The delta equals the full header's timestamp: readers differ in what format 3 would mean
    // here.
    assert_eq!(second(1, 8, 2_000, b"b"), [0x84, 0, 3, 0xE8, b'b']);
    // Nor with a delta of nothing.
    assert_eq!(second(1, 8, 1_000, b"b"), [0x84, 0, 0, 0, b'b']);
    let four =
        [(4, 1, 8, 0, &b"a"[..]), (4, 1, 8, 20, b"b"), (4, 1, 8, 40, b"c"), (4, 1, 8, 60, b"d")];
    assert_eq!(bytes_of(&four)[13..], [0x84, 0, 0, 20, b'b', 0xC4, b'c', 0xC4, b'd']);
}

#[test]
fn every_chunk_stream_has_headers_of_its_own() {
    let bytes = bytes_of(&[(4, 1, 8, 5, b"a"), (400, 1, 8, 5, b"b"), (4, 1, 8, 7, b"c")]);
    assert_eq!(bytes[13..16], [1, 0x50, 0x01]);
    assert_eq!(bytes[28..], [0x84, 0, 0, 2, b'c']);
}

#[test]
fn continuations_repeat_the_extended_timestamp() {
    let bytes = bytes_of(&[(4, 1, 8, 0x0102_0304, &[7; 300])]);
    assert_eq!(bytes[..4], [4, 0xFF, 0xFF, 0xFF]);
    assert_eq!(bytes[12..16], [1, 2, 3, 4]);
    for start in [16 + 128, 16 + 128 + 5 + 128] {
        assert_eq!(bytes[start..start + 5], [0xC4, 1, 2, 3, 4]);
    }
    assert_eq!(bytes.len(), 16 + 300 + 2 * 5);
}

#[test]
fn continuations_after_a_delta_have_no_extended_timestamp_even_late() {
    let late = 0x0102_0304;
    let bytes = bytes_of(&[(4, 1, 8, late, &[7; 200]), (4, 1, 8, late + 20, &[7; 200])]);
    let second = &bytes[16 + 200 + 5..];
    assert_eq!(second[..4], [0x84, 0, 0, 20]);
    assert_eq!(second[4 + 128], 0xC4);
    assert_eq!(second.len(), 4 + 200 + 1);
}

#[test]
fn deltas_too_long_for_24_bits_become_full_headers() {
    let bytes = bytes_of(&[(4, 1, 8, 0, b"a"), (4, 1, 8, 0xFF_FFFF, b"b")]);
    assert_eq!(bytes[13..17], [4, 0xFF, 0xFF, 0xFF]);
    let bytes = bytes_of(&[(4, 1, 8, 0, b"a"), (4, 1, 8, 0xFF_FFFE, b"b")]);
    assert_eq!(bytes[13..], [0x84, 0xFF, 0xFF, 0xFE, b'b']);
}

#[test]
fn times_go_on_over_the_32_bit_wrap_with_a_delta() {
    let bytes = bytes_of(&[(4, 1, 8, u32::MAX - 9, b"a"), (4, 1, 8, 10, b"b")]);
    assert_eq!(bytes[17..], [0x84, 0, 0, 20, b'b']);
}

#[test]
fn empty_messages_are_a_header_alone() {
    assert_eq!(second(1, 8, 1_020, b""), [0x44, 0, 0, 20, 0, 0, 0, 8]);
}

#[test]
fn a_message_that_fills_its_last_chunk_has_no_empty_one_after_it() {
    assert_eq!(bytes_of(&[(4, 1, 8, 0, &[7; 256])]).len(), 12 + 128 + 1 + 128);
}

#[test]
fn payloads_are_shared_with_the_output() {
    let body = Bytes::from(vec![7; 10_000]);
    for chunk_size in [4_096, 60_000] {
        let mut writer = ChunkWriter::new();
        writer.set_chunk_size(chunk_size);
        let mut out = Chunks::new();
        writer.write(&mut out, 4, 1, 9, 0, &body).unwrap();
        let mut slices = [IoSlice::new(&[]); 8];
        let count = out.fill(&mut slices);
        let own = body.as_ptr_range();
        let shared: usize = slices[..count]
            .iter()
            .filter(|slice| own.contains(&slice.as_ptr()))
            .map(|slice| slice.len())
            .sum();
        assert_eq!(shared, body.len());
    }
}

#[test]
fn chunk_sizes_that_are_none_are_brought_into_range() {
    let mut writer = ChunkWriter::default();
    writer.set_chunk_size(0);
    let mut out = Chunks::new();
    writer.write(&mut out, 4, 1, 8, 0, &Bytes::from_static(b"ab")).unwrap();
    assert_eq!(out.to_vec()[12..], [b'a', 0xC4, b'b']);
}

#[test]
fn a_body_of_24_bits_is_written_and_a_longer_one_refused_with_nothing_written() {
    let body = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(CHUNK_SIZE_MAX);
    let mut out = Chunks::new();
    let error = writer.write(&mut out, 4, 1, 9, 0, &body).unwrap_err();
    assert!(matches!(error, Error::Limit { limit: 0xFF_FFFF, got: 0x100_0000, .. }), "{error}");
    assert!(out.is_empty());
    writer.write(&mut out, 4, 1, 9, 0, &body.slice(1..)).unwrap();
    assert_eq!(out.len(), 12 + MESSAGE_BYTES_MAX);
}
