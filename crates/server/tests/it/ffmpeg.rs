//! FFmpeg publishes and plays; packets are compared by hash and time with the source.
//!
//! FFmpeg 5 is what Debian has and reads what it knows; FFmpeg 9 speaks Enhanced RTMP.

mod codecs;
mod multitrack;
pub(crate) mod packets;
pub(crate) mod sessions;
pub(crate) mod tool;
