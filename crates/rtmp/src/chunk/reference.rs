//! A second reader: slow, plain, with all input at once. It has no limits, and behind the first
//! error of a stream it reads on as chance will have it. For tests and fuzzers alone.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::chunk::Message;

#[derive(Default)]
struct State {
    timestamp: u32,
    field: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
    /// `Some` from the header of a message until its last byte.
    body: Option<Vec<u8>>,
}

/// All messages that are complete in `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Vec<Message> {
    let mut reader =
        Reader { bytes, at: 0, chunk_size: 128, streams: BTreeMap::new(), omits: false };
    let mut messages = Vec::new();
    while let Some(chunk) = reader.chunk() {
        messages.extend(chunk);
    }
    messages
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    chunk_size: usize,
    streams: BTreeMap<u32, State>,
    omits: bool,
}

impl Reader<'_> {
    fn number(&mut self, bytes: usize) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + bytes)?;
        self.at += bytes;
        Some(digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
    }

    /// One chunk: `None` if it is not whole, the message if it ends one.
    fn chunk(&mut self) -> Option<Option<Message>> {
        let first = self.number(1)?;
        let id = match first & 63 {
            0 => self.number(1)? + 64,
            1 => self.number(2)?.swap_bytes().wrapping_shr(16) + 64,
            id => id,
        };
        let format = first >> 6;
        let mut state = self.streams.remove(&id).unwrap_or_default();
        if format < 3 {
            state.field = self.number(3)?;
            state.body = None;
        }
        if format < 2 {
            state.length = self.number(3)? as usize;
            state.kind = self.number(1)?.to_le_bytes()[0];
        }
        if format == 0 {
            state.stream = self.number(4)?.swap_bytes();
        }
        if format < 3 {
            state.extended = state.field == 0xFF_FFFF;
            if state.extended {
                state.field = self.number(4)?;
            }
        } else if state.extended && !(self.omits && state.body.is_some()) {
            let here = self.at;
            let rest = self.bytes.get(here..)?;
            match self.number(4) {
                // Repeated.
                Some(field) if field == state.field => {}
                // Perhaps repeated: that is for the bytes to come to tell.
                None if state.field.to_be_bytes().starts_with(rest) => return None,
                _ => {
                    self.at = here;
                    self.omits |= state.body.is_some();
                }
            }
        }
        let fresh = state.body.is_none();
        let mut body = state.body.take().unwrap_or_default();
        if fresh {
            let base = if format == 0 { 0 } else { state.timestamp };
            state.timestamp = base.wrapping_add(state.field);
        }
        let count = self.chunk_size.min(state.length - body.len());
        body.extend(self.bytes.get(self.at..self.at + count)?);
        self.at += count;
        let mut message = None;
        if body.len() == state.length {
            message = Some(Message {
                chunk_stream_id: id,
                message_stream_id: state.stream,
                message_type: state.kind,
                timestamp: state.timestamp,
                body: Bytes::from(body),
            });
        } else {
            state.body = Some(body);
        }
        self.streams.insert(id, state);
        self.obey(message.as_ref());
        Some(message)
    }

    fn obey(&mut self, message: Option<&Message>) {
        let Some(message) = message else { return };
        let Some(value) = message.body.first_chunk().map(|b| u32::from_be_bytes(*b)) else {
            return;
        };
        match message.message_type {
            1 => self.chunk_size = value as usize,
            2 => {
                if let Some(state) = self.streams.get_mut(&value) {
                    state.body = None;
                }
            }
            _ => {}
        }
    }
}
