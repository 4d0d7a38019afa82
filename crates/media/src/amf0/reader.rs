//! AMF0 in.

use super::{Entry, Error, Input, Limits, Value};
use crate::amf3;

/// Reads values one after the other from the bytes of one message.
#[derive(Debug)]
pub struct Reader<'a> {
    input: Input<'a>,
    /// Objects and arrays in the order of their beginnings (AMF0 2.9).
    complex: Vec<Entry>,
    amf3: amf3::Tables,
    /// Inside a reference: what is decoded again has its place in the tables already.
    replay: bool,
}

/// All values in `bytes`.
///
/// # Errors
/// See [`Reader::read`].
pub fn decode_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Error> {
    Reader::new(bytes, *limits).read_all()
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`. The limits are for all values together.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self {
            input: Input::new(bytes, limits),
            complex: Vec::new(),
            amf3: amf3::Tables::default(),
            replay: false,
        }
    }

    /// Whether every byte was read.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.input.offset()
    }

    /// The next value.
    ///
    /// # Errors
    /// [`Error`], when the bytes are no value, end too early or ask for more than the limits allow.
    /// What stands behind the fault cannot be told: the reader is of no further use.
    pub fn read(&mut self) -> Result<Value, Error> {
        let start = self.input.offset();
        self.input.count()?;
        let marker = self.input.u8()?;
        Ok(match marker {
            0x00 => Value::Number(self.input.f64()?),
            0x01 => Value::Boolean(self.input.u8()? != 0),
            0x02 => Value::String(self.name()?),
            0x05 => Value::Null,
            // "Unsupported" stands for a value that the sender could not serialize (AMF0 2.15).
            0x06 | 0x0D => Value::Undefined,
            0x07 => self.reference(start)?,
            0x0B => {
                let ms = self.input.f64()?;
                self.input.u16()?;
                Value::Date(ms)
            }
            0x0C | 0x0F => Value::String(self.long_string()?),
            0x11 => self.amf3.read(&mut self.input, self.replay)?,
            0x03 | 0x08 | 0x0A | 0x10 => self.complex(start, marker)?,
            _ => return Err(Error::UnknownMarker { offset: start, marker }),
        })
    }

    /// All values that are left.
    ///
    /// # Errors
    /// See [`Reader::read`].
    pub fn read_all(&mut self) -> Result<Vec<Value>, Error> {
        let mut values = Vec::new();
        while !self.is_empty() {
            values.push(self.read()?);
        }
        Ok(values)
    }

    /// As many properties of an object or associative array as can be read, in their order, and
    /// whether those were all: for what is torn or was partly overwritten. Of any other value none.
    pub fn read_properties(&mut self) -> (Vec<(String, Value)>, bool) {
        let mut properties = Vec::new();
        let is_whole = self.read_properties_into(&mut properties).is_ok();
        (properties, is_whole)
    }

    fn read_properties_into(&mut self, into: &mut Vec<(String, Value)>) -> Result<(), Error> {
        let start = self.input.offset();
        match self.input.u8()? {
            0x03 => {}
            0x08 => drop(self.input.u32()?),
            marker => return Err(Error::UnknownMarker { offset: start, marker }),
        }
        self.complex.push(Entry { offset: start, open: true });
        self.properties(None, into)
    }

    /// An object or array, whose marker at `start` was just read.
    fn complex(&mut self, start: usize, marker: u8) -> Result<Value, Error> {
        let index = self.complex.len();
        if !self.replay {
            self.complex.push(Entry { offset: start, open: true });
        }
        self.input.enter(start)?;
        let value = match marker {
            0x08 => {
                let count = self.input.u32()?;
                let mut properties = Vec::new();
                self.properties(Some(count), &mut properties)?;
                Value::EcmaArray(properties)
            }
            0x0A => Value::StrictArray(self.elements()?),
            _ => {
                if marker == 0x10 {
                    self.name()?;
                }
                let mut properties = Vec::new();
                self.properties(None, &mut properties)?;
                Value::Object(properties)
            }
        };
        self.input.leave();
        if !self.replay
            && let Some(entry) = self.complex.get_mut(index)
        {
            entry.open = false;
        }
        Ok(value)
    }

    /// Appends the properties up to and including the end marker.
    ///
    /// Some hardware encoders send `onMetaData` as an ECMA array without an end marker: when the
    /// message ends where a name should begin and the `count` that was announced is there, the
    /// array is complete.
    fn properties(
        &mut self,
        count: Option<u32>,
        into: &mut Vec<(String, Value)>,
    ) -> Result<(), Error> {
        loop {
            let all = count.is_some_and(|count| into.len() as u64 >= u64::from(count));
            if all && self.input.is_empty() {
                return Ok(());
            }
            let name = self.name()?;
            if name.is_empty() && self.end_marker()? {
                return Ok(());
            }
            into.push((name, self.read()?));
        }
    }

    /// Whether the object ends here. Only a marker that says so ends it: a property may have an
    /// empty name.
    fn end_marker(&mut self) -> Result<bool, Error> {
        let at = self.input.offset();
        let ends = self.input.u8()? == 0x09;
        if !ends {
            self.input.seek(at);
        }
        Ok(ends)
    }

    fn elements(&mut self) -> Result<Vec<Value>, Error> {
        let count = self.input.u32()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.read()?);
        }
        Ok(values)
    }

    /// The value that the reference at `start` names; undefined when there is none, or when it is
    /// still being read.
    fn reference(&mut self, start: usize) -> Result<Value, Error> {
        let index = usize::from(self.input.u16()?);
        let Some(entry) = self.complex.get_mut(index).filter(|entry| !entry.open) else {
            return Ok(Value::Undefined);
        };
        entry.open = true;
        let offset = entry.offset;
        self.input.enter(start)?;
        let back = self.input.seek(offset);
        let outer = std::mem::replace(&mut self.replay, true);
        let value = self.read()?;
        self.replay = outer;
        self.input.seek(back);
        self.input.leave();
        if let Some(entry) = self.complex.get_mut(index) {
            entry.open = false;
        }
        Ok(value)
    }

    fn name(&mut self) -> Result<String, Error> {
        let len = self.input.u16()?;
        self.input.text(usize::from(len))
    }

    fn long_string(&mut self) -> Result<String, Error> {
        let len = self.input.u32()?;
        self.input.text(usize::try_from(len).unwrap_or(usize::MAX))
    }
}
