//! `ftyp` and `moov`: what stands before, or behind, the samples (ISO 14496-12 4.3, 8.2 to 8.8).

use super::boxes::Boxes;
use super::movie::{Codec, Movie, Track};
use super::tables::{Tables, View};
use crate::Kind;
use crate::codec::VideoCodec;

/// Units of the movie's own times in a second: those of pictures, so that an edit begins with one exactly.
pub(super) const MOVIE_TIMESCALE: u32 = 90_000;
/// The same of a file that goes on in fragments, which has no such time but 0.
const FRAGMENTS_TIMESCALE: u32 = 1_000;
/// Seconds from 1904, where times in MP4 begin, to 1970.
pub(super) const EPOCH_S: u64 = 2_082_844_800;
/// No rotation, no scaling.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// The names of handlers that QuickTime gave them, which no player takes for a title.
const HANDLER_NAMES: [&str; 2] = ["VideoHandler", "SoundHandler"];

/// Flags of a sample at which decoding can start: it depends on no other (ISO 14496-12 8.8.3).
pub(super) const KEY_FLAGS: u32 = 0x0200_0000;
/// Flags of any other sample.
pub(super) const OTHER_FLAGS: u32 = 0x0101_0000;

/// The beginning of a file that goes on in fragments.
pub(super) fn init_segment(movie: &Movie) -> Vec<u8> {
    let mut boxes = Boxes::default();
    put_ftyp(&mut boxes, movie);
    put_moov(&mut boxes, movie, None);
    boxes.bytes
}

pub(super) fn put_ftyp(boxes: &mut Boxes, movie: &Movie) {
    boxes.put(b"ftyp", |boxes| {
        boxes.slice(b"iso6");
        boxes.u32(0);
        boxes.slice(b"iso6mp41");
        let is_av1 = |track: &Track| track.codec == Codec::Video(VideoCodec::Av1);
        if movie.tracks.iter().any(is_av1) {
            boxes.slice(b"av01");
        }
    });
}

/// With the tables of a file and what is to be added to their offsets; without them of one that
/// goes on in fragments.
pub(super) fn put_moov(boxes: &mut Boxes, movie: &Movie, tables: Option<(&Tables, u64)>) {
    let created = movie.start_unix_ms.map_or(0, |ms| ms / 1_000 + EPOCH_S);
    boxes.put(b"moov", |boxes| {
        boxes.full(b"mvhd", 1, 0, |boxes| {
            boxes.u64(created);
            boxes.u64(created);
            let (timescale, duration) = match tables {
                Some((tables, _)) => (MOVIE_TIMESCALE, tables.duration()),
                None => (FRAGMENTS_TIMESCALE, 0),
            };
            boxes.u32(timescale);
            boxes.u64(duration);
            boxes.u32(0x1_0000);
            boxes.u16(0x0100);
            boxes.zeros(10);
            MATRIX.into_iter().for_each(|number| boxes.u32(number));
            boxes.zeros(24);
            boxes.u32(movie.tracks.iter().map(Track::mp4_id).max().unwrap_or(0) + 1);
        });
        for track in &movie.tracks {
            let view = tables.and_then(|(tables, before)| tables.of(movie, track, before));
            put_trak(boxes, movie, track, created, view.as_ref());
        }
        if tables.is_none() {
            put_mvex(boxes, movie);
        }
    });
}

fn put_mvex(boxes: &mut Boxes, movie: &Movie) {
    boxes.put(b"mvex", |boxes| {
        for track in &movie.tracks {
            boxes.full(b"trex", 0, 0, |boxes| {
                boxes.u32(track.mp4_id());
                boxes.u32(1);
                boxes.zeros(8);
                boxes.u32(default_flags(track.kind));
            });
        }
    });
}

/// The flags of a sample of which a fragment says nothing.
pub(super) fn default_flags(kind: Kind) -> u32 {
    if kind == Kind::Video { OTHER_FLAGS } else { KEY_FLAGS }
}

fn put_trak(
    boxes: &mut Boxes,
    movie: &Movie,
    track: &Track,
    created: u64,
    view: Option<&View<'_>>,
) {
    const ENABLED: u32 = 1;
    const IN_MOVIE: u32 = 2;
    let is_video = track.kind == Kind::Video;
    let of_kind = movie.tracks.iter().filter(|other| other.kind == track.kind);
    // Players choose one of a group, the enabled one to begin with.
    let is_first = of_kind.clone().next().is_some_and(|first| first.id == track.id);
    let group = if of_kind.count() < 2 { 0 } else { 2 - u16::from(is_video) };
    boxes.put(b"trak", |boxes| {
        let flags = IN_MOVIE | if is_first { ENABLED } else { 0 };
        boxes.full(b"tkhd", 1, flags, |boxes| {
            boxes.u64(created);
            boxes.u64(created);
            boxes.u32(track.mp4_id());
            boxes.u32(0);
            boxes.u64(view.map_or(0, View::duration));
            boxes.zeros(8);
            boxes.u16(0);
            boxes.u16(group);
            boxes.u16(if is_video { 0 } else { 0x0100 });
            boxes.u16(0);
            MATRIX.into_iter().for_each(|number| boxes.u32(number));
            boxes.u32(track.width << 16);
            boxes.u32(track.height << 16);
        });
        if let Some(view) = view {
            view.put_edits(boxes);
        }
        put_mdia(boxes, track, created, view);
        if let Some(title) = &track.title {
            boxes.put(b"udta", |boxes| boxes.put(b"name", |boxes| boxes.slice(title.as_bytes())));
        }
    });
}

fn put_mdia(boxes: &mut Boxes, track: &Track, created: u64, view: Option<&View<'_>>) {
    let is_video = track.kind == Kind::Video;
    let [video, sound] = HANDLER_NAMES;
    let (handler, name) = if is_video { (b"vide", video) } else { (b"soun", sound) };
    boxes.put(b"mdia", |boxes| {
        boxes.full(b"mdhd", 1, 0, |boxes| {
            boxes.u64(created);
            boxes.u64(created);
            boxes.u32(track.timescale());
            boxes.u64(view.map_or(0, |view| view.media_duration(track)));
            boxes.u16(language::packed(track.language.as_deref()));
            boxes.u16(0);
        });
        boxes.full(b"hdlr", 0, 0, |boxes| {
            boxes.u32(0);
            boxes.slice(handler);
            boxes.zeros(12);
            boxes.text(track.title.as_deref().unwrap_or(name));
        });
        if let Some(language) = track.language.as_deref().filter(|text| language::is_tag(text)) {
            boxes.full(b"elng", 0, 0, |boxes| boxes.text(language));
        }
        boxes.put(b"minf", |boxes| {
            if is_video {
                boxes.full(b"vmhd", 0, 1, |boxes| boxes.zeros(8));
            } else {
                boxes.full(b"smhd", 0, 0, |boxes| boxes.zeros(4));
            }
            boxes.put(b"dinf", |boxes| {
                boxes.full(b"dref", 0, 0, |boxes| {
                    boxes.u32(1);
                    boxes.full(b"url ", 0, 1, |_| {});
                });
            });
            boxes.put(b"stbl", |boxes| {
                boxes.full(b"stsd", 0, 0, |boxes| {
                    boxes.u32(1);
                    boxes.slice(&track.entry);
                });
                match view {
                    Some(view) => view.put(boxes, track),
                    None => put_empty_tables(boxes),
                }
            });
        });
    });
}

/// The tables that must be there, of no samples.
fn put_empty_tables(boxes: &mut Boxes) {
    for name in [b"stts", b"stsc"] {
        boxes.full(name, 0, 0, |boxes| boxes.u32(0));
    }
    boxes.full(b"stsz", 0, 0, |boxes| boxes.zeros(8));
    boxes.full(b"stco", 0, 0, |boxes| boxes.u32(0));
}

mod language;
