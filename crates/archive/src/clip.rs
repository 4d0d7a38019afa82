//! A stretch of a recording, kept as a recording of its own.
//!
//! It is the packets of a [`range`](crate::range) in one file that says who it is
//! as any other does: with an id, a name, labels and books of its own. What it was made of is only
//! read. It begins by the clock on the wall when what is in it was recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Timestamp, Zoned};
use live::Key;
use media::mp4::Movie;
use media::{Header, Kind, Packet, Role};

use crate::events::{Completed, Event, Started};
use crate::label::{Labels, check_labels, check_text};
use crate::path::Facts;
use crate::range::{self, Cause, Item, Range, Source, Timed, clock};
use crate::recorder::rfc3339;
use crate::segment::{End, Form, SAMPLES_MAX, Segment};
use crate::{
    About, Amount, Archive, BadLabel, Cut, Format, Gap, Ledger, Plan, Reason, RecordingId, Tracks,
    words,
};

/// How a clip is kept, what it is called, and what is written on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// Whose it is and where it goes, in which format and under which name: as the recorder that made
    /// what it is of keeps recordings now.
    pub plan: Arc<Plan>,
    /// Its name.
    pub name: Option<String>,
    /// Its labels.
    pub labels: Labels,
}

/// Why there is no clip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClipError {
    /// What is to be written on it cannot be.
    #[error(transparent)]
    Label(#[from] BadLabel),
    /// FLV has no word for pictures that are there for decoders alone.
    #[error(
        "a clip in FLV begins and ends at key frames, for players show all that is in it; in MP4 it \
         is cut to the ms"
    )]
    Inexact,
    /// There is less free space than is kept.
    #[error("there is less free space than is kept")]
    Space,
    /// A track becomes another, which a clip cannot tell: it is one file of one configuration.
    #[error(
        "the configuration changes at {}, and a clip has one: make a clip of the time before it \
         and one of the time after it", clock(*unix_ms)
    )]
    Changes {
        /// When, in ms since 1970.
        unix_ms: i64,
    },
    /// There are no such packets, or they cannot be written.
    #[error(transparent)]
    Range(#[from] range::Error),
}

/// Bytes that are written at once.
const BLOCK_BYTES: u64 = 1 << 20;
/// Bytes of the first packets that are held until it is known which tracks there are.
const HELD_BYTES: usize = 8 << 20;

impl Archive {
    /// Keeps what is in a range as a finished recording of one file. Of one that is cut exactly, which is to be in
    /// MP4, players do not show the pictures before the range. `go_on` is asked
    /// after each MiB. It blocks as the disks do. No file is left where it fails, as far as the disk allows.
    ///
    /// # Errors
    /// [`ClipError`]. A clip has one configuration and nothing that was lost:
    /// [`ClipError::Changes`], [`range::Error::Lost`]. In FLV it is not exact: [`ClipError::Inexact`].
    pub fn keep(
        &self,
        source: &Source,
        range: Range,
        clip: &Clip,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<RecordingId, ClipError> {
        check_labels(&clip.labels)?;
        check_text("name", clip.name.as_deref().unwrap_or_default())?;
        let key = source.segments().next().map(|segment| segment.stream_key.clone());
        let key = key.and_then(|key| Key::new("", &key).ok()).ok_or(range::Error::Nothing)?;
        if range.cut == range::Cut::Exact && clip.plan.format == Format::Flv {
            return Err(ClipError::Inexact);
        }
        let range = source.visible(range);
        let shown = match range.cut {
            range::Cut::KeyFrame => source.shown(),
            range::Cut::Exact => Some((range.from_unix_ms, range.to_unix_ms)),
        };
        let mut copy = Copy::new(self, clip, key, shown);
        let copied = source.read(range).try_for_each(|item| copy.take(item, go_on));
        let copied = copied.and_then(|()| copy.begin(go_on));
        match copied.and_then(|()| copy.finish()) {
            Ok(id) => Ok(id),
            Err(error) => {
                copy.remove();
                Err(error)
            }
        }
    }
}

/// A clip on its way.
struct Copy<'a> {
    archive: &'a Archive,
    clip: &'a Clip,
    key: Key,
    /// What is to be seen of it, if not all: from when to before when, in ms since 1970.
    shown: Option<(i64, i64)>,
    id: RecordingId,
    /// What a decoder needs before the file; then the newest configuration of each track, also where
    /// its sequence has ended, for a publisher that comes back goes on with it.
    header: Header,
    /// Packets before the file, which tell what is in it.
    held: Vec<Timed>,
    held_bytes: usize,
    open: Option<Open>,
    gaps: Vec<range::Gap>,
}

struct Open {
    segment: Segment,
    start: Zoned,
    start_unix_ms: i64,
    origin_ms: i64,
    /// The newest times, of each track.
    newest: BTreeMap<(Kind, u8), u64>,
    ledger: Ledger,
    flushed: u64,
}

impl<'a> Copy<'a> {
    fn new(archive: &'a Archive, clip: &'a Clip, key: Key, shown: Option<(i64, i64)>) -> Self {
        let id = archive.new_id(&key);
        let (header, held, held_bytes, open, gaps) = Default::default();
        Self { archive, clip, key, shown, id, header, held, held_bytes, open, gaps }
    }

    fn take(&mut self, item: Item, go_on: &mut dyn FnMut() -> bool) -> Result<(), ClipError> {
        match item {
            Item::Header(header) => self.header = header,
            Item::Gap(gap) => match &gap.cause {
                Cause::Recording(_) => self.gaps.push(gap),
                Cause::Clock => {}
                cause => return Err(range::Error::Lost { cause: cause.clone() }.into()),
            },
            Item::Packet(timed) if self.open.is_some() => self.write(&timed, go_on)?,
            Item::Packet(timed) if self.held.is_empty() && !timed.packet.is_media() => {
                self.header.push(&timed.packet);
            }
            Item::Packet(timed) => {
                self.held_bytes += timed.packet.body.len();
                self.held.push(timed);
                let is_told = match self.clip.plan.format {
                    Format::Flv => true,
                    Format::Mp4 => {
                        self.held.len() >= Movie::LOOK_MAX || self.held_bytes >= HELD_BYTES
                    }
                };
                if is_told {
                    self.begin(go_on)?;
                }
            }
        }
        Ok(())
    }

    /// Begins the file with what is held, unless that was done.
    fn begin(&mut self, go_on: &mut dyn FnMut() -> bool) -> Result<(), ClipError> {
        let held = std::mem::take(&mut self.held);
        if let Some(first) = held.first() {
            self.open = Some(self.create(first, &held)?);
            // The head of the file names these tracks too.
            for Timed { packet, .. } in &held {
                if packet.role == Role::Config && !self.header.differs(packet) {
                    self.header.push(packet);
                }
            }
        }
        held.iter().try_for_each(|timed| self.write(timed, go_on))
    }

    fn create(&self, first: &Timed, held: &[Timed]) -> Result<Open, ClipError> {
        let (shared, plan) = (self.archive.shared(), &self.clip.plan);
        if !shared.gate.enter(&plan.dir).is_open() {
            return Err(ClipError::Space);
        }
        let zone = shared.clock.now().time_zone().clone();
        let start = Timestamp::from_millisecond(first.unix_ms).unwrap_or_default().to_zoned(zone);
        let about = About {
            recording: self.id,
            stream_key: self.key.as_str().to_owned(),
            segment: 1,
            start_time: rfc3339(&start),
            start_ms: 0,
            cut: Cut::Start,
            gap_before: None,
            first_packet: 0,
            chain_before: None,
            server: shared.config.server.clone(),
            recorder: self.clip.plan.recorder.clone(),
            name: self.clip.name.clone(),
            request_key: None,
            is_clip: true,
            tracks: Tracks::All,
            labels: self.clip.labels.clone(),
        };
        let name = plan.template.name(&Facts {
            stream_key: &about.stream_key,
            format: plan.format,
            start: &start,
            end: None,
            sequence: 1,
            recording: &about.recording.to_string(),
            recording_name: about.name.as_deref().unwrap_or_default(),
            recorder: &about.recorder,
        });
        let form = match plan.format {
            Format::Flv => Form::Flv,
            Format::Mp4 => {
                let mut movie = Movie::of(&self.header, held.iter().map(|timed| &timed.packet));
                movie.set_start(u64::try_from(first.unix_ms).ok());
                if let Some((from, to)) = self.shown {
                    let [from, to] =
                        [from, to].map(|ms| ms.saturating_sub(first.unix_ms).max(0).unsigned_abs());
                    movie.set_shown(from..to);
                }
                Form::Mp4(Box::new(movie))
            }
        };
        let made = shared.disk.create_dir_all(&plan.dir);
        // A file that could not be removed either is mended at the next start.
        let create = || Segment::create(&*shared.disk, &plan.dir, &name, about, form, &self.header);
        let made = made.and_then(|()| create().map_err(|not_created| not_created.error));
        let failed = |error| range::Error::Output { path: plan.dir.clone(), reason: words(&error) };
        let segment = made.map_err(failed)?;
        let repeated_packets = segment.repeated_packets();
        Ok(Open {
            flushed: segment.position(),
            segment,
            start,
            start_unix_ms: first.unix_ms,
            origin_ms: first.packet.dts_ms,
            newest: BTreeMap::new(),
            ledger: Ledger { repeated_packets, ..Ledger::default() },
        })
    }

    fn write(&mut self, timed: &Timed, go_on: &mut dyn FnMut() -> bool) -> Result<(), ClipError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let packet = &timed.packet;
        if packet.role == Role::Config {
            let is_other = self.header.differs(packet);
            // A track that the head of an MP4 file does not name has no place in it.
            let is_late = self.header.push(packet) && self.clip.plan.format == Format::Mp4;
            if is_other || is_late {
                return Err(ClipError::Changes { unix_ms: timed.unix_ms });
            }
        }
        let since_ms = packet.dts_ms.saturating_sub(open.origin_ms);
        let mut time_ms = u64::try_from(since_ms).unwrap_or(0);
        if packet.is_media() {
            let newest = open.newest.entry((packet.kind, packet.track)).or_default();
            time_ms = time_ms.max(*newest);
            *newest = time_ms;
        }
        if open.segment.is_full() {
            let limit = usize::try_from(SAMPLES_MAX).unwrap_or(usize::MAX);
            return Err(range::Error::TooManySamples { limit }.into());
        }
        let too_long = |_| range::Error::TooLong { duration_ms: time_ms };
        open.segment.push(packet, time_ms).map_err(too_long)?;
        open.ledger.written += amount(packet);
        // Of MP4 what is not put out is counted about.
        if open.segment.position().saturating_sub(open.flushed) < BLOCK_BYTES {
            return Ok(());
        }
        open.flushed = open.segment.position();
        let flushed = open.segment.flush();
        let path = open.segment.path().to_owned();
        flushed.map_err(|error| range::Error::Output { path, reason: words(&error) })?;
        if go_on() { Ok(()) } else { Err(range::Error::Stopped.into()) }
    }

    /// Ends the file and tells the catalog.
    fn finish(&mut self) -> Result<RecordingId, ClipError> {
        let Some(mut open) = self.open.take() else { return Err(range::Error::Nothing.into()) };
        let shared = self.archive.shared();
        for gap in &self.gaps {
            let Cause::Recording(reason) = gap.cause else { continue };
            let since = |ms: i64| u64::try_from(ms.saturating_sub(open.start_unix_ms)).unwrap_or(0);
            let (at_ms, end_ms) = (since(gap.from_unix_ms), since(gap.to_unix_ms));
            let length_ms = end_ms.saturating_sub(at_ms);
            open.ledger.add_gap(Gap { at_ms, length_ms, reason, dropped: gap.dropped });
            open.ledger.dropped += gap.dropped;
        }
        open.ledger.received = open.ledger.written + open.ledger.dropped;
        let length_ms = open.segment.duration_ms();
        let length = jiff::SignedDuration::from_millis(i64::try_from(length_ms).unwrap_or(0));
        let end_time = open.start.checked_add(length).unwrap_or_else(|_| open.start.clone());
        let end_time = rfc3339(&end_time);
        let checksum_files = self.clip.plan.checksum_files;
        let end = End { length_ms, end_time: end_time.clone(), final_name: None, checksum_files };
        let Open { segment, ledger, start, .. } = open;
        let (path, finished) = segment.finish(&*shared.disk, &ledger, &end);
        let finished = finished.map_err(|error| {
            // It is not said to be complete.
            let _ = shared.disk.remove(&path);
            range::Error::Output { path, reason: words(&error) }
        })?;
        shared.events.send(Event::Started(Started {
            id: self.id,
            key: self.key.clone(),
            recorder: self.clip.plan.recorder.clone(),
            name: self.clip.name.clone(),
            labels: self.clip.labels.clone(),
            request_key: None,
            is_clip: true,
            tracks: Tracks::All,
            start_time: rfc3339(&start),
        }));
        let ledger = finished.ledger.clone();
        shared.events.send(Event::Finished(finished));
        let (id, reason) = (self.id, Reason::Ended);
        let completed = Completed { id, reason, segments: 1, length_ms, ledger, end_time };
        shared.events.send(Event::Completed(completed));
        Ok(id)
    }

    /// Removes what there is of a clip that failed.
    fn remove(&mut self) {
        if let Some(open) = self.open.take() {
            let path = open.segment.path().to_owned();
            drop(open);
            let _ = self.archive.shared().disk.remove(&path);
        }
    }
}

fn amount(packet: &Packet) -> Amount {
    Amount { packets: 1, bytes: packet.body.len() as u64 }
}
