use media::amf0::Limits;
use proptest::prelude::*;

use super::*;

fn decode(body: &[u8]) -> Option<Command> {
    Command::decode(body, &Limits::default()).unwrap()
}

fn sample() -> Command {
    let mut command = Command::new("publish", 5.0, vec!["test".into(), "live".into()]);
    command.object = Value::Object(vec![("app".to_owned(), "live".into())]);
    command
}

#[test]
fn a_command_has_the_bytes_of_the_specification() {
    let command = Command::new("createStream", 2.0, vec![]);
    let golden = b"\x02\x00\x0ccreateStream\x00\x40\x00\x00\x00\x00\x00\x00\x00\x05";
    assert_eq!(command.encode(), golden.as_slice());
    assert_eq!(decode(golden), Some(command));
}

#[test]
fn a_command_survives_the_wire() {
    assert_eq!(decode(&sample().encode()), Some(sample()));
}

#[test]
fn a_command_cut_anywhere_keeps_what_is_whole() {
    let whole = sample().encode();
    for len in 0..whole.len() {
        match decode(&whole[..len]) {
            None => assert!(len < 10, "{len} bytes hold the name"),
            Some(command) => {
                assert_eq!(command.name, "publish");
                assert!(command.arguments.len() < 2);
                assert_eq!(command.transaction_id, if len < 19 { 0.0 } else { 5.0 });
            }
        }
    }
}

#[test]
fn what_is_not_a_command_has_no_name() {
    for body in [b"".as_slice(), b"\x05", b"\x00\x40\0\0\0\0\0\0\0", b"\xff\xff", b"\x03\0\0\x09"] {
        assert_eq!(decode(body), None);
    }
}

#[test]
fn a_transaction_id_that_is_no_number_asks_for_no_answer() {
    let command = decode(b"\x02\x00\x01x\x02\x00\x01y\x05").unwrap();
    assert_eq!(command.transaction_id, 0.0);
    assert!(!command.wants_answer());
}

#[test]
fn answers_are_never_answered() {
    for name in ["_result", "_error", "onStatus"] {
        assert!(!Command::new(name, 3.0, vec![]).wants_answer());
    }
    assert!(Command::new("anything", 3.0, vec![]).wants_answer());
    assert!(!Command::new("anything", 0.0, vec![]).wants_answer());
}

#[test]
fn arguments_in_amf3_are_read() {
    let command = decode(b"\x02\x00\x04play\x00\0\0\0\0\0\0\0\0\x11\x01\x11\x06\x09test").unwrap();
    assert_eq!(command.object, Value::Null);
    assert_eq!(command.arguments, vec!["test".into()]);
}

#[test]
fn a_command_that_asks_for_too_much_is_an_error() {
    let mut deep = b"\x02\x00\x01x\x00\0\0\0\0\0\0\0\0\x05".to_vec();
    deep.extend(b"\x0a\x00\x00\x00\x01".repeat(200));
    let error = Command::decode(&deep, &Limits::default()).unwrap_err();
    assert!(matches!(error, amf0::Error::TooDeep { .. }));

    let mut many = b"\x02\x00\x01x".to_vec();
    many.resize(60_000, 0x05);
    let error = Command::decode(&many, &Limits::default()).unwrap_err();
    assert!(matches!(error, amf0::Error::TooMany { .. }));
}

#[test]
fn no_description_can_be_taken_for_a_login_challenge() {
    for text in ["[ authmod=adobe ] : ?reason=needauth", "AuthMod=llnw"] {
        let status = status(Level::Error, "NetConnection.Connect.Rejected", text);
        let description = status.property("description").and_then(Value::as_str).unwrap();
        assert!(!description.to_ascii_lowercase().contains("authmod="), "{description}");
    }
    let plain = status(Level::Status, "a", "b=c");
    assert_eq!(plain.property("description"), Some(&"b=c".into()));
    assert_eq!(plain.property("level"), Some(&"status".into()));
}

#[test]
fn a_query_is_split_off_at_the_first_question_mark() {
    assert_eq!(split_query("key"), ("key", None));
    assert_eq!(split_query("key?a=b?c"), ("key", Some("a=b?c")));
    assert_eq!(split_query("?"), ("", Some("")));
}

#[test]
fn only_whole_numbers_from_1_to_32_bits_are_stream_ids() {
    assert_eq!(stream_id(1.0), Some(1));
    assert_eq!(stream_id(4_294_967_295.0), Some(u32::MAX));
    for number in [0.0, -1.0, 0.5, 4_294_967_296.0, f64::NAN, f64::INFINITY, -f64::INFINITY] {
        assert_eq!(stream_id(number), None, "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = Command::decode(&body, &Limits::default());
    }

    #[test]
    fn no_mutation_panics(at in 0usize..64, value in any::<u8>()) {
        let mut body = sample().encode().to_vec();
        let at = at % body.len();
        body[at] = value;
        let _ = Command::decode(&body, &Limits::default());
    }
}
