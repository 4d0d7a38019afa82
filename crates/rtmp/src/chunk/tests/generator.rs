//! Random streams that are legal, or illegal in the ways of real encoders, with the messages that
//! they carry.

#![expect(clippy::cast_possible_truncation, reason = "random numbers, cut to size")]

use bytes::Bytes;

use crate::chunk::Message;

/// A small deterministic generator (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` up to but without `high`; `low` if that is nothing.
    pub(super) fn range(&mut self, low: usize, high: usize) -> usize {
        let width = high.saturating_sub(low).max(1) as u64;
        low + (self.next() % width) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// A stream and what is in it.
pub(super) struct Recorded {
    pub(super) bytes: Vec<u8>,
    pub(super) messages: Vec<Message>,
    /// How many chunks there are of each format.
    pub(super) formats: [usize; 4],
}

/// A chunk stream as its sender sees it.
struct Lane {
    id: u32,
    /// Last header: time, timestamp field, length, type, message stream.
    last: Option<(u32, u32, usize, u8, u32)>,
    /// The message under way and how much of it was sent.
    open: Option<(Message, usize)>,
}

struct Sender {
    random: Random,
    out: Recorded,
    chunk_size: usize,
    repeats_extended: bool,
}

/// Records `steps` chunks, of messages up to `longest` bytes.
pub(super) fn record(seed: u64, steps: usize, longest: usize) -> Recorded {
    let mut random = Random::new(seed);
    let repeats_extended = random.chance(50);
    let out = Recorded { bytes: Vec::new(), messages: Vec::new(), formats: [0; 4] };
    let mut sender = Sender { random, out, chunk_size: 128, repeats_extended };
    let mut lanes: Vec<Lane> =
        [3, 5, 63, 64, 319, 320].map(|id| Lane { id, last: None, open: None }).into();
    let mut control = Lane { id: 2, last: None, open: None };
    for _ in 0..steps {
        let which = sender.random.range(0, lanes.len());
        let lane = &mut lanes[which];
        match sender.random.range(0, 20) {
            0 => {
                let size = sender.random.range(1, longest);
                sender.control(&mut control, 1, size as u32);
                sender.chunk_size = size;
            }
            1 => {
                sender.control(&mut control, 2, lane.id);
                lane.open = None;
            }
            2 => sender.begin(lane, longest),
            _ if lane.open.is_some() => sender.go_on(lane),
            _ => sender.begin(lane, longest),
        }
    }
    // Ends doubts about what the last bytes are.
    sender.control(&mut control, 3, 0);
    sender.out
}

impl Sender {
    fn control(&mut self, lane: &mut Lane, kind: u8, value: u32) {
        let message = Message {
            chunk_stream_id: lane.id,
            message_stream_id: 0,
            message_type: kind,
            timestamp: 0,
            body: Bytes::copy_from_slice(&value.to_be_bytes()),
        };
        self.send_first(lane, message, 0, 0);
        while lane.open.is_some() {
            self.go_on(lane);
        }
    }

    /// Starts a message, in the middle of another perhaps.
    fn begin(&mut self, lane: &mut Lane, longest: usize) {
        let format = match lane.last {
            None => 0,
            // A format 3 in mid-message would go on with it; after an empty message whose extended
            // timestamp is not repeated nothing tells the next chunk's header from that timestamp.
            Some((_, field, length, ..))
                if lane.open.is_some()
                    || (length == 0 && field >= 0xFF_FFFF && !self.repeats_extended) =>
            {
                self.random.range(0, 3)
            }
            Some(_) => self.random.range(0, 4),
        };
        let field = match self.random.range(0, 12) {
            0 => 0xFF_FFFE,
            1 => 0xFF_FFFF,
            2 => self.random.next() as u32,
            _ => self.random.range(0, 50) as u32,
        };
        let length = if self.random.chance(10) { 0 } else { self.random.range(0, longest) };
        let kind = [8, 9, 18][self.random.range(0, 3)];
        let stream = self.random.next() as u32;
        let (time, last_field, last_length, last_kind, last_stream) = lane.last.unwrap_or_default();
        let field = if format == 3 { last_field } else { field };
        let (length, kind) = if format > 1 { (last_length, last_kind) } else { (length, kind) };
        let body = Bytes::from(self.random.bytes(length));
        let message = Message {
            chunk_stream_id: lane.id,
            message_stream_id: if format == 0 { stream } else { last_stream },
            message_type: kind,
            timestamp: if format == 0 { field } else { time.wrapping_add(field) },
            body,
        };
        self.send_first(lane, message, format, field);
    }

    fn send_first(&mut self, lane: &mut Lane, message: Message, format: usize, field: u32) {
        self.basic(lane.id, format);
        let bytes = &mut self.out.bytes;
        let extended = field >= 0xFF_FFFF;
        if format < 3 {
            bytes.extend(&field.min(0xFF_FFFF).to_be_bytes()[1..]);
        }
        if format < 2 {
            bytes.extend(&(message.body.len() as u32).to_be_bytes()[1..]);
            bytes.push(message.message_type);
        }
        if format == 0 {
            bytes.extend(message.message_stream_id.to_le_bytes());
        }
        if extended && (format < 3 || self.repeats_extended) {
            bytes.extend(field.to_be_bytes());
        }
        let (time, kind) = (message.timestamp, message.message_type);
        lane.last = Some((time, field, message.body.len(), kind, message.message_stream_id));
        self.payload(lane, message, 0);
    }

    fn go_on(&mut self, lane: &mut Lane) {
        let Some((message, sent)) = lane.open.take() else { return };
        self.basic(lane.id, 3);
        let field = lane.last.unwrap_or_default().1;
        if field >= 0xFF_FFFF && self.repeats_extended {
            self.out.bytes.extend(field.to_be_bytes());
        }
        self.payload(lane, message, sent);
    }

    fn payload(&mut self, lane: &mut Lane, message: Message, sent: usize) {
        let end = message.body.len().min(sent + self.chunk_size);
        self.out.bytes.extend(&message.body[sent..end]);
        if end == message.body.len() {
            lane.open = None;
            self.out.messages.push(message);
        } else {
            lane.open = Some((message, end));
        }
    }

    /// A basic header, in a random one of the forms that the id has.
    fn basic(&mut self, id: u32, format: usize) {
        self.out.formats[format] += 1;
        let high = (format as u8) << 6;
        let [low, middle, ..] = id.saturating_sub(64).to_le_bytes();
        if id < 64 {
            self.out.bytes.push(high | id as u8);
        } else if id < 320 && self.random.chance(50) {
            self.out.bytes.extend([high, low]);
        } else {
            self.out.bytes.extend([high | 1, low, middle]);
        }
    }
}
