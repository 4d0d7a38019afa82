use proptest::prelude::*;

use super::*;

/// `onMetaData` as FFmpeg 5.1.9 writes it into an FLV file: note the count, 8.
const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x08\
    \x00\x08duration\x00\x3f\xc5\x60\x41\x89\x37\x4b\xc7\
    \x00\x05width\x00\x40\x83\xf0\x00\x00\x00\x00\x00\
    \x00\x06height\x00\x40\x76\x60\x00\x00\x00\x00\x00\
    \x00\x0dvideodatarate\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x09framerate\x00\x40\x3d\xf8\x53\xe2\x55\x6b\x28\
    \x00\x0cvideocodecid\x00\x40\x1c\x00\x00\x00\x00\x00\x00\
    \x00\x07encoder\x02\x00\x0dLavf59.27.100\
    \x00\x08filesize\x00\x40\xcb\xbd\x80\x00\x00\x00\x00\
    \x00\x00\x09";

fn decode(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    decode_all(bytes, &Limits::default())
}

fn decode_one(bytes: &[u8]) -> Value {
    let mut values = decode(bytes).unwrap();
    assert_eq!(values.len(), 1);
    values.remove(0)
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, &mut out);
    out
}

fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(named(properties))
}

fn named(properties: &[(&str, Value)]) -> Vec<(String, Value)> {
    properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn every_type_has_its_bytes() {
    for (value, bytes) in [
        (Value::from(1.5), b"\x00\x3f\xf8\x00\x00\x00\x00\x00\x00".as_slice()),
        (Value::from(true), b"\x01\x01"),
        (Value::from(false), b"\x01\x00"),
        (Value::from("live"), b"\x02\x00\x04live"),
        (object(&[("a", Value::Null)]), b"\x03\x00\x01a\x05\x00\x00\x09"),
        (Value::Null, b"\x05"),
        (Value::Undefined, b"\x06"),
        (
            Value::EcmaArray(named(&[("a", true.into()), ("b", Value::Null)])),
            b"\x08\x00\x00\x00\x02\x00\x01a\x01\x01\x00\x01b\x05\x00\x00\x09",
        ),
        (
            Value::StrictArray(vec![Value::Null, Value::from("x")]),
            b"\x0a\x00\x00\x00\x02\x05\x02\x00\x01x",
        ),
        (Value::Date(1.5), b"\x0b\x3f\xf8\x00\x00\x00\x00\x00\x00\x00\x00"),
    ] {
        assert_eq!(encoded(&value), bytes, "{value:?}");
        assert_eq!(decode_one(bytes), value);
    }
}

#[test]
fn other_ways_to_say_the_same_are_read() {
    for (bytes, value) in [
        (b"\x0c\x00\x00\x00\x02hi".as_slice(), Value::from("hi")),
        (b"\x0f\x00\x00\x00\x04<a/>", Value::from("<a/>")),
        (b"\x0d", Value::Undefined),
        (b"\x01\x07", Value::from(true)),
        (b"\x10\x00\x03Cls\x00\x01a\x05\x00\x00\x09", object(&[("a", Value::Null)])),
        (b"\x0b\x3f\xf8\x00\x00\x00\x00\x00\x00\x01\x2c", Value::Date(1.5)),
        (b"\x02\x00\x03a\xffb", Value::from("a\u{fffd}b")),
        // An empty name is a name, if no end marker follows it.
        (b"\x03\x00\x00\x05\x00\x00\x09", object(&[("", Value::Null)])),
    ] {
        assert_eq!(decode_one(bytes), value, "{bytes:02x?}");
    }
}

#[test]
fn metadata_of_ffmpeg_is_read_and_written_alike() {
    let values = decode(ON_META_DATA).unwrap();
    assert_eq!(values[0].as_str(), Some("onMetaData"));
    assert_eq!(values[1].property("width").and_then(Value::as_f64), Some(638.0));
    assert_eq!(values[1].property("encoder").and_then(Value::as_str), Some("Lavf59.27.100"));
    assert_eq!(values[1].properties().map(<[_]>::len), Some(8));
    assert_eq!(values.iter().flat_map(encoded).collect::<Vec<_>>(), ON_META_DATA);
}

#[test]
fn ecma_array_is_read_to_its_end_whatever_it_claims() {
    for count in [0_u32, 1, 7, 9, u32::MAX] {
        let mut bytes = ON_META_DATA.to_vec();
        bytes[14..18].copy_from_slice(&count.to_be_bytes());
        assert_eq!(decode(&bytes), decode(ON_META_DATA), "{count}");
    }
}

#[test]
fn ecma_array_without_end_is_complete_when_its_count_is() {
    let end = ON_META_DATA.len();
    assert_eq!(decode(&ON_META_DATA[..end - 3]), decode(ON_META_DATA));
    // One property short, or in the middle of the end marker: something is missing.
    let short = end - 3 - "  filesize 12345678".len();
    for cut in [short, end - 2, end - 1] {
        assert_eq!(decode(&ON_META_DATA[..cut]), Err(Error::Truncated { offset: cut }), "{cut}");
    }
    let object = b"\x03\x00\x01a\x05";
    assert_eq!(decode(object), Err(Error::Truncated { offset: object.len() }));
}

#[test]
fn duplicates_keep_their_order_and_the_last_counts() {
    let value = decode_one(b"\x03\x00\x01a\x01\x00\x00\x01b\x05\x00\x01a\x01\x01\x00\x00\x09");
    let expected = [("a", false.into()), ("b", Value::Null), ("a", true.into())];
    assert_eq!(value, object(&expected));
    assert_eq!(value.property("a").and_then(Value::as_bool), Some(true));
    assert_eq!(value.property("A"), None);
}

#[test]
fn references_are_resolved() {
    // {"a": {"x": null}, "b": reference 1, "c": reference 0 (itself), "d": reference 9}, then
    // reference 0.
    let bytes = b"\x03\x00\x01a\x03\x00\x01x\x05\x00\x00\x09\
        \x00\x01b\x07\x00\x01\x00\x01c\x07\x00\x00\x00\x01d\x07\x00\x09\x00\x00\x09\x07\x00\x00";
    let inner = object(&[("x", Value::Null)]);
    let outer = object(&[
        ("a", inner.clone()),
        ("b", inner),
        ("c", Value::Undefined),
        ("d", Value::Undefined),
    ]);
    assert_eq!(decode(bytes), Ok(vec![outer.clone(), outer]));
}

#[test]
fn references_to_later_tables_are_not_shifted_by_replays() {
    // [], [[]] (1, 2), reference 1 twice, [null] (3), reference 3.
    let bytes = b"\x0a\0\0\0\0\x0a\0\0\0\x01\x0a\0\0\0\0\x07\0\x01\x07\0\x01\
        \x0a\0\0\0\x01\x05\x07\0\x03";
    let values = decode(bytes).unwrap();
    assert_eq!(values[5], Value::StrictArray(vec![Value::Null]));
}

#[test]
fn references_that_multiply_hit_the_limit() {
    // Array 0 is empty, each of the next 20 holds the one before it ten times.
    let mut bytes = b"\x0a\0\0\0\0".to_vec();
    for index in 0..20 {
        bytes.extend(b"\x0a\0\0\0\x0a");
        bytes.extend([0x07, 0, index].repeat(10));
    }
    let limit = Limits::default().values;
    assert!(matches!(decode(&bytes), Err(Error::TooMany { limit: l, .. }) if l == limit));
}

#[test]
fn text_in_references_counts_each_time() {
    let limits = Limits { string_bytes: 25, ..Limits::default() };
    let bytes = b"\x0a\0\0\0\x01\x02\x00\x0a0123456789\x07\0\0\x07\0\0";
    let end = bytes.len() - 3;
    assert!(decode_all(&bytes[..end], &limits).is_ok());
    assert_eq!(decode_all(bytes, &limits), Err(Error::TooLong { offset: 8, limit: 25 }));
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize| {
        let mut bytes = b"\x0a\0\0\0\x01".repeat(levels);
        bytes.push(0x05);
        bytes
    };
    let depth = Limits::default().depth;
    assert!(decode(&nested(depth)).is_ok());
    let offset = depth * 5;
    assert_eq!(decode(&nested(depth + 1)), Err(Error::TooDeep { offset, limit: depth }));
    // No setting lets the stack overflow.
    let limits = Limits { depth: usize::MAX, values: usize::MAX, string_bytes: usize::MAX };
    assert!(decode_all(&nested(Limits::DEPTH_MAX), &limits).is_ok());
    let deep = decode_all(&nested(1_000_000), &limits);
    assert!(matches!(deep, Err(Error::TooDeep { limit: Limits::DEPTH_MAX, .. })));
    let deep = decode_all(&b"\x03\x00\x01a".repeat(100_000), &limits);
    assert!(matches!(deep, Err(Error::TooDeep { limit: Limits::DEPTH_MAX, .. })));
}

#[test]
fn values_are_limited() {
    let limits = Limits { values: 4, ..Limits::default() };
    assert!(decode_all(b"\x05\x0a\0\0\0\x02\x05\x05", &limits).is_ok());
    let too_many = decode_all(b"\x05\x0a\0\0\0\x03\x05\x05\x05", &limits);
    assert_eq!(too_many, Err(Error::TooMany { offset: 8, limit: 4 }));
}

#[test]
fn text_is_limited() {
    let limits = Limits { string_bytes: 4, ..Limits::default() };
    assert!(decode_all(b"\x03\x00\x02ab\x02\x00\x02cd\x00\x00\x09", &limits).is_ok());
    let too_long = decode_all(b"\x03\x00\x02ab\x0c\0\0\0\x03cde\x00\x00\x09", &limits);
    assert_eq!(too_long, Err(Error::TooLong { offset: 10, limit: 4 }));
}

#[test]
fn huge_counts_cost_nothing() {
    for bytes in [
        b"\x0a\xff\xff\xff\xff".as_slice(),
        b"\x08\xff\xff\xff\xff",
        b"\x0c\xff\xff\xff\xff",
        b"\x0f\xff\xff\xff\xff",
        b"\x02\xff\xff",
    ] {
        assert_eq!(decode(bytes), Err(Error::Truncated { offset: bytes.len() }));
    }
}

#[test]
fn unknown_markers_are_named() {
    for marker in [0x04, 0x09, 0x0E, 0x12, 0xFF] {
        let error = decode(&[0x05, marker]).unwrap_err();
        assert_eq!(error, Error::UnknownMarker { offset: 1, marker });
    }
}

#[test]
fn one_value_may_be_in_amf3() {
    let values = decode(b"\x02\x00\x01a\x11\x06\x05hi\x01\x01\x11\x04\x07").unwrap();
    assert_eq!(values, ["a".into(), "hi".into(), true.into(), Value::Number(7.0)]);
}

#[test]
fn reader_tells_where_it_is() {
    let mut reader = Reader::new(b"\x05\x01\x01\x02", Limits::default());
    assert_eq!(reader.read(), Ok(Value::Null));
    assert_eq!(reader.offset(), 1);
    assert_eq!(reader.read(), Ok(Value::Boolean(true)));
    assert_eq!((reader.offset(), reader.is_empty()), (3, false));
    assert_eq!(reader.read(), Err(Error::Truncated { offset: 4 }));
}

#[test]
fn long_text_becomes_a_long_string_and_a_long_name_is_cut_at_a_character() {
    let text = "ü".repeat(40_000);
    let bytes = encoded(&Value::from(text.as_str()));
    assert_eq!(bytes[0], 0x0C);
    assert_eq!(decode_one(&bytes), Value::from(text.as_str()));
    let value = decode_one(&encoded(&Value::Object(vec![(text, Value::Null)])));
    assert_eq!(value.properties().unwrap()[0].0.len(), 65_534);
}

#[test]
fn any_truncation_or_changed_byte_is_survived() {
    for cut in 0..ON_META_DATA.len() {
        let _ = decode(&ON_META_DATA[..cut]);
        let mut changed = ON_META_DATA.to_vec();
        for byte in (0..8).map(|bit| ON_META_DATA[cut] ^ 1 << bit).chain([0x11, 0x07, 0x0A]) {
            changed[cut] = byte;
            let _ = decode(&changed);
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (-1e9..1e9).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,12}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        (-1e15..1e15).prop_map(Value::Date),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let named = prop::collection::vec((".{0,8}", inner.clone()), 0..6);
        prop_oneof![
            named.clone().prop_map(Value::Object),
            named.prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn what_is_written_is_read(values in prop::collection::vec(any_value(), 0..4)) {
        let bytes: Vec<u8> = values.iter().flat_map(encoded).collect();
        prop_assert_eq!(decode(&bytes), Ok(values));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(
        prop_oneof![0_u8..0x12, any::<u8>(), Just(0_u8)], 0..200
    )) {
        let limits = Limits { values: 500, string_bytes: 2_000, ..Limits::default() };
        if let Ok(values) = decode_all(&bytes, &limits) {
            prop_assert!(values.len() <= 500);
        }
    }
}
