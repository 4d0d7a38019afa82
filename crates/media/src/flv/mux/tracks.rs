//! Where the tracks of a file are: what becomes the [`TRACK_PLACES`] property, by which one that is in the middle of a
//! file alone is found without walking it.

use std::collections::BTreeMap;

use crate::{Kind, Packet, Role, amf0::Value};

/// The property: five numbers for each track, by kind and id. They are the kind as FLV numbers it (9 video, 8 audio), the
/// track id, and the first bytes of the track's first message, of its first frame and of its newest.
pub(crate) const TRACK_PLACES: &str = "trackPlaces";

/// Most tracks of a kind that are told, those of the lowest ids; twice of what is offered to players.
pub(super) const TOLD_MAX: usize = 16;

/// The tracks so far: at most 256 of a kind, as ids have a byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Tracks(BTreeMap<(Kind, u8), Places>);

#[derive(Debug, Clone, Copy)]
struct Places {
    first_message: u64,
    /// The first and the newest.
    frames: Option<(u64, u64)>,
}

impl Tracks {
    /// Takes note of a message that is about to be written at `position`.
    pub(super) fn push(&mut self, packet: &Packet, position: u64) {
        if packet.kind == Kind::Data || packet.role == Role::Event {
            return;
        }
        self.note(packet, packet.track, position);
        let mut others = packet.tracks();
        others.remove(packet.track);
        if !others.is_empty() {
            others.iter().for_each(|track| self.note(packet, track, position));
        }
    }

    fn note(&mut self, packet: &Packet, track: u8, position: u64) {
        let new = Places { first_message: position, frames: None };
        let places = self.0.entry((packet.kind, track)).or_insert(new);
        if packet.is_media() {
            places.frames.get_or_insert((position, position)).1 = position;
        }
    }

    /// The value of the property; `None` while there is no frame.
    pub(super) fn value(&self) -> Option<Value> {
        let of_kind = |kind: Kind| {
            let tracks = self.0.range((kind, 0)..=(kind, u8::MAX));
            let places = tracks.filter_map(|((kind, id), places)| {
                let (first, newest) = places.frames?;
                let what = [kind.number(), *id].map(u64::from);
                Some(what.into_iter().chain([places.first_message, first, newest]))
            });
            places.take(TOLD_MAX).flatten()
        };
        #[expect(clippy::cast_precision_loss, reason = "AMF0 has no other number: 9 PB are exact")]
        let numbers = [Kind::Video, Kind::Audio].into_iter().flat_map(of_kind).map(|n| n as f64);
        let numbers: Vec<_> = numbers.map(Value::Number).collect();
        (!numbers.is_empty()).then_some(Value::StrictArray(numbers))
    }
}

#[cfg(test)]
mod tests;
