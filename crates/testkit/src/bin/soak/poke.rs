//! Somebody who uses the API all the while: asks, cuts files, throws people out, downloads, has the
//! configuration read again.

use serde_json::Value;
use testkit::http::Answer;
use testkit::{Http, Noise};

use crate::Result;
use crate::books::Books;
use crate::stage::Stage;

/// A page that is asked for.
const PAGE: u64 = 100;
/// What is only asked.
const QUESTIONS: &[&str] = &[
    "/api/v1/streams?limit=1000",
    "/api/v1/recordings?limit=100",
    "/api/v1/recordings?stream=weak-*/*&state=trouble",
    "/api/v1/server",
    "/api/v1/server/disks",
    "/api/v1/server/config",
    "/api/v1/retention?limit=20",
    "/metrics",
    "/health",
    "/ready",
];

/// Uses the API.
#[derive(Debug)]
pub(crate) struct Poke {
    noise: Noise,
    turns: u64,
}

impl Poke {
    pub(crate) fn new(seed: u64) -> Self {
        Self { noise: Noise::new(seed ^ 0xa91), turns: 0 }
    }

    /// One thing.
    pub(crate) fn turn(&mut self, stage: &Stage, books: &Books) -> Result<()> {
        let api = stage.api();
        self.turns += 1;
        match self.noise.below(10) {
            0 => self.throw_out(&api, books),
            1 => self.split(&api, books),
            2 | 3 => self.download(&api, books),
            4 if self.turns.is_multiple_of(3) => {
                books.count("configurations read again");
                stage.reload(self.noise.below(4))
            }
            _ => {
                let question = self.one(QUESTIONS).copied().unwrap_or("/health");
                self.ask(&api, books, "GET", question).map(drop)
            }
        }
    }

    /// Throws out a publisher or a player.
    fn throw_out(&mut self, api: &Http, books: &Books) -> Result<()> {
        let streams = self.ask(api, books, "GET", "/api/v1/streams?state=live&limit=1000")?.json();
        let Some(key) = self.pick(&streams, "streams", "key") else { return Ok(()) };
        // Those that are there from beginning to end are left alone.
        if key.starts_with("steady-") {
            return Ok(());
        }
        let stream = format!("/api/v1/streams/{}", key.replace('/', "%2F"));
        let players = self.ask(api, books, "GET", &stream)?;
        let players = players.json().pointer("/players/list").cloned().unwrap_or_default();
        let id = self.one(players.as_array().map_or(&[][..], Vec::as_slice));
        let id = id.and_then(|player| player.get("id")).and_then(Value::as_u64);
        let path = match id {
            Some(id) if self.noise.below(2) == 0 => {
                books.count("players thrown out");
                format!("{stream}/players/{id}")
            }
            _ => {
                books.count("publishers thrown out");
                format!("{stream}/publisher")
            }
        };
        books.throw_out(&key);
        self.ask(api, books, "DELETE", &path)?;
        // Another may have come before the call was there.
        books.throw_out(&key);
        Ok(())
    }

    /// Has a recording go on in another file.
    fn split(&mut self, api: &Http, books: &Books) -> Result<()> {
        if let Some(id) = self.recording(api, books, "recording")? {
            books.count("splits");
            self.ask(api, books, "POST", &format!("/api/v1/recordings/{id}/split"))?;
        }
        Ok(())
    }

    /// Reads a recording, or a part of it.
    fn download(&mut self, api: &Http, books: &Books) -> Result<()> {
        let state = if self.noise.below(2) == 0 { "recording" } else { "complete" };
        let Some(id) = self.recording(api, books, state)? else { return Ok(()) };
        books.count("downloads");
        let recording = format!("/api/v1/recordings/{id}");
        let known = self.ask(api, books, "GET", &recording)?.json();
        let path = match self.noise.below(3) {
            0 => format!("{recording}/media.flv"),
            1 => {
                let part = api.clone().header("Range", "bytes=1000-50000");
                let path = format!("{recording}/segments/1/file");
                return self.ask(&part, books, "GET", &path).map(drop);
            }
            _ => {
                let Some(start) = known.get("start").and_then(Value::as_str) else { return Ok(()) };
                format!("{recording}/media.flv?from={}&cut=exact", start.replace('+', "%2B"))
            }
        };
        let Err(error) = self.try_ask(api, books, "GET", &path) else { return Ok(()) };
        // What is deleted meanwhile, and what its disk does not give, ends the answer; nothing else does.
        books.count("downloads cut short");
        let now = self.ask(api, books, "GET", &recording)?.json();
        let is_deleted = deleted(&now) > deleted(&known);
        let stream = known.get("stream").and_then(Value::as_str).unwrap_or_default();
        if !stream.starts_with("weak-") && !is_deleted {
            books.problem(format!("GET {path} of {stream}: {error}"));
        }
        Ok(())
    }

    /// Any of the recordings in a state.
    fn recording(&mut self, api: &Http, books: &Books, state: &str) -> Result<Option<String>> {
        let path = format!("/api/v1/recordings?state={state}&limit={PAGE}");
        let recordings = self.ask(api, books, "GET", &path)?.json();
        Ok(self.pick(&recordings, "recordings", "id"))
    }

    /// Asks, and looks whether it is answered as it may be.
    fn ask(&self, api: &Http, books: &Books, method: &str, path: &str) -> Result<Answer> {
        Ok(self.try_ask(api, books, method, path)?)
    }

    /// # Errors
    /// What keeps an answer from being read whole.
    fn try_ask(
        &self,
        api: &Http,
        books: &Books,
        method: &str,
        path: &str,
    ) -> std::io::Result<Answer> {
        let body = (method == "POST").then(|| Value::Object(serde_json::Map::new()));
        let answer = api.try_send(method, path, body.as_ref())?;
        books.count("requests");
        match answer.status {
            200..300 | 404 | 409 | 416 => {}
            // The disk does not answer, or the server is not ready because of it.
            503 => books.count("requests answered with 503"),
            status => books.problem(format!("{method} {path}: {status}: {}", answer.text())),
        }
        Ok(answer)
    }

    fn pick(&mut self, answer: &Value, list: &str, name: &str) -> Option<String> {
        let list = answer.get(list)?.as_array()?;
        Some(self.one(list)?.get(name)?.as_str()?.to_owned())
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let place = self.noise.below(u64::try_from(list.len()).unwrap_or(0));
        list.get(usize::try_from(place).unwrap_or(0))
    }
}

/// How many files of a recording are there no longer.
fn deleted(recording: &Value) -> usize {
    let files = recording.get("files").and_then(Value::as_array);
    let is_gone = |file: &&Value| file.get("state").and_then(Value::as_str) == Some("deleted");
    files.map_or(0, |files| files.iter().filter(is_gone).count())
}
