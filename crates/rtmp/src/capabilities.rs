//! What a side of a connection can do, as `connect` and its answer tell (E-RTMP v2 "Enhancing
//! NetConnection connect Command").
//!
//! Nothing here is required of a peer: one that offers nothing may still send and get everything
//! (FFmpeg 9 publishes enhanced codecs and offers none). What is offered is read whatever its shape,
//! for clients of both versions of Enhanced RTMP and careless ones: lists as objects, objects as
//! lists, numbers as text are each taken for what they mean, and what means nothing is left out.

use media::amf0::Value;

/// Bits of a FourCC's entry in `videoFourCcInfoMap` and `audioFourCcInfoMap` (`FourCcInfoMask`).
pub mod codec_flags {
    /// It can decode the codec.
    pub const CAN_DECODE: u32 = 0x01;
    /// It can encode it.
    pub const CAN_ENCODE: u32 = 0x02;
    /// It passes it on.
    pub const CAN_FORWARD: u32 = 0x04;
}

/// Bits of `capsEx` (`CapsExMask`).
pub mod caps_ex {
    /// It follows a request to reconnect.
    pub const RECONNECT: u32 = 0x01;
    /// It can take several tracks in a stream.
    pub const MULTITRACK: u32 = 0x02;
    /// It can read past modifiers.
    pub const MOD_EX: u32 = 0x04;
    /// It makes use of offsets in nanoseconds.
    pub const TIMESTAMP_NANO_OFFSET: u32 = 0x08;
}

/// Bits of `videoFunction` ("Metadata Frame").
pub mod video_function {
    /// It seeks to any frame.
    pub const CLIENT_SEEK: u32 = 0x01;
    /// It shows HDR, and so reads `colorInfo`.
    pub const CLIENT_HDR: u32 = 0x02;
    /// It reads video packets of metadata.
    pub const VIDEO_PACKET_TYPE_METADATA: u32 = 0x04;
    /// It decodes parts of a large AV1 picture.
    pub const LARGE_SCALE_TILE: u32 = 0x08;
}

/// The name that stands for every codec.
pub const ANY: &str = "*";

/// What a side offered. All of it is empty or 0 when it offered nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `fourCcList`: codecs by their FourCC, or [`ANY`]; known and unknown ones, as they were sent.
    pub fourcc_list: Vec<String>,
    /// `videoFourCcInfoMap`: FourCCs, or [`ANY`], with bits of [`codec_flags`].
    pub video: Vec<(String, u32)>,
    /// `audioFourCcInfoMap`, likewise.
    pub audio: Vec<(String, u32)>,
    /// `capsEx`: bits of [`caps_ex`], and any others that were sent.
    pub caps_ex: u32,
    /// `videoFunction`: bits of [`video_function`]; older than the rest.
    pub video_function: u32,
}

impl Capabilities {
    /// Most entries kept of a list. There are some dozen codecs; a peer can send thousands of names.
    pub const ENTRIES_MAX: usize = 64;
    /// Longest name kept, in bytes. A FourCC has 4.
    pub const NAME_BYTES_MAX: usize = 32;

    /// Those of a recorder and forwarder: it takes every codec, multitrack and modifiers.
    pub fn forwarder() -> Self {
        let any = || vec![(ANY.to_owned(), codec_flags::CAN_FORWARD)];
        Self {
            fourcc_list: vec![ANY.to_owned()],
            video: any(),
            audio: any(),
            caps_ex: caps_ex::MULTITRACK | caps_ex::MOD_EX | caps_ex::TIMESTAMP_NANO_OFFSET,
            video_function: 0,
        }
    }

    /// Reads the properties of a `connect` or of its answer.
    pub fn of(object: &Value) -> Self {
        Self {
            fourcc_list: object.property("fourCcList").map(names).unwrap_or_default(),
            video: object.property("videoFourCcInfoMap").map(flags_by_name).unwrap_or_default(),
            audio: object.property("audioFourCcInfoMap").map(flags_by_name).unwrap_or_default(),
            caps_ex: object.property("capsEx").and_then(bits).unwrap_or(0),
            video_function: object.property("videoFunction").and_then(bits).unwrap_or(0),
        }
    }

    /// The properties that say so, without `videoFunction` and without what is empty.
    pub fn properties(&self) -> Vec<(String, Value)> {
        let map = |entries: &[(String, u32)]| {
            let entry = |(name, flags): &(String, u32)| (name.clone(), f64::from(*flags).into());
            Value::Object(entries.iter().map(entry).collect())
        };
        let list = self.fourcc_list.iter().map(|name| name.as_str().into()).collect();
        let all = [
            ("fourCcList", Value::StrictArray(list), self.fourcc_list.is_empty()),
            ("videoFourCcInfoMap", map(&self.video), self.video.is_empty()),
            ("audioFourCcInfoMap", map(&self.audio), self.audio.is_empty()),
            ("capsEx", f64::from(self.caps_ex).into(), self.caps_ex == 0),
        ];
        let told = all.into_iter().filter(|(_, _, is_empty)| !is_empty);
        told.map(|(name, value, _)| (name.to_owned(), value)).collect()
    }

    /// Whether nothing of Enhanced RTMP was offered.
    pub fn is_legacy(&self) -> bool {
        let lists = self.fourcc_list.is_empty() && self.video.is_empty() && self.audio.is_empty();
        lists && self.caps_ex == 0
    }

    /// Whether all `flags`, bits of [`caps_ex`], were offered.
    pub fn has(&self, flags: u32) -> bool {
        self.caps_ex & flags == flags
    }

    /// The bits of [`codec_flags`] for a video codec; those of [`ANY`] win over its own.
    pub fn video_flags(&self, fourcc: &str) -> u32 {
        flags_of(&self.video, fourcc)
    }

    /// The bits for an audio codec, likewise.
    pub fn audio_flags(&self, fourcc: &str) -> u32 {
        flags_of(&self.audio, fourcc)
    }
}

fn flags_of(entries: &[(String, u32)], fourcc: &str) -> u32 {
    let of = |wanted: &str| entries.iter().rev().find(|(name, _)| name == wanted);
    of(ANY).or_else(|| of(fourcc)).map_or(0, |(_, flags)| *flags)
}

/// Names in an array, or the names or else the texts of an object, or a single one.
fn names(value: &Value) -> Vec<String> {
    let is_index = |name: &str| name.bytes().all(|b| b.is_ascii_digit()) || name == "length";
    let names: Vec<&str> = match value {
        Value::StrictArray(values) => values.iter().filter_map(Value::as_str).collect(),
        Value::String(name) => vec![name],
        other => {
            let properties = other.properties().unwrap_or_default().iter();
            let named = properties.filter_map(|(name, value)| match value.as_str() {
                Some(text) => Some(text),
                None => (!is_index(name)).then_some(name.as_str()),
            });
            named.collect()
        }
    };
    let names = names.into_iter().filter(|name| is_name(name)).map(str::to_owned);
    names.take(Capabilities::ENTRIES_MAX).collect()
}

/// Names with numbers; names alone, in an array, can be passed on at least.
fn flags_by_name(value: &Value) -> Vec<(String, u32)> {
    let entries: Vec<(&str, u32)> = match value {
        Value::StrictArray(values) => {
            let forwarded = |value| Some((Value::as_str(value)?, codec_flags::CAN_FORWARD));
            values.iter().filter_map(forwarded).collect()
        }
        other => {
            let properties = other.properties().unwrap_or_default().iter();
            properties.filter_map(|(name, value)| Some((name.as_str(), bits(value)?))).collect()
        }
    };
    let entries = entries.into_iter().filter(|(name, _)| is_name(name));
    let entries = entries.map(|(name, flags)| (name.to_owned(), flags));
    entries.take(Capabilities::ENTRIES_MAX).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= Capabilities::NAME_BYTES_MAX
}

/// A whole number of 32 bits, also as text.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, and a fraction is no set of bits"
)]
fn bits(value: &Value) -> Option<u32> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        Value::Boolean(flag) => f64::from(u8::from(*flag)),
        other => other.as_f64()?,
    };
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    is_whole.then_some(number as u32)
}

#[cfg(test)]
mod tests;
