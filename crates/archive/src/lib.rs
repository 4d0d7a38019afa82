//! Recordings on disk.
//!
//! An [`Archive`] owns the recorder threads. Each reads a [`live::Cursor`], muxes what it reads
//! into a segment, one FLV file, and is the only one that waits for the disk: publishers and
//! viewers never do, and no failure of a recording reaches them. RTMP, HTTP and the choice of what
//! to record live in `server`; container bytes in `media`.

mod about;
mod archive;
pub mod catalog;
mod clock;
mod config;
mod counters;
mod digest;
mod disk;
mod error;
mod events;
mod gate;
mod hash;
mod keeper;
mod ledger;
mod marks;
pub mod path;
mod recorder;
mod recover;
pub mod retention;
mod segment;
mod space;
mod telemetry;
pub mod verify;
mod watch;

pub use about::{About, BadHash, Cut, Hash};
pub use archive::{Archive, BadId, Reason, RecordingId, StartRequest, Status};
pub use clock::{Clock, SystemClock};
pub use config::{Config, Rotation};
pub use counters::Counters;
pub use disk::{Disk, DiskFile, Entry, Space, SystemDisk};
pub use error::{Error, words};
pub use ledger::{Amount, Gap, GapReason, Ledger, UnknownReason};
pub use marks::{Every, Marks, MarksError, Schedule};
pub use recorder::State;

#[cfg(test)]
mod testing;
