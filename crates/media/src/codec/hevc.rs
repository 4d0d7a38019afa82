//! H.265: the `HEVCDecoderConfigurationRecord` (ISO 14496-15 8.3.3.1) and the sequence parameter
//! set in it (H.265 7.3.2.2, E.2.1).

use super::avc::skip_vui_to_timing;
use super::bits::{self, Bits};
use super::{VideoCodec, VideoInfo};

/// What a configuration record says.
pub(super) fn config(record: &[u8]) -> Option<VideoInfo> {
    let (head, arrays) = record.split_first_chunk::<22>()?;
    let [version, tier, c0, c1, c2, c3, constraints @ .., level, _, _, _, _, depth, _, _, _, _] =
        *head;
    // Encoders from before the record's final form wrote version 0.
    if version > 1 {
        return None;
    }
    let compatibility = u32::from_be_bytes([c0, c1, c2, c3]);
    let mut info = VideoInfo::new(VideoCodec::Hevc);
    info.profile = profile_name(tier & 0x1F);
    info.level = Some(level_name(level));
    info.codec_string = Some(codec_string(tier, compatibility, level, constraints));
    info.bit_depth = Some((depth & 0x07) + 8);
    const SPS: u8 = 33;
    if let Some(sps) = bits::nal_in_arrays(arrays, SPS, 0x3F, |_| true) {
        let _ = read_sps(sps, &mut info);
    }
    Some(info)
}

/// ISO 14496-15 annex E.3: profile space and profile, the compatibility flags with their bits
/// reversed, tier and level, the constraint bytes up to the last that is not zero.
fn codec_string(tier: u8, compatibility: u32, level: u8, constraints: [u8; 6]) -> String {
    let space = match tier >> 6 {
        1 => "A",
        2 => "B",
        3 => "C",
        _ => "",
    };
    let profile = tier & 0x1F;
    let compatibility = compatibility.reverse_bits();
    let tier = if tier & 0x20 == 0 { 'L' } else { 'H' };
    let mut text = format!("hvc1.{space}{profile}.{compatibility:X}.{tier}{level}");
    let used = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    for byte in constraints.iter().take(used) {
        text.push_str(&format!(".{byte:X}"));
    }
    text
}

fn profile_name(profile: u8) -> Option<String> {
    let name = match profile {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Range Extensions",
        5 => "High Throughput",
        6 => "Multiview Main",
        7 => "Scalable Main",
        8 => "3D Main",
        9 => "Screen-Extended Main",
        10 => "Scalable Range Extensions",
        11 => "High Throughput Screen-Extended",
        _ => return None,
    };
    Some(name.to_owned())
}

/// The level is coded as 30 times its number.
fn level_name(level: u8) -> String {
    format!("{}.{}", level / 30, level % 30 / 3)
}

/// Adds what a sequence parameter set says; nothing when it is not understood.
fn read_sps(nal: &[u8], info: &mut VideoInfo) -> Option<()> {
    let nal = bits::unescape(nal);
    let mut bits = Bits::new(nal.get(2..)?);
    bits.skip(4)?;
    let sub_layers = bits.u32(3)?;
    bits.skip(1)?;
    skip_profile_tier_level(&mut bits, sub_layers)?;
    bits.skip_ue(1)?;
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let (width, height) = (bits.ue()?, bits.ue()?);
    let [left, right, top, bottom] = bits.window()?;
    let (unit_x, unit_y) = bits::crop_unit(chroma);
    let bit_depth = bits.bit_depth(16)?;
    bits.skip_ue(1)?;
    let width = bits::cropped(width, [left, right], unit_x)?;
    info.height = bits::cropped(height, [top, bottom], unit_y)?;
    info.width = width;
    info.bit_depth = Some(bit_depth);
    info.frame_rate = frame_rate(&mut bits, sub_layers);
    Some(())
}

/// H.265 7.3.3.
fn skip_profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    bits.skip(96)?;
    let mut skip = 0;
    for layer in 0..if sub_layers > 0 { 8 } else { 0 } {
        let (profile, level) = (bits.flag()?, bits.flag()?);
        if layer < sub_layers {
            skip += if profile { 88 } else { 0 } + if level { 8 } else { 0 };
        }
    }
    bits.skip(skip)
}

/// The frame rate of the VUI, from just behind the bit depths.
fn frame_rate(bits: &mut Bits<'_>, sub_layers: u32) -> Option<f64> {
    let order_count_bits = bits.ue()?.checked_add(4).filter(|&bits| bits <= 16)?;
    let told_for = if bits.flag()? { sub_layers + 1 } else { 1 };
    bits.skip_ue(3 * told_for)?;
    bits.skip_ue(6)?;
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.flag()? {
        bits.skip(8)?;
        bits.skip_ue(2)?;
        bits.skip(1)?;
    }
    skip_short_term_sets(bits)?;
    if bits.flag()? {
        let count = usize::try_from(bits.ue().filter(|&count| count <= 32)?).ok()?;
        bits.skip(count * (usize::try_from(order_count_bits).ok()? + 1))?;
    }
    bits.skip(2)?;
    if !bits.flag()? {
        return None;
    }
    skip_vui_to_timing(bits, |bits| bits.skip_ue(2))?;
    bits.skip(3)?;
    if bits.flag()? {
        bits.skip_ue(4)?;
    }
    if !bits.flag()? {
        return None;
    }
    let (units, scale) = (bits.u32(32)?, bits.u32(32)?);
    bits::frame_rate(scale, u64::from(units))
}

/// H.265 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.skip_ue(1)?;
                continue;
            }
            let coefficients = 64.min(1 << (4 + 2 * size));
            bits.skip_ue(if size > 1 { coefficients + 1 } else { coefficients })?;
        }
    }
    Some(())
}

/// H.265 7.3.7, where each set may be told by its difference from the one before.
fn skip_short_term_sets(bits: &mut Bits<'_>) -> Option<()> {
    let sets = bits.ue().filter(|&sets| sets <= 64)?;
    let mut pictures: u32 = 0;
    for set in 0..sets {
        if set > 0 && bits.flag()? {
            bits.skip(1)?;
            bits.skip_ue(1)?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let used = bits.flag()?;
                kept += u32::from(used || bits.flag()?);
            }
            pictures = kept;
        } else {
            let (before, after) = (bits.ue()?, bits.ue()?);
            pictures = before.checked_add(after).filter(|&pictures| pictures <= 32)?;
            for _ in 0..pictures {
                bits.skip_ue(1)?;
                bits.skip(1)?;
            }
        }
        if pictures > 32 {
            return None;
        }
    }
    Some(())
}
