//! Packets in, the bytes of an MP4 file out: one that grows as parts and plays up to the last of
//! them whatever happens, and that is an ordinary file, with one index, when it is finished.
//!
//! # The file
//!
//! | box | content |
//! |---|---|
//! | `ftyp` | brands |
//! | `uuid` | what the file says of itself, of a size that never changes: see below |
//! | `free` | 16 bytes in all |
//! | `moov` | the tracks, and that fragments follow |
//! | `uuid`, `prft`, `moof`, `mdat`, `free` | a part: its messages (`log`), when it was, its samples, its end; and so on |
//! | `moov` | at the end: the tracks, and where every sample stands |
//!
//! [`Muxer::finish`] puts out the last box; then one patch of 16 bytes makes the `free` the head of
//! an `mdat` that reaches to it. From then on a player sees `ftyp`, `uuid`, `mdat` and `moov`: an
//! ordinary file in which it seeks at once. Nothing was moved. Until then, and if that patch or the
//! last box is torn, it is a file in fragments. The 16 bytes are in one sector, for they begin at a
//! multiple of 16.
//!
//! The decoding time of a part is what the caller gave; in the finished file the first picture or
//! sound that is shown begins at 0, the others as much later as they were in the stream. What of a movie is shown
//! ([`Movie::set_shown`]) an edit list says, and `shownFrom` and `shownTo`, by which it is made again. Of Opus what
//! primes its decoder is left out and all else stays at its time; of other codecs nothing tells it.
//!
//! # What the file says of itself
//!
//! The content of the first `uuid` box is [`SCRIPT_ID`] and an `onMetaData` as in the first tag of
//! an FLV file ([`crate::flv::mux`]): the caller's identity, `complete`, `duration`, `filesize`,
//! `codecs`, the caller's values that change, `trackPlaces` and `keyframes`: where the tracks are and where
//! one can start, by the places that [`super::tags`] gives messages. What the publisher's said is in the first part.

use std::collections::VecDeque;
use std::ops::Range;

use super::boxes::Boxes;
use super::fragment::{Cut, Fragmenter};
use super::movie::Movie;
use super::tables::Tables;
use super::{BOX_HEAD, Error, log, moov, parse, size};
use crate::amf0::Value;
use crate::flv::meta::{Region, readable_properties};
use crate::flv::mux::{COMPLETE, Index, script};
use crate::{Chunks, Header, Kind, Packet};

mod check;
mod repair;
mod restore;

pub use crate::flv::mux::{Options, Patch};
pub use check::Check;
pub use repair::Repair;
pub use restore::{Restore, Want};

/// The user type of the box in which a file says what it is (ISO 14496-12 11.1).
pub const SCRIPT_ID: [u8; 16] =
    *b"\x9a\x4e\x2d\x8c\x6b\x1f\x4b\x1e\xa3\x0d\x53\x63\x72\x69\x70\x74";

/// What each part of a recording has behind its first four bytes: the name of a box, and that it has
/// messages.
pub const PART_MARK: [u8; 20] = {
    let mut mark = [0; 20];
    let (name, id) = mark.split_at_mut(4);
    name.copy_from_slice(b"uuid");
    id.copy_from_slice(&log::ID);
    mark
};

/// Bytes of an `mdat` of more than 4 GiB before its content, and so of the `free` that becomes it.
const LARGE_HEAD: usize = 16;
/// Sizes that the script can have.
const SCRIPT_BYTES: std::ops::RangeInclusive<usize> = 2_048..=(4 << 20);

/// Most entries of the index in memory; the script may have room for fewer.
const INDEX_MAX: usize = 2_048;

/// The property that has the codec strings.
const CODECS: &str = "codecs";
/// The properties that say what is shown, in seconds, where that is not all.
const SHOWN: [&str; 2] = ["shownFrom", "shownTo"];

/// What was written and what was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages taken.
    pub messages: u64,
    /// Parts put out.
    pub parts: u64,
    /// Samples in them.
    pub samples: u64,
    /// Properties that the script has no room for.
    pub properties_cut: usize,
}

/// Writes one file.
#[derive(Debug, Clone)]
pub struct Muxer {
    fragmenter: Fragmenter,
    tables: Tables,
    script_bytes: usize,
    identity: Vec<(String, Value)>,
    extra: Vec<(String, Value)>,
    sequence: u32,
    position: u64,
    /// Where the index begins, once it was put out.
    index_at: Option<u64>,
    codecs: String,
    index: Index,
    /// The messages of the parts that were not put out, with their times: the newest part last.
    held: VecDeque<Vec<(Packet, u64)>>,
    counters: Counters,
}

impl Muxer {
    /// A muxer at the start of a file.
    pub fn new(movie: Movie, options: Options) -> Self {
        let mut identity = options.identity;
        identity.retain(|(name, _)| name != COMPLETE);
        let before = ftyp(&movie).len() + BOX_HEAD + SCRIPT_ID.len();
        let script_bytes = options.reserve_bytes.clamp(*SCRIPT_BYTES.start(), *SCRIPT_BYTES.end());
        let mut tables = Tables::new(&movie);
        if let Some(shown) = &movie.shown {
            tables.show(shown.clone());
        }
        Self {
            tables,
            codecs: movie.codecs(),
            fragmenter: Fragmenter::of_recording(movie),
            // So that the `free` begins at a multiple of its size.
            script_bytes: (before + script_bytes).next_multiple_of(LARGE_HEAD) - before,
            identity,
            extra: options.extra,
            sequence: 0,
            position: 0,
            index_at: None,
            index: Index::new(INDEX_MAX),
            held: VecDeque::from([Vec::new()]),
            counters: Counters::default(),
        }
    }

    /// Puts out the start of the file; the messages of `header` come into the first part, at time
    /// 0. Only the first call does anything.
    pub fn start(&mut self, header: &Header, out: &mut Chunks) {
        if self.position > 0 {
            return;
        }
        let before = out.len();
        let movie = self.fragmenter.movie();
        let mut boxes = Boxes { bytes: ftyp(movie) };
        boxes.put(b"uuid", |boxes| {
            boxes.slice(&SCRIPT_ID);
            boxes.slice(&self.script().0);
        });
        boxes.put(b"free", |boxes| boxes.zeros(LARGE_HEAD - BOX_HEAD));
        moov::put_moov(&mut boxes, movie, None);
        out.put_slice(&boxes.bytes);
        self.position = size(out.len() - before);
        for packet in header.packets() {
            // Small, and there is nothing before them.
            let _ = self.take(packet, 0);
        }
    }

    fn take(&mut self, packet: &Packet, time_ms: u64) -> Result<(), Error> {
        self.fragmenter.push(packet, time_ms)?;
        if let Some(open) = self.held.back_mut() {
            open.push((packet.clone(), time_ms));
        }
        Ok(())
    }

    /// Takes a packet at `time_ms` from the start of the file, and puts out what is ready; the start
    /// of the file first, if that was not put out yet. Every message is kept, those too that are no
    /// samples and those of tracks that MP4 has no word for.
    ///
    /// # Errors
    /// [`Error`]; the packet is not in the file, everything else goes on.
    pub fn push(&mut self, packet: &Packet, time_ms: u64, out: &mut Chunks) -> Result<(), Error> {
        if self.index_at.is_some() {
            return Err(Error::FileFull);
        }
        self.start(&Header::default(), out);
        match self.take(packet, time_ms) {
            Err(Error::PartFull) if self.cut() => self.take(packet, time_ms)?,
            other => other?,
        }
        self.counters.messages += 1;
        self.put_parts(out);
        Ok(())
    }

    /// Ends the part: what comes next begins another. Cut before key frames, so that one can begin
    /// to play with each part, and often, for what is not in a part that was put out is lost with the
    /// process. `false` when nothing was pushed since the last cut.
    pub fn cut(&mut self) -> bool {
        let start_ms = self.fragmenter.open_start_ms();
        let prft_unix_ms =
            start_ms.and_then(|ms| Some(self.fragmenter.movie().start_unix_ms? + ms));
        let cut = Cut { sequence: self.sequence + 1, styp: false, prft_unix_ms };
        let has_cut = self.fragmenter.cut(cut);
        if has_cut {
            self.held.push_back(Vec::new());
        }
        self.sequence += u32::from(has_cut);
        has_cut
    }

    /// Puts out all that was pushed: a part ends here, and its last samples last as long as those
    /// before them; in the finished file they last until the next ones.
    pub fn flush(&mut self, out: &mut Chunks) {
        self.cut();
        self.fragmenter.finish();
        self.put_parts(out);
    }

    /// Puts out the last part and the index. Nothing can be pushed any more. To be followed by
    /// [`Muxer::patches`] and then [`Muxer::complete_patch`].
    pub fn finish(&mut self, out: &mut Chunks) {
        if self.index_at.is_some() {
            return;
        }
        self.start(&Header::default(), out);
        self.flush(out);
        self.index_at = Some(self.position);
        let index = self.index_box();
        self.position += size(index.len());
        out.put(index.into());
    }

    fn index_box(&self) -> Vec<u8> {
        let mut boxes = Boxes::default();
        moov::put_moov(&mut boxes, self.fragmenter.movie(), Some((&self.tables, 0)));
        boxes.bytes
    }

    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.fragmenter.movie()
    }

    /// Sets the values of [`Options::extra`] anew, for the patches to come.
    pub fn set_extra(&mut self, extra: Vec<(String, Value)>) {
        self.extra = extra;
    }

    /// What to overwrite so that the file is right as far as it was put out: what it says of itself,
    /// and after [`Muxer::finish`] the head that makes it an ordinary file. Nothing before the
    /// start.
    pub fn patches(&self) -> Vec<Patch> {
        if self.position == 0 {
            return Vec::new();
        }
        let script = Patch { offset: self.script_at(), bytes: self.script().0 };
        let free_at = self.script_at() + size(self.script_bytes);
        let head = self.index_at.map(|index_at| {
            let mut boxes = Boxes::default();
            boxes.u32(1);
            boxes.slice(b"mdat");
            boxes.u64(index_at - free_at);
            Patch { offset: free_at, bytes: boxes.bytes }
        });
        [script].into_iter().chain(head).collect()
    }

    /// What to overwrite, as the last thing that happens to the file, so that it says that it is
    /// complete: one byte. All [`Muxer::patches`] say that it is not.
    pub fn complete_patch(&self) -> Patch {
        Patch { offset: self.script_at() + size(self.script().1), bytes: vec![1] }
    }

    /// Bytes put out so far, which is the size of the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The file's duration so far in ms: the end of the last sample that was pushed.
    pub fn duration_ms(&self) -> u64 {
        self.fragmenter.end_ms()
    }

    /// Whether something was pushed since the last cut.
    pub fn has_open(&self) -> bool {
        self.fragmenter.has_open()
    }

    /// From the first to the last sample of the leading track since the last cut.
    pub fn open_ms(&self) -> u64 {
        self.fragmenter.open_ms()
    }

    /// Bytes that were pushed since the last cut.
    pub fn open_bytes(&self) -> u64 {
        self.fragmenter.open_bytes()
    }

    /// What was written and what was not.
    pub fn counters(&self) -> Counters {
        Counters { properties_cut: self.script().2, ..self.counters }
    }

    fn put_parts(&mut self, out: &mut Chunks) {
        let tables = &mut self.tables;
        while let Some(part) = self.fragmenter.poll_into(out, Some((tables, self.position))) {
            let messages = self.held.pop_front().into_iter().flatten();
            for (at, (packet, time_ms)) in (self.position..).zip(messages) {
                note(&mut self.index, &packet, time_ms, at);
            }
            self.position += part.size_bytes;
            self.counters.parts += 1;
            self.counters.samples += size(part.samples);
        }
    }

    /// Where the script begins.
    fn script_at(&self) -> u64 {
        size(ftyp(self.fragmenter.movie()).len() + BOX_HEAD + SCRIPT_ID.len())
    }

    fn script(&self) -> (Vec<u8>, usize, usize) {
        #[expect(clippy::cast_precision_loss, reason = "AMF0 has no other number")]
        let number = |n: u64| n as f64;
        let tracks = self.fragmenter.movie().tracks();
        let has = |kind| Value::Boolean(tracks.iter().any(|track| track.kind == kind));
        let seconds = |ms: u64| Value::Number(number(ms) / 1_000.0);
        let mut own = vec![
            ("duration", seconds(self.duration_ms())),
            ("filesize", Value::Number(number(self.position))),
            ("hasVideo", has(Kind::Video)),
            ("hasAudio", has(Kind::Audio)),
            (CODECS, Value::String(self.codecs.clone())),
        ];
        if let Some(shown) = &self.fragmenter.movie().shown {
            own.extend(SHOWN.into_iter().zip([shown.start, shown.end].map(seconds)));
        }
        script(self.script_bytes, &self.identity, &own, &self.extra, &self.index)
    }
}

/// Takes note of a message at its place. The index has times up to 49 days.
fn note(index: &mut Index, packet: &Packet, time_ms: u64, at: u64) {
    if let Ok(time_ms) = u32::try_from(time_ms) {
        index.push(packet, time_ms, at);
    }
}

/// What of a recording is shown, in ms from its start, by what its file says of itself; `None` for all of it.
pub fn shown(properties: &[(String, Value)]) -> Option<Range<u64>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let ms = |name| Some((named(properties, name)?.as_f64()? * 1_000.0).round() as u64);
    let [from, to] = SHOWN.map(ms);
    from.zip(to).map(|(from, to)| from..to)
}

fn named<'a>(properties: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    properties.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Reads what a file says of itself from its first bytes, which need not be all of that; torn as it
/// may be. [`Region::size_bytes`] is where the 16 bytes begin that become the head of an `mdat`.
/// `None` for a file that this does not write.
pub fn region(start: &[u8]) -> Option<Region> {
    let brands = parse::head(start)?.filter(|head| &head.name == b"ftyp")?.size?;
    let script = start.get(usize::try_from(brands).ok()?..)?;
    let head = parse::head(script)?.filter(|head| &head.name == b"uuid")?;
    let whole = head.size?;
    let script = script.get(head.bytes..)?.strip_prefix(&SCRIPT_ID)?;
    let content = usize::try_from(whole).ok()?.checked_sub(head.bytes + SCRIPT_ID.len())?;
    let script = script.get(..content).unwrap_or(script);
    let (properties, is_whole) = readable_properties(script)?;
    Some(Region { size_bytes: brands.checked_add(whole)?, properties, is_whole })
}

fn ftyp(movie: &Movie) -> Vec<u8> {
    let mut boxes = Boxes::default();
    moov::put_ftyp(&mut boxes, movie);
    boxes.bytes
}
