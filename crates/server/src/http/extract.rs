//! How handlers get at what a request says: [`Body`], [`Params`] and [`StreamKey`].
//!
//! All of them refuse what they do not know, with the nearest name that they do.

mod fields;

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use live::Key;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::{Code, Problem};
use fields::Wrong;

/// Bytes of a body: a list of labels is some KiB.
pub(crate) const BODY_BYTES: usize = 64 << 10;
/// A body that small takes no longer on any line; a client that is slower holds a connection.
const BODY_TIME: Duration = Duration::from_secs(10);

/// The JSON body. No body at all is an empty object. The type has `deny_unknown_fields`, which the
/// description of the call needs to say so; here they are refused in any case.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// The query.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

/// A stream's name: one part of the path, percent-encoded.
#[derive(Debug)]
pub(crate) struct StreamKey(pub(crate) Key);

/// Parts of the path.
#[derive(Debug)]
pub(crate) struct PathParts<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = axum::body::to_bytes(request.into_body(), BODY_BYTES);
        let body = tokio::time::timeout(BODY_TIME, body).await;
        let body = body.map_err(|_| Problem::new(Code::RequestTimeout, "the body is not whole"))?;
        // Beside its length only the connection's end can fail, and then nobody reads the answer.
        let body = body.map_err(|_| {
            Problem::new(Code::BodyTooLarge, format!("more than {BODY_BYTES} bytes"))
        })?;
        parse(&body).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    let Value::Object(object) = value else {
        return Err(Problem::new(Code::MalformedJson, "expected an object"));
    };
    fields::read(object.into_iter()).map_err(|wrong| refuse(wrong, Code::UnknownField))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::new(Code::BadValue, error.body_text()))?;
        let mut params: Vec<(String, fields::Texts)> = Vec::new();
        for (name, text) in pairs.0 {
            match params.iter_mut().find(|(known, _)| *known == name) {
                Some((_, texts)) => texts.push(text),
                None => params.push((name, fields::Texts::new(text))),
            }
        }
        let read = fields::read(params.into_iter());
        read.map(Self).map_err(|wrong| refuse(wrong, Code::UnknownParameter))
    }
}

fn refuse(wrong: Wrong, unknown: Code) -> Problem {
    match wrong {
        Wrong::Unknown { name, nearest: Some(nearest) } => {
            let detail = format!("unknown {name:?}: did you mean {nearest}?");
            Problem::new(unknown, detail).with("field", name).with("nearest", nearest)
        }
        Wrong::Unknown { name, nearest: None } => {
            Problem::new(unknown, format!("unknown {name:?}")).with("field", name)
        }
        Wrong::Missing(name) => {
            Problem::new(Code::MissingField, format!("{name} is missing")).with("field", name)
        }
        Wrong::Value { name, why } => bad_value(&name, why),
    }
}

/// The value of a field, a parameter or a part of the path is not accepted.
pub(crate) fn bad_value(name: &str, why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::BadValue, format!("{name}: {why}")).with("field", name)
}

impl<S: Send + Sync> FromRequestParts<S> for StreamKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathParts(key) = PathParts::<KeyPart>::from_request_parts(parts, state).await?;
        stream_key(&key.key).map(Self)
    }
}

#[derive(serde::Deserialize)]
struct KeyPart {
    key: String,
}

/// A stream's name as the API writes it.
pub(crate) fn stream_key(text: &str) -> Result<Key, Problem> {
    Key::new("", text).map_err(|error| bad_value("key", error))
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParts<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(read)| Self(read)).map_err(|error| {
            let text = match error {
                PathRejection::FailedToDeserializePathParams(error) => error.body_text(),
                error => error.body_text(),
            };
            bad_value("path", text)
        })
    }
}

#[cfg(test)]
mod tests;
