use super::*;

fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(properties.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect())
}

fn numbers(properties: &[(&str, f64)]) -> Value {
    Value::Object(properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).into())).collect())
}

fn hdr10() -> Value {
    object(&[
        (
            "colorConfig",
            numbers(&[
                ("bitDepth", 10.0),
                ("colorPrimaries", 9.0),
                ("transferCharacteristics", 16.0),
                ("matrixCoefficients", 9.0),
            ]),
        ),
        ("hdrCll", numbers(&[("maxFall", 400.0), ("maxCLL", 1_000.0)])),
        (
            "hdrMdcv",
            numbers(&[
                ("redX", 0.708),
                ("redY", 0.292),
                ("greenX", 0.17),
                ("greenY", 0.797),
                ("blueX", 0.131),
                ("blueY", 0.046),
                ("whitePointX", 0.3127),
                ("whitePointY", 0.329),
                ("maxLuminance", 1_000.0),
                ("minLuminance", 0.0001),
            ]),
        ),
    ])
}

#[test]
fn hdr10_is_read_whole() {
    let color = ColorInfo::of(&hdr10()).unwrap();
    let expected = ColorInfo {
        bit_depth: Some(10),
        primaries: Some(9),
        transfer: Some(16),
        matrix: Some(9),
        max_fall: Some(400.0),
        max_cll: Some(1_000.0),
        mastering: Some(Mastering {
            chromaticities: Some([(0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329)]),
            max_luminance: Some(1_000.0),
            min_luminance: Some(0.0001),
        }),
    };
    assert_eq!(color, expected);
    assert!(color.is_hdr());
    assert_eq!((color.primaries_name(), color.transfer_name()), (Some("BT.2020"), Some("PQ")));
}

#[test]
fn undefined_and_the_empty_object_take_it_back() {
    for value in [Value::Undefined, Value::Null, object(&[]), Value::EcmaArray(vec![])] {
        assert_eq!(ColorInfo::of(&value), None);
    }
    // FFmpeg 9 sends this when it knows nothing.
    let empty = ColorInfo::of(&object(&[("colorConfig", object(&[]))]));
    assert_eq!(empty, Some(ColorInfo::default()));
}

#[test]
fn what_is_out_of_range_counts_as_missing() {
    let config = numbers(&[
        ("bitDepth", 10.5),
        ("colorPrimaries", 256.0),
        ("transferCharacteristics", -1.0),
        ("matrixCoefficients", f64::NAN),
    ]);
    let light = object(&[("maxFall", "400".into()), ("maxCLL", 1e9.into())]);
    let mastering = numbers(&[("redX", 0.7), ("minLuminance", 0.01)]);
    let value = object(&[("colorConfig", config), ("hdrCll", light), ("hdrMdcv", mastering)]);
    let expected = ColorInfo {
        mastering: Some(Mastering { min_luminance: Some(0.01), ..Mastering::default() }),
        ..ColorInfo::default()
    };
    assert_eq!(ColorInfo::of(&value), Some(expected));
}

#[test]
fn metadata_is_pairs_of_names_and_values() {
    let mut data = Vec::new();
    for value in ["colorInfo".into(), hdr10(), 1.0.into(), "lost".into(), "colorInfo".into()] {
        amf0::encode(&value, &mut data);
    }
    let expected = [("colorInfo".to_owned(), hdr10()), ("colorInfo".to_owned(), Value::Undefined)];
    assert_eq!(video_metadata(&data).unwrap(), expected);
    assert_eq!(video_metadata(b"").unwrap(), []);
    for len in 1..data.len() {
        let _ = video_metadata(&data[..len]);
    }
    assert!(video_metadata(&data[..20]).is_err());
}

#[test]
fn metadata_may_be_amf3() {
    // "colorInfo", then a dynamic object without class: "colorConfig" = one with "bitDepth" = 10.
    let data = b"\x06\x13colorInfo\x0a\x0b\x01\x17colorConfig\x0a\x01\x11bitDepth\x04\x0a\x01\x01";
    let pairs = video_metadata(data).unwrap();
    assert_eq!(pairs[0].0, "colorInfo");
    assert_eq!(ColorInfo::of(&pairs[0].1).unwrap().bit_depth, Some(10));
    // The same as AMF0 that switches, for each value.
    let mut switched = b"\x02\x00\x09colorInfo\x11".to_vec();
    switched.extend(b"\x0a\x0b\x01\x17colorConfig\x0a\x01\x11bitDepth\x04\x0a\x01\x01");
    assert_eq!(video_metadata(&switched).unwrap(), pairs);
}

#[test]
fn metadata_is_bounded() {
    let mut data = Vec::new();
    for _ in 0..1_000 {
        amf0::encode(&Value::Null, &mut data);
    }
    assert!(matches!(video_metadata(&data), Err(Error::TooMany { .. })));
}
