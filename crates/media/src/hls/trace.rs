//! What a segment was made of, in few bytes: enough to find its packets again in a recording, and to know that it is
//! those and no others.
//!
//! A [`Trace`] tells how many packets of its movie's tracks a segment has, what the first of them looks like, and a hash
//! of all of them: their bodies and how far they are apart. So a stretch that fits is the same to whoever is shown it,
//! wherever it stands.

use std::hash::{DefaultHasher, Hasher as _};

use crate::mp4::Movie;
use crate::{Kind, Packet};

/// What is kept of the packets of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The kind of the first packet.
    pub kind: Kind,
    /// Bytes of its body.
    pub size_bytes: usize,
    /// Its time on the clock of the segments, in ms.
    pub begin_ms: u64,
    /// How many packets there are.
    pub packets: u32,
    hash: u64,
}

impl Trace {
    /// Whether a packet of this kind and size may be the first.
    pub fn may_begin(&self, kind: Kind, size_bytes: u64) -> bool {
        kind == self.kind && size_bytes == self.size_bytes as u64
    }

    /// Whether another trace is of the same packets, at the same distances.
    pub fn is_same(&self, other: &Self) -> bool {
        Self { begin_ms: 0, ..*self } == Self { begin_ms: 0, ..*other }
    }
}

/// Makes a trace.
#[derive(Debug, Clone, Default)]
pub struct Tracer {
    trace: Option<Trace>,
    hasher: DefaultHasher,
}

impl Tracer {
    /// Takes the next packet, unless it is of no track of the movie. Returns whether it is.
    pub fn push(&mut self, movie: &Movie, packet: &Packet, time_ms: u64) -> bool {
        let is_of =
            |track: &crate::mp4::Track| track.kind == packet.kind && packet.has_track(track.id);
        if !packet.is_media() || !movie.tracks().iter().any(is_of) {
            return false;
        }
        let trace = self.trace.get_or_insert(Trace {
            kind: packet.kind,
            size_bytes: packet.body.len(),
            begin_ms: time_ms,
            packets: 0,
            hash: 0,
        });
        trace.packets = trace.packets.saturating_add(1);
        // Sound may be a little older than the picture that it comes after.
        self.hasher.write_u64(time_ms.wrapping_sub(trace.begin_ms));
        self.hasher.write_u8(u8::from(packet.kind == Kind::Video));
        self.hasher.write_usize(packet.body.len());
        self.hasher.write(&packet.body);
        true
    }

    /// How many packets were taken.
    pub fn packets(&self) -> u32 {
        self.trace.map_or(0, |trace| trace.packets)
    }

    /// That of all packets so far, if there are any.
    pub fn trace(&self) -> Option<Trace> {
        self.trace.map(|trace| Trace { hash: self.hasher.finish(), ..trace })
    }
}
