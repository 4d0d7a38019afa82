use std::sync::Arc;

use super::*;

fn told(n: usize) -> Event {
    Event::of(Kind::StreamPublished, format!("live/{n}"))
}

fn numbers(read: Read) -> Vec<u64> {
    match read {
        Read::Events(events) => events.iter().map(|told| told.id.number).collect(),
        Read::Reset(id) => panic!("reset at {id}"),
    }
}

#[test]
fn readers_get_each_event_once_from_where_they_stand() {
    testkit::block_on(async {
        let hub = Arc::new(Hub::new(10, 1 << 20));
        let mut early = hub.subscribe(None);
        (0..3).for_each(|n| hub.tell(told(n)));
        assert_eq!(numbers(early.next().await), [1, 2, 3]);
        let second = Id { boot: hub.boot, number: 1 };
        assert_eq!(numbers(hub.subscribe(Some(second)).next().await), [2, 3]);
        assert_eq!(hub.subscribe(Some(second)).id(), Some(second));
        // Nobody is told what was before.
        let mut late = hub.subscribe(None);
        hub.tell(told(3));
        assert_eq!(numbers(late.next().await), [4]);
        assert_eq!(numbers(early.next().await), [4]);
        assert_eq!((hub.told(), hub.lost()), (4, 0));
    });
}

#[test]
fn a_reader_that_waits_is_woken() {
    testkit::block_on(async {
        let hub = Arc::new(Hub::default());
        let mut reader = hub.subscribe(None);
        let teller = hub.clone();
        let thread = std::thread::spawn(move || teller.tell(told(0)));
        assert_eq!(numbers(reader.next().await), [1]);
        thread.join().unwrap();
    });
}

#[test]
fn a_reader_whose_place_has_gone_is_told_so_and_goes_on() {
    testkit::block_on(async {
        let hub = Arc::new(Hub::new(10, 1 << 20));
        let mut slow = hub.subscribe(None);
        (0..25).for_each(|n| hub.tell(told(n)));
        let Read::Reset(id) = slow.next().await else { panic!("no reset") };
        assert_eq!((id.number, hub.lost()), (25, 15));
        hub.tell(told(25));
        assert_eq!(numbers(slow.next().await), [26]);
        // The oldest that is there can still be reached, the one before it not.
        let of = |number| hub.subscribe(Some(Id { boot: hub.boot, number }));
        assert_eq!(numbers(of(16).next().await).len(), 10);
        assert!(matches!(of(15).next().await, Read::Reset(_)));
        // Nor one that has not been.
        assert!(matches!(of(27).next().await, Read::Reset(_)));
        let other = Id { boot: !hub.boot, number: 20 };
        assert!(matches!(hub.subscribe(Some(other)).next().await, Read::Reset(_)));
    });
}

#[test]
fn events_are_bounded_in_bytes_as_well() {
    let hub = Arc::new(Hub::new(1_000, 64 << 10));
    for _ in 0..100 {
        hub.tell(Event::of(Kind::StreamPublished, "x".repeat(4_096)));
        let ring = hub.lock();
        assert!(ring.bytes <= 64 << 10);
        assert_eq!(ring.bytes, ring.events.iter().map(|told| told.size_bytes()).sum::<usize>());
    }
    assert!((5..10).contains(&hub.lock().events.len()));
}

#[test]
fn many_events_are_read_in_batches() {
    testkit::block_on(async {
        let hub = Arc::new(Hub::default());
        let mut reader = hub.subscribe(None);
        (0..130).for_each(|n| hub.tell(told(n)));
        let mut sizes = Vec::new();
        for _ in 0..3 {
            sizes.push(numbers(reader.next().await).len());
        }
        assert_eq!(sizes, [64, 64, 2]);
    });
}

#[test]
fn ids_are_read_as_they_are_written() {
    let id = Id { boot: 0x5f3a_9c01, number: 17 };
    assert_eq!(id.to_string(), "5f3a9c01-17");
    assert_eq!("5f3a9c01-17".parse(), Ok(id));
    for wrong in ["", "-", "5f3a9c01", "5f3a9c0-17", "5f3a9c01-+7", "+f3a9c01-17", "5f3a9c01-x"] {
        assert!(wrong.parse::<Id>().is_err(), "{wrong:?}");
    }
}

#[test]
fn an_event_says_its_id_first_and_what_is_its_own_after() {
    let hub = Arc::new(Hub::default());
    hub.tell(told(0).with("publisher", "x"));
    let ring = hub.lock();
    let first = ring.events.front().unwrap();
    let json: serde_json::Value = serde_json::from_str(&first.json).unwrap();
    assert_eq!(json["id"], first.id.to_string());
    assert_eq!((&json["type"], &json["publisher"]), (&"stream.published".into(), &"x".into()));
}
