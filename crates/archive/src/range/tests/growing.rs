//! Files that are being written.

use super::*;
use crate::disk::Disk as _;

/// A file that is being written has a metadata tag that says too little and may end inside a tag.
#[test]
fn growing_file_gives_what_is_whole_at_any_size() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 5, grows: true, ..made::Run::default() });
    let path = made.segments[0].path.clone();
    let whole = made.disk.files()[&path].clone();
    let (all, _) = read(&source(&made), Range::ALL);
    assert_eq!(all.len(), made.sent.len());
    for end in ((32 << 10) - 1..whole.len()).step_by(397) {
        made.disk.put(path.to_str().unwrap(), &whole[..end]);
        let source = source(&made);
        let (packets, gaps) = read(&source, Range::ALL);
        assert_eq!(gaps, []);
        assert_eq!(packets_of(&packets), packets_of(&all[..packets.len()]));
        let end = u64::try_from(end).unwrap();
        let is_whole = |timed: &&Timed| timed.position + timed.size_bytes <= end;
        assert_eq!(packets.len(), all.iter().filter(is_whole).count());
        if packets.iter().any(|timed| timed.packet.is_media()) {
            let file = bytes(&source, Range::ALL).unwrap();
            assert_eq!(media_of(&tags(&file).0).len(), packets_of(&packets).len());
        }
    }
}

#[test]
fn file_that_grows_while_it_is_sent_is_sent_as_it_was() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 9, grows: true, frame_bytes: 30_000, ..made::Run::default() });
    let sent = bytes_while_it_grows(&made);
    tags(&sent);
    assert!(bytes(&source(&made), Range::ALL).unwrap().len() > sent.len());
}

#[test]
fn range_after_the_newest_packet_is_nothing_yet() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 5, grows: true, ..made::Run::default() });
    for cut in [Cut::KeyFrame, Cut::Exact] {
        let later = range(60_000, 70_000, cut);
        assert_eq!(source(&made).flv(later).err(), Some(Error::Nothing));
        let newest = bytes(&source(&made), range(4_500, 70_000, cut)).unwrap();
        assert!(!media_of(&tags(&newest).0).is_empty());
    }
}

#[test]
fn reader_leaves_the_lock_of_a_writer_alone() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 1, ..made::Run::default() });
    let writer = made.disk.open(&made.segments[0].path).unwrap();
    assert!(!read(&source(&made), Range::ALL).0.is_empty());
    drop(writer);
}

#[test]
fn index_that_was_read_while_it_was_overwritten_misleads_nobody() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 60, grows: true, ..made::Run::default() });
    let asked = range(41_500, 43_500, Cut::Exact);
    let right = bytes(&source(&made), asked).unwrap();
    // All places are a little beside what they should be.
    made.damage(0, |file| {
        let name = b"filepositions";
        let at = file.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len() + 5;
        for entry in file[at..at + 9 * 60].chunks_mut(9) {
            let place = f64::from_be_bytes(entry[1..].try_into().unwrap()) + 7.0;
            entry[1..].copy_from_slice(&place.to_be_bytes());
        }
    });
    let found = bytes(&source(&made), asked).unwrap();
    assert_eq!(media_of(&tags(&found).0), media_of(&tags(&right).0));
    // And all are those of another time.
    made.damage(0, |file| {
        let name = b"filepositions";
        let at = file.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len() + 5;
        let places = file[at..at + 9 * 60].to_vec();
        let (early, late) = places.split_at(9 * 30);
        file[at..at + 9 * 30].copy_from_slice(early);
        file[at + 9 * 30..at + 9 * 60].copy_from_slice(late);
        file[at..at + 9 * 59].copy_from_slice(&places[9..]);
    });
    let found = bytes(&source(&made), asked).unwrap();
    assert_eq!(media_of(&tags(&found).0), media_of(&tags(&right).0));
}

/// A clip of a recording that goes on, and a recording of another recorder that has ended meanwhile.
#[test]
fn what_began_and_ended_while_a_file_grows_hides_nothing_of_it() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 60, cut_every: 40, grows: true, ..made::Run::default() });
    let sent = made.sent.clone();
    let meanwhile =
        |recording, away_ms| made::Run { recording, away_ms, gops: 5, ..made::Run::default() };
    // From 50 to 55 s, and from 20 s on, in the file that is finished.
    made.run(&meanwhile(2, -10_000));
    made.run(&meanwhile(3, -35_000));
    let wanted = range(48_000, 58_000, Cut::KeyFrame);
    let bodies = |source: &Source, range| {
        let (packets, gaps) = read(source, range);
        assert_eq!(gaps, []);
        packets.into_iter().map(|timed| timed.packet.body).collect::<Vec<_>>()
    };
    let all = source(&made);
    let of_ten = |sent: &&made::Sent| (48_000..58_000).contains(&(sent.unix_ms - START));
    let expected: Vec<_> =
        sent.iter().filter(of_ten).map(|sent| sent.packet.body.clone()).collect();
    assert_eq!(bodies(&all, wanted), expected);
    assert_eq!(all.segments().len(), 2, "those of the first recording");
    assert_eq!(
        bodies(&all, Range::ALL),
        sent.iter().map(|s| s.packet.body.clone()).collect::<Vec<_>>()
    );
    // One that was left unfinished, and of which no more is known, ends where the next begins.
    made.segments[1].at_least_ms = 0;
    assert_eq!(source(&made).segments().len(), 3);
}
