//! A file whose index comes first and whose length is known before its first byte: what goes down
//! a connection, any range of it, and is never stored.
//!
//! Who makes it knows of each sample where to find it, its times and its size. The samples stand in
//! the file in the order in which they were told.

use std::ops::Range;

use super::boxes::Boxes;
use super::movie::{Movie, Track};
use super::sample::Sample;
use super::tables::{Row, Tables};
use super::{Error, FILE_SAMPLES_MAX, TIME_MAX_MS, moov, size};
use crate::Kind;

/// A sample, but for its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleInfo {
    /// Audio or video.
    pub kind: Kind,
    /// The E-RTMP track id.
    pub track: u8,
    /// Decoding time.
    pub time_ms: u64,
    /// What presentation is later than decoding.
    pub composition_ms: i32,
    /// What it is later still, in ns: [`Sample::offset_nanos`].
    pub offset_nanos: u32,
    /// Whether decoding can start here.
    pub is_key: bool,
    /// Bytes of it.
    pub size_bytes: u32,
}

impl SampleInfo {
    /// What is to be told of a sample whose message is at a time.
    pub fn of(sample: &Sample, time_ms: u64) -> Self {
        Self {
            kind: sample.kind,
            track: sample.track,
            time_ms,
            composition_ms: sample.composition_ms,
            offset_nanos: sample.offset_nanos,
            is_key: sample.is_key,
            size_bytes: u32::try_from(sample.data.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Is told the samples of a file.
#[derive(Debug, Clone)]
pub struct Planner {
    movie: Movie,
    tables: Tables,
    /// Of each track its newest sample: its time, and from the one before.
    last: Vec<Option<(u64, Option<u64>)>>,
    /// The track of the newest sample.
    newest: Option<usize>,
    places: Places,
}

/// A file that can be put out.
#[derive(Debug, Clone)]
pub struct Planned {
    head: Vec<u8>,
    places: Places,
}

/// A stretch of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Of what stands before the samples: of [`Planned::head`].
    Head(Range<usize>),
    /// Of a sample.
    Sample {
        /// Which one, in the order in which they were told, from 0.
        index: usize,
        /// Which of its bytes.
        range: Range<u32>,
    },
}

/// Where each sample begins: sizes, and every so often a sum.
#[derive(Debug, Clone, Default)]
struct Places {
    sizes: Vec<u32>,
    /// Bytes before each [`Places::EVERY`]th sample.
    sums: Vec<u64>,
    bytes: u64,
}

impl Planner {
    /// A file without samples.
    pub fn new(movie: Movie) -> Self {
        let last = vec![None; movie.tracks.len()];
        let tables = Tables::new(&movie);
        Self { movie, tables, last, newest: None, places: Places::default() }
    }

    /// The next sample. `false` when its track is not in the movie: the sample is not in the file.
    /// A time before that of the track's last sample is taken as that one.
    ///
    /// # Errors
    /// [`Error`]; the sample is not in the file.
    pub fn push(&mut self, sample: &SampleInfo) -> Result<bool, Error> {
        let &SampleInfo { time_ms, composition_ms, offset_nanos, is_key, size_bytes, .. } = sample;
        let is_of = |track: &Track| (track.kind, track.id) == (sample.kind, sample.track);
        let Some(track) = self.movie.tracks.iter().position(is_of) else { return Ok(false) };
        if time_ms > TIME_MAX_MS {
            return Err(Error::TimeTooLarge { time_ms });
        }
        if self.places.sizes.len() == FILE_SAMPLES_MAX {
            return Err(Error::FileFull);
        }
        let Some(last) = self.last.get_mut(track) else { return Ok(false) };
        let time_ms = last.map_or(time_ms, |(last_ms, _)| time_ms.max(last_ms));
        *last = Some((time_ms, last.map(|(last_ms, _)| time_ms - last_ms)));
        if self.newest != Some(track) {
            self.newest = Some(track);
            self.tables.chunk(track, self.places.bytes);
        }
        let of_track = self.movie.tracks.get(track);
        let composition = of_track.map_or(0, |of| of.composition(composition_ms, offset_nanos));
        self.tables.push(track, Row { time_ms, composition, is_key, size_bytes });
        self.places.push(size_bytes);
        Ok(true)
    }

    /// Of the file only this is shown, in the time of the samples: an exact piece of a stream that
    /// can be cut at key frames alone. Players begin to decode before it and show it from its start.
    pub fn show(&mut self, window: Range<u64>) {
        self.tables.show(window);
    }

    /// No more samples come. The last of each track lasts as long as the one before.
    pub fn finish(mut self) -> Planned {
        for (at, (track, last)) in self.movie.tracks.iter().zip(&self.last).enumerate() {
            if let Some((time_ms, step_ms)) = last {
                let step_ms = step_ms.filter(|step_ms| *step_ms <= super::LOOKAHEAD_MS);
                self.tables.end(at, time_ms + step_ms.unwrap_or_else(|| track.usual_ms()));
            }
        }
        // All places have the same size: the first attempt tells where the samples begin.
        let before = self.head(0).len();
        Planned { head: self.head(size(before)), places: self.places }
    }

    /// What stands before the samples, when they begin at `before`.
    fn head(&self, before: u64) -> Vec<u8> {
        const LARGE_HEAD: u64 = 16;
        let mut boxes = Boxes::default();
        moov::put_ftyp(&mut boxes, &self.movie);
        moov::put_moov(&mut boxes, &self.movie, Some((&self.tables, before)));
        boxes.u32(1);
        boxes.slice(b"mdat");
        boxes.u64(LARGE_HEAD + self.places.bytes);
        boxes.bytes
    }
}

impl Planned {
    /// What stands before the samples.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of the whole file.
    pub fn size_bytes(&self) -> u64 {
        size(self.head.len()) + self.places.bytes
    }

    /// What makes up the bytes of a range, in order; what lies behind the end of the file is left
    /// out. An empty sample is never among them.
    pub fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Piece> + '_ {
        let head = size(self.head.len());
        let end = range.end.min(self.size_bytes());
        let at = |offset: u64| usize::try_from(offset.min(head)).unwrap_or(usize::MAX);
        let of_head = at(range.start)..at(end);
        let of_head = (!of_head.is_empty()).then_some(Piece::Head(of_head));
        let samples = range.start.saturating_sub(head)..end.saturating_sub(head);
        of_head.into_iter().chain(self.places.pieces(samples))
    }
}

impl Places {
    const EVERY: usize = 256;

    fn push(&mut self, size_bytes: u32) {
        if self.sizes.len().is_multiple_of(Self::EVERY) {
            self.sums.push(self.bytes);
        }
        self.sizes.push(size_bytes);
        self.bytes += u64::from(size_bytes);
    }

    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Piece> + '_ {
        let block = self.sums.partition_point(|sum| *sum <= range.start).saturating_sub(1);
        let mut begin = self.sums.get(block).copied().unwrap_or(0);
        let sizes = self.sizes.iter().enumerate().skip(block * Self::EVERY);
        let of_sample = move |(index, size_bytes): (usize, &u32)| {
            let start = begin;
            begin += u64::from(*size_bytes);
            (index, start..begin)
        };
        let Range { start, end } = range;
        let is_before_end = move |(_, place): &(usize, Range<u64>)| place.start < end;
        sizes.map(of_sample).take_while(is_before_end).filter_map(move |(index, place)| {
            let part = start.max(place.start)..end.min(place.end);
            let within = |offset: u64| u32::try_from(offset - place.start).unwrap_or(u32::MAX);
            let piece = || Piece::Sample { index, range: within(part.start)..within(part.end) };
            (part.start < part.end).then(piece)
        })
    }
}
