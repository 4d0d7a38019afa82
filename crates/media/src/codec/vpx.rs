//! VP8 and VP9: the `VPCodecConfigurationRecord` (VP Codec ISO Media File Format Binding) and the
//! headers of key frames (RFC 6386 9.1; VP9 bitstream specification 6.2), which alone tell the
//! size.

use super::bits::Bits;
use super::{VideoCodec, VideoInfo};

/// What a configuration record says. FFmpeg sends it as in the `vpcC` box, with that box's version
/// and flags; without these it is taken too.
pub(super) fn config(codec: VideoCodec, record: &[u8]) -> Option<VideoInfo> {
    let record = record.strip_prefix(&[1, 0, 0, 0]).unwrap_or(record);
    let &[profile, level, format, ..] = record.first_chunk::<8>()?;
    let bit_depth = format >> 4;
    let prefix = if codec == VideoCodec::Vp8 { "vp08" } else { "vp09" };
    let mut info = VideoInfo::new(codec);
    info.profile = Some(format!("Profile {profile}"));
    info.level = (level > 0).then(|| format!("{}.{}", level / 10, level % 10));
    info.codec_string = Some(format!("{prefix}.{profile:02}.{level:02}.{bit_depth:02}"));
    info.bit_depth = Some(bit_depth);
    Some(info)
}

/// The numbers of H.273 for primaries, transfer and matrix, and whether the range is full, as a
/// configuration record says. `None` where it does not specify them.
pub(crate) fn color(record: &[u8]) -> Option<([u8; 3], bool)> {
    const UNSPECIFIED: u8 = 2;
    let record = record.strip_prefix(&[1, 0, 0, 0]).unwrap_or(record);
    let &[_, _, format, numbers @ .., _, _] = record.first_chunk::<8>()?;
    (numbers != [UNSPECIFIED; 3]).then_some((numbers, format & 1 == 1))
}

/// What the header of a VP8 key frame says.
pub(super) fn vp8_key_frame(frame: &[u8]) -> Option<VideoInfo> {
    let (&[tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1], _) = frame.split_first_chunk::<10>()?
    else {
        return None;
    };
    if tag & 1 != 0 {
        return None;
    }
    let mut info = VideoInfo::new(VideoCodec::Vp8);
    info.profile = Some(format!("Profile {}", tag >> 1 & 7));
    info.bit_depth = Some(8);
    // The upper two bits say how to scale for display.
    info.width = u32::from(u16::from_le_bytes([w0, w1]) & 0x3FFF);
    info.height = u32::from(u16::from_le_bytes([h0, h1]) & 0x3FFF);
    Some(info)
}

/// What the uncompressed header of a VP9 key frame says.
pub(super) fn vp9_key_frame(frame: &[u8]) -> Option<VideoInfo> {
    const FRAME_MARKER: u32 = 2;
    const SYNC_CODE: u32 = 0x49_83_42;
    const RGB: u32 = 7;
    let mut bits = Bits::new(frame);
    if bits.u32(2)? != FRAME_MARKER {
        return None;
    }
    let profile = u8::from(bits.flag()?) | u8::from(bits.flag()?) << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    let show_existing = bits.flag()?;
    let not_key = bits.flag()?;
    bits.skip(2)?;
    if show_existing || not_key || bits.u32(24)? != SYNC_CODE {
        return None;
    }
    let bit_depth = match profile >= 2 {
        false => 8,
        true if bits.flag()? => 12,
        true => 10,
    };
    let odd_profile = profile & 1 == 1;
    let rgb = bits.u32(3)? == RGB;
    bits.skip(match (rgb, odd_profile) {
        (false, false) | (true, true) => 1,
        (false, true) => 4,
        (true, false) => 0,
    })?;
    let mut info = VideoInfo::new(VideoCodec::Vp9);
    info.profile = Some(format!("Profile {profile}"));
    info.bit_depth = Some(bit_depth);
    info.width = bits.u32(16)? + 1;
    info.height = bits.u32(16)? + 1;
    Some(info)
}
