use super::*;

fn object(properties: Vec<(&str, Value)>) -> Value {
    Value::Object(properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn array(properties: Vec<(&str, Value)>) -> Value {
    match object(properties) {
        Value::Object(properties) => Value::EcmaArray(properties),
        other => other,
    }
}

fn list(names: &[&str]) -> Value {
    Value::StrictArray(names.iter().map(|name| (*name).into()).collect())
}

#[test]
fn what_is_told_is_read_back() {
    let all = Capabilities {
        fourcc_list: vec!["av01".to_owned(), "zzzz".to_owned()],
        video: vec![("*".to_owned(), 4), ("vp09".to_owned(), 3)],
        audio: vec![("Opus".to_owned(), 7)],
        caps_ex: 15,
        video_function: 0,
    };
    for told in [all, Capabilities::forwarder(), Capabilities::default()] {
        assert_eq!(Capabilities::of(&Value::Object(told.properties())), told);
    }
}

#[test]
fn a_forwarder_takes_everything() {
    let own = Capabilities::forwarder();
    let expected = object(vec![
        ("fourCcList", list(&["*"])),
        ("videoFourCcInfoMap", object(vec![("*", 4.0.into())])),
        ("audioFourCcInfoMap", object(vec![("*", 4.0.into())])),
        ("capsEx", 14.0.into()),
    ]);
    assert_eq!(Value::Object(own.properties()), expected);
    assert_eq!(own.video_flags("whatever"), codec_flags::CAN_FORWARD);
}

#[test]
fn a_peer_of_before_offers_nothing() {
    for value in [object(vec![]), Value::Null, Value::Undefined, 1.0.into(), list(&["av01"])] {
        let offered = Capabilities::of(&value);
        assert_eq!(offered, Capabilities::default());
        assert!(offered.is_legacy());
    }
    let old = Capabilities::of(&object(vec![("videoFunction", 7.0.into())]));
    assert!(old.is_legacy());
    assert_eq!(old.video_function, 7);
}

#[test]
fn the_wildcard_wins_over_single_codecs() {
    let map = object(vec![("vp09", 3.0.into()), ("*", 4.0.into()), ("av01", 1.0.into())]);
    let offered = Capabilities::of(&object(vec![("videoFourCcInfoMap", map)]));
    assert_eq!(["vp09", "av01", "hvc1"].map(|name| offered.video_flags(name)), [4, 4, 4]);
    let map = array(vec![("vp09", 3.0.into()), ("vp09", 1.0.into())]);
    let offered = Capabilities::of(&object(vec![("videoFourCcInfoMap", map)]));
    assert_eq!(["vp09", "av01"].map(|name| offered.video_flags(name)), [1, 0], "the last of two");
    assert_eq!(offered.audio_flags("vp09"), 0);
}

#[test]
fn a_list_is_read_in_every_shape_that_clients_send() {
    let read = |value| Capabilities::of(&object(vec![("fourCcList", value)])).fourcc_list;
    let indexed = vec![("0", "av01".into()), ("1", "hvc1".into()), ("length", 2.0.into())];
    assert_eq!(read(array(indexed)), ["av01", "hvc1"]);
    assert_eq!(read(object(vec![("av01", 1.0.into()), ("vp09", true.into())])), ["av01", "vp09"]);
    assert_eq!(read("av01".into()), ["av01"]);
    let mixed = vec!["av01".into(), 1.0.into(), Value::Null, "".into(), list(&["vp09"])];
    assert_eq!(read(Value::StrictArray(mixed)), ["av01"]);
    for value in [list(&[]), Value::Null, 3.0.into(), true.into(), array(vec![])] {
        assert!(read(value).is_empty());
    }
}

#[test]
fn a_map_is_read_in_every_shape() {
    let read = |value| Capabilities::of(&object(vec![("audioFourCcInfoMap", value)])).audio;
    let entries = || vec![("Opus", 7.0.into()), ("fLaC", "3".into()), ("ac-3", true.into())];
    let expected = [("Opus", 7), ("fLaC", 3), ("ac-3", 1)].map(|(n, f)| (n.to_owned(), f));
    assert_eq!(read(object(entries())), expected);
    assert_eq!(read(array(entries())), expected);
    assert_eq!(read(list(&["Opus"])), [("Opus".to_owned(), codec_flags::CAN_FORWARD)]);
    let senseless = vec![
        ("a", (-1.0).into()),
        ("b", 0.5.into()),
        ("c", f64::NAN.into()),
        ("d", 1e300.into()),
        ("e", Value::Null),
        ("f", "x".into()),
        ("", 1.0.into()),
    ];
    assert_eq!(read(object(senseless)), []);
    assert_eq!(read("Opus".into()), []);
}

#[test]
fn bits_that_mean_nothing_count_as_none_and_unknown_bits_are_kept() {
    let read = |value| Capabilities::of(&object(vec![("capsEx", value)])).caps_ex;
    assert_eq!(read(255.0.into()), 255);
    assert_eq!(read("3".into()), 3);
    assert_eq!(read(f64::from(u32::MAX).into()), u32::MAX);
    let senseless = [(-1.0).into(), 1.5.into(), f64::INFINITY.into(), Value::Null, list(&["1"])];
    for value in senseless {
        assert_eq!(read(value), 0);
    }
    assert!(Capabilities { caps_ex: 3, ..Capabilities::default() }.has(caps_ex::RECONNECT));
    assert!(!Capabilities { caps_ex: 2, ..Capabilities::default() }.has(caps_ex::RECONNECT));
}

#[test]
fn what_is_kept_is_bounded() {
    let long = "x".repeat(Capabilities::NAME_BYTES_MAX + 1);
    let mut names = vec![Value::from(long.as_str())];
    names.extend((0..1_000).map(|n| Value::from(n.to_string())));
    let map = names.iter().map(|name| (name.as_str().unwrap().to_owned(), 1.0.into())).collect();
    let offered = Capabilities::of(&object(vec![
        ("fourCcList", Value::StrictArray(names)),
        ("videoFourCcInfoMap", Value::Object(map)),
    ]));
    assert_eq!(offered.fourcc_list.len(), Capabilities::ENTRIES_MAX);
    assert_eq!(offered.video.len(), Capabilities::ENTRIES_MAX);
    assert_eq!(offered.fourcc_list[0], "0", "the long one is no codec");
}
