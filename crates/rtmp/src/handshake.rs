//! The handshake, both sides: simple (RTMP 5.2) and with digests, as Flash Player 9 and later do
//! it.
//!
//! A client that signs its C1 gets a signed S1 and S2, in the scheme that it used; any other gets
//! an S1 of version 0.0.0.0, which asks for no signature, and its own C1 back. The peer's C2 or S2
//! is counted, never compared: many encoders fill it with zeros. What follows the handshake stays
//! in the input.
//!
//! Sources: RTMP 5.2; the digests are in no specification: what FFmpeg and Flash Media Server do.

mod digest;

use media::Chunks;

use crate::{Error, Refused};
use digest::Party;

/// Length of C1, S1, C2 and S2.
const PACKET_BYTES: usize = 1536;
/// How many random bytes a side needs.
pub const ENTROPY_BYTES: usize = 1528;
/// The version of plain RTMP.
const VERSION: u8 = 3;
/// The version in a signed S1. Any whose first number is 3 or more makes FFmpeg's player check the
/// signature.
const SERVER_VERSION: [u8; 4] = [3, 5, 1, 1];
/// The version in a signed C1: the one that FFmpeg names.
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];
/// What HTTP begins with, of either side.
const HTTP: [&[u8]; 10] = [
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"OPTIONS ",
    b"DELETE ",
    b"CONNECT ",
    b"PATCH ",
    b"PRI ",
    b"HTTP/",
];

type Packet = [u8; PACKET_BYTES];

/// One side of a handshake in progress.
#[derive(Debug)]
pub struct Handshake {
    side: Side,
    state: State,
    /// Our C1 or S1 as far as it is known from the start; freed when it was sent.
    own: Option<Box<Packet>>,
    /// The peer's version byte and C1 or S1, as far as it came; freed when it was answered.
    received: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Server,
    Client { sign: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent or read.
    Start,
    /// Reading the version and the first packet of the peer.
    First,
    /// Reading its second packet, of which `missing` bytes are still to come.
    Second {
        missing: usize,
    },
    Done,
}

impl Handshake {
    /// The server's side.
    pub fn server(entropy: &[u8; ENTROPY_BYTES]) -> Self {
        Self::new(Side::Server, entropy)
    }

    /// The client's side, without digests: what every server understands.
    pub fn client(entropy: &[u8; ENTROPY_BYTES]) -> Self {
        Self::new(Side::Client { sign: false }, entropy)
    }

    /// The client's side with digests, which some servers demand of publishers.
    pub fn client_with_digest(entropy: &[u8; ENTROPY_BYTES]) -> Self {
        Self::new(Side::Client { sign: true }, entropy)
    }

    fn new(side: Side, entropy: &[u8; ENTROPY_BYTES]) -> Self {
        let mut own = Box::new([0; PACKET_BYTES]);
        if let Some(random) = own.last_chunk_mut() {
            *random = *entropy;
        }
        Self { side, state: State::Start, own: Some(own), received: Vec::new() }
    }

    /// Consumes input as far as it belongs to the handshake, appends to `out` what is to be sent,
    /// and returns whether the handshake is done. A client speaks first: its first call has no
    /// input.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] as soon as the first bytes show that the peer does not speak plain RTMP.
    pub fn feed(&mut self, input: &mut &[u8], out: &mut Chunks) -> Result<bool, Error> {
        if self.state == State::Start {
            self.start(out);
        }
        if self.state == State::First {
            let before = self.received.len();
            let (taken, rest) = split_at_most(input, 1 + PACKET_BYTES - before);
            self.received.extend_from_slice(taken);
            *input = rest;
            if before < FIRST_BYTES {
                check_plain(&self.received)?;
            }
            self.answer(out);
        }
        if let State::Second { missing } = &mut self.state {
            let (taken, rest) = split_at_most(input, *missing);
            *missing -= taken.len();
            *input = rest;
            if *missing == 0 {
                self.state = State::Done;
            }
        }
        Ok(self.state == State::Done)
    }

    /// A client sends C0 and C1; a server waits for them.
    fn start(&mut self, out: &mut Chunks) {
        self.state = State::First;
        let Side::Client { sign } = self.side else {
            return;
        };
        if let Some(mut c1) = self.own.take() {
            if sign {
                set_version(&mut c1, CLIENT_VERSION);
                digest::sign_first(&mut c1, digest::Scheme::At8, Party::Client);
            }
            out.put_slice(&[VERSION]);
            out.put_slice(c1.as_slice());
        }
    }

    /// Once the peer's first packet is whole: our second, and a server's first before it.
    fn answer(&mut self, out: &mut Chunks) {
        let Some(first) =
            self.received.get(1..).and_then(|bytes| bytes.first_chunk::<PACKET_BYTES>())
        else {
            return;
        };
        let mut second = *first;
        let signed = match self.side {
            Side::Server => digest::find(first, Party::Client),
            Side::Client { sign: true } => digest::find(first, Party::Server),
            Side::Client { sign: false } => None,
        };
        if let Some(mut s1) = self.own.take() {
            if let Some((scheme, _)) = signed {
                set_version(&mut s1, SERVER_VERSION);
                digest::sign_first(&mut s1, scheme, Party::Server);
            }
            out.put_slice(&[VERSION]);
            out.put_slice(s1.as_slice());
        }
        if let Some((_, digest)) = signed {
            let party = if self.side == Side::Server { Party::Server } else { Party::Client };
            digest::sign_second(&mut second, &digest, party);
        }
        out.put_slice(&second);
        self.received = Vec::new();
        self.state = State::Second { missing: PACKET_BYTES };
    }
}

/// Bytes after which [`check_plain`] has nothing more to find: the longest of [`HTTP`].
const FIRST_BYTES: usize = 8;

/// Looks at the first bytes of a peer. What may still become TLS or HTTP is let pass until there is
/// more of it.
fn check_plain(bytes: &[u8]) -> Result<(), Refused> {
    match bytes {
        [] | [VERSION, ..] | [0x16] => Ok(()),
        [version @ (6 | 8 | 9), ..] => Err(Refused::Rtmpe(*version)),
        [0x16, 3, ..] => Err(Refused::Tls),
        _ if HTTP.iter().any(|start| bytes.starts_with(start)) => Err(Refused::Http),
        _ if HTTP.iter().any(|start| start.starts_with(bytes)) => Ok(()),
        [version, ..] => Err(Refused::Version(*version)),
    }
}

fn set_version(packet: &mut Packet, version: [u8; 4]) {
    if let Some(field) = packet.get_mut(4..8) {
        field.copy_from_slice(&version);
    }
}

fn split_at_most(bytes: &[u8], count: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(count).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests;
