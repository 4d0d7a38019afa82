//! Colours of a picture, as Enhanced RTMP tells them beside the codec (E-RTMP v2 "Metadata Frame"):
//! HDR and what H.273 has numbers for.

use crate::amf0::{self, Error, Limits, Value};
use crate::amf3;

/// Far more than `colorInfo` needs, which is some 20 numbers.
const LIMITS: Limits = Limits { depth: 8, values: 256, string_bytes: 16_384 };

/// The pairs of name and value that a video message of metadata carries, in their order. Values
/// behind a last name without one are undefined; what has no name is left out.
///
/// They are in AMF0; a client with object encoding 3 may send AMF3.
///
/// # Errors
/// [`Error`], when they cannot be read.
pub fn video_metadata(data: &[u8]) -> Result<Vec<(String, Value)>, Error> {
    /// In AMF0 that is `undefined`, which is no name.
    const AMF3_STRING: u8 = 0x06;
    let values = match data.first() {
        Some(&AMF3_STRING) => amf3::decode_all(data, &LIMITS)?,
        _ => amf0::decode_all(data, &LIMITS)?,
    };
    let mut values = values.into_iter();
    let mut pairs = Vec::new();
    while let Some(name) = values.next() {
        let value = values.next().unwrap_or(Value::Undefined);
        if let Value::String(name) = name {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

/// What `colorInfo` says. What is missing, or out of the range that the specification gives, is
/// `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ColorInfo {
    /// Bits of a sample.
    pub bit_depth: Option<u8>,
    /// Colour primaries (H.273 8.1).
    pub primaries: Option<u8>,
    /// Transfer characteristics (H.273 8.2).
    pub transfer: Option<u8>,
    /// Matrix coefficients (H.273 8.3).
    pub matrix: Option<u8>,
    /// Brightest frame, on average, in cd/m².
    pub max_fall: Option<f64>,
    /// Brightest pixel, in cd/m².
    pub max_cll: Option<f64>,
    /// The display on which it was mastered.
    pub mastering: Option<Mastering>,
}

/// A mastering display (SMPTE ST 2086).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mastering {
    /// x and y of red, green, blue and white (CIE 1931).
    pub chromaticities: Option<[(f64, f64); 4]>,
    /// In cd/m².
    pub max_luminance: Option<f64>,
    /// In cd/m².
    pub min_luminance: Option<f64>,
}

impl ColorInfo {
    /// Reads the value of `colorInfo`. `None` when it takes the one before back: undefined, or an
    /// empty object.
    pub fn of(value: &Value) -> Option<Self> {
        value.properties().filter(|properties| !properties.is_empty())?;
        let config = value.property("colorConfig").unwrap_or(&Value::Undefined);
        let light = value.property("hdrCll").unwrap_or(&Value::Undefined);
        let mastering = value.property("hdrMdcv").and_then(Mastering::of);
        Some(Self {
            bit_depth: byte(config, "bitDepth"),
            primaries: byte(config, "colorPrimaries"),
            transfer: byte(config, "transferCharacteristics"),
            matrix: byte(config, "matrixCoefficients"),
            max_fall: within(light, "maxFall", 0.0, 10_000.0),
            max_cll: within(light, "maxCLL", 0.0, 10_000.0),
            mastering,
        })
    }

    /// Whether it has a transfer of high dynamic range: PQ or HLG.
    pub fn is_hdr(&self) -> bool {
        matches!(self.transfer, Some(PQ | HLG))
    }

    /// The name of the primaries, where people have one.
    pub fn primaries_name(&self) -> Option<&'static str> {
        Some(match self.primaries? {
            1 => "BT.709",
            5 => "BT.601 (625 lines)",
            6 => "BT.601 (525 lines)",
            9 => "BT.2020",
            11 => "DCI-P3",
            12 => "Display P3",
            _ => return None,
        })
    }

    /// The name of the transfer, where people have one.
    pub fn transfer_name(&self) -> Option<&'static str> {
        Some(match self.transfer? {
            1 | 6 | 14 | 15 => "SDR",
            13 => "sRGB",
            PQ => "PQ",
            HLG => "HLG",
            _ => return None,
        })
    }
}

const PQ: u8 = 16;
const HLG: u8 = 18;

impl Mastering {
    fn of(value: &Value) -> Option<Self> {
        value.properties().filter(|properties| !properties.is_empty())?;
        let point = |x, y| Some((within(value, x, 0.0, 1.0)?, within(value, y, 0.0, 1.0)?));
        let chromaticities = || {
            Some([
                point("redX", "redY")?,
                point("greenX", "greenY")?,
                point("blueX", "blueY")?,
                point("whitePointX", "whitePointY")?,
            ])
        };
        Some(Self {
            chromaticities: chromaticities(),
            max_luminance: within(value, "maxLuminance", 0.0, 10_000.0),
            min_luminance: within(value, "minLuminance", 0.0, 10_000.0),
        })
    }
}

fn within(object: &Value, name: &str, least: f64, most: f64) -> Option<f64> {
    let number = object.property(name)?.as_f64()?;
    (least..=most).contains(&number).then_some(number)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, and a fraction is none of the numbers"
)]
fn byte(object: &Value, name: &str) -> Option<u8> {
    let number = within(object, name, 0.0, 255.0)?;
    (number.fract() == 0.0).then_some(number as u8)
}

#[cfg(test)]
mod tests;
