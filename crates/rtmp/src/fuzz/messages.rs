//! What messages mean: commands, control, data, aggregates; and addresses.

use bytes::Bytes;
use media::Kind;
use media::amf0;

use crate::Limits;
use crate::chunk::Message;
use crate::command::Command;
use crate::message::{Aggregate, Content, Control, message_type};
use crate::url::Url;

/// Any bytes as the body of a command.
pub fn command(data: &[u8]) {
    let limits = Limits::default().amf;
    let Ok(Some(command)) = Command::decode(data, &limits) else { return };
    let body = command.encode();
    // Bad UTF-8 becomes longer.
    let wide = amf0::Limits {
        depth: amf0::Limits::DEPTH_MAX,
        values: limits.values * 4,
        string_bytes: limits.string_bytes * 4,
    };
    let again = match Command::decode(&body, &wide) {
        Ok(Some(again)) => again,
        other => panic!("cannot be read again: {other:?}"),
    };
    assert_eq!(again.transaction_id.to_bits(), command.transaction_id.to_bits());
    assert!(again.encode() == body, "encodes as something else");
    // Not `==`: a number may be NaN. Names that became longer than 65,535 bytes are cut.
    if body.len() < usize::from(u16::MAX) {
        assert_eq!(format!("{again:?}"), format!("{command:?}"));
    }
    let beyond = command.arguments.len();
    assert_eq!(*command.argument(beyond), amf0::Value::Undefined);
}

/// Any bytes as a message: the first one is its type.
pub fn message(data: &[u8]) {
    let Some((&message_type, body)) = data.split_first() else { return };
    let message = Message {
        chunk_stream_id: 3,
        message_stream_id: 1,
        message_type,
        timestamp: 0xFFFF_FF00,
        body: Bytes::copy_from_slice(body),
    };
    check(message, true);
}

fn check(message: Message, is_outer: bool) {
    let limits = Limits::default().amf;
    let whole = message.clone();
    let content = match Content::of(message, &limits) {
        Ok(content) => content,
        Err(_) => {
            let stops = matches!(whole.message_type, 1 | 2) && whole.body.len() < 4;
            assert!(stops, "only a chunk size or an abort cut short is an error");
            return;
        }
    };
    match content {
        Content::Control(control) => {
            assert_eq!(control.message_type(), whole.message_type);
            let encoded = control.encode();
            let again = Control::decode(control.message_type(), &encoded);
            assert_eq!(again, Ok(Some(control)));
            assert!(encoded.len() <= 10);
        }
        Content::Media { kind: Kind::Data, body } => {
            assert!(!body.is_empty());
            if whole.message_type == message_type::DATA_AMF0 {
                assert!(whole.body.ends_with(&body), "AMF0 stays byte for byte");
            }
        }
        Content::Media { body, .. } => assert_eq!(body, whole.body),
        Content::Command(body) => {
            assert!(whole.body.ends_with(&body) && body.len() + 1 >= whole.body.len());
        }
        Content::Aggregate(aggregate) => {
            assert!(is_outer, "an aggregate in an aggregate");
            check_aggregate(aggregate, &whole);
        }
        Content::Ignored => {}
    }
}

fn check_aggregate(aggregate: Aggregate, whole: &Message) {
    let mut left = whole.body.len();
    for (number, inner) in aggregate.enumerate() {
        assert!(left >= 11 + inner.body.len(), "more than the aggregate has");
        left -= 11 + inner.body.len();
        // The first tag that is handed out may follow one that is passed over.
        let is_first = number == 0 && whole.body.first().is_some_and(|kind| kind & 0x1F != 22);
        assert!(!is_first || inner.timestamp == whole.timestamp);
        assert_eq!(inner.message_stream_id, whole.message_stream_id);
        check(inner, false);
    }
}

/// Any text as an address.
pub fn url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(url) = Url::parse(&text) else { return };
    assert!(!url.host.is_empty() && !url.app.is_empty() && !url.name.is_empty() && url.port > 0);
    let again = format!("{}/{}", url.tc_url(), url.name);
    assert_eq!(Url::parse(&again), Ok(url), "{again}");
}
