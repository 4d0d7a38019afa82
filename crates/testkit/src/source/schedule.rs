//! When which frame comes, and how large it is.

use media::Kind;

use super::SourceConfig;

/// Samples in a frame of sound, at [`SAMPLE_RATE`].
const SAMPLES: u64 = 1_024;
const SAMPLE_RATE: u64 = 48_000;
/// A key frame has this many times the bytes of another picture.
const KEY_WEIGHT: u64 = 8;
/// The least size of a frame: its stamp and what is around it fit.
const SIZE_MIN: u64 = 64;
/// The largest body that RTMP and FLV can carry.
const SIZE_MAX: u64 = 0xFF_FFFF;

/// The place of one frame in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Audio or video.
    pub kind: Kind,
    /// Number among the frames of both kinds, from 0.
    pub sequence: u64,
    /// Number among the frames of its kind, from 0.
    pub index: u64,
    /// Decoding time from the first frame, in µs.
    pub time_us: u64,
    /// Whether it is a key frame.
    pub key: bool,
    /// From decoding to presentation, in ms.
    pub composition_ms: u32,
    /// Bytes of the body.
    pub size: usize,
}

impl Slot {
    /// Decoding time from the first frame, in ms.
    pub fn dts_ms(&self) -> i64 {
        i64::try_from(self.time_us / 1_000).unwrap_or(i64::MAX)
    }
}

/// The slots of a source, without end, in the order of their times.
#[derive(Debug, Clone)]
pub struct Schedule {
    fps: u64,
    key_interval: u64,
    b_frames: u64,
    /// Mean size of a picture that is no key frame; 0 for no pictures.
    picture_bytes: u64,
    /// 0 for no sound.
    sound_bytes: u64,
    sequence: u64,
    pictures: u64,
    sounds: u64,
}

impl Schedule {
    /// The schedule of a source with this configuration; a rate or an interval of 0 is taken as 1.
    pub fn new(config: &SourceConfig) -> Self {
        let fps = u64::from(config.fps.max(1));
        let key_interval = u64::from(config.key_interval.max(1));
        let group_bytes = u64::from(config.video_kbps) * 125 * key_interval / fps;
        Self {
            fps,
            key_interval,
            b_frames: u64::from(config.b_frames),
            picture_bytes: group_bytes / (key_interval - 1 + KEY_WEIGHT),
            sound_bytes: u64::from(config.audio_kbps) * 125 * SAMPLES / SAMPLE_RATE,
            sequence: 0,
            pictures: 0,
            sounds: 0,
        }
    }

    fn picture(&mut self) -> Slot {
        let index = self.pictures;
        self.pictures += 1;
        let place = index % self.key_interval;
        let key = place == 0;
        let bytes = match key {
            true => self.picture_bytes * KEY_WEIGHT,
            // From three to five quarters of the mean, the same at each place of a group.
            false => self.picture_bytes * (48 + place * 13 % 33) / 64,
        };
        Slot {
            kind: Kind::Video,
            sequence: self.sequence,
            index,
            time_us: index * 1_000_000 / self.fps,
            key,
            composition_ms: self.composition_ms(place),
            size: size(bytes),
        }
    }

    fn sound(&mut self) -> Slot {
        let index = self.sounds;
        self.sounds += 1;
        Slot {
            kind: Kind::Audio,
            sequence: self.sequence,
            index,
            time_us: index * SAMPLES * 1_000_000 / SAMPLE_RATE,
            key: false,
            composition_ms: 0,
            size: size(self.sound_bytes),
        }
    }

    /// With B-frames every picture is shown one picture later than it is decoded, and a reference
    /// after the B-frames that follow it.
    fn composition_ms(&self, place: u64) -> u32 {
        if self.b_frames == 0 {
            return 0;
        }
        let pictures = match place.checked_sub(1) {
            None => 1,
            Some(after_key) if after_key % (self.b_frames + 1) == 0 => {
                (self.b_frames + 1).min(self.key_interval - place)
            }
            Some(_) => 0,
        };
        u32::try_from(pictures * 1_000 / self.fps).unwrap_or(u32::MAX)
    }
}

impl Iterator for Schedule {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let picture_first = self.pictures * SAMPLE_RATE <= self.sounds * SAMPLES * self.fps;
        let slot = match (self.picture_bytes > 0, self.sound_bytes > 0) {
            (false, false) => return None,
            (true, false) => self.picture(),
            (false, true) => self.sound(),
            (true, true) if picture_first => self.picture(),
            (true, true) => self.sound(),
        };
        self.sequence += 1;
        Some(slot)
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes.clamp(SIZE_MIN, SIZE_MAX)).unwrap_or(usize::MAX)
}
