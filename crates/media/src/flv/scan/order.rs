//! Whether the times of each track only grow.

use super::FaultKind;
use crate::{Kind, Packet};

/// The newest time of each track.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// At most one entry for each kind and track id.
    newest: std::collections::BTreeMap<(Kind, u8), u32>,
}

impl Order {
    /// The fault, when a coded frame is earlier than the one before it.
    pub(super) fn check(&mut self, packet: &Packet) -> Option<FaultKind> {
        if !packet.is_media() {
            return None;
        }
        let (kind, track, to_ms) = (packet.kind, packet.track, packet.timestamp());
        let newest_ms = self.newest.entry((kind, track)).or_insert(to_ms);
        let from_ms = std::mem::replace(newest_ms, to_ms);
        (to_ms < from_ms).then_some(FaultKind::TimeBack { kind, track, from_ms, to_ms })
    }
}
