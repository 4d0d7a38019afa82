//! The muxer of a file that is there already, rebuilt from the file itself: what an interrupted
//! recording needs to become an ordinary file.
//!
//! The caller owns the file and reads what is asked for; samples are passed over. Damage inside a
//! sample cannot be told.

use std::ops::Range;

use super::{LARGE_HEAD, Muxer, Options, SCRIPT_ID};
use crate::Packet;
use crate::amf0::Value;
use crate::flv::meta;
use crate::mp4::movie::{Movie, Track};
use crate::mp4::parse::{self, Run};
use crate::mp4::tables::Row;
use crate::mp4::{log, moov, reread, scan, size};

pub use crate::flv::mux::Want;

/// Walks over a file from its start to its end.
#[derive(Debug)]
pub struct Restore {
    options: Options,
    file_bytes: u64,
    /// The box that is looked at, and how much of it is to be read.
    at: u64,
    len: usize,
    state: State,
    /// The first fragment with times or places that the muxer does not write.
    odd: Option<u64>,
}

#[derive(Debug)]
enum State {
    Brands,
    Script,
    /// Behind the script, which has so many bytes.
    Room {
        script_bytes: usize,
        said: Said,
    },
    /// Among the parts: what stands before the samples of the next one.
    Parts {
        muxer: Box<Muxer>,
        part: Option<Part>,
    },
    Over(Option<Box<Muxer>>),
}

/// A part that has begun, and no end yet.
#[derive(Debug, Default)]
struct Part {
    at: u64,
    /// Its messages without their samples.
    log: Vec<u8>,
    runs: Option<Vec<Run>>,
    /// Where its samples begin.
    media: Option<u64>,
}

/// Bytes that tell what a box is: its head, and a user type.
const LOOK: usize = 32;
/// Bytes before the samples of a part in its `mdat`.
const MDAT_HEAD: usize = 8;

impl Restore {
    /// The walk over a file of so many bytes. The identity and the values that change are to be
    /// given again; the room that they have is as it was.
    pub fn new(options: Options, file_bytes: u64) -> Self {
        Self { options, file_bytes, at: 0, len: LOOK, state: State::Brands, odd: None }
    }

    /// What is to be read next; `None` at the end.
    pub fn want(&self) -> Option<Want> {
        let rest = self.file_bytes.checked_sub(self.at).filter(|rest| *rest > 0)?;
        let len = usize::try_from(rest).map_or(self.len, |rest| rest.min(self.len));
        (!matches!(self.state, State::Over(_))).then_some(Want { offset: self.at, len })
    }

    /// The first fragment whose times or places are not such as the muxer writes.
    pub(super) fn odd(&self) -> Option<u64> {
        self.odd
    }

    /// Whether what stands next is what becomes the head of an `mdat`.
    pub(super) fn is_at_room(&self) -> bool {
        matches!(self.state, State::Room { .. })
    }

    /// What was read; fewer bytes than asked for end the walk.
    pub fn push(&mut self, bytes: &[u8]) {
        let next = self.step(bytes);
        match next {
            Some(Step::More(len)) if len > bytes.len() && len > self.len => self.len = len,
            Some(Step::Next(size)) => {
                self.at += size;
                self.len = LOOK;
            }
            _ => self.end(),
        }
    }

    /// The muxer of the file, whose position is the end of its last whole part: the file is to be
    /// cut there, and [`Muxer::finish`] makes it an ordinary one. Of a file with a whole index the
    /// muxer is finished. `None` when it is no recording of this server or ends before its first part
    /// could begin.
    pub fn finish(mut self) -> Option<Muxer> {
        self.end();
        match self.state {
            State::Over(muxer) => muxer.map(|muxer| *muxer),
            _ => None,
        }
    }

    fn end(&mut self) {
        let muxer = match std::mem::replace(&mut self.state, State::Over(None)) {
            State::Parts { muxer, .. } | State::Over(Some(muxer)) => Some(muxer),
            _ => None,
        };
        self.state = State::Over(muxer);
    }

    /// `None` when the file is not whole, or not as the muxer writes it, from here on.
    fn step(&mut self, bytes: &[u8]) -> Option<Step> {
        let head = parse::head(bytes)??;
        let whole = head.size?;
        // Of a finished file: what is in it is read as before, even if its end is lost.
        let is_of_finished = matches!(self.state, State::Room { .. })
            && &head.name == b"mdat"
            && head.bytes == LARGE_HEAD;
        if is_of_finished {
            return Some(Step::Next(size(head.bytes)));
        }
        if self.at.checked_add(whole)? > self.file_bytes {
            return None;
        }
        let id = bytes.get(head.bytes..head.bytes + SCRIPT_ID.len());
        let is_log = id == Some(&log::ID);
        // All of the box, if it has at most so many bytes.
        let all = |most: u64| {
            let len = usize::try_from(whole).ok().filter(|_| whole <= most)?;
            if bytes.len() < len {
                return Some(Err(Step::More(len)));
            }
            bytes.get(head.bytes..len).map(Ok)
        };
        match (&head.name, &mut self.state) {
            (b"ftyp", State::Brands) => self.state = State::Script,
            (b"uuid", State::Script) if id == Some(&SCRIPT_ID) => {
                let content = match all(scan::SCRIPT_MAX)? {
                    Ok(content) => content.get(SCRIPT_ID.len()..)?,
                    Err(more) => return Some(more),
                };
                self.state = State::Room { script_bytes: content.len(), said: Said::of(content) };
            }
            (b"free", State::Room { .. }) => {}
            (b"moov", State::Room { script_bytes, said }) => {
                let content = match all(scan::INIT_MAX)? {
                    Ok(content) => content,
                    Err(more) => return Some(more),
                };
                let movie = reread::movie(content)?;
                let mut muxer = std::mem::take(said).muxer(movie, self.options.clone());
                muxer.script_bytes = *script_bytes;
                muxer.position = self.at + whole;
                self.state = State::Parts { muxer: Box::new(muxer), part: None };
            }
            (b"prft", State::Parts { .. }) => {}
            (b"uuid", State::Parts { part: part @ None, .. }) if is_log => {
                let content = match all(scan::LOG_MAX)? {
                    Ok(content) => content.get(log::ID.len()..)?,
                    Err(more) => return Some(more),
                };
                // One without samples has to be such that it needs none.
                let has_samples = log::read(content, |_, _| None, drop).is_none();
                let runs = (!has_samples).then(Vec::new);
                let media = (!has_samples).then_some(0);
                *part = Some(Part { at: self.at, log: content.to_vec(), runs, media });
            }
            (b"moof", State::Parts { muxer, part: Some(Part { runs: runs @ None, .. }) }) => {
                match all(scan::MOOF_MAX)? {
                    Ok(content) => {
                        let found = parse::runs(content)?;
                        let mut place = whole + size(MDAT_HEAD);
                        for run in &found {
                            if size(run.offset) != place || muxer.is_odd(run) {
                                self.odd.get_or_insert(self.at);
                            }
                            place += run.samples.iter().map(|s| u64::from(s.size)).sum::<u64>();
                        }
                        *runs = Some(found);
                    }
                    Err(more) => return Some(more),
                }
            }
            (b"mdat", State::Parts { part: Some(Part { runs: Some(runs), media, .. }), .. })
                if media.is_none() =>
            {
                let sizes = runs.iter().flat_map(|run| &run.samples);
                let bytes: u64 = sizes.map(|sample| u64::from(sample.size)).sum();
                if bytes + size(head.bytes) != whole {
                    return None;
                }
                *media = Some(self.at + size(head.bytes));
            }
            (b"free", State::Parts { muxer, part: part @ Some(_) })
                if whole == size(log::END.len()) =>
            {
                let Part { at, log, runs, media } = part.take()?;
                let runs = runs?;
                muxer.note(&runs, media?)?;
                let Muxer { index, fragmenter, .. } = &mut **muxer;
                let heads = heads(&log, &runs, fragmenter.movie().tracks());
                for (at, (head, time_ms)) in (at..).zip(heads) {
                    super::note(index, &head, time_ms, at);
                }
                muxer.position = self.at + whole;
            }
            (b"moov", State::Parts { muxer, part: None }) => {
                muxer.index_at = Some(self.at);
                muxer.position = self.at + whole;
                self.end();
            }
            _ => return None,
        }
        Some(Step::Next(whole))
    }
}

/// What comes next.
enum Step {
    /// So many bytes of this box.
    More(usize),
    /// What stands so many bytes further.
    Next(u64),
}

/// The messages of a part without their samples, and their times. Where something stands behind a sample that is zeros: by
/// its size further tracks are found.
fn heads(log: &[u8], runs: &[Run], tracks: &[Track]) -> impl Iterator<Item = (Packet, u64)> {
    let samples = |track: &Track| runs.iter().find(|run| run.track == track.mp4_id());
    let samples = tracks.iter().map(|track| samples(track).map_or(&[][..], |run| &run.samples));
    let mut samples: Vec<_> = samples.map(<[_]>::iter).collect();
    let mut head = move |message: log::Message<'_>| {
        let (mut body, mut missing) = (Vec::new(), 0);
        let is_plain =
            matches!(message.pieces[..], [_, log::Piece::Sample(_), log::Piece::Literal([])]);
        for piece in message.pieces {
            match piece {
                log::Piece::Literal(bytes) if missing == 0 => body.extend_from_slice(bytes),
                log::Piece::Literal(_) => {}
                log::Piece::Sample(track) => {
                    let sample = samples.get_mut(track).and_then(Iterator::next);
                    let size = usize::try_from(sample.map_or(0, |s| s.size)).unwrap_or(0);
                    match is_plain {
                        true => missing = usize::MAX,
                        false => body.resize(body.len() + size, 0),
                    }
                }
            }
        }
        let head = Packet::of_head(message.kind, message.time_ms, body.into(), missing);
        (head, message.time_ms.unsigned_abs())
    };
    log::messages(log).map_while(move |message| message.map(&mut head))
}

/// What a script says that its moov does not.
#[derive(Debug, Default)]
pub(super) struct Said {
    codecs: String,
    shown: Option<Range<u64>>,
}

impl Said {
    pub(super) fn of(script: &[u8]) -> Self {
        let properties = meta::readable_properties(script).unwrap_or_default().0;
        let codecs = match super::named(&properties, super::CODECS) {
            Some(Value::String(codecs)) => codecs.clone(),
            _ => String::new(),
        };
        Self { codecs, shown: super::shown(&properties) }
    }

    /// The muxer of a file that says this.
    pub(super) fn muxer(self, mut movie: Movie, options: Options) -> Muxer {
        if let Some(shown) = self.shown {
            movie.set_shown(shown);
        }
        Muxer { codecs: self.codecs, ..Muxer::new(movie, options) }
    }
}

impl Muxer {
    /// Whether a run has decoding times that are no whole ms.
    fn is_odd(&self, run: &Run) -> bool {
        let is_this = |track: &&Track| track.mp4_id() == run.track;
        let track = self.fragmenter.movie().tracks.iter().find(is_this);
        let per_ms = track.map_or(1, Track::per_ms);
        let is_odd = |sample: &parse::Raw| !sample.duration.is_multiple_of(per_ms);
        !run.start.is_multiple_of(per_ms.into()) || run.samples.iter().any(is_odd)
    }

    /// Takes note of a part whose samples begin at `offset`, run after run.
    fn note(&mut self, runs: &[Run], mut offset: u64) -> Option<()> {
        for run in runs {
            let is_this = |track: &Track| track.mp4_id() == run.track;
            let tracks = &self.fragmenter.movie().tracks;
            let at = tracks.iter().position(is_this)?;
            let per_ms = tracks.get(at)?.per_ms();
            let mut time_ms = run.start / u64::from(per_ms);
            let mut step_ms = None;
            self.tables.chunk(at, offset);
            for (i, sample) in run.samples.iter().enumerate() {
                let composition = sample.composition;
                let is_key = sample.flags == moov::KEY_FLAGS;
                let size_bytes = sample.size;
                self.tables.push(at, Row { time_ms, composition, is_key, size_bytes });
                offset += u64::from(size_bytes);
                let duration_ms = u64::from(sample.duration / per_ms);
                if i + 1 == run.samples.len() {
                    self.fragmenter.resume(at, time_ms, step_ms.or(Some(duration_ms)));
                }
                step_ms = Some(duration_ms);
                time_ms += duration_ms;
            }
            self.tables.end(at, time_ms);
            self.counters.samples += size(run.samples.len());
        }
        self.counters.parts += 1;
        Some(())
    }
}
