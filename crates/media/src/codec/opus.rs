//! Opus: the identification header (RFC 7845 5.1).

use super::{AudioCodec, AudioInfo};

/// What an identification header says. Some senders leave its magic out, and FFmpeg sends nothing
/// at all when the encoder gave nothing.
pub(super) fn config(record: &[u8]) -> Option<AudioInfo> {
    let fields = record.strip_prefix(b"OpusHead").unwrap_or(record);
    // Version, channels, pre-skip, the rate before encoding, gain, mapping.
    let (&[version, channels, ..], _) = fields.split_first_chunk::<11>()?;
    // The upper four bits are the version that matters, and 0.
    if version & 0xF0 != 0 {
        return None;
    }
    let mut info = AudioInfo::new(AudioCodec::Opus);
    // Whatever rate the sound had, Opus is decoded at this one.
    info.sample_rate_hz = 48_000;
    info.channels = channels;
    info.codec_string = Some("opus".to_owned());
    Some(info)
}
