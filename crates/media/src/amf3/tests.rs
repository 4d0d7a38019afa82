use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn decoded(bytes: &[u8]) -> Result<Value, Error> {
    let (value, len) = decode(bytes, &Limits::default())?;
    assert_eq!(len, bytes.len());
    Ok(value)
}

fn object(properties: &[(&str, Value)]) -> Value {
    let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    Value::Object(properties.iter().map(owned).collect())
}

fn array(values: &[f64]) -> Value {
    Value::StrictArray(values.iter().copied().map(Value::Number).collect())
}

#[test]
fn every_type_is_read() {
    for (bytes, value) in [
        (b"\x00".as_slice(), Value::Undefined),
        (b"\x01", Value::Null),
        (b"\x02", Value::Boolean(false)),
        (b"\x03", Value::Boolean(true)),
        (b"\x04\x05", Value::Number(5.0)),
        (b"\x05\x3f\xf8\x00\x00\x00\x00\x00\x00", Value::Number(1.5)),
        (b"\x06\x05hi", "hi".into()),
        (b"\x06\x01", "".into()),
        (b"\x07\x09<a/>", "<a/>".into()),
        (b"\x08\x01\x3f\xf8\x00\x00\x00\x00\x00\x00", Value::Date(1.5)),
        (b"\x09\x05\x01\x04\x01\x04\x02", array(&[1.0, 2.0])),
        (b"\x09\x01\x01", Value::StrictArray(Vec::new())),
        (b"\x0b\x09<b/>", "<b/>".into()),
        (b"\x0c\x07a\xffb", "a\u{fffd}b".into()),
        (b"\x0d\x05\x00\xff\xff\xff\xff\x00\x00\x00\x07", array(&[-1.0, 7.0])),
        (b"\x0e\x03\x01\xff\xff\xff\xff", array(&[4_294_967_295.0])),
        (b"\x0f\x03\x00\x3f\xf8\x00\x00\x00\x00\x00\x00", array(&[1.5])),
        (b"\x10\x05\x00\x07Cls\x04\x01\x04\x02", array(&[1.0, 2.0])),
        (
            b"\x11\x03\x00\x06\x03k\x04\x01",
            Value::StrictArray(vec![Value::StrictArray(vec!["k".into(), Value::Number(1.0)])]),
        ),
        // Dynamic and anonymous; then of class C with two fixed members and one more.
        (b"\x0a\x0b\x01\x03a\x04\x01\x01", object(&[("a", Value::Number(1.0))])),
        (
            b"\x0a\x2b\x03C\x03a\x03b\x04\x01\x04\x02\x03c\x03\x01",
            object(&[("a", 1.0.into()), ("b", 2.0.into()), ("c", true.into())]),
        ),
        (b"\x0a\x13\x01\x03a\x02", object(&[("a", false.into())])),
    ] {
        assert_eq!(decoded(bytes), Ok(value), "{bytes:02x?}");
    }
}

#[test]
fn array_with_names_keeps_both_parts() {
    let value = decoded(b"\x09\x05\x03k\x03\x01\x04\x07\x04\x08").unwrap();
    let Value::EcmaArray(properties) = value else { panic!("{value:?}") };
    let expected = [("k", true.into()), ("0", 7.0.into()), ("1", Value::Number(8.0))];
    assert_eq!(Value::Object(properties), object(&expected));
}

#[test]
fn integers_have_29_bits_and_a_sign() {
    for (bytes, number) in [
        (b"\x04\x00".as_slice(), 0.0),
        (b"\x04\x7f", 127.0),
        (b"\x04\x81\x00", 128.0),
        (b"\x04\xff\x7f", 16_383.0),
        (b"\x04\x81\x80\x00", 16_384.0),
        (b"\x04\xff\xff\x7f", 2_097_151.0),
        (b"\x04\x80\xc0\x80\x00", 2_097_152.0),
        (b"\x04\xbf\xff\xff\xff", 268_435_455.0),
        (b"\x04\xc0\x80\x80\x00", -268_435_456.0),
        (b"\x04\xff\xff\xff\xff", -1.0),
    ] {
        assert_eq!(decoded(bytes), Ok(Value::Number(number)), "{bytes:02x?}");
    }
}

#[test]
fn references_to_strings_traits_and_objects_are_resolved() {
    // ["ab", string 0, {class C with member ab, 1}, another by traits 0, object 1 (the first of the
    // two)]
    let bytes = b"\x09\x0b\x01\x06\x05ab\x06\x00\x0a\x13\x03C\x00\x04\x01\x0a\x01\x04\x02\x0a\x02";
    let one = object(&[("ab", Value::Number(1.0))]);
    let two = object(&[("ab", Value::Number(2.0))]);
    let expected = Value::StrictArray(vec!["ab".into(), "ab".into(), one.clone(), two, one]);
    assert_eq!(decoded(bytes), Ok(expected));
}

#[test]
fn replays_define_nothing_anew() {
    // [[{class C: "s"}], object 1 twice, {class D: member d}, by traits 1, the string "d" as number
    // 3]
    let bytes = b"\x09\x0d\x01\x09\x03\x01\x0a\x13\x03C\x03c\x06\x03s\x09\x02\x09\x02\
        \x0a\x13\x03D\x03d\x01\x0a\x05\x01\x06\x08";
    let Ok(Value::StrictArray(values)) = decoded(bytes) else { panic!() };
    let inner = Value::StrictArray(vec![object(&[("c", "s".into())])]);
    let d = object(&[("d", Value::Null)]);
    assert_eq!(values, [inner.clone(), inner.clone(), inner, d.clone(), d, "d".into()]);
}

#[test]
fn references_to_nothing_or_to_oneself() {
    assert_eq!(decoded(b"\x09\x03\x01\x09\x00"), Ok(Value::StrictArray(vec![Value::Undefined])));
    assert_eq!(decoded(b"\x0a\x0a"), Ok(Value::Undefined));
    assert_eq!(decoded(b"\x06\x08"), Err(Error::UnknownReference { offset: 1 }));
    assert_eq!(decoded(b"\x0a\x09"), Err(Error::UnknownReference { offset: 2 }));
}

#[test]
fn array_collection_is_its_array_and_other_formats_are_refused() {
    let mut bytes = b"\x0a\x07\x43".to_vec();
    bytes.extend(ARRAY_COLLECTION);
    bytes.extend(b"\x09\x03\x01\x04\x01");
    assert_eq!(decoded(&bytes), Ok(array(&[1.0])));
    assert_eq!(decoded(b"\x0a\x07\x03C"), Err(Error::Externalizable { offset: 2 }));
}

#[test]
fn unknown_markers_are_named() {
    for marker in [0x12, 0x80, 0xFF] {
        assert_eq!(decoded(&[marker]), Err(Error::UnknownAmf3Marker { offset: 0, marker }));
    }
}

#[test]
fn nesting_is_limited() {
    let limits = Limits { depth: usize::MAX, values: usize::MAX, string_bytes: usize::MAX };
    let nested = |levels: usize| [b"\x09\x03\x01".repeat(levels), vec![0x01]].concat();
    assert!(decode(&nested(32), &Limits::default()).is_ok());
    let error = decode(&nested(33), &Limits::default());
    assert_eq!(error, Err(Error::TooDeep { offset: 96, limit: 32 }));
    for bytes in
        [nested(1_000_000), b"\x0a\x0b\x01\x03a".repeat(100_000), b"\x11\x03\0".repeat(9_999)]
    {
        let error = decode(&bytes, &limits);
        assert!(matches!(error, Err(Error::TooDeep { limit: Limits::DEPTH_MAX, .. })));
    }
}

#[test]
fn references_that_multiply_hit_the_limit() {
    let mut bytes = b"\x09\x2b\x01\x09\x01\x01".to_vec();
    for index in 1..21 {
        bytes.extend(b"\x09\x15\x01");
        bytes.extend([0x09, index << 1].repeat(10));
    }
    let limit = Limits::default().values;
    let error = decode(&bytes, &Limits::default());
    assert!(matches!(error, Err(Error::TooMany { limit: l, .. }) if l == limit));
}

#[test]
fn names_in_traits_are_counted_and_huge_counts_cost_nothing() {
    // As many empty names as fit into 29 bits, from references to one.
    let mut bytes = b"\x0a\xff\xff\xff\xf3\x01".to_vec();
    bytes.extend([0x01].repeat(20_000));
    let error = decode(&bytes, &Limits::default());
    assert!(matches!(error, Err(Error::TooMany { .. })), "{error:?}");
    for marker in [0x07, 0x09, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11] {
        let bytes = [marker, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x01];
        assert_eq!(decode(&bytes, &Limits::default()), Err(Error::Truncated { offset: 7 }));
    }
}

/// Writes AMF3 with references to strings, for the round trip.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    strings: HashMap<String, u32>,
}

impl Writer {
    fn u29(&mut self, number: u32) {
        let byte = |shift: u32| u8::try_from(number >> shift & 0x7F).unwrap() | 0x80;
        match number {
            0..0x80 => {}
            0x80..0x4000 => self.out.push(byte(7)),
            0x4000..0x20_0000 => self.out.extend([byte(14), byte(7)]),
            _ => {
                self.out.extend([byte(22), byte(15), byte(8)]);
                self.out.push(u8::try_from(number & 0xFF).unwrap());
                return;
            }
        }
        self.out.push(u8::try_from(number & 0x7F).unwrap());
    }

    fn len(&mut self, len: usize) {
        self.u29(u32::try_from(len).unwrap() << 1 | 1);
    }

    fn text(&mut self, text: &str) {
        if let Some(index) = self.strings.get(text) {
            return self.u29(index << 1);
        }
        if !text.is_empty() {
            let index = u32::try_from(self.strings.len()).unwrap();
            self.strings.insert(text.to_owned(), index);
        }
        self.len(text.len());
        self.out.extend(text.as_bytes());
    }

    fn named(&mut self, properties: &[(String, Value)]) {
        for (name, value) in properties {
            self.text(name);
            self.value(value);
        }
        self.text("");
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Undefined => self.out.push(0x00),
            Value::Null => self.out.push(0x01),
            Value::Boolean(value) => self.out.push(if *value { 0x03 } else { 0x02 }),
            Value::Number(number) => {
                self.out.push(0x05);
                self.out.extend(number.to_be_bytes());
            }
            Value::String(text) => {
                self.out.push(0x06);
                self.text(text);
            }
            Value::Date(ms) => {
                self.out.extend([0x08, 0x01]);
                self.out.extend(ms.to_be_bytes());
            }
            Value::StrictArray(values) => {
                self.out.push(0x09);
                self.len(values.len());
                self.text("");
                values.iter().for_each(|value| self.value(value));
            }
            Value::EcmaArray(properties) => {
                self.out.extend([0x09, 0x01]);
                self.named(properties);
            }
            Value::Object(properties) => {
                self.out.extend([0x0A, 0x0B]);
                self.text("");
                self.named(properties);
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (-1e9..1e9).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        "[a-c]{0,3}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        (-1e15..1e15).prop_map(Value::Date),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let named = |count| prop::collection::vec(("[a-c]{1,2}", inner.clone()), count);
        prop_oneof![
            named(0..6).prop_map(Value::Object),
            // Without names it is a strict array.
            named(1..6).prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn what_is_written_is_read(value in any_value(), cut in any::<prop::sample::Index>()) {
        let mut writer = Writer::default();
        writer.value(&value);
        prop_assert_eq!(decoded(&writer.out), Ok(value));
        let cut = cut.index(writer.out.len());
        let error = decode(&writer.out[..cut], &Limits::default());
        prop_assert_eq!(error, Err(Error::Truncated { offset: cut }));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(
        prop_oneof![0_u8..0x18, any::<u8>()], 0..200
    )) {
        let limits = Limits { values: 500, string_bytes: 2_000, ..Limits::default() };
        let _ = decode(&bytes, &limits);
    }
}
