//! AC-3 and E-AC-3: the headers that begin each frame (ETSI TS 102 366 4.3 and 4.4, E.1.2).

use super::bits::Bits;
use super::{AudioCodec, AudioInfo};

const RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// What a frame's header says. Its bitstream id tells which of the two formats it is, not the
/// FourCC.
pub(super) fn frame(frame: &[u8]) -> Option<AudioInfo> {
    let (&[0x0B, 0x77, _, _, _, id], _) = frame.split_first_chunk::<6>()? else { return None };
    match id >> 3 {
        id @ 0..=10 => ac3(frame, id),
        11..=16 => eac3(frame),
        _ => None,
    }
}

fn ac3(frame: &[u8], id: u8) -> Option<AudioInfo> {
    let mut bits = Bits::new(frame);
    bits.skip(16 + 16)?;
    let rate = RATES.get(usize::from(bits.u8(2)?))?;
    bits.skip(6 + 5 + 3)?;
    let mode = bits.u8(3)?;
    // Mix levels, which depend on the channels there are.
    let centre = mode & 1 != 0 && mode != 1;
    let surround = mode & 4 != 0;
    bits.skip(if centre { 2 } else { 0 } + if surround { 2 } else { 0 })?;
    if mode == 2 {
        bits.skip(2)?;
    }
    let channels = channels(mode, bits.flag()?)?;
    // Ids 9 and 10 mean half and a quarter of the rate.
    let rate = rate >> id.saturating_sub(8);
    Some(info(AudioCodec::Ac3, "ac-3", rate, channels))
}

fn eac3(frame: &[u8]) -> Option<AudioInfo> {
    const HALVED: u8 = 3;
    let mut bits = Bits::new(frame);
    bits.skip(16 + 2 + 3 + 11)?;
    let rate = match bits.u8(2)? {
        HALVED => RATES.get(usize::from(bits.u8(2)?))? / 2,
        code => {
            bits.skip(2)?;
            *RATES.get(usize::from(code))?
        }
    };
    let mode = bits.u8(3)?;
    let channels = channels(mode, bits.flag()?)?;
    Some(info(AudioCodec::Eac3, "ec-3", rate, channels))
}

/// TS 102 366 table 4.3, and the low-frequency channel.
fn channels(mode: u8, low: bool) -> Option<u8> {
    const FULL: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
    FULL.get(usize::from(mode)).map(|full| full + u8::from(low))
}

fn info(codec: AudioCodec, codec_string: &str, sample_rate_hz: u32, channels: u8) -> AudioInfo {
    let codec_string = Some(codec_string.to_owned());
    AudioInfo { sample_rate_hz, channels, codec_string, ..AudioInfo::new(codec) }
}
