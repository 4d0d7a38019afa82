//! What a file of a range will be, before its first byte: size, length, index and what it says of
//! itself.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use media::amf0::Value;
use media::flv::mux::{Muxer, Options};
use media::flv::sized::Opening;
use media::flv::tag::OVERHEAD;
use media::{Header, Kind, Role};

use super::head::Head;
use super::item::{Cause, Gap, Item, Timed};
use super::reader::{Piece, Reader, Step};
use super::{Cut, Error, Range, Source};
use crate::ledger::{number, seconds};
use crate::{About, Format, Ledger, RecordingId};

/// What a file of a range is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The stream, `app/name`.
    pub stream_key: String,
    /// The recordings that it is of, in their order: the first [`Info::RECORDINGS_MAX`].
    pub recordings: Vec<RecordingId>,
    /// Segments that it is of.
    pub segments: usize,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Its length, in ms.
    pub duration_ms: u64,
    /// When it begins, in ms since 1970; and as people write it, with ms and offset.
    pub start_unix_ms: i64,
    /// The same as text: RFC 3339.
    pub start_time: String,
    /// The first [`Info::GAPS_MAX`] gaps in it.
    pub gaps: Vec<Gap>,
    /// All of them.
    pub gaps_total: u64,
    /// Whether its last segment is still being written, or was not finished: there may be more.
    pub is_growing: bool,
}

impl Info {
    /// Most gaps that are listed.
    pub const GAPS_MAX: usize = 64;
    /// Most recordings that are listed.
    pub const RECORDINGS_MAX: usize = 64;
}

/// Most key frames in the index: more are thinned evenly.
const INDEX_MAX: usize = 4_096;

/// All that is known beforehand.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) info: Info,
    /// The first bytes of the file.
    pub(super) opening: Vec<u8>,
    pub(super) pieces: Arc<[Piece]>,
    /// What each piece comes to.
    pub(super) books: Vec<Book>,
    /// The time of the reader that is 0 in the file.
    pub(super) origin_ms: i64,
}

/// What a piece comes to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Book {
    /// Bytes in the file that is made.
    pub(super) bytes: u64,
    /// Bytes of the segment that are taken whole: from the first to before the second.
    pub(super) whole: Option<(u64, u64)>,
}

impl Plan {
    /// Looks at what there is.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) fn new(source: &Source, range: Range) -> Result<Self, Error> {
        let mut survey = Survey::new(range);
        let mut reader = Reader::planning(source, range);
        while let Some(step) = reader.step() {
            survey.take(&step);
        }
        survey.finish(source)
    }
}

/// The sums of a plan.
#[derive(Debug)]
pub(super) struct Survey {
    range: Range,
    header: Header,
    pieces: Vec<Piece>,
    books: Vec<Book>,
    /// The open segment, and its 0 on the reader's clock; the first one.
    open: Option<(Arc<Head>, i64)>,
    first: Option<Arc<Head>>,
    /// What an FLV file says of media of which the first segment, in MP4, does not.
    described: Option<Box<Muxer>>,
    recordings: Vec<RecordingId>,
    /// The reader's time and the wall's that are 0 in the file.
    origin: Option<(i64, i64)>,
    begins_exactly: bool,
    has_audio: bool,
    has_video: bool,
    /// Where one can start: by video, and by audio in segments that have no video.
    key_frames: Vec<(u32, u64)>,
    places: Vec<(u32, u64)>,
    media_bytes: u64,
    gaps: Vec<Gap>,
    gaps_total: u64,
    lost: Option<Cause>,
    audio: Track,
    video: Track,
    end_ms: u64,
}

/// The newest frame of a kind.
#[derive(Debug, Default)]
struct Track {
    last_ms: Option<u64>,
    step_ms: u64,
}

impl Track {
    /// A pause longer than this (ms) is not the duration of a frame.
    const STEP_MAX_MS: u64 = 1_000;

    fn push(&mut self, time_ms: u64) {
        let step_ms = self.last_ms.and_then(|last| time_ms.checked_sub(last));
        if let Some(step_ms) = step_ms.filter(|step_ms| (1..=Self::STEP_MAX_MS).contains(step_ms)) {
            self.step_ms = step_ms;
        }
        self.last_ms = self.last_ms.max(Some(time_ms));
    }

    fn end_ms(&self) -> u64 {
        self.last_ms.map_or(0, |last_ms| last_ms.saturating_add(self.step_ms))
    }
}

impl Default for Survey {
    fn default() -> Self {
        let (header, pieces, books, open, first, recordings, origin) = Default::default();
        let (has_audio, has_video, begins_exactly, media_bytes) = Default::default();
        let (key_frames, places, described) = Default::default();
        let (gaps, gaps_total, lost, audio, video, end_ms) = Default::default();
        Self {
            range: Range::ALL,
            header,
            pieces,
            books,
            open,
            first,
            described,
            recordings,
            origin,
            begins_exactly,
            has_audio,
            has_video,
            key_frames,
            places,
            media_bytes,
            gaps,
            gaps_total,
            lost,
            audio,
            video,
            end_ms,
        }
    }
}

impl Survey {
    pub(super) fn new(range: Range) -> Self {
        Self { range, ..Self::default() }
    }

    /// Takes the next step of a reader into account.
    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Opened { segment, start, head, clock_ms } => {
                let is_first = self.first.is_none();
                self.begins_exactly |= is_first && start.is_some() && self.range.cut == Cut::Exact;
                self.first.get_or_insert_with(|| head.clone());
                if is_first && head.format == Format::Mp4 {
                    self.described = Some(Box::new(Muxer::new(Options::default())));
                }
                let recording = head.about.recording;
                if self.recordings.last() != Some(&recording)
                    && self.recordings.len() < Info::RECORDINGS_MAX
                {
                    self.recordings.push(recording);
                }
                self.open = Some((head.clone(), *clock_ms));
                self.pieces.push(Piece { segment: *segment, start: start.clone(), end: 0 });
                self.books.push(Book::default());
            }
            Step::Item(Item::Header(header)) => {
                if let Some(described) = &mut self.described {
                    header.packets().iter().for_each(|packet| _ = described.observe(packet, 0, 0));
                }
                self.header = header.clone();
            }
            Step::Item(Item::Packet(timed)) => self.take_packet(timed),
            Step::Item(Item::Gap(gap)) => self.take_gap(gap.clone()),
            Step::Jumped { from, to, until_ms } => self.take_whole(*from, *to, *until_ms),
            Step::Closed { end, cause } => {
                self.lost = self.lost.take().or_else(|| cause.clone());
                if let Some(piece) = self.pieces.last_mut() {
                    piece.end = *end;
                }
            }
        }
    }

    fn take_packet(&mut self, timed: &Timed) {
        let packet = &timed.packet;
        let time_ms = self.time_ms(packet.dts_ms);
        if let Some(described) = &mut self.described {
            let bytes = timed.size_bytes.saturating_sub(OVERHEAD);
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            described.observe(packet, bytes, u32::try_from(time_ms).unwrap_or(u32::MAX));
        }
        if packet.is_media() {
            let origin = (packet.dts_ms, timed.unix_ms);
            let from_ms = self.range.from_unix_ms;
            let asked = self.begins_exactly.then_some((from_ms, from_ms));
            self.origin.get_or_insert(asked.unwrap_or(origin));
            let time_ms = self.time_ms(packet.dts_ms);
            match packet.kind {
                Kind::Audio => (self.has_audio = true, self.audio.push(time_ms)).1,
                _ => (self.has_video = true, self.video.push(time_ms)).1,
            }
            if packet.role == Role::Key {
                add_place(&mut self.key_frames, time_ms, self.media_bytes);
            }
        }
        self.add(timed.size_bytes);
    }

    fn take_whole(&mut self, from: u64, to: u64, until_ms: Option<i64>) {
        let Some((head, clock_ms)) = self.open.clone() else { return };
        for entry in head.index.between(from, to) {
            let time_ms = self.time_ms(clock_ms.saturating_add(entry.time_ms));
            let places = if head.has_video { &mut self.key_frames } else { &mut self.places };
            add_place(places, time_ms, self.media_bytes + (entry.position - from));
        }
        self.has_audio |= head.has_audio;
        self.has_video |= head.has_video;
        if let Some(until_ms) = until_ms {
            self.end_ms = self.end_ms.max(self.time_ms(until_ms));
        }
        if let Some(book) = self.books.last_mut() {
            book.whole = Some((from, to));
        }
        self.add(to.saturating_sub(from));
    }

    fn take_gap(&mut self, gap: Gap) {
        if matches!(gap.cause, Cause::Missing | Cause::Deleted | Cause::Damaged)
            || matches!(gap.cause, Cause::Unreadable(_))
        {
            self.lost.get_or_insert_with(|| gap.cause.clone());
        }
        self.gaps_total += 1;
        if self.gaps.len() < Info::GAPS_MAX {
            self.gaps.push(gap);
        }
    }

    fn add(&mut self, bytes: u64) {
        self.media_bytes = self.media_bytes.saturating_add(bytes);
        if let Some(book) = self.books.last_mut() {
            book.bytes = book.bytes.saturating_add(bytes);
        }
    }

    fn time_ms(&self, clock_ms: i64) -> u64 {
        let origin_ms = self.origin.map_or(clock_ms, |(origin_ms, _)| origin_ms);
        u64::try_from(clock_ms.saturating_sub(origin_ms)).unwrap_or(0)
    }

    /// What it comes to.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) fn finish(mut self, source: &Source) -> Result<Plan, Error> {
        let nothing = match self.lost.take() {
            Some(cause) => Error::Lost { cause },
            None => Error::Nothing,
        };
        let Some(((origin_ms, start_unix_ms), first)) = self.origin.zip(self.first.clone()) else {
            return Err(nothing);
        };
        let mut duration_ms = self.end_ms.max(self.audio.end_ms()).max(self.video.end_ms());
        let last = self.pieces.last().and_then(|piece| source.parts.get(piece.segment));
        if self.range.cut == Cut::Exact
            && let Some(((_, clock_ms), part)) = self.open.as_ref().zip(last)
        {
            let asked_ms = self.range.to_unix_ms.saturating_sub(part.start_unix_ms);
            let is_all = part.end_unix_ms <= self.range.to_unix_ms;
            let longest_ms = if is_all { asked_ms.max(part.length_ms()) } else { asked_ms };
            duration_ms = duration_ms.min(self.time_ms(clock_ms.saturating_add(longest_ms)));
        }
        if duration_ms > u64::from(u32::MAX) {
            return Err(Error::TooLong { duration_ms });
        }
        let is_growing = self.open.as_ref().is_some_and(|(head, _)| !head.is_complete)
            && last.is_some_and(|part| {
                part.end_unix_ms > self.range.to_unix_ms || part.end_unix_ms == i64::MAX
            });
        let mut info = Info {
            stream_key: first.about.stream_key.clone(),
            recordings: self.recordings.clone(),
            segments: self.books.iter().filter(|book| book.bytes > 0).count(),
            size_bytes: 0,
            duration_ms,
            start_unix_ms,
            start_time: text(start_unix_ms, offset_of(&first.about)),
            gaps: std::mem::take(&mut self.gaps),
            gaps_total: self.gaps_total,
            is_growing,
        };
        let opening = Opening {
            has_audio: self.has_audio,
            has_video: self.has_video,
            properties: self.properties(&info, &first),
            key_frames: thinned(if self.has_video { self.key_frames } else { self.places }),
            header: self.header,
            media_bytes: self.media_bytes,
        };
        let opening = opening.encode();
        info.size_bytes = self.media_bytes.saturating_add(opening.len() as u64);
        let pieces = self.pieces.into();
        Ok(Plan { info, opening, pieces, books: self.books, origin_ms })
    }

    /// What the file says of itself.
    fn properties(&self, info: &Info, first: &Head) -> Vec<(String, Value)> {
        let offset = offset_of(&first.about);
        let recordings: Vec<_> = info.recordings.iter().map(ToString::to_string).collect();
        let cut = match self.range.cut {
            Cut::KeyFrame => "key frame",
            Cut::Exact => "exact",
        };
        let end_ms = start_and(info.start_unix_ms, info.duration_ms);
        let mut properties = vec![
            ("streamKey", Value::from(info.stream_key.clone())),
            ("recordings", Value::from(recordings.join(", "))),
            ("startTime", Value::from(info.start_time.clone())),
            ("endTime", Value::from(text(end_ms, offset))),
            ("cut", Value::from(cut)),
        ];
        let asked = [("from", self.range.from_unix_ms), ("to", self.range.to_unix_ms)];
        for (name, unix_ms) in
            asked.into_iter().filter(|(_, ms)| ![i64::MIN, i64::MAX].contains(ms))
        {
            properties.push((name, Value::from(text(unix_ms, offset))));
        }
        properties.extend([
            ("duration", seconds(info.duration_ms)),
            ("hasVideo", Value::Boolean(self.has_video)),
            ("hasAudio", Value::Boolean(self.has_audio)),
            ("hasKeyframes", Value::Boolean(!self.key_frames.is_empty())),
            ("gaps", number(info.gaps_total)),
        ]);
        if !info.gaps.is_empty() {
            let list = |value: &dyn Fn(&Gap) -> u64| {
                Value::StrictArray(info.gaps.iter().map(|gap| seconds(value(gap))).collect())
            };
            let since = |ms: i64| u64::try_from(ms.saturating_sub(info.start_unix_ms)).unwrap_or(0);
            let causes: Vec<_> = info.gaps.iter().map(|gap| gap.cause.to_string()).collect();
            properties.extend([
                ("gapTimes", list(&|gap| since(gap.from_unix_ms))),
                ("gapDurations", list(&|gap| since(gap.to_unix_ms) - since(gap.from_unix_ms))),
                ("gapReasons", Value::from(causes.join(", "))),
            ]);
        }
        let mut properties: Vec<_> =
            properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let own = of_segments();
        let described = self.described.as_ref().map(|muxer| muxer.description());
        for (name, value) in first.properties.iter().chain(described.iter().flatten()) {
            let is_known = properties.iter().any(|(known, _)| known == name);
            let is_label = name.starts_with(crate::about::LABEL);
            if !is_known && !is_label && !own.contains(name) {
                properties.push((name.clone(), value.clone()));
            }
        }
        properties
    }
}

/// Properties that are true of a segment, or of its recording, and of no other file.
fn of_segments() -> Vec<String> {
    let words = [
        "recordingId",
        "segment",
        "recordingTime",
        "segmentReason",
        "firstPacket",
        "gapBefore",
        "gapBeforeReason",
        "gapBeforePackets",
        "gapBeforeBytes",
        "chainBefore",
        "recorder",
        "recordingName",
        "requestKey",
        "clip",
        "tracks",
        "codecs",
        "complete",
        "filesize",
        "lasttimestamp",
        "lastkeyframetimestamp",
        "canSeekToEnd",
        "hasMetadata",
        "segmentLength",
        "cutOff",
        "shownFrom",
        "shownTo",
        "syncedSize",
        "gapTimes",
        "gapDurations",
        "gapPackets",
        "gapBytes",
        "gapReasons",
    ];
    let books = Ledger::default().properties().into_iter().map(|(name, _)| name);
    words.iter().map(|word| (*word).to_owned()).chain(books).collect()
}

fn add_place(places: &mut Vec<(u32, u64)>, time_ms: u64, place: u64) {
    let Ok(time_ms) = u32::try_from(time_ms) else { return };
    // Those for the decoder alone, and key frames of several tracks, come together.
    if places.last().is_none_or(|(last_ms, _)| *last_ms < time_ms) {
        places.push((time_ms, place));
    }
}

/// At most [`INDEX_MAX`] of them, evenly.
fn thinned(key_frames: Vec<(u32, u64)>) -> Vec<(u32, u64)> {
    let step = key_frames.len().div_ceil(INDEX_MAX).max(1);
    key_frames.into_iter().step_by(step).collect()
}

fn start_and(start_unix_ms: i64, duration_ms: u64) -> i64 {
    start_unix_ms.saturating_add(i64::try_from(duration_ms).unwrap_or(i64::MAX))
}

/// The offset from UTC in which a segment tells its times.
fn offset_of(about: &About) -> Offset {
    let pieces = Pieces::parse(&about.start_time);
    pieces.ok().and_then(|pieces| pieces.to_numeric_offset()).unwrap_or(Offset::UTC)
}

/// RFC 3339 with ms and offset.
fn text(unix_ms: i64, offset: Offset) -> String {
    let time = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    time.to_zoned(TimeZone::fixed(offset)).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
