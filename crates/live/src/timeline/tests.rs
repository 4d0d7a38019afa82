use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use media::{Header, Kind, Packet, Role};
use proptest::prelude::*;

use super::*;
use crate::{Cursor, Lost, Read, Start, Wait};

mod model;
mod pre_roll;
mod totals;

/// A packet whose body starts with its number in the run.
fn packet(kind: Kind, role: Role, number: u32, len: usize) -> Packet {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(len.max(4), 0);
    Packet { kind, role, track: 0, dts_ms: i64::from(number) * 40, body: Bytes::from(body) }
}

fn number(packet: &Packet) -> u32 {
    u32::from_be_bytes(packet.body[..4].try_into().unwrap())
}

/// A task that notes that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn is_woken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl std::task::Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const ENDED: Read = Read::Ended { lost: Lost { packets: 0, bytes: 0 } };

struct Run {
    timeline: Arc<Timeline>,
    next: u32,
}

impl Run {
    fn new(limits: Limits) -> Self {
        Self::among(limits, &Arc::default())
    }

    /// One of those that count their backlogs together.
    fn among(limits: Limits, backlogs: &Arc<AtomicUsize>) -> Self {
        Self { timeline: Arc::new(Timeline::new(limits, backlogs.clone(), 0)), next: 0 }
    }

    fn push(&mut self, kind: Kind, role: Role, len: usize) {
        let mut packets = vec![packet(kind, role, self.next, len)];
        self.next += 1;
        self.timeline.push(&mut packets, &mut Vec::new());
        assert!(packets.is_empty());
    }

    /// `k` key frame, `f` frame, `a` audio, `c` video configuration, `m` metadata; 1,000 bytes each.
    fn push_all(&mut self, kinds: &str) {
        for c in kinds.chars() {
            match c {
                'k' => self.push(Kind::Video, Role::Key, 1_000),
                'f' => self.push(Kind::Video, Role::Frame, 1_000),
                'a' => self.push(Kind::Audio, Role::Frame, 1_000),
                'c' => self.push(Kind::Video, Role::Config, 1_000),
                'm' => self.push(Kind::Data, Role::Metadata, 1_000),
                _ => unreachable!("{c}"),
            }
        }
    }

    fn cursor(&self, class: Class, start: Start) -> Cursor {
        Cursor::new(self.timeline.clone(), class, start)
    }
}

fn poll(cursor: &mut Cursor, batch: &mut Vec<Packet>) -> Option<Read> {
    match cursor.poll_read(&mut Context::from_waker(Waker::noop()), batch) {
        Poll::Ready(read) => Some(read),
        Poll::Pending => None,
    }
}

/// Reads until nothing is left; the numbers of the packets, and the last outcome.
fn drain(cursor: &mut Cursor) -> (Vec<u32>, Vec<Read>) {
    let (mut numbers, mut others, mut batch) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(read) = poll(cursor, &mut batch) {
        numbers.extend(batch.drain(..).map(|p| number(&p)));
        match read {
            Read::Packets => {}
            Read::Ended { .. } => {
                others.push(read);
                break;
            }
            read => others.push(read),
        }
    }
    (numbers, others)
}

fn joined(read: &Read) -> (Arc<Header>, Lost) {
    match read {
        Read::Joined { header, lost, .. } => (header.clone(), *lost),
        other => panic!("joined, not {other:?}"),
    }
}

#[test]
fn late_joiner_starts_at_key_frame_with_the_header_of_that_point() {
    let mut run = Run::new(Limits::default());
    run.push_all("mckafafkaf");
    let (numbers, others) = drain(&mut run.cursor(Class::Play, Start::Newest));
    assert_eq!(numbers, [7, 8, 9]);
    let (header, lost) = joined(&others[0]);
    assert_eq!(header.packets().iter().map(number).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(lost, Lost::default());
}

#[test]
fn joiner_before_the_first_key_frame_waits_for_it() {
    let mut run = Run::new(Limits::default());
    run.push_all("mcffa");
    let mut cursor = run.cursor(Class::Play, Start::Newest);
    assert_eq!(drain(&mut cursor), (vec![], vec![]));
    run.push_all("fk");
    assert_eq!(drain(&mut cursor).0, [6]);
}

#[test]
fn a_new_configuration_reaches_readers_in_its_place_and_joiners_in_their_header() {
    let mut run = Run::new(Limits::default());
    run.push_all("ckf");
    let mut early = run.cursor(Class::Play, Start::Newest);
    assert_eq!(drain(&mut early).0, [1, 2]);
    run.push_all("cf");
    // The newest group still is the old one: its joiner gets the old configuration, then the new one in its place.
    let (numbers, others) = drain(&mut run.cursor(Class::Play, Start::Newest));
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(number(&joined(&others[0]).0.packets()[0]), 0);
    run.push_all("k");
    assert_eq!(drain(&mut early).0, [3, 4, 5]);
    let (numbers, others) = drain(&mut run.cursor(Class::Play, Start::Newest));
    assert_eq!(numbers, [5]);
    assert_eq!(number(&joined(&others[0]).0.packets()[0]), 3);
}

#[test]
fn audio_only_stream_is_joined_near_its_end() {
    let mut run = Run::new(Limits::default());
    run.push_all(&"a".repeat(200));
    let (numbers, _) = drain(&mut run.cursor(Class::Play, Start::Newest));
    assert_eq!(numbers.last(), Some(&199));
    assert!(numbers.len() <= 26, "at most a second of 40 ms packets, not {}", numbers.len());
}

#[test]
fn recorder_gets_everything_from_the_first_packet() {
    let mut run = Run::new(Limits::default());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("ffmckaf");
    run.push_all(&"kff".repeat(500));
    let (numbers, others) = drain(&mut cursor);
    assert_eq!(numbers, (0..1_507).collect::<Vec<_>>());
    assert_eq!(others, []);
    run.timeline.end();
    assert_eq!(drain(&mut cursor), (vec![], vec![ENDED]));
}

#[test]
fn a_stream_without_readers_costs_its_newest_group_of_pictures() {
    let mut run = Run::new(Limits::default());
    for _ in 0..20 {
        run.push_all("kfffffffff");
        let group = 10 * (1_000 + Limits::PACKET_OVERHEAD);
        assert_eq!(run.timeline.lock().window_bytes(), group);
    }
}

#[test]
fn what_a_reader_has_read_is_given_back_at_once() {
    let mut run = Run::new(Limits::default());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kfffkfff");
    assert_eq!(run.timeline.lock().window_bytes(), 8 * 1_096);
    drain(&mut cursor);
    assert_eq!(run.timeline.lock().window_bytes(), 4 * 1_096);
    run.push_all("kfff");
    drop(cursor);
    assert_eq!(run.timeline.lock().window_bytes(), 4 * 1_096);
}

#[test]
fn slow_player_loses_whole_groups_and_resumes_at_the_newest_key_frame() {
    let limits = Limits { play_bytes: 20_000, ..Limits::default() };
    let mut run = Run::new(limits);
    run.push_all("mckf");
    let mut cursor = run.cursor(Class::Play, Start::Newest);
    assert_eq!(drain(&mut cursor).0, [2, 3]);
    run.push_all(&"kfff".repeat(10));
    let (numbers, others) = drain(&mut cursor);
    assert_eq!(numbers, [40, 41, 42, 43]);
    let (header, lost) = joined(&others[0]);
    assert_eq!(lost, Lost { packets: 36, bytes: 36_000 });
    assert_eq!(header.packets().len(), 2);
}

#[test]
fn a_player_that_is_too_long_behind_loses_groups_whatever_their_size() {
    let limits = Limits { play_ms: 400, ..Limits::default() };
    let mut run = Run::new(limits);
    run.push_all("kf");
    let mut cursor = run.cursor(Class::Play, Start::Newest);
    drain(&mut cursor);
    run.push_all(&"kffff".repeat(10));
    assert_eq!(drain(&mut cursor).0, [47, 48, 49, 50, 51]);
}

#[test]
fn overrun_recorder_resumes_at_the_oldest_key_frame_still_there() {
    let limits = Limits { record_bytes: 10 * 1_096, ..Limits::default() };
    let mut run = Run::new(limits);
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all(&"kfff".repeat(10));
    let (numbers, others) = drain(&mut cursor);
    assert_eq!(numbers, (32..40).collect::<Vec<_>>());
    assert_eq!(joined(&others[0]).1, Lost { packets: 32, bytes: 32_000 });
}

#[test]
fn a_reader_with_everything_read_is_not_overrun() {
    for class in [Class::Play, Class::Record] {
        let limits = Limits { play_bytes: 1_500, record_bytes: 1_500, ..Limits::default() };
        let mut run = Run::new(limits);
        run.push_all("k");
        let mut cursor = run.cursor(class, Start::Oldest);
        assert_eq!(drain(&mut cursor).0, [0]);
        // The block that it stands at the end of goes: too many bytes, and a newer place to start.
        run.push_all("k");
        assert_eq!(drain(&mut cursor), (vec![1], vec![]), "{class:?}");
        run.push_all("f");
        assert_eq!(drain(&mut cursor), (vec![2], vec![]), "{class:?}");
        // And it is counted where it stands, so that its leaving gives everything back.
        run.push_all("k");
        drop(cursor);
        assert_eq!(run.timeline.lock().window_bytes(), 1_096, "{class:?}");
        // One that has not read everything is.
        let mut cursor = run.cursor(class, Start::Newest);
        assert_eq!(drain(&mut cursor).0, [3]);
        run.push_all("fk");
        let (numbers, others) = drain(&mut cursor);
        assert_eq!(numbers, [5], "{class:?}");
        assert_eq!(joined(&others[0]).1, Lost { packets: 1, bytes: 1_000 });
    }
}

#[test]
fn publisher_may_wait_for_recorders_and_is_woken_when_they_have_caught_up() {
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(flag.clone());
    let cx = &mut Context::from_waker(&waker);
    let limits = Limits { record_bytes: 20 * 1_096, ..Limits::default() };
    let mut run = Run::new(limits);
    run.push_all(&"kf".repeat(8));
    // Nobody records, so there is nothing to wait for.
    assert!(run.timeline.poll_room(cx).is_ready());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    drain(&mut cursor);
    run.push_all(&"kf".repeat(4));
    assert!(run.timeline.poll_room(cx).is_ready());
    run.push_all("kfkf");
    assert!(run.timeline.poll_room(cx).is_pending());
    assert!(run.timeline.lock().hurry, "recorders are asked to read at once");
    assert!(!flag.is_woken());
    drain(&mut cursor);
    assert!(flag.is_woken());
    assert!(run.timeline.poll_room(cx).is_ready());
}

#[test]
fn publisher_waits_for_the_slowest_recorder_and_not_for_one_that_is_gone() {
    let cx = &mut Context::from_waker(Waker::noop());
    let limits = Limits { hold_bytes: 2_000, ..Limits::default() };
    let mut run = Run::new(limits);
    let mut fast = run.cursor(Class::Record, Start::Oldest);
    let slow = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kff");
    drain(&mut fast);
    assert!(run.timeline.poll_room(cx).is_pending());
    drop(slow);
    assert!(run.timeline.poll_room(cx).is_ready());
    run.push_all("fff");
    assert!(run.timeline.poll_room(cx).is_pending());
    drain(&mut fast);
    assert!(run.timeline.poll_room(cx).is_ready());
}

#[test]
fn recorder_overrun_at_the_end_is_told_what_it_lost() {
    let limits = Limits { record_bytes: 300_000, ..Limits::default() };
    let mut run = Run::new(limits);
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("k");
    assert_eq!(drain(&mut cursor).0, [0]);
    run.push_all(&"f".repeat(2_000));
    run.timeline.end();
    let lost = Lost { packets: 2_000, bytes: 2_000_000 };
    assert_eq!(drain(&mut cursor), (vec![], vec![Read::Ended { lost }]));
    assert_eq!(drain(&mut cursor), (vec![], vec![ENDED]));
}

#[test]
fn a_group_of_pictures_beyond_its_bound_is_not_kept() {
    let limits = Limits { join_bytes: 300_000, ..Limits::default() };
    let mut run = Run::new(limits.clone());
    run.push_all("k");
    for _ in 0..2_000 {
        run.push_all("f");
        let most = limits.join_bytes + 1_096;
        assert!(run.timeline.lock().window_bytes() <= most.max(BLOCK_BYTES + 1_096));
    }
    // Its start is gone, so nobody can join before the next key frame.
    assert_eq!(drain(&mut run.cursor(Class::Play, Start::Newest)), (vec![], vec![]));
    run.push_all("k");
    assert_eq!(drain(&mut run.cursor(Class::Play, Start::Newest)).0, [2_001]);
}

#[test]
fn key_frames_of_a_second_video_track_are_no_place_to_start() {
    let mut run = Run::new(Limits::default());
    run.push_all("kf");
    let mut other = packet(Kind::Video, Role::Key, 2, 10);
    other.track = 1;
    run.timeline.push(&mut vec![other], &mut Vec::new());
    assert_eq!(drain(&mut run.cursor(Class::Play, Start::Newest)).0, [0, 1, 2]);
}

#[test]
fn a_key_frame_of_the_first_track_is_a_place_wherever_it_stands_in_its_message() {
    let run = Run::new(Limits::default());
    let video = |dts_ms, body: &'static [u8]| {
        Packet::new(Kind::Video, dts_ms, bytes::Bytes::from_static(body))
    };
    let both = b"\x96\x11hvc1\x01\x00\x00\x04\x00\x00\x00A\x00\x00\x00\x04\x00\x00\x00B";
    let config = video(0, b"\x90hvc1\x01");
    run.timeline.push(&mut vec![config, video(40, both)], &mut Vec::new());
    assert_eq!(run.timeline.lock().newest_start(), Some(1), "behind the block of the header");
}

#[test]
fn the_end_of_a_sequence_takes_its_header_from_those_who_join_later() {
    let run = Run::new(Limits::default());
    let video = |dts_ms, body: &'static [u8]| {
        Packet::new(Kind::Video, dts_ms, bytes::Bytes::from_static(body))
    };
    let start = video(0, b"\x90hvc1\x01");
    run.timeline.push(&mut vec![start.clone(), video(40, b"\x93hvc1K")], &mut Vec::new());
    assert_eq!(run.timeline.header().packets(), [start]);
    run.timeline.push(&mut vec![video(80, b"\x92hvc1")], &mut Vec::new());
    assert!(run.timeline.header().packets().is_empty());
}

#[test]
fn stopped_reader_gets_what_came_before_the_stop() {
    let mut run = Run::new(Limits::default());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kff");
    cursor.stop_handle().stop();
    run.push_all("fff");
    assert_eq!(drain(&mut cursor), (vec![0, 1, 2], vec![ENDED]));
}

#[test]
fn stopped_recorder_that_was_overrun_gets_what_is_left_before_the_stop() {
    let limits = Limits { record_bytes: 10 * 1_096, ..Limits::default() };
    let mut run = Run::new(limits);
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all(&"kfff".repeat(10));
    let stop = cursor.stop_handle();
    assert!(!stop.is_stopped());
    stop.stop();
    assert!(stop.is_stopped());
    run.push_all("ff");
    let (numbers, others) = drain(&mut cursor);
    assert_eq!(numbers, (32..40).collect::<Vec<_>>());
    assert_eq!(joined(&others[0]).1, Lost { packets: 32, bytes: 32_000 });
    assert_eq!(others[1], ENDED);
    assert_eq!(cursor.position(), Position { packets: 40, bytes: 40_000 });
}

#[test]
fn what_comes_after_a_stop_is_no_loss() {
    let limits = Limits { record_bytes: 10 * 1_096, ..Limits::default() };
    let mut run = Run::new(limits);
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kfff");
    cursor.stop_handle().stop();
    run.push_all(&"kfff".repeat(10));
    let lost = Lost { packets: 4, bytes: 4_000 };
    assert_eq!(drain(&mut cursor), (vec![], vec![Read::Ended { lost }]));
    assert_eq!(drain(&mut cursor), (vec![], vec![ENDED]));
    assert_eq!(cursor.position(), Position { packets: 4, bytes: 4_000 });
}

#[test]
fn a_paused_recorder_holds_no_publisher_until_it_reads_again() {
    let cx = &mut Context::from_waker(Waker::noop());
    let limits = Limits { hold_bytes: 2_000, ..Limits::default() };
    let mut run = Run::new(limits);
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    let mut other = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kfff");
    drain(&mut other);
    assert!(run.timeline.poll_room(cx).is_pending());
    cursor.pause();
    assert!(run.timeline.poll_room(cx).is_ready());
    run.push_all("ffff");
    assert!(run.timeline.poll_room(cx).is_pending(), "another is still waited for");
    drain(&mut other);
    assert!(run.timeline.poll_room(cx).is_ready());
    let newcomer = run.cursor(Class::Record, Start::Oldest);
    run.push_all("ffff");
    assert!(run.timeline.poll_room(cx).is_pending(), "a newcomer has a place of its own");
    drop(newcomer);
    drain(&mut other);
    // What came meanwhile is there, and the first read ends the pause.
    assert_eq!(drain(&mut cursor).0, (0..12).collect::<Vec<_>>());
    run.push_all("fff");
    drain(&mut other);
    assert!(run.timeline.poll_room(cx).is_pending());
}

#[test]
fn a_pause_wakes_a_publisher_that_is_held() {
    let flag = Arc::new(Flag::default());
    let mut run = Run::new(Limits { hold_bytes: 2_000, ..Limits::default() });
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kfff");
    let waker = Waker::from(flag.clone());
    assert!(run.timeline.poll_room(&mut Context::from_waker(&waker)).is_pending());
    cursor.pause();
    assert!(flag.is_woken());
}

#[test]
fn a_recorder_may_wait_for_the_end_without_reading() {
    let mut run = Run::new(Limits::default());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all("kf");
    assert!(!cursor.wait_ended(Duration::ZERO));
    assert!(!cursor.wait_ended(Duration::from_millis(1)));
    let wakes: [fn(&Run, &crate::StopHandle); 2] =
        [|_, stop| stop.stop(), |run, _| run.timeline.end()];
    for wake in wakes {
        let waiting = run.cursor(Class::Record, Start::Oldest);
        let stop = waiting.stop_handle();
        let told = std::thread::scope(|scope| {
            let waits = scope.spawn(|| waiting.wait_ended(Duration::from_secs(60)));
            run.push_all("kf");
            wake(&run, &stop);
            waits.join().unwrap()
        });
        assert!(told);
    }
    assert!(cursor.wait_ended(Duration::ZERO));
    assert_eq!(cursor.position(), Position::default());
    assert_eq!(drain(&mut cursor), ((0..6).collect(), vec![ENDED]));
}

const LONG: Wait = Wait { bytes: u64::MAX, timeout: Duration::from_secs(60) };

#[test]
fn blocking_reader_wakes_for_a_key_frame_for_bytes_for_the_end_and_for_a_stop() {
    let wakes: [fn(&mut Run, &crate::StopHandle); 4] = [
        |run, _| run.push_all("k"),
        |run, _| run.push(Kind::Audio, Role::Frame, 70_000),
        |run, _| run.timeline.end(),
        |_, stop| stop.stop(),
    ];
    for (i, wake) in wakes.into_iter().enumerate() {
        let mut run = Run::new(Limits::default());
        run.push_all("kf");
        let mut cursor = run.cursor(Class::Record, Start::Oldest);
        let stop = cursor.stop_handle();
        let mut batch = Vec::new();
        assert_eq!(cursor.read_blocking(&mut batch, &LONG), Read::Packets);
        assert_eq!(batch.len(), 2);
        let reader = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let wait = Wait { bytes: 65_536, ..LONG };
                cursor.read_blocking(&mut batch, &wait)
            });
            while run.timeline.lock().sleepers == 0 {
                std::thread::yield_now();
            }
            wake(&mut run, &stop);
            reader.join().unwrap()
        });
        let wanted = if i < 2 { Read::Packets } else { ENDED };
        assert_eq!(reader, wanted, "case {i}");
    }
}

#[test]
fn blocking_reader_returns_what_is_there_when_its_time_is_over() {
    let mut run = Run::new(Limits::default());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    let mut batch = Vec::new();
    let wait = Wait { timeout: Duration::ZERO, ..LONG };
    assert_eq!(cursor.read_blocking(&mut batch, &wait), Read::Idle);
    run.push_all("af");
    assert_eq!(cursor.read_blocking(&mut batch, &wait), Read::Packets);
    assert_eq!(batch.len(), 2);
}

#[test]
fn blocking_reader_does_not_wait_while_a_full_batch_left_something_over() {
    let mut run = Run::new(Limits::default());
    let mut cursor = run.cursor(Class::Record, Start::Oldest);
    run.push_all(&"a".repeat(1_300));
    let mut batch = Vec::new();
    while batch.len() < 1_300 {
        assert_eq!(cursor.read_blocking(&mut batch, &LONG), Read::Packets);
    }
    assert_eq!(batch.iter().map(number).collect::<Vec<_>>(), (0..1_300).collect::<Vec<_>>());
}

#[test]
fn a_player_that_got_everything_is_woken_without_asking_again() {
    let mut run = Run::new(Limits::default());
    run.push_all("ckff");
    let mut player = Cursor::new(run.timeline.clone(), Class::Play, Start::Newest);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(flag.clone());
    let cx = &mut Context::from_waker(&waker);
    let mut batch = Vec::new();
    assert!(matches!(player.poll_read(cx, &mut batch), Poll::Ready(Read::Joined { .. })));
    assert_eq!(player.poll_read(cx, &mut batch), Poll::Ready(Read::Packets));
    assert_eq!(batch.len(), 3);
    assert!(player.poll_read(cx, &mut batch).is_pending(), "found out without the lock");
    run.push_all("f");
    assert!(flag.is_woken());
    assert_eq!(player.poll_read(cx, &mut batch), Poll::Ready(Read::Packets));
    assert_eq!(batch.len(), 4);

    let other = Arc::new(Flag::default());
    let waker = Waker::from(other.clone());
    let cx = &mut Context::from_waker(&waker);
    assert!(player.poll_read(cx, &mut batch).is_pending(), "another task asks now");
    run.timeline.end();
    assert!(other.is_woken());
    assert_eq!(player.poll_read(cx, &mut batch), Poll::Ready(ENDED));
}

#[test]
fn the_newest_place_to_start_is_looked_at_without_becoming_a_player() {
    let mut run = Run::new(Limits::default());
    let key = crate::Key::new("live", "a").unwrap();
    let stream = crate::Stream { key, run: 1, timeline: run.timeline.clone() };
    assert_eq!(stream.newest_start(), None);
    run.push_all("ckffkff");
    let (header, packet) = stream.newest_start().unwrap();
    assert_eq!((packet.role, number(&packet)), (Role::Key, 4));
    assert_eq!(header.packets().iter().map(number).collect::<Vec<_>>(), [0]);
    let before = stream.window();
    assert_eq!((stream.stats().players, stream.stats().players_peak), (0, 0));
    run.push_all("k");
    assert_eq!(stream.newest_start().map(|(_, packet)| number(&packet)), Some(7));
    assert!(stream.window().0 < before.0, "nothing is kept for who looked");
    run.timeline.end();
    assert_eq!(stream.newest_start(), None);
}

#[test]
fn who_joins_after_an_end_that_frames_go_on_from_gets_the_configuration() {
    let run = Run::new(Limits::default());
    let bodies: [&[u8]; 4] = [
        b"\x17\x00\x00\x00\x00\x01",
        b"\x17\x01\x00\x00\x00first",
        b"\x17\x02\x00\x00\x00",
        b"\x17\x01\x00\x00\x00again",
    ];
    let packets = bodies.map(|body| Packet::new(Kind::Video, 0, Bytes::from_static(body)));
    run.timeline.push(&mut packets.to_vec(), &mut Vec::new());
    let mut player = run.cursor(Class::Play, Start::Newest);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut batch = Vec::new();
    let Poll::Ready(Read::Joined { header, .. }) = player.poll_read(cx, &mut batch) else {
        panic!("there is a key frame")
    };
    assert_eq!(header.packets(), &packets[..1]);
    assert_eq!(player.poll_read(cx, &mut batch), Poll::Ready(Read::Packets));
    assert_eq!(batch, &packets[3..]);
}
