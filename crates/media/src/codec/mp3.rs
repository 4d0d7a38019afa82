//! MP3: the header that begins each frame (ISO 11172-3 2.4.1.3, ISO 13818-3).

use super::bits::Bits;
use super::{AudioCodec, AudioInfo};

/// What a frame's header says.
pub(super) fn frame(frame: &[u8]) -> Option<AudioInfo> {
    const SYNC: u32 = 0x7FF;
    const MONO: u32 = 3;
    let mut bits = Bits::new(frame);
    if bits.u32(11)? != SYNC {
        return None;
    }
    let (version, divisor) = match bits.u32(2)? {
        0 => ("MPEG-2.5", 4),
        2 => ("MPEG-2", 2),
        3 => ("MPEG-1", 1),
        _ => return None,
    };
    let (layer, codec_string) = match bits.u32(2)? {
        1 => ("III", "mp4a.40.34"),
        2 => ("II", "mp4a.40.33"),
        3 => ("I", "mp4a.40.32"),
        _ => return None,
    };
    bits.skip(1 + 4)?;
    let rate = match bits.u32(2)? {
        0 => 44_100,
        1 => 48_000,
        2 => 32_000,
        _ => return None,
    };
    bits.skip(1 + 1)?;
    let mut info = AudioInfo::new(AudioCodec::Mp3);
    info.sample_rate_hz = rate / divisor;
    info.channels = if bits.u32(2)? == MONO { 1 } else { 2 };
    info.profile = Some(format!("{version} Layer {layer}"));
    info.codec_string = Some(codec_string.to_owned());
    Some(info)
}
