//! Models for loom: small stories with two or three threads, of which it tries every order with at
//! most two changes of thread that nothing forces.
//!
//! Time never passes in them, so whoever should be woken and is not stands for ever, which loom
//! reports; and so does it a lock that is never given back.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use loom::future::block_on;
use loom::thread;
use media::{Kind, Packet, Role};

use crate::{Class, Cursor, Key, Limits, Publisher, Read, Registry, Start, Wait};

/// What a packet counts as.
const COST: usize = 1 + Limits::PACKET_OVERHEAD;

/// Two changes of thread that nothing forces are enough for what is known of lost wakes; more of
/// them take hours. `LOOM_MAX_PREEMPTIONS` sets another bound.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.max_branches = 10_000;
    builder.check(model);
}

fn key() -> Key {
    Key::new("live", "a").unwrap()
}

fn packet(number: u8, role: Role) -> Packet {
    let body = Bytes::copy_from_slice(&[number]);
    Packet { kind: Kind::Video, role, track: 0, dts_ms: i64::from(number), body }
}

fn push(publisher: &mut Publisher, number: u8, role: Role) {
    publisher.push(&mut vec![packet(number, role)]);
}

/// What a reader was given until the run ended: the numbers of its packets, and how many it lost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Got {
    numbers: Vec<u8>,
    lost: u64,
}

impl Got {
    fn count(&self) -> u64 {
        self.numbers.len() as u64 + self.lost
    }

    /// Whether it goes on.
    fn note(&mut self, read: Read, batch: &mut Vec<Packet>) -> bool {
        self.numbers.extend(batch.drain(..).map(|packet| packet.body[0]));
        match read {
            Read::Packets | Read::Idle => true,
            Read::Joined { lost, .. } => {
                self.lost += lost.packets;
                true
            }
            Read::Ended { lost } => {
                self.lost += lost.packets;
                false
            }
        }
    }
}

/// Reads until the run ends, or until `count` packets are there or lost.
async fn read(cursor: &mut Cursor, count: u64) -> Got {
    let (mut got, mut batch) = (Got::default(), Vec::new());
    while got.count() < count {
        let read = cursor.read(&mut batch).await;
        if !got.note(read, &mut batch) {
            break;
        }
    }
    got
}

/// The same in a thread, which waits for `bytes` each time.
fn read_blocking(cursor: &mut Cursor, bytes: u64, count: u64) -> Got {
    let (mut got, mut batch) = (Got::default(), Vec::new());
    let wait = Wait { bytes, timeout: Duration::from_secs(1) };
    while got.count() < count {
        let read = cursor.read_blocking(&mut batch, &wait);
        if !got.note(read, &mut batch) {
            break;
        }
    }
    got
}

/// To the end of the run.
const TO_THE_END: u64 = u64::MAX;

fn all(numbers: &[u8]) -> Got {
    Got { numbers: numbers.to_vec(), lost: 0 }
}

/// Nothing is left of a registry that nobody uses.
fn assert_empty(registry: &Registry) {
    assert_eq!(registry.stream_count(), 0);
    assert_eq!(registry.backlog_bytes(), 0);
}

#[test]
fn a_player_is_woken_for_every_packet() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let mut publisher = registry.publish(&key()).unwrap();
        let mut cursor = publisher.cursor(Class::Play, Start::Oldest);
        let reader = thread::spawn(move || (block_on(read(&mut cursor, 2)), cursor));
        push(&mut publisher, 0, Role::Key);
        push(&mut publisher, 1, Role::Frame);
        // It must get there before the end wakes it.
        let (got, mut cursor) = reader.join().unwrap();
        assert_eq!(got, all(&[0, 1]));
        drop(publisher);
        assert_eq!(block_on(read(&mut cursor, TO_THE_END)), all(&[]));
        drop(cursor);
        assert_empty(&registry);
    });
}

#[test]
fn two_players_are_both_woken_by_the_end() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let mut publisher = registry.publish(&key()).unwrap();
        let readers = [(); 2].map(|()| {
            let mut cursor = publisher.cursor(Class::Play, Start::Oldest);
            thread::spawn(move || block_on(read(&mut cursor, TO_THE_END)))
        });
        push(&mut publisher, 0, Role::Key);
        drop(publisher);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), all(&[0]));
        }
    });
}

#[test]
fn a_recorder_is_woken_for_a_key_frame_and_for_the_end() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let mut publisher = registry.publish(&key()).unwrap();
        let mut cursor = publisher.cursor(Class::Record, Start::Oldest);
        // It waits for more bytes than there will be.
        let reader = thread::spawn(move || {
            let got = read_blocking(&mut cursor, 100, 3);
            (got, read_blocking(&mut cursor, 100, TO_THE_END), cursor)
        });
        push(&mut publisher, 0, Role::Key);
        push(&mut publisher, 1, Role::Frame);
        push(&mut publisher, 2, Role::Key);
        drop(publisher);
        let (got, rest, cursor) = reader.join().unwrap();
        assert_eq!((got, rest), (all(&[0, 1, 2]), all(&[])));
        drop(cursor);
        assert_empty(&registry);
    });
}

#[test]
fn recorders_that_wait_for_different_amounts_are_both_woken() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let mut publisher = registry.publish(&key()).unwrap();
        // The last to fall asleep may be the one that wants more.
        let readers = [1, 100].map(|bytes| {
            let mut cursor = publisher.cursor(Class::Record, Start::Oldest);
            thread::spawn(move || read_blocking(&mut cursor, bytes, 2))
        });
        push(&mut publisher, 0, Role::Frame);
        push(&mut publisher, 1, Role::Frame);
        let [impatient, patient] = readers;
        assert_eq!(impatient.join().unwrap(), all(&[0, 1]));
        drop(publisher);
        assert_eq!(patient.join().unwrap(), all(&[0, 1]));
    });
}

#[test]
fn a_stop_reaches_a_recorder_wherever_it_is_and_all_before_it_is_read() {
    for goes_on in [false, true] {
        check(move || {
            let registry = Registry::new(Limits::default());
            let mut publisher = registry.publish(&key()).unwrap();
            let mut cursor = publisher.cursor(Class::Record, Start::Oldest);
            let stop = cursor.stop_handle();
            let stopper = thread::spawn(move || {
                push(&mut publisher, 0, Role::Key);
                stop.stop();
                if goes_on {
                    push(&mut publisher, 1, Role::Key);
                }
                publisher
            });
            assert_eq!(read_blocking(&mut cursor, 100, TO_THE_END), all(&[0]));
            drop(stopper.join().unwrap());
        });
    }
}

#[test]
fn a_thread_that_waits_for_the_end_is_woken_by_the_end_and_by_a_stop() {
    for stops in [false, true] {
        check(move || {
            let registry = Registry::new(Limits::default());
            let publisher = registry.publish(&key()).unwrap();
            let cursor = publisher.cursor(Class::Record, Start::Oldest);
            let stop = cursor.stop_handle();
            let other = thread::spawn(move || match stops {
                true => {
                    stop.stop();
                    Some(publisher)
                }
                false => None,
            });
            assert!(cursor.wait_ended(Duration::from_secs(1)));
            drop(other.join().unwrap());
        });
    }
}

#[test]
fn who_waited_for_a_run_gets_all_of_it_even_when_it_is_over() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let mut watcher = registry.watch(&key()).unwrap();
        let publishing = registry.clone();
        let writer = thread::spawn(move || {
            let mut publisher = publishing.publish(&key()).unwrap();
            push(&mut publisher, 0, Role::Key);
            push(&mut publisher, 1, Role::Key);
        });
        let mut cursor = block_on(watcher.run());
        assert_eq!(block_on(read(&mut cursor, TO_THE_END)), all(&[0, 1]));
        writer.join().unwrap();
        drop((watcher, cursor));
        assert_empty(&registry);
    });
}

#[test]
fn who_waits_and_leaves_holds_nothing_back() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let watcher = registry.watch(&key()).unwrap();
        let publishing = registry.clone();
        let writer = thread::spawn(move || {
            let mut publisher = publishing.publish(&key()).unwrap();
            push(&mut publisher, 0, Role::Key);
            push(&mut publisher, 1, Role::Key);
        });
        drop(watcher);
        writer.join().unwrap();
        assert_empty(&registry);
    });
}

#[test]
fn a_name_has_one_publisher() {
    check(|| {
        let registry = Registry::new(Limits::default());
        let rivals = [(); 2].map(|()| {
            let registry = registry.clone();
            thread::spawn(move || registry.publish(&key()))
        });
        let runs = rivals.map(|rival| rival.join().unwrap());
        assert_eq!(runs.iter().filter(|run| run.is_ok()).count(), 1);
        drop(runs);
        assert_empty(&registry);
        assert!(registry.publish(&key()).is_ok());
    });
}

#[test]
fn a_displaced_recorder_accounts_for_every_packet_and_is_forgotten_when_it_leaves() {
    check(|| {
        // Room for two packets: what is not read in time displaces the recorder.
        let limits = Limits {
            record_bytes: 2 * COST,
            join_bytes: COST,
            play_bytes: COST,
            ..Limits::default()
        };
        let registry = Registry::new(limits);
        let mut publisher = registry.publish(&key()).unwrap();
        let mut cursor = publisher.cursor(Class::Record, Start::Oldest);
        let reader = thread::spawn(move || {
            let got = read_blocking(&mut cursor, 1, 4);
            assert!(got.numbers.is_sorted() && got.count() == 4, "{got:?}");
            assert_eq!(cursor.position().packets, 4);
        });
        push(&mut publisher, 0, Role::Key);
        push(&mut publisher, 1, Role::Frame);
        push(&mut publisher, 2, Role::Key);
        push(&mut publisher, 3, Role::Key);
        reader.join().unwrap();
        push(&mut publisher, 4, Role::Key);
        assert_eq!(registry.backlog_bytes(), 0, "something is kept for nobody");
        drop(publisher);
        assert_empty(&registry);
    });
}

#[test]
fn a_publisher_that_waits_for_room_is_woken_by_the_recorder() {
    check(|| {
        let limits = Limits { hold_bytes: 0, ..Limits::default() };
        let registry = Registry::new(limits);
        let mut publisher = registry.publish(&key()).unwrap();
        let mut cursor = publisher.cursor(Class::Record, Start::Oldest);
        let reader = thread::spawn(move || read_blocking(&mut cursor, 100, TO_THE_END));
        for number in 0..2 {
            push(&mut publisher, number, Role::Frame);
            block_on(poll_fn(|cx| publisher.poll_room(cx)));
        }
        drop(publisher);
        assert_eq!(reader.join().unwrap(), all(&[0, 1]));
    });
}

#[test]
fn a_publisher_that_waits_for_room_is_let_go_by_a_recorder_that_pauses_or_leaves() {
    for pauses in [false, true] {
        check(move || {
            let limits = Limits { hold_bytes: 0, ..Limits::default() };
            let registry = Registry::new(limits);
            let mut publisher = registry.publish(&key()).unwrap();
            let mut cursor = publisher.cursor(Class::Record, Start::Oldest);
            let reader = thread::spawn(move || match pauses {
                true => {
                    cursor.pause();
                    Some(cursor)
                }
                false => None,
            });
            push(&mut publisher, 0, Role::Frame);
            block_on(poll_fn(|cx| publisher.poll_room(cx)));
            drop(reader.join().unwrap());
        });
    }
}

#[test]
fn what_recorders_hold_back_is_added_up_right_in_any_order() {
    check(|| {
        let limits = Limits {
            join_bytes: 0,
            play_bytes: 0,
            hold_bytes: COST,
            record_total_bytes: COST,
            ..Limits::default()
        };
        let registry = Registry::new(limits);
        let streams = ["a", "b"].map(|name| {
            let mut publisher = registry.publish(&Key::new("live", name).unwrap()).unwrap();
            let cursor = publisher.cursor(Class::Record, Start::Oldest);
            thread::spawn(move || {
                push(&mut publisher, 0, Role::Key);
                push(&mut publisher, 1, Role::Key);
                (publisher, cursor)
            })
        });
        // Never as if less than nothing were held.
        assert!(registry.backlog_bytes() <= 4 * COST);
        for stream in streams {
            let (publisher, cursor) = stream.join().unwrap();
            drop(publisher);
            drop(cursor);
        }
        assert_empty(&registry);
    });
}
