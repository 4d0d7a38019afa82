//! What a player has written down, beside what was sent.

use std::ops::Range;
use std::path::Path;

use media::{Packet, Role};
use testkit::flv::Flv;

/// Checks that a dump in FLV begins with the codec headers and a key frame, and that from there on
/// it has every frame that was sent, bit for bit, without a gap, sound and pictures as far from each
/// other as they were. Says which frames these are, of all frames that were sent; of a clip that was
/// sent again and again any time will do.
pub(crate) fn find(dump: &Path, sent: &[Packet]) -> Range<usize> {
    let name = dump.display();
    let flv = Flv::read(dump).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(flv.faults.is_empty(), "{name}: {:?}", flv.faults);
    let packets = flv.packets();
    let first = packets.iter().position(Packet::is_media);
    let (headers, media) = packets.split_at(first.unwrap_or_else(|| panic!("{name}: no media")));
    assert!(media.first().is_some_and(|packet| packet.role == Role::Key), "{name}: no key frame");
    for header in sent.iter().filter(|packet| packet.role == Role::Config) {
        assert!(headers.iter().any(|found| is_same(found, header)), "{name}: {header:?}");
    }
    let got: Vec<_> = media.iter().filter(|packet| packet.is_media()).collect();
    let sent: Vec<_> = sent.iter().filter(|packet| packet.is_media()).collect();
    let mut runs = sent.windows(got.len());
    let begin = runs.position(|run| run.iter().zip(&got).all(|(sent, got)| is_same(sent, got)));
    let begin = begin.unwrap_or_else(|| panic!("{name}: {} packets that were not sent", got.len()));
    // A program that reads times in samples may round to another ms.
    let moved_ms = |(got, sent): (&&Packet, &&Packet)| got.dts_ms - sent.dts_ms;
    let moved: Vec<_> = got.iter().zip(sent.iter().skip(begin)).map(moved_ms).collect();
    let by_ms = moved.first().copied().unwrap_or_default();
    let odd = moved.iter().position(|moved_ms| (moved_ms - by_ms).abs() > 1);
    assert_eq!(odd, None, "{name}: not all packets are {by_ms} ms later: {moved:?}");
    begin..begin + got.len()
}

fn is_same(one: &Packet, other: &Packet) -> bool {
    one.kind == other.kind && one.body == other.body
}
