//! Live segments that have left memory and that nobody recorded: lists say so before a player asks for them.
//!
//! What recorders do is looked at from time to time. What was live from its beginning to its end while one recorded is
//! in its files (as far as it says; the rest is found out by who asks for it), what was while none did is not. What was
//! live while that changed is looked for, by its packets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::catalog::{self, RecordingState, State as FileState};
use archive::{RecordingId, State};
use media::hls::{Init, Logged, Window};

use super::super::muxer::Muxer;
use super::files::{Wanted, made_of};
use super::{Api, is_late};
use crate::http::recordings::ask;

/// How long segments are looked for at a time.
const LOOK_TIME: Duration = Duration::from_secs(2);
/// How far (ms) the clocks of the stream and of a recording may drift apart to the end of it.
const APART_MS: i64 = 5_000;
/// Spans that are remembered; what was live in older ones is looked for.
const SPANS: usize = 64;

/// What is known of live segments by what recorders did meanwhile.
#[derive(Debug, Default)]
pub(super) struct Fates {
    spans: VecDeque<Span>,
    /// Those before it are decided.
    next: u64,
    /// When it was told last that some are nowhere.
    told: Option<Instant>,
    /// The newest recording, and when it ends on the clock of live segments, in ms.
    ended: Option<(RecordingId, i64)>,
    /// Whether some are looked for just now.
    is_busy: bool,
}

/// Segments that were live from their beginning to their end while recorders did one thing.
#[derive(Debug)]
struct Span {
    doing: Doing,
    first: u64,
    end: u64,
}

/// What recorders do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// One records.
    Records(RecordingId),
    /// One may have them still in memory, and may yet lose them.
    Tries(RecordingId),
    /// None does; that was the last recording.
    Nothing(Option<RecordingId>),
}

impl Fates {
    /// Nothing is known of segments from this one on.
    pub(super) fn since(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// How long it is known that some are nowhere, in ms.
    pub(super) fn told_ago_ms(&self) -> Option<u64> {
        self.told.map(|told| u64::try_from(told.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Some are nowhere since now.
    pub(super) fn tell(&mut self) {
        self.told = Some(Instant::now());
    }

    /// They do that while segment `open` is made.
    fn note(&mut self, doing: Doing, open: u64) {
        match self.spans.back_mut().filter(|span| span.doing == doing) {
            Some(span) => span.end = open,
            None => self.spans.push_back(Span { doing, first: open + 1, end: open }),
        }
        while self.spans.len() > SPANS || self.spans.len() > 1 && self.is_passed() {
            self.spans.pop_front();
        }
    }

    fn is_passed(&self) -> bool {
        self.spans.front().is_some_and(|oldest| oldest.end <= self.next)
    }

    /// Whether a segment was recorded, where that is known.
    fn of(&self, number: u64) -> Option<bool> {
        let span = self.spans.iter().find(|span| (span.first..span.end).contains(&number))?;
        match span.doing {
            Doing::Records(_) => Some(true),
            Doing::Tries(_) => None,
            Doing::Nothing(_) => Some(false),
        }
    }
}

/// Decides what has become of segments that have left memory.
pub(super) async fn look(
    api: &Arc<Api>,
    muxer: &Muxer,
    is_of_tracks: bool,
    files: &[catalog::Segment],
) {
    let recorded = files.iter().filter(|file| !file.is_clip);
    let ends = |file: &&catalog::Segment| (file.state == FileState::Open, file.end_unix_ms);
    let newest = recorded.max_by_key(ends).map(|file| file.recording);
    let doing = doing(api, muxer, newest);
    // What they do is of what is live now, not of what is when the catalog has answered.
    let open = {
        let state = muxer.lock();
        let lead = state.rewinding.found(is_of_tracks).and_then(|found| state.window(found.lead));
        lead.map(Window::open_segment)
    };
    let Some(open) = open else { return };
    let is_over = is_over(api, doing).await;
    let begun = begin(muxer, is_of_tracks, (doing, open), is_over);
    let Some((mut look, pending)) = begun else { return };
    let (mut next, mut lost, until) = (0, Vec::new(), Instant::now() + LOOK_TIME);
    for (live, init, fate) in pending {
        let fate = match fate {
            Some(fate) => Some(fate),
            None => {
                let unix_ms = live.unix_ms.saturating_sub(look.drift_ms);
                let is_behind = is_behind(api, muxer, unix_ms);
                let found = look.search(api, files, &live, init.as_ref()).await;
                found.filter(|is_there| *is_there || !is_behind)
            }
        };
        let Some(is_there) = fate else { break };
        next = live.number + 1;
        lost.extend((!is_there).then_some(live.number));
        if Instant::now() >= until {
            break;
        }
    }
    let mut state = muxer.lock();
    if let Some(found) = &mut state.rewinding.side_mut(is_of_tracks).found {
        found.fates.next = found.fates.next.max(next);
        (found.fates.ended, found.fates.is_busy) = (look.ended, false);
    }
    if !lost.is_empty() {
        state.rewinding.lose(is_of_tracks, |found| found.lose_all(&lost));
    }
}

/// A segment that has left memory, its initialization, and whether it was recorded, where that is known.
type Pending = (Logged, Option<Arc<Init>>, Option<bool>);

/// Notes what recorders do. What is not decided yet, unless that is looked for already.
fn begin(
    muxer: &Muxer,
    is_of_tracks: bool,
    (doing, open): (Doing, u64),
    is_over: bool,
) -> Option<(Look, Vec<Pending>)> {
    let mut state = muxer.lock();
    let found = state.rewinding.side_mut(is_of_tracks).found.as_mut()?;
    found.fates.note(doing, open);
    if std::mem::replace(&mut found.fates.is_busy, true) {
        return None;
    }
    let ended = found.fates.ended.filter(|(of, _)| doing == Doing::Nothing(Some(*of)));
    let look = Look { doing, is_over, drift_ms: found.drift_ms, ended };
    let found = state.rewinding.found(is_of_tracks)?;
    let window = state.window(found.lead)?;
    let pending = window.logged_since(found.fates.next).map(|live| {
        let fate = found.fates.of(live.number);
        // One that was not whole when it was live is looked for in vain; one without anything says nothing of others.
        let fate = if live.trace.is_none() { Some(live.is_gap) } else { fate };
        (*live, window.init(live.init).cloned(), fate)
    });
    Some((look, pending.collect()))
}

/// A look at files.
struct Look {
    doing: Doing,
    is_over: bool,
    drift_ms: i64,
    ended: Option<(RecordingId, i64)>,
}

impl Look {
    /// Whether a segment is in files; `None` where it may yet come into them, or the disk does not answer.
    async fn search(
        &mut self,
        api: &Arc<Api>,
        files: &[catalog::Segment],
        live: &Logged,
        init: Option<&Arc<Init>>,
    ) -> Option<bool> {
        let Some((trace, init)) = live.trace.zip(init) else { return Some(false) };
        let begin_ms = i64::try_from(trace.begin_ms).unwrap_or(i64::MAX);
        if self.is_over && self.ended.is_some_and(|(_, ends_ms)| begin_ms > ends_ms + APART_MS) {
            return Some(false);
        }
        let unix_ms = live.unix_ms.saturating_sub(self.drift_ms);
        let wanted = Wanted { live: *live, trace, init: init.clone(), unix_ms, beside: None };
        match made_of(api, files, wanted).await.ok()? {
            Some(((recording, at_ms), _)) => {
                let left_ms = length_ms(files, recording).saturating_sub(at_ms);
                let ends_ms = begin_ms.saturating_add(left_ms);
                if self.is_over && self.doing == Doing::Nothing(Some(recording)) {
                    self.ended = Some((recording, ends_ms));
                }
                Some(true)
            }
            None => (self.is_over || is_late(live)).then_some(false),
        }
    }
}

/// Whether all that was recorded is in files that the catalog knows.
async fn is_over(api: &Api, doing: Doing) -> bool {
    match doing {
        Doing::Nothing(Some(last)) => {
            let known = ask(api, move |reader| reader.recording(last)).await;
            let is_over = |known: catalog::Recording| known.state != RecordingState::Recording;
            known.is_ok_and(|known| known.flatten().is_none_or(is_over))
        }
        Doing::Nothing(None) => true,
        Doing::Records(_) | Doing::Tries(_) => false,
    }
}

/// How long a recording is by its files, in ms.
fn length_ms(files: &[catalog::Segment], recording: RecordingId) -> i64 {
    let of_it = files.iter().filter(|file| file.recording == recording);
    let ends = of_it.map(|file| file.start_ms.saturating_add(file.length_ms));
    ends.max().and_then(|end_ms| i64::try_from(end_ms).ok()).unwrap_or(i64::MAX)
}

/// What recorders do with a stream: the one that has recorded for longest, if any records.
fn doing(api: &Api, muxer: &Muxer, newest: Option<RecordingId>) -> Doing {
    let all = api.context.archive.list();
    let of_stream = all.iter().filter(|known| known.key == muxer.key);
    let order = |known: &&archive::Status| (known.state != State::Recording, known.started_unix_ms);
    match of_stream.min_by_key(order) {
        Some(known) if known.state == State::Recording => Doing::Records(known.id),
        Some(known) => Doing::Tries(known.id),
        None => Doing::Nothing(newest),
    }
}

/// Whether any recorder has yet to write what was live at a moment.
pub(super) fn is_behind(api: &Api, muxer: &Muxer, unix_ms: i64) -> bool {
    let all = api.context.archive.list();
    let waits = |known: &&archive::Status| known.key == muxer.key && known.waiting_bytes > 0;
    all.iter().filter(waits).any(|known| {
        let length_ms = i64::try_from(known.length_ms).unwrap_or(i64::MAX);
        known.started_unix_ms.saturating_add(length_ms) <= unix_ms
    })
}

#[cfg(test)]
mod tests;
