//! Packets of a stretch of time of a stream, over any number of segments, gaps and reconnects: the
//! one source that downloads, playlists and clips are made from.
//!
//! [`Source`] is a list of segments, from a catalog or from bare files, put in order on the wall
//! clock. [`Reader`] gives the packets of a [`Range`] of it, [`Flv`] and [`Mp4`] one file of them. All
//! of it waits for disks, so it belongs into a thread that may; none of it writes, locks or needs a
//! catalog. How it is done, and what it costs, is in `docs/design/range.md`.
//!
//! Invariants:
//! - Exact ranges that adjoin, asked of the same segments, have every coded packet once.
//! - What is missing is told as a [`Gap`] with its cause. Nothing ends without a word.
//! - In memory are one block, one tag and the heads of the open segment, whatever the range is.

mod error;
mod export;
mod flv;
mod head;
mod hls;
mod index;
mod item;
mod locate;
mod mp4;
mod parts;
mod plan;
mod reader;
mod segment;
mod select;
mod source;
mod tags;
mod trace;

pub use error::Error;
pub(crate) use error::clock;
pub use export::{Exported, Progress, export};
pub use flv::Flv;
pub use hls::{Fragments, Hls, HlsSegment, LeadIn, OfTrack, Place, Rendition, Renditions};
pub use item::{Cause, Gap, Item, Timed};
pub use mp4::{Mp4, Mp4Bytes};
pub use plan::Info;
pub use reader::Reader;
pub use segment::{Gone, Segment};
pub use source::{Cut, Range, Source};
pub use trace::Found;

#[cfg(test)]
mod tests;
