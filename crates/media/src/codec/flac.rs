//! FLAC: the `STREAMINFO` block (RFC 9639 8.2).

use super::bits::Bits;
use super::{AudioCodec, AudioInfo};

/// The metadata blocks of a configuration, with their headers, as MP4 wants them (FLAC in ISOBMFF
/// 3.3.2).
pub(crate) fn blocks(record: &[u8]) -> Vec<u8> {
    const LAST_STREAMINFO: [u8; 4] = [0x80, 0, 0, 34];
    let record = record.strip_prefix(b"fLaC").unwrap_or(record);
    let is_alone = record.len() == 34;
    let head: &[u8] = if is_alone { &LAST_STREAMINFO } else { &[] };
    [head, record].concat()
}

/// What a configuration says. Enhanced RTMP asks for the marker `fLaC` and a block header before
/// the block; FFmpeg sends the block alone.
pub(super) fn config(record: &[u8]) -> Option<AudioInfo> {
    /// Type 0, with or without the flag for the last block; 34 bytes long.
    const BLOCK_HEADERS: [[u8; 4]; 2] = [[0x00, 0, 0, 34], [0x80, 0, 0, 34]];
    let record = record.strip_prefix(b"fLaC").unwrap_or(record);
    let block = BLOCK_HEADERS.iter().find_map(|head| record.strip_prefix(head)).unwrap_or(record);
    let mut bits = Bits::new(block.first_chunk::<34>()?);
    bits.skip(16 + 16 + 24 + 24)?;
    let mut info = AudioInfo::new(AudioCodec::Flac);
    info.sample_rate_hz = bits.u32(20)?;
    info.channels = bits.u8(3)? + 1;
    let sample_bits = bits.u8(5)? + 1;
    info.profile = Some(format!("{sample_bits} bit"));
    info.codec_string = Some("flac".to_owned());
    Some(info)
}
