//! AAC: the `AudioSpecificConfig` (ISO 14496-3 1.6.2.1).

use super::bits::Bits;
use super::{AudioCodec, AudioInfo};

const LC: u32 = 2;
/// Spectral band replication: HE-AAC.
const SBR: u32 = 5;
/// Parametric stereo: HE-AAC v2.
const PS: u32 = 29;

/// What a configuration says. With SBR the sample rate is that of the output; with parametric
/// stereo a mono core gives two channels.
pub(super) fn config(record: &[u8]) -> Option<AudioInfo> {
    let mut bits = Bits::new(record);
    let mut object_type = object_type(&mut bits)?;
    let mut rate = sample_rate(&mut bits)?;
    let channel_config = bits.u32(4)?;
    let mut core = object_type;
    if matches!(object_type, SBR | PS) {
        // Signalled explicitly: the rate of the output, then what the core is.
        rate = sample_rate(&mut bits)?;
        core = self::object_type(&mut bits)?;
    }
    let mut channels = channels_of(channel_config);
    if (1..=4).contains(&core)
        && let Some(coded) = skip_specific(&mut bits, channel_config)
    {
        channels = channels.or(coded);
        // Signalled so that old decoders do not notice: behind what they read.
        if object_type == core
            && let Some((extended, extended_rate)) = extension(&mut bits)
        {
            object_type = extended;
            rate = extended_rate;
        }
    }
    let mut channels = channels.unwrap_or(0);
    if object_type == PS && channels == 1 {
        channels = 2;
    }
    let mut info = AudioInfo::new(AudioCodec::Aac);
    info.sample_rate_hz = rate;
    info.channels = channels;
    info.profile = profile_name(object_type).map(str::to_owned);
    info.codec_string = Some(format!("mp4a.40.{object_type}"));
    Some(info)
}

/// ISO 14496-3 1.6.2.1, `GetAudioObjectType`.
fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    const ESCAPE: u32 = 31;
    match bits.u32(5)? {
        ESCAPE => Some(32 + bits.u32(6)?),
        object_type => Some(object_type),
    }
}

/// A sample rate in Hz: an index, or spelled out. 0 for the two reserved indices.
fn sample_rate(bits: &mut Bits<'_>) -> Option<u32> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    const SPELLED_OUT: u8 = 15;
    match bits.u8(4)? {
        SPELLED_OUT => bits.u32(24),
        index => Some(RATES.get(usize::from(index)).copied().unwrap_or(0)),
    }
}

/// ISO 14496-3 table 1.19; `None` where it tells nothing.
fn channels_of(channel_config: u32) -> Option<u8> {
    Some(match channel_config {
        1 => 1,
        2 => 2,
        3 => 3,
        4 => 4,
        5 => 5,
        6 => 6,
        7 | 12 | 14 => 8,
        11 => 7,
        13 => 24,
        _ => return None,
    })
}

/// ISO 14496-3 4.4.1, `GASpecificConfig` of the object types 1 to 4. Returns the channels of a
/// program configuration, if there is one.
fn skip_specific(bits: &mut Bits<'_>, channel_config: u32) -> Option<Option<u8>> {
    bits.skip(1)?;
    if bits.flag()? {
        bits.skip(14)?;
    }
    bits.skip(1)?;
    Some(if channel_config == 0 { Some(program_channels(bits)?) } else { None })
}

/// ISO 14496-3 4.4.1.1, `program_config_element`: how many channels its elements make.
fn program_channels(bits: &mut Bits<'_>) -> Option<u8> {
    bits.skip(4 + 2 + 4)?;
    let (front, side, back) = (bits.u8(4)?, bits.u8(4)?, bits.u8(4)?);
    let (low, associated, coupling) = (bits.u8(2)?, bits.u8(3)?, bits.u8(4)?);
    for mix_down_bits in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(mix_down_bits)?;
        }
    }
    let mut channels = 0;
    for _ in 0..front + side + back {
        channels += if bits.flag()? { 2 } else { 1 };
        bits.skip(4)?;
    }
    bits.skip(4 * usize::from(low) + 4 * usize::from(associated) + 5 * usize::from(coupling))?;
    bits.align();
    let comment = bits.u8(8)?;
    bits.skip(8 * usize::from(comment))?;
    Some(channels + low)
}

/// The object type and sample rate of an extension that is present (ISO 14496-3 1.6.5.3).
fn extension(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    const SYNC: u32 = 0x2B7;
    const SYNC_PS: u32 = 0x548;
    if bits.u32(11)? != SYNC || object_type(bits)? != SBR || !bits.flag()? {
        return None;
    }
    let rate = sample_rate(bits)?;
    let ps = bits.u32(11) == Some(SYNC_PS) && bits.flag() == Some(true);
    Some((if ps { PS } else { SBR }, rate))
}

fn profile_name(object_type: u32) -> Option<&'static str> {
    Some(match object_type {
        1 => "Main",
        LC => "LC",
        3 => "SSR",
        4 => "LTP",
        SBR => "HE-AAC",
        PS => "HE-AAC v2",
        23 => "LD",
        39 => "ELD",
        42 => "xHE-AAC",
        _ => return None,
    })
}
