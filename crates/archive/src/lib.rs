//! Recordings on disk.
//!
//! An [`Archive`] owns the recorder threads. Each reads a [`live::Cursor`], muxes what it reads
//! into a segment, one FLV file, and is the only one that waits for the disk: publishers and
//! viewers never do, and no failure of a recording reaches them. RTMP, HTTP and the choice of what
//! to record live in `server`; container bytes in `media`.

mod about;
mod archive;

pub mod catalog;
mod change;
mod clip;
mod clock;
mod config;
mod counters;
mod digest;
mod disk;
mod disks;
mod error;
mod events;
mod format;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gate;
mod hash;
mod keeper;
mod label;
mod latency;
mod ledger;
mod marks;
mod notice;
pub mod path;
mod plan;
mod policy;
pub mod range;
mod recorder;
mod recover;
pub mod retention;
mod script;
mod segment;
mod sidecar;
mod space;
mod status;
mod telemetry;
mod trash;
pub mod verify;
mod watch;

pub use about::{About, BadHash, Cut, Hash};
pub use archive::{Archive, StartRequest};
pub use change::{Change, ChangeError, Changed};
pub use clip::{Clip, ClipError};
pub use clock::{Clock, SystemClock};
pub use config::{Config, Rotation};
pub use counters::Counters;
pub use disk::{Disk, DiskFile, Entry, Space, SystemDisk};
pub use disks::DiskStatus;
pub use error::{Error, words};
pub use format::{Format, UnknownFormat};
pub use label::{
    BadLabel, LABEL_NAME_BYTES, LABELS_MAX, Labels, TEXT_BYTES, check_label, check_labels,
    check_text,
};
pub use latency::{LATENCY_BOUNDS_MS, Latency};
pub use ledger::{Amount, Gap, GapReason, Ledger, UnknownReason};
pub use marks::{Every, Marks, MarksError, Schedule};
pub use notice::{DiskState, Notice, Observer};
pub use plan::{Plan, Tracks, UnknownTracks};
pub use policy::Policy;
pub use recorder::State;
pub use sidecar::is_sidecar;
pub use status::{BadId, Reason, RecordingId, Status};

#[cfg(test)]
mod testing;
