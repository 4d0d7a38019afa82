use proptest::prelude::*;

use super::*;

fn filled(chunks: &Chunks, slices: usize) -> Vec<u8> {
    let mut io = vec![IoSlice::new(&[]); slices];
    let n = chunks.fill(&mut io);
    io[..n].iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn small_pieces_are_gathered_and_payloads_shared() {
    let mut chunks = Chunks::new();
    let payload = Bytes::from(vec![7; 1_000]);
    chunks.put_slice(b"ab");
    chunks.put(Bytes::from_static(b"cd"));
    chunks.put(payload.clone());
    chunks.put_slice(b"ef");
    let mut io = [IoSlice::new(&[]); 8];
    assert_eq!(chunks.fill(&mut io), 3);
    assert_eq!(&*io[0], b"abcd");
    assert_eq!(io[1].as_ptr(), payload.as_ptr());
    assert_eq!(&*io[2], b"ef");
    assert_eq!(chunks.len(), 1_006);
}

#[test]
fn what_was_written_is_dropped_even_in_the_middle_of_a_piece() {
    let mut chunks = Chunks::new();
    chunks.put_slice(b"abc");
    chunks.put(Bytes::from(vec![7; 300]));
    chunks.advance(1);
    assert_eq!(filled(&chunks, 1), b"bc");
    chunks.advance(4);
    assert_eq!((chunks.len(), chunks.to_vec()), (298, vec![7; 298]));
    chunks.put_slice(b"z");
    assert_eq!(filled(&chunks, 2).last(), Some(&b'z'));
    chunks.advance(10_000);
    assert!(chunks.is_empty());
    assert_eq!(filled(&chunks, 4), b"");
}

#[test]
fn nothing_is_nothing() {
    let mut chunks = Chunks::new();
    chunks.put_slice(b"");
    chunks.put(Bytes::new());
    assert!(chunks.is_empty());
    assert_eq!(filled(&chunks, 4), b"");
    chunks.advance(0);
}

#[test]
fn room_for_a_batch_of_headers_is_kept_and_that_for_a_handshake_is_given_back() {
    let mut chunks = Chunks::new();
    chunks.put_slice(&[7; 1_500]);
    let room = chunks.own.capacity();
    chunks.advance(1_500);
    assert_eq!(chunks.own.capacity(), room);
    chunks.put_slice(&[7; 3_073]);
    chunks.advance(3_072);
    assert!(chunks.own.capacity() >= 3_073);
    chunks.advance(1);
    assert!(chunks.own.capacity() <= OWN_KEPT, "{}", chunks.own.capacity());
}

#[test]
fn a_backlog_that_is_never_empty_does_not_grow_what_was_written() {
    let mut chunks = Chunks::new();
    let payload = Bytes::from(vec![7; 1_000]);
    for _ in 0..10_000 {
        chunks.put_slice(b"0123456789");
        chunks.put(payload.clone());
        if chunks.len() > 20_000 {
            chunks.advance(1_010);
        }
    }
    assert!(chunks.parts.len() < 1_000, "{} parts", chunks.parts.len());
    assert!(chunks.own.len() < 10_000, "{} bytes", chunks.own.len());
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(
        steps in prop::collection::vec((0_usize..600, any::<bool>(), 0_usize..900), 0..200),
    ) {
        let (mut chunks, mut expected, mut next) = (Chunks::new(), Vec::new(), 0_u8);
        for (len, is_shared, written) in steps {
            let piece: Vec<u8> = (0..len).map(|_| { next = next.wrapping_add(1); next }).collect();
            expected.extend_from_slice(&piece);
            if is_shared { chunks.put(piece.into()) } else { chunks.put_slice(&piece) }
            chunks.advance(written);
            expected.drain(..written.min(expected.len()));
            prop_assert_eq!(chunks.len(), expected.len());
            prop_assert!(expected.starts_with(&filled(&chunks, 3)));
        }
        prop_assert_eq!(&chunks.to_vec(), &expected);
        let taken: Vec<u8> = chunks.take().flatten().collect();
        prop_assert_eq!(taken, expected);
        prop_assert!(chunks.is_empty() && chunks.take().next().is_none());
    }
}
