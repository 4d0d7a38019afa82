//! H.264: the `AVCDecoderConfigurationRecord` (ISO 14496-15 5.3.3.1) and the sequence parameter set
//! in it (H.264 7.3.2.1.1, E.1.1).

use super::bits::{self, Bits};
use super::{VideoCodec, VideoInfo};

/// What a configuration record says.
pub(super) fn config(record: &[u8]) -> Option<VideoInfo> {
    let (&[1, profile, constraints, level, _, sets], rest) = record.split_first_chunk::<6>()?
    else {
        return None;
    };
    let mut info = VideoInfo::new(VideoCodec::Avc);
    info.profile = profile_name(profile, constraints);
    info.level = Some(level_name(profile, constraints, level));
    info.codec_string = Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"));
    // A stream may carry its parameter sets in band, and none here.
    if sets & 0x1F > 0
        && let Some((len, rest)) = bits::be16(rest)
        && let Some(sps) = rest.get(..len)
    {
        let _ = read_sps(sps, &mut info);
    }
    Some(info)
}

/// Adds what a sequence parameter set says; nothing when it is not understood.
fn read_sps(nal: &[u8], info: &mut VideoInfo) -> Option<()> {
    let nal = bits::unescape(nal);
    let (&[head, profile, _, _], rest) = nal.split_first_chunk::<4>()?;
    if head & 0x1F != 7 {
        return None;
    }
    let mut bits = Bits::new(rest);
    bits.skip_ue(1)?;
    let (chroma, bit_depth) = format(&mut bits, profile)?;
    bits.skip_ue(1)?;
    skip_picture_order(&mut bits)?;
    bits.skip_ue(1)?;
    bits.skip(1)?;
    let width_mbs = bits.ue()?.checked_add(1)?;
    let height_map_units = bits.ue()?.checked_add(1)?;
    let frames_only = bits.flag()?;
    // Of interlaced pictures the height is that of a field.
    let fields = if frames_only { 1 } else { 2 };
    bits.skip(if frames_only { 1 } else { 2 })?;
    let [left, right, top, bottom] = bits.window()?;
    let (unit_x, unit_y) = bits::crop_unit(chroma);
    let width = bits::cropped(width_mbs.checked_mul(16)?, [left, right], unit_x)?;
    let height = height_map_units.checked_mul(16 * fields)?;
    info.height = bits::cropped(height, [top, bottom], unit_y * fields)?;
    info.width = width;
    info.bit_depth = Some(bit_depth);
    info.frame_rate = frame_rate(&mut bits);
    Some(())
}

/// `chroma_format_idc` and the bits of a luma sample.
fn format(bits: &mut Bits<'_>, profile: u8) -> Option<(u32, u8)> {
    const TOLD: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
    if !TOLD.contains(&profile) {
        return Some((1, 8));
    }
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let bit_depth = bits.bit_depth(14)?;
    bits.skip_ue(1)?;
    bits.skip(1)?;
    if bits.flag()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some((chroma, bit_depth))
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let mut last = 8_i32;
    for _ in 0..size {
        let next = last.wrapping_add(bits.se()?).rem_euclid(256);
        // From a zero on the rest repeats, or the default list stands for all.
        if next == 0 {
            return Some(());
        }
        last = next;
    }
    Some(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.ue()? {
        0 => bits.skip_ue(1),
        1 => {
            bits.skip(1)?;
            bits.skip_ue(2)?;
            let count = bits.ue().filter(|&count| count <= 255)?;
            bits.skip_ue(count)
        }
        _ => Some(()),
    }
}

/// The frame rate of the VUI, when it states that it is fixed: else the clock is but a time base.
fn frame_rate(bits: &mut Bits<'_>) -> Option<f64> {
    if !bits.flag()? {
        return None;
    }
    skip_vui_to_timing(bits, |bits| bits.skip_ue(2))?;
    if !bits.flag()? {
        return None;
    }
    let (units, scale) = (bits.u32(32)?, bits.u32(32)?);
    let fixed = bits.flag()?;
    // The clock counts fields.
    bits::frame_rate(scale, u64::from(units) * 2).filter(|_| fixed)
}

/// What the VUI of H.264 (E.1.1) and of H.265 (E.2.1) have in common. `chroma_location` reads what
/// is there when the location of chroma samples is told.
pub(super) fn skip_vui_to_timing(
    bits: &mut Bits<'_>,
    chroma_location: impl FnOnce(&mut Bits<'_>) -> Option<()>,
) -> Option<()> {
    const EXTENDED_SAR: u8 = 255;
    if bits.flag()? && bits.u8(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    if bits.flag()? {
        bits.skip(1)?;
    }
    if bits.flag()? {
        bits.skip(4)?;
        if bits.flag()? {
            bits.skip(24)?;
        }
    }
    if bits.flag()? { chroma_location(bits) } else { Some(()) }
}

fn profile_name(profile: u8, constraints: u8) -> Option<String> {
    let set = |n: u8| constraints & (0x80 >> n) != 0;
    let name = match profile {
        44 => "CAVLC 4:4:4 Intra",
        66 if set(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 if set(4) && set(5) => "Constrained High",
        100 if set(4) => "Progressive High",
        100 => "High",
        110 if set(3) => "High 10 Intra",
        110 => "High 10",
        118 => "Multiview High",
        122 if set(3) => "High 4:2:2 Intra",
        122 => "High 4:2:2",
        128 => "Stereo High",
        244 if set(3) => "High 4:4:4 Intra",
        244 => "High 4:4:4 Predictive",
        _ => return None,
    };
    Some(name.to_owned())
}

fn level_name(profile: u8, constraints: u8, level: u8) -> String {
    let low_profile = matches!(profile, 66 | 77 | 88);
    if level == 9 || level == 11 && low_profile && constraints & 0x10 != 0 {
        return "1b".to_owned();
    }
    format!("{}.{}", level / 10, level % 10)
}
