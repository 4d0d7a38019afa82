//! The head that Enhanced RTMP puts before audio and video alike: the ModEx chain and the
//! multitrack table (E-RTMP v2 "ExAudioTagHeader", "ExVideoTagHeader"). What follows it stands in
//! [`super::audio`] and [`super::video`].

/// `ModEx`, the packet type that announces a modifier before the true packet type; 7 for audio and
/// video.
const MOD_EX: u8 = 7;
/// `TimestampOffsetNano`, the one modifier that is defined.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
/// The largest offset that a modifier may hold: one ns less than a ms.
const OFFSET_MAX_NANOS: u32 = 999_999;

/// Most modifiers before one packet type. One is defined; a message of 16 MiB could hold millions.
pub const MODIFIERS_MAX: usize = 64;

/// Why the head of an audio or video message, or script data in AMF3, cannot be read. Such a message is passed on and
/// recorded like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends too early.
    #[error("the message ends inside its {0}")]
    Truncated(&'static str),
    /// More than [`MODIFIERS_MAX`] modifiers.
    #[error("more than {MODIFIERS_MAX} modifiers in a row")]
    TooManyModifiers,
    /// `Multitrack` inside `Multitrack`.
    #[error("multitrack inside multitrack")]
    Nested,
    /// An `AvMultitrackType` that is not defined.
    #[error("reserved multitrack layout {0}")]
    Layout(u8),
    /// Script data in an AMF3 container that is something else. The error counts bytes behind the
    /// format byte.
    #[error("script data in AMF3 that cannot be read: {0}")]
    Script(crate::amf0::Error),
}

/// How the tracks of one message are laid out (E-RTMP v2 `AvMultitrackType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multitrack {
    /// One track, with its id.
    OneTrack,
    /// Several tracks of one codec, each with its id and size.
    ManyTracks,
    /// Several tracks, each with its codec, id and size.
    ManyTracksManyCodecs,
}

/// One `ModEx` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modifier<'a> {
    /// `AudioPacketModExType` or `VideoPacketModExType`, 4 bits; 0 is `TimestampOffsetNano`.
    pub kind: u8,
    /// What it says, 1 to 65,536 bytes.
    pub data: &'a [u8],
}

impl Modifier<'_> {
    /// The nanoseconds of a `TimestampOffsetNano`; `None` for another modifier, and for one that
    /// is too short or does not stay below a ms.
    pub fn timestamp_offset_nanos(&self) -> Option<u32> {
        let (&nanos, _) = self.data.split_first_chunk::<3>()?;
        let nanos = be24(nanos);
        (self.kind == TIMESTAMP_OFFSET_NANO && nanos <= OFFSET_MAX_NANOS).then_some(nanos)
    }
}

/// The four bits that follow a chain of modifiers, and what the chain said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modified<'a> {
    pub(super) packet_type: u8,
    pub(super) timestamp_offset_nanos: u32,
    pub(super) rest: &'a [u8],
}

/// Follows the chain of modifiers that starts with `packet_type`; `rest` is what comes after its
/// byte.
pub(super) fn mod_ex(packet_type: u8, rest: &[u8]) -> Result<Modified<'_>, Malformed> {
    let mut modifiers = Modifiers::new(packet_type, rest);
    let mut timestamp_offset_nanos = 0;
    for modifier in &mut modifiers {
        if let Some(nanos) = modifier?.timestamp_offset_nanos() {
            timestamp_offset_nanos = nanos;
        }
    }
    let Modifiers { packet_type, rest, .. } = modifiers;
    Ok(Modified { packet_type, timestamp_offset_nanos, rest })
}

/// The modifiers of one message, first to last; ends behind an error.
#[derive(Debug, Clone)]
pub(super) struct Modifiers<'a> {
    packet_type: u8,
    rest: &'a [u8],
    count: usize,
}

impl<'a> Modifiers<'a> {
    pub(super) fn new(packet_type: u8, rest: &'a [u8]) -> Self {
        Self { packet_type, rest, count: 0 }
    }

    fn read(&mut self) -> Result<Modifier<'a>, Malformed> {
        const SIZE: Malformed = Malformed::Truncated("modifier size");
        const TYPES: Malformed = Malformed::Truncated("modifier");
        self.count += 1;
        if self.count > MODIFIERS_MAX {
            return Err(Malformed::TooManyModifiers);
        }
        let (&size, rest) = self.rest.split_first().ok_or(SIZE)?;
        let (size, rest) = if size == u8::MAX {
            let (size, rest) = rest.split_first_chunk::<2>().ok_or(SIZE)?;
            (usize::from(u16::from_be_bytes(*size)) + 1, rest)
        } else {
            (usize::from(size) + 1, rest)
        };
        let (data, rest) = rest.split_at_checked(size).ok_or(TYPES)?;
        let (&types, rest) = rest.split_first().ok_or(TYPES)?;
        self.packet_type = types & 0x0f;
        self.rest = rest;
        Ok(Modifier { kind: types >> 4, data })
    }
}

impl<'a> Iterator for Modifiers<'a> {
    type Item = Result<Modifier<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.packet_type != MOD_EX {
            return None;
        }
        let modifier = self.read();
        if modifier.is_err() {
            self.packet_type = 0;
        }
        Some(modifier)
    }
}

/// One track's part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Track<'a> {
    pub(super) fourcc: [u8; 4],
    pub(super) id: u8,
    /// What follows the track's id and size, up to the next track.
    pub(super) data: &'a [u8],
}

/// The tracks of one message, first to last; ends behind the first that is cut short.
#[derive(Debug, Clone)]
pub(super) struct Tracks<'a> {
    pub(super) packet_type: u8,
    pub(super) multitrack: Option<Multitrack>,
    fourcc: [u8; 4],
    rest: &'a [u8],
    done: bool,
}

impl<'a> Tracks<'a> {
    /// Reads the codec, and the multitrack head when `packet_type` is `multitrack_type`.
    pub(super) fn new(
        packet_type: u8,
        multitrack_type: u8,
        rest: &'a [u8],
    ) -> Result<Self, Malformed> {
        let (packet_type, multitrack, rest) = if packet_type == multitrack_type {
            let head = Malformed::Truncated("multitrack layout");
            let (&types, rest) = rest.split_first().ok_or(head)?;
            let layout = match types >> 4 {
                0 => Multitrack::OneTrack,
                1 => Multitrack::ManyTracks,
                2 => Multitrack::ManyTracksManyCodecs,
                other => return Err(Malformed::Layout(other)),
            };
            (types & 0x0f, Some(layout), rest)
        } else {
            (packet_type, None, rest)
        };
        if multitrack.is_some() && packet_type == multitrack_type {
            return Err(Malformed::Nested);
        }
        let (fourcc, rest) = if multitrack == Some(Multitrack::ManyTracksManyCodecs) {
            ([0; 4], rest)
        } else {
            fourcc(rest)?
        };
        Ok(Self { packet_type, multitrack, fourcc, rest, done: false })
    }

    /// The id of the first track, when `missing` bytes of the message are not here.
    pub(super) fn first_id(&self, missing: usize) -> Option<u8> {
        let rest = match self.multitrack {
            None => return Some(0),
            Some(Multitrack::OneTrack) => return self.rest.first().copied(),
            Some(Multitrack::ManyTracks) => self.rest,
            Some(Multitrack::ManyTracksManyCodecs) => self.rest.get(4..)?,
        };
        let (&[id, s0, s1, s2], data) = rest.split_first_chunk::<4>()?;
        let size = usize::try_from(be24([s0, s1, s2])).ok()?;
        (size <= data.len().saturating_add(missing)).then_some(id)
    }

    /// Whether the head of a message, which this was read from, tells its track: there is one, and its id is there.
    pub(super) fn is_told(&self) -> bool {
        match self.multitrack {
            None => true,
            Some(Multitrack::OneTrack) => !self.rest.is_empty(),
            Some(Multitrack::ManyTracks | Multitrack::ManyTracksManyCodecs) => false,
        }
    }

    fn read(&mut self) -> Result<Track<'a>, Malformed> {
        let Some(multitrack) = self.multitrack else {
            self.done = true;
            return Ok(Track { fourcc: self.fourcc, id: 0, data: self.rest });
        };
        let mut rest = self.rest;
        if multitrack == Multitrack::ManyTracksManyCodecs {
            (self.fourcc, rest) = fourcc(rest)?;
        }
        let (&id, rest) = rest.split_first().ok_or(Malformed::Truncated("track id"))?;
        let data = if multitrack == Multitrack::OneTrack {
            self.done = true;
            rest
        } else {
            let size = Malformed::Truncated("track size");
            let (&size, rest) = rest.split_first_chunk::<3>().ok_or(size)?;
            let size = usize::try_from(be24(size)).unwrap_or(usize::MAX);
            let track = Malformed::Truncated("track");
            let (data, after) = rest.split_at_checked(size).ok_or(track)?;
            self.rest = after;
            self.done = after.is_empty();
            data
        };
        Ok(Track { fourcc: self.fourcc, id, data })
    }
}

impl<'a> Iterator for Tracks<'a> {
    type Item = Result<Track<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let track = self.read();
        self.done |= track.is_err();
        Some(track)
    }
}

fn fourcc(bytes: &[u8]) -> Result<([u8; 4], &[u8]), Malformed> {
    let (fourcc, rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated("FourCC"))?;
    Ok((*fourcc, rest))
}

/// An unsigned 24-bit number.
pub(super) fn be24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

#[cfg(test)]
mod tests;
