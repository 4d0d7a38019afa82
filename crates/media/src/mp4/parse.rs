//! Reads boxes of any bytes whatever: what cannot be understood is `None`, and the work is bounded by
//! their length.

use super::PART_SAMPLES_MAX;

/// The start of a box (ISO 14496-12 4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: [u8; 4],
    /// Bytes before the content.
    pub(super) bytes: usize,
    /// Bytes of the whole box; `None` when it reaches to the end of the file.
    pub(super) size: Option<u64>,
}

/// Reads the start of a box. `None` when there are not bytes enough; `Some(None)` when its size
/// cannot be.
pub(super) fn head(bytes: &[u8]) -> Option<Option<Head>> {
    let mut fields = Fields(bytes);
    let (size, name) = (fields.u32()?, fields.four()?);
    let head = match size {
        0 => Head { name, bytes: 8, size: None },
        1 => Head { name, bytes: 16, size: Some(fields.u64()?) },
        size => Head { name, bytes: 8, size: Some(u64::from(size)) },
    };
    let is_possible = head.size.is_none_or(|size| size >= super::size(head.bytes));
    Some(is_possible.then_some(head))
}

/// The boxes in the content of another: their names, and their contents. Ends at the first that is
/// not whole.
pub(super) fn children(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let head = head(bytes)??;
        let size = head.size.map_or(Some(bytes.len()), |size| usize::try_from(size).ok())?;
        let (this, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some((head.name, this.get(head.bytes..)?))
    })
}

/// The content of the first box on a path.
pub(super) fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |content, name| {
        let mut found = children(content).filter(|(found, _)| found == *name);
        found.next().map(|(_, content)| content)
    })
}

/// A cursor over numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn four(&mut self) -> Option<[u8; 4]> {
        self.take().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.take()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(*self.take()?))
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// A number of seven bits a byte, the lowest first (see `log`).
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let &[byte] = self.take()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// As many bytes as the number before them says.
    pub(super) fn literal(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// The samples of one track in a fragment.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) track: u32,
    /// Decoding time of the first, in the track's units.
    pub(super) start: u64,
    /// From the first byte of `moof` to that of the first sample.
    pub(super) offset: usize,
    pub(super) samples: Vec<Raw>,
}

/// A sample in a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
    pub(super) composition: i32,
}

/// The runs of a fragment that is laid out as [`super::Fragmenter`] does: each with its own time,
/// and with places that count from the `moof`.
pub(super) fn runs(moof: &[u8]) -> Option<Vec<Run>> {
    let mut room = PART_SAMPLES_MAX;
    let trafs = children(moof).filter(|(name, _)| name == b"traf");
    trafs.map(|(_, traf)| run(traf, &mut room)).collect()
}

fn run(traf: &[u8], room: &mut usize) -> Option<Run> {
    const NOT_OURS: u32 = 0x01 | 0x02 | 0x08 | 0x10;
    const DEFAULT_FLAGS: u32 = 0x20;
    let mut tfhd = Fields(find(traf, &[b"tfhd"])?);
    let flags = tfhd.u32()?;
    let track = tfhd.u32()?;
    if flags & NOT_OURS != 0 {
        return None;
    }
    let default_flags = if flags & DEFAULT_FLAGS == 0 { 0 } else { tfhd.u32()? };
    let mut tfdt = Fields(find(traf, &[b"tfdt"])?);
    tfdt.skip(4)?;
    let start = tfdt.u64()?;

    let mut trun = Fields(find(traf, &[b"trun"])?);
    let flags = trun.u32()? & 0x00FF_FFFF;
    let count = usize::try_from(trun.u32()?).ok()?;
    let offset = usize::try_from(trun.u32()?).ok()?;
    let is_video = match flags {
        0x301 => false,
        0xF01 => true,
        _ => return None,
    };
    *room = room.checked_sub(count)?;
    let sample = |_| {
        let (duration, size) = (trun.u32()?, trun.u32()?);
        let (flags, composition) = match is_video {
            true => (trun.u32()?, trun.u32()?.cast_signed()),
            false => (default_flags, 0),
        };
        Some(Raw { duration, size, flags, composition })
    };
    let samples = (0..count).map(sample).collect::<Option<_>>()?;
    Some(Run { track, start, offset, samples })
}
