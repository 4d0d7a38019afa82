//! The message streams of a session: made by `createStream`, used by one publish or one play at a
//! time.

use media::{Gate, Kind, Packet, Role};

use super::Event;

/// The open message streams. There are few: a search is cheaper than a map.
#[derive(Debug)]
pub(super) struct Streams {
    open: Vec<Stream>,
    next: u32,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    used: Use,
}

#[derive(Debug)]
enum Use {
    Nothing,
    Publish { name: String },
    Play(Player),
}

/// What a player asked not to be sent.
#[derive(Debug)]
pub(super) struct Player {
    paused: bool,
    audio: bool,
    video: bool,
    /// Holds back what cannot be decoded because something before it was left out.
    gate: Gate,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), next: 1 }
    }

    /// Opens a stream, unless `max` are open. Ids are never 0, which is the connection, and are not
    /// used again soon: what was sent to a deleted stream cannot reach a new one.
    pub(super) fn create(&mut self, max: usize) -> Option<u32> {
        if self.open.len() >= max {
            return None;
        }
        while self.next == 0 || self.is_open(self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.open.push(Stream { id, used: Use::Nothing });
        Some(id)
    }

    pub(super) fn is_open(&self, id: u32) -> bool {
        self.open.iter().any(|stream| stream.id == id)
    }

    /// Whether the stream is open and free for a publish or a play.
    pub(super) fn is_free(&self, id: u32) -> bool {
        self.open.iter().any(|stream| stream.id == id && matches!(stream.used, Use::Nothing))
    }

    pub(super) fn is_publishing(&self, id: u32) -> bool {
        let publishes = |stream: &Stream| matches!(stream.used, Use::Publish { .. });
        self.open.iter().any(|stream| stream.id == id && publishes(stream))
    }

    /// The stream that publishes `name`.
    pub(super) fn publisher_of(&self, name: &str) -> Option<u32> {
        let publishes = |used: &Use| matches!(used, Use::Publish { name: own } if own == name);
        self.open.iter().find(|stream| publishes(&stream.used)).map(|stream| stream.id)
    }

    pub(super) fn any_in_use(&self) -> bool {
        self.open.iter().any(|stream| !matches!(stream.used, Use::Nothing))
    }

    pub(super) fn publish(&mut self, id: u32, name: String) {
        self.set(id, Use::Publish { name });
    }

    pub(super) fn play(&mut self, id: u32) {
        let player = Player { paused: false, audio: true, video: true, gate: Gate::default() };
        self.set(id, Use::Play(player));
    }

    fn set(&mut self, id: u32, used: Use) {
        if let Some(stream) = self.open.iter_mut().find(|stream| stream.id == id) {
            stream.used = used;
        }
    }

    pub(super) fn player(&mut self, id: u32) -> Option<&mut Player> {
        match &mut self.open.iter_mut().find(|stream| stream.id == id)?.used {
            Use::Play(player) => Some(player),
            _ => None,
        }
    }

    /// Ends what the stream is used for; it stays open.
    pub(super) fn end(&mut self, id: u32) -> Option<Event> {
        self.open.iter_mut().find(|stream| stream.id == id)?.end()
    }

    /// Ends what the stream is used for and closes it.
    pub(super) fn delete(&mut self, id: u32) -> Option<Event> {
        let at = self.open.iter().position(|stream| stream.id == id)?;
        self.open.swap_remove(at).end()
    }

    pub(super) fn end_all(&mut self) -> impl Iterator<Item = Event> {
        self.open.iter_mut().filter_map(Stream::end)
    }
}

impl Stream {
    fn end(&mut self) -> Option<Event> {
        let stream = self.id;
        match std::mem::replace(&mut self.used, Use::Nothing) {
            Use::Nothing => None,
            Use::Publish { .. } => Some(Event::PublishEnded { stream }),
            Use::Play(_) => Some(Event::PlayEnded { stream }),
        }
    }
}

impl Player {
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        if paused {
            self.gate.wait_for_key();
        }
    }

    pub(super) fn receive_audio(&mut self, wanted: bool) {
        self.audio = wanted;
    }

    pub(super) fn receive_video(&mut self, wanted: bool) {
        self.video = wanted;
        if !wanted {
            self.gate.wait_for_key();
        }
    }

    /// Video goes on at the next key frame only.
    pub(super) fn wait_for_key(&mut self) {
        self.gate.wait_for_key();
    }

    /// Its gate, if it wants all that passes there.
    pub(super) fn open_gate(&self) -> Option<&Gate> {
        (!self.paused && self.audio && self.video).then_some(&self.gate)
    }

    /// What went through the gate elsewhere has gone through it here.
    pub(super) fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
    }

    /// Another stream begins.
    pub(super) fn begin(&mut self) {
        self.gate.begin();
    }

    /// Whether the packet is to be sent. Headers always are: a player that missed one could not go
    /// on.
    pub(super) fn takes(&mut self, packet: &Packet) -> bool {
        let is_header = matches!(packet.role, Role::Config | Role::Metadata);
        let is_wanted = !self.paused
            && match packet.kind {
                Kind::Data | Kind::DataAmf3 => true,
                Kind::Audio => self.audio,
                Kind::Video => self.video,
            };
        // What is not wanted opens no gate.
        (is_header || is_wanted) && self.gate.takes(packet)
    }
}
