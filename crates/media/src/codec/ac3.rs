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

/// The content of a `dac3` box, from a frame (TS 102 366 F.4).
pub(crate) fn ac3_specific(frame: &[u8]) -> Option<Vec<u8>> {
    let (&[0x0B, 0x77, _, _, rate, id, mode, ..], _) = frame.split_first_chunk::<8>()? else {
        return None;
    };
    let mut bits = Bits::new(frame);
    bits.skip(16 + 16 + 2 + 6 + 8)?;
    let acmod = bits.u8(3)?;
    let mixes = usize::from(acmod & 1 != 0 && acmod != 1) + usize::from(acmod & 4 != 0);
    bits.skip(2 * (mixes + usize::from(acmod == 2)))?;
    let low = u32::from(bits.flag()?);
    let (rate, id, acmod) = (u32::from(rate), u32::from(id), u32::from(mode >> 5));
    let (rate_code, size_code) = (rate >> 6, (rate & 0x3F) >> 1);
    // Rate, id, mode of the bit stream, channels, low frequencies, bit rate.
    let packed = rate_code << 22 | id << 14 | acmod << 11 | low << 10 | size_code << 5;
    let [_, specific @ ..] = packed.to_be_bytes();
    Some(specific.to_vec())
}

/// What one frame of E-AC-3 says of its substream (TS 102 366 E.1.2).
struct Substream {
    is_dependent: bool,
    id: u8,
    size_bytes: usize,
    rate_code: u32,
    rate_hz: u32,
    blocks: u32,
    bsid: u32,
    acmod: u32,
    low: u32,
    /// The places of a dependent substream's channels, as `dec3` has them: 9 bits.
    places: u32,
}

impl Substream {
    fn parse(frame: &[u8]) -> Option<Self> {
        const DEPENDENT: u8 = 1;
        const HALVED: u32 = 3;
        let mut bits = Bits::new(frame);
        if bits.u32(16)? != 0x0B77 {
            return None;
        }
        let is_dependent = bits.u8(2)? == DEPENDENT;
        let id = bits.u8(3)?;
        let size_bytes = (usize::try_from(bits.u32(11)?).ok()? + 1) * 2;
        let rate_code = bits.u32(2)?;
        let (rate_hz, blocks) = if rate_code == HALVED {
            (RATES.get(usize::from(bits.u8(2)?))? / 2, 6)
        } else {
            let blocks = [1, 2, 3, 6].get(usize::from(bits.u8(2)?)).copied()?;
            (*RATES.get(usize::try_from(rate_code).ok()?)?, blocks)
        };
        let acmod = bits.u32(3)?;
        let low = bits.u32(1)?;
        let bsid = bits.u32(5)?;
        for _ in 0..if acmod == 0 { 2 } else { 1 } {
            bits.skip(5)?;
            if bits.flag()? {
                bits.skip(8)?;
            }
        }
        let mut places = 0;
        if is_dependent && bits.flag()? {
            // The map has its bit 0 first, `dec3` has it last: 5 to 12, and 14 for the second low
            // frequencies.
            let map = u16::try_from(bits.u32(16)?).ok()?.reverse_bits();
            places = u32::from(map >> 5 & 0xFF | (map >> 14 & 1) << 8);
        }
        let this = Self {
            is_dependent,
            id,
            size_bytes,
            rate_code,
            rate_hz,
            blocks,
            bsid,
            acmod,
            low,
            places,
        };
        Some(this)
    }
}

/// The content of a `dec3` box, from the frames of one access unit (TS 102 366 F.6).
pub(crate) fn eac3_specific(mut unit: &[u8]) -> Option<Vec<u8>> {
    let mut independent: Vec<(Substream, u32, u32)> = Vec::new();
    let mut bits_per_s = 0_u64;
    while let Some(sub) = Substream::parse(unit) {
        // Of several frames of one substream the first tells.
        let is_repeated = !sub.is_dependent && independent.iter().any(|(i, ..)| i.id == sub.id);
        if is_repeated || independent.len() == 8 {
            break;
        }
        let bits = u64::try_from(sub.size_bytes * 8).unwrap_or(u64::MAX);
        bits_per_s += bits * u64::from(sub.rate_hz) / u64::from(sub.blocks * 256);
        unit = unit.get(sub.size_bytes..).unwrap_or_default();
        match independent.last_mut() {
            Some((_, dependents, places)) if sub.is_dependent => {
                *dependents += 1;
                *places |= sub.places;
            }
            None if sub.is_dependent => return None,
            _ => independent.push((sub, 0, 0)),
        }
    }
    let count = u16::try_from(independent.len().checked_sub(1)?).ok()?;
    let kbit = u16::try_from(((bits_per_s + 500) / 1_000).min(0x1FFF)).ok()?;
    let mut specific = (kbit << 3 | count).to_be_bytes().to_vec();
    for (sub, dependents, places) in independent {
        let Substream { rate_code, bsid, acmod, low, .. } = sub;
        let packed = rate_code << 22 | bsid << 17 | acmod << 9 | low << 8 | dependents.min(15) << 1;
        if dependents == 0 {
            let [_, three @ ..] = packed.to_be_bytes();
            specific.extend_from_slice(&three);
        } else {
            specific.extend_from_slice(&(packed << 8 | places).to_be_bytes());
        }
    }
    Some(specific)
}
