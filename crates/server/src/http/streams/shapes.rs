//! Streams as JSON.

use live::Stats;
use media::Kind;
use media::codec::{AudioInfo, VideoInfo};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{shape, time};
use crate::rtmp::Rates;
use crate::sessions::{self, Codecs};

/// A page of streams.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamPage {
    pub(super) streams: Vec<Stream>,
    /// What `after` of the next page is; null on the last one.
    pub(super) next: Option<String>,
}

/// A stream that somebody publishes or waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stream {
    /// Its name.
    #[schema(example = "live/test")]
    pub(super) key: String,
    /// `live` or `waited_for`.
    #[schema(example = "live")]
    pub(super) state: &'static str,
    /// The number of this publish among those of the name.
    pub(super) run: Option<u64>,
    /// Since when it is published.
    #[schema(example = "2026-11-29T14:30:52.120+01:00")]
    pub(super) started: Option<String>,
    pub(super) publisher: Option<Publisher>,
    /// The first video track.
    pub(super) video: Option<Video>,
    /// The first audio track.
    pub(super) audio: Option<Audio>,
    /// All tracks of which anything is known: pictures, then sound, up to 16 of each.
    pub(super) tracks: Vec<Track>,
    pub(super) players: Players,
    /// The recordings of it that run.
    pub(super) recordings: Vec<OfStream>,
    /// What it has carried since it is published.
    pub(super) received: shape::Amount,
}

/// Who publishes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Publisher {
    id: u64,
    /// Its address.
    #[schema(example = "192.0.2.7:51234")]
    peer: String,
    /// What it calls itself.
    #[schema(example = "FMLE/3.0 (compatible; FMSc/1.0)")]
    client: String,
    /// Since when it is connected.
    #[schema(example = "2026-11-29T14:30:52.003+01:00")]
    connected: String,
    /// Whether it follows requests to reconnect.
    follows_reconnect: bool,
}

impl From<&sessions::Publisher> for Publisher {
    fn from(publisher: &sessions::Publisher) -> Self {
        Self {
            id: publisher.id,
            peer: publisher.peer.addr.to_string(),
            client: publisher.peer.client().to_owned(),
            connected: time::text(&publisher.peer.connected),
            follows_reconnect: publisher.peer.follows(),
        }
    }
}

/// Who plays.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Players {
    /// Players now.
    pub(super) count: usize,
    /// Most at once since it is published.
    pub(super) peak: u32,
    /// Each of them, oldest first; only where one stream is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<Vec<Player>>,
}

/// A player.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Player {
    id: u64,
    /// Its address.
    #[schema(example = "192.0.2.8:50002")]
    peer: String,
    /// What it calls itself.
    client: String,
    /// How it plays: `rtmp`, `flv`, `websocket`, `mp4` or `hls`.
    #[schema(example = "rtmp")]
    via: &'static str,
    /// Since when it plays or waits.
    #[schema(example = "2026-11-29T14:31:10.518+01:00")]
    since: String,
    /// Packets that it was too slow for.
    lost_packets: u64,
    /// Bytes of them.
    lost_bytes: u64,
    /// Whether it follows requests to reconnect.
    follows_reconnect: bool,
}

impl From<&sessions::Player> for Player {
    fn from(player: &sessions::Player) -> Self {
        let lost = player.lost();
        Self {
            id: player.id,
            peer: player.peer.addr.to_string(),
            client: player.peer.client().to_owned(),
            via: player.peer.via.name(),
            since: time::text(&player.since),
            lost_packets: lost.packets,
            lost_bytes: lost.bytes,
            follows_reconnect: player.peer.follows(),
        }
    }
}

/// A recording that runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfStream {
    #[schema(example = "9b1f0c52a3d4e677")]
    id: String,
    /// The recorder's name.
    #[schema(example = "all")]
    recorder: String,
    /// `waiting`, `recording`, `trouble`, `paused` or `away`.
    #[schema(example = "recording")]
    state: &'static str,
    /// Its books as of the newest flush; only where one stream is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<shape::Ledger>,
}

impl OfStream {
    pub(super) fn new(status: &archive::Status, in_full: bool) -> Self {
        Self {
            id: status.id.to_string(),
            recorder: shape::recorder(status).to_owned(),
            state: shape::state(status.state),
            ledger: in_full.then(|| shape::Ledger::from(&status.ledger)),
        }
    }
}

/// A track; of Enhanced RTMP a stream may have several of a kind.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Track {
    /// `video` or `audio`.
    #[schema(example = "video")]
    kind: &'static str,
    /// What the publisher calls it; 0 where there is one.
    #[schema(example = 1)]
    id: u8,
    #[schema(example = "H.264")]
    codec: String,
    /// As RFC 6381 writes it.
    #[schema(example = "avc1.640028")]
    codec_string: Option<String>,
    /// Of the shown picture, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate_hz: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u8>,
}

impl Track {
    pub(super) fn all(codecs: &Codecs) -> Vec<Self> {
        let video = codecs.video.iter().map(|(id, info)| {
            let sized = Some(info).filter(|info| info.width > 0);
            Self {
                kind: Kind::Video.name(),
                id: *id,
                codec: info.codec.to_string(),
                codec_string: info.codec_string.clone(),
                width: sized.map(|info| info.width),
                height: sized.map(|info| info.height),
                sample_rate_hz: None,
                channels: None,
            }
        });
        let audio = codecs.audio.iter().map(|(id, info)| Self {
            kind: Kind::Audio.name(),
            id: *id,
            codec: info.codec.to_string(),
            codec_string: info.codec_string.clone(),
            width: None,
            height: None,
            sample_rate_hz: Some(info.sample_rate_hz).filter(|rate| *rate > 0),
            channels: Some(info.channels).filter(|channels| *channels > 0),
        });
        video.chain(audio).collect()
    }
}

/// A video track.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Video {
    #[schema(example = "H.264")]
    codec: Option<String>,
    #[schema(example = "High")]
    profile: Option<String>,
    #[schema(example = "4.0")]
    level: Option<String>,
    /// Of the shown picture, in pixels.
    #[schema(example = 1920)]
    width: Option<u32>,
    #[schema(example = 1080)]
    height: Option<u32>,
    /// As RFC 6381 writes it.
    #[schema(example = "avc1.640028")]
    codec_string: Option<String>,
    /// Over the last seconds.
    #[schema(example = 6000.5)]
    kbps: f64,
    /// Over the last seconds, by the stream's own clock.
    #[schema(example = 30.0)]
    frame_rate: f64,
    /// The one that the configuration states, if it does.
    nominal_frame_rate: Option<f64>,
    /// Mean distance of key frames, once there are two.
    #[schema(example = 2000)]
    key_interval_ms: Option<i64>,
    /// Longest distance of two key frames.
    key_interval_max_ms: i64,
    /// Since it is published.
    frames: u64,
    key_frames: u64,
    packets: u64,
    bytes: u64,
}

impl Video {
    pub(super) fn new(info: Option<&VideoInfo>, stats: &Stats, rates: &Rates) -> Self {
        let sized = info.filter(|info| info.width > 0);
        Self {
            codec: info.map(|info| info.codec.to_string()),
            profile: info.and_then(|info| info.profile.clone()),
            level: info.and_then(|info| info.level.clone()),
            width: sized.map(|info| info.width),
            height: sized.map(|info| info.height),
            codec_string: info.and_then(|info| info.codec_string.clone()),
            kbps: tenth(rates.video_kbps),
            frame_rate: tenth(rates.frame_rate),
            nominal_frame_rate: info.and_then(|info| info.frame_rate),
            key_interval_ms: stats.key_interval_ms(),
            key_interval_max_ms: stats.key_interval_max_ms,
            frames: stats.video.frames,
            key_frames: stats.key_frames,
            packets: stats.video.packets,
            bytes: stats.video.bytes,
        }
    }
}

/// An audio track.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Audio {
    #[schema(example = "AAC")]
    codec: Option<String>,
    #[schema(example = "LC")]
    profile: Option<String>,
    #[schema(example = 48000)]
    sample_rate_hz: Option<u32>,
    #[schema(example = 2)]
    channels: Option<u8>,
    /// As RFC 6381 writes it.
    #[schema(example = "mp4a.40.2")]
    codec_string: Option<String>,
    /// Over the last seconds.
    #[schema(example = 128.1)]
    kbps: f64,
    /// Since it is published.
    frames: u64,
    packets: u64,
    bytes: u64,
}

impl Audio {
    pub(super) fn new(info: Option<&AudioInfo>, stats: &Stats, rates: &Rates) -> Self {
        Self {
            codec: info.map(|info| info.codec.to_string()),
            profile: info.and_then(|info| info.profile.clone()),
            sample_rate_hz: info.map(|info| info.sample_rate_hz).filter(|rate| *rate > 0),
            channels: info.map(|info| info.channels).filter(|channels| *channels > 0),
            codec_string: info.and_then(|info| info.codec_string.clone()),
            kbps: tenth(rates.audio_kbps),
            frames: stats.audio.frames,
            packets: stats.audio.packets,
            bytes: stats.audio.bytes,
        }
    }
}

/// More digits would only be noise.
fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
