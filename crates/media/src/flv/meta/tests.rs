use super::*;
use crate::amf0;

fn message(name: &str, value: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    amf0::encode_string(name, &mut body);
    amf0::encode(value, &mut body);
    body
}

#[test]
fn only_on_meta_data_is_metadata() {
    let none = Value::Null;
    assert_eq!(classify(&message("onMetaData", &none)), Role::Metadata);
    for other in
        ["onCuePoint", "onTextData", "onCaptionInfo", "onXMPData", "onFI", "", "onMetadata"]
    {
        assert_eq!(classify(&message(other, &none)), Role::Event, "{other}");
    }
    assert_eq!(classify(b""), Role::Event);
    assert_eq!(classify(b"\x02\x00\x0aonMeta"), Role::Event, "cut off");
    assert_eq!(classify(b"\x05"), Role::Event);
}

#[test]
fn properties_come_from_an_object_or_an_array() {
    let properties = vec![("width".to_owned(), Value::Number(320.0))];
    for value in [Value::Object(properties.clone()), Value::EcmaArray(properties.clone())] {
        let body = message("onMetaData", &value);
        assert_eq!(super::properties(&body, Limits::default()), Some(properties.clone()));
    }
    let body = message("onMetaData", &Value::Number(1.0));
    assert_eq!(super::properties(&body, Limits::default()), None);
    let body = message("onCuePoint", &Value::Object(properties));
    assert_eq!(super::properties(&body, Limits::default()), None);
}

#[test]
fn broken_metadata_is_none() {
    let value = Value::Object(vec![("title".to_owned(), Value::from("x"))]);
    let body = message("onMetaData", &value);
    for len in 0..body.len() {
        assert_eq!(properties(&body[..len], Limits::default()), None, "{len} bytes");
    }
}
