//! What is asked for when a recording is started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use archive::{Plan, Tracks};
use axum::http::HeaderMap;
use live::Key;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::config::{self, Recorder};
use crate::director::Wanted;
use crate::http::Api;
use crate::http::extract::bad_value;
use crate::http::problem::{Code, Problem};

/// Bytes of a recording's name, and of a request key.
const TEXT_BYTES: usize = 128;
/// The header that says the same as `request_key`.
const KEY_HEADER: &str = "idempotency-key";

/// A recording to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    /// The stream, `app/name`; it need not be there yet.
    #[schema(example = "live/test")]
    stream: String,
    /// What to call the recording: part of file names whose template has `{name}`.
    #[schema(example = "concert")]
    name: Option<String>,
    /// A recorder of the configuration, whose settings for files are taken over; else those of the
    /// server.
    recorder: Option<String>,
    /// What files it is.
    format: Option<Format>,
    /// Which part of the stream.
    tracks: Option<Part>,
    /// It ends by itself when it is so long: a time such as `90m`.
    #[schema(example = "90m")]
    max_length: Option<String>,
    /// How long before now it begins, as far as the server keeps the stream: a time such as `10s`.
    #[schema(example = "10s")]
    pre_roll: Option<String>,
    /// What is to be said of it: names of small letters, digits and `_.-`.
    #[schema(example = json!({"event": "concert"}))]
    labels: Option<BTreeMap<String, String>>,
    /// The same request again has the same key, and begins nothing.
    #[schema(example = "concert-2026-11-29")]
    request_key: Option<String>,
}

/// A container.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Format {
    /// Flash Video.
    Flv,
    /// MP4: fragments while it grows, an ordinary file when it is finished.
    Mp4,
}

impl From<Format> for archive::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Flv => Self::Flv,
            Format::Mp4 => Self::Mp4,
        }
    }
}

/// A part of a stream.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Part {
    /// Everything.
    All,
    /// Audio and data.
    Audio,
    /// Video and data.
    Video,
    /// Key frames alone.
    Keyframes,
}

impl Start {
    /// As the director takes it.
    pub(super) fn wanted(self, api: &Api, headers: &HeaderMap) -> Result<Wanted, Problem> {
        let key = stream(&self.stream)?;
        let request_key = self.key(headers)?;
        let settings = api.context.settings.load();
        let (base, mut labels) = match &self.recorder {
            None => {
                let plan = Recorder::api(&settings.config).plan(&settings.config);
                (plan, BTreeMap::new())
            }
            Some(name) => taken_over(api, name)?,
        };
        let tracks = self.tracks.map(|part| match part {
            Part::All => Tracks::All,
            Part::Audio => Tracks::Audio,
            Part::Video => Tracks::Video,
            Part::Keyframes => Tracks::KeyFrames,
        });
        let max_length = match &self.max_length {
            None => base.max_length,
            Some(text) => Some(length("max_length", text)?),
        };
        let pre_roll = self.pre_roll.as_deref().map_or(Ok(Duration::ZERO), config::pre_roll);
        let pre_roll = pre_roll.map_err(|why| bad_value("pre_roll", why))?;
        labels.extend(self.labels.unwrap_or_default());
        archive::check_labels(&labels).map_err(|error| bad_value("labels", error))?;
        let name = self.name.map(|name| named("name", name)).transpose()?;
        let format = self.format.map_or(base.format, Into::into);
        Ok(Wanted {
            key,
            plan: Arc::new(Plan {
                tracks: tracks.unwrap_or(base.tracks),
                format,
                max_length,
                ..base
            }),
            name,
            labels,
            pre_roll_ms: i64::try_from(pre_roll.as_millis()).unwrap_or(i64::MAX),
            request_key,
        })
    }

    fn key(&self, headers: &HeaderMap) -> Result<Option<String>, Problem> {
        let header = headers.get(KEY_HEADER).map(|value| {
            let text = value.to_str().map_err(|_| bad_value(KEY_HEADER, "not ASCII text"))?;
            named(KEY_HEADER, text.to_owned())
        });
        let body = self.request_key.clone().map(|key| named("request_key", key));
        match (header.transpose()?, body.transpose()?) {
            (Some(header), Some(body)) if header != body => {
                Err(bad_value("request_key", "not the same as the header Idempotency-Key"))
            }
            (header, body) => Ok(header.or(body)),
        }
    }
}

/// The key of a stream as publishers name it: what none can have would be waited for for ever.
fn stream(text: &str) -> Result<Key, Problem> {
    let refused = |why: &str| {
        let form = "expected the name of a stream as app/name";
        Err(bad_value("stream", format!("{text:?}: {form}, {why}")))
    };
    if text.contains("://") {
        return refused("not a URL");
    }
    if text.contains('?') {
        return refused("without what comes after `?` in its URL");
    }
    if text.chars().any(char::is_control) {
        return refused("without control characters");
    }
    Key::new("", text).map_err(|error| bad_value("stream", error))
}

/// The plan and the labels of a recorder, for a recording that is not its own.
fn taken_over(api: &Api, name: &str) -> Result<(Plan, BTreeMap<String, String>), Problem> {
    let plan = api.context.director.plan_of(name);
    let (plan, labels) = plan.ok_or_else(|| {
        let settings = api.context.settings.load();
        let detail = match settings.recorders.iter().any(|recorder| recorder.name == name) {
            true => format!("recorder: {name:?} is disabled"),
            false => format!("recorder: the configuration has none of the name {name:?}"),
        };
        Problem::new(Code::UnknownRecorder, detail).with("field", "recorder")
    })?;
    Ok((Plan { recorder: Recorder::API.to_owned(), ..Plan::clone(&plan) }, labels))
}

/// A text of people's that goes into files.
fn named(field: &str, text: String) -> Result<String, Problem> {
    let is_good = (1..=TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    match is_good {
        true => Ok(text),
        false => Err(bad_value(
            field,
            format!("expected 1 to {TEXT_BYTES} bytes without control characters"),
        )),
    }
}

/// A time such as `500ms`, `30s` or `5m`, or `0`.
pub(super) fn time(field: &str, text: &str) -> Result<Duration, Problem> {
    config::duration_or_zero(text).map_err(|why| bad_value(field, why))
}

/// A length such as `90s` or `3h`.
fn length(field: &str, text: &str) -> Result<Duration, Problem> {
    config::rotation(text).map_err(|why| bad_value(field, why))
}
