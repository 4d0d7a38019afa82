//! The times that a player gets while it is held over runs of its stream.

use std::time::Instant;

use media::Packet;

/// Times of the first run are the publisher's own. Those of a run that goes on for it have one offset for sound and
/// pictures, so that the player's time goes on too; the encoder's own jumps within a run are passed on.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Clock {
    /// What is added to the publisher's times.
    offset_ms: i64,
    /// In a run that goes on for another: what is a little before this is sent at it.
    floor_ms: Option<i64>,
    /// Time of the newest coded packet, and when it was sent.
    newest: Option<(i64, Instant)>,
}

impl Clock {
    /// A longer step back is a jump of the encoder's clock.
    const STEP_MS: i64 = 1_000;
    /// Players notice another run some ms one after the other, and get the same times all the same, so that one task
    /// can write to many of them: the time that has passed is taken for a multiple of this.
    const GRID_MS: u128 = 100;

    /// What it does to the times of a run, and never changes in one.
    pub(in super::super) fn terms(&self) -> (i64, Option<i64>) {
        (self.offset_ms, self.floor_ms)
    }

    /// Goes on with a run that begins at `dts_ms`: after the newest packet by the time that has passed since, up to
    /// 100 ms more, and by 1 ms at least.
    pub(in super::super) fn resume(&mut self, dts_ms: i64, now: Instant) {
        let Some((newest_ms, sent)) = self.newest else { return };
        let passed = now.saturating_duration_since(sent).as_millis();
        let passed = passed.checked_next_multiple_of(Self::GRID_MS).unwrap_or(passed);
        let begin_ms = newest_ms.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX).max(1));
        self.offset_ms = begin_ms.saturating_sub(dts_ms);
        self.floor_ms = Some(newest_ms.saturating_add(1));
    }

    /// The player's time for one of the publisher's.
    pub(super) fn at(&self, dts_ms: i64) -> i64 {
        let at_ms = dts_ms.saturating_add(self.offset_ms);
        match self.floor_ms {
            Some(floor_ms)
                if (floor_ms.saturating_sub(Self::STEP_MS)..floor_ms).contains(&at_ms) =>
            {
                floor_ms
            }
            _ => at_ms,
        }
    }

    /// Gives a packet that is sent now the player's time.
    pub(in super::super) fn map(&mut self, packet: &mut Packet, now: Instant) {
        if packet.is_media() {
            packet.dts_ms = self.at(packet.dts_ms);
            let newest_ms = self.newest.map_or(i64::MIN, |(newest_ms, _)| newest_ms);
            let late = newest_ms.saturating_sub(Self::STEP_MS)..newest_ms;
            let newest_ms = if late.contains(&packet.dts_ms) { newest_ms } else { packet.dts_ms };
            self.newest = Some((newest_ms, now));
        } else if let (Some(_), Some((newest_ms, _))) = (self.floor_ms, self.newest) {
            // A header's own time is arbitrary.
            packet.dts_ms = newest_ms;
        }
    }
}

#[cfg(test)]
mod tests;
