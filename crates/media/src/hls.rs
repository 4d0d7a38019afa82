//! HTTP Live Streaming: segments and parts of a stream's packets, and the playlists of them.
//!
//! - [`Segmenter`]: packets in, parts out. Where a segment ends is its to say, live and of an archive.
//! - [`Window`]: the newest of them, and what of that is in the playlist.
//! - [`Renditions`]: a window for each track of a stream that has several of a kind, and what there is to choose from.
//! - [`Reach`]: how far back a playlist goes beyond it, into what was recorded; [`Trace`]: how that is found there.
//! - [`playlist`]: the text.
//!
//! Source: RFC 8216bis (`draft-pantos-hls-rfc8216bis`), of which low latency is a part.

mod lane;
mod lanes;
mod log;
pub mod playlist;
mod renditions;
mod rewind;
mod segmenter;
mod trace;
mod window;

pub use lanes::{LANES_MAX, LeftOut, TrackName};
pub use log::Logged;
pub use renditions::{Offered, Renditions, offer, playlist_name};
pub use rewind::{Before, Map, Reach, rewind_init_name, rewind_name};
pub use segmenter::{Begin, Init, JITTER_MS, Options, Piece, Segmenter};
pub use trace::{Trace, Tracer};
pub use window::{Part, Rates, Segment, Window, init_name, part_name, segment_name};
