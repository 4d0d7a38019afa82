//! What events say. [`Kind`] is the one list of all types; `docs/ref/events.md` has it as a table,
//! which a test holds to this file.

use serde_json::{Map, Value, json};

use crate::http::time;

/// What one type of event stands for.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The word that programs compare.
    pub name: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// What it says beside `id`, `type`, `time` and `stream`.
    pub fields: &'static [&'static str],
}

macro_rules! kinds {
    ($($name:ident $word:literal [$($field:literal)*] $meaning:literal;)*) => {
        /// A type of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $meaning] $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it stands for.
            pub fn about(self) -> About {
                match self {
                    $(Self::$name => About {
                        name: $word,
                        meaning: $meaning,
                        fields: &[$($field),*],
                    },)*
                }
            }
        }
    };
}

kinds! {
    StreamPublished "stream.published" ["publisher"]
        "Somebody publishes the stream now.";
    StreamUnpublished "stream.unpublished" ["publisher" "reason"]
        "Nobody does any more.";
    PlayerJoined "player.joined" ["player"]
        "Somebody plays the stream, or waits for it.";
    PlayerLeft "player.left" ["player" "lost_packets" "reason"]
        "That player is gone.";
    RecordingStarted "recording.started" ["recording" "recorder"]
        "A recording was asked for.";
    RecordingTrouble "recording.trouble" ["recording" "error"]
        "The recording loses packets, or its disk is in trouble or full.";
    RecordingResumed "recording.resumed" ["recording" "gap"]
        "It goes on; `gap` is what the trouble cost, if anything.";
    RecordingCompleted "recording.completed"
        ["recording" "reason" "segments" "length_ms" "ledger"]
        "It is over.";
    RecordingChanged "recording.changed" ["recording"]
        "It was held, released or labelled.";
    RecordingRestored "recording.restored" ["recording"]
        "It came out of the bin.";
    SegmentOpened "segment.opened" ["recording" "segment" "file" "cut" "gap"]
        "A file is being written; `cut` is why it begins, `gap` what is missing before it.";
    SegmentFinished "segment.finished" ["recording" "segment" "file" "size_bytes" "length_ms"]
        "A file is whole.";
    SegmentRecovered "segment.recovered" ["recording" "segment" "file"]
        "A file that was left unfinished is whole.";
    SegmentDeleted "segment.deleted" ["recording" "segment" "file" "cause" "binned"]
        "A file was deleted, or is in the bin.";
    FileSetAside "file.set_aside" ["from" "to" "reason"]
        "A file could not be understood and has another name now.";
    DiskChanged "disk.changed" ["dir" "state" "free_bytes"]
        "A disk has become `good`, `low`, `full` or `hanging`, or a directory `unwritable`.";
    Reset "reset" ["reason"]
        "Events before this one are lost to this client: it is to read again what it shows.";
}

impl Kind {
    /// The word that programs compare.
    pub fn name(self) -> &'static str {
        self.about().name
    }
}

/// Something that has happened.
#[derive(Debug)]
pub(crate) struct Event {
    kind: Kind,
    stream: Option<String>,
    fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// About a stream.
    pub(crate) fn of(kind: Kind, stream: impl Into<String>) -> Self {
        Self { kind, stream: Some(stream.into()), fields: Vec::new() }
    }

    /// About no stream.
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, stream: None, fields: Vec::new() }
    }

    /// Says more. The fields are those of [`Kind::about`].
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        debug_assert!(self.kind.about().fields.contains(&name), "{:?} has no {name}", self.kind);
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn stream(&self) -> Option<&str> {
        self.stream.as_deref()
    }

    /// All of it but the id.
    pub(crate) fn json(self) -> Value {
        let mut all = Map::new();
        all.insert("type".to_owned(), self.kind.name().into());
        all.insert("time".to_owned(), time::now().into());
        all.insert("stream".to_owned(), json!(self.stream));
        all.extend(self.fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(all)
    }

    #[cfg(test)]
    pub(crate) fn field_names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|(name, _)| *name).collect()
    }
}
