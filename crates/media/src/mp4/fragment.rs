//! Parts of a stream as fragments: `moof` with the times and sizes of samples, `mdat` with the
//! samples (ISO 14496-12 8.8).
//!
//! A sample lasts until the next one of its track, which comes after the part when it is the last:
//! so a part is ready a frame after it was cut. The durations of a track add up to its times
//! therefore, over all parts, but for pauses longer than [`LOOKAHEAD_MS`]; and what a part looks
//! like depends on its packets and those right behind it alone, whoever makes it and when.

use std::collections::VecDeque;

use bytes::Bytes;

use super::boxes::Boxes;
use super::log::{self, Log};
use super::movie::{Movie, Track};
use super::sample::{Sample, samples};
use super::tables::{Row, Tables};
use super::{
    Error, FILE_SAMPLES_MAX, LOOKAHEAD_MS, PART_BYTES_MAX, PART_SAMPLES_MAX, TIME_MAX_MS, moov,
    size,
};
use crate::{Chunks, Kind, Packet};

/// Makes parts of one movie's packets.
#[derive(Debug, Clone)]
pub struct Fragmenter {
    movie: Movie,
    open: Open,
    closing: VecDeque<Closing>,
    /// Of each track its newest sample.
    last: Vec<Option<Last>>,
    /// Of a recording, which keeps all messages: how many more samples it can have.
    room: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    time_ms: u64,
    /// From the one before.
    step_ms: Option<u64>,
}

/// How a part is to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// The number of the fragment; each one greater than that of the one before it.
    pub sequence: u32,
    /// Whether it begins with `styp`, as a file of its own does.
    pub styp: bool,
    /// When, by the clock on the wall, the first sample of its leading track was: ms since 1970, for
    /// `prft`.
    pub prft_unix_ms: Option<u64>,
}

/// A part that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The number of the fragment.
    pub sequence: u32,
    /// When its leading track begins, in decoding time.
    pub start_ms: u64,
    /// When its leading track ends, which is when that of the next part begins.
    pub end_ms: u64,
    /// Whether its leading track begins with a key frame, and so playing can begin with the part.
    pub is_independent: bool,
    /// Whether its leading track has a key frame anywhere.
    pub has_key: bool,
    /// How many samples it has, of all tracks.
    pub samples: usize,
    /// Bytes of it.
    pub size_bytes: u64,
}

impl Part {
    /// How long its leading track is.
    pub fn duration_ms(&self) -> u64 {
        self.end_ms - self.start_ms
    }
}

/// A part that is being filled. The leading track is the first of the movie that has samples.
#[derive(Debug, Clone, Default)]
struct Open {
    /// One for each track of the movie.
    runs: Vec<Vec<Entry>>,
    samples: usize,
    media_bytes: u64,
    log: Log,
}

#[derive(Debug, Clone)]
struct Entry {
    time_ms: u64,
    /// In the track's units.
    composition: i32,
    is_key: bool,
    data: Bytes,
}

/// A part that was cut, and waits for what tells how long its last samples are.
#[derive(Debug, Clone)]
struct Closing {
    cut: Cut,
    part: Open,
    /// Of each track when its last sample ends. Known at once where it has none.
    ends_ms: Vec<Option<u64>>,
}

impl Fragmenter {
    /// A fragmenter at any place of a stream.
    pub fn new(movie: Movie) -> Self {
        let last = vec![None; movie.tracks.len()];
        let open = Open::new(&movie);
        Self { movie, open, closing: VecDeque::new(), last, room: None }
    }

    /// One of a recording: before each part stands what its messages were.
    pub(super) fn of_recording(movie: Movie) -> Self {
        Self { room: Some(FILE_SAMPLES_MAX), ..Self::new(movie) }
    }

    /// Goes on behind samples of a track: the time of the last, and from the one before.
    pub(super) fn resume(&mut self, track: usize, time_ms: u64, step_ms: Option<u64>) {
        if let Some(last) = self.last.get_mut(track) {
            *last = Some(Last { time_ms, step_ms });
        }
    }

    /// The movie.
    pub fn movie(&self) -> &Movie {
        &self.movie
    }

    /// Takes the samples of a packet into the part, and passes over everything else. A time before
    /// that of the track's last sample is taken as that one: decoding times do not go back.
    ///
    /// # Errors
    /// [`Error`]; nothing of the packet was taken.
    pub fn push(&mut self, packet: &Packet, time_ms: u64) -> Result<(), Error> {
        if !packet.is_media() && self.room.is_none() {
            return Ok(());
        }
        if time_ms > TIME_MAX_MS {
            return Err(Error::TimeTooLarge { time_ms });
        }
        let taken: Vec<(usize, Sample)> =
            samples(packet).filter_map(|sample| Some((self.index_of(&sample)?, sample))).collect();
        let bytes: usize = match self.room {
            Some(_) => packet.body.len(),
            None => taken.iter().map(|(_, sample)| sample.data.len()).sum(),
        };
        let is_full = self.open.samples + taken.len() > PART_SAMPLES_MAX
            || self.open.bytes() + size(bytes) > PART_BYTES_MAX;
        if is_full {
            return Err(Error::PartFull);
        }
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(taken.len()).ok_or(Error::FileFull)?;
            self.open.log.push(packet, time_ms, &taken);
        }
        let is_media = !taken.is_empty();
        for (track, sample) in taken {
            self.take(track, sample, time_ms);
        }
        if is_media {
            self.pass(time_ms);
        }
        Ok(())
    }

    /// Ends the part, which has all that was pushed since the last cut. `false`, and nothing else,
    /// when that is nothing.
    pub fn cut(&mut self, cut: Cut) -> bool {
        if !self.has_open() {
            return false;
        }
        let part = std::mem::replace(&mut self.open, Open::new(&self.movie));
        let ends_ms = part.runs.iter().map(|run| run.is_empty().then_some(0)).collect();
        self.closing.push_back(Closing { cut, part, ends_ms });
        true
    }

    /// Puts out the oldest part that was cut, if it is known how long its last samples are.
    pub fn poll(&mut self, out: &mut Chunks) -> Option<Part> {
        self.poll_into(out, None)
    }

    /// The same; the samples are noted in the tables of a file that has so many bytes already.
    pub(super) fn poll_into(
        &mut self,
        out: &mut Chunks,
        tables: Option<(&mut Tables, u64)>,
    ) -> Option<Part> {
        let is_ready = |closing: &Closing| closing.ends_ms.iter().all(Option::is_some);
        if !self.closing.front().is_some_and(is_ready) {
            return None;
        }
        Some(self.closing.pop_front()?.write(&self.movie, out, tables))
    }

    /// No more packets come: the last samples last as long as those before them, and all parts that
    /// were cut are ready.
    pub fn finish(&mut self) {
        for closing in &mut self.closing {
            closing.pass(&self.movie, u64::MAX);
        }
    }

    /// A file of its own for a time in which the tracks have nothing.
    pub fn nothing(&self, sequence: u32, time_ms: u64) -> Vec<u8> {
        const DURATION_IS_EMPTY: u32 = 0x01_0000;
        let mut boxes = Boxes::default();
        styp(&mut boxes);
        boxes.put(b"moof", |boxes| {
            boxes.full(b"mfhd", 0, 0, |boxes| boxes.u32(sequence));
            for track in &self.movie.tracks {
                boxes.put(b"traf", |boxes| {
                    let flags = DURATION_IS_EMPTY | DEFAULT_BASE_IS_MOOF;
                    boxes.full(b"tfhd", 0, flags, |boxes| boxes.u32(track.mp4_id()));
                    let time = time_ms.saturating_mul(track.per_ms().into());
                    boxes.full(b"tfdt", 1, 0, |boxes| boxes.u64(time));
                });
            }
        });
        boxes.put(b"mdat", |_| {});
        boxes.bytes
    }

    /// Whether something was pushed since the last cut.
    pub fn has_open(&self) -> bool {
        self.open.bytes() > 0
    }

    /// When the leading track of the part that is being filled begins.
    pub(super) fn open_start_ms(&self) -> Option<u64> {
        self.open.leading()?.1.first().map(|first| first.time_ms)
    }

    /// When the last sample ends that was pushed, if it lasts as long as the one before.
    pub(super) fn end_ms(&self) -> u64 {
        let tracks = self.movie.tracks.iter().zip(&self.last);
        let ends = tracks.filter_map(|(track, last)| {
            let last = last.as_ref()?;
            let step_ms = last.step_ms.filter(|step_ms| *step_ms <= LOOKAHEAD_MS);
            Some(last.time_ms + step_ms.unwrap_or_else(|| track.usual_ms()))
        });
        ends.max().unwrap_or(0)
    }

    /// From the first to the last sample of the leading track in the part that is being filled.
    pub fn open_ms(&self) -> u64 {
        let leading = self.open.leading();
        let bounds = leading.and_then(|(_, run)| Some((run.first()?, run.last()?)));
        bounds.map_or(0, |(first, last)| last.time_ms - first.time_ms)
    }

    /// Bytes of the samples in the part that is being filled, and of what else is kept.
    pub fn open_bytes(&self) -> u64 {
        self.open.bytes()
    }

    /// The place of a sample's track among those of the movie.
    fn index_of(&self, sample: &Sample) -> Option<usize> {
        let is_of = |track: &Track| {
            (track.kind, track.id, track.codec) == (sample.kind, sample.track, sample.codec)
        };
        self.movie.tracks.iter().position(is_of)
    }

    fn take(&mut self, track: usize, sample: Sample, time_ms: u64) {
        let Some(last) = self.last.get_mut(track) else { return };
        let time_ms = last.map_or(time_ms, |last| time_ms.max(last.time_ms));
        *last = Some(Last { time_ms, step_ms: last.map(|last| time_ms - last.time_ms) });
        for closing in &mut self.closing {
            closing.end(&self.movie, track, time_ms);
        }
        let Some(run) = self.open.runs.get_mut(track) else { return };
        let Some(track) = self.movie.tracks.get(track) else { return };
        self.open.samples += 1;
        self.open.media_bytes += size(sample.data.len());
        let Sample { composition_ms, offset_nanos, is_key, data, .. } = sample;
        let composition = track.composition(composition_ms, offset_nanos);
        run.push(Entry { time_ms, composition, is_key, data });
    }

    /// The stream has come to a time, with packets of others: tracks that are far behind pause.
    pub fn pass(&mut self, time_ms: u64) {
        for closing in &mut self.closing {
            closing.pass(&self.movie, time_ms);
        }
    }
}

impl Open {
    fn new(movie: &Movie) -> Self {
        Self { runs: vec![Vec::new(); movie.tracks.len()], ..Self::default() }
    }

    /// Bytes of the samples and of what else is kept: 0 while nothing was pushed.
    fn bytes(&self) -> u64 {
        self.media_bytes + size(self.log.bytes.len())
    }

    /// The first track that has samples, and these.
    fn leading(&self) -> Option<(usize, &Vec<Entry>)> {
        self.runs.iter().enumerate().find(|(_, run)| !run.is_empty())
    }
}

impl Closing {
    /// The next sample of a track is here.
    fn end(&mut self, movie: &Movie, track: usize, next_ms: u64) {
        let Some(last_ms) = self.awaited(track) else { return };
        let is_near = next_ms - last_ms <= LOOKAHEAD_MS;
        let end_ms = if is_near { next_ms } else { self.guess(movie, track) };
        if let Some(end) = self.ends_ms.get_mut(track) {
            *end = Some(end_ms);
        }
    }

    /// The stream has come to a time.
    fn pass(&mut self, movie: &Movie, time_ms: u64) {
        for track in 0..self.ends_ms.len() {
            let is_far = |last_ms: u64| time_ms > last_ms.saturating_add(LOOKAHEAD_MS);
            if self.awaited(track).is_some_and(is_far) {
                let end_ms = self.guess(movie, track);
                if let Some(end) = self.ends_ms.get_mut(track) {
                    *end = Some(end_ms);
                }
            }
        }
    }

    /// The time of the last sample of a track whose end is not known.
    fn awaited(&self, track: usize) -> Option<u64> {
        let is_awaited = self.ends_ms.get(track).is_some_and(Option::is_none);
        let last = self.part.runs.get(track).and_then(|run| run.last());
        last.filter(|_| is_awaited).map(|last| last.time_ms)
    }

    /// When the last sample of a track ends if it lasts as long as the one before.
    fn guess(&self, movie: &Movie, track: usize) -> u64 {
        let run = self.part.runs.get(track).map(Vec::as_slice).unwrap_or_default();
        let usual_ms = || movie.tracks.get(track).map_or(0, Track::usual_ms);
        match run {
            [.., before, last] => last.time_ms + (last.time_ms - before.time_ms),
            [last] => last.time_ms + usual_ms(),
            [] => 0,
        }
    }

    fn write(self, movie: &Movie, out: &mut Chunks, tables: Option<(&mut Tables, u64)>) -> Part {
        let Self { cut, part, ends_ms } = self;
        let before = out.len();
        let all = movie.tracks.iter().zip(&part.runs).zip(&ends_ms);
        let runs = all.filter(|((_, run), _)| !run.is_empty());
        let runs: Vec<Run<'_>> = runs
            .map(|((track, run), end_ms)| Run { track, run, end_ms: end_ms.unwrap_or(0) })
            .collect();
        let head = head(&cut, &runs, &part);
        if let Some((tables, position)) = tables {
            let mut offset = position + size(head.len());
            for run in &runs {
                offset = run.note(movie, tables, offset);
            }
        }
        out.put_slice(&head);
        let leading = runs.first().map(|leading| (leading.run.as_slice(), leading.end_ms));
        let (run, end_ms) = leading.unwrap_or_default();
        let told = Part {
            sequence: cut.sequence,
            start_ms: run.first().map_or(0, |first| first.time_ms),
            end_ms,
            is_independent: run.first().is_some_and(|first| first.is_key),
            has_key: run.iter().any(|entry| entry.is_key),
            samples: part.samples,
            size_bytes: 0,
        };
        let is_recording = !part.log.bytes.is_empty();
        for entry in part.runs.into_iter().flatten() {
            out.put(entry.data);
        }
        if is_recording {
            out.put_slice(&log::END);
        }
        Part { size_bytes: size(out.len() - before), ..told }
    }
}

/// The samples of one track in a part.
struct Run<'a> {
    track: &'a Track,
    run: &'a Vec<Entry>,
    end_ms: u64,
}

/// Of `tfhd`: places are counted from the `moof`.
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;

/// Everything that stands before the samples.
fn head(cut: &Cut, runs: &[Run<'_>], part: &Open) -> Vec<u8> {
    let mut boxes = Boxes::default();
    if !part.log.bytes.is_empty() {
        boxes.put(b"uuid", |boxes| boxes.slice(&part.log.bytes));
    }
    if runs.is_empty() {
        return boxes.bytes;
    }
    if cut.styp {
        styp(&mut boxes);
    }
    if let (Some(unix_ms), Some(leading)) = (cut.prft_unix_ms, runs.first()) {
        boxes.full(b"prft", 1, 0, |boxes| {
            boxes.u32(leading.track.mp4_id());
            boxes.u64(ntp(unix_ms));
            boxes.u64(leading.start());
        });
    }
    let start = boxes.bytes.len();
    // Where each run must say how far from the `moof` its samples begin, and how many bytes come
    // before them in `mdat`.
    let mut places = Vec::new();
    boxes.put(b"moof", |boxes| {
        boxes.full(b"mfhd", 0, 0, |boxes| boxes.u32(cut.sequence));
        let mut bytes = 0;
        for run in runs {
            places.push((run.put(boxes), bytes));
            bytes += run.run.iter().map(|entry| entry.data.len()).sum::<usize>();
        }
    });
    /// Of `mdat` before its content: a part has at most [`PART_BYTES_MAX`].
    const MDAT_HEAD: usize = 8;
    let moof_bytes = boxes.bytes.len() - start;
    for (at, bytes) in places {
        boxes.set_u32(at, u32::try_from(moof_bytes + MDAT_HEAD + bytes).unwrap_or(u32::MAX));
    }
    boxes.u32(u32::try_from(part.media_bytes + size(MDAT_HEAD)).unwrap_or(u32::MAX));
    boxes.slice(b"mdat");
    boxes.bytes
}

fn styp(boxes: &mut Boxes) {
    boxes.put(b"styp", |boxes| {
        boxes.slice(b"msdh");
        boxes.u32(0);
        boxes.slice(b"msdhiso6");
    });
}

/// A time as `prft` has it: seconds since 1900, and 2^32 parts of one.
fn ntp(unix_ms: u64) -> u64 {
    const EPOCH_S: u64 = 2_208_988_800;
    let (s, ms) = (unix_ms / 1_000 + EPOCH_S, unix_ms % 1_000);
    (s << 32) | ((ms << 32) / 1_000)
}

impl Run<'_> {
    /// The time of the first sample in the track's units.
    fn start(&self) -> u64 {
        let first_ms = self.run.first().map_or(0, |first| first.time_ms);
        first_ms * u64::from(self.track.per_ms())
    }

    /// Appends `traf`. Returns where the place of the samples is to be written.
    fn put(&self, boxes: &mut Boxes) -> usize {
        const DEFAULT_FLAGS: u32 = 0x20;
        const DATA_OFFSET: u32 = 0x01;
        const DURATION_AND_SIZE: u32 = 0x300;
        const FLAGS_AND_COMPOSITION: u32 = 0xC00;
        let is_video = self.track.kind == Kind::Video;
        let mut place = 0;
        boxes.put(b"traf", |boxes| {
            boxes.full(b"tfhd", 0, DEFAULT_BASE_IS_MOOF | DEFAULT_FLAGS, |boxes| {
                boxes.u32(self.track.mp4_id());
                boxes.u32(moov::default_flags(self.track.kind));
            });
            boxes.full(b"tfdt", 1, 0, |boxes| boxes.u64(self.start()));
            let of_video = if is_video { FLAGS_AND_COMPOSITION } else { 0 };
            let flags = DATA_OFFSET | DURATION_AND_SIZE | of_video;
            boxes.full(b"trun", 1, flags, |boxes| {
                boxes.u32(u32::try_from(self.run.len()).unwrap_or(u32::MAX));
                place = boxes.bytes.len();
                boxes.u32(0);
                let next_ms = self.run.iter().skip(1).map(|entry| entry.time_ms);
                let ends_ms = next_ms.chain([self.end_ms]);
                for (entry, end_ms) in self.run.iter().zip(ends_ms) {
                    boxes.u32(self.units(end_ms - entry.time_ms));
                    boxes.u32(u32::try_from(entry.data.len()).unwrap_or(u32::MAX));
                    if is_video {
                        boxes.u32(if entry.is_key { moov::KEY_FLAGS } else { moov::OTHER_FLAGS });
                        boxes.slice(&entry.composition.to_be_bytes());
                    }
                }
            });
        });
        place
    }

    /// Notes the samples in a file's tables. Returns where the samples of the next run begin.
    fn note(&self, movie: &Movie, tables: &mut Tables, mut offset: u64) -> u64 {
        let is_this = |track: &Track| track.mp4_id() == self.track.mp4_id();
        let Some(track) = movie.tracks.iter().position(is_this) else { return offset };
        tables.chunk(track, offset);
        for entry in self.run {
            let &Entry { time_ms, composition, is_key, ref data } = entry;
            let size_bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
            tables.push(track, Row { time_ms, composition, is_key, size_bytes });
            offset += u64::from(size_bytes);
        }
        tables.end(track, self.end_ms);
        offset
    }

    fn units(&self, ms: u64) -> u32 {
        u32::try_from(ms * u64::from(self.track.per_ms())).unwrap_or(u32::MAX)
    }
}
