//! The report for programs. Names are stable and end with their unit; what is not set is `null`.

use std::path::Path;
use std::time::Duration;

use jiff::Zoned;
use live::Key;
use serde_json::{Value, json};

use crate::config::{Pattern, Problem, Recorder, Settings, Shown, Source, Verdict, Window};

/// What the configuration comes to.
pub(super) fn object(settings: &Settings, streams: &[Key], now: &Zoned) -> Value {
    let recorders = settings.recorders.iter().map(|r| recorder(r, settings, now));
    let stream = |key: &Key| {
        let verdict = |recorder: &Recorder| {
            let verdict = recorder.verdict(key.as_str(), now);
            json!({
                "recorder": recorder.name,
                "records": verdict == Verdict::Records,
                "reason": reason(&verdict),
            })
        };
        let recorders: Vec<_> = settings.recorders.iter().map(verdict).collect();
        json!({ "stream": key.as_str(), "recorders": recorders })
    };
    json!({
        "file": settings.file.as_deref().map(path),
        "problems": [],
        "recorders": recorders.collect::<Vec<_>>(),
        "settings": settings.shown().iter().map(setting).collect::<Vec<_>>(),
        "streams": streams.iter().map(stream).collect::<Vec<_>>(),
    })
}

/// What is wrong with it.
pub(super) fn problems(problems: &[Problem]) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "file": problem.file.as_deref().map(path),
            "line": problem.line,
            "key": problem.key,
            "text": problem.text,
        })
    };
    json!({ "problems": problems.iter().map(problem).collect::<Vec<_>>() })
}

fn reason(verdict: &Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Records => None,
        Verdict::Disabled => Some("disabled"),
        Verdict::NotMeant => Some("not meant"),
        Verdict::Excluded(_) => Some("excluded"),
        Verdict::Closed(_) => Some("schedule"),
    }
}

fn recorder(recorder: &Recorder, settings: &Settings, now: &Zoned) -> Value {
    let plan = recorder.plan(&settings.config);
    let rotation = &recorder.rotation;
    let patterns = |list: &[Pattern]| list.iter().map(Pattern::to_string).collect::<Vec<_>>();
    let windows = recorder.schedule.iter().flat_map(|windows| windows.iter());
    let retention = recorder.retention.unwrap_or_else(|| settings.config.retain.rules());
    json!({
        "name": recorder.name,
        "enabled": recorder.enabled,
        "active": recorder.is_active(now),
        "next_change": recorder.next_change(now).map(|at| at.timestamp().to_string()),
        "streams": patterns(&recorder.streams),
        "exclude": patterns(&recorder.exclude),
        "format": recorder.format.name(),
        "dir": path(&plan.dir),
        "path": plan.template.to_string(),
        "tracks": recorder.tracks.name(),
        "pre_roll_ms": ms(recorder.pre_roll),
        "max_length_ms": recorder.max_length.map(ms),
        "schedule": windows.map(Window::to_string).collect::<Vec<_>>(),
        "rotation": {
            "duration_ms": rotation.duration.map(ms),
            "size_bytes": rotation.size_bytes,
            "every": rotation.every.map(|every| every.to_string()),
            "schedule": rotation.schedule.as_ref().map(ToString::to_string),
        },
        "retention": {
            "age_s": retention.age.map(|age| age.as_secs()),
            "total_bytes": retention.total_bytes,
            "free_bytes": retention.free_bytes,
            "copied_only": retention.copied_only,
        },
        "rejoin_ms": ms(recorder.rejoin),
        "flush_ms": ms(recorder.flush),
        "sync_ms": ms(recorder.sync),
        "checksum_files": recorder.checksum_files,
        "pictures": recorder.pictures,
        "thumbnail_interval_ms": ms(recorder.thumbnail_interval),
        "labels": recorder.labels,
    })
}

fn setting(shown: &Shown) -> Value {
    let line = match shown.source {
        Source::File(line) => Some(line),
        _ => None,
    };
    json!({
        "name": shown.name,
        "value": shown.value,
        "default": shown.default,
        "source": shown.source.name(),
        "line": line,
    })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn path(path: &Path) -> Value {
    path.to_string_lossy().into()
}
