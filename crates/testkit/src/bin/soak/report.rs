//! What is left when all are gone, beside what was there before; as a table and for programs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::tools;

use crate::Result;
use crate::audit::{self, Audit, files};
use crate::books::{Books, Counts};
use crate::options::Options;
use crate::plot;
use crate::sample::{Sample, csv, mib};
use crate::stage::Stage;

/// The allocator keeps what the busiest moment needed in pieces of several threads, and the busiest
/// moment of a long round is above that of a short one: so much more than after warming up is no
/// leak. One of 100 bytes a message would be more than that in a minute.
const MEMORY_RATIO: u64 = 4;
const MEMORY_BYTES: u64 = 16 << 20;
/// Longest that the catalog may be behind the files, and between two looks.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);
/// Longest that a command of the server may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A server that nobody uses.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) sample: Sample,
    /// What its descriptors are open on.
    pub(crate) descriptors: Vec<String>,
}

/// What is asked at the end, and the answer.
#[derive(Debug)]
struct Check {
    name: &'static str,
    is_good: bool,
    text: String,
}

/// What a soak came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    options: Options,
    seed: u64,
    samples: Vec<Sample>,
    marks: [(Duration, &'static str); 2],
    before: Rest,
    after: Rest,
    checks: Vec<Check>,
    counts: Counts,
    problems: Vec<String>,
    /// Warnings and errors of the server.
    log: String,
}

impl Outcome {
    pub(crate) fn new(
        options: &Options,
        seed: u64,
        samples: Vec<Sample>,
        marks: [(Duration, &'static str); 2],
        before: Rest,
        after: Rest,
    ) -> Self {
        let options = options.clone();
        let (checks, counts, problems, log) = Default::default();
        Self { options, seed, samples, marks, before, after, checks, counts, problems, log }
    }

    fn check(&mut self, name: &'static str, is_good: bool, text: String) {
        self.checks.push(Check { name, is_good, text });
    }

    pub(crate) fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.is_good)
    }
}

/// Looks at what is left, and stops the server.
pub(crate) fn judge(
    stage: &mut Stage,
    audit: &mut Audit,
    books: &Books,
    mut outcome: Outcome,
) -> Result<Outcome> {
    resources(&mut outcome);
    let dirs = [stage.well(), stage.weak.dir().to_owned()];
    catalog(stage, &dirs, &mut outcome)?;
    log(stage, &mut outcome);
    stop(stage, &mut outcome);
    keep_log(stage, &mut outcome);
    // Files that a disk has left unfinished at the end of their recording are for the next start.
    stage.restart()?;
    recovered(stage, &dirs)?;
    audit.last_turn(stage, books)?;
    log(stage, &mut outcome);
    stop(stage, &mut outcome);
    keep_log(stage, &mut outcome);
    let given = dirs.iter().map(PathBuf::as_path).filter(|dir| dir.exists());
    let found = problems(&audit::verify(stage, given)?, audit);
    let text = format!("{} problems: {found:?}", found.len());
    outcome.check("everything left verifies", found.is_empty(), text);
    rebuild(stage, &dirs, &mut outcome)?;
    let never: Vec<_> = books
        .left()
        .into_iter()
        .filter(|(_, run)| {
            let is_weak = run.place.is_some_and(crate::plan::Place::is_weak);
            run.is_whole() && run.frames > 0 && !is_weak
        })
        .collect();
    outcome.check(
        "every publish is recorded",
        never.is_empty(),
        format!("{} are not: {never:?}", never.len()),
    );
    (outcome.counts, outcome.problems) = (books.counts(), books.problems());
    let (count, first) = (outcome.problems.len(), outcome.problems.first().cloned());
    outcome.check(
        "nothing went wrong",
        count == 0,
        first.unwrap_or_else(|| "no problem".to_owned()),
    );
    Ok(outcome)
}

/// What the server knows is what is there. Retention may be at work.
fn catalog(stage: &Stage, dirs: &[PathBuf], outcome: &mut Outcome) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let known = audit::known(stage)?.into_iter().filter(|(_, known)| known.has_files);
        let known: BTreeSet<_> = known.map(|(id, _)| id).collect();
        let (folders, _) = folders(dirs)?;
        let without: Vec<_> = known.symmetric_difference(&folders).cloned().collect();
        if without.is_empty() || Instant::now() >= deadline {
            let text = format!("{} recordings, not in both: {without:?}", known.len());
            outcome.check("catalog = files", without.is_empty(), text);
            return Ok(());
        }
        thread::sleep(POLL);
    }
}

/// Waits until the server has ended what was not. Retention takes files away meanwhile.
fn recovered(stage: &Stage, dirs: &[PathBuf]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let given = dirs.iter().map(PathBuf::as_path).filter(|dir| dir.exists());
        let report = audit::verify(stage, given)?;
        let segments =
            |recording: &Value| recording.get("segments").and_then(Value::as_array).cloned();
        let recordings = report.get("recordings").and_then(Value::as_array).into_iter().flatten();
        let mut segments = recordings.filter_map(segments).flatten();
        let is_complete = |s: Value| s.get("state").and_then(Value::as_str) == Some("complete");
        if segments.all(is_complete) || Instant::now() >= deadline {
            return Ok(());
        }
        thread::sleep(POLL);
    }
}

/// Memory, threads and descriptors as they were.
fn resources(outcome: &mut Outcome) {
    let (before, after) = (&outcome.before, &outcome.after);
    let new: Vec<_> = after
        .descriptors
        .iter()
        .filter(|open| !before.descriptors.contains(open))
        .cloned()
        .collect();
    let (before, after) = (before.sample.usage, after.sample.usage);
    let most = before.anon_bytes + before.anon_bytes / MEMORY_RATIO + MEMORY_BYTES;
    let text = format!(
        "{:.1} MiB, {:.1} before, {:.1} at most",
        mib(after.anon_bytes),
        mib(before.anon_bytes),
        mib(most)
    );
    outcome.check("memory", after.anon_bytes <= most, text);
    let (now, then) = (after.threads, before.threads);
    outcome.check("threads", now == then, format!("{now}, {then} before"));
    let (now, then) = (after.descriptors, before.descriptors);
    let mut text = format!("{now}, {then} before");
    if now != then {
        text += &format!("; new ones: {new:?}");
    }
    outcome.check("descriptors", now == then, text);
}

/// The folders of recordings, which are called as they are, and how many files are in them.
fn folders(dirs: &[impl AsRef<Path>]) -> Result<(BTreeSet<String>, usize)> {
    let (mut all, mut count) = (BTreeSet::new(), 0);
    for dir in dirs.iter().map(AsRef::as_ref).filter(|dir| dir.exists()) {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || !entry.file_type()?.is_dir() {
                continue;
            }
            let files = files(&entry.path())?;
            count += files.len();
            if !files.is_empty() {
                all.insert(name);
            }
        }
    }
    Ok((all, count))
}

fn log(stage: &Stage, outcome: &mut Outcome) {
    let lines = stage.unexpected();
    let text = match lines.first() {
        Some(line) => format!("{} lines, the first: {line}", lines.len()),
        None => "no warning and no error but those that were caused".to_owned(),
    };
    outcome.check("log", lines.is_empty(), text);
}

/// Keeps what the server said: it is started anew.
fn keep_log(stage: &Stage, outcome: &mut Outcome) {
    let lines = stage.server.logs();
    outcome.log.extend(lines.iter().map(|line| format!("{line}\n")));
}

fn stop(stage: &mut Stage, outcome: &mut Outcome) {
    let stopped = stage.server.try_stop();
    let text = stopped.clone().err().unwrap_or_else(|| "in order".to_owned());
    outcome.check("stop", stopped.is_ok(), text);
}

/// What is wrong with what is left. Of recordings that were looked at, whole, retention may have
/// taken some files since: their marks and its deletions go file by file.
fn problems(report: &Value, audit: &Audit) -> Vec<String> {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned();
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut all = Vec::new();
    for recording in list(report, "recordings").unwrap_or_default() {
        let id = text(&recording, "recording");
        for problem in list(&recording, "problems").unwrap_or_default() {
            let what = text(&problem, "text");
            if !(what.starts_with("before it segment") && audit.has_seen(&id)) {
                all.push(format!("{}: {what}", text(&problem, "file")));
            }
        }
    }
    for name in ["foreign", "unreadable"] {
        let files = list(report, name).unwrap_or_default();
        all.extend(files.iter().map(|file| format!("{name}: {file}")));
    }
    all
}

/// The catalog made anew of the files knows what the catalog knew.
fn rebuild(stage: &Stage, dirs: &[PathBuf; 2], outcome: &mut Outcome) -> Result<()> {
    let list = || -> Result<BTreeSet<String>> {
        let mut command = Command::new(stage.program());
        command.args(["recordings", "list", "-json", "-all", "-record-dir"]).arg(&dirs[0]);
        let output = tools::run(&mut command, TIMEOUT);
        let text = output.text();
        let recordings = text.lines().map(serde_json::from_str::<Value>);
        let recordings = recordings
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| format!("the list of recordings: {error}: {}", output.stderr))?;
        let id = |recording: &Value| Some(recording.get("id")?.as_str()?.to_owned());
        Ok(recordings.iter().filter(|known| audit::has_files(known)).filter_map(id).collect())
    };
    let old = list()?;
    let mut command = Command::new(stage.program());
    command.args(["catalog", "rebuild", "-json", "-record-dir"]).arg(&dirs[0]);
    if dirs[1].exists() {
        command.arg("-dir").arg(&dirs[1]);
    }
    let output = tools::run(&mut command, TIMEOUT);
    let rebuilt: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("catalog rebuild: {error}: {}", output.stderr))?;
    let (_, count) = folders(dirs)?;
    let segments = rebuilt.get("segments").and_then(Value::as_u64);
    let new = list()?;
    let other = old.symmetric_difference(&new).count();
    let is_good = segments == u64::try_from(count).ok() && other == 0;
    let text = format!("{} recordings, {other} differ; {segments:?} of {count} files", new.len());
    outcome.check("catalog made anew", is_good, text);
    Ok(())
}

/// Writes the plot and what it is made of; prints the table, or all of it for programs.
pub(crate) fn print(outcome: &Outcome) -> Result<()> {
    let out = &outcome.options.out;
    std::fs::create_dir_all(out)?;
    let marks = outcome.marks.map(|(at, name)| (at.as_secs_f64(), name));
    std::fs::write(out.join("soak.csv"), csv(&outcome.samples))?;
    std::fs::write(out.join("soak.svg"), plot::svg(&outcome.samples, &marks))?;
    std::fs::write(out.join("soak.log"), &outcome.log)?;
    let object = object(outcome);
    std::fs::write(out.join("soak.json"), format!("{object:#}\n"))?;
    if outcome.options.json {
        println!("{object:#}");
        return Ok(());
    }
    println!("\n| what | how much |\n|---|---|");
    outcome.counts.iter().for_each(|(name, count)| println!("| {name} | {count} |"));
    println!("\n| at the end | | |\n|---|---|---|");
    for check in &outcome.checks {
        println!(
            "| {} | {} | {} |",
            check.name,
            if check.is_good { "good" } else { "BAD" },
            check.text
        );
    }
    outcome.problems.iter().for_each(|problem| println!("problem: {problem}"));
    println!("\n{}: soak.svg, soak.csv, soak.json, soak.log", out.display());
    Ok(())
}

fn object(outcome: &Outcome) -> Value {
    let Outcome { options, seed, before, after, .. } = outcome;
    let usage = |sample: &Sample| {
        json!({
            "anon_bytes": sample.usage.anon_bytes,
            "rss_bytes": sample.usage.rss_bytes,
            "threads": sample.usage.threads,
            "descriptors": sample.usage.descriptors,
            "cpu_seconds": sample.usage.cpu.as_secs_f64(),
            "driver_cpu_seconds": sample.own_cpu.as_secs_f64(),
            "seconds": sample.seconds,
        })
    };
    let checks = outcome.checks.iter();
    json!({
        "work": {
            "seconds": options.seconds,
            "warm_up_seconds": options.warm_up().as_secs(),
            "publishers": options.publishers,
            "players": options.players,
            "steady": options.steady,
            "seed": seed,
        },
        "is_good": outcome.is_good(),
        "before": usage(&before.sample),
        "after": usage(&after.sample),
        "checks": checks.map(|c| json!({ "name": c.name, "is_good": c.is_good, "text": c.text })).collect::<Vec<_>>(),
        "counts": outcome.counts,
        "problems": outcome.problems,
    })
}
