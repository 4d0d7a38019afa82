//! A handle of a run, for those who did not publish it: rules that begin recordings, and whoever shows what is live.

use std::sync::Arc;

use crate::timeline::Timeline;
use crate::{Class, Cursor, Key, Start, Stats};

/// One run of a stream. Holding it keeps no packet in memory longer, and does not keep the run going.
#[derive(Debug, Clone)]
pub struct Stream {
    pub(crate) key: Key,
    pub(crate) run: u64,
    pub(crate) timeline: Arc<Timeline>,
}

impl Stream {
    /// The stream's name.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The number of the run among those of this name, from 1. A name that nobody published or waited for in between
    /// begins anew.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// A reader of this run.
    pub fn cursor(&self, class: Class, start: Start) -> Cursor {
        Cursor::new(self.timeline.clone(), class, start)
    }

    /// What the run has carried so far.
    pub fn stats(&self) -> Stats {
        self.timeline.lock().stats
    }

    /// The header after the newest packet.
    pub fn header(&self) -> Arc<media::Header> {
        self.timeline.header()
    }

    /// The newest place where decoding can start, as far as it is kept for those who join: its packet, and the header
    /// just before it. Looking at it makes nobody a player and keeps nothing in memory.
    pub fn newest_start(&self) -> Option<(Arc<media::Header>, media::Packet)> {
        let state = self.timeline.lock();
        let block = state.block(state.newest_start()?)?;
        Some((block.header.clone(), block.packets.first()?.clone()))
    }

    /// Whether the run is over: nothing more arrives.
    pub fn is_over(&self) -> bool {
        self.timeline.lock().ended
    }

    /// Whether `other` is a handle of the same run.
    pub fn is_same_run(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.timeline, &other.timeline)
    }

    /// Keeps the newest `ms` of the stream, back to a place where decoding can start, for [`Start::Back`]; within
    /// [`crate::Limits::pre_roll_bytes`]. Of what was kept before and is more than that, memory is given back at once.
    pub fn set_pre_roll(&self, ms: i64) {
        self.timeline.set_pre_roll(ms);
    }

    /// What the window holds now: bytes, and ms from its oldest place to start to its newest packet.
    pub fn window(&self) -> (usize, i64) {
        self.timeline.lock().window()
    }
}
