//! AMF0 and AMF3: what is decoded keeps the limits, and what is encoded is decoded again.

use crate::amf0::{self, Error, Limits, Reader, Value};
use crate::amf3;

/// Any bytes as AMF0: the first one chooses the limits.
pub fn amf0(data: &[u8]) {
    let (limits, bytes) = limits_of(data);
    let decoded = amf0::decode_all(bytes, &limits);
    if let Ok(values) = &decoded {
        check(values, &limits);
        same_again(values);
    }
    one_by_one(bytes, limits, &decoded);
    properties(bytes, limits);
}

/// Any bytes as one AMF3 value: the first one chooses the limits.
pub fn amf3(data: &[u8]) {
    let (limits, bytes) = limits_of(data);
    let Ok((value, taken)) = amf3::decode(bytes, &limits) else { return };
    assert!(taken <= bytes.len(), "more was taken than there is");
    let exact = bytes.get(..taken).unwrap_or_default();
    let again = amf3::decode(exact, &limits).map(|(value, taken)| (shown(&value), taken));
    assert_eq!(again, Ok((shown(&value), taken)), "it depends on what follows");
    check(std::slice::from_ref(&value), &limits);
    // Inside AMF0 it is one value more, at most as deep.
    let mut message = vec![0x11];
    message.extend_from_slice(exact);
    let values = limits.values.saturating_add(1);
    let inside = amf0::decode_all(&message, &Limits { values, ..limits });
    let inside = inside.map(|values| values.iter().map(shown).collect::<Vec<_>>());
    assert_eq!(inside, Ok(vec![shown(&value)]), "AMF0 reads it as another value");
    same_again(&[value]);
}

/// The default limits, or small ones that short inputs reach.
fn limits_of(data: &[u8]) -> (Limits, &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return (Limits::default(), data) };
    let size = usize::from(choice >> 1);
    let limits = match choice & 1 {
        0 => Limits::default(),
        _ => Limits { depth: size % 8, values: size, string_bytes: size * 2 },
    };
    (limits, bytes)
}

/// What values take that were decoded under limits.
#[derive(Default)]
struct Size {
    values: usize,
    string_bytes: usize,
    depth: usize,
}

impl Size {
    fn add(&mut self, value: &Value, depth: usize) {
        self.values += 1;
        let inside = depth + 1;
        match value {
            Value::String(text) => self.string_bytes += text.len(),
            Value::Object(properties) | Value::EcmaArray(properties) => {
                self.depth = self.depth.max(inside);
                for (name, value) in properties {
                    self.string_bytes += name.len();
                    self.add(value, inside);
                }
            }
            Value::StrictArray(values) => {
                self.depth = self.depth.max(inside);
                values.iter().for_each(|value| self.add(value, inside));
            }
            _ => {}
        }
    }
}

fn check(values: &[Value], limits: &Limits) {
    let mut size = Size::default();
    values.iter().for_each(|value| size.add(value, 0));
    let Size { values, string_bytes, depth } = size;
    // A dictionary's entry is a pair that is not counted, and a level that is not either.
    assert!(depth <= limits.depth.min(Limits::DEPTH_MAX) * 2, "{depth} deep");
    assert!(values <= limits.values.saturating_mul(2), "{values} values");
    // A byte that is no UTF-8 becomes three; the dense part of an array gets names of digits.
    let most = limits.string_bytes.saturating_mul(3).saturating_add(limits.values * 5);
    assert!(string_bytes <= most, "{string_bytes} bytes of text");
}

/// Encoded and decoded, they are the same. Not `==`: a number may be NaN.
fn same_again(values: &[Value]) {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| amf0::encode(value, &mut bytes));
    let limits = Limits { depth: Limits::DEPTH_MAX, values: usize::MAX, string_bytes: usize::MAX };
    let again = amf0::decode_all(&bytes, &limits).map_err(|error| (error, shown_all(values)));
    let Ok(again) = again else { panic!("cannot be decoded again: {again:?}") };
    let mut twice = Vec::new();
    again.iter().for_each(|value| amf0::encode(value, &mut twice));
    assert!(twice == bytes, "encodes as something else");
    // Names that became longer than 65,535 bytes are cut.
    if bytes.len() < usize::from(u16::MAX) {
        assert_eq!(shown_all(&again), shown_all(values));
    }
}

fn shown(value: &Value) -> String {
    format!("{value:?}")
}

fn shown_all(values: &[Value]) -> Vec<String> {
    values.iter().map(shown).collect()
}

/// Value by value it is as all at once.
fn one_by_one(bytes: &[u8], limits: Limits, decoded: &Result<Vec<Value>, Error>) {
    let mut reader = Reader::new(bytes, limits);
    let mut values = Vec::new();
    let mut before = 0;
    let end = loop {
        if reader.is_empty() {
            break Ok(());
        }
        match reader.read() {
            Ok(value) => values.push(shown(&value)),
            Err(error) => break Err(error),
        }
        let offset = reader.offset();
        assert!(before < offset && offset <= bytes.len(), "from {before} to {offset}");
        before = offset;
    };
    match (end, decoded) {
        (Ok(()), Ok(all)) => assert_eq!(values, shown_all(all)),
        (Err(error), Err(other)) => assert_eq!(error, *other),
        (end, _) => panic!("value by value: {end:?}, at once: {decoded:?}"),
    }
}

/// What can be read of a torn object is the beginning of what a whole one has.
fn properties(bytes: &[u8], limits: Limits) {
    let (torn, is_whole) = Reader::new(bytes, limits).read_properties();
    let whole = Reader::new(bytes, limits).read();
    if let Ok(whole @ (Value::Object(_) | Value::EcmaArray(_))) = &whole
        && bytes.first() != Some(&0x10)
        && bytes.first() != Some(&0x11)
        && bytes.first() != Some(&0x07)
    {
        let properties = whole.properties().unwrap_or_default();
        // An array may do without its end marker when it is the last of a message; whether this one
        // is cannot be told of what may be torn.
        let may_lack_end = matches!(whole, Value::EcmaArray(_));
        assert!(is_whole || may_lack_end, "read whole, but not by its properties");
        assert_eq!(format!("{properties:?}"), format!("{torn:?}"));
    }
}
