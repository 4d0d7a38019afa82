//! All tracks of a stream that has several of a kind, a lane each.
//!
//! What is a discontinuity of one is one of all, at the same place of the stream: only then does their number mean the
//! same in every playlist (RFC 8216bis 6.2.4). A track that comes later has a lane from then on; one that ends keeps its.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::Piece;
use super::lane::{Lane, Limits};
use crate::mp4::{Movie, Refusal, Refused, Track};
use crate::{Kind, Packet};

/// Tracks of pictures, and of sound, that are renditions. Encoders send six at most, and each playlist tells of all of the
/// others, so that their lengths grow with the square.
pub const LANES_MAX: usize = 8;

/// A track by the name that addresses have: `video-0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackName {
    /// Audio or video.
    pub kind: Kind,
    /// The E-RTMP track id.
    pub id: u8,
}

impl From<&Track> for TrackName {
    fn from(track: &Track) -> Self {
        Self { kind: track.kind, id: track.id }
    }
}

impl From<&Refused> for TrackName {
    fn from(refused: &Refused) -> Self {
        Self { kind: refused.kind, id: refused.id }
    }
}

impl Display for TrackName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.name(), self.id)
    }
}

impl FromStr for TrackName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, id) = text.split_once('-').ok_or(())?;
        let kinds = [Kind::Video, Kind::Audio];
        let kind = kinds.into_iter().find(|known| known.name() == kind).ok_or(())?;
        let name = Self { kind, id: id.parse().map_err(|_| ())? };
        // One name each.
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

/// A track that is in no segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which one.
    pub track: TrackName,
    /// Why.
    pub reason: String,
}

impl LeftOut {
    /// One beyond [`LANES_MAX`].
    pub fn beyond(track: TrackName) -> Self {
        let kind = if track.kind == Kind::Video { "pictures" } else { "sound" };
        Self { track, reason: format!("more than {LANES_MAX} tracks of {kind}") }
    }
}

/// The lanes of a stream, over all of its runs. There is none while no kind has several tracks.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    list: Vec<Lane>,
    /// All that is known of the tracks.
    movie: Movie,
    limits: Limits,
    /// Segments that have begun, and how many of them are discontinuous.
    segments: u64,
    discontinuities: u64,
    /// When the newest of them began, and the time on the wall of time 0.
    begun_ms: u64,
    wall_ms: i64,
    newest_ms: u64,
    /// Whether anything has come since.
    has_content: bool,
    is_open: bool,
    /// Tracks that are left out, which is told once.
    told: Vec<TrackName>,
    untold: Vec<LeftOut>,
}

impl Lanes {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.list.iter()
    }

    /// Whether anything has come since the newest segment began.
    pub(super) fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether a packet says that a track is new or another.
    pub(super) fn is_changed_by(&self, packet: &Packet) -> bool {
        !self.is_empty() && self.movie.is_changed_by(packet)
    }

    /// A run begins, of these tracks, at `time_ms`.
    pub(super) fn open(&mut self, movie: Movie, time_ms: u64, wall_ms: i64) {
        let is_new = self.list.is_empty();
        (self.movie, self.is_open) = (Movie::default(), true);
        (self.begun_ms, self.newest_ms, self.wall_ms) = (time_ms, time_ms, wall_ms);
        self.has_content = false;
        self.adopt(movie, (self.segments, self.discontinuities));
        // What is made anew begins at another time.
        self.list.iter_mut().for_each(Lane::renew);
        self.begin(!is_new);
    }

    /// The tracks are these, which is another time of what goes on.
    pub(super) fn change(&mut self, movie: Movie) {
        let is_new = self.list.is_empty();
        let movie = movie.going_on(&self.movie);
        let of = |lane: &Lane| movie.select(|track| lane.name == track.into());
        let is_other = |lane: &Lane| {
            let of_lane = of(lane);
            !of_lane.is_empty() && lane.is_other(&of_lane)
        };
        if self.list.iter().any(is_other) {
            self.interrupt(self.newest_ms);
        }
        let first = match is_new {
            true => (0, 0),
            false => (self.segments.saturating_sub(1), self.discontinuities),
        };
        let before = self.list.len();
        self.adopt(movie, first);
        let (time_ms, wall_ms) = (self.newest_ms, self.wall_ms);
        for lane in self.list.iter_mut().skip(before) {
            lane.begin(time_ms, wall_ms, false);
        }
        if is_new && !self.list.is_empty() {
            (self.begun_ms, self.segments) = (time_ms, 1);
        }
    }

    /// How long parts and segments may be, in ms.
    pub(super) fn set_limits(&mut self, part_ms: u64, segment_ms: u64) {
        self.limits = Limits { part_ms, segment_ms };
    }

    /// When time 0 is by the clock on the wall.
    pub(super) fn set_wall(&mut self, wall_ms: i64) {
        self.wall_ms = wall_ms;
        self.list.iter_mut().for_each(|lane| lane.set_wall(wall_ms));
    }

    pub(super) fn push(&mut self, packet: &Packet, time_ms: u64) {
        self.newest_ms = self.newest_ms.max(time_ms);
        for lane in &mut self.list {
            self.has_content |= lane.push(packet, time_ms);
        }
    }

    /// A segment begins at this time.
    pub(super) fn mark(&mut self, time_ms: u64) {
        if time_ms > self.begun_ms && !self.is_empty() {
            (self.begun_ms, self.has_content) = (time_ms, false);
            self.segments += 1;
            self.list.iter_mut().for_each(|lane| lane.mark(time_ms));
        }
    }

    /// All segments that begin before `until_ms` are marked.
    pub(super) fn advance(&mut self, until_ms: u64) {
        let limits = self.limits;
        self.list.iter_mut().for_each(|lane| lane.advance(until_ms, limits));
    }

    /// What comes at `time_ms` does not go on where this ends.
    pub(super) fn interrupt(&mut self, time_ms: u64) {
        if self.is_empty() || !self.is_open {
            return;
        }
        self.newest_ms = self.newest_ms.max(time_ms);
        if self.list.iter().all(Lane::is_fresh) {
            // Nothing has come since the last time.
            let was_told = self.list.iter().any(Lane::is_discontinuous);
            self.discontinuities += u64::from(!was_told);
            self.begun_ms = time_ms;
            let wall_ms = self.wall_ms;
            self.list.iter_mut().for_each(|lane| lane.begin_instead(time_ms, wall_ms));
            return;
        }
        self.end(time_ms);
        self.begun_ms = time_ms;
        self.begin(true);
    }

    /// The run is over.
    pub(super) fn finish(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        if self.list.iter().all(Lane::is_fresh) {
            // What has begun is told by none.
            let was_discontinuous = self.list.iter().any(Lane::is_discontinuous);
            self.segments = self.segments.saturating_sub(1);
            self.discontinuities -= u64::from(was_discontinuous);
            self.list.iter_mut().for_each(Lane::forget);
        } else {
            self.end(self.newest_ms);
        }
    }

    /// The next piece that is ready, and whose it is.
    pub(super) fn poll(&mut self) -> Option<(TrackName, Piece)> {
        self.list.iter_mut().find_map(|lane| Some((lane.name, lane.poll()?)))
    }

    pub(super) fn take_left_out(&mut self) -> Vec<LeftOut> {
        std::mem::take(&mut self.untold)
    }

    fn end(&mut self, end_ms: u64) {
        let limits = self.limits;
        self.list.iter_mut().for_each(|lane| lane.end(end_ms, limits));
    }

    fn begin(&mut self, is_discontinuous: bool) {
        if self.is_empty() {
            return;
        }
        self.segments += 1;
        self.discontinuities += u64::from(is_discontinuous);
        self.has_content = false;
        let (time_ms, wall_ms) = (self.begun_ms, self.wall_ms);
        for lane in &mut self.list {
            lane.begin(time_ms, wall_ms, is_discontinuous);
        }
    }

    /// Makes lanes of tracks that have none, once there are several of a kind, and describes the others.
    fn adopt(&mut self, movie: Movie, first: (u64, u64)) {
        let count = |kind| movie.tracks().iter().filter(|track| track.kind == kind).count();
        let has_several = [Kind::Video, Kind::Audio].into_iter().any(|kind| count(kind) > 1);
        for refused in movie.refused() {
            // One that is without a configuration may get it yet.
            if !matches!(refused.reason, Refusal::NoConfig { .. }) {
                let track = TrackName::from(refused);
                self.leave_out(LeftOut { track, reason: refused.reason.to_string() });
            }
        }
        if has_several || !self.is_empty() {
            for name in movie.tracks().iter().map(TrackName::from) {
                let of_track = movie.select(|track| name == track.into());
                let known = self.list.iter().filter(|lane| lane.name.kind == name.kind).count();
                match self.list.iter_mut().find(|lane| lane.name == name) {
                    Some(lane) if lane.is_other(&of_track) => lane.describe(&of_track),
                    Some(_) => {}
                    None if known < LANES_MAX => self.list.push(Lane::new(name, of_track, first)),
                    None => self.leave_out(LeftOut::beyond(name)),
                }
            }
        }
        self.movie = movie;
    }

    fn leave_out(&mut self, left: LeftOut) {
        if !self.told.contains(&left.track) {
            self.told.push(left.track);
            self.untold.push(left);
        }
    }
}
