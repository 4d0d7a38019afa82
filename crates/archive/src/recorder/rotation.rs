//! When a segment ends, and why: decisions on packets and clocks, without a file.
//!
//! A cut is *due* from the moment that a rule asks for it, and made at the next *place*: a key frame
//! of the first video track; any coded audio while the stream has no video; after
//! [`Rotation::CAP_MS`] any coded packet. A changed configuration is *held* with what follows until
//! it is known whether it comes with such a place, so that both go into the same file. Where a file
//! has to know its tracks when it begins, the first packets of a run are held until there is audio
//! and video among them, and a frame of each track that was announced: it may be all that tells how
//! to decode it; or for as long as packets may be held.
//!
//! Invariant: packets leave in the order in which they came, held or not.

use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};
use media::codec::{VideoCodec, video_info};
use media::mp4::{self, Movie};
use media::time::Placed;
use media::{Header, Kind, Packet, Role, TrackSet, flv};

use super::tracks::Filter;
use crate::{Cut, config};

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes into the file, after what is held.
    Write,
    /// It is held.
    Hold,
    /// Another file begins with what is held and it.
    Cut(Cut),
}

/// Where a packet would come.
#[derive(Debug)]
pub(super) struct At<'a> {
    /// Its time in the file.
    pub(super) placed: Placed,
    /// Bytes of the file.
    pub(super) size_bytes: u64,
    /// Whether nothing coded is in the file yet.
    pub(super) empty: bool,
    pub(super) now: Instant,
    /// What a decoder knows before the packet, without what is held.
    pub(super) header: &'a Header,
    /// Whether the file has almost all that it can have.
    pub(super) is_full: bool,
    pub(super) needs: Needs<'a>,
}

/// What a file has to know of the stream when it begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Needs<'a> {
    /// Nothing, or it is known.
    Nothing,
    /// Its tracks, which are not known: no file is open.
    Tracks,
    /// It is open and can have these tracks alone.
    Only(&'a Movie),
}

/// A packet that is held, with its time in the file that is open.
pub(super) type Held = (Packet, Placed);

#[derive(Debug)]
pub(super) struct Rotation {
    rules: config::Rotation,
    duration_ms: Option<u64>,
    hold_ms: u64,
    video_track: Option<u8>,
    picture: Option<Picture>,
    /// Codec and flags of the newest legacy audio frame.
    sound: Option<u8>,
    due: Option<Due>,
    held: Vec<Held>,
    /// When the first coded packet of those came.
    held_at: Option<Instant>,
    /// The first frame of each track that is not in the file that is open, for it may be all that tells how to decode
    /// the track: the next file is to know.
    firsts: Vec<Packet>,
    budget: Budget,
    /// The next mark of the clock on the wall, or moment of the schedule.
    mark: Option<(Timestamp, Cut)>,
    /// When the marks were looked at last.
    looked: Timestamp,
    /// Whether there is too little free space.
    shut: bool,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    cut: Cut,
    /// On the clock of the file.
    since_ms: u64,
}

/// What a key frame says of itself; sizes are 0 where only a configuration tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Picture {
    codec: VideoCodec,
    width: u32,
    height: u32,
}

impl Rotation {
    /// A due cut that finds no place for so long is made at any coded packet.
    pub(super) const CAP_MS: u64 = 60_000;
    /// Most packets, and bytes of their bodies, that are held.
    const HELD_PACKETS: usize = 64;
    const HELD_BYTES: usize = 1 << 20;
    /// FLV times end at 2^32 ms, and metadata counts bytes as doubles: a cut is due ten minutes, or
    /// a tebibyte, before.
    const TIME_MS: u64 = u32::MAX as u64 - 600_000;
    const SIZE_BYTES: u64 = (1 << 53) - (1 << 40);

    /// Rules, and how long packets may be held: what a killed process would cost.
    pub(super) fn new(rules: config::Rotation, hold: Duration) -> Self {
        let hold_ms = ms(hold).min(1_000);
        let duration_ms = rules.duration.map(ms);
        let (budget, held, held_at, firsts) = Default::default();
        let (video_track, picture, sound, due, mark) = Default::default();
        let looked = Timestamp::MIN;
        let shut = false;
        Self {
            rules,
            duration_ms,
            hold_ms,
            video_track,
            picture,
            sound,
            due,
            held,
            held_at,
            firsts,
            budget,
            mark,
            looked,
            shut,
        }
    }

    /// Has other rules from now on. What an old one asked for and was not done yet is forgotten.
    pub(super) fn set_rules(&mut self, rules: config::Rotation, hold: Duration, now: &Zoned) {
        self.hold_ms = ms(hold).min(1_000);
        if self.rules == rules {
            return;
        }
        let is_by_rule = |cut| matches!(cut, Cut::Duration | Cut::Size | Cut::Mark | Cut::Schedule);
        self.due = self.due.filter(|due| !is_by_rule(due.cut));
        self.duration_ms = rules.duration.map(ms);
        self.rules = rules;
        self.mark = self.next_mark(now);
        self.looked = now.timestamp();
    }

    /// Decides about the next packet. One that is held stays here until [`Rotation::take_held`].
    pub(super) fn see(&mut self, packet: &Packet, at: &At<'_>) -> Step {
        let is_place = self.is_place(packet);
        if matches!(at.needs, Needs::Tracks) {
            self.changes(packet, is_place, at.header);
            if self.knows_tracks(packet, at) {
                return Step::Write;
            }
            self.hold(packet, at);
            return Step::Hold;
        }
        let is_other = matches!(at.needs, Needs::Only(movie)
            if movie.is_changed_by(packet) || movie.is_completed_by(packet));
        if is_other && packet.is_media() {
            self.remember(packet);
        }
        let changed = self.changes(packet, is_place, at.header) || is_other;
        if changed {
            self.want(Cut::Configuration, at.placed.time_ms);
        }
        if packet.is_media() {
            self.apply_rules(at);
        }
        let without_video = self.video_track.is_none();
        let decides = packet.is_media() && (packet.kind == Kind::Video || without_video);
        if (decides || packet.is_media() && self.is_overdue(at.placed.time_ms))
            && let Some(cut) = self.cut(is_place, at)
        {
            return Step::Cut(cut);
        }
        let begins =
            changed && packet.role == Role::Config && (packet.kind == Kind::Video || without_video);
        if !decides && (begins || !self.held.is_empty()) && self.has_room(packet, at) {
            self.hold(packet, at);
            return Step::Hold;
        }
        Step::Write
    }

    fn hold(&mut self, packet: &Packet, at: &At<'_>) {
        self.held.push((packet.clone(), at.placed));
        if packet.is_media() {
            self.held_at.get_or_insert(at.now);
        }
    }

    fn remember(&mut self, first: &Packet) {
        let is_known = |known: &Packet| (known.kind, known.track) == (first.kind, first.track);
        if self.firsts.len() < mp4::TRACKS_MAX && !self.firsts.iter().any(is_known) {
            self.firsts.push(first.clone());
        }
    }

    /// What tells which tracks a file has that begins with what is held and `packet`, beside its header.
    pub(super) fn telling<'a>(&'a self, packet: &'a Packet) -> impl Iterator<Item = &'a Packet> {
        self.held().chain([packet]).chain(&self.firsts)
    }

    /// Whether a file may begin with this packet.
    pub(super) fn is_place(&mut self, packet: &Packet) -> bool {
        if packet.kind == Kind::Video && packet.role != Role::Event {
            let track = media::first_video_track(&mut self.video_track, packet);
            return packet.role == Role::Key && track.is_some_and(|track| packet.has_track(track));
        }
        packet.is_media() && self.video_track.is_none()
    }

    /// Asks for a cut at the next place.
    pub(super) fn want(&mut self, cut: Cut, since_ms: u64) {
        // What may have to wait for the budget does not stand in the way of a rule.
        if self.due.is_none_or(|due| is_budgeted(due.cut) && !is_budgeted(cut)) {
            self.due = Some(Due { cut, since_ms });
        }
    }

    /// What is held, in order.
    pub(super) fn take_held(&mut self) -> Vec<Held> {
        self.held_at = None;
        std::mem::take(&mut self.held)
    }

    /// The same, to look at.
    pub(super) fn held(&self) -> impl Iterator<Item = &Packet> {
        self.held.iter().map(|(packet, _)| packet)
    }

    /// The newest of what is held.
    pub(super) fn pop_held(&mut self) -> Option<Held> {
        self.held.pop()
    }

    /// When the first coded packet of what is held came, or of what comes `now`.
    pub(super) fn first_at(&self, now: Instant) -> Instant {
        self.held_at.unwrap_or(now)
    }

    /// When the first coded packet of what is held and `packet` comes, on the clock of the file that
    /// is open.
    pub(super) fn first_ms(&self, placed: &Placed) -> u64 {
        let coded = self.held.iter().find(|(packet, _)| packet.is_media());
        coded.map_or(placed, |(_, placed)| placed).time_ms
    }

    /// Likewise, on the stream's own clock.
    pub(super) fn first_dts_ms(&self, packet: &Packet) -> i64 {
        let mut held = self.held.iter().map(|(packet, _)| packet);
        held.find(|packet| packet.is_media()).unwrap_or(packet).dts_ms
    }

    /// The header of a file that begins with what is held and `packet`: `header` without what they
    /// say anew, and without the configuration of a codec that is not used any more.
    pub(super) fn opening(&self, header: &Header, packet: &Packet) -> Header {
        let mut opening = Header::default();
        let mut header = header.clone();
        if packet.is_media() {
            header.push(packet);
        }
        let is_said_anew = |known: &Packet| {
            let tracks = known.tracks();
            let of_kind = self.held.iter().filter(|(held, _)| held.kind == known.kind);
            // Frames before the new configuration need the old one.
            let mut said = of_kind.filter_map(|(held, _)| {
                let is_needed = is_coded(held.role) && tracks.intersects(held.tracks());
                let is_anew = held.role == known.role && tracks.is_subset(held.tracks());
                (is_needed || is_anew).then_some(is_anew)
            });
            known.kind != Kind::Data && said.next() == Some(true)
        };
        for known in header.packets() {
            if !is_said_anew(known) {
                opening.push(known);
            }
        }
        opening
    }

    /// Another file has begun.
    pub(super) fn begin(&mut self, now: &Zoned) {
        self.due = None;
        self.firsts.clear();
        self.mark = self.next_mark(now);
        self.looked = now.timestamp();
    }

    /// Another run has begun, of which nothing is known.
    pub(super) fn begin_run(&mut self) {
        (self.video_track, self.picture, self.sound, self.due, self.firsts) = Default::default();
    }

    /// Other tracks of the run are recorded from now on. Returns what is held and is none of them.
    pub(super) fn begin_tracks(&mut self, filter: &Filter) -> Vec<Packet> {
        self.begin_run();
        self.video_track = filter.video_track();
        let left_out = self.held.extract_if(.., |(packet, _)| !filter.passes(packet));
        left_out.map(|(packet, _)| packet).collect()
    }

    pub(super) fn has_marks(&self) -> bool {
        self.rules.every.is_some() || self.rules.schedule.is_some()
    }

    /// Looks at the clock on the wall; `time_ms` is where the file is.
    pub(super) fn look(&mut self, now: &Zoned, time_ms: u64) {
        let at = now.timestamp();
        if at < self.looked {
            // The clock was set back.
            self.mark = self.next_mark(now);
        }
        self.looked = at;
        if let Some((mark, cut)) = self.mark
            && at >= mark
        {
            self.want(cut, time_ms);
            self.mark = self.next_mark(now);
        }
    }

    /// Says whether there is too little free space to go on after the next place.
    pub(super) fn set_shut(&mut self, shut: bool) {
        self.shut = shut;
    }

    fn next_mark(&self, now: &Zoned) -> Option<(Timestamp, Cut)> {
        let every = self.rules.every.as_ref().and_then(|every| every.next_after(now));
        let schedule = self.rules.schedule.as_ref().and_then(|cron| cron.next_after(now));
        let every = every.map(|mark| (mark.timestamp(), Cut::Mark));
        let schedule = schedule.map(|mark| (mark.timestamp(), Cut::Schedule));
        every.into_iter().chain(schedule).min_by_key(|(mark, _)| *mark)
    }

    fn apply_rules(&mut self, at: &At<'_>) {
        let time_ms = at.placed.time_ms;
        if self.duration_ms.is_some_and(|most| time_ms >= most) {
            self.want(Cut::Duration, time_ms);
        }
        if self.rules.size_bytes.is_some_and(|most| at.size_bytes >= most) {
            self.want(Cut::Size, time_ms);
        }
        if time_ms > Self::TIME_MS || at.size_bytes > Self::SIZE_BYTES || at.is_full {
            self.want(Cut::Format, time_ms);
        }
        if at.placed.is_jump {
            self.want(Cut::TimeJump, time_ms);
        }
    }

    /// The cut to be made before this coded packet, if any.
    fn cut(&mut self, is_place: bool, at: &At<'_>) -> Option<Cut> {
        let time_ms = at.placed.time_ms;
        if at.empty {
            // The file has only just begun, and begins with it.
            self.due = None;
            return None;
        }
        if time_ms > u64::from(u32::MAX) {
            return Some(Cut::Format);
        }
        if is_place && self.shut {
            return Some(Cut::Space);
        }
        let due = self.due?;
        let is_affordable = (is_place || self.is_overdue(time_ms))
            && (!is_budgeted(due.cut) || self.budget.take(at.now));
        is_affordable.then_some(due.cut)
    }

    fn is_overdue(&self, time_ms: u64) -> bool {
        let waited = self.due.map(|due| time_ms.saturating_sub(due.since_ms));
        waited.is_some_and(|ms| ms >= Self::CAP_MS) || time_ms > u64::from(u32::MAX)
    }

    fn has_room(&self, packet: &Packet, at: &At<'_>) -> bool {
        let since_ms = self.held.first().map_or(at.placed.time_ms, |(_, first)| first.time_ms);
        self.held.len() < Self::HELD_PACKETS
            && self.held_bytes() + packet.body.len() <= Self::HELD_BYTES
            && at.placed.time_ms.saturating_sub(since_ms) <= self.hold_ms
    }

    fn held_bytes(&self) -> usize {
        self.held().map(|packet| packet.body.len()).sum()
    }

    /// Whether a file can begin with what is held and this packet: there is audio and video among
    /// them, of each track that has a configuration, or no more can be held.
    fn knows_tracks(&self, packet: &Packet, at: &At<'_>) -> bool {
        let all = || self.held().chain([packet]);
        let tracks = |kind| -> TrackSet {
            let coded = all().filter(|known| known.kind == kind && known.is_media());
            coded.flat_map(|known| known.tracks().iter()).collect()
        };
        let [audio, video] = [Kind::Audio, Kind::Video].map(tracks);
        let is_coded = |config: &Packet| {
            let coded = if config.kind == Kind::Video { video } else { audio };
            config.tracks().is_subset(coded)
        };
        let mut configs = at.header.packets().iter().chain(all());
        let are_coded = configs.all(|known| known.role != Role::Config || is_coded(known));
        let first_ms = self.first_ms(&at.placed);
        !audio.is_empty() && !video.is_empty() && are_coded
            || self.held.len() >= Self::HELD_PACKETS
            || self.held_bytes() > Self::HELD_BYTES
            || at.placed.time_ms.saturating_sub(first_ms) > self.hold_ms
    }

    /// Whether something coded is held.
    pub(super) fn holds_media(&self) -> bool {
        self.held().any(Packet::is_media)
    }

    /// Whether the stream is another from this packet on: a decoder has to be set up anew.
    fn changes(&mut self, packet: &Packet, is_place: bool, header: &Header) -> bool {
        match (packet.kind, packet.role) {
            (Kind::Video | Kind::Audio, Role::Config) => differs(header, packet),
            (Kind::Video, Role::Key) if is_place => self.changes_picture(packet),
            (Kind::Audio, Role::Frame) => self.changes_sound(packet),
            _ => false,
        }
    }

    /// Codecs without a configuration say in their key frames what they are.
    fn changes_picture(&mut self, packet: &Packet) -> bool {
        let Some(codec) = flv::video::parse(&packet.body).map(|tag| tag.codec) else {
            return false;
        };
        let size = video_info(&packet.body).map(|info| (info.width, info.height));
        let (width, height) = size.unwrap_or_default();
        let picture = Picture { codec, width, height };
        let is_known = |p: &Picture| p.width > 0 && p.height > 0;
        self.picture.replace(picture).is_some_and(|before| {
            before.codec != codec || is_known(&before) && is_known(&picture) && before != picture
        })
    }

    /// Legacy audio says in each message what it is; that of AAC says nothing but that.
    fn changes_sound(&mut self, packet: &Packet) -> bool {
        const ENHANCED: u8 = 9;
        const AAC: u8 = 10;
        let Some(flags) = packet.body.first().copied().filter(|flags| flags >> 4 != ENHANCED)
        else {
            return false;
        };
        let flags = if flags >> 4 == AAC { AAC << 4 } else { flags };
        self.sound.replace(flags).is_some_and(|before| before != flags)
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a configuration is another than the one that is known of its track.
pub(super) fn differs(header: &Header, packet: &Packet) -> bool {
    header.differs(packet)
}

fn is_coded(role: Role) -> bool {
    matches!(role, Role::Key | Role::Frame)
}

/// Whether a publisher can have such cuts as often as it likes.
fn is_budgeted(cut: Cut) -> bool {
    matches!(cut, Cut::Configuration | Cut::TimeJump)
}

/// So many cuts a minute a publisher can have as it likes.
pub(crate) const CUTS: usize = 4;

/// [`CUTS`] a minute.
#[derive(Debug, Default)]
struct Budget {
    /// When the last ones were, the next to go first.
    spent: [Option<Instant>; CUTS],
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        const MINUTE: Duration = Duration::from_secs(60);
        let [oldest, ..] = &mut self.spent;
        if oldest.is_some_and(|spent| now.saturating_duration_since(spent) < MINUTE) {
            return false;
        }
        *oldest = Some(now);
        self.spent.rotate_left(1);
        true
    }
}

#[cfg(test)]
mod tests;
