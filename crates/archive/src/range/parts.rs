//! The messages of an MP4 file from some place on, part by part: what stands before the samples of
//! each is read as a whole, and of the samples what is asked for.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use media::flv::scan::Bodies;
use media::mp4::heads::{self, Content, END_BYTES, Message, Span};
use media::mp4::mux::PART_MARK;
use media::{Kind, Packet, Role};

use super::head::Head;
use crate::DiskFile;

/// Read at once before the samples of a part: all that is there, as a rule.
const HEADS_BYTES: usize = 8 << 10;
/// Read at once of the samples of one track.
const SAMPLES_BYTES: usize = 256 << 10;
/// How much of a sample is looked at, as of a tag.
const LOOK_BYTES: usize = media::flv::scan::Scanner::HEAD_BYTES;
/// A message is at most so far behind the first byte of its part.
const BEHIND_MAX: u64 = 1 << 20;
/// What a part begins with: a size, and [`PART_MARK`].
const BEGIN_BYTES: usize = 4 + PART_MARK.len();

/// What comes next.
pub(super) enum Next {
    /// A message and its place.
    Message(u64, Message),
    /// Bytes that are no part.
    Damage,
    End,
}

pub(super) struct Parts {
    /// The ids of the tracks.
    tracks: Vec<u32>,
    first: u64,
    /// Where the next part begins.
    at: u64,
    /// Messages before this place are passed over.
    from: u64,
    messages: VecDeque<(u64, Message)>,
    /// What was read last, and where it stands.
    block: (u64, Bytes),
    /// The same of the samples of each track.
    samples: Vec<(u64, Vec<u8>)>,
    /// Tracks of which a frame was looked at.
    looked: Vec<(Kind, u8)>,
    is_over: bool,
}

impl Parts {
    /// Those of a file, from its first on.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn new(file: &mut dyn DiskFile, head: &Head) -> io::Result<Self> {
        let len = head.data_start.saturating_sub(head.tracks_at);
        let mut moov = vec![0; usize::try_from(len).unwrap_or_default()];
        file.read_at(head.tracks_at, &mut moov)?;
        let tracks = heads::tracks(&moov).unwrap_or_default();
        Ok(Self {
            samples: vec![(0, Vec::new()); tracks.len()],
            tracks,
            first: head.data_start,
            at: head.data_start,
            from: head.data_start,
            messages: VecDeque::new(),
            block: (0, Bytes::new()),
            looked: Vec::new(),
            is_over: false,
        })
    }

    /// Goes on with the first message at or behind `from`.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn seek(&mut self, file: &mut dyn DiskFile, from: u64) -> io::Result<()> {
        self.messages.clear();
        (self.from, self.is_over) = (from, false);
        self.at = if from <= self.first { self.first } else { self.begin(file, from)? };
        Ok(())
    }

    /// The first byte of the part that has a place; the place itself where there is none.
    fn begin(&mut self, file: &mut dyn DiskFile, place: u64) -> io::Result<u64> {
        let mut before = 0;
        while before < BEHIND_MAX {
            let start = place.saturating_sub(before).max(self.first);
            let len = usize::try_from(place - start).unwrap_or_default() + BEGIN_BYTES;
            let block = self.look(file, start, len)?;
            let block = block.get(..len).unwrap_or(&block);
            let mut marks = block.windows(PART_MARK.len()).skip(4);
            if let Some(at) = marks.rposition(|bytes| bytes == PART_MARK) {
                return Ok(start + at as u64);
            }
            before = (before * 4).max(HEADS_BYTES as u64);
        }
        Ok(place)
    }

    /// The next message. Of a file that is not whole, what is no part is one that is being written.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn next(&mut self, file: &mut dyn DiskFile, is_whole: bool) -> io::Result<Next> {
        loop {
            match self.messages.pop_front() {
                Some((place, _)) if place < self.from => {}
                Some((place, message)) => return Ok(Next::Message(place, message)),
                None if self.is_over => return Ok(Next::End),
                None if self.part(file)? => {}
                None if is_whole => return self.damage(file),
                None => self.is_over = true,
            }
        }
    }

    /// Reads a part. Returns false when there is none.
    fn part(&mut self, file: &mut dyn DiskFile) -> io::Result<bool> {
        let mut wanted = BEGIN_BYTES;
        let part = loop {
            let block = self.look(file, self.at, wanted)?;
            match heads::part(&block, self.at, &self.tracks) {
                heads::Found::Part(part) => break part,
                heads::Found::More(more) if block.len() >= wanted && more > wanted => wanted = more,
                heads::Found::Index => {
                    self.is_over = true;
                    return Ok(true);
                }
                heads::Found::More(_) | heads::Found::Fault(_) => return Ok(false),
            }
        };
        let end = self.at.saturating_add(part.size_bytes);
        // With that the next part is there as well.
        let last = self.look(file, end.saturating_sub(END_BYTES as u64), END_BYTES)?;
        if !last.get(..END_BYTES).is_some_and(heads::is_end) {
            return Ok(false);
        }
        self.messages.extend((self.at..).zip(part.messages));
        self.at = end;
        Ok(true)
    }

    /// Looks for the next part behind what is none.
    fn damage(&mut self, file: &mut dyn DiskFile) -> io::Result<Next> {
        let mut at = self.at + 1;
        if self.look(file, self.at, 1)?.is_empty() {
            self.is_over = true;
            return Ok(Next::End);
        }
        loop {
            let block = self.look(file, at, SAMPLES_BYTES)?;
            let mut marks = block.windows(PART_MARK.len()).skip(4);
            if let Some(mark) = marks.position(|bytes| bytes == PART_MARK) {
                self.at = at + mark as u64;
                return Ok(Next::Damage);
            }
            if block.len() < SAMPLES_BYTES {
                self.is_over = true;
                return Ok(Next::Damage);
            }
            at += (block.len() - BEGIN_BYTES) as u64;
        }
    }

    /// The bytes at a place: as many as are wanted, or more, or all that there are.
    fn look(&mut self, file: &mut dyn DiskFile, at: u64, wanted: usize) -> io::Result<Bytes> {
        let (start, block) = &self.block;
        let known = at.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
        let known = known.and_then(|at| block.get(at..)).filter(|known| known.len() >= wanted);
        if let Some(known) = known {
            return Ok(block.slice_ref(known));
        }
        let mut bytes = vec![0; wanted.max(HEADS_BYTES)];
        let read = file.read_at(at, &mut bytes)?;
        bytes.truncate(read);
        self.block = (at, bytes.into());
        Ok(self.block.1.clone())
    }

    /// A message as a packet. Of its samples only those come that are needed: all, those of a message
    /// of several tracks, or none.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn packet(
        &mut self,
        file: &mut dyn DiskFile,
        message: &Message,
        bodies: Bodies,
    ) -> io::Result<Packet> {
        match bodies {
            Bodies::Skip if message.is_plain() => Ok(message.head.clone()),
            _ => message.read(|span, body| self.read(file, span, usize::MAX, body)),
        }
    }

    /// Reads what tells of the codec, if nothing has yet: the beginning of the first key frame, or of
    /// the first sound, of each track.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn reveal(
        &mut self,
        file: &mut dyn DiskFile,
        packet: &mut Packet,
        spans: &[Span],
    ) -> io::Result<()> {
        let is_telling = matches!(
            (packet.kind, packet.role),
            (Kind::Video, Role::Key) | (Kind::Audio, Role::Frame)
        );
        let [before @ .., sample] = spans else { return Ok(()) };
        if matches!(sample.content, Content::Literal(_)) {
            // What is no sample of a track is all here.
            return Ok(());
        }
        let track = (packet.kind, packet.track);
        if !is_telling || self.looked.contains(&track) {
            return Ok(());
        }
        self.looked.push(track);
        let mut body = Vec::new();
        for span in before {
            match &span.content {
                Content::Literal(bytes) => body.extend_from_slice(bytes),
                Content::Sample { .. } => return Ok(()),
            }
        }
        self.read(file, sample, LOOK_BYTES, &mut body)?;
        packet.body = body.into();
        Ok(())
    }

    /// Appends at most so many bytes of a sample.
    fn read(
        &mut self,
        file: &mut dyn DiskFile,
        span: &Span,
        most: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Content::Sample { track, until } = span.content else { return Ok(()) };
        let len = span.len.min(most);
        let before = out.len();
        out.resize(before + len, 0);
        let room = out.get_mut(before..).unwrap_or_default();
        let whole = |read: usize| if read < len { Err(ended()) } else { Ok(()) };
        if len > SAMPLES_BYTES || most < span.len {
            return file.read_at(span.position, room).and_then(whole);
        }
        let Some((start, block)) = self.samples.get_mut(track) else { return Err(ended()) };
        let known = span.position.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
        let known = known.filter(|at| at.checked_add(len).is_some_and(|end| end <= block.len()));
        let at = match known {
            Some(at) => at,
            None => {
                let left = usize::try_from(until.saturating_sub(span.position));
                block.resize(left.unwrap_or(SAMPLES_BYTES).min(SAMPLES_BYTES), 0);
                let read = file.read_at(span.position, block)?;
                block.truncate(read);
                *start = span.position;
                0
            }
        };
        room.copy_from_slice(block.get(at..at + len).ok_or_else(ended)?);
        Ok(())
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends inside a part")
}
