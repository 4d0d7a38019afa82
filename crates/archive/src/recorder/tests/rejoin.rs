//! A publisher that comes back continues its recording.

use std::time::Duration;

use crate::disk::fake::FakeDisk;
use crate::testing::{Rig, Stream, assert_begins, clip, log_of, scan, second, wait_until};
use crate::{Amount, Config, Cut, Gap, GapReason, State};

fn rig(rejoin: Duration) -> Rig {
    Rig::with(FakeDisk::default(), Config { rejoin, ..Config::default() })
}

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn a_publisher_that_returns_continues_its_recording() {
    let rig = rig(LONG);
    let mut stream = Stream::publish("rejoin", "back");
    let id = rig.start(&stream);
    stream.push(clip(2));
    let first = std::mem::take(&mut stream.sent);
    drop(stream);
    wait_until("the publisher is away", || rig.state() == Some(State::Away));
    // Its file is whole meanwhile.
    let finished = rig.take_finished();
    let packets = scan(&rig.disk.files()[&finished[0].path]);
    assert_eq!(assert_begins(&packets, &first), first.len());

    rig.clock.advance(Duration::from_millis(4_321));
    let mut stream = Stream::publish("rejoin", "back");
    assert_eq!(rig.start(&stream), id);
    stream.push(clip(1));
    rig.wait_for_packets(first.len() as u64 + 22);
    assert_eq!(rig.state(), Some(State::Recording));
    let key = stream.key.clone();
    drop(stream);
    wait_until("the publisher is away again", || rig.state() == Some(State::Away));
    let status = rig.archive.list().remove(0);
    assert!(status.ledger.is_balanced() && status.ledger.gaps_total == 1);
    assert_eq!(rig.archive.close(Duration::from_secs(20)), []);

    let next = &rig.take_finished()[0];
    let gap = Gap {
        at_ms: finished[0].length_ms,
        length_ms: 4_321,
        reason: GapReason::Publisher,
        dropped: Amount::default(),
    };
    assert_eq!(next.about.gap_before, Some(gap));
    assert_eq!((next.about.recording, next.about.segment, next.about.cut), (id, 2, Cut::Rejoin));
    assert_eq!(next.about.start_ms, finished[0].length_ms + 4_321);
    assert_eq!(next.about.first_packet, first.len() as u64);
    assert_eq!(next.about.chain_before, Some(finished[0].chain));
    let lines = log_of(&key);
    let rejoined =
        format!("INFO recording rejoined stream_key=rejoin/back recording={id} gap_ms=4321");
    assert!(lines.contains(&rejoined), "{lines:?}");
    let closed = lines.iter().filter(|line| line.starts_with("INFO recorder closed")).count();
    assert_eq!(closed, 2, "{lines:?}");
    let complete = lines.last().unwrap();
    assert!(complete.contains(" segments=2 ") && complete.contains(" gaps=1 "), "{complete}");
}

#[test]
fn a_publisher_that_does_not_return_has_a_recording_that_is_complete() {
    let rig = rig(Duration::from_millis(20));
    let stream = Stream::publish("rejoin", "gone");
    let (key, id) = (stream.key.clone(), rig.start(&stream));
    drop(stream);
    rig.wait_for_end();
    assert!(log_of(&key).last().unwrap().starts_with("INFO recording complete"));
    let stream = Stream::publish("rejoin", "gone");
    assert_ne!(rig.start(&stream), id);
    rig.archive.close(Duration::from_secs(20));
}

#[test]
fn a_recording_that_is_stopped_waits_for_nobody() {
    for away in [false, true] {
        let rig = rig(LONG);
        let mut stream = Some(Stream::publish("rejoin", &format!("stopped{away}")));
        let id = rig.start(stream.as_ref().unwrap());
        if away {
            stream = None;
            wait_until("the publisher is away", || rig.state() == Some(State::Away));
        }
        assert!(rig.archive.stop(id));
        rig.wait_for_end();
        drop(stream);
    }
}

#[test]
fn a_run_that_ended_long_ago_is_still_written_before_the_next() {
    use crate::disk::fake::{Call, Fault};
    // The disk hangs in the first run, which ends meanwhile; the publisher is back before that.
    let mut appends = 0;
    let disk = FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        (call == Call::Append && appends == 2).then_some(Fault::Hang)
    });
    let rig = Rig::with(disk, Config { rejoin: LONG, ..Config::default() });
    let mut stream = Stream::publish("rejoin", "slow");
    let id = rig.start(&stream);
    stream.push(clip(1));
    wait_until("the disk hangs", || rig.disk.is_hanging());
    stream.push((1..5).flat_map(second));
    let first = std::mem::take(&mut stream.sent);
    drop(stream);
    let mut stream = Stream::publish("rejoin", "slow");
    assert_eq!(rig.start(&stream), id);
    stream.push(clip(1));
    rig.disk.release();
    rig.wait_for_packets(first.len() as u64 + 22);
    rig.archive.close(Duration::from_secs(20));
    let finished = rig.take_finished();
    let counts = finished.iter().map(|file| file.ledger.written.packets);
    assert_eq!(counts.collect::<Vec<_>>(), [first.len() as u64, 22]);
}
