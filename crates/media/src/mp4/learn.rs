//! Learns from packets what the tracks of a movie are.

use bytes::Bytes;

use super::TRACKS_MAX;
use super::color;
use super::entry::{self, Facts};
use super::movie::{Codec, Movie, Refusal, Refused, Seen};
use super::sample::is_coded_video;
use crate::amf0::{Limits, Value};
use crate::codec::{self, AudioCodec, AudioInfo, ColorInfo, VideoCodec, VideoInfo};
use crate::flv::{audio, meta, video};
use crate::{Kind, Packet, Role};

/// As in FLV files: far more than metadata has.
const LIMITS: Limits = Limits { depth: 16, values: 4_096, string_bytes: 65_536 };

#[derive(Debug, Default)]
pub(super) struct Learner {
    tracks: Vec<Facts>,
    /// What was told of the colours of video tracks.
    colors: Vec<(u8, Option<ColorInfo>)>,
    metadata: Option<Vec<(String, Value)>>,
    has_too_many: Vec<(Kind, u8)>,
}

impl Learner {
    /// A packet of the header: what comes later is newer.
    pub(super) fn header(&mut self, packet: &Packet) {
        self.learn(packet, true);
    }

    /// A packet of the stream: it only adds what is not known.
    pub(super) fn packet(&mut self, packet: &Packet) {
        self.learn(packet, false);
    }

    fn learn(&mut self, packet: &Packet, replaces: bool) {
        match packet.kind {
            Kind::Data if packet.role == Role::Metadata => {
                if replaces || self.metadata.is_none() {
                    self.metadata = meta::properties(&packet.body, LIMITS);
                }
            }
            Kind::Data | Kind::DataAmf3 => {}
            Kind::Video => {
                for tag in video::tracks(&packet.body) {
                    self.video(packet, &tag, replaces);
                }
            }
            Kind::Audio => {
                for tag in audio::tracks(&packet.body) {
                    self.audio(packet, &tag, replaces);
                }
            }
        }
    }

    fn video(&mut self, packet: &Packet, tag: &video::VideoTag<'_>, replaces: bool) {
        let codec = Codec::Video(tag.codec);
        match tag.packet_type {
            video::PacketType::SequenceStart => {
                let data = packet.body.slice_ref(tag.data);
                let info = || codec::video_tag_info(tag).map(Info::Video);
                self.config((Kind::Video, tag.track), codec, data, info, replaces);
            }
            video::PacketType::Metadata => {
                let Some(color) = color::told(tag.data) else { return };
                let has_room = self.colors.len() < TRACKS_MAX;
                match self.colors.iter_mut().find(|(track, _)| *track == tag.track) {
                    Some(known) if replaces => known.1 = color,
                    None if has_room => self.colors.push((tag.track, color)),
                    _ => {}
                }
            }
            _ if is_coded_video(tag) => {
                let Some(facts) = self.track(Kind::Video, tag.track, codec) else { return };
                if tag.frame_type.is_key()
                    && facts.codec == codec
                    && facts.video.as_ref().is_none_or(|info| info.width == 0)
                    && let Some(info) = codec::video_tag_info(tag)
                {
                    facts.video.get_or_insert_with(|| VideoInfo::new(tag.codec)).complete(&info);
                }
            }
            _ => {}
        }
    }

    fn audio(&mut self, packet: &Packet, tag: &audio::AudioTag<'_>, replaces: bool) {
        let codec = Codec::Audio(tag.codec);
        match tag.packet_type {
            _ if tag.is_comments() => {}
            audio::PacketType::SequenceStart => {
                let data = packet.body.slice_ref(tag.data);
                let info = || codec::audio_tag_info(tag).map(Info::Audio);
                self.config((Kind::Audio, tag.track), codec, data, info, replaces);
            }
            audio::PacketType::CodedFrames if !tag.data.is_empty() => {
                let Some(facts) = self.track(Kind::Audio, tag.track, codec) else { return };
                if facts.codec != codec || facts.frame.is_some() {
                    return;
                }
                facts.frame = Some(packet.body.slice_ref(tag.data));
                if let Some(info) = codec::audio_tag_info(tag) {
                    facts.audio.get_or_insert_with(|| AudioInfo::new(tag.codec)).complete(&info);
                }
            }
            _ => {}
        }
    }

    fn config(
        &mut self,
        (kind, id): (Kind, u8),
        codec: Codec,
        record: Bytes,
        info: impl FnOnce() -> Option<Info>,
        replaces: bool,
    ) {
        let Some(facts) = self.track(kind, id, codec) else { return };
        // FFmpeg 9 sends AV1 an empty configuration first, and the true one with the first frame.
        let is_told = facts.record.as_ref().is_some_and(|record| !record.is_empty());
        if !replaces && (is_told || facts.codec != codec) {
            return;
        }
        *facts = Facts::new(kind, id, codec);
        facts.record = Some(record);
        match info() {
            Some(Info::Video(info)) => facts.video = Some(info),
            Some(Info::Audio(info)) => facts.audio = Some(info),
            None => {}
        }
    }

    /// The facts of a track; `None` when there are too many.
    fn track(&mut self, kind: Kind, id: u8, codec: Codec) -> Option<&mut Facts> {
        let known = self.tracks.iter().position(|facts| (facts.kind, facts.id) == (kind, id));
        let at = match known {
            Some(at) => at,
            None if self.tracks.len() < TRACKS_MAX => {
                self.tracks.push(Facts::new(kind, id, codec));
                self.tracks.len() - 1
            }
            None => {
                if !self.has_too_many.contains(&(kind, id)) {
                    self.has_too_many.push((kind, id));
                }
                return None;
            }
        };
        self.tracks.get_mut(at)
    }

    pub(super) fn finish(mut self) -> Movie {
        self.tracks.sort_by_key(|facts| (facts.kind, facts.id));
        let mut movie = Movie::default();
        for mut facts in std::mem::take(&mut self.tracks) {
            let color = self.colors.iter().find(|(track, _)| *track == facts.id);
            facts.color = color.filter(|_| facts.kind == Kind::Video).and_then(|(_, c)| *c);
            self.describe(&mut facts);
            match entry::track(&facts) {
                Ok(track) => movie.tracks.push(track),
                Err(reason) => {
                    movie.refused.push(Refused { kind: facts.kind, id: facts.id, reason });
                }
            }
            let Facts { kind, id, codec, record, color, .. } = facts;
            movie.seen.push(Seen { kind, id, codec, record, color });
        }
        let too_many = self.has_too_many.into_iter();
        let refused = too_many.map(|(kind, id)| Refused { kind, id, reason: Refusal::TooMany });
        movie.refused.extend(refused);
        movie
    }

    /// Adds what `onMetaData` says of a track: in the map of its kind, and of track 0 beside.
    fn describe(&self, facts: &mut Facts) {
        let Some(properties) = &self.metadata else { return };
        let of_all = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, v)| v);
        let map = match facts.kind {
            Kind::Video => of_all("videoTrackIdInfoMap"),
            _ => of_all("audioTrackIdInfoMap"),
        };
        let of_track = map.and_then(|map| map.property(&facts.id.to_string()));
        let text = |names: [&str; 2]| {
            let said = |name| of_track.and_then(|track| track.property(name)?.as_str());
            let text = names.into_iter().find_map(said).filter(|text| !text.is_empty())?;
            Some(text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect())
        };
        facts.language = text(["language", "lang"]);
        facts.title = text(["title", "name"]);
        let rate = of_track.and_then(|track| track.property("framerate"));
        let rate = rate.or_else(|| of_all("framerate").filter(|_| facts.id == 0));
        let is_rate = |rate: &f64| (0.1..=1_000.0).contains(rate);
        facts.frame_rate = rate.and_then(Value::as_f64).filter(is_rate);
    }
}

/// Characters of a title or language that are kept.
const TEXT_MAX: usize = 256;

enum Info {
    Video(VideoInfo),
    Audio(AudioInfo),
}

impl Facts {
    fn new(kind: Kind, id: u8, codec: Codec) -> Self {
        Self {
            kind,
            id,
            codec,
            record: None,
            frame: None,
            video: None,
            audio: None,
            color: None,
            language: None,
            title: None,
            frame_rate: None,
        }
    }

    pub(super) fn video_info(&self, codec: VideoCodec) -> VideoInfo {
        self.video.clone().unwrap_or_else(|| VideoInfo::new(codec))
    }

    pub(super) fn audio_info(&self, codec: AudioCodec) -> AudioInfo {
        self.audio.clone().unwrap_or_else(|| AudioInfo::new(codec))
    }
}
