//! Heads of audio and video messages and the codecs' own records: read the same by everybody who
//! reads them, inside their bytes, and safe to print.

use bytes::Bytes;

use crate::amf0::Limits;
use crate::codec::{AudioInfo, FourCc, VideoInfo, audio_info, video_info};
use crate::flv::{audio, meta, video};
use crate::header::is_comments;
use crate::{Header, Kind, Packet, Role};

/// Any bytes as the body of an audio, video or data message: the first one chooses.
pub fn flv_body(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else { return };
    let kind = match choice % 3 {
        0 => Kind::Audio,
        1 => Kind::Video,
        _ => Kind::Data,
    };
    let packet = Packet::new(kind, 0, Bytes::copy_from_slice(body));
    match kind {
        Kind::Audio => check_audio(body, &packet),
        Kind::Video => check_video(body, &packet),
        Kind::Data | Kind::DataAmf3 => check_data(body),
    }
    // A scanner that skips bodies sees the head alone: it may know less, but nothing else.
    for seen in [1, 5, 16, 64, body.len() / 2] {
        let Some(head) = body.get(..seen).filter(|head| !head.is_empty()) else { continue };
        let (role, track) = Packet::classify(kind, head, body.len() - head.len());
        let known = (packet.role, packet.track);
        let unknown = (role, track) == (Role::Frame, 0) || role == Role::Event;
        assert!((role, track) == known || unknown, "{role:?} {track}, whole {known:?}");
    }
    let mut header = Header::default();
    header.push(&packet);
    header.push(&packet);
    let is_of_header = matches!(packet.role, Role::Config | Role::Metadata);
    let expected = usize::from(is_of_header && !is_comments(&packet));
    assert_eq!(header.packets().len(), expected, "a header holds each once");
}

fn check_audio(body: &[u8], packet: &Packet) {
    let tags: Vec<_> = audio::tracks(body).collect();
    assert_eq!(audio::parse(body).as_ref(), tags.first());
    assert!(tags.len() <= body.len(), "a track takes a byte at least");
    let mut before = 0;
    for tag in &tags {
        before = inside(body, tag.data, before);
        assert!(tag.timestamp_offset_nanos < 1_000_000);
        assert!(tag.enhanced || tag.sound.is_some());
    }
    if let Some(first) = tags.first().filter(|_| packet.role != Role::Event) {
        assert_eq!(first.track, packet.track);
        let is_config = first.packet_type == audio::PacketType::SequenceStart;
        assert_eq!(is_config, packet.role == Role::Config);
    }
    check_info(body);
}

fn check_video(body: &[u8], packet: &Packet) {
    let tags: Vec<_> = video::tracks(body).collect();
    assert_eq!(video::parse(body).as_ref(), tags.first());
    assert!(tags.len() <= body.len(), "a track takes a byte at least");
    let mut before = 0;
    for tag in &tags {
        before = inside(body, tag.data, before);
        assert!(tag.timestamp_offset_nanos < 1_000_000);
        assert!((-0x80_0000..0x80_0000).contains(&tag.composition_time_ms));
    }
    if let Some(first) = tags.first().filter(|_| packet.role != Role::Event) {
        assert_eq!(first.track, packet.track);
        if packet.role == Role::Key {
            assert!(first.frame_type.is_key());
        }
    }
    check_info(body);
}

fn check_data(body: &[u8]) {
    let _ = meta::values_of_amf3(body, Limits::default());
    let is_metadata = meta::classify(body) == Role::Metadata;
    let readable = meta::readable_properties(body);
    assert_eq!(readable.is_some(), is_metadata);
    if let Some((properties, true)) = readable {
        assert!(properties.iter().all(|(name, _)| !name.is_empty()));
    }
}

/// Whether `part` is a piece of `whole` that begins at `from` or behind it; where it ends.
fn inside(whole: &[u8], part: &[u8], from: usize) -> usize {
    if part.is_empty() {
        return from;
    }
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
    let Some(start) = start else { panic!("before the message") };
    let end = start + part.len();
    assert!(from <= start && end <= whole.len(), "{start}..{end} after {from}");
    end
}

/// Any bytes as the record of a codec, or as its frame: the first two choose.
pub fn codec(data: &[u8]) {
    let Some((&[codec, form], record)) = data.split_first_chunk::<2>() else { return };
    const VIDEO: [FourCc; 6] =
        [FourCc::AVC1, FourCc::HVC1, FourCc::VVC1, FourCc::AV01, FourCc::VP08, FourCc::VP09];
    const AUDIO: [FourCc; 6] =
        [FourCc::MP4A, FourCc::MP3, FourCc::OPUS, FourCc::FLAC, FourCc::AC3, FourCc::EAC3];
    let at = usize::from(codec >> 1);
    let (first, fourcc) = match codec & 1 {
        0 => (0x90 | form & 0x0f, VIDEO.iter().cycle().nth(at)),
        _ => (0x90 | form & 0x01, AUDIO.iter().cycle().nth(at)),
    };
    let Some(FourCc(fourcc)) = fourcc else { return };
    let enhanced = [&[first], fourcc.as_slice(), record].concat();
    check_info(&enhanced);
    // What is older than Enhanced RTMP has the codec in the first byte.
    check_info(&[&[form, codec & 1, 0, 0, 0], record].concat());
    check_info(&[&[form], record].concat());
}

fn check_info(body: &[u8]) {
    if let Some(mut info) = video_info(body) {
        assert!(info.frame_rate.is_none_or(|rate| rate.is_finite() && rate > 0.0));
        check_words([&info.profile, &info.level, &info.codec_string]);
        let before = info.clone();
        info.complete(&before);
        assert_eq!(info, before, "nothing is new");
        let mut empty = VideoInfo::new(info.codec);
        empty.complete(&info);
        assert!((info.width == 0 || info.height == 0) || empty == info);
    }
    if let Some(mut info) = audio_info(body) {
        check_words([&info.profile, &info.codec_string]);
        let before = info.clone();
        info.complete(&before);
        assert_eq!(info, before, "nothing is new");
        let mut empty = AudioInfo::new(info.codec);
        empty.complete(&info);
        assert_eq!(empty, info);
    }
}

/// They go into logs, tables and playlists.
fn check_words<const N: usize>(words: [&Option<String>; N]) {
    for word in words.into_iter().flatten() {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        // The longest is VVC's: 63 bytes of constraints in base 32.
        assert!(is_plain && word.len() <= 160, "{word:?}");
    }
}
