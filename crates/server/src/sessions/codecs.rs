//! What is known of the tracks of a stream.

use std::collections::BTreeMap;
use std::fmt;

use media::codec::{self, AudioInfo, VideoInfo};
use media::flv::{audio, video};
use media::hls::TrackName;
use media::{Kind, Packet, Role};

use crate::telemetry::{describe_audio, describe_video};

/// Most tracks of a kind that are known.
const TRACKS_MAX: usize = 16;

/// The tracks of a stream by their ids, with what their configurations or their first frames say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Codecs {
    pub(crate) video: BTreeMap<u8, VideoInfo>,
    pub(crate) audio: BTreeMap<u8, AudioInfo>,
}

impl Codecs {
    /// Notices what a packet says, and returns whether that is news. Looks into it only where it has something to
    /// tell: a configuration, or the first frame of a track that has none.
    pub(crate) fn see(&mut self, packet: &Packet) -> bool {
        let is_config = packet.role == Role::Config;
        let is_key = packet.role == Role::Key;
        match packet.kind {
            Kind::Video if is_config || is_key && is_new(&self.video, packet.track) => {
                let told = video::tracks(&packet.body);
                let told = told.filter_map(|tag| Some((tag.track, codec::video_tag_info(&tag)?)));
                note(&mut self.video, is_config, told)
            }
            Kind::Audio if is_config || packet.is_media() && is_new(&self.audio, packet.track) => {
                let told = audio::tracks(&packet.body);
                let told = told.filter_map(|tag| Some((tag.track, codec::audio_tag_info(&tag)?)));
                note(&mut self.audio, is_config, told)
            }
            _ => false,
        }
    }

    /// Takes from `seen` what is not known here.
    pub(crate) fn complete(&mut self, seen: &Self) {
        for (track, info) in &mut self.video {
            if let Some(seen) = seen.video.get(track) {
                info.complete(seen);
            }
        }
        for (track, info) in &mut self.audio {
            if let Some(seen) = seen.audio.get(track) {
                info.complete(seen);
            }
        }
    }

    /// The first track of each kind.
    pub(crate) fn first(&self) -> (Option<&VideoInfo>, Option<&AudioInfo>) {
        (self.video.values().next(), self.audio.values().next())
    }

    /// Whether there are several of a kind.
    pub(crate) fn are_several(&self) -> bool {
        self.video.len() > 1 || self.audio.len() > 1
    }
}

/// All of them: `video-0 H.264 High 4.0 1920x1080 avc1.640028, audio-0 AAC LC …`.
impl fmt::Display for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let video = self.video.iter().map(|(id, info)| (Kind::Video, *id, describe_video(info)));
        let audio = self.audio.iter().map(|(id, info)| (Kind::Audio, *id, describe_audio(info)));
        for (i, (kind, id, words)) in video.chain(audio).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{} {words}", TrackName { kind, id })?;
        }
        Ok(())
    }
}

/// Whether a track is not known and there is room for it.
fn is_new<T>(known: &BTreeMap<u8, T>, track: u8) -> bool {
    known.len() < TRACKS_MAX && !known.contains_key(&track)
}

/// Enters what is told of tracks; of those that are known only what a configuration tells.
fn note<T: PartialEq>(
    known: &mut BTreeMap<u8, T>,
    is_config: bool,
    told: impl Iterator<Item = (u8, T)>,
) -> bool {
    let mut is_news = false;
    for (track, info) in told {
        if is_new(known, track) || is_config && known.contains_key(&track) {
            is_news |= known.get(&track) != Some(&info);
            known.insert(track, info);
        }
    }
    is_news
}

#[cfg(test)]
mod tests;
