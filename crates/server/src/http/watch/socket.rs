//! A viewer's WebSocket (RFC 6455): one binary message for each batch, pings, and nothing of what it says but that it
//! is there.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_websockets::{CloseCode, Error, Limits, Message, ServerBuilder, WebSocketStream};

use super::viewer::End;
use crate::http::problem::{Code, Problem};

/// A client that says nothing for as long is asked whether it is there.
const PING: Duration = Duration::from_secs(15);
/// One that does not answer for so long is not.
const SILENCE: Duration = Duration::from_secs(45);
/// Bytes of a message of the client: none is of use.
const MESSAGE_BYTES: usize = 4 << 10;
/// The client's answer to the end is waited for so long.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// What is hashed behind the client's key (RFC 6455 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request wants a WebSocket.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    has_word(headers, header::UPGRADE, "websocket")
}

fn has_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

/// The answer to a request for a WebSocket.
pub(super) struct Answer {
    request: request::Parts,
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Answer {
    /// Reads the request (RFC 6455 4.2.1).
    pub(super) fn new(request: Request) -> Result<Self, Problem> {
        let (mut request, _) = request.into_parts();
        let refuse = |what: &str| {
            let detail = format!("{what}: expected a WebSocket of RFC 6455");
            Problem::new(Code::BadValue, detail).with("field", what)
        };
        if !has_word(&request.headers, header::CONNECTION, "upgrade") {
            return Err(refuse("Connection"));
        }
        let version = request.headers.get(header::SEC_WEBSOCKET_VERSION);
        if version.is_none_or(|version| version != "13") {
            return Err(refuse("Sec-WebSocket-Version"));
        }
        let key = request.headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
        let is_key = |key: &&str| BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
        let key = key.filter(is_key).ok_or_else(|| refuse("Sec-WebSocket-Key"))?;
        let digest = sha1_smol::Sha1::from(format!("{key}{GUID}")).digest().bytes();
        let accept = HeaderValue::try_from(BASE64_STANDARD.encode(digest));
        let accept = accept.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let upgrade = request.extensions.remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| refuse("HTTP/1.0"))?;
        Ok(Self { request, accept, upgrade })
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// What the client is told, and the socket to come.
    pub(super) fn split(self) -> (Response, OnUpgrade) {
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        let answer = (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response();
        (answer, self.upgrade)
    }
}

/// A socket that was opened.
pub(super) struct Socket<S = TokioIo<Upgraded>> {
    stream: WebSocketStream<S>,
    ping: Interval,
    silence: Duration,
    heard: Instant,
}

impl Socket {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self::over(TokioIo::new(upgraded), PING, SILENCE)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// One that asks so often, and takes no answer for so long to be the end.
    fn over(io: S, ping: Duration, silence: Duration) -> Self {
        let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES));
        let stream = ServerBuilder::new().limits(limits).serve(io);
        let mut ping = tokio::time::interval(ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { stream, ping, silence, heard: Instant::now() }
    }

    /// Sends one message.
    pub(super) async fn send(&mut self, batch: &[Bytes]) -> Result<(), Error> {
        let mut message = BytesMut::with_capacity(batch.iter().map(Bytes::len).sum());
        batch.iter().for_each(|piece| message.extend_from_slice(piece));
        self.stream.send(Message::binary(message.freeze())).await
    }

    /// Completes when the client has closed it, is gone, or does not answer. Cancel safe: what is read is of no use.
    pub(super) async fn closed(&mut self) {
        loop {
            tokio::select! {
                message = self.stream.next() => match message {
                    // The stream itself answers pings.
                    Some(Ok(message)) if !message.is_close() => self.heard = Instant::now(),
                    _ => return,
                },
                _ = self.ping.tick() => {
                    let is_gone = self.heard.elapsed() >= self.silence;
                    if is_gone || self.stream.send(Message::ping(Bytes::new())).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Ends it, and waits a little for the client to have read why.
    pub(super) async fn close(mut self, end: &End) {
        let code = match end {
            End::Over => CloseCode::NORMAL_CLOSURE,
            End::Stopping => CloseCode::GOING_AWAY,
            End::Kicked | End::Stalled => CloseCode::POLICY_VIOLATION,
            End::Left => return,
        };
        let close = async {
            let _ = self.stream.send(Message::close(Some(code), &end.to_string())).await;
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        let _ = tokio::time::timeout(CLOSE_TIME, close).await;
    }
}

#[cfg(test)]
mod tests;
