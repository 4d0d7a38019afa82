//! Recordings as MP4.

use media::mp4::scan::{Item, Scanner};
use proptest::prelude::*;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::trouble::breakable;
use super::*;
use crate::Format;

/// Everything of a file, in order.
fn items(file: &[u8]) -> Vec<Item> {
    let mut scanner = Scanner::new();
    scanner.push(file);
    scanner.finish();
    std::iter::from_fn(|| scanner.poll()).collect()
}

fn record(rig: &Rig, mut stream: Stream, packets: Vec<Packet>) -> Vec<Packet> {
    rig.start_by(&stream, |plan| plan.format = Format::Mp4);
    stream.push(packets);
    let sent = std::mem::take(&mut stream.sent);
    drop(stream);
    rig.wait_for_end();
    sent
}

/// The audio and video of all files, in their order.
fn joined(rig: &Rig, finished: &[crate::events::Finished]) -> Vec<Packet> {
    let files = rig.disk.files();
    finished.iter().flat_map(|file| scan(&files[&file.path])).collect()
}

#[test]
fn a_recording_is_an_ordinary_mp4_file_with_all_packets() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "mp4_whole");
    let sent = record(&rig, stream, clip(3));
    let [finished] = &rig.take_finished()[..] else { panic!("one file") };
    assert_eq!(finished.path.extension().unwrap(), "mp4");
    let file = rig.disk.files()[&finished.path].clone();
    assert_eq!(assert_begins(&scan(&file), &sent), sent.len());
    assert!(
        matches!(items(&file).last(), Some(Item::Index { end, .. }) if *end == file.len() as u64)
    );
    assert_eq!(finished.hash.to_string(), blake3::hash(&file).to_string());
    assert_eq!(finished.size_bytes, file.len() as u64);
    assert_eq!(metadata(&file, "complete"), Value::from(true));
    assert_eq!(metadata(&file, "packetsWritten").as_f64(), Some(sent.len() as f64));
    // `ftyp`, what it says of itself, then one `mdat` up to the index: no fragments for players.
    let room = usize::try_from(crate::script::Script::read(&file).unwrap().end).unwrap();
    assert_eq!(&file[room + 4..room + 8], b"mdat");
}

#[test]
fn sound_without_a_configuration_that_comes_after_the_first_picture_is_a_track() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "mp4_late_sound");
    // MPEG-1 layer III, 44.1 kHz, stereo.
    let mp3 = |at_ms| {
        let body = [&[0x2f, 0xff, 0xfb, 0x90, 0x00], &[7; 400][..]].concat();
        Packet::new(media::Kind::Audio, at_ms, body.into())
    };
    let mut packets = vec![video_config(1)];
    packets.extend((0..20).map(|i| video(i * 40, i % 10 == 0, 500)));
    packets.insert(4, mp3(100));
    packets.push(mp3(800));
    let sent = record(&rig, stream, packets);
    let finished = rig.take_finished();
    assert_eq!(finished.len(), 1);
    assert_eq!(joined(&rig, &finished), sent_at_file_times(&sent));
    let file = &rig.disk.files()[&finished[0].path];
    assert_eq!(metadata(file, "hasAudio"), Value::from(true));
    assert!(file.windows(4).any(|name| name == b"mp4a"));
}

#[test]
fn sound_without_a_configuration_that_begins_late_is_a_track_of_the_next_file() {
    // MPEG-1 layer III, 44.1 kHz, stereo; AC-3, which FFmpeg announces with an empty configuration.
    let sounds: [&[&[u8]]; 2] = [
        &[&[0x2f, 0xff, 0xfb, 0x90, 0x00, 7, 7, 7]],
        &[b"\x90ac-3", b"\x91ac-3\x0b\x77\xb5\x0b\x1e\x40\xeb\xf8\x40\x3e\xff\x99\xff\x08\x41\xfc"],
    ];
    for (n, sound) in sounds.into_iter().enumerate() {
        let rig = Rig::new(FakeDisk::default());
        let stream = Stream::publish("live", &format!("mp4_late_{n}"));
        let mut packets = vec![video_config(1)];
        for at_ms in (0..8_000).step_by(40) {
            packets.push(video(at_ms, at_ms % 1_000 == 0, 50));
            let bodies = match at_ms {
                3_200 => sound,
                3_201.. => &sound[sound.len() - 1..],
                _ => &[],
            };
            packets.extend(
                bodies.iter().map(|body| {
                    Packet::new(media::Kind::Audio, at_ms, Bytes::copy_from_slice(body))
                }),
            );
        }
        let sent = record(&rig, stream, packets);
        let finished = rig.take_finished();
        let cuts: Vec<_> = finished.iter().map(|file| file.about.cut).collect();
        assert_eq!(cuts, [crate::Cut::Start, crate::Cut::Configuration], "sound {n}");
        let files = rig.disk.files();
        let has_audio = |file: &crate::events::Finished| metadata(&files[&file.path], "hasAudio");
        assert_eq!(has_audio(&finished[0]), Value::from(false), "sound {n}");
        assert_eq!(has_audio(&finished[1]), Value::from(true), "sound {n}");
        let frames = |packets: &[Packet]| packets.iter().filter(|p| p.is_media()).count();
        assert_eq!(frames(&joined(&rig, &finished)), frames(&sent), "sound {n}");
    }
}

#[test]
fn sound_with_an_empty_configuration_is_a_track_of_each_file() {
    // AC-3 as FFmpeg 9 sends it.
    let [config, frame] = [
        &b"\x90ac-3"[..],
        b"\x91ac-3\x0b\x77\xb5\x0b\x1e\x40\xeb\xf8\x40\x3e\xff\x99\xff\x08\x41\xfc",
    ];
    let sound = |at_ms, body| Packet::new(media::Kind::Audio, at_ms, Bytes::from_static(body));
    let duration = Some(std::time::Duration::from_secs(2));
    let rotation = crate::config::Rotation { duration, ..Default::default() };
    let rig = Rig::with(FakeDisk::default(), crate::Config { rotation, ..Default::default() });
    let stream = Stream::publish("live", "mp4_empty_configuration");
    let mut packets = vec![video_config(1), sound(0, config)];
    for at_ms in (0..8_000).step_by(40) {
        // A file begins with a picture: nothing in it has told how to decode the sound by then.
        packets.extend([video(at_ms, at_ms % 1_000 == 0, 50), sound(at_ms, frame)]);
    }
    let sent = record(&rig, stream, packets);
    let finished = rig.take_finished();
    let cuts: Vec<_> = finished.iter().map(|file| file.about.cut).collect();
    let by_duration = crate::Cut::Duration;
    assert_eq!(cuts, [crate::Cut::Start, by_duration, by_duration, by_duration]);
    for file in &finished {
        assert_eq!(metadata(&rig.disk.files()[&file.path], "hasAudio"), Value::from(true));
        assert_eq!(file.ledger.hidden, crate::Amount::default());
    }
    let frames = |packets: &[Packet]| packets.iter().filter(|p| p.is_media()).count();
    assert_eq!(frames(&joined(&rig, &finished)), frames(&sent));
}

/// The boxes one after another in `bytes`: their names, and what is in them.
fn boxes(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_be_bytes(bytes[..4].try_into().unwrap());
        let (this, rest) = bytes.split_at(usize::try_from(size).unwrap());
        boxes.push((&this[4..8], &this[8..]));
        bytes = rest;
    }
    boxes
}

/// The 64 bits at a place of a box.
fn number(content: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(content[at..at + 8].try_into().unwrap())
}

/// When a `moov` says that its movie began: seconds since 1904 (ISO 14496-12 8.2.2).
fn creation_s(moov: &[u8]) -> u64 {
    let [(_, moov)] = boxes(moov)[..] else { panic!("one box") };
    let mvhd = boxes(moov).into_iter().find(|(name, _)| *name == b"mvhd").unwrap().1;
    number(mvhd, 4)
}

/// When a part says that its first picture was (ISO 14496-12 8.16.5): ms since 1970, of seconds since
/// 1900 and 2^32 pieces of one.
fn reference_ms(part: &[u8]) -> u64 {
    let prft = boxes(part).into_iter().find(|(name, _)| *name == b"prft").unwrap().1;
    let ntp = number(prft, 8);
    let ms = ((ntp & 0xffff_ffff) * 1_000 + (1 << 31)) >> 32;
    ((ntp >> 32) - 2_208_988_800) * 1_000 + ms
}

#[test]
fn a_file_and_each_of_its_parts_say_when_they_were() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "mp4_when");
    rig.start_by(&stream, |plan| {
        plan.format = Format::Mp4;
        plan.rotation.duration = Some(Duration::from_secs(3));
    });
    stream.push(clip(3));
    rig.wait_for_packets(62);
    // The second file is of another time on the wall than the first one's and its own length say.
    rig.clock.advance(Duration::from_secs(90));
    stream.push((3..6).flat_map(second));
    drop(stream);
    rig.wait_for_end();
    let finished = rig.take_finished();
    let mut starts = Vec::new();
    for finished in &finished {
        let start = finished.about.start_time.parse::<jiff::Timestamp>().unwrap();
        let start_ms = u64::try_from(start.as_millisecond()).unwrap();
        starts.push(finished.about.start_time.clone());
        let file = &rig.disk.files()[&finished.path];
        let (mut first_ms, mut parts, mut movies) = (None, 0, 0);
        let mut began = |moov: &[u8]| {
            assert_eq!(creation_s(moov), start_ms / 1_000 + 2_082_844_800);
            movies += 1;
        };
        for item in items(file) {
            match item {
                Item::Init(moov) => began(&moov),
                Item::Index { offset, end } => began(&file[at(offset)..at(end)]),
                Item::Packet(packet) if packet.kind == Kind::Video && packet.is_media() => {
                    first_ms = first_ms.or(u64::try_from(packet.dts_ms).ok());
                }
                Item::Part(part) => {
                    let first_ms = first_ms.take().expect("a part has pictures");
                    let said_ms = reference_ms(&file[at(part.offset)..at(part.end)]);
                    assert_eq!(said_ms, start_ms + first_ms);
                    parts += 1;
                }
                _ => {}
            }
        }
        assert_eq!((movies, parts >= 3), (2, true), "{parts} parts");
    }
    assert_eq!(starts, ["2025-10-11T14:30:52.123+02:00", "2025-10-11T14:32:22.123+02:00"]);
}

#[test]
fn each_key_frame_begins_a_part_and_a_flush_ends_one() {
    /// What comes between two flushes.
    const PIECE_MS: i64 = 500;
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "mp4_parts");
    rig.start_by(&stream, |plan| {
        plan.format = Format::Mp4;
        plan.flush = Duration::from_millis(20);
    });
    // One each 4 s, in the middle of what is flushed at once; then one after another.
    let is_key = |i: i64| i % 40 == 3 || i >= 116;
    let frames = (3..120).flat_map(|i| [video(i * 100, is_key(i), 900), audio(i * 100 + 23, 150)]);
    let packets: Vec<_> = [video_config(1), audio_config()].into_iter().chain(frames).collect();
    for piece in packets.chunk_by(|a, b| a.dts_ms / PIECE_MS == b.dts_ms / PIECE_MS) {
        stream.push(piece.to_vec());
        rig.wait_for_packets(stream.sent.len() as u64);
    }
    drop(stream);
    rig.wait_for_end();
    let [finished] = &rig.take_finished()[..] else { panic!("one file") };
    let file = &rig.disk.files()[&finished.path];
    let (mut parts, mut coded) = (Vec::new(), Vec::new());
    for item in items(file) {
        match item {
            Item::Packet(packet) if packet.is_media() => coded.push(packet),
            Item::Part(part) => {
                let boxes = boxes(&file[at(part.offset)..at(part.end)]);
                assert_eq!(boxes.iter().filter(|(name, _)| *name == b"moof").count(), 1);
                parts.push(std::mem::take(&mut coded));
            }
            _ => {}
        }
    }
    let with_key = parts.iter().filter(|part| part[0].role == Role::Key).count();
    assert_eq!(with_key, (3..120).filter(|i| is_key(*i)).count());
    assert!(parts.iter().all(|part| part[1..].iter().all(|packet| packet.role != Role::Key)));
    let last = parts.last().and_then(|part| part.last());
    let starts = parts.iter().map(|part| &part[0]).chain(last);
    let starts_ms: Vec<_> = starts.map(|packet| packet.dts_ms).collect();
    let steps_ms = starts_ms.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps_ms.max() <= Some(PIECE_MS), "{starts_ms:?}");
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// Packets as a file that begins with them has them.
fn sent_at_file_times(sent: &[Packet]) -> Vec<Packet> {
    let mut rebase = media::time::Rebase::default();
    let at = |packet: &Packet, time_ms: u64| Packet {
        dts_ms: i64::try_from(time_ms).unwrap(),
        ..packet.clone()
    };
    sent.iter().map(|packet| at(packet, rebase.place(packet).time_ms)).collect()
}

#[test]
fn a_track_that_begins_later_and_a_new_configuration_begin_another_file() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "mp4_change");
    let mut packets = vec![video_config(1)];
    packets.extend((0..30).map(|i| video(i * 100, i % 10 == 0, 300)));
    // Sound from 1.5 s on; another picture from 2 s on.
    packets.insert(16, Packet { dts_ms: 1_450, ..audio_config() });
    packets.insert(17, audio(1_460, 99));
    packets.insert(23, Packet { dts_ms: 2_000, ..video_config(2) });
    let sent = record(&rig, stream, packets);
    let finished = rig.take_finished();
    let cuts: Vec<_> = finished.iter().map(|file| file.about.cut).collect();
    assert_eq!(cuts, [Cut::Start, Cut::Configuration]);
    let files = rig.disk.files();
    // What came of the new track before the cut is there all the same, and told.
    let first = &files[&finished[0].path];
    assert_eq!(metadata(first, "packetsHidden").as_f64(), Some(1.0));
    assert_eq!(metadata(&files[&finished[1].path], "hasAudio"), Value::from(true));
    let bodies = |packets: &[Packet]| packets.iter().map(|p| p.body.clone()).collect::<Vec<_>>();
    let mut all = bodies(&scan(first));
    // The second begins with the configuration of the sound once more.
    all.extend(bodies(&scan(&files[&finished[1].path])).into_iter().skip(1));
    assert_eq!(all, bodies(&sent));
}

#[test]
fn a_track_that_mp4_has_no_word_for_is_kept_and_told() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "mp4_hidden");
    let key = stream.key.clone();
    // Nellymoser.
    let nelly = |at_ms| Packet::new(media::Kind::Audio, at_ms, vec![0x6e, 1, 2, 3].into());
    let mut packets = vec![video_config(1)];
    packets.extend((0..20).flat_map(|i| [video(i * 50, i % 10 == 0, 300), nelly(i * 50)]));
    let sent = record(&rig, stream, packets);
    let finished = rig.take_finished();
    assert_eq!(joined(&rig, &finished), sent_at_file_times(&sent));
    assert_eq!(finished[0].ledger.hidden.packets, 20);
    assert_eq!(finished[0].ledger.written.packets, sent.len() as u64);
    let told: Vec<_> =
        log_of(&key).into_iter().filter(|line| line.contains("not playable in MP4")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("WARN ") && told[0].contains("audio track 0"), "{told:?}");
}

#[test]
fn a_disk_that_fails_costs_what_was_not_written_and_the_file_is_completed() {
    let broken = Arc::new(AtomicBool::new(false));
    let full = std::io::ErrorKind::StorageFull;
    let disk = breakable(&broken, |call| call == Call::Append, full);
    let rig = Rig::new(disk);
    let mut stream = Stream::publish("live", "mp4_full");
    rig.start_by(&stream, |plan| plan.format = Format::Mp4);
    stream.push(clip(2));
    rig.wait_for_packets(42);
    broken.store(true, Ordering::Relaxed);
    stream.push(second(2));
    wait_until("it is found out", || rig.state() == Some(crate::State::Trouble));
    // No index can be put behind the parts either: that is done when there is room again.
    assert!(rig.take_finished().is_empty());
    broken.store(false, Ordering::Relaxed);
    stream.push((3..6).flat_map(second));
    let sent = std::mem::take(&mut stream.sent);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();
    assert_eq!(errors_of(&key).len(), 1);
    let counters = rig.archive.counters();
    let kept = u64::try_from(super::trouble::kept(&rig, &sent)).unwrap();
    assert!(kept >= 42 && kept + counters.dropped_packets == sent.len() as u64, "{counters:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is cut, and wherever: no packet is lost, none twice.
    #[test]
    fn segments_joined_are_the_stream(
        sizes in proptest::collection::vec(1_usize..3_000, 20..60),
        rotate in 1_u64..4,
        seed in any::<u32>(),
    ) {
        let rig = Rig::new(FakeDisk::default());
        let mut stream = Stream::publish("live", &format!("mp4_joined_{seed}"));
        rig.start_by(&stream, |plan| {
            plan.format = Format::Mp4;
            plan.rotation.duration = Some(Duration::from_secs(rotate));
        });
        let frames = sizes.iter().zip(0_i64..).flat_map(|(size, i)| {
            [video(i * 200, i % 5 == 0, *size), audio(i * 200 + 30, size / 10)]
        });
        stream.push([video_config(1), audio_config()].into_iter().chain(frames));
        let sent = std::mem::take(&mut stream.sent);
        drop(stream);
        rig.wait_for_end();
        let finished = rig.take_finished();
        let files = rig.disk.files();
        let mut all = Vec::new();
        for (file, n) in finished.iter().zip(0..) {
            // Later ones begin with the configurations once more.
            let repeated = if n == 0 { 0 } else { 2 };
            all.extend(scan(&files[&file.path]).into_iter().skip(repeated).map(|p| p.body));
        }
        prop_assert_eq!(all, sent.iter().map(|p| p.body.clone()).collect::<Vec<_>>());
        prop_assert!(finished.len() > 1 || sizes.len() <= 5 * usize::try_from(rotate).unwrap());
    }
}
