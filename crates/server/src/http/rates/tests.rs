use bytes::Bytes;
use live::{Limits, Publisher};
use media::{Kind, Packet, Role};

use super::*;

/// Pushes frames of 1,000 bytes, one each 40 ms.
fn push(publisher: &mut Publisher, frames: std::ops::Range<i64>) {
    let body = Bytes::from(vec![0; 1_000]);
    let frame = |n: i64| {
        let (kind, role, body) = (Kind::Video, Role::Key, body.clone());
        Packet { kind, role, track: 0, dts_ms: n * 40, body }
    };
    publisher.push(&mut frames.map(frame).collect());
}

#[test]
fn rates_are_those_of_the_last_seconds() {
    let registry = Registry::new(Limits::default());
    let key = Key::new("live", "test").unwrap();
    let mut publisher = registry.publish(&key).unwrap();
    let stream = registry.stream(&key).unwrap();
    let (seen, began) = (Seen::default(), Instant::now());
    let at = |seconds: u64| began + Duration::from_secs(seconds);
    let now = |seen: &Seen, seconds: u64| seen.rates(&stream, &stream.stats(), began, at(seconds));
    // 25 frames in the first second: 200 kbit/s, before anybody has looked.
    push(&mut publisher, 0..25);
    assert_eq!(now(&seen, 1).video_kbps, 200.0);
    assert_eq!(now(&seen, 1).frame_rate, 25.0);
    // Nothing for eight seconds, in which there were looks: nothing is what it carries.
    for seconds in [2, 4, 6] {
        seen.look(&registry, at(seconds));
    }
    assert_eq!(now(&seen, 9).video_kbps, 0.0);
    // A second of it within the last five is a fifth of the rate.
    push(&mut publisher, 25..50);
    assert_eq!(now(&seen, 9).video_kbps, 40.0);
    // The next run begins anew.
    drop(publisher);
    let mut publisher = registry.publish(&key).unwrap();
    push(&mut publisher, 0..25);
    let stream = registry.stream(&key).unwrap();
    let rates = seen.rates(&stream, &stream.stats(), at(9), at(10));
    assert_eq!(rates.video_kbps, 200.0);
    drop(publisher);
    seen.look(&registry, at(10));
    assert!(seen.lock().is_empty());
}
