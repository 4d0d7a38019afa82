//! The tables of a file that is not in fragments, grown sample by sample: when each one is, how
//! large it is and where it stands (ISO 14496-12 8.6, 8.7).
//!
//! What repeats is kept and written as runs; a sample costs 4 bytes for its size, and the runs.

use std::ops::Range;

use super::boxes::Boxes;
use super::movie::{Movie, Track};
use crate::Kind;

/// What is known of the samples of all tracks.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// One for each track of the movie.
    tracks: Vec<Table>,
    window: Option<Range<i64>>,
}

/// A sample, but for its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) time_ms: u64,
    /// In the track's units.
    pub(super) composition: i32,
    pub(super) is_key: bool,
    pub(super) size_bytes: u32,
}

#[derive(Debug, Clone, Default)]
struct Table {
    is_video: bool,
    /// Units of the track's times in a ms.
    per_ms: i32,
    /// The first sample: its time, and that of the first picture that is shown, rounded down.
    first: Option<(u64, i64)>,
    last_ms: u64,
    /// When the last sample ends, as far as is known.
    end_ms: u64,
    /// Durations in ms of all samples but the last.
    durations: Runs<u64>,
    /// In the track's units.
    compositions: Runs<i32>,
    /// Numbers, from 1, of the samples at which decoding can start.
    keys: Vec<u32>,
    sizes: Vec<u32>,
    /// Where samples stand that follow each other without a gap.
    chunks: Vec<u64>,
    chunk_samples: Runs<u32>,
    /// Samples of the newest chunk.
    in_chunk: u32,
}

/// Values, each with how often it comes in a row.
#[derive(Debug, Clone, Default)]
struct Runs<T>(Vec<(u32, T)>);

impl<T: PartialEq + Copy> Runs<T> {
    fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => self.0.push((1, value)),
        }
    }

    fn all(&self) -> impl Iterator<Item = T> + '_ {
        let run = |(count, value): &(u32, T)| std::iter::repeat_n(*value, *count as usize);
        self.0.iter().flat_map(run)
    }
}

impl Tables {
    pub(super) fn new(movie: &Movie) -> Self {
        let tracks = movie.tracks.iter().map(|track| Table {
            is_video: track.kind == Kind::Video,
            per_ms: i32::try_from(track.per_ms()).unwrap_or(i32::MAX),
            ..Table::default()
        });
        Self { tracks: tracks.collect(), window: None }
    }

    /// A run of samples begins at a place in the file.
    pub(super) fn chunk(&mut self, track: usize, offset: u64) {
        if let Some(table) = self.tracks.get_mut(track) {
            table.end_chunk();
            table.chunks.push(offset);
        }
    }

    /// The next sample of the newest run.
    pub(super) fn push(&mut self, track: usize, row: Row) {
        if let Some(table) = self.tracks.get_mut(track) {
            table.push(row);
        }
    }

    /// Says when the last sample of a track ends.
    pub(super) fn end(&mut self, track: usize, end_ms: u64) {
        if let Some(table) = self.tracks.get_mut(track) {
            table.end_ms = end_ms.max(table.last_ms);
        }
    }

    /// Of the movie only this is shown, in the time of its samples: its time 0 is the start.
    pub(super) fn show(&mut self, window: Range<u64>) {
        self.window = Some(signed(window.start)..signed(window.end));
    }

    /// How long the movie is shown.
    pub(super) fn duration_ms(&self) -> u64 {
        let window = self.window();
        let shown = self.tracks.iter().filter_map(|table| table.shown(&window));
        shown.map(|shown| shown.delay_ms + shown.duration_ms).max().unwrap_or(0)
    }

    /// What is to be written of a track, when the offsets count from `before` in the file.
    pub(super) fn of(&self, movie: &Movie, track: &Track, before: u64) -> Option<View<'_>> {
        let at = movie.tracks.iter().position(|other| other.mp4_id() == track.mp4_id())?;
        let table = self.tracks.get(at)?;
        Some(View { table, shown: table.shown(&self.window()), before })
    }

    /// What is shown: everything, unless something else was said.
    fn window(&self) -> Range<i64> {
        let firsts = self.tracks.iter().filter_map(|table| Some(table.first?.1));
        let all = || firsts.min().unwrap_or(0)..i64::MAX;
        self.window.clone().unwrap_or_else(all)
    }
}

/// What is shown of a track, in ms.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// After how much of the movie.
    delay_ms: u64,
    /// From where in the track, by the times of its pictures.
    begins_ms: u64,
    /// For how long.
    duration_ms: u64,
    /// Whether that is all of it.
    is_all: bool,
}

impl Table {
    fn push(&mut self, row: Row) {
        let shown_ms = self.shown_ms(signed(row.time_ms), row.composition);
        match &mut self.first {
            Some((_, first_ms)) => {
                self.durations.push(row.time_ms.saturating_sub(self.last_ms));
                *first_ms = shown_ms.min(*first_ms);
            }
            None => self.first = Some((row.time_ms, shown_ms)),
        }
        self.last_ms = row.time_ms;
        self.end_ms = row.time_ms;
        self.compositions.push(row.composition);
        self.sizes.push(row.size_bytes);
        if row.is_key {
            self.keys.push(u32::try_from(self.sizes.len()).unwrap_or(u32::MAX));
        }
        self.in_chunk += 1;
    }

    /// When a picture is shown, in whole ms, rounded down: so none of a window begins before it.
    fn shown_ms(&self, time_ms: i64, composition: i32) -> i64 {
        time_ms.saturating_add(composition.div_euclid(self.per_ms.max(1)).into())
    }

    fn end_chunk(&mut self) {
        if self.in_chunk > 0 {
            self.chunk_samples.push(self.in_chunk);
            self.in_chunk = 0;
        }
    }

    /// How long its samples are together.
    fn duration_ms(&self) -> u64 {
        self.first.map_or(0, |(first_ms, _)| self.end_ms.saturating_sub(first_ms))
    }

    /// How much its pictures are shown later than they say, so that none is before the track: a
    /// first picture that is shown before it is decoded moves all of them.
    fn shift_ms(&self) -> i64 {
        self.first.map_or(0, |(first_ms, shown_ms)| (signed(first_ms) - shown_ms).max(0))
    }

    /// When the first of its pictures is shown that is shown in a window. A window begins with that,
    /// as late as it is, for players let one that begins within a picture begin with the next one, at
    /// once, and sound would be later than pictures. Of sound they take a part of a sample.
    fn first_in(&self, window: &Range<i64>) -> Option<i64> {
        let mut time_ms = signed(self.first?.0);
        let times = std::iter::chain([0], self.durations.all()).map(|duration_ms| {
            time_ms = time_ms.saturating_add(signed(duration_ms));
            time_ms
        });
        let all = times.zip(self.compositions.all());
        let shown = all.map(|(ms, later)| self.shown_ms(ms, later));
        shown.filter(|ms| self.is_video && window.contains(ms)).min()
    }

    /// What a window shows of it.
    fn shown(&self, window: &Range<i64>) -> Option<Shown> {
        let (first_ms, shown_ms) = self.first?;
        let end_ms = shown_ms.saturating_add(signed(self.duration_ms()));
        let begins_ms = match shown_ms < window.start {
            true => self.first_in(window).unwrap_or(window.start),
            false => shown_ms,
        };
        let unsigned = |ms: i64| u64::try_from(ms).unwrap_or(0);
        Some(Shown {
            delay_ms: unsigned(begins_ms - window.start),
            begins_ms: unsigned(begins_ms - signed(first_ms) + self.shift_ms()),
            duration_ms: unsigned(end_ms.min(window.end) - begins_ms),
            is_all: begins_ms == shown_ms && end_ms <= window.end,
        })
    }
}

/// The tables of one track in a movie.
pub(super) struct View<'a> {
    table: &'a Table,
    /// `None` without samples.
    shown: Option<Shown>,
    /// To be added to the offsets.
    before: u64,
}

impl View<'_> {
    pub(super) fn media_duration(&self, track: &Track) -> u64 {
        self.table.duration_ms().saturating_mul(track.per_ms().into())
    }

    /// With the time before it begins.
    pub(super) fn shown_ms(&self) -> u64 {
        self.shown.map_or(0, |shown| shown.delay_ms + shown.duration_ms)
    }

    /// Appends `edts`: the track begins when its first picture, or sound, is to be shown, and with
    /// it, not with the time that its decoder needs before. Nothing where that is so by itself.
    pub(super) fn put_edits(&self, boxes: &mut Boxes, track: &Track) {
        const NOTHING: u64 = u64::MAX;
        const RATE: u32 = 0x1_0000;
        let Some(Shown { delay_ms, begins_ms, duration_ms, is_all }) = self.shown else { return };
        if delay_ms == 0 && begins_ms == 0 && is_all {
            return;
        }
        let shown = (duration_ms, begins_ms.saturating_mul(track.per_ms().into()));
        let edits = (delay_ms > 0).then_some((delay_ms, NOTHING)).into_iter().chain([shown]);
        boxes.put(b"edts", |boxes| {
            boxes.full(b"elst", 1, 0, |boxes| {
                boxes.u32(if delay_ms > 0 { 2 } else { 1 });
                for (duration_ms, media_time) in edits {
                    boxes.u64(duration_ms);
                    boxes.u64(media_time);
                    boxes.u32(RATE);
                }
            });
        });
    }

    pub(super) fn put(&self, boxes: &mut Boxes, track: &Track) {
        let table = self.table;
        let units =
            |ms: u64| u32::try_from(ms.saturating_mul(track.per_ms().into())).unwrap_or(u32::MAX);
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);

        let mut durations = table.durations.clone();
        if table.first.is_some() {
            durations.push(table.end_ms.saturating_sub(table.last_ms));
        }
        boxes.full(b"stts", 0, 0, |boxes| {
            boxes.u32(count(durations.0.len()));
            for (samples, ms) in durations.0 {
                boxes.u32(samples);
                boxes.u32(units(ms));
            }
        });
        if track.kind == Kind::Video {
            self.put_compositions(boxes);
            if table.keys.len() < table.sizes.len() {
                boxes.full(b"stss", 0, 0, |boxes| {
                    boxes.u32(count(table.keys.len()));
                    table.keys.iter().for_each(|key| boxes.u32(*key));
                });
            }
        }
        let mut chunk_samples = table.chunk_samples.clone();
        if table.in_chunk > 0 {
            chunk_samples.push(table.in_chunk);
        }
        boxes.full(b"stsc", 0, 0, |boxes| {
            boxes.u32(count(chunk_samples.0.len()));
            let mut first = 1;
            for (chunks, samples) in chunk_samples.0 {
                boxes.u32(first);
                boxes.u32(samples);
                boxes.u32(1);
                first += chunks;
            }
        });
        boxes.full(b"stsz", 0, 0, |boxes| {
            boxes.u32(0);
            boxes.u32(count(table.sizes.len()));
            table.sizes.iter().for_each(|size| boxes.u32(*size));
        });
        boxes.full(b"co64", 0, 0, |boxes| {
            boxes.u32(count(table.chunks.len()));
            table.chunks.iter().for_each(|offset| boxes.u64(self.before + *offset));
        });
    }

    /// Appends `ctts` unless all pictures are shown when they are decoded.
    fn put_compositions(&self, boxes: &mut Boxes) {
        let compositions = &self.table.compositions.0;
        let shift_ms = i32::try_from(self.table.shift_ms()).unwrap_or(i32::MAX);
        if shift_ms == 0 && compositions.iter().all(|(_, units)| *units == 0) {
            return;
        }
        let shift = shift_ms.saturating_mul(self.table.per_ms);
        boxes.full(b"ctts", 1, 0, |boxes| {
            boxes.u32(u32::try_from(compositions.len()).unwrap_or(u32::MAX));
            for (samples, units) in compositions {
                boxes.u32(*samples);
                boxes.slice(&units.saturating_add(shift).to_be_bytes());
            }
        });
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
