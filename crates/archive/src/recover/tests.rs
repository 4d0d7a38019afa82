use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use media::amf0::Value;
use media::{Header, Packet};

use super::*;
use crate::clock::fixed::FixedClock;
use crate::disk::SystemDisk;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::path::Name;
use crate::segment::{End, Segment};
use crate::testing::{about, assert_begins, clip, metadata, scan, video};
use crate::{About, Amount, Hash, Ledger};

mod power;

fn name(key: &str) -> Name {
    Name::new(key, &"2025-10-11T14:30:52+02:00[Europe/Berlin]".parse().unwrap())
}

fn create(disk: &dyn Disk, about: About) -> Segment {
    create_in(disk, Path::new("rec"), about)
}

fn create_in(disk: &dyn Disk, dir: &Path, about: About) -> Segment {
    Segment::create(disk, dir, &name("live/test"), about, &Header::default()).unwrap()
}

fn end() -> End {
    let end_time = "2025-10-11T14:30:54.123+02:00".to_owned();
    End { length_ms: 2_000, end_time, final_name: None, checksum_files: false }
}

/// Pushes packets, of which the first is the `first`th, 50 ms apart.
fn push(segment: &mut Segment, packets: &[Packet], first: usize) {
    for (packet, n) in packets.iter().zip(first as u64..) {
        segment.push(packet, n * 50).unwrap();
    }
}

/// The books of a recording that has lost nothing.
fn ledger(packets: &[Packet]) -> Ledger {
    let bytes = packets.iter().map(|packet| packet.body.len() as u64).sum();
    let all = Amount { packets: packets.len() as u64, bytes };
    Ledger { received: all, written: all, ..Ledger::default() }
}

fn books(file: &[u8]) -> Ledger {
    let region = media::flv::meta::region(file).unwrap();
    Ledger::from_properties(&region.properties).unwrap()
}

/// What was told, and how many files failed.
fn recover(disk: &dyn Disk, dir: &Path) -> (Vec<Event>, usize) {
    let (events, told) = Events::new();
    let clock = FixedClock::new("2025-10-11T14:30:52.123+02:00[Europe/Berlin]");
    let stop = AtomicBool::new(false);
    let started_ms = i64::MAX;
    let checksum_files = false;
    let recovery =
        Recovery { disk, clock: &clock, events: &events, dir, started_ms, checksum_files, stop: &stop };
    let summary = run(&recovery);
    let told: Vec<_> = told.try_iter().collect();
    let is_recovered = |event: &&Event| matches!(event, Event::Recovered(_));
    let recovered = told.iter().filter(is_recovered).count() as u64;
    assert_eq!(recovered, summary.recovered);
    assert_eq!(told.len() as u64 - recovered, summary.set_aside);
    (told, 0)
}
