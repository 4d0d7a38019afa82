//! AV1: the `AV1CodecConfigurationRecord` (AV1-ISOBMFF 2.3) and the sequence header OBU (AV1 5.5),
//! which stands in the record or in front of a key frame.

use super::bits::{self, Bits};
use super::{VideoCodec, VideoInfo};

/// What a configuration record says.
pub(super) fn config(record: &[u8]) -> Option<VideoInfo> {
    let (&[0x81, profile_level, format, _], obus) = record.split_first_chunk::<4>()? else {
        return None;
    };
    let profile = profile_level >> 5;
    let level = profile_level & 0x1F;
    let high_tier = format & 0x80 != 0;
    let bit_depth = match format >> 5 & 3 {
        0 | 1 => 8,
        2 => 10,
        _ => 12,
    };
    let mut info = describe(profile, level, high_tier, bit_depth);
    if let Some(sequence) = sequence(obus) {
        sequence.sized(&mut info);
    }
    Some(info)
}

/// What the descriptor of a stream in MPEG-2 TS says (AV1 in MPEG-2 TS 2.2): the first bytes of a
/// configuration record behind its tag and its length.
pub(super) fn ts_descriptor(descriptor: &[u8]) -> Option<VideoInfo> {
    config(descriptor.strip_prefix(&[0x80, 4])?.get(..4)?)
}

/// What the sequence header in front of a key frame says.
pub(super) fn key_frame(obus: &[u8]) -> Option<VideoInfo> {
    let sequence = sequence(obus)?;
    let Sequence { profile, level, high_tier, bit_depth, .. } = sequence;
    let mut info = describe(profile, level, high_tier, bit_depth?);
    sequence.sized(&mut info);
    Some(info)
}

/// The numbers of H.273 for primaries, transfer and matrix, and whether the range is full, as the
/// sequence header in a configuration record says. `None` where it says nothing.
pub(crate) fn color(record: &[u8]) -> Option<([u8; 3], bool)> {
    sequence(record.get(4..)?)?.color
}

fn describe(profile: u8, level: u8, high_tier: bool, bit_depth: u8) -> VideoInfo {
    /// "No level": as large as the format allows.
    const LEVEL_MAX: u8 = 31;
    let mut info = VideoInfo::new(VideoCodec::Av1);
    let name = match profile {
        0 => Some("Main"),
        1 => Some("High"),
        2 => Some("Professional"),
        _ => None,
    };
    info.profile = name.map(str::to_owned);
    info.level = (level < LEVEL_MAX).then(|| format!("{}.{}", 2 + level / 4, level % 4));
    let tier = if high_tier { 'H' } else { 'M' };
    info.codec_string = Some(format!("av01.{profile}.{level:02}{tier}.{bit_depth:02}"));
    info.bit_depth = Some(bit_depth);
    info
}

struct Sequence {
    profile: u8,
    level: u8,
    high_tier: bool,
    width: u32,
    height: u32,
    frame_rate: Option<f64>,
    /// `None` when the header ends before it.
    bit_depth: Option<u8>,
    color: Option<([u8; 3], bool)>,
}

/// The first sequence header among `obus` (AV1 5.3).
fn sequence(mut obus: &[u8]) -> Option<Sequence> {
    const SEQUENCE_HEADER: u8 = 1;
    loop {
        let (&head, mut rest) = obus.split_first()?;
        if head & 0x04 != 0 {
            rest = rest.get(1..)?;
        }
        let (obu, after) = if head & 0x02 == 0 {
            (rest, <&[u8]>::default())
        } else {
            let (len, rest) = leb128(rest)?;
            rest.split_at_checked(len)?
        };
        if head >> 3 & 0x0F == SEQUENCE_HEADER {
            return Sequence::parse(obu);
        }
        obus = after;
    }
}

/// A number of up to eight bytes of seven bits, the lowest first (AV1 4.10.5), and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_u64;
    for (i, &byte) in bytes.iter().enumerate().take(8) {
        number |= u64::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, bytes.get(i + 1..)?));
        }
    }
    None
}

impl Sequence {
    fn sized(&self, info: &mut VideoInfo) {
        info.width = self.width;
        info.height = self.height;
        info.frame_rate = self.frame_rate;
    }

    /// AV1 5.5.1.
    fn parse(obu: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(obu);
        let profile = bits.u8(3)?;
        bits.skip(1)?;
        let reduced = bits.flag()?;
        let Points { level, high_tier, frame_rate } =
            if reduced { Points::reduced(&mut bits)? } else { Points::parse(&mut bits)? };
        let (width_bits, height_bits) = (bits.u32(4)? + 1, bits.u32(4)? + 1);
        let (width, height) = (bits.u32(width_bits)? + 1, bits.u32(height_bits)? + 1);
        let bit_depth = bit_depth(&mut bits, profile, reduced);
        let color = bit_depth.and_then(|_| described_color(&mut bits, profile));
        Some(Self { profile, level, high_tier, width, height, frame_rate, bit_depth, color })
    }
}

/// What is told of timing and of the first operating point.
struct Points {
    level: u8,
    high_tier: bool,
    frame_rate: Option<f64>,
}

impl Points {
    fn reduced(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self { level: bits.u8(5)?, high_tier: false, frame_rate: None })
    }

    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let mut frame_rate = None;
        let mut delay_bits = None;
        if bits.flag()? {
            let (units, scale) = (bits.u32(32)?, bits.u32(32)?);
            if bits.flag()? {
                let ticks = u64::from(bits.ue()?) + 1;
                frame_rate = bits::frame_rate(scale, u64::from(units) * ticks);
            }
            if bits.flag()? {
                delay_bits = Some(usize::from(bits.u8(5)?) + 1);
                bits.skip(32 + 5 + 5)?;
            }
        }
        let display_delay = bits.flag()?;
        let mut first = None;
        for _ in 0..=bits.u32(5)? {
            bits.skip(12)?;
            let level = bits.u8(5)?;
            let high_tier = level > 7 && bits.flag()?;
            if let Some(delay_bits) = delay_bits
                && bits.flag()?
            {
                bits.skip(2 * delay_bits + 1)?;
            }
            if display_delay && bits.flag()? {
                bits.skip(4)?;
            }
            first.get_or_insert((level, high_tier));
        }
        let (level, high_tier) = first?;
        Some(Self { level, high_tier, frame_rate })
    }
}

/// Goes from just behind the size to the start of the colour configuration (AV1 5.5.2) and reads
/// it.
fn bit_depth(bits: &mut Bits<'_>, profile: u8, reduced: bool) -> Option<u8> {
    if !reduced && bits.flag()? {
        bits.skip(7)?;
    }
    bits.skip(3)?;
    if !reduced {
        bits.skip(4)?;
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?;
        }
        let choose_screen_content = bits.flag()?;
        let screen_content = choose_screen_content || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.skip(1)?;
        }
        if order_hint {
            bits.skip(3)?;
        }
    }
    bits.skip(3)?;
    Some(match bits.flag()? {
        false => 8,
        true if profile == 2 && bits.flag()? => 12,
        true => 10,
    })
}

/// What follows the bit depth (AV1 5.5.2); `None` when the colours are not described.
fn described_color(bits: &mut Bits<'_>, profile: u8) -> Option<([u8; 3], bool)> {
    const SRGB: [u8; 3] = [1, 13, 0];
    let is_mono = profile != 1 && bits.flag()?;
    if !bits.flag()? {
        return None;
    }
    let numbers = [bits.u8(8)?, bits.u8(8)?, bits.u8(8)?];
    let is_full_range = !is_mono && numbers == SRGB || bits.flag()?;
    Some((numbers, is_full_range))
}
