//! The books of a recording: what came, where it went, and where on the recording's clock.
//!
//! Invariant: whatever was handed in is in exactly one of: written, dropped, or pending, which is
//! what a file got and the disk did not yet. What a failed file had pending was dropped.

use std::time::Instant;

use live::{Lost, Position};
use media::time::Placed;
use media::{Kind, Packet};

use crate::{Amount, Counters, Gap, GapReason, Ledger};

#[derive(Debug)]
pub(super) struct Books {
    /// All segments that are closed and the gaps between them, times on the recording's clock.
    past: Ledger,
    /// The open segment as far as it was flushed, times on its own clock.
    open: Ledger,
    /// What is missing before the open segment: kept until it is sure that there will be a segment.
    before: Option<(Missing, Gap)>,
    pending: Pending,
    /// Received, as the cursors of the runs that are over tell: from another source than all else.
    received: Amount,
    /// What the cursors told of that is not recorded.
    left_out: Amount,
    /// Where the open segment, or the last one, begins and ends on the recording's clock.
    start_ms: u64,
    end_ms: u64,
    /// Where the clock of files stands at 0 on the recording's clock.
    zero_ms: u64,
    /// What the last segment that is closed has.
    last_written: Amount,
    /// The books before the last segment, while its file may turn out to be nothing.
    doubted: Option<Doubted>,
    /// What is missing since `end_ms`.
    missing: Option<Missing>,
    segments: u32,
    /// Whether a packet was refused.
    refused: bool,
    /// Counted since [`Books::take_news`].
    news: Counters,
    told_ms: u64,
    /// When the newest packet came.
    pub(super) newest: Instant,
}

/// In the file and not flushed.
#[derive(Debug, Default)]
struct Pending {
    written: Amount,
    late_packets: u64,
    /// A gap in the file that the next packet ends.
    gap: Option<Gap>,
    /// The newest times in the file.
    audio_ms: Option<u64>,
    video_ms: Option<u64>,
}

/// A stretch without a file that goes on.
#[derive(Debug, Clone, Copy)]
struct Missing {
    since: Instant,
    reason: GapReason,
    dropped: Amount,
    /// Whether the stream's own clock cannot tell its length.
    by_clock: bool,
    /// How far it is known to reach on the recording's clock, by what was dropped in it.
    until_ms: u64,
}

/// What [`Books::close_in_doubt`] has closed.
#[derive(Debug)]
struct Doubted {
    past: Ledger,
    before: Option<(Missing, Gap)>,
    received: Amount,
}

/// What is left of a segment that the disk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Its file, with all that was flushed.
    File,
    /// Nothing: nothing was flushed, and the file is removed.
    Nothing,
    /// Nothing: somebody deleted the file while it was written.
    Deleted,
}

impl Books {
    pub(super) fn new(now: Instant) -> Self {
        let (past, open, before, pending, received, left_out, missing, news) = Default::default();
        let (last_written, doubted) = Default::default();
        let (start_ms, end_ms, zero_ms, told_ms, segments, refused) = Default::default();
        Self {
            past,
            open,
            before,
            pending,
            received,
            left_out,
            start_ms,
            end_ms,
            zero_ms,
            last_written,
            doubted,
            missing,
            segments,
            refused,
            news,
            told_ms,
            newest: now,
        }
    }

    /// Where a segment begins whose first packet is at `time_ms` on the clock of the last file, and
    /// what is missing before it.
    pub(super) fn next_start(&self, time_ms: u64, now: Instant) -> (u64, Option<Gap>) {
        let by_stream = self.zero_ms.saturating_add(time_ms);
        let Some(missing) = self.missing else { return (by_stream.max(self.end_ms), None) };
        let away = now.saturating_duration_since(missing.since).as_millis();
        let by_clock = self.end_ms.saturating_add(u64::try_from(away).unwrap_or(u64::MAX));
        let start_ms = if missing.by_clock { by_clock } else { by_stream }.max(self.end_ms);
        let length_ms = start_ms - self.end_ms;
        let Missing { reason, dropped, .. } = missing;
        let gap = Gap { at_ms: self.end_ms, length_ms, reason, dropped };
        (start_ms, Some(gap).filter(|gap| gap.length_ms > 0 || gap.dropped != Amount::default()))
    }

    /// Where a packet is on the recording's clock that is at `time_ms` on that of the open, or the
    /// last, file.
    pub(super) fn clock_ms(&self, time_ms: u64, now: Instant, is_open: bool) -> u64 {
        if is_open { self.zero_ms.saturating_add(time_ms) } else { self.next_start(time_ms, now).0 }
    }

    /// The number of the next segment.
    pub(super) fn next_number(&self) -> u32 {
        self.segments.saturating_add(1)
    }

    /// Packets received before the next segment and the gap before it.
    pub(super) fn packets_before(&self) -> u64 {
        self.past.received.packets
    }

    /// A segment begins as [`Books::next_start`] said.
    pub(super) fn open(&mut self, start_ms: u64, gap: Option<Gap>, repeated_packets: u64) {
        self.doubted = None;
        self.open = Ledger { repeated_packets, ..Ledger::default() };
        self.pending = Pending::default();
        self.before = self.missing.take().zip(gap);
        (self.start_ms, self.end_ms, self.zero_ms) = (start_ms, start_ms, start_ms);
        self.segments = self.segments.saturating_add(1);
    }

    /// Whether nothing coded is in the open segment.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.audio_ms.is_none() && self.pending.video_ms.is_none()
    }

    /// A packet is in the file.
    pub(super) fn write(&mut self, packet: &Packet, placed: &Placed) {
        self.pending.written.packets += 1;
        self.pending.written.bytes += packet.body.len() as u64;
        if !packet.is_media() {
            return;
        }
        self.pending.late_packets += u64::from(placed.is_late);
        match packet.kind {
            Kind::Audio => self.pending.audio_ms = Some(placed.time_ms),
            _ => self.pending.video_ms = Some(placed.time_ms),
        }
        if self.pending.gap.is_some() {
            self.end_gap(placed.time_ms);
        }
    }

    /// A packet of the header went into the file once more, if it was `written`.
    pub(super) fn repeat(&mut self, written: bool) {
        self.open.repeated_packets += u64::from(written);
    }

    /// The container cannot hold a packet. Returns whether it is the first one.
    pub(super) fn refuse(&mut self, packet: &Packet, time_ms: u64) -> bool {
        let dropped = amount_of(packet);
        let (length_ms, reason) = (0, GapReason::Refused);
        self.open.add_gap(Gap { at_ms: time_ms, length_ms, reason, dropped });
        self.drop_inside(dropped);
        self.news.refused_packets += 1;
        !std::mem::replace(&mut self.refused, true)
    }

    /// The queue could not hold so much: a gap in the file at `time_ms`, or between files.
    pub(super) fn lose(&mut self, lost: Lost, time_ms: u64, is_open: bool) {
        let dropped = Amount { packets: lost.packets, bytes: lost.bytes };
        self.news.lost_packets += lost.packets;
        self.news.lost_bytes += lost.bytes;
        self.news.gaps += 1;
        if !is_open {
            return self.drop_between(dropped);
        }
        self.end_gap(time_ms);
        let (length_ms, reason) = (0, GapReason::SlowDisk);
        self.pending.gap = Some(Gap { at_ms: time_ms, length_ms, reason, dropped });
        self.drop_inside(dropped);
    }

    /// A packet came, at `time_ms` on the clock of the last file, while there was no file.
    pub(super) fn drop_packet(&mut self, packet: &Packet, time_ms: u64) {
        self.drop_between(amount_of(packet));
        if let Some(missing) = &mut self.missing {
            missing.until_ms = missing.until_ms.max(self.zero_ms.saturating_add(time_ms));
        }
    }

    /// A packet came that is not recorded.
    pub(super) fn leave_out(&mut self, packet: &Packet) {
        self.left_out += amount_of(packet);
    }

    /// All that is pending is in the file, which is so long.
    pub(super) fn flush(&mut self, duration_ms: u64) {
        let written = std::mem::take(&mut self.pending.written);
        self.open.written += written;
        self.open.received += written;
        self.open.late_packets += std::mem::take(&mut self.pending.late_packets);
        if let (Some(audio), Some(video)) = (self.pending.audio_ms, self.pending.video_ms) {
            let skew = i128::from(audio) - i128::from(video);
            self.open.skew_ms = i64::try_from(skew).unwrap_or(i64::MAX);
            let distance = self.open.skew_ms.unsigned_abs();
            self.open.skew_max_ms = self.open.skew_max_ms.max(distance);
        }
        self.end_ms = self.start_ms.saturating_add(duration_ms);
        self.news.packets += written.packets;
        self.tell_length();
    }

    /// The open segment, as far as it was flushed.
    pub(super) fn segment(&self) -> &Ledger {
        &self.open
    }

    /// How long the open segment was when it was flushed last.
    pub(super) fn flushed_ms(&self) -> u64 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    /// What is missing before the open segment.
    pub(super) fn gap_before(&self) -> Option<Gap> {
        self.before.map(|(_, gap)| gap)
    }

    /// What the open segment is going to be when it ends, all of it flushed.
    pub(super) fn closing(&mut self, time_ms: u64) -> &Ledger {
        self.end_gap(time_ms);
        &self.open
    }

    /// The open segment is finished and stands for so much of the recording.
    pub(super) fn close(&mut self, length_ms: u64) {
        self.end_ms = self.start_ms.saturating_add(length_ms);
        if let Some((_, gap)) = self.before.take() {
            self.past.received += gap.dropped;
            self.past.dropped += gap.dropped;
            self.past.add_gap(gap);
        }
        self.last_written = self.open.written;
        add(&mut self.past, &std::mem::take(&mut self.open), self.start_ms);
        self.tell_length();
    }

    /// The same of one whose file may have less when it is mended, or nothing: then
    /// [`Books::correct`] or [`Books::vanish`].
    pub(super) fn close_in_doubt(&mut self, length_ms: u64) {
        let (past, before, received) = (self.past.clone(), self.before, self.open.received);
        self.doubted = Some(Doubted { past, before, received });
        self.close(length_ms);
    }

    /// The disk failed the open segment: what it had pending is lost, and all of it if no file was
    /// `kept`.
    pub(super) fn fail(&mut self, kept: Kept, reason: GapReason, now: Instant) {
        let Pending { written: pending, audio_ms, video_ms, .. } =
            std::mem::take(&mut self.pending);
        let until_ms = self.start_ms.saturating_add(audio_ms.max(video_ms).unwrap_or_default());
        let mut dropped = pending;
        let mut lost_news = pending;
        if kept == Kept::File {
            self.close_in_doubt(self.flushed_ms());
        } else {
            let open = std::mem::take(&mut self.open);
            dropped += open.received;
            lost_news += open.written;
            self.end_ms = self.gap_before().map_or(self.start_ms, |gap| gap.at_ms);
            self.missing = self.before.take().map(|(missing, _)| missing);
            // One that was there for a while, and that somebody deleted, keeps its number.
            self.segments -= u32::from(kept == Kept::Nothing).min(self.segments);
        }
        self.news.dropped_packets += lost_news.packets;
        self.news.dropped_bytes += lost_news.bytes;
        self.wait(reason, now);
        if let Some(missing) = &mut self.missing {
            missing.dropped += dropped;
            missing.until_ms = missing.until_ms.max(until_ms);
        }
    }

    /// The file of the last segment turned out to have less than was flushed, only `written` and
    /// only for `length_ms`: the rest is in the gap after it.
    pub(super) fn correct(&mut self, written: Amount, length_ms: u64, now: Instant) {
        let less = Amount {
            packets: self.last_written.packets.saturating_sub(written.packets),
            bytes: self.last_written.bytes.saturating_sub(written.bytes),
        };
        let end_ms = self.start_ms.saturating_add(length_ms);
        if less == Amount::default() && end_ms == self.end_ms {
            return;
        }
        self.wait(GapReason::Disk, now);
        if let Some(missing) = &mut self.missing {
            missing.dropped += less;
        }
        for amount in [&mut self.past.received, &mut self.past.written] {
            amount.packets = amount.packets.saturating_sub(less.packets);
            amount.bytes = amount.bytes.saturating_sub(less.bytes);
        }
        (self.last_written, self.end_ms) = (written, end_ms);
        self.news.dropped_packets += less.packets;
        self.news.dropped_bytes += less.bytes;
    }

    /// The file of the last segment turned out to have nothing of what was flushed: it is as if it
    /// had never been, and all of it is in the gap.
    pub(super) fn vanish(&mut self, now: Instant) {
        let Some(Doubted { past, before, received }) = self.doubted.take() else { return };
        self.past = past;
        self.end_ms = before.map_or(self.start_ms, |(_, gap)| gap.at_ms);
        self.wait(GapReason::Disk, now);
        if let Some(missing) = &mut self.missing {
            missing.dropped += received;
            if let Some((earlier, _)) = before {
                *missing = Missing {
                    dropped: earlier.dropped + missing.dropped,
                    by_clock: earlier.by_clock || missing.by_clock,
                    until_ms: earlier.until_ms.max(missing.until_ms),
                    ..earlier
                };
            }
        }
        self.segments = self.segments.saturating_sub(1);
        self.news.dropped_packets += self.last_written.packets;
        self.news.dropped_bytes += self.last_written.bytes;
        self.last_written = Amount::default();
    }

    /// There is no file now, and there should be.
    pub(super) fn wait(&mut self, reason: GapReason, now: Instant) {
        let (dropped, by_clock, until_ms) = Default::default();
        let missing = Missing { since: now, reason, dropped, by_clock, until_ms };
        self.missing.get_or_insert(missing);
    }

    /// The encoder's clock jumped; between files it tells no length then.
    pub(super) fn jump(&mut self) {
        if let Some(missing) = &mut self.missing {
            missing.by_clock = true;
        }
    }

    /// A run is over whose cursor has come to `position`.
    pub(super) fn end_run(&mut self, position: Position) {
        self.received += Amount { packets: position.packets, bytes: position.bytes };
    }

    /// The publisher is away, and what comes next has another clock.
    pub(super) fn away(&mut self) {
        self.wait(GapReason::Publisher, self.newest);
        self.jump();
    }

    /// How long the stream is missing.
    pub(super) fn missing_ms(&self, now: Instant) -> u64 {
        let since = self.missing.map_or(now, |missing| missing.since);
        let missing = now.saturating_duration_since(since).as_millis();
        u64::try_from(missing).unwrap_or(u64::MAX)
    }

    /// The whole recording so far: what is pending is not in it.
    pub(super) fn recording(&self) -> Ledger {
        let mut ledger = self.past.clone();
        let length_ms = |missing: &Missing| {
            if missing.by_clock {
                self.missing_ms(self.newest)
            } else {
                missing.until_ms.saturating_sub(self.end_ms)
            }
        };
        let missing = self.missing.map(|missing| Gap {
            at_ms: self.end_ms,
            length_ms: length_ms(&missing),
            reason: missing.reason,
            dropped: missing.dropped,
        });
        let gaps = self.gap_before().into_iter();
        for gap in gaps.chain(missing.filter(|gap| gap.dropped != Amount::default())) {
            ledger.received += gap.dropped;
            ledger.dropped += gap.dropped;
            ledger.add_gap(gap);
        }
        add(&mut ledger, &self.open, self.start_ms);
        ledger
    }

    /// The whole recording at its end; received is what the cursors say.
    pub(super) fn complete(&self) -> Ledger {
        let received = Amount {
            packets: self.received.packets.saturating_sub(self.left_out.packets),
            bytes: self.received.bytes.saturating_sub(self.left_out.bytes),
        };
        Ledger { received, ..self.recording() }
    }

    /// The newest gap inside the open segment that has ended; its time is on the recording's clock.
    pub(super) fn newest_gap(&self) -> Option<Gap> {
        let gap = self.open.gaps.last()?;
        Some(Gap { at_ms: self.start_ms.saturating_add(gap.at_ms), ..*gap })
    }

    /// Segments so far.
    pub(super) fn segments(&self) -> u32 {
        self.segments
    }

    /// Where the recording's clock stands.
    pub(super) fn duration_ms(&self) -> u64 {
        self.end_ms
    }

    /// What happened since the last call.
    pub(super) fn take_news(&mut self) -> Counters {
        std::mem::take(&mut self.news)
    }

    fn drop_inside(&mut self, dropped: Amount) {
        self.open.received += dropped;
        self.open.dropped += dropped;
        self.news.dropped_packets += dropped.packets;
        self.news.dropped_bytes += dropped.bytes;
    }

    fn drop_between(&mut self, dropped: Amount) {
        self.wait(GapReason::SlowDisk, self.newest);
        if let Some(missing) = &mut self.missing {
            missing.dropped += dropped;
        }
        self.news.dropped_packets += dropped.packets;
        self.news.dropped_bytes += dropped.bytes;
    }

    /// The gap in the file, if there is one, ends at `time_ms`.
    fn end_gap(&mut self, time_ms: u64) {
        if let Some(mut gap) = self.pending.gap.take() {
            gap.length_ms = time_ms.saturating_sub(gap.at_ms);
            self.open.add_gap(gap);
        }
    }

    fn tell_length(&mut self) {
        self.news.duration_ms += self.end_ms.saturating_sub(self.told_ms);
        self.told_ms = self.told_ms.max(self.end_ms);
    }
}

fn amount_of(packet: &Packet) -> Amount {
    Amount { packets: 1, bytes: packet.body.len() as u64 }
}

/// Adds a segment that begins at `start_ms` to the recording.
fn add(recording: &mut Ledger, segment: &Ledger, start_ms: u64) {
    recording.received += segment.received;
    recording.written += segment.written;
    recording.dropped += segment.dropped;
    recording.late_packets += segment.late_packets;
    recording.repeated_packets += segment.repeated_packets;
    let unlisted = segment.gaps_total.saturating_sub(segment.gaps.len() as u64);
    for gap in &segment.gaps {
        recording.add_gap(Gap { at_ms: start_ms.saturating_add(gap.at_ms), ..*gap });
    }
    recording.gaps_total = recording.gaps_total.saturating_add(unlisted);
    recording.skew_ms = segment.skew_ms;
    recording.skew_max_ms = recording.skew_max_ms.max(segment.skew_max_ms);
}

#[cfg(test)]
mod tests;
