use bytes::Bytes;

use super::*;
use crate::{Packet, amf0::Limits, flv::meta};

const SIZE: usize = *SIZES.start();

fn index(entries: u32) -> Index {
    let key = Packet::new(Kind::Video, 0, Bytes::from_static(b"\x17\x01\x00\x00\x00N"));
    let mut index = Index::new(10_000);
    for i in 0..entries {
        index.push(&key, i * 1_000, u64::from(i) * 5_000);
    }
    index
}

fn properties(region: &Region) -> Vec<(String, Value)> {
    let body = &region.bytes[TagHeader::SIZE..region.bytes.len() - 4];
    let limits = Limits { values: 100_000, ..Limits::default() };
    meta::properties(body, limits).expect("onMetaData")
}

fn compose_with(size_bytes: usize, extra: &[(String, Value)], entries: u32) -> Region {
    let index = index(entries);
    let own = [("duration", Value::Number(1.0))];
    let extra: Vec<_> = extra.iter().collect();
    let content =
        Content { identity: &[], own: &own, extra: &extra, publisher: &[], index: &index };
    compose(size_bytes, &content)
}

#[test]
fn every_size_and_content_fills_the_region_exactly() {
    for size_bytes in SIZE..SIZE + 40 {
        for entries in [0, 1, 2, 30, 500] {
            let extra = [("title".to_owned(), Value::from("x".repeat(size_bytes % 7)))];
            let region = compose_with(size_bytes, &extra, entries);
            assert_eq!(region.bytes.len(), size_bytes);
            let header = TagHeader::decode(*region.bytes.first_chunk().unwrap());
            assert_eq!(usize::try_from(header.size).unwrap() + 15, size_bytes);
            assert_eq!(region.bytes[size_bytes - 4..], header.tag_size().to_be_bytes());
            assert_eq!(region.bytes[size_bytes - 7..size_bytes - 4], END);
            let properties = properties(&region);
            assert_eq!(properties[0], (COMPLETE.to_owned(), Value::Boolean(false)));
            assert_eq!(properties[1], ("duration".to_owned(), Value::Number(1.0)));
            assert_eq!(region.bytes[region.complete_at - 1..=region.complete_at], [1, 0]);
            let Some((name, Value::StrictArray(zeros))) = properties.last() else { panic!() };
            assert!(name.starts_with(PADDING));
            assert!(zeros.iter().all(|zero| *zero == Value::Number(0.0)));
            let count = u32::from_be_bytes(*region.bytes[25..].first_chunk().unwrap());
            assert_eq!(usize::try_from(count).unwrap(), properties.len(), "the array's count");
        }
    }
}

#[test]
fn an_index_needs_two_entries() {
    let has_index = |entries| {
        let region = compose_with(SIZE, &[], entries);
        properties(&region).iter().any(|(name, _)| name == "keyframes")
    };
    assert_eq!([0, 1, 2].map(has_index), [false, false, true]);
}

#[test]
fn an_index_that_is_too_long_is_thinned_evenly() {
    let region = compose_with(SIZE, &[], 1_000);
    let properties = properties(&region);
    let keyframes = properties.iter().find(|(name, _)| name == "keyframes").unwrap();
    let numbers = |name| match keyframes.1.property(name) {
        Some(Value::StrictArray(values)) => {
            values.iter().map(|value| value.as_f64().unwrap()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let (times, positions) = (numbers("times"), numbers("filepositions"));
    assert_eq!(times.len(), positions.len());
    assert!((50..110).contains(&times.len()), "{}", times.len());
    assert_eq!(times.last(), Some(&999.0), "the newest is there always");
    assert!(times[..times.len() - 1].windows(2).all(|pair| pair[1] - pair[0] == times[1]));
    assert!(times.iter().zip(&positions).all(|(time, position)| *position == time * 5_000.0));
}

#[test]
fn what_does_not_fit_is_cut_and_counted_and_the_rest_stays() {
    let index = index(50);
    let publisher = [
        ("big".to_owned(), Value::from("x".repeat(100_000))),
        ("small".to_owned(), Value::from("y")),
        (String::new(), Value::from("no name")),
        ("n".repeat(300), Value::from("long name")),
    ];
    let publisher: Vec<_> = publisher.iter().collect();
    let extra = [
        ("id".to_owned(), Value::from("abc")),
        ("huge".to_owned(), Value::from("z".repeat(3_000))),
    ];
    let own = [("duration", Value::Number(1.0))];
    let extra: Vec<_> = extra.iter().collect();
    let content =
        Content { identity: &[], own: &own, extra: &extra, publisher: &publisher, index: &index };
    let region = compose(SIZE, &content);
    assert_eq!(region.cut, 4);
    let properties = properties(&region);
    let names: Vec<_> = properties.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..6], [COMPLETE, "duration", "id", "small", TRACK_PLACES, "keyframes"]);
}

#[test]
fn a_publisher_gets_at_most_half_so_that_an_index_remains() {
    let index = index(100);
    let many: Vec<_> =
        (0..1_000).map(|i| (format!("property{i}"), Value::Number(f64::from(i)))).collect();
    let publisher: Vec<_> = many.iter().collect();
    let content =
        Content { identity: &[], own: &[], extra: &[], publisher: &publisher, index: &index };
    let region = compose(4_096, &content);
    assert!(region.cut > 800);
    let properties = properties(&region);
    let keyframes = properties.iter().find(|(name, _)| name == "keyframes").unwrap();
    let Some(Value::StrictArray(times)) = keyframes.1.property("times") else { panic!() };
    assert!(times.len() >= 50, "{}", times.len());
}
