//! Pictures in memory, and as JPEG.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder};

use super::Failure;
use crate::http::Code;

/// Of 100: small, and good enough for what shows a stream at a glance.
const QUALITY: u8 = 80;

/// A picture: rows of red, green and blue, a byte each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// `width * height * 3` bytes.
    pub(crate) rgb: Vec<u8>,
}

/// A picture as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Jpeg {
    pub(crate) bytes: Bytes,
    /// The same for the same bytes.
    pub(crate) tag: String,
}

impl Picture {
    /// A black one.
    pub(crate) fn black(width: u16, height: u16) -> Self {
        Self { width, height, rgb: vec![0; usize::from(width) * usize::from(height) * 3] }
    }

    /// Puts another one into it; what is outside is left out.
    pub(crate) fn put(&mut self, other: &Self, left: usize, top: usize) {
        let (row, from) = (usize::from(self.width) * 3, usize::from(other.width) * 3);
        let rows = other
            .rgb
            .chunks_exact(from.max(1))
            .zip(self.rgb.chunks_exact_mut(row.max(1)).skip(top));
        for (from, to) in rows {
            let to = to.get_mut(left * 3..).unwrap_or_default();
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
    }

    /// Compresses it.
    ///
    /// # Errors
    /// When it is no picture.
    pub(crate) fn jpeg(&self) -> Result<Jpeg, Failure> {
        let mut bytes = Vec::new();
        let encoder = Encoder::new(&mut bytes, QUALITY);
        encoder
            .encode(&self.rgb, self.width, self.height, ColorType::Rgb)
            .map_err(|error| Failure::new(Code::PictureFailed, error.to_string()))?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Ok(Jpeg { tag: format!("\"{:016x}\"", hasher.finish()), bytes: bytes.into() })
    }
}
