//! What a recording does because somebody asked: another plan, another file, its end at a length.
//!
//! Rotation, length and times to wait change at once. What a file cannot have two of (its folder,
//! its name, its tracks) changes with the next file, which is asked for: by a cut as any other where
//! the tracks stay, else at the first packet with which a file of the new tracks can begin.

use std::sync::Arc;

use media::Packet;
use media::time::Placed;

use super::rotation::Rotation;
use super::{Failure, Recorder, WAIT_MIN};
use crate::{Cut, Plan, Reason};

impl Recorder {
    /// Does what was asked since the last time.
    pub(super) fn heed_orders(&mut self) {
        if let Some(orders) = self.task.take_orders() {
            self.plan_by(orders.plan);
            if orders.split && self.segment.is_some() {
                self.rotation.want(Cut::Request, self.rebase.newest_ms());
            }
        }
        if self.segment.is_none() {
            self.adopt();
        }
        self.heed_hold();
    }

    /// Takes over what can change at once, and remembers the rest.
    fn plan_by(&mut self, plan: Arc<Plan>) {
        let of_files = |plan: &Plan| {
            let Plan { format, tracks, .. } = *plan;
            (plan.dir.clone(), plan.template.clone(), tracks, plan.recorder.clone(), format)
        };
        self.next_plan = (of_files(&plan) != of_files(&self.plan)).then(|| plan.clone());
        self.asked_ms = self.rebase.newest_ms();
        let (dir, template, tracks, recorder, format) = of_files(&self.plan);
        self.wait.timeout = (plan.flush / 2).max(WAIT_MIN);
        self.sync_at = self.sync_at.min(self.now + plan.sync);
        let now = self.shared.clock.now();
        self.rotation.set_rules(plan.rotation.clone(), self.wait.timeout, &now);
        self.plan =
            Arc::new(Plan { dir, template, tracks, recorder, format, ..Plan::clone(&plan) });
    }

    /// Whether the next file is by another plan, wherever it begins.
    pub(super) fn has_next_for_these_tracks(&self) -> bool {
        self.next_plan.as_ref().is_some_and(|next| next.tracks == self.plan.tracks)
    }

    /// There is no file: the next one is by the new plan.
    pub(super) fn adopt(&mut self) {
        let Some(plan) = self.next_plan.take() else { return };
        if plan.dir != self.plan.dir {
            self.place = self.shared.gate.enter(&plan.dir);
            self.backoff.forget();
        }
        if plan.tracks != self.plan.tracks {
            self.movie = None;
            self.filter.set(plan.tracks);
            for packet in self.rotation.begin_tracks(&self.filter) {
                self.header.push(&packet);
                self.books.leave_out(&packet);
            }
        }
        self.plan = plan;
    }

    /// Ends the file, or has it end at the next place, if the next one is by another plan: one of
    /// other tracks if it can begin with this packet.
    pub(super) fn turn_over(&mut self, packet: &Packet) -> Result<(), Failure> {
        let Some(tracks) = self.next_plan.as_ref().map(|next| next.tracks) else { return Ok(()) };
        if self.segment.is_none() {
            return Ok(());
        }
        if tracks == self.plan.tracks {
            // A file that has nothing in it yet is not cut, but the next.
            self.rotation.want(Cut::Request, self.rebase.newest_ms());
            return Ok(());
        }
        let waited_ms = self.rebase.newest_ms().saturating_sub(self.asked_ms);
        let is_late =
            waited_ms >= Rotation::CAP_MS && packet.is_media() && self.filter.is_of(tracks, packet);
        if !is_late && !self.filter.is_place(tracks, packet) {
            return Ok(());
        }
        // Held was what the old file might have had to begin with: it ends with it.
        self.release()?;
        self.flush()?;
        let end_ms = self.rebase.place(packet).time_ms;
        self.end_segment(Cut::Request, end_ms);
        self.adopt();
        Ok(())
    }

    /// Whether the recording is as long as it is to be, and can end before this packet.
    pub(super) fn is_long_enough(&mut self, packet: &Packet, placed: &Placed) -> bool {
        let Some(most) = self.plan.max_length.filter(|_| packet.is_media()) else { return false };
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let is_open = self.segment.is_some();
        let at_ms = self.books.clock_ms(placed.time_ms, self.now, is_open);
        at_ms >= most_ms && (self.rotation.is_place(packet) || at_ms - most_ms >= Rotation::CAP_MS)
    }

    /// Ends the recording before this packet.
    pub(super) fn end_at_length(
        &mut self,
        packet: &Packet,
        placed: &Placed,
    ) -> Result<(), Failure> {
        if self.segment.is_some() {
            self.release()?;
            self.flush()?;
            self.finish_segment(Some(placed.time_ms));
        }
        for (held, _) in self.rotation.take_held() {
            self.books.leave_out(&held);
        }
        self.books.leave_out(packet);
        self.is_complete = true;
        self.task.stop(Reason::Length);
        Ok(())
    }
}
