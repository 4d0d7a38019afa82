//! Media as bytes and values: packets, codec records, AMF, FLV and MP4.
//!
//! Everything here is a pure function of its input: no clock, file, socket, thread or log. The same packets in
//! give the same bytes out on every machine. RTMP chunks and sessions live in `rtmp`, files in `archive`.
//!
//! Sources: FLV = *Adobe Flash Video File Format Specification 10.1*, annex E; E-RTMP = *Enhanced RTMP v2*;
//! AMF0 and AMF3 = the Adobe format specifications of 2007 and 2013.

pub mod amf0;
pub mod amf3;
mod chunks;
pub mod codec;
pub mod flv;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gate;
mod header;
pub mod hls;
pub mod mp4;
mod packet;
pub mod tags;
pub mod time;
mod tracks;

pub use chunks::Chunks;
pub use gate::{Gate, first_video_track};
pub use header::Header;
pub use packet::{Kind, Packet, Role};
pub use tracks::TrackSet;
