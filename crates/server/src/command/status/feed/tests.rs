use super::*;

#[test]
fn events_come_out_of_bytes_however_they_are_cut() {
    let bytes = "id: 5f3a9c01-1\n\n: comment\n\nid: 5f3a9c01-2\nevent: x\ndata: {\"ä\":1}\n\n";
    let expected = [
        Event { id: Some("5f3a9c01-1".to_owned()), data: None },
        Event { id: Some("5f3a9c01-2".to_owned()), data: Some("{\"ä\":1}".to_owned()) },
    ];
    for cut in 0..bytes.len() {
        let mut blocks = Blocks::default();
        let (first, second) = bytes.as_bytes().split_at(cut);
        let mut events = blocks.push(first);
        events.extend(blocks.push(second));
        assert_eq!(events, expected, "{cut}");
    }
}

#[test]
fn an_event_without_an_end_takes_no_more_memory_than_one_may_have() {
    let mut blocks = Blocks::default();
    for _ in 0..40 {
        assert!(blocks.push(&[b'x'; 64 << 10]).is_empty());
        assert!(blocks.0.len() <= EVENT_BYTES);
    }
}

#[test]
fn a_reader_begins_a_little_before_the_newest_event() {
    assert_eq!(before("5f3a9c01", 7), "5f3a9c01-0");
    assert_eq!(before("5f3a9c01", 100), "5f3a9c01-80");
}
