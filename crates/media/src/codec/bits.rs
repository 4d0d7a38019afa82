//! Bits, most significant first, as all codec headers have them.

use std::borrow::Cow;

/// A cursor over bits. Every read is `None` once the bits are used up.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits read.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// The next `count` bits, at most 32.
    pub(super) fn u32(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// The next `count` bits, at most 8.
    pub(super) fn u8(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.u32(count)?).ok()
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// Skips to the next whole byte.
    pub(super) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// The bytes that are left; `None` when none are or when in the middle of one.
    pub(super) fn rest(&self) -> Option<&'a [u8]> {
        if self.at.is_multiple_of(8) { self.bytes.get(self.at / 8..) } else { None }
    }

    /// An Exp-Golomb number (H.264 9.1, AV1 4.10.3).
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        // 2^zeros - 1 + the bits that follow: below 2^32 - 1.
        Some(((1 << zeros) - 1) + self.u32(zeros)?)
    }

    /// A signed Exp-Golomb number (H.264 9.1.1).
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        i32::try_from(if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) }).ok()
    }

    /// The crop window of H.264, H.265 and H.266: left, right, top, bottom; zeros when there is
    /// none.
    pub(super) fn window(&mut self) -> Option<[u32; 4]> {
        let mut sides = [0; 4];
        if self.flag()? {
            for side in &mut sides {
                *side = self.ue()?;
            }
        }
        Some(sides)
    }

    /// A bit depth, coded as what it is more than 8; at most `max`.
    pub(super) fn bit_depth(&mut self, max: u8) -> Option<u8> {
        let depth = u8::try_from(self.ue()?).ok()?.checked_add(8)?;
        (depth <= max).then_some(depth)
    }

    pub(super) fn skip_ue(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.ue()?;
        }
        Some(())
    }
}

/// A NAL unit without the bytes that keep start codes out of it (H.264 7.4.1, `00 00 03`).
pub(super) fn unescape(nal: &[u8]) -> Cow<'_, [u8]> {
    if !nal.windows(3).any(|three| three == [0, 0, 3]) {
        return Cow::Borrowed(nal);
    }
    let mut bytes = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    Cow::Owned(bytes)
}

/// The first NAL unit of `wanted` type in the arrays of an HEVC or VVC record (ISO 14496-15 8.3.2,
/// 11.2.4). `counted` says of a type whether its array tells how many units it holds; else it is
/// one.
pub(super) fn nal_in_arrays(
    arrays: &[u8],
    wanted: u8,
    type_mask: u8,
    counted: impl Fn(u8) -> bool,
) -> Option<&[u8]> {
    let (&count, mut rest) = arrays.split_first()?;
    for _ in 0..count {
        let (&head, after) = rest.split_first()?;
        let kind = head & type_mask;
        let (units, after) = if counted(kind) { be16(after)? } else { (1, after) };
        rest = after;
        for _ in 0..units {
            let (len, after) = be16(rest)?;
            let (unit, after) = after.split_at_checked(len)?;
            if kind == wanted {
                return Some(unit);
            }
            rest = after;
        }
    }
    None
}

/// A 16-bit number and what follows it.
pub(super) fn be16(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&number, rest) = bytes.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_be_bytes(number)), rest))
}

/// How many samples wide and high the unit of a crop window is for a `chroma_format_idc` (H.264
/// table 6-1): 1 is 4:2:0, 2 is 4:2:2, the others crop by single samples.
pub(super) fn crop_unit(chroma: u32) -> (u32, u32) {
    match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    }
}

/// The shown size of a picture in pixels: `coded` less what each side crops. `None` when nothing,
/// or more than any codec's levels allow, would be left.
pub(super) fn cropped(coded: u32, crop: [u32; 2], unit: u32) -> Option<u32> {
    const MAX: u32 = 1 << 16;
    let [before, after] = crop;
    let off = before.checked_add(after)?.checked_mul(unit)?;
    coded.checked_sub(off).filter(|size| (1..=MAX).contains(size))
}

/// Frames per second when `units` of a clock of `scale` Hz make a frame. `None` when that is no
/// frame rate.
pub(super) fn frame_rate(scale: u32, units: u64) -> Option<f64> {
    /// Above this a clock is a time base, not a frame rate.
    const MAX: f64 = 1_000.0;
    let units = u32::try_from(units).ok().filter(|&units| units > 0)?;
    let rate = f64::from(scale) / f64::from(units);
    (rate > 0.0 && rate <= MAX).then_some(rate)
}

#[cfg(test)]
mod tests;
