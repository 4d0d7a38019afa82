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

fn start(body: &[u8]) -> Vec<u8> {
    let header = TagHeader::new(18, u32::try_from(body.len()).unwrap(), 0);
    [&FILE_HEADER, &header.encode()[..], body, &header.tag_size().to_be_bytes()].concat()
}

#[test]
fn the_first_tag_of_a_file_is_read_as_far_as_it_is_there() {
    let all: Vec<_> =
        (0..5).map(|i| (format!("name{i}"), Value::from(format!("value {i}")))).collect();
    for value in [Value::Object(all.clone()), Value::EcmaArray(all.clone())] {
        let body = message("onMetaData", &value);
        let file = start(&body);
        let whole = region(&file).unwrap();
        assert_eq!(whole.size_bytes, u64::try_from(body.len() + 15).unwrap());
        assert_eq!((whole.properties, whole.is_whole), (all.clone(), true));
        let body_end = file.len() - 4;
        let mut most = 0;
        for len in 0..body_end {
            let Some(part) = region(&file[..len]) else {
                assert_eq!(most, 0, "{len} bytes");
                continue;
            };
            assert!(!part.is_whole && part.properties.len() >= most);
            most = part.properties.len();
            assert_eq!(part.properties[..], all[..most]);
        }
        assert_eq!(most, 5);
    }
}

#[test]
fn a_region_is_read_up_to_what_cannot_be_a_name() {
    let with = |name: &str| {
        let properties = ["a", name, "b"].map(|name| (name.to_owned(), Value::Null));
        region(&start(&message("onMetaData", &Value::Object(properties.to_vec())))).unwrap()
    };
    for broken in ["", "\0\0", "n\u{7}"] {
        let region = with(broken);
        assert!(!region.is_whole);
        assert_eq!(region.properties, [("a".to_owned(), Value::Null)], "{broken:?}");
    }
    let region = with("\u{540d}");
    assert!(region.is_whole);
    assert_eq!(region.property("b"), Some(&Value::Null));
    assert_eq!(region.property("c"), None);
}

#[test]
fn a_file_that_does_not_begin_with_metadata_has_no_region() {
    assert_eq!(region(b""), None);
    assert_eq!(region(&FILE_HEADER), None);
    assert_eq!(region(&start(&message("onCuePoint", &Value::Null))), None);
    let mut video = start(&message("onMetaData", &Value::Object(Vec::new())));
    assert!(region(&video).is_some());
    video[13] = 9;
    assert_eq!(region(&video), None);
    let number = region(&start(&message("onMetaData", &Value::Number(1.0)))).unwrap();
    assert_eq!((number.properties, number.is_whole), (Vec::new(), false));
}
