use super::*;
use crate::chunk::tests::{drain, open_limits};

fn reader() -> ChunkReader {
    ChunkReader::new(&open_limits())
}

/// A format 0 header on message stream 1, as type 9; `id` below 64.
fn full(id: u8, timestamp: u32, length: usize) -> Vec<u8> {
    let mut header = vec![id];
    header.extend(&timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
    header.extend(&u32::try_from(length).unwrap().to_be_bytes()[1..]);
    header.extend([9, 1, 0, 0, 0]);
    if timestamp >= 0xFF_FFFF {
        header.extend(timestamp.to_be_bytes());
    }
    header
}

fn all(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Time and payload of every message in `bytes`.
fn read(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let messages = drain(&mut reader(), bytes).unwrap();
    messages.into_iter().map(|m| (m.timestamp, m.body.to_vec())).collect()
}

fn times(bytes: &[u8]) -> Vec<u32> {
    read(bytes).into_iter().map(|(time, _)| time).collect()
}

#[test]
fn ids_64_to_319_in_either_form_are_one_chunk_stream() {
    let mut long_form = vec![0x01, 255, 0];
    long_form.extend(&full(3, 10, 1)[1..]);
    let bytes = all(&[&long_form, b"a", &[0xC0, 255], b"b", &[0xC1, 255, 0], b"c"]);
    let messages = drain(&mut reader(), &bytes).unwrap();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|m| m.chunk_stream_id == 319 && m.message_stream_id == 1));
}

#[test]
fn types_may_alternate_on_one_chunk_stream_and_media_may_use_stream_2() {
    let bytes = [0x02, 0, 0, 5, 0, 0, 1, 9, 1, 0, 0, 0, b'v', 0x42, 0, 0, 1, 0, 0, 1, 8, b'a'];
    let messages = drain(&mut reader(), &bytes).unwrap();
    let got: Vec<_> = messages.iter().map(|m| (m.message_type, m.timestamp)).collect();
    assert_eq!(got, [(9, 5), (8, 6)]);
}

#[test]
fn chunk_size_is_128_until_set_and_a_new_one_holds_for_the_next_chunk_in_mid_message() {
    let set_to_300 = [0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 1, 44];
    let bytes = all(&[&full(6, 0, 428), &[1; 128], &set_to_300, &[0xC6], &[2; 300]]);
    let got = read(&bytes);
    assert_eq!(got[1].1, [[1; 128].as_slice(), &[2; 300]].concat());
}

#[test]
fn chunk_size_1_is_read() {
    let set_to_1 = [0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    let bytes = all(&[&set_to_1, &full(6, 0, 3), b"a\xC6b\xC6c"]);
    assert_eq!(read(&bytes)[1].1, b"abc");
}

#[test]
fn chunk_size_0_or_with_the_top_bit_is_an_error_and_the_largest_is_not() {
    for got in [0, 0x8000_0000, u32::MAX] {
        let error = reader().set_chunk_size(got).unwrap_err();
        assert_eq!(error, Error::Protocol(Protocol::ChunkSize { got }));
    }
    let mut reader = reader();
    reader.set_chunk_size(CHUNK_SIZE_MAX).unwrap();
    let bytes = all(&[&full(6, 0, 70_000), &vec![3; 70_000]]);
    assert_eq!(drain(&mut reader, &bytes).unwrap()[0].body.len(), 70_000);
}

#[test]
fn a_claimed_length_is_not_allocated() {
    let mut reader = reader();
    reader.set_chunk_size(CHUNK_SIZE_MAX).unwrap();
    drain(&mut reader, &full(6, 0, 0xFF_FFFF)).unwrap();
    assert_eq!(reader.partial_bytes(), 0);
    drain(&mut reader, &[7]).unwrap();
    assert_eq!(reader.partial_bytes(), 1);
    drain(&mut reader, &[7; 99]).unwrap();
    assert_eq!(reader.partial_bytes(), 100);
    // Once past the first inputs it doubles.
    drain(&mut reader, &[7]).unwrap();
    assert_eq!(reader.partial_bytes(), 200);
}

#[test]
fn the_buffer_of_a_gathered_message_ends_at_its_exact_size() {
    let mut reader = reader();
    reader.set_chunk_size(1_000).unwrap();
    let header = full(6, 0, 777);
    assert!(drain(&mut reader, &header).unwrap().is_empty());
    for piece in [[5; 500].as_slice(), &[5; 276]] {
        assert!(drain(&mut reader, piece).unwrap().is_empty());
    }
    assert_eq!(reader.partial_bytes(), 777);
    assert_eq!(drain(&mut reader, &[5]).unwrap()[0].body, vec![5; 777]);
    assert_eq!(reader.partial_bytes(), 0);
}

#[test]
fn formats_2_and_3_on_an_unknown_chunk_stream_are_errors_that_say_where() {
    for (byte, format) in [(0x85, 2), (0xC5, 3)] {
        let bytes = all(&[&full(3, 0, 1), b"x", &[byte]]);
        let error = drain(&mut reader(), &bytes).unwrap_err();
        let expected = Protocol::NoEarlierHeader { offset: 13, format, chunk_stream_id: 5 };
        assert_eq!(error, Error::Protocol(expected));
    }
}

#[test]
fn format_1_on_an_unknown_chunk_stream_is_message_stream_0() {
    let messages = drain(&mut reader(), &[0x43, 0, 0, 7, 0, 0, 1, 20, b'x']).unwrap();
    let m = &messages[0];
    assert_eq!((m.message_stream_id, m.message_type, m.timestamp), (0, 20, 7));
}

#[test]
fn format_3_that_starts_a_message_adds_the_last_delta() {
    let bytes = all(&[&full(4, 1_000, 1), b"a", &[0x84, 0, 0, 20], b"b\xC4c\xC4d"]);
    assert_eq!(times(&bytes), [1_000, 1_020, 1_040, 1_060]);
}

#[test]
fn format_3_after_format_0_adds_that_headers_timestamp() {
    let bytes = all(&[&full(4, 21, 1), b"a\xC4b\xC4c"]);
    assert_eq!(times(&bytes), [21, 42, 63]);
}

#[test]
fn format_3_adds_an_extended_delta_too() {
    let extended = 0x0100_0000_u32.to_be_bytes();
    let bytes = all(&[
        &full(4, 5, 1),
        b"a",
        &[0x84, 0xFF, 0xFF, 0xFF],
        &extended,
        b"b",
        &[0xC4],
        &extended,
        b"c",
    ]);
    assert_eq!(times(&bytes), [5, 0x0100_0005, 0x0200_0005]);
}

#[test]
fn times_wrap_at_32_bits() {
    let bytes = all(&[&full(4, u32::MAX - 9, 1), b"a", &[0x84, 0, 0, 20], b"b"]);
    assert_eq!(times(&bytes), [u32::MAX - 9, 10]);
}

/// A message of 300 bytes at an extended time, whose format 3 chunks have or lack it.
fn long_after_16_777_215(repeated: bool) -> Vec<u8> {
    let extended: &[u8] = if repeated { &[0x01, 0x02, 0x03, 0x04] } else { &[] };
    let header = full(6, 0x0102_0304, 300);
    all(&[&header, &[1; 128], &[0xC6], extended, &[2; 128], &[0xC6], extended, &[3; 44]])
}

#[test]
fn extended_timestamps_are_read_repeated_and_left_out() {
    let body = [[1; 128].as_slice(), &[2; 128], &[3; 44]].concat();
    for repeated in [true, false] {
        let bytes = long_after_16_777_215(repeated);
        assert_eq!(read(&bytes), [(0x0102_0304, body.clone())], "{repeated}");
        for cut in 0..bytes.len() {
            let mut reader = reader();
            assert!(drain(&mut reader, &bytes[..cut]).unwrap().is_empty());
            let messages = drain(&mut reader, &bytes[cut..]).unwrap();
            assert_eq!(messages[0].body, body, "{repeated}, cut at {cut}");
        }
    }
}

#[test]
fn payload_that_begins_like_the_extended_timestamp_is_payload_wherever_the_input_is_cut() {
    // Not repeated, and after three equal bytes comes another; then the next message's header.
    let bytes =
        all(&[&full(6, 0x0102_0304, 131), &[9; 128], &[0xC6, 1, 2, 3], &full(3, 7, 1), b"x"]);
    let expected = [(0x0102_0304, [[9; 128].as_slice(), &[1, 2, 3]].concat()), (7, b"x".to_vec())];
    for size in 1..bytes.len() {
        let mut reader = reader();
        let mut got = Vec::new();
        for piece in bytes.chunks(size) {
            got.extend(drain(&mut reader, piece).unwrap());
        }
        let got: Vec<_> = got.into_iter().map(|m| (m.timestamp, m.body.to_vec())).collect();
        assert_eq!(got, expected, "pieces of {size}");
    }
}

#[test]
fn payload_equal_to_the_extended_timestamp_is_kept_of_a_sender_known_to_leave_it_out() {
    let looks_like_it = [1, 2, 3, 4];
    let bytes =
        all(&[&full(6, 0x0102_0304, 260), &[9; 128], &[0xC6], &[8; 128], &[0xC6], &looks_like_it]);
    assert_eq!(read(&bytes)[0].1[256..], looks_like_it);
}

#[test]
fn a_short_timestamp_ends_the_extended_ones_of_its_chunk_stream() {
    let short = [0x86, 0, 0, 40];
    let bytes = all(&[
        &full(6, 0x0102_0304, 129),
        &[1; 128],
        &[0xC6, 1, 2, 3, 4, 1],
        &short,
        &[2; 128],
        &[0xC6, 2],
        &full(6, 0, 132),
        &[3; 128],
        &[0xC6, 1, 2, 3, 4],
    ]);
    let got = read(&bytes);
    assert_eq!(got[1], (0x0102_0304 + 40, vec![2; 129]));
    assert_eq!(got[2].1[128..], [1, 2, 3, 4]);
}

#[test]
fn extended_timestamps_are_a_matter_of_each_chunk_stream() {
    let bytes = all(&[
        &full(6, 0x0102_0304, 129),
        &[1; 128],
        &full(4, 50, 132),
        &[2; 128],
        &[0xC4, 1, 2, 3, 4],
        &[0xC6, 1, 2, 3, 4, 1],
    ]);
    let got = read(&bytes);
    assert_eq!((got[0].0, got[0].1.len()), (50, 132));
    assert_eq!(got[1], (0x0102_0304, vec![1; 129]));
}

#[test]
fn messages_of_different_chunk_streams_interleave() {
    let bytes = all(&[
        &full(6, 40, 256),
        &[1; 128],
        &full(4, 23, 2),
        b"aa",
        &[0xC6],
        &[1; 128],
        &[0xC4],
        b"bb",
    ]);
    let expected = [(23, b"aa".to_vec()), (40, vec![1; 256]), (46, b"bb".to_vec())];
    assert_eq!(read(&bytes), expected);
}

#[test]
fn a_new_header_in_mid_message_drops_the_partial_one() {
    for new in [full(6, 99, 2), vec![0x46, 0, 0, 9, 0, 0, 2, 9]] {
        let mut reader = reader();
        let bytes = all(&[&full(6, 90, 400), &[1; 128], &[0xC6], &[1; 128], &new, b"ok"]);
        let got = drain(&mut reader, &bytes).unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!((got[0].timestamp, got[0].body.as_ref()), (99, b"ok".as_slice()));
        assert_eq!(reader.partial_bytes(), 0);
    }
}

#[test]
fn abort_drops_one_partial_message_and_keeps_its_header() {
    let mut reader = reader();
    let start = all(&[&full(6, 90, 200), &[1; 128], &full(4, 90, 200), &[2; 128]]);
    assert!(drain(&mut reader, &start).unwrap().is_empty());
    reader.abort(6);
    reader.abort(77);
    assert_eq!(reader.partial_bytes(), 128);
    let rest = all(&[&[0xC4], &[2; 72], &[0x86, 0, 0, 10], &[3; 128], &[0xC6], &[3; 72]]);
    let got = drain(&mut reader, &rest).unwrap();
    assert_eq!(got[0].body, vec![2; 200]);
    assert_eq!((got[1].timestamp, got[1].body.as_ref()), (100, vec![3; 200].as_slice()));
}

#[test]
fn abort_in_the_middle_of_a_chunk_does_nothing() {
    let mut reader = reader();
    drain(&mut reader, &all(&[&full(6, 90, 4), b"ab"])).unwrap();
    reader.abort(6);
    assert_eq!(drain(&mut reader, b"cd").unwrap()[0].body.as_ref(), b"abcd");
}

#[test]
fn empty_messages_are_complete_with_their_header() {
    let bytes = all(&[&full(4, 10, 0), &[0xC4], &[0x84, 0, 0, 1]]);
    assert_eq!(read(&bytes), [(10, vec![]), (20, vec![]), (21, vec![])]);
}

#[test]
fn one_call_returns_one_message_and_leaves_the_rest() {
    let bytes = all(&[&full(4, 10, 1), b"a\xC4b"]);
    let mut input = bytes.as_slice();
    let mut reader = reader();
    assert_eq!(reader.read(&mut input).unwrap().unwrap().body.as_ref(), b"a");
    assert_eq!(input, b"\xC4b");
    assert_eq!(reader.read(&mut input).unwrap().unwrap().body.as_ref(), b"b");
    assert_eq!(reader.read(&mut input), Ok(None));
}

#[test]
fn message_limit_is_low_at_first_and_holds_to_the_byte() {
    let before = Limits::default().message_bytes_before_publish;
    let mut reader = ChunkReader::new(&Limits::default());
    assert_eq!(reader.read(&mut full(3, 0, before).as_slice()), Ok(None));
    let mut reader = ChunkReader::new(&Limits::default());
    let error = reader.read(&mut full(3, 0, before + 1).as_slice()).unwrap_err();
    let (limit, got) = (before as u64, before as u64 + 1);
    assert_eq!(error, Error::Limit { what: "bytes in a message", limit, got });
    let mut reader = ChunkReader::new(&Limits::default());
    reader.set_message_bytes(0xFF_FFFF);
    assert_eq!(reader.read(&mut full(3, 0, 0xFF_FFFF).as_slice()), Ok(None));
}

#[test]
fn message_limit_holds_for_a_length_that_was_legal_when_it_was_sent() {
    let mut reader = reader();
    assert_eq!(drain(&mut reader, &all(&[&full(3, 0, 5), b"hello"])).unwrap().len(), 1);
    reader.set_message_bytes(4);
    assert!(matches!(drain(&mut reader, &[0xC3]), Err(Error::Limit { got: 5, .. })));
}

#[test]
fn half_read_messages_are_limited_together() {
    let limits = Limits { partial_bytes: 300, ..open_limits() };
    let mut reader = ChunkReader::new(&limits);
    for id in [3, 4] {
        drain(&mut reader, &all(&[&full(id, 0, 1_000), &[1; 128]])).unwrap();
    }
    assert_eq!(reader.partial_bytes(), 256);
    drain(&mut reader, &all(&[&full(5, 0, 1_000), &[1; 44]])).unwrap();
    assert_eq!(reader.partial_bytes(), 300);
    let error = drain(&mut reader, &[1]).unwrap_err();
    let what = "bytes of half-read messages";
    assert!(matches!(error, Error::Limit { what: w, limit: 300, .. } if w == what), "{error}");
}

#[test]
fn of_short_messages_four_may_be_half_read() {
    let mut reader = ChunkReader::new(&Limits::default());
    reader.set_chunk_size(60_000).unwrap();
    for id in 3..7 {
        drain(&mut reader, &all(&[&full(id, 0, 65_536), &[1; 60_000]])).unwrap();
    }
    let error = drain(&mut reader, &all(&[&full(7, 0, 65_536), &[1; 60_000]])).unwrap_err();
    let what = "bytes of half-read messages";
    assert!(matches!(error, Error::Limit { what: w, limit: 262_144, .. } if w == what), "{error}");
}

#[test]
fn chunk_streams_are_limited() {
    let limits = Limits { chunk_streams: 3, ..Limits::default() };
    let mut reader = ChunkReader::new(&limits);
    for id in [3, 4, 5, 3] {
        drain(&mut reader, &all(&[&full(id, 0, 1), b"x"])).unwrap();
    }
    let error = drain(&mut reader, &full(6, 0, 1)).unwrap_err();
    assert_eq!(error, Error::Limit { what: "chunk streams", limit: 3, got: 4 });
}

#[test]
fn chunk_streams_end_at_65_536_whatever_the_limit_says() {
    let limits = Limits { chunk_streams: usize::MAX, ..Limits::default() };
    let mut reader = ChunkReader::new(&limits);
    let mut empty = full(3, 0, 0);
    empty.remove(0);
    for beyond in 0..=u16::MAX {
        let [low, high] = beyond.to_le_bytes();
        drain(&mut reader, &all(&[&[0x01, low, high], &empty])).unwrap();
    }
    let error = drain(&mut reader, &full(3, 0, 0)).unwrap_err();
    assert_eq!(error, Error::Limit { what: "chunk streams", limit: 65_536, got: 65_537 });
}
