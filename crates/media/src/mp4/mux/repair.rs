//! Mends MP4 recordings of this server, torn and damaged ones: the bytes of a file in, the bytes of a
//! sound one out, and a list of what was wrong.
//!
//! Every message of every whole part is in the new file, in its order, bit for bit and at its time;
//! what is
//! behind more than an hour of damage moves up to it, as behind a jump of a publisher's clock.
//! What is no whole part is not carried over, and is a gap in the new file; the old one still has it.

use std::mem;

use bytes::Bytes;

use super::restore::Said;
use super::{Check, Muxer, Options};
use crate::amf0::Value;
use crate::flv::meta;
use crate::flv::mux::{COMPLETE, is_of_files, split_identity};
use crate::flv::probe::Probe;
use crate::flv::repair::{Lost, Mend, Repaired, Summary};
use crate::mp4::scan::{FaultKind, Item, Part, Scanner};
use crate::mp4::tags::Tagger;
use crate::mp4::{BOX_HEAD, reread};
use crate::time::{Placed, Rebase};
use crate::{Chunks, Packet};

/// Mends one file. In memory are a part, and what the index says of all samples, twice.
#[derive(Debug)]
pub struct Repair {
    scanner: Scanner,
    check: Check,
    tagger: Tagger,
    probe: Probe,
    script: Option<Bytes>,
    muxer: Option<Muxer>,
    rebase: Rebase,
    /// Messages of a part whose end has not come.
    open: Vec<Packet>,
    damage: Option<Damage>,
    has_index: bool,
    file_bytes: u64,
    summary: Summary,
}

/// A stretch of the file that is not whole.
#[derive(Debug, Clone, Copy)]
struct Damage {
    offset: u64,
    /// What the last place in it is where there could have been a part.
    newest: FaultKind,
}

impl Repair {
    /// A repair at the start of a file.
    pub fn new() -> Self {
        Self {
            scanner: Scanner::searching(),
            check: Check::new(),
            tagger: Tagger::default(),
            probe: Probe::new(),
            script: None,
            muxer: None,
            rebase: Rebase::from_ms(0),
            open: Vec::new(),
            damage: None,
            has_index: false,
            file_bytes: 0,
            summary: Summary::default(),
        }
    }

    /// Takes the next bytes of the file, and puts out those of the new one that follow from them.
    pub fn push(&mut self, bytes: &[u8], out: &mut Chunks) {
        self.file_bytes += crate::mp4::size(bytes.len());
        self.check.push(bytes);
        self.scanner.push(bytes);
        self.drain(out);
    }

    /// The end of the old file. `None` when nothing in it says which tracks it has: it is no
    /// recording of this server, or its beginning is lost.
    pub fn finish(mut self, out: &mut Chunks) -> Option<Repaired> {
        self.scanner.finish();
        self.drain(out);
        let mut muxer = self.muxer.take()?;
        muxer.finish(out);
        if let Some(damage) = self.damage.take() {
            let (mend, until) = match damage.newest {
                FaultKind::TornIndex => (Mend::Samples, damage.offset),
                _ if self.has_index => (Mend::Garbage, self.file_bytes),
                FaultKind::Torn => (Mend::CutPart, self.file_bytes),
                _ => (Mend::Part, self.file_bytes),
            };
            self.summary.mend(mend, damage.offset, until - damage.offset);
        }
        let report = self.probe.finish();
        let says = |(name, value): &(_, _)| name == COMPLETE && *value == Value::Boolean(true);
        let wrong = self.check.finish().filter(|_| report.metadata.iter().any(says));
        if let Some(at) = wrong.filter(|_| !self.summary.mends.contains_key(&Mend::Samples)) {
            self.summary.mend(Mend::Samples, at, 0);
        }
        self.summary.compare(&report, muxer.duration_ms(), muxer.index.is_enough());
        let (patches, complete) = (muxer.patches(), muxer.complete_patch());
        Some(Repaired { patches, complete, summary: self.summary })
    }

    fn drain(&mut self, out: &mut Chunks) {
        while let Some(item) = self.scanner.poll() {
            match &item {
                Item::Script(script) => self.script = Some(script.clone()),
                Item::Init(moov) => self.begin(moov),
                Item::Packet(packet) => self.open.push(packet.clone()),
                Item::Part(part) => self.part(*part, out),
                Item::Index { .. } => self.has_index = true,
                Item::Fault(fault) => {
                    let offset = self.scanner.whole_until();
                    let newest = fault.kind;
                    self.damage.get_or_insert(Damage { offset, newest }).newest = newest;
                }
            }
            self.tagger.push(item);
            while let Some(item) = self.tagger.poll() {
                self.probe.push(&item);
            }
        }
    }

    /// The tracks are known.
    fn begin(&mut self, moov: &Bytes) {
        if self.muxer.is_some() {
            return;
        }
        if let Some(damage) = self.damage.take() {
            self.summary.mend(Mend::FileHeader, damage.offset, 0);
        }
        let script = self.script.take();
        let read = script.as_deref().and_then(meta::readable_properties);
        match &read {
            None => self.summary.mend(Mend::NoMetadata, 0, 0),
            Some((_, false)) => self.summary.mend(Mend::BrokenMetadata, 0, 0),
            Some((_, true)) => {}
        }
        let mut extra = read.unwrap_or_default().0;
        let identity = split_identity(&mut extra);
        extra.retain(|(name, _)| !is_of_files(name) && !OWN.contains(&name.as_str()));
        let Some(movie) = moov.get(BOX_HEAD..).and_then(reread::movie) else { return };
        let reserve_bytes = script.as_ref().map_or(Options::default().reserve_bytes, Bytes::len);
        let said = script.as_deref().map(Said::of).unwrap_or_default();
        self.muxer = Some(said.muxer(movie, Options { reserve_bytes, identity, extra }));
    }

    /// A whole part.
    fn part(&mut self, part: Part, out: &mut Chunks) {
        let packets = mem::take(&mut self.open);
        let Some(mut muxer) = self.muxer.take() else { return };
        if let Some(damage) = self.damage.take() {
            self.summary.mend(Mend::Part, damage.offset, part.offset - damage.offset);
            let at_ms = muxer.duration_ms();
            let times = packets.iter().filter(|packet| packet.is_media());
            let next_ms = times.map(|packet| packet.dts_ms.unsigned_abs()).min();
            let length_ms = next_ms.unwrap_or(at_ms).saturating_sub(at_ms);
            if self.summary.lost.len() < Summary::LOST_MAX {
                self.summary.lost.push(Lost { at_ms, length_ms });
            }
        }
        for packet in packets {
            self.summary.of(packet.kind).found += 1;
            let Placed { time_ms, is_late, is_jump } = match packet.is_media() {
                true => self.rebase.place(&packet),
                false => Placed { time_ms: packet.dts_ms.unsigned_abs(), ..Placed::default() },
            };
            let is_refused = muxer.push(&packet, time_ms, out).is_err();
            self.summary.of(packet.kind).written += u64::from(!is_refused);
            let told =
                [(Mend::TimeBack, is_late), (Mend::TimeJump, is_jump), (Mend::Full, is_refused)];
            for (mend, _) in told.into_iter().filter(|(_, is_so)| *is_so) {
                self.summary.mend(mend, part.offset, 0);
            }
        }
        muxer.flush(out);
        self.muxer = Some(muxer);
    }
}

impl Default for Repair {
    fn default() -> Self {
        Self::new()
    }
}

/// What a muxer says itself, whatever it is given.
const OWN: [&str; 5] = ["hasVideo", "hasAudio", super::CODECS, super::SHOWN[0], super::SHOWN[1]];
