//! The video codecs of Flash Player that have no configuration: what the header of a frame says
//! (FLV E.4.3.1, and the annexes on H.263 and Screen Video of FLV 9).

use super::bits::Bits;
use super::{VideoCodec, VideoInfo};

/// The size in a Sorenson H.263 picture header.
pub(super) fn h263_frame(frame: &[u8]) -> Option<VideoInfo> {
    const START_CODE: u32 = 1;
    let mut bits = Bits::new(frame);
    if bits.u32(17)? != START_CODE {
        return None;
    }
    bits.skip(5 + 8)?;
    let (width, height) = match bits.u32(3)? {
        0 => (bits.u32(8)?, bits.u32(8)?),
        1 => (bits.u32(16)?, bits.u32(16)?),
        2 => (352, 288),
        3 => (176, 144),
        4 => (128, 96),
        5 => (320, 240),
        6 => (160, 120),
        _ => return None,
    };
    Some(VideoInfo { width, height, ..VideoInfo::new(VideoCodec::H263) })
}

/// The size that begins each frame of Screen Video, version 1 or 2.
pub(super) fn screen_frame(codec: VideoCodec, frame: &[u8]) -> Option<VideoInfo> {
    let (&[w0, w1, h0, h1], _) = frame.split_first_chunk::<4>()?;
    // The upper four bits are the size of a block.
    let size = |high, low| u32::from(u16::from_be_bytes([high, low]) & 0x0FFF);
    Some(VideoInfo { width: size(w0, w1), height: size(h0, h1), ..VideoInfo::new(codec) })
}
