//! Commands: a name, a transaction, an object and arguments; and what is answered to them.
//!
//! Reading and writing only. What a command does is in [`crate::server`] and [`crate::client`].
//!
//! Source: RTMP 7.2.

use bytes::Bytes;
use media::amf0::{self, Value};

/// A command as it is on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What to do, or `_result`, `_error`, `onStatus`.
    pub name: String,
    /// What an answer refers to; 0 asks for none. Answers repeat it bit for bit.
    pub transaction_id: f64,
    /// The command object: properties for `connect` and its answer, else null.
    pub object: Value,
    /// What follows.
    pub arguments: Vec<Value>,
}

impl Command {
    /// A command with a null object.
    pub fn new(name: &str, transaction_id: f64, arguments: Vec<Value>) -> Self {
        Self { name: name.to_owned(), transaction_id, object: Value::Null, arguments }
    }

    /// Reads a body. Encoders leave out what they do not use and put rubbish behind what they do,
    /// so a missing transaction id is 0, a missing object is null, and the first value that cannot
    /// be read ends the arguments. `None` when there is no name.
    ///
    /// # Errors
    /// Only when `limits` are passed.
    pub fn decode(body: &[u8], limits: &amf0::Limits) -> Result<Option<Self>, amf0::Error> {
        let mut reader = amf0::Reader::new(body, *limits);
        let mut next = || match reader.is_empty() {
            true => Ok(None),
            false => lenient(reader.read()),
        };
        let Some(Value::String(name)) = next()? else { return Ok(None) };
        let transaction_id = next()?.and_then(|value| value.as_f64()).unwrap_or(0.0);
        let object = next()?.unwrap_or(Value::Null);
        let mut arguments = Vec::new();
        while let Some(value) = next()? {
            arguments.push(value);
        }
        Ok(Some(Self { name, transaction_id, object, arguments }))
    }

    /// The body.
    pub fn encode(&self) -> Bytes {
        let mut body = Vec::new();
        amf0::encode_string(&self.name, &mut body);
        amf0::encode_number(self.transaction_id, &mut body);
        amf0::encode(&self.object, &mut body);
        for argument in &self.arguments {
            amf0::encode(argument, &mut body);
        }
        body.into()
    }

    /// An argument; undefined when it was not sent.
    pub fn argument(&self, index: usize) -> &Value {
        self.arguments.get(index).unwrap_or(&Value::Undefined)
    }

    /// Whether the peer asked for an answer, and this is not an answer itself: two peers that
    /// answer each other's answers would never end.
    pub fn wants_answer(&self) -> bool {
        let is_answer = matches!(self.name.as_str(), "_result" | "_error" | "onStatus");
        self.transaction_id != 0.0 && !is_answer
    }
}

/// A value that is broken is one that was not sent; one that asks for too much is an error.
fn lenient(read: Result<Value, amf0::Error>) -> Result<Option<Value>, amf0::Error> {
    use amf0::Error::{TooDeep, TooLong, TooMany};
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ (TooDeep { .. } | TooLong { .. } | TooMany { .. })) => Err(error),
        Err(_) => Ok(None),
    }
}

/// How grave a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Status,
    /// It goes on, but worse.
    Warning,
    /// What was asked for is not done.
    Error,
}

impl Level {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The information object of `onStatus`, `_result` and `_error` (RTMP 7.2.2).
pub fn status(level: Level, code: &str, description: &str) -> Value {
    Value::Object(vec![
        ("level".to_owned(), level.name().into()),
        ("code".to_owned(), code.into()),
        ("description".to_owned(), harmless(description).into()),
    ])
}

/// FFmpeg takes a description that holds `authmod=` for a login challenge and connects again with a
/// password.
fn harmless(description: &str) -> String {
    match description.to_ascii_lowercase().contains("authmod") {
        true => description.replace('=', " "),
        false => description.to_owned(),
    }
}

/// An `onStatus` command.
pub fn on_status(level: Level, code: &str, description: &str) -> Command {
    Command::new("onStatus", 0.0, vec![status(level, code, description)])
}

/// The code of [`reconnect_request`].
pub(crate) const RECONNECT_REQUEST: &str = "NetConnection.Connect.ReconnectRequest";

/// What asks a client to reconnect (E-RTMP v2 "Reconnect Request"); what is not given is left out.
pub fn reconnect_request(tc_url: Option<&str>, description: Option<&str>) -> Command {
    let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
    let mut info = vec![text("level", Level::Status.name()), text("code", RECONNECT_REQUEST)];
    info.extend(description.map(|description| text("description", &harmless(description))));
    info.extend(tc_url.map(|tc_url| text("tcUrl", tc_url)));
    Command::new("onStatus", 0.0, vec![Value::Object(info)])
}

/// Splits `name?query`. The query often grants access: it is part of no name and of no log.
pub fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((name, query)) => (name, Some(query)),
        None => (text, None),
    }
}

/// A message stream id out of a number that may be anything.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, and a fraction is no id"
)]
pub(crate) fn stream_id(number: f64) -> Option<u32> {
    let whole = number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&number);
    whole.then_some(number as u32)
}

#[cfg(test)]
mod tests;
