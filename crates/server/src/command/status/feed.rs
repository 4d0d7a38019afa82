//! The newest events of a server, read as they happen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::command::api::{Api, ApiError};

/// Events that are kept: those from before the first look, and those that came since.
const EVENTS: usize = 50;
/// Events from before the first look.
const BEFORE: u64 = 20;
/// Bytes of one event: its paths and names may have some KiB.
const EVENT_BYTES: usize = 1 << 20;
/// Before a connection that was lost is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// What was read so far.
pub(super) struct Feed {
    events: Arc<Mutex<VecDeque<Value>>>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Reads in a task of its own until it is dropped.
    pub(super) fn start(api: Api) -> Self {
        let events = Arc::new(Mutex::new(VecDeque::new()));
        let kept = events.clone();
        let task = tokio::spawn(async move {
            let mut at = None;
            loop {
                // That there are none for a while is told by the calls beside it.
                let _ = read(&api, &mut at, |event| {
                    let mut events = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    events.push_back(event);
                    if events.len() > EVENTS {
                        events.pop_front();
                    }
                    true
                })
                .await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { events, task }
    }

    /// Them, the newest last.
    pub(super) fn newest(&self) -> Vec<Value> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().cloned().collect()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The newest events that there were; fewer when they do not come in time.
pub(super) async fn newest(api: &Api, most: Duration) -> Vec<Value> {
    let (mut events, mut at) = (Vec::new(), None);
    let reading = async {
        let count = match place(api).await {
            Ok(Some((boot, number))) if number > 0 => {
                at = Some(before(&boot, number));
                number.min(BEFORE)
            }
            _ => return,
        };
        let _ = read(api, &mut at, |event| {
            events.push(event);
            (events.len() as u64) < count
        })
        .await;
    };
    // What came until then is told.
    let _ = timeout(most, reading).await;
    events
}

/// The place a little before the newest event.
fn before(boot: &str, number: u64) -> String {
    format!("{boot}-{}", number.saturating_sub(BEFORE))
}

/// Where the newest event is: the run of the server, and its number.
async fn place(api: &Api) -> Result<Option<(String, u64)>, ApiError> {
    let mut answer = api.open(&["api", "v1", "events"], &[], "text/event-stream").await?;
    let mut blocks = Blocks::default();
    while let Some(piece) = api.piece(&mut answer).await? {
        for event in blocks.push(&piece) {
            if let Some((boot, number)) = event.id.as_deref().and_then(|id| id.split_once('-')) {
                return Ok(number.parse().ok().map(|number| (boot.to_owned(), number)));
            }
        }
    }
    Ok(None)
}

/// Reads events behind `at`, which goes on with them, until `take` has enough or they end.
async fn read(
    api: &Api,
    at: &mut Option<String>,
    mut take: impl FnMut(Value) -> bool,
) -> Result<(), ApiError> {
    if at.is_none() {
        *at = place(api).await?.map(|(boot, number)| before(&boot, number));
    }
    let query: Vec<_> = at.iter().map(|id| ("after", id.clone())).collect();
    let mut answer = api.open(&["api", "v1", "events"], &query, "text/event-stream").await?;
    let mut blocks = Blocks::default();
    while let Some(piece) = api.piece(&mut answer).await? {
        for event in blocks.push(&piece) {
            if event.id.is_some() {
                *at = event.id;
            }
            if let Some(Ok(data)) = event.data.map(|data| serde_json::from_str(&data))
                && !take(data)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Server-sent events out of bytes (HTML, section 9.2), as far as this server writes them.
#[derive(Debug, Default)]
struct Blocks(Vec<u8>);

#[derive(Debug, Default, PartialEq)]
struct Event {
    id: Option<String>,
    data: Option<String>,
}

impl Blocks {
    /// The events that are whole now.
    fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.0.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            let mut event = Event::default();
            for line in String::from_utf8_lossy(&block).lines() {
                match line.split_once(':') {
                    Some(("id", value)) => event.id = Some(value.trim_start().to_owned()),
                    Some(("data", value)) => event.data = Some(value.trim_start().to_owned()),
                    _ => {}
                }
            }
            if event != Event::default() {
                events.push(event);
            }
        }
        if self.0.len() > EVENT_BYTES {
            self.0.clear();
        }
        events
    }
}

#[cfg(test)]
mod tests;
