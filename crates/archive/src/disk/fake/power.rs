//! What a power cut leaves of a disk: of what was not synced, some of the bytes and some of the names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is on a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) dirs: Vec<PathBuf>,
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
}

/// A change to a file's bytes.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Append(Vec<u8>),
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// What a call did.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    MakeDir(PathBuf),
    Create(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    SyncDir(PathBuf),
    Change(usize, Change),
    Sync(usize),
}

/// What was done to a disk, each with the number of calls up to it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    base: Image,
    done: Vec<(usize, Done)>,
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Kept,
    /// All kept, but of the last change to each file so much.
    Torn(Tear),
    /// Each change is lost, kept or torn, one like the other; what is lost before a kept one reads
    /// as zeros.
    Scattered(u64),
    /// Each page of a file is as it was or as it should be.
    Pages(u64),
}

/// How much of a change is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tear {
    OneByte,
    Half,
    Page,
    AllButOne,
}

const PAGE: usize = 4_096;

impl Change {
    pub(crate) fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Append(bytes) => file.extend_from_slice(bytes),
            Self::Write(at, bytes) => write(file, *at, bytes),
            Self::Truncate(len) => file.truncate(*len),
        }
    }
}

/// Writes, with zeros before it where the file is shorter.
fn write(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A file: what is durable, and what was done since, appends at the place they were made.
#[derive(Default)]
struct File {
    durable: Vec<u8>,
    now: Vec<u8>,
    pending: Vec<Change>,
}

impl File {
    fn change(&mut self, change: &Change) {
        let at = self.now.len();
        change.apply(&mut self.now);
        self.pending.push(match change {
            Change::Append(bytes) => Change::Write(at, bytes.clone()),
            other => other.clone(),
        });
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.now);
        self.pending.clear();
    }

    fn cut(&self, fate: Fate, luck: &mut Luck) -> Vec<u8> {
        let mut file = self.durable.clone();
        match fate {
            Fate::Lost => {}
            Fate::Kept => file.clone_from(&self.now),
            Fate::Torn(tear) => {
                let Some((last, before)) = self.pending.split_last() else { return file };
                before.iter().for_each(|change| change.apply(&mut file));
                tear_change(last, tear).apply(&mut file);
            }
            Fate::Scattered(_) => {
                for change in &self.pending {
                    match luck.below(4) {
                        0 => {}
                        1 | 2 => change.apply(&mut file),
                        _ => tear_at(change, |len| luck.below(len + 1)).apply(&mut file),
                    }
                }
            }
            Fate::Pages(_) => {
                let len = [self.durable.len(), self.now.len()][luck.below(2)];
                file.resize(len, 0);
                for at in (0..len.min(self.now.len())).step_by(PAGE) {
                    let end = (at + PAGE).min(len).min(self.now.len());
                    if luck.below(3) > 0 {
                        file[at..end].copy_from_slice(&self.now[at..end]);
                    }
                }
            }
        }
        file
    }
}

fn tear_change(change: &Change, tear: Tear) -> Change {
    tear_at(change, |len| match tear {
        Tear::OneByte => 1,
        Tear::Half => len / 2,
        Tear::Page => PAGE,
        Tear::AllButOne => len.saturating_sub(1),
    })
}

/// A truncation is done whole.
fn tear_at(change: &Change, kept: impl FnOnce(usize) -> usize) -> Change {
    match change {
        Change::Write(at, bytes) => {
            let kept = kept(bytes.len()).min(bytes.len());
            Change::Write(*at, bytes[..kept].to_owned())
        }
        other => other.clone(),
    }
}

impl History {
    pub(crate) fn new(base: Image) -> Self {
        Self { base, done: Vec::new() }
    }

    pub(crate) fn note(&mut self, calls: usize, done: Done) {
        self.done.push((calls, done));
    }

    /// What is on the disk when the power fails after so many calls.
    pub(crate) fn cut(&self, calls: usize, fate: Fate) -> Image {
        let seed = match fate {
            Fate::Scattered(seed) | Fate::Pages(seed) => seed,
            _ => 0,
        };
        let mut luck = Luck(seed.wrapping_mul(0x9e37_79b9).wrapping_add(calls as u64));
        let mut files: Vec<File> = Vec::new();
        for contents in self.base.files.values() {
            let (durable, now) = (contents.clone(), contents.clone());
            files.push(File { durable, now, pending: Vec::new() });
        }
        let mut dirs = self.base.dirs.clone();
        let mut names: BTreeMap<PathBuf, usize> =
            self.base.files.keys().cloned().zip(0..).collect();
        let mut renames: Vec<&Done> = Vec::new();
        for (_, done) in self.done.iter().take_while(|(at, _)| *at <= calls) {
            match done {
                Done::MakeDir(dir) => dirs.push(dir.clone()),
                Done::Create(_, number) => {
                    files.resize_with(*number + 1, File::default);
                    renames.push(done);
                }
                Done::Remove(_) | Done::Rename(..) => renames.push(done),
                Done::SyncDir(dir) => renames.retain(|done| {
                    let is_synced = done.is_in(dir);
                    if is_synced {
                        done.apply(&mut names);
                    }
                    !is_synced
                }),
                Done::Change(number, change) => files[*number].change(change),
                Done::Sync(number) => files[*number].sync(),
            }
        }
        let kept = match fate {
            Fate::Lost => 0,
            Fate::Kept => renames.len(),
            _ => luck.below(renames.len() + 1),
        };
        renames[..kept].iter().for_each(|done| done.apply(&mut names));
        let files = names.into_iter().map(|(path, n)| (path, files[n].cut(fate, &mut luck)));
        Image { dirs, files: files.collect() }
    }
}

impl Done {
    fn is_in(&self, dir: &Path) -> bool {
        let is_in = |path: &Path| path.parent() == Some(dir);
        match self {
            Self::Create(path, _) | Self::Remove(path) => is_in(path),
            Self::Rename(from, to) => is_in(from) || is_in(to),
            _ => false,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, number) => drop(names.insert(path.clone(), *number)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to) => {
                let number = names.remove(from).unwrap();
                names.insert(to.clone(), number);
            }
            _ => {}
        }
    }
}

/// Random numbers, the same in every run.
struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from((self.0 >> 33) % limit.max(1) as u64).unwrap()
    }
}
