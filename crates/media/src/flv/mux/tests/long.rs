//! Long and big files: a day of key frames, 4 GiB, 2^24 ms and 2^32 ms.

use super::*;

/// Times in ms and positions of the index in the newest patch.
fn index(muxer: &Muxer) -> Vec<(f64, f64)> {
    let region = muxer.patches().remove(0).bytes;
    let start = [&FILE_HEADER[..], &region].concat();
    let region = meta::region(&start).unwrap();
    assert!(region.is_whole);
    let keyframes = region.property("keyframes").unwrap();
    let numbers = |name| match keyframes.property(name) {
        Some(Value::StrictArray(all)) => all.iter().map(|v| v.as_f64().unwrap()).collect(),
        _ => Vec::new(),
    };
    let (times, positions) = (numbers("times"), numbers("filepositions"));
    assert_eq!(times.len(), positions.len());
    times.into_iter().map(|time_s| (time_s * 1000.0).round()).zip(positions).collect()
}

fn patched_number(muxer: &Muxer, name: &str) -> f64 {
    let region = muxer.patches().remove(0).bytes;
    let region = meta::region(&[&FILE_HEADER[..], &region].concat()).unwrap();
    region.property(name).and_then(Value::as_f64).unwrap()
}

#[test]
fn a_day_of_key_frames_each_second_is_indexed_evenly_and_fits() {
    let body = Bytes::from([&b"\x17\x01\x00\x00\x00"[..], &[0xA5; 99_995]].concat());
    let key = Packet::new(Kind::Video, 0, body);
    let mut muxer = Muxer::new(Options::default());
    let mut out = Chunks::new();
    let metadata: Vec<_> = (0..30).map(|i| format!("name{i}")).collect();
    let metadata: Vec<_> =
        metadata.iter().map(|name| (name.as_str(), Value::from("x".repeat(100)))).collect();
    muxer.push(&on_meta_data(&metadata), 0, &mut out).unwrap();
    muxer.push(&video(AVC), 0, &mut out).unwrap();
    let mut keys = Vec::new();
    for second in 0..86_400_u32 {
        keys.push((f64::from(second) * 1000.0, muxer.position() as f64));
        muxer.push(&key, u64::from(second) * 1_000, &mut out).unwrap();
        out.clear();
        // The first is reached through its configuration.
        keys[0].1 = 13.0 + 32_768.0;
        if second % 3_571 != 3_570 && second != 86_399 {
            continue;
        }
        assert_eq!(muxer.patches()[0].bytes.len(), 32 << 10);
        let index = index(&muxer);
        assert_eq!((index.first(), index.last()), (keys.first(), keys.last()));
        assert!(index.iter().all(|(time_ms, position)| {
            let key = keys.iter().find(|(known_ms, _)| known_ms == time_ms);
            key.is_some_and(|(_, known)| known == position)
        }));
        // 3.6 KB are the publisher's; the others all for the index.
        let room = (32_768.0 - 5_000.0) / 18.0;
        let even_ms = (keys.last().unwrap().0 / (room - 1.0)).max(1_000.0);
        let steps = index.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let most_ms = steps.fold(0.0, f64::max);
        assert!(most_ms <= 2.0 * even_ms, "{most_ms} of {even_ms} ms after {second} s");
    }
    assert!(muxer.position() > 8 << 30);
    assert_eq!(patched_number(&muxer, "filesize"), muxer.position() as f64);
    assert_eq!(patched_number(&muxer, "duration"), 86_400.0);
}

#[test]
fn beyond_4_gib_the_size_and_the_positions_are_exact() {
    let body = [&b"\x17\x01\x00\x00\x00"[..], &vec![0xA5; BODY_MAX - 5]].concat();
    let key = Packet::new(Kind::Video, 0, Bytes::from(body));
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    let tag_bytes = u64::try_from(BODY_MAX).unwrap() + OVERHEAD;
    for i in 0..700_u64 {
        muxer.push(&key, i * 1_000, &mut out).unwrap();
        out.clear();
    }
    let start = 13 + size(REGION);
    assert_eq!(muxer.position(), start + 700 * tag_bytes);
    assert!(muxer.position() > 10 << 30);
    assert_eq!(patched_number(&muxer, "filesize"), (start + 700 * tag_bytes) as f64);
    let index = index(&muxer);
    assert!(index.len() > 40);
    for (time_ms, position) in index {
        assert_eq!(position, start as f64 + time_ms / 1_000.0 * tag_bytes as f64);
    }
    assert_eq!(patched_number(&muxer, "videodatarate"), (BODY_MAX as f64 * 8.0) / 1_000.0);
}

#[test]
fn times_go_on_past_24_bits_and_end_with_32() {
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    let first = 1_u64 << 24;
    let last = u64::from(u32::MAX);
    let times = [0, first - 1, first, first + 1, 1 << 31, (1 << 31) + 1, last - 1, last];
    for time_ms in times {
        muxer.push(&key(), time_ms, &mut out).unwrap();
    }
    for time_ms in [last + 1, last + 40, 1 << 40, u64::MAX] {
        let refused = muxer.push(&key(), time_ms, &mut out);
        assert_eq!(refused, Err(Error::TimeTooLarge { time_ms }));
    }
    let bytes = patched(&muxer, &out);
    let found: Vec<_> = tags(&bytes)[1..].iter().map(|tag| u64::from(tag.1)).collect();
    assert_eq!(found, times);
    assert_eq!(number(&bytes, "lasttimestamp"), 4_294_967.295);
    assert_eq!(number(&bytes, "duration"), 4_294_967.296, "one frame of a ms after the last");
    assert_eq!(muxer.duration_ms(), 1 << 32);
    let index: Vec<_> = index(&muxer).into_iter().map(|(time_ms, _)| time_ms).collect();
    assert_eq!(index, times.map(|time_ms| time_ms as f64));
}
