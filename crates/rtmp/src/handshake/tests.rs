use proptest::prelude::*;

use super::*;

/// Bytes that count up by `step`.
fn entropy(step: usize) -> [u8; ENTROPY_BYTES] {
    std::array::from_fn(|i| (i * step).to_le_bytes()[0])
}

/// C0 and C1 with the given version field.
fn hello(version: [u8; 4]) -> Vec<u8> {
    [&[3, 0, 0, 0, 0][..], &version, &entropy(7)].concat()
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(digit).collect()
}

/// What a server answers to `input`, whether it is done, and how much input is left.
fn serve(mut input: &[u8]) -> Result<(Vec<u8>, bool, usize), Error> {
    let mut out = Chunks::new();
    let done = Handshake::server(&entropy(11)).feed(&mut input, &mut out)?;
    Ok((out.to_vec(), done, input.len()))
}

#[test]
fn simple_client_gets_version_0_and_its_own_bytes_back() {
    // FFmpeg's version without a signature, librtmp's zeros, and nonsense.
    for version in [[9, 0, 124, 2], [0; 4], [0xFF; 4]] {
        let hello = hello(version);
        let (answer, done, _) = serve(&hello).unwrap();
        assert!(!done);
        assert_eq!(answer.len(), 1 + 2 * PACKET_BYTES);
        assert_eq!(answer[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(answer[9..1 + PACKET_BYTES], entropy(11));
        assert_eq!(answer[1 + PACKET_BYTES..], hello[1..]);
    }
}

/// Digests made with another implementation (Python's `hmac`), for C1 = 0.0.0.0, 9.0.124.2,
/// multiples of 7 and S1 = 0.0.0.0, 3.5.1.1, multiples of 11.
struct Golden {
    scheme: digest::Scheme,
    c1: (usize, &'static str),
    s1: (usize, &'static str),
    s2: &'static str,
    c2: &'static str,
}

const GOLDEN: [Golden; 2] = [
    Golden {
        scheme: digest::Scheme::At8,
        c1: (54, "8afbcce4b6e4da23089423637b32b77ad25f573b24b3f2e4b2acf11201f813ec"),
        s1: (78, "8121859abb8dfd77a265bcf13b6bcffcecb2e9232c191443a40d335aa4fefb46"),
        s2: "709478bd6a84f3ce87759495ecc76eb939755712ad89c089a62cc26792052401",
        c2: "331003b5fb8e68c89289ef6ad5d694a519a6b246d4b91db1c9b93446ef5547e4",
    },
    Golden {
        scheme: digest::Scheme::At772,
        c1: (1002, "acb13011750ca282317276d3465ef5e57df198ceac37faecf5c343b08565dd01"),
        s1: (962, "1d3cfbf2d0cdb58a66a6f3297a20a1a003779edd83749a94698ffb83599e7371"),
        s2: "19a6c00e2202d63293f9c88724d53d58bc146f722d9961e3b97592efc0efbb3c",
        c2: "7d128455e364176518801ca8d39bed154a6794e41b32408ea4d6d8acf0774d47",
    },
];

/// C0 and a signed C1.
fn signed_hello(golden: &Golden) -> Vec<u8> {
    let mut hello = hello(CLIENT_VERSION);
    let (at, digest) = golden.c1;
    hello[1 + at..1 + at + 32].copy_from_slice(&hex(digest));
    hello
}

#[test]
fn signed_client_gets_signed_packets_in_its_own_scheme() {
    for golden in &GOLDEN {
        let hello = signed_hello(golden);
        let (answer, _, _) = serve(&hello).unwrap();
        let (s1, s2) = answer[1..].split_at(PACKET_BYTES);
        assert_eq!(s1[4..8], SERVER_VERSION);
        let (at, digest) = golden.s1;
        assert_eq!(s1[at..at + 32], hex(digest));
        assert_eq!(s2[..PACKET_BYTES - 32], hello[1..1 + PACKET_BYTES - 32]);
        assert_eq!(s2[PACKET_BYTES - 32..], hex(golden.s2));
    }
}

#[test]
fn client_with_a_broken_signature_is_served_as_a_simple_one() {
    for golden in &GOLDEN {
        let mut hello = signed_hello(golden);
        hello[1 + golden.c1.0] ^= 1;
        let (answer, _, _) = serve(&hello).unwrap();
        assert_eq!(answer[5..9], [0; 4]);
        assert_eq!(answer[1 + PACKET_BYTES..], hello[1..]);
    }
}

#[test]
fn digest_stands_where_the_offset_block_says_up_to_the_ends_of_its_range() {
    for (scheme, block) in [(digest::Scheme::At8, 8), (digest::Scheme::At772, 772)] {
        for offset in [0, 1, 727] {
            let mut unsigned = [0x55; PACKET_BYTES];
            let [quarter, rest] = [offset / 4, offset % 4].map(|n: usize| n.to_le_bytes()[0]);
            unsigned[block..block + 4].copy_from_slice(&[
                quarter + rest,
                quarter,
                quarter,
                quarter,
            ]);
            let mut packet = unsigned;
            digest::sign_first(&mut packet, scheme, Party::Client);
            let (found, digest) = digest::find(&packet, Party::Client).unwrap();
            assert_eq!(found, scheme);
            let at = block + 4 + offset;
            assert_eq!(packet[at..at + 32], digest);
            assert_eq!(packet[..at], unsigned[..at]);
            assert_eq!(packet[at + 32..], unsigned[at + 32..]);
            assert_eq!(digest::find(&packet, Party::Server), None);
        }
    }
}

#[test]
fn answer_goes_out_as_soon_as_the_first_packet_is_there_and_not_before() {
    let hello = hello([0; 4]);
    let mut server = Handshake::server(&entropy(11));
    let mut out = Chunks::new();
    let (most, last) = hello.split_at(PACKET_BYTES);
    assert_eq!(server.feed(&mut &most[..], &mut out), Ok(false));
    assert!(out.is_empty());
    assert_eq!(server.feed(&mut &last[..], &mut out), Ok(false));
    assert_eq!(out.len(), 1 + 2 * PACKET_BYTES);
}

#[test]
fn second_packet_is_never_compared_and_what_follows_it_stays_in_the_input() {
    for c2 in [[0; PACKET_BYTES], [0xA5; PACKET_BYTES]] {
        let input = [&hello([0; 4])[..], &c2, b"first chunk"].concat();
        let (answer, done, left) = serve(&input).unwrap();
        assert!(done);
        assert_eq!(answer.len(), 1 + 2 * PACKET_BYTES);
        assert_eq!(left, b"first chunk".len());
    }
}

#[test]
fn a_done_handshake_takes_nothing_more() {
    let input = [&hello([0; 4])[..], &[0; PACKET_BYTES]].concat();
    let mut server = Handshake::server(&entropy(11));
    let mut out = Chunks::new();
    assert_eq!(server.feed(&mut input.as_slice(), &mut out), Ok(true));
    out.clear();
    let mut more = &b"more"[..];
    assert_eq!(server.feed(&mut more, &mut out), Ok(true));
    assert_eq!((more, out.len()), (&b"more"[..], 0));
}

#[test]
fn any_segmentation_gives_the_same_answer() {
    let input = [&signed_hello(&GOLDEN[0])[..], &[1; PACKET_BYTES], b"rest"].concat();
    let expected = serve(&input).unwrap();
    let feed_all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut server = Handshake::server(&entropy(11));
        let (mut out, mut left, mut done) = (Chunks::new(), 0, false);
        for mut piece in pieces {
            done = server.feed(&mut piece, &mut out).unwrap();
            left += piece.len();
        }
        (out.to_vec(), done, left)
    };
    for cut in 0..=input.len() {
        let (head, tail) = input.split_at(cut);
        assert_eq!(feed_all(&mut [head, tail].into_iter()), expected, "cut at {cut}");
    }
    for size in [1, 2, 1_000, 1_536, 1_537] {
        assert_eq!(feed_all(&mut input.chunks(size)), expected, "pieces of {size}");
    }
}

#[test]
fn what_is_not_plain_rtmp_is_refused_at_its_first_bytes() {
    for (first, refused) in [
        (&[6][..], Refused::Rtmpe(6)),
        (&[8], Refused::Rtmpe(8)),
        (&[9], Refused::Rtmpe(9)),
        (&[0x16, 3, 1, 2, 0], Refused::Tls),
        (&[0x16, 3], Refused::Tls),
        (&[0x16, 7], Refused::Version(0x16)),
        (b"GET /", Refused::Http),
        (b"POST /open/1 HTTP/1.1", Refused::Http),
        (b"OPTIONS *", Refused::Http),
        (b"HTTP/1.1 400", Refused::Http),
        (b"GO", Refused::Version(b'G')),
        (&[0], Refused::Version(0)),
        (&[2, 3, 3], Refused::Version(2)),
        (&[0xFF; 4_000], Refused::Version(0xFF)),
    ] {
        assert_eq!(serve(first).unwrap_err(), Error::Refused(refused), "{first:?}");
        let mut server = Handshake::server(&entropy(11));
        let mut out = Chunks::new();
        let feed = |byte| server.feed(&mut std::slice::from_ref(byte), &mut out);
        let error = first.iter().map(feed).find_map(Result::err);
        assert_eq!(error, Some(Error::Refused(refused)), "{first:?} byte by byte");
        assert!(out.is_empty());
    }
    assert_eq!(serve(b"POS").unwrap().0, b"");
    assert_eq!(serve(&[0x16]).unwrap().0, b"");
}

#[test]
fn client_speaks_first_and_answers_with_the_servers_packet() {
    let mut client = Handshake::client(&entropy(7));
    let mut out = Chunks::new();
    assert_eq!(client.feed(&mut &[][..], &mut out), Ok(false));
    assert_eq!(out.to_vec(), hello([0; 4]));
    out.clear();
    assert_eq!(client.feed(&mut &[][..], &mut out), Ok(false));
    assert!(out.is_empty());
    let s0_s1 = [&[3, 0, 0, 0, 9][..], &SERVER_VERSION, &entropy(11)].concat();
    assert_eq!(client.feed(&mut s0_s1.as_slice(), &mut out), Ok(false));
    assert_eq!(out.to_vec(), s0_s1[1..]);
    let s2 = [0; PACKET_BYTES + 3];
    let mut input = s2.as_slice();
    assert_eq!(client.feed(&mut input, &mut out), Ok(true));
    assert_eq!(input.len(), 3);
}

#[test]
fn signing_client_signs_as_ffmpeg_does() {
    let golden = &GOLDEN[0];
    let mut client = Handshake::client_with_digest(&entropy(7));
    let mut out = Chunks::new();
    client.feed(&mut &[][..], &mut out).unwrap();
    assert_eq!(out.to_vec(), signed_hello(golden));
    out.clear();
    for golden in &GOLDEN {
        let mut client = Handshake::client_with_digest(&entropy(7));
        let (mut s1, (at, digest)) =
            ([&[3, 0, 0, 0, 0][..], &SERVER_VERSION, &entropy(11)].concat(), golden.s1);
        s1[1 + at..1 + at + 32].copy_from_slice(&hex(digest));
        let mut out = Chunks::new();
        client.feed(&mut s1.as_slice(), &mut out).unwrap();
        let sent = out.to_vec();
        assert_eq!(sent[sent.len() - 32..], hex(golden.c2), "{:?}", golden.scheme);
    }
}

#[test]
fn signing_client_echoes_a_server_that_does_not_sign() {
    let mut client = Handshake::client_with_digest(&entropy(7));
    let mut out = Chunks::new();
    client.feed(&mut &[][..], &mut out).unwrap();
    out.clear();
    let s0_s1 = [&[3, 0, 0, 0, 0, 0, 0, 0, 0][..], &entropy(11)].concat();
    client.feed(&mut s0_s1.as_slice(), &mut out).unwrap();
    assert_eq!(out.to_vec(), s0_s1[1..]);
}

#[test]
fn client_refuses_a_web_server() {
    let mut client = Handshake::client(&entropy(7));
    let error = client.feed(&mut &b"HTTP/1.1 400 Bad Request"[..], &mut Chunks::new());
    assert_eq!(error, Err(Error::Refused(Refused::Http)));
}

/// Both sides until nothing moves: whether both are done.
fn meet(mut client: Handshake, mut server: Handshake, piece: usize) -> bool {
    let (mut to_server, mut to_client) = (Chunks::new(), Chunks::new());
    let mut done = (client.feed(&mut &[][..], &mut to_server).unwrap(), false);
    while !to_server.is_empty() || !to_client.is_empty() {
        let bytes = to_server.to_vec();
        to_server.clear();
        for mut part in bytes.chunks(piece) {
            done.1 = server.feed(&mut part, &mut to_client).unwrap();
        }
        let bytes = to_client.to_vec();
        to_client.clear();
        for mut part in bytes.chunks(piece) {
            done.0 = client.feed(&mut part, &mut to_server).unwrap();
        }
    }
    done == (true, true)
}

#[test]
fn our_two_sides_understand_each_other() {
    for piece in [1, 700, 10_000] {
        let server = || Handshake::server(&entropy(13));
        assert!(meet(Handshake::client(&entropy(7)), server(), piece));
        assert!(meet(Handshake::client_with_digest(&entropy(7)), server(), piece));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_never_panic_nor_make_it_say_or_take_more_than_a_handshake(
        mut bytes in prop::collection::vec(any::<u8>(), 0..4_000),
        plain in any::<bool>(),
        piece in 1_usize..4_000,
    ) {
        if let (true, Some(first)) = (plain, bytes.first_mut()) {
            *first = VERSION;
        }
        let mut server = Handshake::server(&entropy(11));
        let mut out = Chunks::new();
        let mut taken = 0;
        for mut part in bytes.chunks(piece) {
            let before = part.len();
            if server.feed(&mut part, &mut out).is_err() {
                break;
            }
            taken += before - part.len();
        }
        prop_assert!(taken <= 1 + 2 * PACKET_BYTES);
        prop_assert!(out.is_empty() || out.len() == 1 + 2 * PACKET_BYTES);
    }
}
