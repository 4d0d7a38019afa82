use super::*;
use crate::hls::Window;

/// The clock on the wall when a stream begins.
const WALL_MS: i64 = 1_795_963_852_120;

fn packet(kind: Kind, dts_ms: i64, body: Vec<u8>) -> Packet {
    Packet::new(kind, dts_ms, body.into())
}

fn video(dts_ms: i64, is_key: bool) -> Packet {
    packet(Kind::Video, dts_ms, vec![if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0, 0, 0, 0, 1, 9])
}

fn audio(dts_ms: i64) -> Packet {
    packet(Kind::Audio, dts_ms, vec![0xaf, 1, 0x21])
}

/// High profile, level 3.1; `other` is another encoder's.
fn avc(other: u8) -> Packet {
    let mut body = vec![
        0x17, 0x00, 0x00, 0x00, 0x00, 0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64,
        0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f,
        0xcb, 0xfd, 0xf8, 0xf8, 0x00,
    ];
    if other > 0 {
        body[47] ^= other;
    }
    packet(Kind::Video, 0, body)
}

fn aac() -> Packet {
    packet(Kind::Audio, 0, vec![0xaf, 0, 0x11, 0x90, 0x56, 0xe5, 0x00])
}

/// `frames` pictures from `start_ms` on, with key frames `key` pictures apart, and sound.
fn stream(start_ms: i64, fps: i64, key: i64, frames: i64) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut sound = 0;
    for n in 0..frames {
        packets.push(video(start_ms + n * 1_000 / fps, n % key == 0));
        while sound * 1_024 * fps < (n + 1) * 48_000 {
            packets.push(audio(start_ms + sound * 1_024 / 48));
            sound += 1;
        }
    }
    packets
}

fn header() -> Header {
    let mut header = Header::default();
    [avc(0), aac()].iter().for_each(|packet| _ = header.push(packet));
    header
}

/// All parts of a run.
fn parts(options: Options, packets: &[Packet]) -> (Vec<Piece>, Segmenter) {
    let mut segmenter = Segmenter::new(options);
    segmenter.begin(&header());
    run(&mut segmenter, packets);
    segmenter.finish();
    (std::iter::from_fn(|| segmenter.poll()).collect(), segmenter)
}

fn run(segmenter: &mut Segmenter, packets: &[Packet]) {
    for batch in packets.chunks(7) {
        batch.iter().for_each(|packet| segmenter.push(packet, WALL_MS + packet.dts_ms));
        segmenter.flush();
    }
}

/// Lengths of segments.
fn lengths(pieces: &[Piece]) -> Vec<u64> {
    let mut lengths = Vec::new();
    for piece in pieces {
        if piece.begins.is_some() {
            lengths.push(0);
        }
        *lengths.last_mut().unwrap() += piece.part.duration_ms();
    }
    lengths
}

fn independent(pieces: &[Piece]) -> Vec<bool> {
    let first = pieces.iter().filter(|piece| piece.begins.is_some());
    first.map(|piece| piece.part.is_independent).collect()
}

#[test]
fn segments_begin_at_key_frames() {
    for (fps, key, length_ms, target_s) in
        [(25, 50, 2_000, 2), (30, 30, 2_000, 2), (25, 100, 4_000, 4), (50, 25, 2_000, 2)]
    {
        let (pieces, segmenter) = parts(Options::default(), &stream(0, fps, key, fps * 20));
        let lengths = lengths(&pieces);
        assert_eq!(lengths.len(), 20_000 / length_ms, "{fps} {key}");
        let steady = lengths[..lengths.len() - 1].iter();
        assert!(steady.clone().all(|ms| ms.abs_diff(length_ms as u64) <= 1), "{lengths:?}");
        assert!(independent(&pieces).iter().all(|is| *is));
        assert_eq!(segmenter.target_s(), Some(target_s));
        let samples: usize = pieces.iter().map(|piece| piece.part.samples).sum();
        assert_eq!(samples, stream(0, fps, key, fps * 20).len());
    }
}

#[test]
fn a_known_distance_of_key_frames_makes_the_promise_at_once() {
    let options = Options { key_interval_ms: Some(3_000), is_settled: true, ..Options::default() };
    let mut segmenter = Segmenter::new(options);
    segmenter.begin(&header());
    run(&mut segmenter, &stream(0, 25, 75, 10));
    assert_eq!(segmenter.target_s(), Some(3));
}

#[test]
fn a_group_of_pictures_that_is_too_long_is_cut() {
    let (pieces, segmenter) = parts(Options::default(), &stream(0, 25, 1_000, 2_000));
    assert_eq!(segmenter.target_s(), Some(10));
    let lengths = lengths(&pieces);
    assert!(lengths.iter().all(|ms| *ms <= 10_499), "{lengths:?}");
    let independent = independent(&pieces);
    assert!(independent[0] && independent.iter().any(|is| !is));
    // Key frames at 1 s, but for once: the promise holds.
    let mut packets = stream(0, 25, 25, 500);
    packets.extend(stream(20_000, 25, 200, 400));
    let (pieces, segmenter) = parts(Options::default(), &packets);
    assert_eq!(segmenter.target_s(), Some(2));
    assert!(self::lengths(&pieces).iter().all(|ms| *ms <= 2_499));
}

#[test]
fn sound_alone_is_cut_by_time() {
    let packets: Vec<_> = (0..500).map(|n| audio(n * 1_024 / 48)).collect();
    let mut segmenter = Segmenter::new(Options::default());
    let mut header = Header::default();
    header.push(&aac());
    segmenter.begin(&header);
    run(&mut segmenter, &packets);
    segmenter.finish();
    let pieces: Vec<_> = std::iter::from_fn(|| segmenter.poll()).collect();
    assert_eq!(segmenter.target_s(), Some(2));
    let lengths = lengths(&pieces);
    assert!(lengths.len() == 6 && lengths.iter().all(|ms| *ms <= 2_000), "{lengths:?}");
    assert!(pieces.iter().all(|piece| piece.part.duration_ms() <= 500));
    let codecs = pieces[0].begins.as_ref().unwrap().init.movie.codecs();
    assert_eq!(codecs, "mp4a.40.2");
}

#[test]
fn parts_are_filled_but_never_too_long() {
    for (fps, target_ms) in [(25, 500), (30, 500), (60, 500), (10, 404), (3, 334), (1, 1_001)] {
        let (pieces, segmenter) = parts(Options::default(), &stream(0, fps, 2 * fps, 30 * fps));
        assert_eq!(segmenter.part_target_ms(), target_ms, "{fps}");
        for piece in &pieces {
            let ms = piece.part.duration_ms();
            assert!(ms <= target_ms, "{fps}: {ms}");
            assert!(piece.is_last || ms * 100 >= target_ms * 85, "{fps}: {ms}");
        }
    }
}

#[test]
fn sound_that_comes_later_is_waited_for_and_no_longer_than_a_second() {
    let mut segmenter = Segmenter::new(Options::default());
    segmenter.push(&avc(0), WALL_MS);
    for n in 0..25 {
        segmenter.push(&video(n * 40, n == 0), WALL_MS);
        segmenter.flush();
        assert!(segmenter.open.is_none(), "{n}");
    }
    segmenter.push(&video(1_000, false), WALL_MS);
    assert_eq!(segmenter.open.as_ref().unwrap().init.movie.codecs(), "avc1.64001f");
}

#[test]
fn a_discontinuity_is_before_what_does_not_go_on() {
    let discontinuous = |pieces: &[Piece]| {
        let begins = pieces.iter().filter_map(|piece| piece.begins.as_ref());
        begins.map(|begin| begin.is_discontinuous).collect::<Vec<_>>()
    };
    let joined = |first: Vec<Packet>, then: Vec<Packet>| [first, then].concat();
    let options = Options::default();
    // Another configuration.
    let mut second = vec![avc(1)];
    second.extend(stream(4_000, 25, 50, 100));
    let (pieces, _) = parts(options, &joined(stream(0, 25, 50, 100), second));
    assert_eq!(discontinuous(&pieces), [false, false, true, false]);
    let inits: Vec<_> =
        pieces.iter().filter_map(|piece| Some(&piece.begins.as_ref()?.init)).collect();
    assert!(Arc::ptr_eq(inits[0], inits[1]) && inits[1].bytes != inits[2].bytes);
    // The same one again.
    let mut second = vec![avc(0), aac()];
    second.extend(stream(4_000, 25, 50, 100));
    let (pieces, _) = parts(options, &joined(stream(0, 25, 50, 100), second));
    assert_eq!(discontinuous(&pieces), [false; 4]);
    // A pause, and a clock that begins anew; either way the wall is right.
    for start_ms in [14_000, -50_000] {
        let (pieces, _) =
            parts(options, &joined(stream(0, 25, 50, 100), stream(start_ms, 25, 50, 100)));
        assert_eq!(discontinuous(&pieces), [false, false, true, false], "{start_ms}");
        let begins: Vec<_> = pieces.iter().filter_map(|piece| piece.begins.as_ref()).collect();
        assert_eq!(begins[0].unix_ms, WALL_MS);
        let wall_ms = WALL_MS + start_ms;
        assert!((begins[2].unix_ms - wall_ms).abs() <= 1, "{}", begins[2].unix_ms - wall_ms);
        let lengths = lengths(&pieces);
        assert!(lengths.iter().all(|ms| ms.abs_diff(2_000) <= 1), "{lengths:?}");
    }
    // Another run.
    let (mut pieces, mut segmenter) = parts(options, &stream(0, 25, 50, 100));
    segmenter.begin(&header());
    run(&mut segmenter, &stream(700_000, 25, 50, 100));
    segmenter.finish();
    pieces.extend(std::iter::from_fn(|| segmenter.poll()));
    assert_eq!(discontinuous(&pieces), [false, false, true, false]);
    let sequences = pieces.windows(2).map(|pair| pair[1].part.sequence - pair[0].part.sequence);
    assert!(sequences.into_iter().all(|step| step == 1));
}

#[test]
fn pictures_that_stop_do_not_stop_the_sound() {
    let mut packets = stream(0, 25, 50, 100);
    packets.extend((188..600).map(|n| audio(n * 1_024 / 48)));
    let (pieces, _) = parts(Options::default(), &packets);
    let samples: usize = pieces.iter().map(|piece| piece.part.samples).sum();
    assert_eq!(samples, packets.len());
    let lengths = lengths(&pieces);
    assert!(lengths.iter().all(|ms| *ms <= 2_499), "{lengths:?}");
    assert!(lengths.iter().sum::<u64>() > 11_500, "{lengths:?}");
}

#[test]
fn what_cannot_be_in_mp4_makes_nothing() {
    let screen = |n: i64| packet(Kind::Video, n * 40, vec![0x13, 0, 0, 0, 0]);
    let mut segmenter = Segmenter::new(Options::default());
    run(&mut segmenter, &(0..2_000).map(screen).collect::<Vec<_>>());
    segmenter.finish();
    assert!(segmenter.poll().is_none());
    assert!(segmenter.waiting.len() < WAIT_PACKETS);
}

/// A playlist as a player reads it.
#[derive(Debug, Default)]
struct Read {
    target_s: u64,
    sequence: u64,
    discontinuity: u64,
    /// Number, length, discontinuities before it, time on the wall, lengths of its parts.
    segments: Vec<(u64, u64, u64, String, Vec<u64>)>,
    open: Vec<u64>,
    last_part: Option<String>,
    hint: String,
    maps: usize,
}

fn ms(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap();
    whole.parse::<u64>().unwrap() * 1_000 + part.parse::<u64>().unwrap()
}

fn read(text: &str) -> Read {
    let mut read = Read::default();
    let (mut wall, mut length) = (String::new(), 0);
    let mut seen = 0;
    for line in text.lines() {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-TARGETDURATION" => read.target_s = value.parse().unwrap(),
            "#EXT-X-MEDIA-SEQUENCE" => read.sequence = value.parse().unwrap(),
            "#EXT-X-DISCONTINUITY-SEQUENCE" => read.discontinuity = value.parse().unwrap(),
            "#EXT-X-DISCONTINUITY" => seen += 1,
            "#EXT-X-MAP" => read.maps += 1,
            "#EXT-X-PROGRAM-DATE-TIME" => value.clone_into(&mut wall),
            "#EXT-X-PART" => {
                let (length, rest) = value.split_once(",URI=\"").unwrap();
                read.open.push(ms(length.strip_prefix("DURATION=").unwrap()));
                read.last_part = rest.split('"').next().map(str::to_owned);
            }
            "#EXTINF" => length = ms(value.trim_end_matches(',')),
            "#EXT-X-PRELOAD-HINT" => {
                value.rsplit('=').next().unwrap().trim_matches('"').clone_into(&mut read.hint);
            }
            _ if !line.starts_with('#') => {
                let number = read.sequence + read.segments.len() as u64;
                assert_eq!(line, format!("segment-{number}.m4s"));
                let parts = std::mem::take(&mut read.open);
                let discontinuities = read.discontinuity + seen;
                read.segments.push((number, length, discontinuities, wall.clone(), parts));
            }
            _ => {}
        }
    }
    read
}

#[test]
fn playlists_keep_the_rules_for_minutes() {
    // Runs, pauses, other configurations, key frames that come when they like.
    let mut segmenter = Segmenter::new(Options::default());
    let mut window = Window::new(64 << 20);
    let mut known: Vec<Option<(u64, u64, String)>> = Vec::new();
    let mut before: Option<Read> = None;
    let mut playlists = 0;
    for round in 0..12_i64 {
        segmenter.begin(&header());
        let key = [50, 25, 100, 13, 240, 60][usize::try_from(round % 6).unwrap()];
        let mut packets = stream(round * 100_000, 25, key, 600);
        if round % 3 == 0 {
            packets.push(avc(u8::try_from(1 + round).unwrap()));
            packets.extend(stream(round * 100_000 + 24_000, 25, key, 300));
        }
        if round % 4 == 1 {
            packets.extend(stream(round * 100_000 + 60_000, 25, key, 300));
        }
        for (n, packet) in packets.iter().enumerate() {
            segmenter.push(packet, WALL_MS + packet.dts_ms);
            segmenter.flush();
            if n + 1 == packets.len() {
                segmenter.finish();
            }
            while let Some(piece) = segmenter.poll() {
                window.set_targets(segmenter.target_s(), segmenter.part_target_ms());
                window.push(piece);
                let Some(playlist) = window.playlist() else { continue };
                let now = read(&playlist.to_string());
                check(&now, before.as_ref(), &mut known);
                before = Some(now);
                playlists += 1;
            }
        }
        window.end_run();
    }
    window.end();
    let last = window.playlist().unwrap().to_string();
    assert!(last.ends_with("#EXT-X-ENDLIST\n") && !last.contains("#EXT-X-PART:"), "{last}");
    assert!(playlists > 800 && known.len() > 100, "{playlists} {}", known.len());
}

fn check(now: &Read, before: Option<&Read>, known: &mut Vec<Option<(u64, u64, String)>>) {
    for (number, length, discontinuities, wall, parts) in &now.segments {
        assert!((length + 500) / 1_000 <= now.target_s, "segment {number}: {length} ms");
        let number = usize::try_from(*number).unwrap();
        known.resize(known.len().max(number + 1), None);
        let is = (*length, *discontinuities, wall.clone());
        assert_eq!(known[number].get_or_insert(is.clone()), &is, "segment {number} changed");
        if !parts.is_empty() {
            assert_eq!(parts.iter().sum::<u64>(), *length, "segment {number}");
            let full = &parts[..parts.len() - 1];
            assert!(full.iter().all(|ms| *ms >= 425), "segment {number}: {parts:?}");
        }
        assert!(parts.iter().all(|ms| *ms <= 500), "segment {number}: {parts:?}");
    }
    assert!(now.maps > 0);
    let Some(before) = before else { return };
    assert_eq!(now.target_s, before.target_s, "it never changes");
    assert!(now.sequence >= before.sequence && now.discontinuity >= before.discontinuity);
    assert_eq!(now.last_part.as_ref(), Some(&before.hint), "the hint was right");
    // What was removed was more than three target durations old.
    let listed: u64 = now.segments.iter().map(|segment| segment.1).sum();
    assert!(now.sequence == 0 || listed >= 3_000 * now.target_s, "{listed} ms");
}
