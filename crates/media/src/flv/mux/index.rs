//! Where in a file is what: where one can start reading, the times and file positions that become the `keyframes` property,
//! and where its tracks are.

use super::{region::INDEX_ENTRIES_MIN, tracks::Tracks};
use crate::{Kind, Packet, Role, amf0::Value, first_video_track};

/// A place to start at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(super) time_ms: u32,
    /// First byte of the tag's header, from the start of the file.
    pub(super) position: u64,
}

/// Key frames, each at its own tag or at the configuration right before it, so that a reader who
/// starts there has both. While there is no video, an audio packet every [`Index::AUDIO_MS`].
///
/// Bounded: when full, every second entry is dropped and from then on only every second is taken.
/// The newest is there always.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    capacity: usize,
    /// Of this many candidates one is kept; a power of two.
    stride: u64,
    candidates: u64,
    /// The newest candidate.
    newest: Option<Entry>,
    /// The first of the configurations after the last frame of video.
    config: Option<Entry>,
    has_keys: bool,
    /// The video track whose key frames these are.
    track: Option<u8>,
    tracks: Tracks,
}

impl Index {
    /// Distance (ms) of the entries of a file without video.
    const AUDIO_MS: u32 = 2_000;
    /// A configuration further away than this (ms) does not belong to the key frame after it: it is
    /// old, or its time is that of audio which runs ahead.
    const CONFIG_AGE_MAX_MS: u32 = 1_000;

    /// An empty index of at most `capacity` entries (two at least).
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Vec::new(),
            capacity: capacity.max(2),
            stride: 1,
            candidates: 0,
            newest: None,
            config: None,
            has_keys: false,
            track: None,
            tracks: Tracks::default(),
        }
    }

    /// Takes note of a tag that is about to be written at `position`.
    pub(crate) fn push(&mut self, packet: &Packet, time_ms: u32, position: u64) {
        self.tracks.push(packet, position);
        let entry = Entry { time_ms, position };
        let track = first_video_track(&mut self.track, packet);
        let is_of_first = || track.is_none_or(|track| packet.has_track(track));
        match (packet.kind, packet.role) {
            (Kind::Video, Role::Config | Role::Metadata) => {
                self.config.get_or_insert(entry);
            }
            (Kind::Video, Role::Key) if is_of_first() => {
                let config = self
                    .config
                    .take()
                    .filter(|config| time_ms.abs_diff(config.time_ms) <= Self::CONFIG_AGE_MAX_MS);
                if !self.has_keys {
                    // The audio before it was taken for want of video.
                    let tracks = std::mem::take(&mut self.tracks);
                    *self = Self { has_keys: true, track, tracks, ..Self::new(self.capacity) };
                }
                self.add(Entry { time_ms, position: config.map_or(position, |c| c.position) });
            }
            (Kind::Video, Role::Frame) if is_of_first() => self.config = None,
            (Kind::Audio, Role::Frame) if !self.has_keys && self.is_audio_due(time_ms) => {
                self.add(entry);
            }
            _ => {}
        }
    }

    /// Where the tracks are: the value of [`super::TRACK_PLACES`], once there are frames.
    pub(super) fn tracks(&self) -> Option<Value> {
        self.tracks.value()
    }

    /// Whether there are as many as an index has at least.
    pub(crate) fn is_enough(&self) -> bool {
        self.thinned(INDEX_ENTRIES_MIN).count() == INDEX_ENTRIES_MIN
    }

    /// At most `count` entries, evenly thinned: the first, and the newest from two on; between two
    /// is at most twice the mean distance that `count` entries would have.
    pub(super) fn thinned(&self, count: usize) -> impl Iterator<Item = Entry> + Clone {
        let picks = |step: usize| self.entries.iter().copied().step_by(step);
        let end =
            |step: usize| self.newest.filter(|newest| picks(step).next_back() != Some(*newest));
        let mut step = 1;
        while step < self.entries.len()
            && picks(step).len() + usize::from(end(step).is_some()) > count
        {
            step *= 2;
        }
        picks(step).chain(end(step)).take(count)
    }

    fn is_audio_due(&self, time_ms: u32) -> bool {
        self.newest.is_none_or(|last| time_ms.saturating_sub(last.time_ms) >= Self::AUDIO_MS)
    }

    fn add(&mut self, entry: Entry) {
        // One entry a time: the key frames of several tracks come together.
        if self.newest.is_some_and(|newest| newest.time_ms == entry.time_ms) {
            return;
        }
        self.newest = Some(entry);
        let number = self.candidates;
        self.candidates = number.saturating_add(1);
        if number.is_multiple_of(self.stride) && self.entries.len() >= self.capacity {
            self.thin();
        }
        if number.is_multiple_of(self.stride) {
            self.entries.push(entry);
        }
    }

    fn thin(&mut self) {
        let mut keep = false;
        self.entries.retain(|_| {
            keep = !keep;
            keep
        });
        self.stride = self.stride.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests;
