//! Parts: their bytes, their times, and that they do not depend on who makes them.

use super::*;

/// A stream of video and audio with jitter, as its packets in order.
pub(super) fn stream() -> impl Strategy<Value = Vec<Packet>> {
    let nanos = prop_oneof![2 => Just(0), 1 => 1..1_000_000_u32];
    let step = (0_i64..80, any::<bool>(), -80..160_i32, nanos, 0_u8..8);
    proptest::collection::vec(step, 2..80).prop_map(|steps| {
        let mut time_ms = 0;
        let mut number = 0;
        let packets = steps.into_iter().map(|(step_ms, is_audio, composition_ms, nanos, key)| {
            time_ms += step_ms;
            number += 1;
            if is_audio {
                audio(time_ms, number)
            } else if nanos > 0 {
                video_later(time_ms, key == 0, composition_ms, nanos, number)
            } else {
                video(time_ms, key == 0, composition_ms, number)
            }
        });
        packets.collect()
    })
}

/// What a sample is shown later than it is decoded, in units of its track.
pub(super) fn composition(sample: &Sample) -> i32 {
    let units = (sample.offset_nanos * 9 + 50_000) / 100_000;
    sample.composition_ms * 90 + units.cast_signed()
}

/// Pushes packets, cuts before those at `cuts`, and returns the parts with their bytes.
fn parts(packets: &[Packet], cuts: &[usize]) -> Vec<(Part, Vec<u8>)> {
    let mut fragmenter = Fragmenter::new(movie());
    let mut all = Vec::new();
    let number = |at: usize| u32::try_from(at).unwrap();
    let mut poll = |fragmenter: &mut Fragmenter| {
        let mut out = Chunks::new();
        while let Some(part) = fragmenter.poll(&mut out) {
            all.push((part, out.to_vec()));
            out.clear();
        }
    };
    for (at, packet) in packets.iter().enumerate() {
        if cuts.contains(&at) {
            fragmenter.cut(Cut { sequence: number(at), ..Cut::default() });
        }
        fragmenter.push(packet, packet.dts_ms as u64).unwrap();
        poll(&mut fragmenter);
    }
    fragmenter.cut(Cut { sequence: number(packets.len()), ..Cut::default() });
    fragmenter.finish();
    poll(&mut fragmenter);
    all
}

#[test]
fn a_part_is_as_it_was() {
    let packets =
        [video(0, true, 80, 1), audio(0, 2), audio(21, 3), video(40, false, -40, 4), audio(43, 5)];
    let mut fragmenter = Fragmenter::new(movie());
    for packet in &packets {
        fragmenter.push(packet, packet.dts_ms as u64).unwrap();
    }
    assert_eq!((fragmenter.open_ms(), fragmenter.has_open()), (40, true));
    let cut = Cut { sequence: 7, styp: true, prft_unix_ms: Some(1_700_000_000_500) };
    assert!(fragmenter.cut(cut));
    assert!(!fragmenter.cut(cut), "there is nothing to cut");
    let mut out = Chunks::new();
    fragmenter.push(&video(80, true, 0, 6), 80).unwrap();
    assert_eq!(fragmenter.poll(&mut out), None, "it is not known how long the last audio is");
    fragmenter.push(&audio(64, 7), 64).unwrap();
    let part = fragmenter.poll(&mut out).unwrap();
    assert_eq!(tree::dump(&out.to_vec()), include_str!("parts/part.txt"));
    let told = (part.start_ms, part.end_ms, part.is_independent, part.has_key, part.samples);
    assert_eq!(told, (0, 80, true, true, 5));
    assert_eq!(part.size_bytes, out.len() as u64);
}

proptest! {
    /// Every sample is in a part, byte for byte, at its time to the unit; durations add up to times;
    /// and a muxer that begins at a part makes the same bytes.
    #[test]
    fn parts_are_a_pure_function_of_their_packets(
        packets in stream(),
        cuts in proptest::collection::vec(1_usize..80, 0..6),
    ) {
        let all = parts(&packets, &cuts);
        let read: Vec<Vec<tree::Read>> =
            all.iter().map(|(_, bytes)| tree::samples_of(bytes)).collect();
        for (mp4_id, kind, per_ms) in [(1, Kind::Video, 90), (2, Kind::Audio, 48)] {
            let of_track = packets.iter().filter(|packet| packet.kind == kind);
            let wanted: Vec<_> = of_track
                .map(|packet| {
                    let sample = samples(packet).next().unwrap();
                    let time = packet.dts_ms as u64 * per_ms;
                    let composition = composition(&sample);
                    (time, composition, sample.is_key, sample.data.to_vec())
                })
                .collect();
            let found: Vec<_> =
                read.iter().flatten().filter(|sample| sample.track == mp4_id).cloned().collect();
            for two in found.windows(2) {
                if two[1].time - two[0].time <= LOOKAHEAD_MS * per_ms {
                    prop_assert_eq!(two[0].time + two[0].duration, two[1].time);
                }
            }
            let found: Vec<_> = found
                .into_iter()
                .map(|sample| (sample.time, sample.composition, sample.is_key, sample.data))
                .collect();
            prop_assert_eq!(found, wanted);
        }

        let mut sorted: Vec<usize> = cuts.iter().copied().filter(|at| *at < packets.len()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        for &start in &sorted {
            let later: Vec<usize> = sorted.iter().filter(|at| **at > start).map(|at| at - start).collect();
            let again = parts(&packets[start..], &later);
            let whole = &all[all.len() - again.len()..];
            for ((_, a), (_, b)) in again.iter().zip(whole) {
                // All but the number of the fragment, which the caller gives.
                prop_assert_eq!(&a[..20], &b[..20]);
                prop_assert_eq!(&a[24..], &b[24..]);
            }
        }
    }
}

#[test]
fn a_time_without_anything_is_a_fragment_without_samples() {
    let movie = movie();
    let bytes = Fragmenter::new(movie.clone()).nothing(3, 40);
    let names: Vec<_> = tree::boxes(&bytes).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["styp", "moof", "mdat"]);
    let runs = tree::boxes(tree::find(&bytes, "moof").unwrap());
    let runs: Vec<_> = runs.iter().filter(|(name, _)| name == "traf").collect();
    assert_eq!(runs.len(), movie.tracks().len());
    for (track, (_, run)) in movie.tracks().iter().zip(runs) {
        let boxes = tree::boxes(run);
        let names: Vec<_> = boxes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tfhd", "tfdt"], "no run of samples");
        // The time is empty, and there is nothing to count places from.
        assert_eq!(boxes[0].1, [&[0, 3, 0, 0][..], &track.mp4_id().to_be_bytes()].concat());
        let time = 40 * u64::from(track.timescale()) / 1_000;
        assert_eq!(boxes[1].1, [&[1, 0, 0, 0][..], &time.to_be_bytes()].concat());
    }
    assert_eq!(tree::find(&bytes, "mdat"), Some(&[][..]));
}

#[test]
fn a_track_that_pauses_does_not_hold_parts_back() {
    let mut fragmenter = Fragmenter::new(movie());
    for (at, packet) in [(0, audio(0, 1)), (21, audio(21, 2)), (0, video(0, true, 0, 3))] {
        fragmenter.push(&packet, at).unwrap();
    }
    fragmenter.cut(Cut::default());
    let mut out = Chunks::new();
    fragmenter.push(&video(33, false, 0, 4), 33).unwrap();
    fragmenter.push(&video(1_021, false, 0, 5), 1_021).unwrap();
    assert_eq!(fragmenter.poll(&mut out), None);
    fragmenter.push(&video(1_022, false, 0, 6), 1_022).unwrap();
    assert!(fragmenter.poll(&mut out).is_some());
    let read = tree::samples_of(&out.to_vec());
    let audio: Vec<_> = read.iter().filter(|sample| sample.track == 2).collect();
    assert_eq!(audio.iter().map(|s| s.duration).collect::<Vec<_>>(), [21 * 48, 21 * 48]);
}

#[test]
fn a_time_that_goes_back_is_the_one_before() {
    let packets = [video(100, true, 0, 1), video(60, false, 0, 2), video(140, false, 0, 3)];
    let read = tree::samples_of(&parts(&packets, &[])[0].1);
    let times: Vec<_> = read.iter().map(|sample| sample.time / 90).collect();
    assert_eq!(times, [100, 100, 140]);
}

#[test]
fn a_message_of_several_tracks_is_a_sample_of_each() {
    let configs = [
        packet(Kind::Audio, 0, b"\x95\x00mp4a\x00\x11\x90"),
        packet(Kind::Audio, 0, b"\x95\x00mp4a\x01\x12\x10"),
    ];
    // CodedFrames, many tracks: track 1 with three bytes, track 0 with two, track 5 with one.
    let frames = packet(Kind::Audio, 10, b"\x95\x11mp4a\x01\0\0\x03abc\x00\0\0\x02de\x05\0\0\x01f");
    let movie = Movie::of(&header(&configs), []);
    assert!(movie.is_changed_by(&frames), "track 5 is new");
    let mut fragmenter = Fragmenter::new(movie);
    fragmenter.push(&frames, 10).unwrap();
    fragmenter.cut(Cut::default());
    fragmenter.finish();
    let mut out = Chunks::new();
    assert_eq!(fragmenter.poll(&mut out).unwrap().samples, 2);
    let read = tree::samples_of(&out.to_vec());
    let told: Vec<_> = read.iter().map(|s| (s.track, s.time, s.data.as_slice())).collect();
    assert_eq!(told, [(2, 480, &b"de"[..]), (4, 4_410, b"abc")]);
}

#[test]
fn temporal_delimiters_of_av1_are_left_out() {
    let frame = packet(Kind::Video, 0, b"\x91av01\x12\x00\x0a\x01x");
    assert_eq!(samples(&frame).next().unwrap().data, b"\x0a\x01x"[..]);
}

#[test]
fn a_part_and_a_time_have_bounds() {
    let mut fragmenter = Fragmenter::new(movie());
    let frame = audio(0, 1);
    for _ in 0..PART_SAMPLES_MAX {
        fragmenter.push(&frame, 0).unwrap();
    }
    assert_eq!(fragmenter.push(&frame, 0), Err(Error::PartFull));
    assert!(fragmenter.cut(Cut::default()));
    assert_eq!(fragmenter.push(&frame, 0), Ok(()));
    let time_ms = TIME_MAX_MS + 1;
    assert_eq!(fragmenter.push(&frame, time_ms), Err(Error::TimeTooLarge { time_ms }));
    assert_eq!(fragmenter.push(&frame, TIME_MAX_MS), Ok(()));

    let mut fragmenter = Fragmenter::new(movie());
    let body = [&[0x17, 1, 0, 0, 0][..], &vec![0; 16 << 20]].concat();
    let large = packet(Kind::Video, 0, &body);
    let count = (0..100).take_while(|_| fragmenter.push(&large, 0).is_ok()).count();
    assert_eq!(count as u64, PART_BYTES_MAX / (16 << 20));
}
