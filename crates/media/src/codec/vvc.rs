//! H.266: the `VvcDecoderConfigurationRecord` (ISO 14496-15 11.2.4.2) and the sequence parameter
//! set in it (H.266 7.3.2.4).

use super::bits::{self, Bits};
use super::{VideoCodec, VideoInfo};

/// What a configuration record says.
pub(super) fn config(record: &[u8]) -> Option<VideoInfo> {
    let mut info = VideoInfo::new(VideoCodec::Vvc);
    let mut bits = Bits::new(record);
    bits.skip(7)?;
    if !bits.flag()? {
        return Some(info);
    }
    bits.skip(9)?;
    let sub_layers = bits.u32(3)?;
    bits.skip(4)?;
    info.bit_depth = Some(bits.u8(3)? + 8);
    bits.skip(5 + 2)?;
    let constraint_len = bits.u32(6)?;
    let profile = bits.u8(7)?;
    let high_tier = bits.flag()?;
    let level = bits.u8(8)?;
    let mut constraints = Vec::new();
    for _ in 0..constraint_len {
        constraints.push(bits.u8(8)?);
    }
    info.profile = profile_name(profile);
    info.level = Some(level_name(level));
    info.codec_string = Some(codec_string(profile, high_tier, level, &constraints));
    skip_sub_layers(&mut bits, sub_layers)?;
    let sub_profiles = bits.u8(8)?;
    bits.skip(32 * usize::from(sub_profiles))?;
    // The largest picture, not cropped: what is known when there is no parameter set.
    info.width = bits.u32(16)?;
    info.height = bits.u32(16)?;
    bits.skip(16)?;
    /// Decoding capability and operating point information: one unit, without a count.
    const ONE_UNIT: [u8; 2] = [12, 13];
    const SPS: u8 = 15;
    let arrays = bits.rest()?;
    let sps = bits::nal_in_arrays(arrays, SPS, 0x1F, |kind| !ONE_UNIT.contains(&kind));
    if let Some((width, height)) = sps.and_then(size) {
        info.width = width;
        info.height = height;
    }
    Some(info)
}

/// The levels of sub-layers, in a record and in a parameter set alike.
fn skip_sub_layers(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    let mut told = 0;
    for _ in 1..sub_layers {
        told += usize::from(bits.flag()?);
    }
    bits.align();
    bits.skip(8 * told)
}

/// The cropped size of the picture in a sequence parameter set.
fn size(nal: &[u8]) -> Option<(u32, u32)> {
    let nal = bits::unescape(nal);
    let mut bits = Bits::new(nal.get(2..)?);
    bits.skip(8)?;
    let sub_layers = bits.u32(3)? + 1;
    let chroma = bits.u32(2)?;
    bits.skip(2)?;
    if bits.flag()? {
        skip_profile_tier_level(&mut bits, sub_layers)?;
    }
    bits.skip(1)?;
    if bits.flag()? {
        bits.skip(1)?;
    }
    let (width, height) = (bits.ue()?, bits.ue()?);
    let [left, right, top, bottom] = bits.window()?;
    let (unit_x, unit_y) = bits::crop_unit(chroma);
    Some((
        bits::cropped(width, [left, right], unit_x)?,
        bits::cropped(height, [top, bottom], unit_y)?,
    ))
}

/// H.266 7.3.3.1, with the constraints of 7.3.3.2.
fn skip_profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    /// Constraint flags of the first version; what came later is counted.
    const CONSTRAINT_BITS: usize = 71;
    bits.skip(7 + 1 + 8 + 2)?;
    if bits.flag()? {
        bits.skip(CONSTRAINT_BITS)?;
        let more = bits.u8(8)?;
        bits.skip(usize::from(more))?;
    }
    bits.align();
    skip_sub_layers(bits, sub_layers)?;
    let sub_profiles = bits.u8(8)?;
    bits.skip(32 * usize::from(sub_profiles))
}

/// ISO 14496-15 annex E.6: profile, tier and level, and the constraints in base 32 (RFC 4648, no
/// padding) up to the last byte that is not zero.
fn codec_string(profile: u8, high_tier: bool, level: u8, constraints: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let tier = if high_tier { 'H' } else { 'L' };
    let mut text = format!("vvc1.{profile}.{tier}{level}");
    let used = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let used = constraints.get(..used).unwrap_or_default();
    if !used.is_empty() {
        text.push_str(".C");
    }
    for five in used.chunks(5) {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().skip(3).zip(five) {
            *to = *from;
        }
        let bits = u64::from_be_bytes(bytes);
        for digit in 0..(five.len() * 8).div_ceil(5) {
            let digit = usize::try_from(bits >> (35 - 5 * digit) & 31).unwrap_or(0);
            text.extend(DIGITS.get(digit).map(|&digit| char::from(digit)));
        }
    }
    text
}

fn profile_name(profile: u8) -> Option<String> {
    let name = match profile {
        1 => "Main 10",
        2 => "Main 12",
        10 => "Main 12 Intra",
        17 => "Multilayer Main 10",
        33 => "Main 10 4:4:4",
        34 => "Main 12 4:4:4",
        35 => "Main 16 4:4:4",
        42 => "Main 12 4:4:4 Intra",
        43 => "Main 16 4:4:4 Intra",
        49 => "Multilayer Main 10 4:4:4",
        65 => "Main 10 Still Picture",
        97 => "Main 10 4:4:4 Still Picture",
        _ => return None,
    };
    Some(name.to_owned())
}

/// The level is coded as 16 times its number, 3 for each tenth.
fn level_name(level: u8) -> String {
    format!("{}.{}", level / 16, level % 16 / 3)
}
