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

/// The four bits that follow a chain of modifiers, and what the chain said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modified<'a> {
    pub(super) packet_type: u8,
    pub(super) timestamp_offset_nanos: u32,
    pub(super) rest: &'a [u8],
}

/// Follows the chain of modifiers that starts with `packet_type`; `rest` is what comes after its
/// byte. `None` when the message ends inside the chain.
pub(super) fn mod_ex(packet_type: u8, rest: &[u8]) -> Option<Modified<'_>> {
    let mut modified = Modified { packet_type, timestamp_offset_nanos: 0, rest };
    while modified.packet_type == MOD_EX {
        let (&size, rest) = modified.rest.split_first()?;
        let (size, rest) = if size == u8::MAX {
            let (size, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*size)) + 1, rest)
        } else {
            (usize::from(size) + 1, rest)
        };
        let (data, rest) = rest.split_at_checked(size)?;
        let (&types, rest) = rest.split_first()?;
        if types >> 4 == TIMESTAMP_OFFSET_NANO
            && let Some((&nanos, _)) = data.split_first_chunk::<3>()
        {
            let nanos = be24(nanos);
            modified.timestamp_offset_nanos = if nanos <= OFFSET_MAX_NANOS { nanos } else { 0 };
        }
        modified.packet_type = types & 0x0f;
        modified.rest = rest;
    }
    Some(modified)
}

/// One track's part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Track<'a> {
    pub(super) fourcc: [u8; 4],
    pub(super) id: u8,
    /// What follows the track's id and size, up to the next track.
    pub(super) data: &'a [u8],
}

/// The tracks of one message, first to last; ends at the first that is cut short.
#[derive(Debug, Clone)]
pub(super) struct Tracks<'a> {
    pub(super) packet_type: u8,
    pub(super) multitrack: Option<Multitrack>,
    fourcc: [u8; 4],
    rest: &'a [u8],
    done: bool,
}

impl<'a> Tracks<'a> {
    /// Reads the codec, and the multitrack head when `packet_type` is `multitrack_type`. `None`
    /// when the head is cut short, nested or of a reserved layout.
    pub(super) fn new(packet_type: u8, multitrack_type: u8, rest: &'a [u8]) -> Option<Self> {
        let (packet_type, multitrack, rest) = if packet_type == multitrack_type {
            let (&types, rest) = rest.split_first()?;
            let layout = match types >> 4 {
                0 => Multitrack::OneTrack,
                1 => Multitrack::ManyTracks,
                2 => Multitrack::ManyTracksManyCodecs,
                _ => return None,
            };
            (types & 0x0f, Some(layout), rest)
        } else {
            (packet_type, None, rest)
        };
        if multitrack.is_some() && packet_type == multitrack_type {
            return None;
        }
        let (fourcc, rest) = if multitrack == Some(Multitrack::ManyTracksManyCodecs) {
            ([0; 4], rest)
        } else {
            rest.split_first_chunk::<4>().map(|(fourcc, rest)| (*fourcc, rest))?
        };
        Some(Self { packet_type, multitrack, fourcc, rest, done: false })
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

    fn read(&mut self) -> Option<Track<'a>> {
        let Some(multitrack) = self.multitrack else {
            self.done = true;
            return Some(Track { fourcc: self.fourcc, id: 0, data: self.rest });
        };
        let mut rest = self.rest;
        if multitrack == Multitrack::ManyTracksManyCodecs {
            let (fourcc, after) = rest.split_first_chunk::<4>()?;
            self.fourcc = *fourcc;
            rest = after;
        }
        let (&id, rest) = rest.split_first()?;
        let data = if multitrack == Multitrack::OneTrack {
            self.done = true;
            rest
        } else {
            let (&size, rest) = rest.split_first_chunk::<3>()?;
            let (data, after) = rest.split_at_checked(usize::try_from(be24(size)).ok()?)?;
            self.rest = after;
            self.done = after.is_empty();
            data
        };
        Some(Track { fourcc: self.fourcc, id, data })
    }
}

impl<'a> Iterator for Tracks<'a> {
    type Item = Track<'a>;

    fn next(&mut self) -> Option<Track<'a>> {
        if self.done {
            return None;
        }
        let track = self.read();
        self.done |= track.is_none();
        track
    }
}

/// An unsigned 24-bit number.
pub(super) fn be24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

#[cfg(test)]
mod tests;
