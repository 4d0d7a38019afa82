//! Key frames: where they come from, and what a decoder is fed with.

use archive::range::{Cut, Item, Range, Source};
use live::Stream;
use media::codec::{self, VideoCodec, VideoInfo};
use media::flv::mux::{Muxer, Options};
use media::{Chunks, Header, Kind, Packet, Role, mp4};

/// Bytes of a configuration and a key frame: what the largest message may have.
const FRAME_BYTES: usize = 32 << 20;
/// Packets of a recording that are looked through for a key frame: some seconds.
const PACKETS_MAX: usize = 10_000;

/// How large a picture is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// At most so wide; as high as that makes it.
    Width(u32),
    /// Of that size, with black bars where its shape is another one.
    Box(u16, u16),
}

/// A key frame with what a decoder needs for it.
#[derive(Debug, Clone)]
pub(crate) struct KeyFrame {
    config: Vec<Packet>,
    frame: Packet,
    info: Option<VideoInfo>,
}

impl KeyFrame {
    fn new(header: &Header, frame: Packet) -> Self {
        let config = header.config_of(Kind::Video, frame.track).cloned();
        let said = config.as_ref().and_then(|packet| codec::video_info(&packet.body));
        let mut info = codec::video_info(&frame.body);
        match (&mut info, said) {
            (Some(info), Some(said)) => info.complete(&said),
            (info @ None, said) => *info = said,
            _ => {}
        }
        Self { config: config.into_iter().collect(), frame, info }
    }

    /// The newest one of a stream, as far as it is in memory.
    pub(crate) fn of_stream(stream: &Stream) -> Option<Self> {
        let (header, packet) = stream.newest_start()?;
        let mut header = Header::clone(&header);
        let frame = find(&mut header, std::iter::once(packet))?;
        Some(Self::new(&header, frame))
    }

    /// That of a recording at a moment, in ms since 1970: the last one before it, or in a gap the first one
    /// after it that is before `until`. Waits for the disk.
    pub(crate) fn of_recording(source: &Source, at: i64, until: i64) -> Option<Self> {
        let range = Range { from_unix_ms: at, to_unix_ms: until, cut: Cut::KeyFrame };
        let mut header = Header::default();
        for item in source.read(range).take(PACKETS_MAX) {
            match item {
                Item::Header(known) => header = known,
                Item::Packet(timed) => {
                    if let Some(frame) = find(&mut header, std::iter::once(timed.packet)) {
                        return Some(Self::new(&header, frame));
                    }
                }
                Item::Gap(_) => {}
            }
        }
        None
    }

    /// Bytes that it holds.
    pub(crate) fn size_bytes(&self) -> usize {
        self.config.iter().map(|packet| packet.body.len()).sum::<usize>() + self.frame.body.len()
    }

    /// What is known of its picture.
    pub(super) fn info(&self) -> Option<&VideoInfo> {
        self.info.as_ref()
    }
}

/// The first key frame, with what came before it in the header.
fn find(header: &mut Header, packets: impl Iterator<Item = Packet>) -> Option<Packet> {
    for packet in packets {
        if packet.role == Role::Key && packet.body.len() <= FRAME_BYTES {
            return Some(packet);
        }
        header.push(&packet);
    }
    None
}

/// An FLV file of key frames, one a second. It is made for a decoder and says nothing of itself.
pub(super) fn flv(frames: &[KeyFrame]) -> Vec<u8> {
    let mut muxer = Muxer::new(Options { reserve_bytes: 0, ..Options::default() });
    let mut out = Chunks::new();
    let mut known: &[Packet] = &[];
    for (time_ms, frame) in (0..).step_by(1_000).zip(frames) {
        let is_new = known.len() != frame.config.len()
            || known.iter().zip(&frame.config).any(|(a, b)| a.body != b.body);
        let config = frame.config.iter().filter(|_| is_new);
        for packet in config.chain(std::iter::once(&frame.frame)) {
            // One that is too long for a tag is no picture, which the count tells.
            let _ = muxer.push(packet, time_ms, &mut out);
        }
        known = &frame.config;
    }
    out.to_vec()
}

/// The same as IVF, the format of libvpx, when all are of VP8: of that FFmpeg reads no FLV.
pub(super) fn ivf(frames: &[KeyFrame]) -> Option<Vec<u8>> {
    let is_vp8 = |frame: &KeyFrame| frame.info().is_some_and(|info| info.codec == VideoCodec::Vp8);
    if !frames.iter().all(is_vp8) {
        return None;
    }
    // Version, bytes before the first frame, codec, no size, a tick a second; little-endian.
    let mut ivf = b"DKIF\0\0\x20\0VP80\0\0\0\0\x01\0\0\0\x01\0\0\0".to_vec();
    ivf.resize(32, 0);
    for (time_s, frame) in (0_u64..).zip(frames) {
        let Some(sample) = mp4::samples(&frame.frame).next() else { continue };
        let size = u32::try_from(sample.data.len()).ok()?;
        ivf.extend_from_slice(&size.to_le_bytes());
        ivf.extend_from_slice(&time_s.to_le_bytes());
        ivf.extend_from_slice(&sample.data);
    }
    Some(ivf)
}

/// The size of the pictures of a frame, in pixels.
pub(super) fn size(info: Option<&VideoInfo>, wanted: Wanted) -> (u16, u16) {
    let width = match wanted {
        Wanted::Box(width, height) => return (width, height),
        Wanted::Width(width) => width,
    };
    let (w, h) = match info {
        Some(info) if info.width > 0 && info.height > 0 => (info.width, info.height),
        _ => (16, 9),
    };
    let is_known = info.is_some_and(|info| info.width > 0);
    // Not larger than it is, not higher than it may be wide.
    let width = if is_known { width.min(w) } else { width };
    let height = u64::from(width) * u64::from(h) / u64::from(w);
    let (width, height) = match height > u64::from(width) {
        true => (u64::from(width) * u64::from(w) / u64::from(h), u64::from(width)),
        false => (u64::from(width), height),
    };
    // Chroma of most codecs is of pairs.
    let even = |n: u64| u16::try_from(n.max(2) & !1).unwrap_or(u16::MAX - 1);
    (even(width), even(height))
}
