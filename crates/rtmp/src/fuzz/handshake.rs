//! The handshake: the same in any pieces, no longer than it is, and between two honest sides.

use media::Chunks;

use super::pieces;
use crate::Error;
use crate::handshake::{ENTROPY_BYTES, Handshake};

const PACKET: usize = 1536;
const WHOLE: usize = 1 + 2 * PACKET;

/// Any bytes from the peer: the first one chooses the side.
pub fn handshake(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let whole = run(side(choice), [input]);
    let cut = run(side(choice), pieces(input));
    assert_eq!(whole.end, cut.end, "it depends on the pieces");
    assert!(whole.out == cut.out, "it sends other bytes");
    if whole.end.is_ok() {
        assert_eq!(whole.consumed, cut.consumed);
        assert_eq!(whole.consumed, input.len().min(WHOLE));
        assert_eq!(whole.end, Ok(input.len() >= WHOLE));
    }
    let is_answered = whole.end.is_ok() && input.len() > PACKET;
    let own = if choice.is_multiple_of(3) { 0 } else { 1 + PACKET };
    let answer = if choice.is_multiple_of(3) { WHOLE } else { PACKET };
    assert_eq!(whole.out.len(), if is_answered { own.max(WHOLE - answer) + answer } else { own });
    if choice.is_multiple_of(3) && is_answered {
        answered(input, &whole.out);
    }
    honest(choice);
}

/// A server that does not sign sends the client's packet back.
fn answered(input: &[u8], out: &[u8]) {
    let (first, second) = out.split_at(1 + PACKET);
    assert_eq!(first.first(), Some(&3));
    let is_signed = first.get(5..9) != Some(&[0; 4]);
    let is_echo = input.get(1..1 + PACKET) == Some(second);
    assert!(is_signed != is_echo, "neither signed nor an echo");
}

fn side(choice: u8) -> Handshake {
    let entropy = [choice; ENTROPY_BYTES];
    match choice % 3 {
        0 => Handshake::server(&entropy),
        1 => Handshake::client(&entropy),
        _ => Handshake::client_with_digest(&entropy),
    }
}

struct Run {
    end: Result<bool, Error>,
    consumed: usize,
    out: Vec<u8>,
}

fn run<'a>(mut side: Handshake, pieces: impl IntoIterator<Item = &'a [u8]>) -> Run {
    let mut out = Chunks::new();
    let mut consumed = 0;
    let mut end = side.feed(&mut [].as_slice(), &mut out);
    for mut piece in pieces {
        if end != Ok(false) {
            break;
        }
        let before = piece.len();
        end = side.feed(&mut piece, &mut out);
        consumed += before - piece.len();
        assert!(end != Ok(false) || piece.is_empty(), "bytes left over in mid-handshake");
    }
    Run { end, consumed, out: out.to_vec() }
}

/// A client and a server come to an end, and take nothing of what follows.
fn honest(choice: u8) {
    let (mut server, mut client) = (side(0), side(1 + choice % 2));
    let (mut to_server, mut to_client) = (Chunks::new(), Chunks::new());
    let mut done = [false; 2];
    for _ in 0..3 {
        let input = to_client.to_vec();
        to_client.clear();
        done[0] = feed(&mut client, &input, &mut to_server);
        let input = to_server.to_vec();
        to_server.clear();
        done[1] = feed(&mut server, &input, &mut to_client);
    }
    assert_eq!(done, [true; 2]);
    let mut next: &[u8] = b"next";
    assert_eq!(server.feed(&mut next, &mut to_client), Ok(true));
    assert_eq!(next, b"next");
}

fn feed(side: &mut Handshake, mut input: &[u8], out: &mut Chunks) -> bool {
    match side.feed(&mut input, out) {
        Ok(done) => done,
        Err(error) => panic!("an honest side was refused: {error}"),
    }
}
