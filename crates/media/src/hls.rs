//! HTTP Live Streaming: segments and parts of a stream's packets, and the playlists of them.
//!
//! - [`Segmenter`]: packets in, parts out. Where a segment ends is its to say, live and of an archive.
//! - [`Window`]: the newest of them, and what of that is in the playlist.
//! - [`playlist`]: the text.
//!
//! Source: RFC 8216bis (`draft-pantos-hls-rfc8216bis`), of which low latency is a part.

pub mod playlist;
mod segmenter;
mod window;

pub use segmenter::{Begin, Init, Options, Piece, Segmenter};
pub use window::{Part, Segment, Window, init_name, part_name, segment_name};
