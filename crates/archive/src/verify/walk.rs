//! The facts of a file, from its bytes.

use media::amf0::Value;
use media::flv::probe::{IndexCheck, Probe};
use media::flv::scan::{Bodies, Item, Tag};
use media::mp4::mux::Check;
use media::tags::Reader;

use super::{File, State};
use crate::ledger::{find, whole};
use crate::segment::{is_cut_off, length_ms};
use crate::{About, Amount, Hash, Ledger};

/// Reads one file, piece by piece, from its first byte to its last.
#[derive(Debug)]
pub struct Walk {
    reader: Reader,
    /// Of MP4 whether its index is what its parts say.
    index: Check,
    probe: Probe,
    hasher: blake3::Hasher,
    is_past_first: bool,
    tags: Amount,
    /// Sizes of the first tags: more than a header has packets.
    first: Vec<u64>,
}

/// Most configurations that a segment can begin with: one of each kind and track.
const FIRST_MAX: usize = 1_024;

impl Walk {
    /// At the first byte.
    pub fn new() -> Self {
        Self {
            reader: Reader::new(Bodies::Skip),
            index: Check::new(),
            probe: Probe::new(),
            hasher: blake3::Hasher::new(),
            is_past_first: false,
            tags: Amount::default(),
            first: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.reader.push(bytes);
        self.index.push(bytes);
        self.drain();
    }

    /// The facts of the file, which ends here.
    pub fn finish(mut self, name: String) -> File {
        self.reader.finish();
        self.drain();
        let report = self.probe.finish();
        let number = |name| find(&report.metadata, name).and_then(Value::as_f64);
        let is_complete = find(&report.metadata, "complete") == Some(&Value::Boolean(true));
        let ledger = Ledger::from_properties(&report.metadata);
        let repeated = ledger.as_ref().map_or(0, |ledger| ledger.repeated_packets);
        let repeated = usize::try_from(repeated).unwrap_or(usize::MAX);
        let (mut fault_count, first) = (report.fault_count, report.faults.first());
        let mut fault = first.map(|fault| format!("{} at byte {}", fault.kind, fault.offset));
        if let IndexCheck::Wrong { entries, wrong } = report.index {
            fault_count += 1;
            fault.get_or_insert(format!("{wrong} of {entries} entries of its index are wrong"));
        }
        let wrong = self.index.finish().filter(|_| self.reader.is_mp4() && is_complete);
        // Where the parts have a fault that is why.
        if let Some(offset) = wrong.filter(|_| fault.is_none()) {
            fault_count += 1;
            fault = Some(format!("its index is not what its parts say, at byte {offset}"));
        }
        File {
            name,
            size_bytes: self.reader.position(),
            state: if is_complete { State::Complete } else { State::Unfinished },
            about: About::from_properties(&report.metadata),
            ledger,
            declared_bytes: number("filesize").map(whole),
            length_ms: length_ms(&report.metadata),
            is_cut_off: is_cut_off(&report.metadata),
            tags: self.tags,
            repeated: self
                .first
                .iter()
                .take(repeated)
                .fold(Amount::default(), |sum, &bytes| sum + Amount { packets: 1, bytes }),
            fault,
            fault_count,
            hash: Hash(self.hasher.finalize().into()),
            claims: Vec::new(),
            last_known: 0,
        }
    }

    fn drain(&mut self) {
        while let Some(item) = self.reader.poll() {
            self.probe.push(&item);
            if let Item::Tag(tag) = item {
                self.count(&tag);
            }
        }
    }

    fn count(&mut self, tag: &Tag) {
        if !std::mem::replace(&mut self.is_past_first, true) {
            return;
        }
        let bytes = tag.header.size.into();
        self.tags += Amount { packets: 1, bytes };
        if self.first.len() < FIRST_MAX {
            self.first.push(bytes);
        }
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}
