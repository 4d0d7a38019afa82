//! One look at a server: what its API says, as it says it.

use serde_json::{Value, json};

use crate::command::api::{Api, ApiError};

/// Streams that are asked for at once; more than any terminal has lines.
const PAGE: usize = 1_000;
/// Pages of streams: as many as a server has by default.
const PAGES: usize = 10;

/// What a server said.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) server: Value,
    pub(super) ready: Value,
    pub(super) streams: Vec<Value>,
    pub(super) disks: Vec<Value>,
    /// Recordings that wait for their streams.
    pub(super) waiting: Vec<Value>,
    /// The newest last.
    pub(super) events: Vec<Value>,
}

impl Look {
    /// Asks for everything but events: for all streams, or for as many as anybody sees.
    pub(super) async fn at(api: &Api, all: bool) -> Result<Self, ApiError> {
        let (no_query, waits) = ([], [("state", "waiting".to_owned())]);
        let (server, ready, disks, waiting, streams) = tokio::try_join!(
            api.get(&["api", "v1", "server"], &no_query),
            api.get(&["ready"], &no_query),
            api.get(&["api", "v1", "server", "disks"], &no_query),
            api.get(&["api", "v1", "recordings"], &waits),
            streams(api, if all { PAGES } else { 1 }),
        )?;
        let (disks, waiting) = (list(&disks, "disks"), list(&waiting, "recordings"));
        Ok(Self { server, ready, streams, disks, waiting, events: Vec::new() })
    }

    /// All of it.
    pub(super) fn json(&self) -> Value {
        json!({
            "server": self.server,
            "ready": self.ready,
            "streams": self.streams,
            "disks": self.disks,
            "waiting": self.waiting,
            "events": self.events,
        })
    }
}

async fn streams(api: &Api, pages: usize) -> Result<Vec<Value>, ApiError> {
    let (mut streams, mut after) = (Vec::new(), None::<String>);
    for _ in 0..pages {
        let mut query = vec![("limit", PAGE.to_string())];
        query.extend(after.map(|after| ("after", after)));
        let page = api.get(&["api", "v1", "streams"], &query).await?;
        streams.extend(list(&page, "streams"));
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(streams)
}

fn list(answer: &Value, name: &str) -> Vec<Value> {
    answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}
