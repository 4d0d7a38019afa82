//! Signatures in handshake packets: HMAC-SHA256 with keys that every Flash Player and Flash Media
//! Server carries. They prove nothing; some programs ask for them all the same.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{PACKET_BYTES, Packet};

/// Length of a digest.
const DIGEST_BYTES: usize = 32;
/// Where the second packet's digest begins: it is the packet's end.
const SECOND_AT: usize = PACKET_BYTES - DIGEST_BYTES;

const CLIENT_NAME: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_NAME: &[u8] = b"Genuine Adobe Flash Media Server 001";
/// Ends the long form of either key.
const SECRET: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
    0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

pub(super) type Digest = [u8; DIGEST_BYTES];

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    Client,
    Server,
}

/// Where in a first packet the four bytes stand that tell where its digest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Flash Player 10 and FFmpeg.
    At8,
    /// Flash Player 9 and old encoders.
    At772,
}

impl Scheme {
    /// The place of the digest in `packet`.
    fn digest_at(self, packet: &Packet) -> usize {
        let block = match self {
            Self::At8 => 8,
            Self::At772 => 772,
        };
        let offset: usize = packet.iter().skip(block).take(4).map(|byte| usize::from(*byte)).sum();
        block + 4 + offset % 728
    }
}

/// Finds the digest of a C1 or S1 that `signer` signed.
pub(super) fn find(packet: &Packet, signer: Party) -> Option<(Scheme, Digest)> {
    [Scheme::At8, Scheme::At772].into_iter().find_map(|scheme| {
        let (expected, at) = first_digest(packet, scheme, signer);
        let found = packet.get(at..)?.first_chunk()?;
        (*found == expected).then_some((scheme, expected))
    })
}

/// Signs a C1 or S1.
pub(super) fn sign_first(packet: &mut Packet, scheme: Scheme, signer: Party) {
    let (digest, at) = first_digest(packet, scheme, signer);
    if let Some(place) = packet.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = digest;
    }
}

/// Signs a C2 or S2, which answers a first packet that has the digest `answered`.
pub(super) fn sign_second(packet: &mut Packet, answered: &Digest, signer: Party) {
    let key = hmac(&[name(signer), &SECRET].concat(), &[answered]);
    if let Some((signed, place)) = packet.split_at_mut_checked(SECOND_AT) {
        place.copy_from_slice(&hmac(&key, &[signed]));
    }
}

/// What the digest of a first packet has to be, over all its bytes but the digest's own, and where
/// it stands.
fn first_digest(packet: &Packet, scheme: Scheme, signer: Party) -> (Digest, usize) {
    let at = scheme.digest_at(packet);
    let before = packet.get(..at).unwrap_or_default();
    let after = packet.get(at + DIGEST_BYTES..).unwrap_or_default();
    (hmac(name(signer), &[before, after]), at)
}

fn name(party: Party) -> &'static [u8] {
    match party {
        Party::Client => CLIENT_NAME,
        Party::Server => SERVER_NAME,
    }
}

#[expect(clippy::expect_used, reason = "no key has the wrong length for HMAC")]
fn hmac(key: &[u8], parts: &[&[u8]]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
