//! The lines that a server has logged.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Lines that are kept; a server that logs more has gone wild, or the test should not ask for
/// `debug`.
const LINES_MAX: usize = 1_000_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `ERROR`, `WARN`, `INFO` or `DEBUG`; empty for a line that is no log line.
    pub level: String,
    /// The fixed text, or all of a line that is no log line.
    pub message: String,
    fields: serde_json::Map<String, Value>,
    raw: String,
}

impl LogLine {
    pub(super) fn parse(raw: &str) -> Self {
        let fields = match serde_json::from_str(raw) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let (level, message) = match (text("level"), text("message")) {
            (Some(level), Some(message)) => (level, message),
            _ => (String::new(), raw.to_owned()),
        };
        Self { level, message, fields, raw: raw.to_owned() }
    }

    /// A field's value as people read it: text without quotes.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    fn is(&self, message: &str, fields: &[(&str, &str)]) -> bool {
        self.message == message
            && fields.iter().all(|(name, value)| self.field(name).as_deref() == Some(value))
    }

    fn is_trouble(&self) -> bool {
        matches!(self.level.as_str(), "" | "WARN" | "ERROR")
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// The log of one server: one thread adds to it, others wait for lines.
#[derive(Debug, Default)]
pub(super) struct Book {
    state: Mutex<State>,
    changed: Condvar,
}

/// True of the machine that the tests run on, when others keep its disk busy for seconds.
const DISK_IS_SLOW: &str = "disk does not answer";

#[derive(Debug, Default)]
struct State {
    lines: Vec<LogLine>,
    /// Lines that there was no room for.
    cut: usize,
    finished: bool,
    allowed: Vec<String>,
}

impl Book {
    pub(super) fn push(&self, line: LogLine) {
        let mut state = self.lock();
        if state.lines.len() < LINES_MAX {
            state.lines.push(line);
            self.changed.notify_all();
        } else {
            state.cut += 1;
        }
    }

    /// There will be no more lines.
    pub(super) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    pub(super) fn lines(&self) -> Vec<LogLine> {
        self.lock().lines.clone()
    }

    pub(super) fn allow(&self, message: &str) {
        self.lock().allowed.push(message.to_owned());
    }

    /// Waits for `count` lines; says why they are not there.
    pub(super) fn wait_for(
        &self,
        message: &str,
        fields: &[(&str, &str)],
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<LogLine>, String> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        let (mut seen, mut found) = (0, Vec::new());
        loop {
            let new = state.lines.get(seen..).unwrap_or_default();
            found.extend(new.iter().filter(|line| line.is(message, fields)).cloned());
            seen = state.lines.len();
            if found.len() >= count {
                return Ok(found);
            }
            if state.finished {
                return Err(format!("the server ended with {}", found.len()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("after {timeout:?} there are {}", found.len()));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether everything that is wrong was announced.
    pub(super) fn check(&self) -> Result<(), String> {
        let state = self.lock();
        let troubles: Vec<&str> = state
            .lines
            .iter()
            .filter(|line| line.is_trouble() && !state.allowed.contains(&line.message))
            .filter(|line| line.message != DISK_IS_SLOW)
            .map(|line| line.raw.as_str())
            .collect();
        match (troubles.as_slice(), state.cut) {
            ([], 0) => Ok(()),
            ([], cut) => Err(format!("the server logged {cut} lines too many")),
            (lines, _) => Err(format!("not announced by the test:\n{}", lines.join("\n"))),
        }
    }

    /// The last lines, for the text of a panic.
    pub(super) fn tail(&self, count: usize) -> String {
        let state = self.lock();
        let from = state.lines.len().saturating_sub(count);
        let lines = state.lines.get(from..).unwrap_or_default();
        lines.iter().map(|line| format!("  {line}\n")).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
