//! AMF3 in: what a peer with object encoding 3 puts behind marker 0x11. Read into [`Value`],
//! never written.
//!
//! How the types that AMF0 lacks are mapped:
//!
//! | AMF3 | here |
//! |---|---|
//! | integer, double | number |
//! | XML, XML document, byte array | string (bad UTF-8 replaced) |
//! | array without names; vector | strict array |
//! | array with names | ECMA array, the dense part after the names, called `0`, `1`, … |
//! | dictionary | strict array of strict arrays of key and value |
//! | `flex.messaging.io.ArrayCollection` | the array in it |
//!
//! Bounded by [`Limits`], whose counts include the names in traits. Source: *AMF 3 Specification*
//! (Adobe, 2013).

use std::rc::Rc;

use crate::amf0::{Entry, Error, Input, Limits, Value};

/// The one class with a format of its own that is understood: it wraps an array.
const ARRAY_COLLECTION: &[u8] = b"flex.messaging.io.ArrayCollection";

/// Decodes the value that `bytes` begin with, and tells how many of them it took.
///
/// # Errors
/// [`Error`], when they are no value, end too early or ask for more than `limits` allow.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<(Value, usize), Error> {
    let mut input = Input::new(bytes, *limits);
    let value = Tables::default().read(&mut input, false)?;
    Ok((value, input.offset()))
}

/// Decodes all values in `bytes`; references reach from one to the next.
///
/// # Errors
/// See [`decode`].
pub fn decode_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Error> {
    let (mut input, mut tables) = (Input::new(bytes, *limits), Tables::default());
    let mut values = Vec::new();
    while !input.is_empty() {
        values.push(tables.read(&mut input, false)?);
    }
    Ok(values)
}

/// What later references may name (AMF3 2.2). One set serves all values of a message.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    strings: Vec<Text>,
    objects: Vec<Entry>,
    traits: Vec<Rc<Traits>>,
}

impl Tables {
    /// The value at `input`. With `replay` it is decoded again for a reference: what it defines is
    /// in the tables.
    pub(crate) fn read(&mut self, input: &mut Input<'_>, replay: bool) -> Result<Value, Error> {
        Decoder { input, tables: self, replay }.value()
    }
}

/// Where a string stands in the input.
#[derive(Debug, Clone, Copy)]
struct Text {
    offset: usize,
    len: usize,
}

#[derive(Debug)]
struct Traits {
    class: Text,
    /// The fixed members, in the order of their values.
    names: Vec<Text>,
    /// Whether named members follow the fixed ones.
    dynamic: bool,
    /// Whether only the class knows the format.
    externalizable: bool,
}

/// What most types begin with: one bit that tells these two apart, in front of up to 28 others.
enum Head {
    /// The value follows; the bits tell its length or its traits.
    Inline(usize),
    /// The value was sent before; the bits are its index.
    Reference(usize),
}

struct Decoder<'t, 'i> {
    input: &'t mut Input<'i>,
    tables: &'t mut Tables,
    replay: bool,
}

impl Decoder<'_, '_> {
    fn value(&mut self) -> Result<Value, Error> {
        let start = self.input.offset();
        self.input.count()?;
        let marker = self.input.u8()?;
        Ok(match marker {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            0x04 => Value::Number(f64::from(signed(u29(self.input)?))),
            0x05 => Value::Number(self.input.f64()?),
            0x06 => Value::String(self.string()?),
            0x07..=0x11 => match head(self.input)? {
                Head::Reference(index) => self.reference(start, index)?,
                Head::Inline(bits) => self.complex(start, marker, bits)?,
            },
            _ => return Err(Error::UnknownAmf3Marker { offset: start, marker }),
        })
    }

    /// A value that references may name, which began at `start` with `marker` and `bits`.
    fn complex(&mut self, start: usize, marker: u8, bits: usize) -> Result<Value, Error> {
        let index = self.tables.objects.len();
        if !self.replay {
            self.tables.objects.push(Entry { offset: start, open: true });
        }
        self.input.enter(start)?;
        let value = match marker {
            0x08 => Value::Date(self.input.f64()?),
            0x09 => self.array(bits)?,
            0x0A => self.object(bits)?,
            0x0D..=0x10 => self.vector(marker, bits)?,
            0x11 => self.dictionary(bits)?,
            // XML document, XML, byte array.
            _ => Value::String(self.input.text(bits)?),
        };
        self.input.leave();
        if !self.replay {
            self.close(index);
        }
        Ok(value)
    }

    /// The value that the reference at `start` names; undefined when there is none, or when it is
    /// still being read.
    fn reference(&mut self, start: usize, index: usize) -> Result<Value, Error> {
        let entry = self.tables.objects.get_mut(index).filter(|entry| !entry.open);
        let Some(entry) = entry else { return Ok(Value::Undefined) };
        entry.open = true;
        let offset = entry.offset;
        self.input.enter(start)?;
        let back = self.input.seek(offset);
        let outer = std::mem::replace(&mut self.replay, true);
        let value = self.value()?;
        self.replay = outer;
        self.input.seek(back);
        self.input.leave();
        self.close(index);
        Ok(value)
    }

    fn close(&mut self, index: usize) {
        if let Some(entry) = self.tables.objects.get_mut(index) {
            entry.open = false;
        }
    }

    /// Names with their values up to an empty name, then `len` values without (AMF3 3.11).
    fn array(&mut self, len: usize) -> Result<Value, Error> {
        let mut properties = Vec::new();
        self.properties(&mut properties)?;
        let dense = self.values(len)?;
        if properties.is_empty() {
            return Ok(Value::StrictArray(dense));
        }
        properties.extend(dense.into_iter().enumerate().map(|(i, value)| (i.to_string(), value)));
        Ok(Value::EcmaArray(properties))
    }

    fn object(&mut self, bits: usize) -> Result<Value, Error> {
        let offset = self.input.offset();
        let traits = self.traits(bits)?;
        if traits.externalizable {
            let back = self.input.seek(traits.class.offset);
            let class = self.input.take(traits.class.len)?;
            self.input.seek(back);
            return match class {
                ARRAY_COLLECTION => self.value(),
                _ => Err(Error::Externalizable { offset }),
            };
        }
        let mut properties = Vec::new();
        for name in &traits.names {
            let name = self.input.text_at(name.offset, name.len)?;
            properties.push((name, self.value()?));
        }
        if traits.dynamic {
            self.properties(&mut properties)?;
        }
        Ok(Value::Object(properties))
    }

    /// An object's traits (AMF3 3.12: U29O-traits-ref, U29O-traits-ext and U29O-traits).
    fn traits(&mut self, bits: usize) -> Result<Rc<Traits>, Error> {
        let offset = self.input.offset();
        if bits & 1 == 0 {
            let known = self.tables.traits.get(bits >> 1);
            return known.cloned().ok_or(Error::UnknownReference { offset });
        }
        let class = self.text()?;
        let externalizable = bits & 2 != 0;
        let mut names = Vec::new();
        for _ in 0..if externalizable { 0 } else { bits >> 3 } {
            self.input.count()?;
            names.push(self.text()?);
        }
        let traits = Rc::new(Traits { class, names, dynamic: bits & 4 != 0, externalizable });
        if !self.replay {
            self.tables.traits.push(Rc::clone(&traits));
        }
        Ok(traits)
    }

    fn vector(&mut self, marker: u8, len: usize) -> Result<Value, Error> {
        // Whether the length is fixed: of no use to us.
        self.input.u8()?;
        if marker == 0x10 {
            // The class of the elements.
            self.text()?;
            return Ok(Value::StrictArray(self.values(len)?));
        }
        let mut values = Vec::new();
        for _ in 0..len {
            self.input.count()?;
            values.push(Value::Number(match marker {
                0x0D => f64::from(self.input.u32()?.cast_signed()),
                0x0E => f64::from(self.input.u32()?),
                _ => self.input.f64()?,
            }));
        }
        Ok(Value::StrictArray(values))
    }

    fn dictionary(&mut self, len: usize) -> Result<Value, Error> {
        // Whether the keys are weak: of no use to us.
        self.input.u8()?;
        let mut pairs = Vec::new();
        for _ in 0..len {
            pairs.push(Value::StrictArray(self.values(2)?));
        }
        Ok(Value::StrictArray(pairs))
    }

    fn values(&mut self, len: usize) -> Result<Vec<Value>, Error> {
        let mut values = Vec::new();
        for _ in 0..len {
            values.push(self.value()?);
        }
        Ok(values)
    }

    /// Appends names with their values, up to the empty name that ends them.
    fn properties(&mut self, properties: &mut Vec<(String, Value)>) -> Result<(), Error> {
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(());
            }
            properties.push((name, self.value()?));
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let text = self.text()?;
        self.input.text_at(text.offset, text.len)
    }

    /// A string without marker (AMF3 1.3.2, UTF-8-vr). The empty string is never referred to.
    fn text(&mut self) -> Result<Text, Error> {
        let offset = self.input.offset();
        match head(self.input)? {
            Head::Reference(index) => {
                let known = self.tables.strings.get(index);
                known.copied().ok_or(Error::UnknownReference { offset })
            }
            Head::Inline(len) => {
                let text = Text { offset: self.input.offset(), len };
                self.input.take(len)?;
                if !self.replay && len > 0 {
                    self.tables.strings.push(text);
                }
                Ok(text)
            }
        }
    }
}

fn head(input: &mut Input<'_>) -> Result<Head, Error> {
    let number = u29(input)?;
    let bits = usize::try_from(number >> 1).unwrap_or(usize::MAX);
    Ok(if number & 1 == 0 { Head::Reference(bits) } else { Head::Inline(bits) })
}

/// A number of up to 29 bits: 7 in each of three bytes whose top bit says that more follow, 8 in
/// the fourth.
fn u29(input: &mut Input<'_>) -> Result<u32, Error> {
    let mut number = 0;
    for _ in 0..3 {
        let byte = u32::from(input.u8()?);
        number = number << 7 | byte & 0x7F;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Ok(number << 8 | u32::from(input.u8()?))
}

/// The two's complement of 29 bits.
fn signed(number: u32) -> i32 {
    (number << 3).cast_signed() >> 3
}

#[cfg(test)]
mod tests;
