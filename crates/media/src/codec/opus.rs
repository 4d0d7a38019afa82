//! Opus: the identification header (RFC 7845 5.1).

use super::{AudioCodec, AudioInfo};

/// The fields of an identification header, and its channel mapping. Some senders leave its magic out, and FFmpeg sends
/// nothing at all when the encoder gave nothing.
fn fields(record: &[u8]) -> Option<(&[u8; 11], &[u8])> {
    let fields = record.strip_prefix(b"OpusHead").unwrap_or(record);
    // Version, channels, pre-skip, the rate before encoding, gain, mapping. The upper four bits of the version are what
    // matters, and 0.
    fields.split_first_chunk::<11>().filter(|([version, ..], _)| version & 0xF0 == 0)
}

/// What an identification header says.
pub(super) fn config(record: &[u8]) -> Option<AudioInfo> {
    let (&[_, channels, ..], _) = fields(record)?;
    let mut info = AudioInfo::new(AudioCodec::Opus);
    // Whatever rate the sound had, Opus is decoded at this one.
    info.sample_rate_hz = 48_000;
    info.channels = channels;
    info.codec_string = Some("opus".to_owned());
    Some(info)
}

/// What follows the head of a `dOps` box: the fields of an identification header, big-endian, and
/// of version 0 (Opus in ISOBMFF 4.3.2).
pub(crate) fn specific(record: &[u8]) -> Option<Vec<u8>> {
    let (&[_, channels, skip0, skip1, r0, r1, r2, r3, gain0, gain1, family], mapping) =
        fields(record)?;
    let mut specific = vec![0, channels, skip1, skip0, r3, r2, r1, r0, gain1, gain0, family];
    if family != 0 {
        // Streams, coupled streams, and one number for each channel.
        specific.extend_from_slice(mapping.get(..2 + usize::from(channels))?);
    }
    Some(specific)
}
