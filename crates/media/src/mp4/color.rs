//! Colours: what E-RTMP's metadata and the codec records say, and the boxes for it.

use super::boxes::Boxes;
use crate::codec::{self, ColorInfo, Mastering, VideoCodec};

/// What a message of video metadata says of colours: `None` when nothing, `Some(None)` when it
/// takes back what was said.
pub(super) fn told(data: &[u8]) -> Option<Option<ColorInfo>> {
    let pairs = codec::video_metadata(data).ok()?;
    let value = pairs.into_iter().rev().find(|(name, _)| name == "colorInfo")?.1;
    Some(ColorInfo::of(&value))
}

/// Appends `colr`, `mdcv` and `clli` (ISO 14496-12 12.1.5 to 12.1.7). The codec's own record wins:
/// it is what decoders go by.
pub(super) fn put(boxes: &mut Boxes, codec: VideoCodec, record: &[u8], told: Option<&ColorInfo>) {
    let of_record = match codec {
        VideoCodec::Av1 => codec::av1_color(record),
        VideoCodec::Vp9 => codec::vp9_color(record),
        _ => None,
    };
    let is_told = |color: &&ColorInfo| {
        color.primaries.is_some() || color.transfer.is_some() || color.matrix.is_some()
    };
    let of_told = told.filter(is_told).map(|color| {
        const UNSPECIFIED: u8 = 2;
        let numbers = [color.primaries, color.transfer, color.matrix];
        (numbers.map(|number| number.unwrap_or(UNSPECIFIED)), false)
    });
    if let Some((numbers, is_full_range)) = of_record.or(of_told) {
        boxes.put(b"colr", |boxes| {
            boxes.slice(b"nclx");
            numbers.into_iter().for_each(|number| boxes.u16(u16::from(number)));
            boxes.u8(u8::from(is_full_range) << 7);
        });
    }
    let Some(told) = told else { return };
    if let Some(mastering) = &told.mastering {
        put_mastering(boxes, mastering);
    }
    if told.max_cll.is_some() || told.max_fall.is_some() {
        boxes.put(b"clli", |boxes| {
            boxes.u16(scaled16(told.max_cll.unwrap_or(0.0), 1.0));
            boxes.u16(scaled16(told.max_fall.unwrap_or(0.0), 1.0));
        });
    }
}

/// Nothing unless all of it is known.
fn put_mastering(boxes: &mut Boxes, mastering: &Mastering) {
    let Mastering {
        chromaticities: Some([red, green, blue, white]),
        max_luminance: Some(max),
        min_luminance: Some(min),
    } = mastering
    else {
        return;
    };
    boxes.put(b"mdcv", |boxes| {
        // In the order of SMPTE ST 2086 in H.265: green, blue, red.
        for (x, y) in [green, blue, red, white] {
            boxes.u16(scaled16(*x, 50_000.0));
            boxes.u16(scaled16(*y, 50_000.0));
        }
        boxes.u32(scaled(*max, 10_000.0));
        boxes.u32(scaled(*min, 10_000.0));
    });
}

fn scaled16(number: f64, scale: f64) -> u16 {
    u16::try_from(scaled(number, scale)).unwrap_or(u16::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn scaled(number: f64, scale: f64) -> u32 {
    (number * scale).round().clamp(0.0, f64::from(u32::MAX)) as u32
}
