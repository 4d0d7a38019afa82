//! AMF0 out.

use super::Value;

/// Appends `value` in AMF0. Recurses as deep as the value is nested.
///
/// A string longer than 65,535 bytes becomes a long string. Names have no long form (AMF0 2.5): one
/// that is longer is cut at the last character that fits.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => encode_number(*number, out),
        Value::Boolean(value) => encode_boolean(*value, out),
        Value::String(text) => encode_string(text, out),
        Value::Object(properties) => encode_object(properties, out),
        Value::Null => encode_null(out),
        Value::Undefined => out.push(0x06),
        Value::EcmaArray(properties) => encode_ecma_array(properties, out),
        Value::StrictArray(values) => {
            out.push(0x0A);
            let values = values.get(..put_count(values.len(), out)).unwrap_or(values);
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Date(ms) => {
            out.push(0x0B);
            out.extend(ms.to_be_bytes());
            out.extend([0, 0]);
        }
    }
}

/// Appends a number (AMF0 2.2).
pub fn encode_number(number: f64, out: &mut Vec<u8>) {
    out.push(0x00);
    out.extend(number.to_be_bytes());
}

/// Appends a boolean (AMF0 2.3).
pub fn encode_boolean(value: bool, out: &mut Vec<u8>) {
    out.extend([0x01, u8::from(value)]);
}

/// Appends a string (AMF0 2.4), or a long string (AMF0 2.14) when it does not fit into 65,535
/// bytes.
pub fn encode_string(text: &str, out: &mut Vec<u8>) {
    if let Ok(len) = u16::try_from(text.len()) {
        out.push(0x02);
        out.extend(len.to_be_bytes());
        out.extend(text.as_bytes());
    } else {
        out.push(0x0C);
        let len = put_count(text.len(), out);
        out.extend(text.as_bytes().iter().take(len));
    }
}

/// Appends null (AMF0 2.7).
pub fn encode_null(out: &mut Vec<u8>) {
    out.push(0x05);
}

/// Appends an anonymous object (AMF0 2.5).
pub fn encode_object(properties: &[(String, Value)], out: &mut Vec<u8>) {
    out.push(0x03);
    put_properties(properties, out);
}

/// Appends an associative array (AMF0 2.10).
pub fn encode_ecma_array(properties: &[(String, Value)], out: &mut Vec<u8>) {
    out.push(0x08);
    put_count(properties.len(), out);
    put_properties(properties, out);
}

fn put_properties(properties: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        let name = name.get(..name.floor_char_boundary(usize::from(u16::MAX))).unwrap_or("");
        out.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(name.as_bytes());
        encode(value, out);
    }
    out.extend([0, 0, 9]);
}

/// Appends a 32-bit count and returns it: `count`, or as much of it as 32 bits hold.
fn put_count(count: usize, out: &mut Vec<u8>) -> usize {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out.extend(count.to_be_bytes());
    usize::try_from(count).unwrap_or(usize::MAX)
}
