//! FLV without an end, for whoever watches: what a late player gets, as one body.
//!
//! The header says which kinds of media there are, which takes a while to know of a stream that has just begun:
//! nothing is put out until both have come, or the stream has gone on for [`WAIT_MS`] without one. Players wait
//! for what a header promises, and pass over what it does not.
//!
//! Times begin near 0 and go on as [`Rebase`] has them, so that a new clock of the encoder is no jump; past 32 bits
//! they begin again, as RTMP's do.

use crate::{Chunks, Header, Kind, Packet, flv::tag, time::Rebase};

/// A kind of media that has not come in this time of a stream is not there, in ms.
pub const WAIT_MS: i64 = 1_000;

/// Packets that wait for the other kind of media: a second of 120 pictures and 50 blocks of sound a second, and more.
const WAIT_PACKETS: usize = 512;

/// Writes one view.
#[derive(Debug, Default)]
pub struct Muxer {
    /// Until the file header is put out.
    waiting: Vec<Packet>,
    has_audio: bool,
    has_video: bool,
    /// What has not come by now is not there.
    is_settled: bool,
    /// Once the file header is put out.
    clock: Option<Rebase>,
}

impl Muxer {
    /// A view of a stream that has had such media already. It `is_settled` when it has gone on for [`WAIT_MS`].
    pub fn new(has_audio: bool, has_video: bool, is_settled: bool) -> Self {
        Self { has_audio, has_video, is_settled, ..Self::default() }
    }

    /// A header, at the beginning or after a loss.
    pub fn header(&mut self, header: &Header, out: &mut Chunks) {
        for packet in header.packets() {
            self.push(packet, out);
        }
    }

    /// The next packet of the stream.
    pub fn push(&mut self, packet: &Packet, out: &mut Chunks) {
        if let Some(clock) = &mut self.clock {
            return put(packet, clock, out);
        }
        self.has_audio |= packet.kind == Kind::Audio;
        self.has_video |= packet.kind == Kind::Video;
        self.waiting.push(packet.clone());
        if self.waiting.len() >= WAIT_PACKETS || self.waited_ms() >= WAIT_MS {
            self.start(out);
        }
    }

    /// No more is there at once. Begins if all is known that is to be known: until then nothing is put out, so that
    /// times can begin with the oldest packet of those that come together.
    pub fn flush(&mut self, out: &mut Chunks) {
        let has_media = self.waiting.iter().any(Packet::is_media);
        if has_media && (self.is_settled || self.has_audio && self.has_video) {
            self.start(out);
        }
    }

    /// Begins with what there is.
    pub fn start(&mut self, out: &mut Chunks) {
        if self.clock.is_some() {
            return;
        }
        out.put_slice(&tag::file_header(self.has_audio, self.has_video));
        let origin_ms = self.media_ms().min();
        let mut clock = origin_ms.map(Rebase::from_ms).unwrap_or_default();
        for packet in self.waiting.drain(..) {
            put(&packet, &mut clock, out);
        }
        self.clock = Some(clock);
    }

    fn media_ms(&self) -> impl Iterator<Item = i64> {
        self.waiting.iter().filter(|packet| packet.is_media()).map(|packet| packet.dts_ms)
    }

    fn waited_ms(&self) -> i64 {
        let newest_ms = self.waiting.last().filter(|packet| packet.is_media());
        let first_ms = self.media_ms().next();
        newest_ms
            .zip(first_ms)
            .map_or(0, |(newest, first_ms)| newest.dts_ms.saturating_sub(first_ms))
    }
}

/// A body that is too long for a tag is left out: its stream cannot be recorded in FLV either.
fn put(packet: &Packet, clock: &mut Rebase, out: &mut Chunks) {
    let Some(body_size) = u32::try_from(packet.body.len()).ok() else { return };
    if packet.body.len() > tag::BODY_MAX {
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the tag wraps at 32 bits by definition")]
    let time_ms = clock.map(packet) as u32;
    tag::put(packet, body_size, time_ms, out);
}

#[cfg(test)]
mod tests;
