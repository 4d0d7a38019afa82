//! Packets in, parts of segments out.
//!
//! A segment begins at a key frame of the leading track and is some seconds long; a part of it has whole frames and
//! is at most [`Options::part_ms`] long, a rule that costs one frame of delay: how long a frame lasts is told by the
//! next one. What is not video is cut by time.
//!
//! A group of pictures that is longer than a segment may be is cut in its middle: playlists must keep their target
//! duration, and who joins then waits for the next key frame. The target duration comes from the distance of key
//! frames, as the caller knows it, or as the first segment shows it, and stays.
//!
//! A discontinuity is before what does not go on where the last segment ended: another run of the stream, packets
//! that were lost, another configuration, a new clock of the encoder, a pause longer than a segment.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::lane::Lane;
use super::lanes::Lanes;
use super::{LeftOut, Trace, Tracer, TrackName};
use crate::mp4::{self, Cut, Fragmenter, Movie, Track};
use crate::time::Rebase;
use crate::{Chunks, Header, Kind, Packet, Role};

/// How long segments and parts are, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// No part is longer, unless one frame is.
    pub part_ms: u64,
    /// A segment is at least about so long.
    pub segment_ms: u64,
    /// And at most so long.
    pub longest_ms: u64,
    /// The longest distance of key frames that is known of the stream.
    pub key_interval_ms: Option<u64>,
    /// What has not come by now does not come: the stream is not new.
    pub is_settled: bool,
    /// When the first segment begins: what is older has room before it.
    pub start_ms: u64,
    /// Whether each track of a stream that has several of a kind becomes segments of its own, beside those of the first.
    pub has_renditions: bool,
}

impl Default for Options {
    fn default() -> Self {
        let (part_ms, segment_ms, longest_ms) = (500, 2_000, 10_000);
        Self {
            part_ms,
            segment_ms,
            longest_ms,
            key_interval_ms: None,
            is_settled: false,
            start_ms: 0,
            has_renditions: false,
        }
    }
}

/// What a player needs before segments.
#[derive(Debug, PartialEq)]
pub struct Init {
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
    /// What is in it.
    pub movie: Movie,
}

/// What begins with a part.
#[derive(Debug, Clone)]
pub struct Begin {
    /// The initialization of the segment.
    pub init: Arc<Init>,
    /// Whether it does not go on where the one before it ended.
    pub is_discontinuous: bool,
    /// When it began by the clock on the wall, in ms since 1970.
    pub unix_ms: i64,
}

/// A part.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its times.
    pub part: mp4::Part,
    /// Its bytes, payloads shared.
    pub bytes: Vec<Bytes>,
    /// A segment begins with it.
    pub begins: Option<Begin>,
    /// A segment ends with it.
    pub is_last: bool,
    /// What the segment that ends was made of.
    pub trace: Option<Trace>,
}

impl Piece {
    /// A segment of a track that sent nothing.
    pub(super) fn gap(begins: Begin, start_ms: u64, end_ms: u64) -> Self {
        let part = mp4::Part {
            sequence: 0,
            start_ms,
            end_ms: end_ms.max(start_ms + 1),
            is_independent: false,
            has_key: false,
            samples: 0,
            size_bytes: 0,
        };
        Self { part, bytes: Vec::new(), begins: Some(begins), is_last: true, trace: None }
    }

    /// Whether it is one.
    pub(super) fn is_gap(&self) -> bool {
        self.part.samples == 0
    }
}

/// What segments of one stream are made by, over all of its runs.
#[derive(Debug)]
pub struct Segmenter {
    options: Options,
    header: Header,
    /// Until it is known what there is, with the time on the wall.
    waiting: Vec<(Packet, i64)>,
    open: Option<Open>,
    /// Number of the next part.
    sequence: u32,
    /// Longest distance of key frames.
    key_interval_ms: u64,
    target_s: Option<u64>,
    /// Whether there was a segment.
    has_begun: bool,
    pieces: VecDeque<Piece>,
    /// The newest frames of audio and of video that tell a codec without a configuration.
    newest: [Option<Packet>; 2],
    /// All tracks apart, where there are several of a kind.
    lanes: Lanes,
}

/// How much older (ms) than its usual length a segment may end, so that jitter makes none twice as long; and how far apart
/// the key frames of tracks may be that are about the same moment.
pub const JITTER_MS: u64 = 100;
/// Without a frame of the leading track for so long (ms) others decide where parts end.
pub(super) const SILENCE_MS: u64 = 1_000;
/// A kind of media that has not come in this time (ms) is not there.
const WAIT_MS: i64 = 1_000;
/// Packets that wait for it.
const WAIT_PACKETS: usize = 512;

/// Segments of one initialization.
#[derive(Debug)]
struct Open {
    fragmenter: Fragmenter,
    init: Arc<Init>,
    lead: (Kind, u8),
    clock: Rebase,
    /// When time 0 is, in ms since 1970.
    wall_ms: i64,
    /// The segment that begins with the part that is being filled.
    begins: Option<Begin>,
    /// Nothing has come since it was begun anew.
    is_fresh: bool,
    segment_ms: u64,
    part_ms: u64,
    newest_ms: u64,
    /// The newest frame of the leading track, and how long the one before it lasted.
    lead_ms: u64,
    step_ms: u64,
    /// A frame of the leading track whose length is not known yet, and what came since, with their times.
    held: Vec<(Packet, u64)>,
    key_ms: Option<u64>,
    /// For each part that was cut and is not out: what begins with it, whether it is the last, and of what.
    marks: VecDeque<(Option<Begin>, bool, Option<Trace>)>,
    /// Of the segment that is being made.
    tracer: Tracer,
}

impl Segmenter {
    /// Nothing yet.
    pub fn new(options: Options) -> Self {
        let (header, waiting, open, sequence, pieces, newest) = Default::default();
        let key_interval_ms = options.key_interval_ms.unwrap_or(0);
        let (target_s, has_begun) = (None, false);
        Self {
            options,
            header,
            waiting,
            open,
            sequence,
            key_interval_ms,
            target_s,
            has_begun,
            pieces,
            newest,
            lanes: Lanes::default(),
        }
    }

    /// A run begins with this header, or goes on after a loss.
    pub fn begin(&mut self, header: &Header) {
        self.finish();
        self.header = header.clone();
        self.newest = [None, None];
    }

    /// The next packet, which came at `unix_ms` by the clock on the wall.
    pub fn push(&mut self, packet: &Packet, unix_ms: i64) {
        if self.open.is_some() {
            return self.take(packet, unix_ms);
        }
        self.header.push(packet);
        self.waiting.push((packet.clone(), unix_ms));
        let media = || self.waiting.iter().filter(|(packet, _)| packet.is_media());
        let first_ms = media().next().map_or(packet.dts_ms, |(first, _)| first.dts_ms);
        let waited_ms = if packet.is_media() { packet.dts_ms.saturating_sub(first_ms) } else { 0 };
        if waited_ms >= WAIT_MS || self.waiting.len() >= WAIT_PACKETS {
            self.start();
        }
    }

    /// No more is there at once.
    pub fn flush(&mut self) {
        if self.open.is_some() || !self.waiting.iter().any(|(packet, _)| packet.is_media()) {
            return;
        }
        let has = |kind| {
            let config = self.header.config(kind).is_some();
            config || self.waiting.iter().any(|(packet, _)| packet.kind == kind)
        };
        // Two pictures tell how long one lasts.
        let is_picture =
            |(packet, _): &&(Packet, i64)| packet.kind == Kind::Video && packet.is_media();
        let pictures = self.waiting.iter().filter(is_picture).count();
        let is_known = self.options.is_settled || has(Kind::Audio) && has(Kind::Video);
        if is_known && (pictures >= 2 || !has(Kind::Video)) {
            self.start();
        }
    }

    /// The run is over: the last segment ends.
    pub fn finish(&mut self) {
        if self.open.is_none() {
            self.start();
        }
        self.waiting.clear();
        if let Some(mut open) = self.open.take() {
            self.end(&mut open);
            self.lanes.finish();
        }
    }

    /// The next part that is ready.
    pub fn poll(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// Whether there is a part of anything.
    pub fn is_ready(&self) -> bool {
        !self.pieces.is_empty() || self.lanes.iter().any(Lane::is_ready)
    }

    /// The tracks that have segments of their own, each with the number of its first segment and of the discontinuities
    /// before it.
    pub fn renditions(&self) -> impl Iterator<Item = (TrackName, (u64, u64))> {
        self.lanes.iter().map(|lane| (lane.name, lane.first))
    }

    /// The next part of one of them that is ready.
    pub fn poll_rendition(&mut self) -> Option<(TrackName, Piece)> {
        self.lanes.poll()
    }

    /// The tracks that are in no segment: each is told once.
    pub fn take_left_out(&mut self) -> Vec<LeftOut> {
        self.lanes.take_left_out()
    }

    /// No segment is longer, rounded to whole seconds. Known when the first one has ended, at the latest.
    pub fn target_s(&self) -> Option<u64> {
        self.target_s
    }

    /// No part is longer, in ms.
    pub fn part_target_ms(&self) -> u64 {
        self.options.part_ms
    }

    /// Begins segments with what waits, if anything can be in them.
    fn start(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let media = || waiting.iter().filter(|(packet, _)| packet.is_media());
        let Some(origin_ms) = media().map(|(packet, _)| packet.dts_ms).min() else { return };
        let all = Movie::of(&self.header, waiting.iter().map(|(packet, _)| packet));
        let movie = first_tracks(&all);
        let Some(lead) = movie.leading().map(|track| (track.kind, track.id)) else { return };
        let first = media().next();
        let origin_ms = origin_ms.saturating_sub_unsigned(self.options.start_ms);
        let wall_ms = first.map_or(0, |(packet, unix_ms)| unix_ms - (packet.dts_ms - origin_ms));
        if self.options.has_renditions {
            self.lanes.open(all, self.options.start_ms, wall_ms);
        }
        let is_discontinuous = std::mem::replace(&mut self.has_begun, true);
        if !is_discontinuous {
            self.promise_lengths(lead, &waiting);
        }
        let clock = Rebase::from_ms(origin_ms);
        let open = Open::new(movie, lead, clock, wall_ms, is_discontinuous);
        self.open = Some(Open { lead_ms: self.options.start_ms, ..open });
        for (packet, unix_ms) in waiting {
            self.take(&packet, unix_ms);
        }
    }

    /// Chooses what is promised of lengths: for few pictures a second a part of several does not
    /// do, and key frames that are known say how long segments come to be.
    fn promise_lengths(&mut self, lead: (Kind, u8), waiting: &[(Packet, i64)]) {
        let step_ms = |track: (Kind, u8)| {
            let media = waiting.iter().map(|(packet, _)| packet).filter(|packet| packet.is_media());
            let times = media.filter(|packet| (packet.kind, packet.track) == track);
            let times: Vec<_> = times.map(|packet| packet.dts_ms).collect();
            let steps = times.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?));
            steps.max().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
        };
        // Parts of all renditions are filled.
        let others = self.lanes.iter().map(|lane| (lane.name.kind, lane.name.id));
        let frame_ms = others.chain([lead]).map(step_ms).max().unwrap_or(0).max(1);
        // Whole ms make one frame a ms longer than another.
        let frame_ms = frame_ms + 1;
        if frame_ms <= self.options.segment_ms {
            let frames = (self.options.part_ms / frame_ms).max(1);
            // Few long frames fill a part badly: 85 % is the least.
            if frames * frame_ms * 100 < self.options.part_ms * 85 || frames == 1 {
                self.options.part_ms = frames * frame_ms;
            }
        }
        let Options { segment_ms, longest_ms, .. } = self.options;
        if lead.0 != Kind::Video {
            self.target_s = Some(segment_ms.div_ceil(1_000));
        } else if self.key_interval_ms > 0 {
            let groups = segment_ms.saturating_sub(JITTER_MS).div_ceil(self.key_interval_ms).max(1);
            let expected_ms = (groups * self.key_interval_ms).min(longest_ms);
            self.target_s = Some(target_s(expected_ms));
        }
    }

    fn take(&mut self, packet: &Packet, unix_ms: i64) {
        let Some(mut open) = self.open.take() else { return };
        self.header.push(packet);
        self.note(packet);
        let is_changed = open.init.movie.is_changed_by(packet);
        if is_changed || self.lanes.is_changed_by(packet) {
            let newest: Vec<Packet> = self.newest.iter().flatten().cloned().collect();
            let all = Movie::of(&self.header, newest.iter().chain([packet]));
            let movie = first_tracks(&all);
            let is_other = is_changed && movie.init_segment() != *open.init.bytes;
            if is_other {
                self.end(&mut open);
            }
            if self.options.has_renditions {
                self.lanes.change(all);
            }
            if is_other {
                let Some(lead) = movie.leading().map(|track| (track.kind, track.id)) else {
                    return self.lanes.finish();
                };
                let (clock, wall_ms) = (open.clock.clone(), open.wall_ms);
                open = Open::new(movie, lead, clock, wall_ms, true);
            } else if is_changed {
                // Something of a track that is left out.
                let movie = movie.going_on(&open.init.movie);
                open.init = Arc::new(Init { bytes: open.init.bytes.clone(), movie });
            }
        }
        if packet.is_media() {
            let placed = open.clock.place(packet);
            if placed.is_jump {
                self.interrupt(&mut open, placed.time_ms);
                open.wall_ms = unix_ms - i64::try_from(placed.time_ms).unwrap_or(0);
                self.lanes.set_wall(open.wall_ms);
            }
            if open.is_lead(packet, placed.time_ms) {
                self.settle(&mut open, placed.time_ms);
            }
            self.lanes.push(packet, placed.time_ms);
            open.held.push((packet.clone(), placed.time_ms));
        }
        self.open = Some(open);
    }

    /// Keeps what tells of a codec that has no configuration.
    fn note(&mut self, packet: &Packet) {
        let [audio, video] = &mut self.newest;
        let newest = match (packet.kind, packet.role) {
            (Kind::Audio, Role::Frame) => audio,
            (Kind::Video, Role::Key) => video,
            _ => return,
        };
        *newest = self.header.config(packet.kind).is_none().then(|| packet.clone());
    }

    /// The frame that is held lasts until `end_ms`: decides what begins with it, and lets it go.
    fn settle(&mut self, open: &mut Open, end_ms: u64) {
        let Some((held, held_ms)) = open.held.first() else { return };
        let (is_key, held_ms) = (held.role == Role::Key, *held_ms);
        let Options { part_ms, segment_ms, longest_ms, .. } = self.options;
        if is_key && open.is_of_lead(held) {
            let step_ms = open.key_ms.map_or(0, |key_ms| held_ms.saturating_sub(key_ms));
            self.key_interval_ms = self.key_interval_ms.max(step_ms.min(longest_ms));
            open.key_ms = Some(held_ms);
        }
        let limit_ms = self.target_s.map_or(longest_ms, |target_s| target_s * 1_000 + 499);
        let pause_ms = self.target_s.map_or(segment_ms, |target_s| target_s * 1_000);
        if end_ms.saturating_sub(held_ms) > pause_ms {
            return self.interrupt(open, end_ms);
        }
        open.step_ms = end_ms.saturating_sub(held_ms);
        if open.fragmenter.has_open() || !open.is_fresh && self.lanes.has_content() {
            let elapsed_ms = held_ms.saturating_sub(open.segment_ms);
            let until_ms = end_ms.saturating_sub(open.segment_ms);
            let is_due = match open.lead.0 {
                Kind::Video => {
                    let is_long = elapsed_ms + JITTER_MS >= segment_ms
                        || elapsed_ms + self.key_interval_ms > limit_ms;
                    is_key && is_long || until_ms > limit_ms
                }
                _ => until_ms > segment_ms,
            };
            if is_due {
                self.promise(elapsed_ms);
                self.cut(open, true);
                // Where there was nothing, what was to begin has not.
                let waits = open.begins.take().is_some_and(|begin| begin.is_discontinuous);
                open.begins = Some(open.begin(held_ms, waits));
                (open.segment_ms, open.part_ms) = (held_ms, held_ms);
                self.lanes.mark(held_ms);
            } else if end_ms.saturating_sub(open.part_ms) > part_ms {
                self.cut(open, false);
                open.part_ms = held_ms;
            }
        }
        self.push_held(open);
        self.lanes.set_limits(part_ms, self.target_s.map_or(limit_ms, |s| s * 1_000 + 499));
        self.lanes.advance(end_ms);
    }

    /// The first segment is so long: those to come are like it, if nothing else was known.
    fn promise(&mut self, elapsed_ms: u64) {
        let Options { segment_ms, longest_ms, .. } = self.options;
        let longest_ms = elapsed_ms.max(self.key_interval_ms).max(segment_ms).min(longest_ms);
        self.target_s.get_or_insert(target_s(longest_ms));
    }

    /// Lets go of what is held.
    fn push_held(&mut self, open: &mut Open) {
        for (packet, time_ms) in std::mem::take(&mut open.held) {
            if !open.fragmenter.has_open() && open.begins.is_some() {
                if std::mem::take(&mut open.is_fresh) || self.lanes.is_empty() {
                    (open.segment_ms, open.part_ms) = (time_ms, time_ms);
                }
                open.begins = open
                    .begins
                    .take()
                    .map(|begin| Begin { unix_ms: open.unix_ms(time_ms), ..begin });
            }
            open.newest_ms = open.newest_ms.max(time_ms);
            open.tracer.push(&open.init.movie, &packet, time_ms);
            if let Err(mp4::Error::PartFull) = open.fragmenter.push(&packet, time_ms) {
                self.cut(open, false);
                // It has room for any packet now.
                let _ = open.fragmenter.push(&packet, time_ms);
            }
        }
        self.drain(open);
    }

    /// What comes at `time_ms` does not go on where this ends.
    fn interrupt(&mut self, open: &mut Open, time_ms: u64) {
        self.end(open);
        open.begins = Some(open.begin(time_ms, true));
        (open.key_ms, open.is_fresh) = (None, true);
        self.lanes.interrupt(time_ms);
    }

    /// The segment ends here, with all that came.
    fn end(&mut self, open: &mut Open) {
        if let Some((_, held_ms)) = open.held.first() {
            // The last frame is taken to last as long as the one before.
            let end_ms = held_ms.saturating_add(open.step_ms);
            self.settle(open, end_ms);
        }
        if open.fragmenter.has_open() {
            self.promise(open.newest_ms.saturating_sub(open.segment_ms));
        }
        self.cut(open, true);
        open.fragmenter.finish();
        self.drain(open);
    }

    fn cut(&mut self, open: &mut Open, is_last: bool) {
        let begins = open.begins.take();
        let cut = Cut {
            sequence: self.sequence,
            styp: begins.is_some(),
            prft_unix_ms: u64::try_from(open.unix_ms(open.part_ms)).ok(),
        };
        let trace = is_last.then(|| std::mem::take(&mut open.tracer)).and_then(|all| all.trace());
        if open.fragmenter.cut(cut) {
            self.sequence = self.sequence.wrapping_add(1);
            open.marks.push_back((begins, is_last, trace));
        } else {
            open.begins = begins;
            // What ends has nothing more: it ended with the part before.
            if let (true, Some(mark)) = (is_last, open.marks.back_mut()) {
                (mark.1, mark.2) = (true, mark.2.or(trace));
            }
        }
    }

    fn drain(&mut self, open: &mut Open) {
        let mut out = Chunks::new();
        while let Some(part) = open.fragmenter.poll(&mut out) {
            let (begins, is_last, trace) = open.marks.pop_front().unwrap_or_default();
            let bytes = out.take().collect();
            self.pieces.push_back(Piece { part, bytes, begins, is_last, trace });
        }
    }
}

impl Open {
    fn new(
        movie: Movie,
        lead: (Kind, u8),
        clock: Rebase,
        wall_ms: i64,
        is_discontinuous: bool,
    ) -> Self {
        let init = Arc::new(Init { bytes: movie.init_segment().into(), movie: movie.clone() });
        let begins = Begin { init: init.clone(), is_discontinuous, unix_ms: wall_ms };
        Self {
            fragmenter: Fragmenter::new(movie),
            init,
            lead,
            clock,
            wall_ms,
            begins: Some(begins),
            is_fresh: true,
            segment_ms: 0,
            part_ms: 0,
            newest_ms: 0,
            lead_ms: 0,
            step_ms: 0,
            held: Vec::new(),
            key_ms: None,
            marks: VecDeque::new(),
            tracer: Tracer::default(),
        }
    }

    fn is_of_lead(&self, packet: &Packet) -> bool {
        packet.kind == self.lead.0 && packet.has_track(self.lead.1)
    }

    /// Whether parts may end before a packet: one of the leading track, or of another while that is silent.
    fn is_lead(&mut self, packet: &Packet, time_ms: u64) -> bool {
        let is_of_lead = self.is_of_lead(packet);
        if is_of_lead {
            self.lead_ms = time_ms;
        }
        is_of_lead || self.held.is_empty() || time_ms > self.lead_ms + SILENCE_MS
    }

    fn begin(&self, time_ms: u64, is_discontinuous: bool) -> Begin {
        Begin { init: self.init.clone(), is_discontinuous, unix_ms: self.unix_ms(time_ms) }
    }

    fn unix_ms(&self, time_ms: u64) -> i64 {
        self.wall_ms.saturating_add(i64::try_from(time_ms).unwrap_or(i64::MAX))
    }
}

/// The first track of video and the first of audio: what every player understands.
fn first_tracks(all: &Movie) -> Movie {
    let first = |kind| all.tracks().iter().find(|track| track.kind == kind);
    let first = [Kind::Video, Kind::Audio].map(|kind| first(kind).map(Track::mp4_id));
    all.select(|track| first.contains(&Some(track.mp4_id())))
}

/// The target duration of segments of such a length: a little jitter makes it no longer.
fn target_s(segment_ms: u64) -> u64 {
    segment_ms.saturating_sub(JITTER_MS).div_ceil(1_000).max(1)
}

#[cfg(test)]
mod tests;
