//! Live streams: one bounded timeline per run, a cursor for everybody who reads it, and the registry of names.
//!
//! A [`Publisher`] appends packets to the timeline of its run. Players, recorders and everyone else hold a
//! [`Cursor`]. A cursor that falls out of the window resumes at a key frame and is told what it lost, so a slow
//! reader costs neither the publisher nor other readers anything.
//!
//! There is no I/O here, no task, no clock and no RTMP: the server's connection task pushes and reads, the archive's
//! recorder threads read.
//!
//! Invariants:
//! - Bytes in memory per stream are at most the window of [`Limits`] plus one packet, whatever readers do; what all
//!   streams hold for recorders that are behind has a bound of its own.
//! - A reader that joins or resumes gets the header of exactly that point and then a packet at which decoding can
//!   start.
//! - Between two reports of loss a cursor sees every packet once and in order.

mod cursor;
mod key;
mod limits;
mod registry;
mod stats;
mod stream;
mod sync;
mod timeline;
mod wakers;

pub use cursor::{Class, Cursor, Lost, Read, Start, StopHandle, Wait};
pub use key::{Key, KeyError};
pub use limits::Limits;
pub use registry::{PublishError, Publisher, Registry, WatchError, Watcher};
pub use stats::{Stats, TrackStats};
pub use stream::Stream;
pub use timeline::Position;
