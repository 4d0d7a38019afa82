//! The bytes of a segment's file: a closed set of muxers with one way to use them.
//!
//! What was pushed goes out by [`Container::flush`], all of it: of FLV tags that are whole, of MP4 a
//! part, whose end plays after a crash.

use media::amf0::Value;
use media::flv::mux::{Options, Patch};
use media::flv::tag::FILE_HEADER;
use media::mp4::Movie;
use media::{Chunks, Header, Kind, Packet, Role, flv, mp4};

use crate::script::ROOM_BYTES;

/// Bytes that change in a file at most: as many whole pages as the digest keeps.
const CHANGING_BYTES: usize = 32 << 10;
/// Bytes that an MP4 file has at most before and behind what it says of itself and that belong to
/// the pages that change.
const AROUND_BYTES: usize = 96;
/// Most samples of an MP4 file: 5 hours at 60 frames a second with sound. Its index is kept in
/// memory until it ends, up to 30 bytes for each.
pub(crate) const SAMPLES_MAX: u64 = 1 << 21;

/// What kind of file begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Flv,
    /// With these tracks.
    Mp4(Box<Movie>),
}

/// The muxer of a file.
#[derive(Debug)]
pub(crate) enum Container {
    Flv(Box<flv::mux::Muxer>),
    Mp4(Box<Mp4>),
}

/// How a packet is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// As a message of its own.
    Whole,
    /// What it says is in what the file says of itself.
    Merged,
    /// As a message of its own that no player looks at.
    Hidden,
}

/// Why a packet cannot be in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Flv(#[from] flv::mux::Error),
    #[error(transparent)]
    Mp4(#[from] mp4::Error),
}

/// An MP4 file.
#[derive(Debug)]
pub(crate) struct Mp4 {
    muxer: mp4::mux::Muxer,
    /// Whether the part that is being filled has audio or video.
    has_media: bool,
}

impl Container {
    /// A new file that tells `identity` for ever.
    pub(crate) fn new(form: Form, identity: Vec<(String, Value)>) -> Self {
        let options = |around| Options {
            reserve_bytes: CHANGING_BYTES - around,
            identity,
            ..Options::default()
        };
        match form {
            Form::Flv => Self::Flv(Box::new(flv::mux::Muxer::new(options(FILE_HEADER.len())))),
            Form::Mp4(movie) => Self::of(mp4::mux::Muxer::new(*movie, options(AROUND_BYTES))),
        }
    }

    /// An MP4 file that is there already.
    pub(crate) fn of(muxer: mp4::mux::Muxer) -> Self {
        Self::Mp4(Box::new(Mp4 { muxer, has_media: false }))
    }

    /// Puts out all that comes before the first packet.
    pub(crate) fn start(&mut self, header: &Header, out: &mut Chunks) {
        match self {
            Self::Flv(muxer) => muxer.start(header, out),
            Self::Mp4(mp4) => mp4.muxer.start(header, out),
        }
    }

    /// Packets of the header that are in the file once more: of FLV without the metadata, which is
    /// in what the file says of itself.
    pub(crate) fn repeats(&self, header: &Header) -> u64 {
        let is_flv = matches!(self, Self::Flv(_));
        let packets = header.packets().iter();
        packets.filter(|packet| !is_flv || packet.kind != Kind::Data).count() as u64
    }

    /// How many of the first bytes may change later.
    pub(crate) fn changing_bytes(&self) -> u64 {
        let told = self.patches().iter().map(|p| p.offset + p.bytes.len() as u64).max();
        let room = match self {
            Self::Flv(_) => 0,
            Self::Mp4(_) => ROOM_BYTES as u64,
        };
        told.unwrap_or_default() + room
    }

    /// Takes a packet. Returns how it is in the file.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed.
    pub(crate) fn push(
        &mut self,
        packet: &Packet,
        time_ms: u64,
        out: &mut Chunks,
    ) -> Result<Kept, Refusal> {
        match self {
            Self::Flv(muxer) => {
                let before = muxer.position();
                muxer.push(packet, time_ms, out)?;
                Ok(if muxer.position() == before { Kept::Merged } else { Kept::Whole })
            }
            Self::Mp4(mp4) => {
                if mp4.has_media && mp4.begins_part(packet) {
                    mp4.muxer.cut();
                    mp4.has_media = false;
                }
                mp4.muxer.push(packet, time_ms, out)?;
                mp4.has_media |= packet.is_media();
                let is_hidden = packet.is_media()
                    && mp4.muxer.movie().track(packet.kind, packet.track).is_none();
                Ok(if is_hidden { Kept::Hidden } else { Kept::Whole })
            }
        }
    }

    /// Puts out all that was pushed.
    pub(crate) fn flush(&mut self, out: &mut Chunks) {
        if let Self::Mp4(mp4) = self {
            mp4.muxer.flush(out);
            mp4.has_media = false;
        }
    }

    /// Puts out what comes behind the last packet.
    pub(crate) fn finish(&mut self, out: &mut Chunks) {
        if let Self::Mp4(mp4) = self {
            mp4.muxer.finish(out);
        }
    }

    /// Bytes put out so far.
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Flv(muxer) => muxer.position(),
            Self::Mp4(mp4) => mp4.muxer.position(),
        }
    }

    /// Bytes that were pushed and not put out, about.
    pub(crate) fn open_bytes(&self) -> u64 {
        match self {
            Self::Flv(_) => 0,
            Self::Mp4(mp4) => mp4.muxer.open_bytes(),
        }
    }

    /// The end of the last frame that was pushed, in ms.
    pub(crate) fn duration_ms(&self) -> u64 {
        match self {
            Self::Flv(muxer) => muxer.duration_ms(),
            Self::Mp4(mp4) => mp4.muxer.duration_ms(),
        }
    }

    /// Whether another file is to begin, for this one has almost all that it can have.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Flv(_) => false,
            Self::Mp4(mp4) => mp4.muxer.counters().samples >= SAMPLES_MAX,
        }
    }

    /// Sets what changes of what the file says of itself.
    pub(crate) fn set_extra(&mut self, extra: Vec<(String, Value)>) {
        match self {
            Self::Flv(muxer) => muxer.set_extra(extra),
            Self::Mp4(mp4) => mp4.muxer.set_extra(extra),
        }
    }

    /// What to overwrite so that the file is right as far as it was put out.
    pub(crate) fn patches(&self) -> Vec<Patch> {
        match self {
            Self::Flv(muxer) => muxer.patches(),
            Self::Mp4(mp4) => mp4.muxer.patches(),
        }
    }

    /// What to overwrite last, so that it says that it is complete.
    pub(crate) fn complete_patch(&self) -> Patch {
        match self {
            Self::Flv(muxer) => muxer.complete_patch(),
            Self::Mp4(mp4) => mp4.muxer.complete_patch(),
        }
    }
}

impl Mp4 {
    /// Whether playing can begin with this packet: a key frame, or what a decoder is told before one.
    fn begins_part(&self, packet: &Packet) -> bool {
        let leading = self.muxer.movie().leading().filter(|track| track.kind == Kind::Video);
        packet.kind == Kind::Video
            && matches!(packet.role, Role::Key | Role::Config | Role::Metadata)
            && leading.is_some_and(|track| packet.has_track(track.id))
    }
}
