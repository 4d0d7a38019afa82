//! Whether the recordings are what was sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use media::flv::scan::{Item, Tag};
use media::{Kind, Role};
use testkit::source::{AUDIO_CONFIG, Schedule, Slot, VIDEO_CONFIG};
use testkit::{SourceConfig, Stamp};

use crate::Result;
use crate::bank::Bank;

/// Differences that are told; more would not help.
const ERRORS_MAX: usize = 20;

/// Checks that the files are one recording of each stream: every frame bit for bit, once, in
/// order, at its time. `sent` is how many frames of which stream; `strict`: each codec
/// configuration is there once, not more often. Returns what is wrong.
pub(crate) fn recordings(
    files: &[PathBuf],
    config: &SourceConfig,
    bank: &Bank,
    sent: &BTreeMap<u32, u64>,
    strict: bool,
) -> Result<Vec<String>> {
    let mut errors = Vec::new();
    let mut found = BTreeMap::new();
    for path in files {
        let file = read(path, config, bank, strict)?;
        errors.extend(file.errors.iter().map(|error| format!("{}: {error}", path.display())));
        match file.stream {
            Some(stream) if found.insert(stream, file.frames).is_some() => {
                errors.push(format!("{}: stream {stream} has two recordings", path.display()));
            }
            Some(_) => {}
            None => errors.push(format!("{}: has no frame", path.display())),
        }
    }
    for (stream, frames) in sent {
        let recorded = found.get(stream).copied().unwrap_or(0);
        if recorded != *frames {
            errors.push(format!("stream {stream}: {recorded} of {frames} frames recorded"));
        }
    }
    errors.truncate(ERRORS_MAX);
    Ok(errors)
}

/// Deletes the files.
pub(crate) fn delete(files: &[PathBuf]) -> Result<()> {
    files.iter().try_for_each(|path: &PathBuf| Ok(std::fs::remove_file(path)?))
}

/// The recordings in a directory.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "flv") {
            files.push(path);
        }
    }
    Ok(files)
}

struct File<'a> {
    bank: &'a Bank,
    schedule: Schedule,
    stream: Option<u32>,
    frames: u64,
    configs: u64,
    /// Frames that are not there, and before how many of those that are.
    missing: (u64, u64),
    errors: Vec<String>,
}

fn read<'a>(path: &Path, config: &SourceConfig, bank: &'a Bank, strict: bool) -> Result<File<'a>> {
    let mut file = File {
        bank,
        schedule: Schedule::new(config),
        stream: None,
        frames: 0,
        configs: 0,
        missing: (0, 0),
        errors: Vec::new(),
    };
    testkit::flv::scan(path, |item| match item {
        Item::Header(_) => {}
        Item::Tag(tag) => file.see(&tag),
        Item::Fault(fault) => file.wrong(fault.offset, &fault.kind.to_string()),
    })?;
    let configs = u64::from(config.video_kbps > 0) + u64::from(config.audio_kbps > 0);
    if file.configs < configs || strict && file.configs > configs {
        file.errors.push(format!("{} codec configurations, not {configs}", file.configs));
    }
    if let (frames @ 1.., gaps) = file.missing {
        file.errors.push(format!("{frames} frames are missing in {gaps} gaps"));
    }
    Ok(file)
}

impl File<'_> {
    fn wrong(&mut self, offset: u64, what: &str) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(format!("at byte {offset}: {what}"));
        }
    }

    fn see(&mut self, tag: &Tag) {
        let packet = &tag.packet;
        match (packet.kind, packet.role) {
            (Kind::Data, _) => {}
            (kind, Role::Config) => {
                let expected = if kind == Kind::Video { VIDEO_CONFIG } else { AUDIO_CONFIG };
                self.configs += 1;
                if packet.body != expected {
                    self.wrong(tag.offset, "another codec configuration");
                }
            }
            _ => self.see_frame(tag),
        }
    }

    fn see_frame(&mut self, tag: &Tag) {
        let packet = &tag.packet;
        self.frames += 1;
        let Some(slot) = self.next_slot(tag) else { return };
        let stamp = self.bank.read(&slot, &packet.body).filter(|_| packet.kind == slot.kind);
        let is_next = stamp.is_some_and(|stamp| {
            stamp.sequence == slot.sequence
                && stamp.stream == *self.stream.get_or_insert(stamp.stream)
        });
        if !is_next {
            self.wrong(tag.offset, &format!("not frame {} as it was sent", slot.sequence));
        } else if i64::from(tag.header.timestamp_ms) != slot.dts_ms() {
            let time_ms = tag.header.timestamp_ms;
            self.wrong(tag.offset, &format!("at {time_ms} ms, not at {}", slot.dts_ms()));
        }
    }

    /// The slot of this tag: the next one, or, behind a gap, the one that its stamp names.
    fn next_slot(&mut self, tag: &Tag) -> Option<Slot> {
        let slot = self.schedule.next()?;
        let Ok(stamp) = Stamp::read(&tag.packet.body) else { return Some(slot) };
        let missing = stamp.sequence.saturating_sub(slot.sequence);
        let Some(between) = missing.checked_sub(1) else { return Some(slot) };
        self.missing = (self.missing.0 + missing, self.missing.1 + 1);
        self.schedule.nth(usize::try_from(between).ok()?)
    }
}
