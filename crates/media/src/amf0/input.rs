//! The bytes of one message and what decoding them may still cost: shared by the AMF0 and the AMF3
//! reader.

use super::{Error, Limits};

/// A cursor over one message, with the message's budgets.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    offset: usize,
    limits: Limits,
    depth: usize,
    values: usize,
    string_bytes: usize,
}

/// An object or array that a later reference may name.
///
/// Resolving a reference decodes the bytes again, at the expense of the same budgets, so that a
/// table costs nothing but places and a few bytes cannot stand for gigabytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Where its encoding begins.
    pub(crate) offset: usize,
    /// Whether it is being decoded: a reference to it would be a value that contains itself.
    pub(crate) open: bool,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8], limits: Limits) -> Self {
        let limits = Limits { depth: limits.depth.min(Limits::DEPTH_MAX), ..limits };
        Self { bytes, offset: 0, limits, depth: 0, values: 0, string_bytes: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offset >= self.bytes.len()
    }

    /// Moves to `offset` and returns where it was.
    pub(crate) fn seek(&mut self, offset: usize) -> usize {
        std::mem::replace(&mut self.offset, offset)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(Error::Truncated { offset: self.bytes.len() })?;
        self.offset += len;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.take(N)?;
        <[u8; N]>::try_from(taken).map_err(|_| Error::Truncated { offset: self.bytes.len() })
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }

    /// Text of `len` bytes, bad UTF-8 replaced.
    pub(crate) fn text(&mut self, len: usize) -> Result<String, Error> {
        let offset = self.offset;
        let bytes = self.take(len)?;
        let limit = self.limits.string_bytes;
        self.string_bytes = self.string_bytes.saturating_add(len);
        if self.string_bytes > limit {
            return Err(Error::TooLong { offset, limit });
        }
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Text of `len` bytes that stands at `offset`.
    pub(crate) fn text_at(&mut self, offset: usize, len: usize) -> Result<String, Error> {
        let back = self.seek(offset);
        let text = self.text(len);
        self.seek(back);
        text
    }

    /// Counts one value, at the current place.
    pub(crate) fn count(&mut self) -> Result<(), Error> {
        let limit = self.limits.values;
        if self.values >= limit {
            return Err(Error::TooMany { offset: self.offset, limit });
        }
        self.values += 1;
        Ok(())
    }

    /// Goes one level down, into the value that began at `offset`; [`Input::leave`] goes up again.
    pub(crate) fn enter(&mut self, offset: usize) -> Result<(), Error> {
        let limit = self.limits.depth;
        if self.depth >= limit {
            return Err(Error::TooDeep { offset, limit });
        }
        self.depth += 1;
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}
