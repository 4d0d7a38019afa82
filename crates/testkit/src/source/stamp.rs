//! The mark in every frame that says which one it is and whether it is whole.
//!
//! 32 bytes, big-endian: a magic number, the stream, the sequence number, the time, a checksum of
//! the three and of all other bytes of the body. Any single change of a body changes it.

/// Which frame a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The number of the stream.
    pub stream: u32,
    /// The number of the frame in its stream, from 0, audio and video together.
    pub sequence: u64,
    /// When it was due or sent, in µs from an epoch of the sender's choice.
    pub time_us: u64,
}

/// Why a body has no stamp to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// Not a frame of a source, as configurations and metadata are not.
    #[error("no stamp")]
    Missing,
    /// A frame of a source, but not as it was sent.
    #[error("the checksum is wrong")]
    Checksum,
}

const MAGIC: [u8; 4] = *b"tkS1";
/// Where stamps stand: after the header of an AAC frame, and after that of an H.264 frame and of
/// its slice.
const PLACES: [usize; 2] = [2, 10];

impl Stamp {
    /// Bytes of a stamp.
    pub const BYTES: usize = 32;

    /// The stamp of a body, if it is as it was sent.
    ///
    /// # Errors
    /// [`StampError`]
    pub fn read(body: &[u8]) -> Result<Self, StampError> {
        let place = |at: &usize| {
            let bytes: &[u8; Self::BYTES] = body.get(*at..)?.first_chunk()?;
            bytes.starts_with(&MAGIC).then_some((*at, bytes))
        };
        let (at, bytes) = PLACES.iter().find_map(place).ok_or(StampError::Missing)?;
        Self::decode(bytes, sum(body, at)).ok_or(StampError::Checksum)
    }

    pub(super) fn encode(&self, sum: u64) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = MAGIC
            .into_iter()
            .chain(self.stream.to_be_bytes())
            .chain(self.sequence.to_be_bytes())
            .chain(self.time_us.to_be_bytes())
            .chain(self.check(sum).to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; Self::BYTES], sum: u64) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (stream, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (time_us, check) = rest.split_first_chunk()?;
        let stamp = Self {
            stream: u32::from_be_bytes(*stream),
            sequence: u64::from_be_bytes(*sequence),
            time_us: u64::from_be_bytes(*time_us),
        };
        let is_whole = *magic == MAGIC && check == stamp.check(sum).to_be_bytes();
        is_whole.then_some(stamp)
    }

    fn check(&self, sum: u64) -> u64 {
        [u64::from(self.stream), self.sequence, self.time_us].into_iter().fold(sum, step)
    }
}

/// The checksum of all bytes of a body but the stamp at `stamp_at`.
pub(super) fn sum(body: &[u8], stamp_at: usize) -> u64 {
    let before = body.get(..stamp_at).unwrap_or_default();
    let after = body.get(stamp_at + Stamp::BYTES..).unwrap_or_default();
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    // Four sums side by side: one would wait for its own multiplications.
    let mut lanes = [length, 1, 2, 3];
    let (blocks, rest) = after.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let ends = before.iter().chain(rest).map(|byte| u64::from(*byte));
    lanes.into_iter().chain(ends).fold(0, step)
}

/// One to one in either argument, so that a change of one word cannot be undone by the others.
fn step(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}
