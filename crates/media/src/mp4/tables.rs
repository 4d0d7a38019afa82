//! The tables of a file that is not in fragments, grown sample by sample: when each one is, how
//! large it is and where it stands (ISO 14496-12 8.6, 8.7).
//!
//! What repeats is kept and written as runs; a sample costs 4 bytes for its size, and the runs.

use std::ops::Range;

use super::boxes::Boxes;
use super::moov::MOVIE_TIMESCALE;
use super::movie::{Movie, Track};
use crate::Kind;

/// Units of the movie's times in a ms. The times of all pictures and sounds are whole ones.
const PER_MS: i64 = MOVIE_TIMESCALE as i64 / 1_000;

/// What is known of the samples of all tracks.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// One for each track of the movie.
    tracks: Vec<Table>,
    /// In the movie's units.
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
    per_ms: i64,
    /// What the decoder makes of the first samples before there is sound, in the movie's units.
    priming: i64,
    /// The first sample: its time in ms, and in the movie's units that of the first picture that is shown.
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
            per_ms: track.per_ms().into(),
            priming: in_units(track.priming().into(), track.per_ms().into(), PER_MS),
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
        self.window = Some(in_movie(window.start)..in_movie(window.end));
    }

    /// How long the movie is shown, in its units.
    pub(super) fn duration(&self) -> u64 {
        let window = self.window();
        let shown = self.tracks.iter().filter_map(|table| table.shown(&window));
        shown.map(|shown| shown.delay + shown.duration).max().unwrap_or(0)
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

/// What is shown of a track, in the movie's units.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// After how much of the movie.
    delay: u64,
    /// From where in the track, by the times of its pictures.
    begins: u64,
    /// For how long.
    duration: u64,
    /// Whether that is all of it.
    is_all: bool,
}

impl Table {
    fn push(&mut self, row: Row) {
        let shown = self.shown_at(in_movie(row.time_ms), row.composition);
        match &mut self.first {
            Some((_, first)) => {
                self.durations.push(row.time_ms.saturating_sub(self.last_ms));
                *first = shown.min(*first);
            }
            None => self.first = Some((row.time_ms, shown)),
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

    /// When a picture is shown that is decoded at `time`.
    fn shown_at(&self, time: i64, composition: i32) -> i64 {
        time.saturating_add(in_units(composition.into(), self.per_ms, PER_MS))
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
    fn shift(&self) -> i64 {
        self.first.map_or(0, |(first_ms, shown)| in_movie(first_ms).saturating_sub(shown).max(0))
    }

    /// When the first of its pictures is shown that is shown in a window. A window begins with that,
    /// as late as it is, for players let one that begins within a picture begin with the next one, at
    /// once, and sound would be later than pictures. Of sound they take a part of a sample.
    fn first_in(&self, window: &Range<i64>) -> Option<i64> {
        let mut time = in_movie(self.first?.0);
        let times = std::iter::chain([0], self.durations.all()).map(|duration_ms| {
            time = time.saturating_add(in_movie(duration_ms));
            time
        });
        let all = times.zip(self.compositions.all());
        let shown = all.map(|(time, later)| self.shown_at(time, later));
        shown.filter(|at| self.is_video && window.contains(at)).min()
    }

    /// What a window shows of it. Sound begins behind its priming, and there at the time that it has:
    /// nothing is earlier for what is left out.
    fn shown(&self, window: &Range<i64>) -> Option<Shown> {
        let (first_ms, shown) = self.first?;
        let duration = in_movie(self.duration_ms());
        let end = shown.saturating_add(duration);
        let priming = Some(self.priming).filter(|priming| *priming < duration).unwrap_or(0);
        let first = shown.saturating_add(priming);
        let begins = match first < window.start {
            true => self.first_in(window).unwrap_or(window.start),
            false => first,
        };
        let unsigned = |units: i64| u64::try_from(units).unwrap_or(0);
        Some(Shown {
            delay: unsigned(begins.saturating_sub(window.start)),
            begins: unsigned(
                begins.saturating_sub(in_movie(first_ms)).saturating_add(self.shift()),
            ),
            duration: unsigned(end.min(window.end).saturating_sub(begins)),
            is_all: begins == shown && end <= window.end,
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

    /// With the time before it begins, in the movie's units.
    pub(super) fn duration(&self) -> u64 {
        self.shown.map_or(0, |shown| shown.delay + shown.duration)
    }

    /// Appends `edts`: the track begins when its first picture, or sound, is to be shown, and with
    /// it, not with the time that its decoder needs before. Nothing where that is so by itself.
    pub(super) fn put_edits(&self, boxes: &mut Boxes) {
        const NOTHING: u64 = u64::MAX;
        const RATE: u32 = 0x1_0000;
        let Some(Shown { delay, begins, duration, is_all }) = self.shown else { return };
        if delay == 0 && begins == 0 && is_all {
            return;
        }
        let begins = in_units(signed(begins), PER_MS, self.table.per_ms);
        let shown = (duration, begins.unsigned_abs());
        let edits = (delay > 0).then_some((delay, NOTHING)).into_iter().chain([shown]);
        boxes.put(b"edts", |boxes| {
            boxes.full(b"elst", 1, 0, |boxes| {
                boxes.u32(if delay > 0 { 2 } else { 1 });
                for (duration, media_time) in edits {
                    boxes.u64(duration);
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
        let shift = in_units(self.table.shift(), PER_MS, self.table.per_ms);
        let shift = i32::try_from(shift).unwrap_or(i32::MAX);
        if shift == 0 && compositions.iter().all(|(_, units)| *units == 0) {
            return;
        }
        boxes.full(b"ctts", 1, 0, |boxes| {
            boxes.u32(u32::try_from(compositions.len()).unwrap_or(u32::MAX));
            for (samples, units) in compositions {
                boxes.u32(*samples);
                boxes.slice(&units.saturating_add(shift).to_be_bytes());
            }
        });
    }
}

/// A time in the movie's units.
fn in_movie(ms: u64) -> i64 {
    signed(ms).saturating_mul(PER_MS)
}

/// A time in other units, of which a ms has so many: the nearest.
fn in_units(time: i64, per_ms: i64, other_per_ms: i64) -> i64 {
    let per_ms = i128::from(per_ms.max(1));
    let units = (i128::from(time) * i128::from(other_per_ms) + per_ms / 2).div_euclid(per_ms);
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
