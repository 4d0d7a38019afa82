//! Every recording that is over is verified, and its frames are compared with what was sent. Then it
//! is marked as copied, so that retention may delete it: nothing goes that was not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::Kind;
use media::flv::scan::Item;
use serde_json::Value;
use testkit::source::StampError;
use testkit::{Stamp, flv, tools};

use crate::Result;
use crate::books::Books;
use crate::stage::Stage;

/// Recordings that one run of the command looks at.
const AT_ONCE: usize = 50;
/// Longest that the command may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Recordings of a page.
const PAGE: usize = 1_000;
/// Pages that are read at most: that many recordings are not kept.
const PAGES_MAX: usize = 100;

/// What the API says of a recording that is over.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) is_weak: bool,
    /// Whether it has files: none could be made while its disk failed, or it has some.
    pub(crate) has_files: bool,
    /// Whether its books say that it lacks something, wherever.
    is_lacking: bool,
}

/// What is judged when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// While the server runs: what its disk did not let end, the next start ends.
    Running,
    /// After that start.
    Last,
}

/// Looks at recordings.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Those that were looked at and are still there.
    done: BTreeSet<String>,
    /// Those that the next start has to end.
    later: BTreeSet<String>,
    /// How many there are.
    pub(crate) known: u64,
}

impl Audit {
    /// Looks at those that are new.
    pub(crate) fn turn(&mut self, stage: &Stage, books: &Books) -> Result<()> {
        let all = known(stage)?;
        self.known = u64::try_from(all.len()).unwrap_or(0);
        self.done.retain(|id| all.contains_key(id));
        let new: Vec<_> = all.into_iter().filter(|(id, _)| !self.done.contains(id)).collect();
        for some in new.chunks(AT_ONCE) {
            let later = stage.weak.while_well(|| look(stage, books, some, Pass::Running))?;
            self.later.extend(later);
            self.done.extend(some.iter().map(|(id, _)| id.clone()));
        }
        Ok(())
    }

    /// Whether a recording was looked at.
    pub(crate) fn has_seen(&self, id: &str) -> bool {
        self.done.contains(id)
    }

    /// Looks once more at those that the server had to end when it was started again.
    pub(crate) fn last_turn(&mut self, stage: &Stage, books: &Books) -> Result<()> {
        let later = std::mem::take(&mut self.later);
        books.add("recordings ended by the next start", u64::try_from(later.len()).unwrap_or(0));
        let all = known(stage)?;
        let some: Vec<_> = all.into_iter().filter(|(id, _)| later.contains(id)).collect();
        look(stage, books, &some, Pass::Last)?;
        self.turn(stage, books)
    }
}

/// Recordings that are over and whose files are there.
pub(crate) fn known(stage: &Stage) -> Result<BTreeMap<String, Known>> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let path = format!(
            "/api/v1/recordings?state=complete&state=interrupted&order=oldest&limit={PAGE}{after}"
        );
        let answer = stage.api().get(&path);
        if answer.status != 200 {
            return Err(
                format!("recordings are not told: {}: {}", answer.status, answer.text()).into()
            );
        }
        let page = answer.json();
        for recording in page.get("recordings").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| recording.get(name).and_then(Value::as_str).unwrap_or_default();
            let dropped = recording.pointer("/ledger/dropped/packets").and_then(Value::as_u64);
            let known = Known {
                is_weak: text("recorder").starts_with("weak-"),
                has_files: has_files(recording),
                is_lacking: dropped.is_some_and(|packets| packets > 0),
            };
            all.insert(text("id").to_owned(), known);
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(all),
        }
    }
    Err("there are too many recordings".into())
}

/// Whether it is said to have files.
pub(crate) fn has_files(recording: &Value) -> bool {
    recording.get("segments").and_then(Value::as_u64) != Some(0)
}

/// Where the files of a recording are.
fn folder(stage: &Stage, id: &str, is_weak: bool) -> PathBuf {
    if is_weak { stage.weak.dir().join(id) } else { stage.well().join(id) }
}

/// Looks at some; returns those that are for the next start.
fn look(stage: &Stage, books: &Books, some: &[(String, Known)], pass: Pass) -> Result<Vec<String>> {
    let mut later = Vec::new();
    let mut found = Vec::new();
    for (id, known) in some {
        let folder = folder(stage, id, known.is_weak);
        match files(&folder)? {
            files if files.is_empty() && known.is_weak && known.is_lacking => {
                books.count("recordings without a file on the weak disk");
            }
            files if files.is_empty() => {
                books.problem(format!("recording {id} has no file in {}", folder.display()));
            }
            files => found.push((id, known, folder, files)),
        }
    }
    if found.is_empty() {
        return Ok(later);
    }
    let report = verify(stage, found.iter().map(|(_, _, folder, _)| folder.as_path()))?;
    let proofs = proofs(&report);
    for (id, known, _, files) in found {
        let proof = proofs.get(id.as_str()).copied().unwrap_or(&Value::Null);
        if known.is_weak && pass == Pass::Running && is_unfinished(proof) {
            later.push(id.clone());
            continue;
        }
        books.count("recordings verified");
        let is_lacking = is_lacking(proof);
        match proof.get("verdict").and_then(Value::as_str) {
            Some("whole" | "partial") if !is_lacking => {}
            Some("partial") if known.is_weak => books.count("recordings with losses that are told"),
            _ => {
                books.problem(format!("recording {id} is not proven: {proof}"));
                keep(&stage.evidence().join(id), &files)?;
            }
        }
        // What the next start has ended it has told in its log, as after a power cut.
        compare(books, id, is_lacking || known.is_lacking || pass == Pass::Last, &files)?;
        for file in files {
            let copied = std::fs::write(file.with_added_extension("copied"), "");
            copied.map_err(|error| format!("{}.copied: {error}", file.display()))?;
        }
    }
    Ok(later)
}

/// Whether there is nothing wrong with it but that files were not ended.
fn is_unfinished(proof: &Value) -> bool {
    let unfinished = |segment: &Value| {
        let name =
            segment.get("file").filter(|_| segment.get("state") == Some(&"unfinished".into()));
        name.cloned()
    };
    let segments = proof.get("segments").and_then(Value::as_array).into_iter().flatten();
    let files: Vec<_> = segments.filter_map(unfinished).collect();
    let problems = proof.get("problems").and_then(Value::as_array);
    let is_of_them = |problem: &Value| problem.get("file").is_some_and(|file| files.contains(file));
    !files.is_empty() && problems.is_some_and(|problems| problems.iter().all(is_of_them))
}

/// Keeps what somebody has to look at.
fn keep(to: &Path, files: &[PathBuf]) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for file in files {
        std::fs::copy(file, to.join(file.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// Whether something is missing, other than because its publisher was away.
fn is_lacking(proof: &Value) -> bool {
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let is_away = |missing: &Value| {
        missing.pointer("/gap/reason").and_then(Value::as_str) == Some("publisher away")
            && missing.pointer("/gap/packets_dropped").and_then(Value::as_u64) == Some(0)
    };
    let gaps = proof.get("gaps").and_then(Value::as_array);
    !gaps.is_some_and(|gaps| gaps.iter().all(is_away))
        || ["segments_not_given_before", "segments_not_given_after", "gaps_unlisted"]
            .iter()
            .any(|name| number(proof, name) > 0)
}

/// The files of a recording, in their order; none when the folder is not there.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_media = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ["flv", "mp4"].iter().any(|known| ending == *known))
    };
    let mut files: Vec<_> = paths.into_iter().filter(is_media).collect();
    files.sort();
    Ok(files)
}

/// What `rtmp-server verify` says.
pub(crate) fn verify<'a>(stage: &Stage, paths: impl Iterator<Item = &'a Path>) -> Result<Value> {
    let mut command = Command::new(stage.program());
    let output = tools::run(command.args(["verify", "-json"]).args(paths), TIMEOUT);
    let report = serde_json::from_slice(&output.stdout);
    Ok(report.map_err(|error| format!("verify said no JSON: {error}: {}", output.stderr))?)
}

/// The proof of each recording.
fn proofs(report: &Value) -> BTreeMap<&str, &Value> {
    let recordings = report.get("recordings").and_then(Value::as_array);
    let named = |recording| Some((Value::get(recording, "recording")?.as_str()?, recording));
    recordings.into_iter().flatten().filter_map(named).collect()
}

/// What a recording has of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    next: u64,
    missing: u64,
}

/// Compares the frames of a recording with what was sent. One that `is_lacking` says that it is.
fn compare(books: &Books, id: &str, is_lacking: bool, files: &[PathBuf]) -> Result<()> {
    let mut runs: BTreeMap<u32, Found> = BTreeMap::new();
    for file in files {
        if file.extension().is_some_and(|ending| ending == "mp4") {
            books.count("files of MP4 compared with what was sent");
        }
        let mut wrong = None;
        flv::scan(file, |item| match item {
            Item::Tag(tag) if tag.packet.kind != Kind::Data => {
                if let Err(what) = note(&mut runs, &tag.packet.body) {
                    wrong.get_or_insert(what);
                }
            }
            Item::Fault(fault) => drop(wrong.get_or_insert(fault.kind.to_string())),
            Item::Tag(_) | Item::Header(_) => {}
        })
        .map_err(|error| format!("{}: {error}", file.display()))?;
        if let Some(what) = wrong {
            books.problem(format!("{}: {what}", file.display()));
        }
    }
    for (number, Found { next, missing }) in runs {
        books.add("frames found in recordings", next - missing);
        let Some(run) = books.take(number) else {
            books.problem(format!("recording {id} has run {number} once more, or of nobody"));
            continue;
        };
        let lost = missing + run.frames.saturating_sub(next);
        let is_torn = !run.is_whole();
        if next > run.frames && !is_torn {
            books.problem(format!("recording {id} has {next} of {} frames", run.frames));
        }
        if missing > 0 || lost > 0 && !is_torn {
            books.add("frames lost on the weak disk", lost);
            if !is_lacking {
                books.problem(format!(
                    "recording {id} lacks {lost} of {} frames of run {number}, and does not say so",
                    run.frames
                ));
            }
        }
    }
    Ok(())
}

/// Notes a frame of a recording.
fn note(runs: &mut BTreeMap<u32, Found>, body: &[u8]) -> std::result::Result<(), String> {
    let stamp = match Stamp::read(body) {
        Ok(stamp) => stamp,
        // A configuration.
        Err(StampError::Missing) => return Ok(()),
        Err(StampError::Checksum) => return Err("a frame is not as it was sent".to_owned()),
    };
    let run = runs.entry(stamp.stream).or_insert(Found { next: 0, missing: 0 });
    let skipped = stamp.sequence.checked_sub(run.next);
    run.missing += skipped.ok_or_else(|| format!("frame {} is there again", stamp.sequence))?;
    run.next = stamp.sequence + 1;
    Ok(())
}
