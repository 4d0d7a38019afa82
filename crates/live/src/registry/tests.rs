use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use bytes::Bytes;
use media::{Kind, Packet, Role};

use super::*;
use crate::{Lost, Read};

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn key(name: &str) -> Key {
    Key::new("live", name).unwrap()
}

fn frame(role: Role) -> Packet {
    Packet { kind: Kind::Video, role, track: 0, dts_ms: 0, body: Bytes::from_static(b"x") }
}

fn poll_run(watcher: &mut Watcher) -> Option<Cursor> {
    match watcher.poll_run(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(cursor) => Some(cursor),
        Poll::Pending => None,
    }
}

fn poll_read(cursor: &mut Cursor) -> Option<Read> {
    match cursor.poll_read(&mut Context::from_waker(Waker::noop()), &mut Vec::new()) {
        Poll::Ready(read) => Some(read),
        Poll::Pending => None,
    }
}

#[test]
fn second_publisher_is_refused_and_the_first_goes_on() {
    let registry = Registry::new(Limits::default());
    let mut first = registry.publish(&key("a")).unwrap();
    let mut cursor = first.cursor(Class::Record, Start::Oldest);
    assert_eq!(registry.publish(&key("a")).unwrap_err(), PublishError::Busy);
    first.push(&mut vec![frame(Role::Key)]);
    assert_eq!(poll_read(&mut cursor), Some(Read::Packets));
    drop(first);
    assert_eq!(poll_read(&mut cursor), Some(Read::Ended { lost: Lost::default() }));
    registry.publish(&key("a")).unwrap();
}

#[test]
fn waiting_player_gets_each_run_once() {
    let registry = Registry::new(Limits::default());
    let mut watcher = registry.watch(&key("a")).unwrap();
    assert!(poll_run(&mut watcher).is_none());
    for _ in 0..3 {
        let mut publisher = registry.publish(&key("a")).unwrap();
        let mut cursor = poll_run(&mut watcher).unwrap();
        assert!(poll_run(&mut watcher).is_none());
        publisher.push(&mut vec![frame(Role::Key)]);
        assert!(matches!(poll_read(&mut cursor), Some(Read::Joined { .. })));
        assert_eq!(poll_read(&mut cursor), Some(Read::Packets));
        drop(publisher);
        assert_eq!(poll_read(&mut cursor), Some(Read::Ended { lost: Lost::default() }));
        assert!(poll_run(&mut watcher).is_none());
    }
}

#[test]
fn waiting_player_gets_all_of_a_run_that_was_over_before_it_looked() {
    let registry = Registry::new(Limits::default());
    let mut watcher = registry.watch(&key("a")).unwrap();
    let gone = registry.watch(&key("a")).unwrap();
    let mut publisher = registry.publish(&key("a")).unwrap();
    let roles = [Role::Frame, Role::Key, Role::Frame, Role::Key, Role::Frame];
    publisher.push(&mut roles.map(frame).to_vec());
    drop((publisher, gone));
    let mut cursor = poll_run(&mut watcher).unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    let mut batch = Vec::new();
    assert!(matches!(cursor.poll_read(cx, &mut batch), Poll::Ready(Read::Joined { .. })));
    assert!(matches!(cursor.poll_read(cx, &mut batch), Poll::Ready(Read::Packets)));
    assert_eq!(batch.iter().map(|p| p.role).collect::<Vec<_>>(), roles[1..]);
    assert!(matches!(cursor.poll_read(cx, &mut batch), Poll::Ready(Read::Ended { .. })));
    assert!(poll_run(&mut watcher).is_none());
    // One who comes after the end waits for the next run.
    assert!(poll_run(&mut registry.watch(&key("a")).unwrap()).is_none());
    drop((cursor, watcher));
    assert_eq!(registry.stream_count(), 0);
}

#[test]
fn what_is_kept_for_waiting_players_is_given_back_when_they_leave() {
    let registry = Registry::new(Limits::default());
    let watchers = [registry.watch(&key("a")).unwrap(), registry.watch(&key("a")).unwrap()];
    let mut publisher = registry.publish(&key("a")).unwrap();
    for _ in 0..10 {
        publisher.push(&mut vec![frame(Role::Key), frame(Role::Frame)]);
    }
    assert_eq!(publisher.stream.timeline.lock().window_bytes(), 20 * 97);
    drop(watchers);
    assert_eq!(publisher.stream.timeline.lock().window_bytes(), 2 * 97);
}

#[test]
fn each_waiting_task_is_woken_once_a_run_and_once_an_append() {
    let registry = Registry::new(Limits::default());
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let cx = &mut Context::from_waker(&waker);
    let mut watcher = registry.watch(&key("a")).unwrap();
    for _ in 0..5 {
        assert!(watcher.poll_run(cx).is_pending());
    }
    let mut publisher = registry.publish(&key("a")).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    let Poll::Ready(mut cursor) = watcher.poll_run(cx) else { panic!("a run") };
    for _ in 0..5 {
        assert!(cursor.poll_read(cx, &mut Vec::new()).is_pending());
    }
    publisher.push(&mut vec![frame(Role::Key), frame(Role::Frame)]);
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    // Nobody waits now, so nobody is woken.
    publisher.push(&mut vec![frame(Role::Frame)]);
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_name_nobody_uses_is_forgotten() {
    let registry = Registry::new(Limits::default());
    let watcher = registry.watch(&key("a")).unwrap();
    let publisher = registry.publish(&key("a")).unwrap();
    drop(watcher);
    assert_eq!(registry.stream_count(), 1);
    drop(publisher);
    assert_eq!(registry.stream_count(), 0);
    let publisher = registry.publish(&key("b")).unwrap();
    let watcher = registry.watch(&key("b")).unwrap();
    drop(publisher);
    assert_eq!(registry.stream_count(), 1);
    drop(watcher);
    assert_eq!(registry.stream_count(), 0);
}

#[test]
fn streams_and_players_are_bounded() {
    let registry =
        Registry::new(Limits { streams: 2, watchers_per_stream: 1, ..Limits::default() });
    let publisher = registry.publish(&key("a")).unwrap();
    let watcher = registry.watch(&key("b")).unwrap();
    let full = PublishError::TooManyStreams { limit: 2 };
    assert_eq!(registry.publish(&key("c")).unwrap_err(), full);
    assert_eq!(registry.watch(&key("c")).unwrap_err(), WatchError::TooManyStreams { limit: 2 });
    // A stream that is waited for may still come.
    let waited = registry.publish(&key("b")).unwrap();
    assert_eq!(registry.watch(&key("b")).unwrap_err(), WatchError::TooManyWatchers { limit: 1 });
    drop((publisher, watcher, waited));
    assert_eq!(registry.stream_count(), 0);
}

#[test]
fn stats_count_what_was_pushed() {
    let registry = Registry::new(Limits::default());
    let mut publisher = registry.publish(&key("a")).unwrap();
    let mut watcher = registry.watch(&key("a")).unwrap();
    let cursor = poll_run(&mut watcher);
    let at = |role, dts_ms| Packet { dts_ms, ..frame(role) };
    publisher.push(&mut vec![
        at(Role::Config, 0),
        at(Role::Key, 1_000),
        at(Role::Frame, 1_040),
        at(Role::Key, 3_000),
        at(Role::Key, 4_000),
    ]);
    let stats = publisher.stats();
    assert_eq!((stats.video.packets, stats.video.frames, stats.video.bytes), (5, 4, 5));
    assert_eq!(stats.video.dts_ms, Some((1_000, 4_000)));
    assert_eq!((stats.key_frames, stats.key_interval_max_ms), (3, 2_000));
    assert_eq!(stats.key_interval_ms(), Some(1_500));
    assert_eq!((stats.players, stats.players_peak), (1, 1));
    drop(cursor);
    assert_eq!((publisher.stats().players, publisher.stats().players_peak), (0, 1));
}

#[test]
fn frames_and_key_frames_are_those_of_the_first_video_track() {
    let registry = Registry::new(Limits::default());
    let mut publisher = registry.publish(&key("a")).unwrap();
    let video =
        |dts_ms, body: &'static [u8]| Packet::new(Kind::Video, dts_ms, Bytes::from_static(body));
    let [other_key, other_frame] = [&b"\x96\x01avc1\x01\0\0\0A"[..], b"\xA6\x01avc1\x01\0\0\0A"];
    publisher.push(&mut vec![
        video(0, b"\x17\0\0\0\0"),
        video(0, b"\x17\x01\0\0\0A"),
        video(0, other_key),
        video(1_000, other_key),
        video(1_000, b"\x27\x01\0\0\0A"),
        video(1_500, other_frame),
        video(4_000, b"\x17\x01\0\0\0A"),
    ]);
    let stats = publisher.stats();
    assert_eq!((stats.video.packets, stats.video.frames), (7, 3));
    assert_eq!((stats.key_frames, stats.key_interval_max_ms), (2, 4_000));
    assert_eq!(stats.key_dts_ms, Some((0, 4_000)));
}

#[test]
fn what_is_published_can_be_had_by_others() {
    let registry = Registry::new(Limits::default());
    let watcher = registry.watch(&key("waited")).unwrap();
    assert!(registry.live().is_empty() && registry.stream(&key("waited")).is_none());
    let mut publisher = registry.publish(&key("a")).unwrap();
    let other = registry.publish(&key("b")).unwrap();
    let mut cursor = publisher.stream().cursor(Class::Record, Start::Oldest);
    publisher.push(&mut vec![frame(Role::Config), frame(Role::Key)]);
    let mut live: Vec<_> = registry.live().iter().map(|stream| stream.key().clone()).collect();
    live.sort();
    assert_eq!(live, [key("a"), key("b")]);
    let stream = registry.stream(&key("a")).unwrap();
    assert!(stream.is_same_run(&publisher.stream()) && !stream.is_same_run(&other.stream()));
    assert_eq!((stream.key(), stream.run(), stream.is_over()), (&key("a"), 1, false));
    assert_eq!(stream.stats(), publisher.stats());
    assert_eq!(stream.header().packets().len(), 1);
    assert_eq!(stream.window(), (2 * 97, 0));
    // It keeps no run going.
    drop(publisher);
    assert!(stream.is_over() && registry.stream(&key("a")).is_none());
    let mut batch = Vec::new();
    let wait = crate::Wait { bytes: 0, timeout: std::time::Duration::ZERO };
    assert_eq!(cursor.read_blocking(&mut batch, &wait), Read::Packets);
    assert_eq!(batch.len(), 2);
    // The same name again is another run, numbered while somebody remembers it.
    let waiting = registry.watch(&key("a")).unwrap();
    for run in [1, 2] {
        let publisher = registry.publish(&key("a")).unwrap();
        assert_eq!(registry.stream(&key("a")).unwrap().run(), run);
        assert!(!registry.stream(&key("a")).unwrap().is_same_run(&stream));
        drop(publisher);
    }
    drop((waiting, watcher));
}
