//! What everybody does and when: made of a seed, the same every time.

use testkit::{Noise, SourceConfig};

/// A publisher lives so long, in ms.
const PUBLISH_MS: (u64, u64) = (2_000, 60_000);
/// A player lives so long, in ms.
const PLAY_MS: (u64, u64) = (1_000, 60_000);
/// Between two lives, in ms.
const WAIT_MS: (u64, u64) = (0, 4_000);
/// Each so many-th place is one of streams on the disk that gets into trouble.
const WEAK: u32 = 4;
/// Two of so many places have a stream that is recorded as MP4, half of those on each disk.
const MP4: u32 = 8;
/// Each so many-th place has a stream that is too much for a player that is slow.
const FAT: u32 = 12;

/// Which place a stream has; there is one name for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u32);

impl Place {
    /// The stream, `app/name`.
    pub(crate) fn key(self) -> String {
        let Self(number) = self;
        let disk = if self.is_weak() { "weak" } else { "well" };
        format!("{disk}-{}/{number}", if self.is_mp4() { "mp4" } else { "flv" })
    }

    /// Whether it is recorded as MP4.
    fn is_mp4(self) -> bool {
        self.0 % MP4 < 2
    }

    /// Whether it is recorded to the disk that gets into trouble.
    pub(crate) fn is_weak(self) -> bool {
        self.0.is_multiple_of(WEAK)
    }

    fn is_fat(self) -> bool {
        self.0 % FAT == 1
    }
}

/// How a publisher ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// In order.
    Clean,
    /// Its machine fails.
    Reset,
    /// It sends nothing more, and says so by the socket alone.
    HalfClosed,
    /// In the middle of a message, silent until the server has had enough.
    MidMessage,
    /// Silent until the server has had enough.
    Silent,
    /// The connection is closed without a word.
    Gone,
}

/// The life of a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) wait_ms: u64,
    pub(crate) place: Place,
    pub(crate) source: SourceConfig,
    pub(crate) chunk_size: u32,
    pub(crate) lasts_ms: u64,
    pub(crate) end: End,
}

/// What a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    /// Takes everything, checks it, and leaves in order.
    Watch,
    /// The same, and is gone from one moment to the next.
    WatchReset,
    /// Reads little, too slowly.
    Slow,
    /// Reads nothing.
    Stall,
}

/// The life of a player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Play {
    pub(crate) wait_ms: u64,
    pub(crate) place: Place,
    pub(crate) lasts_ms: u64,
    pub(crate) manner: Manner,
}

/// The lives of one after the other at a place.
#[derive(Debug, Clone)]
pub(crate) struct Lives {
    noise: Noise,
    place: u32,
    places: u32,
    is_first: bool,
}

impl Lives {
    /// The lives at `place` of so many places. `what` tells those that publish from those that play.
    pub(crate) fn new(seed: u64, what: u64, place: u32, places: u32) -> Self {
        let mut noise = Noise::new(seed ^ what << 32 ^ u64::from(place));
        let seed = noise.next_u64();
        Self { noise: Noise::new(seed), place, places: places.max(1), is_first: true }
    }

    /// The next publisher.
    pub(crate) fn publish(&mut self) -> Publish {
        // Now and then somebody takes a name that is taken.
        let place = match self.one_of(16) {
            true => self.any_place(),
            false => Place(self.place),
        };
        let end = match self.noise.below(12) {
            0..=4 => End::Clean,
            5 | 6 => End::Reset,
            7 | 8 => End::HalfClosed,
            9 => End::MidMessage,
            10 => End::Silent,
            _ => End::Gone,
        };
        Publish {
            wait_ms: self.wait_ms(),
            place,
            source: self.source(place),
            chunk_size: [128, 4_096, 60_000].get(self.index(3)).copied().unwrap_or(4_096),
            lasts_ms: self.between(PUBLISH_MS),
            end,
        }
    }

    /// The next player.
    pub(crate) fn play(&mut self) -> Play {
        let manner = match self.noise.below(12) {
            0..=5 => Manner::Watch,
            6..=8 => Manner::WatchReset,
            9 => Manner::Slow,
            _ => Manner::Stall,
        };
        let place = match manner {
            Manner::Watch | Manner::WatchReset => self.any_place(),
            Manner::Slow | Manner::Stall => {
                let Place(place) = self.any_place();
                let fat = place - place % FAT + 1;
                Place(if fat < self.places { fat } else { place })
            }
        };
        Play { wait_ms: self.wait_ms(), place, lasts_ms: self.between(PLAY_MS), manner }
    }

    /// What a stream is: with or without pictures and sound, in groups of one to three seconds.
    fn source(&mut self, place: Place) -> SourceConfig {
        let fps = [15, 25, 30].get(self.index(3)).copied().unwrap_or(25);
        let (has_video, has_audio) = match self.noise.below(8) {
            0 => (false, true),
            1 => (true, false),
            _ => (true, true),
        };
        let kbps = match place.is_fat() {
            true => self.between((2_000, 3_000)),
            false => self.between((80, 250)),
        };
        let start_ms = match self.noise.below(8) {
            // Passes the end of 32 bits on its way.
            0 => 0xFFFF_FFFF - self.between((0, 20_000)),
            1 => self.between((0, 1 << 31)),
            _ => 0,
        };
        SourceConfig {
            fps,
            key_interval: fps * u32::try_from(1 + self.noise.below(3)).unwrap_or(1),
            video_kbps: if has_video { u32::try_from(kbps).unwrap_or(200) } else { 0 },
            audio_kbps: if has_audio { 32 } else { 0 },
            b_frames: u32::try_from(self.noise.below(3)).unwrap_or(0),
            start_ms: i64::try_from(start_ms).unwrap_or(0),
            metadata: !self.one_of(8),
        }
    }

    /// At first nearly nobody waits.
    fn wait_ms(&mut self) -> u64 {
        let wait_ms = self.between(WAIT_MS);
        if std::mem::take(&mut self.is_first) { wait_ms / 2 } else { wait_ms }
    }

    fn any_place(&mut self) -> Place {
        let place = self.noise.below(u64::from(self.places));
        Place(u32::try_from(place).unwrap_or(0))
    }

    fn one_of(&mut self, count: u64) -> bool {
        self.noise.below(count) == 0
    }

    fn index(&mut self, count: u64) -> usize {
        usize::try_from(self.noise.below(count)).unwrap_or(0)
    }

    fn between(&mut self, (from, to): (u64, u64)) -> u64 {
        from + self.noise.below(to - from + 1)
    }
}

/// What happens to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// No room is left.
    Full,
    /// Every call waits.
    Frozen,
    /// The device fails, and is mounted anew.
    Failed,
}

/// When the disk gets into trouble, into which and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Troubles(Noise);

impl Troubles {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Noise::new(seed ^ 0xd15c))
    }

    /// Ms until then, which, and ms that it lasts.
    pub(crate) fn next(&mut self) -> (u64, Trouble, u64) {
        let trouble = match self.0.below(3) {
            0 => Trouble::Full,
            1 => Trouble::Frozen,
            _ => Trouble::Failed,
        };
        (10_000 + self.0.below(25_000), trouble, 2_000 + self.0.below(5_000))
    }
}

#[cfg(test)]
mod tests;
