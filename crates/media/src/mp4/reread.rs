//! The movie of a file that is there already, from the `moov` before its parts: enough to write the
//! one behind them.

use super::entry::SOUND_BOXES;
use super::moov::EPOCH_S;
use super::movie::{Codec, Movie, Track};
use super::parse::{self, Fields};
use super::{TRACKS_MAX, esds};
use crate::Kind;
use crate::codec::{AudioCodec, FourCc, VideoCodec};

/// Reads the content of a `moov` that this server wrote. Codec strings and frame rates are not in it.
pub(super) fn movie(moov: &[u8]) -> Option<Movie> {
    let mut mvhd = Fields(parse::find(moov, &[b"mvhd"])?);
    mvhd.skip(4)?;
    let created = mvhd.u64()?;
    let start_unix_ms = created.checked_sub(EPOCH_S).and_then(|s| s.checked_mul(1_000));
    let traks = parse::children(moov).filter(|(name, _)| name == b"trak");
    let tracks = traks.take(TRACKS_MAX + 1).map(|(_, trak)| track(trak));
    let tracks = tracks.collect::<Option<Vec<_>>>()?;
    (tracks.len() <= TRACKS_MAX).then_some(Movie { tracks, start_unix_ms, ..Movie::default() })
}

fn track(trak: &[u8]) -> Option<Track> {
    let mut tkhd = Fields(parse::find(trak, &[b"tkhd"])?);
    tkhd.skip(20)?;
    let mp4_id = tkhd.u32()?;
    tkhd.skip(4 + 8 + 8 + 8 + 36)?;
    let (width, height) = (tkhd.u32()? >> 16, tkhd.u32()? >> 16);
    let kind = if mp4_id % 2 == 1 { Kind::Video } else { Kind::Audio };
    let id = u8::try_from(mp4_id.checked_sub(1)? / 2).ok()?;

    let mdia = parse::find(trak, &[b"mdia"])?;
    let mut mdhd = Fields(parse::find(mdia, &[b"mdhd"])?);
    mdhd.skip(20)?;
    let timescale = mdhd.u32().filter(|scale| *scale >= 1_000 && scale % 1_000 == 0)?;
    mdhd.skip(8)?;
    let letters = mdhd.u16()?;
    let entry = parse::find(mdia, &[b"minf", b"stbl", b"stsd"])?.get(8..)?;
    let name = FourCc(Fields(entry.get(4..)?).four()?);
    let codec = match kind {
        Kind::Video => Codec::Video(VideoCodec::from_fourcc(name)),
        _ => Codec::Audio(audio_codec(name, entry)),
    };
    let sample_rate_hz = match kind {
        Kind::Video => 0,
        _ => Fields(entry.get(SOUND_RATE..)?).u16().map(u32::from)?,
    };
    let title = parse::find(trak, &[b"udta", b"name"]).and_then(text);
    let tag = parse::find(mdia, &[b"elng"]).and_then(|elng| text(elng.get(4..)?));
    Some(Track {
        kind,
        id,
        codec_string: String::new(),
        width,
        height,
        frame_rate: None,
        sample_rate_hz,
        channels: 0,
        language: tag.or_else(|| language(letters)),
        title,
        codec,
        timescale,
        entry: entry.to_vec(),
    })
}

/// Where the sample entry of a sound has its rate.
const SOUND_RATE: usize = 32;

fn audio_codec(name: FourCc, entry: &[u8]) -> AudioCodec {
    let esds = entry.get(SOUND_BOXES..).and_then(|boxes| parse::find(boxes, &[b"esds"]));
    match esds.and_then(esds::object_type) {
        Some(esds::MPEG1_AUDIO | esds::MPEG2_AUDIO) => AudioCodec::Mp3,
        _ => AudioCodec::from_fourcc(name),
    }
}

/// Text up to its zero.
fn text(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Three letters of five bits.
fn language(letters: u16) -> Option<String> {
    let letter =
        |shift: u32| u8::try_from(letters >> shift & 31).map(|five| char::from(five + 0x60));
    let text: String = [letter(10), letter(5), letter(0)].into_iter().flatten().collect();
    (text != "und").then_some(text)
}
