//! Prints what ranges of ten hours in sixty files cost.
//!
//! `cargo run --release -p archive --example range_ten_hours -- DIRECTORY`; the files, 3 GB, are made
//! in the directory and removed at the end.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::range::{Cut, Range, Source};
use archive::{About, Ledger, SystemDisk};
use bytes::Bytes;
use jiff::Timestamp;
use media::amf0::Value;
use media::flv::mux::{Muxer, Options};
use media::{Chunks, Header, Kind, Packet};

const START_UNIX_MS: i64 = 1_760_000_000_000;
const SEGMENTS: u32 = 60;
const SEGMENT_MS: i64 = 600_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).map(PathBuf::from).ok_or("which directory?")?;
    let dir = dir.join("range-ten-hours");
    fs::create_dir_all(&dir)?;
    let measured = make(&dir).and_then(|bytes| measure(&dir, bytes));
    fs::remove_dir_all(&dir)?;
    measured
}

/// Ten hours of 25 frames a second of 2,600 bytes, a key frame every 2 s, and 47 messages of audio of
/// 170 bytes: 600 kbit/s.
fn make(dir: &Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for number in 1..=SEGMENTS {
        let start_ms = i64::from(number - 1) * SEGMENT_MS;
        let start = Timestamp::from_millisecond(START_UNIX_MS + start_ms)?;
        let about = About {
            recording: "0123456789abcdef".parse()?,
            stream_key: "live/camera".to_owned(),
            segment: number,
            start_time: start.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string(),
            start_ms: u64::try_from(start_ms)?,
            cut: archive::Cut::Duration,
            gap_before: None,
            first_packet: 0,
            chain_before: None,
            server: "example".to_owned(),
            recorder: "all".to_owned(),
            name: None,
            request_key: None,
            is_clip: false,
            tracks: archive::Tracks::All,
            labels: archive::Labels::default(),
        };
        let header = header();
        let mut extra = Ledger { repeated_packets: 2, ..Ledger::default() }.properties();
        extra.push(("segmentLength".to_owned(), Value::Number(600.0)));
        let options =
            Options { reserve_bytes: (32 << 10) - 13, identity: about.properties(), extra };
        let mut muxer = Muxer::new(options);
        let mut out = Chunks::new();
        muxer.start(&header, &mut out);
        for i in 0..15_000_i64 {
            let (at_ms, head) = (i * 40, [if i % 50 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
            let video = body(&head, if i % 50 == 0 { 20_000 } else { 2_600 });
            muxer.push(&Packet::new(Kind::Video, at_ms, video), u64::try_from(at_ms)?, &mut out)?;
            for audio_ms in [at_ms + 3, at_ms + 24] {
                let audio = Packet::new(Kind::Audio, audio_ms, body(&[0xaf, 1], 170));
                muxer.push(&audio, u64::try_from(audio_ms)?, &mut out)?;
            }
        }
        let mut file = out.to_vec();
        for patch in muxer.patches().into_iter().chain([muxer.complete_patch()]) {
            let at = usize::try_from(patch.offset)?;
            let place = file.get_mut(at..at + patch.bytes.len()).ok_or("patch beyond the file")?;
            place.copy_from_slice(&patch.bytes);
        }
        bytes += file.len() as u64;
        let mut written = fs::File::create_new(dir.join(format!("{number:02}.flv")))?;
        written.write_all(&file)?;
    }
    Ok(bytes)
}

fn header() -> Header {
    let mut header = Header::default();
    let record = [0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 1, 1];
    header.push(&Packet::new(Kind::Video, 0, Bytes::copy_from_slice(&record)));
    header.push(&Packet::new(Kind::Audio, 0, Bytes::from_static(&[0xaf, 0, 0x12, 0x10])));
    header
}

fn body(head: &[u8], size: usize) -> Bytes {
    head.iter().copied().chain(std::iter::repeat_n(0x55, size)).collect()
}

fn measure(dir: &Path, bytes: u64) -> Result<(), Box<dyn Error>> {
    println!("{SEGMENTS} files, {} MB", bytes >> 20);
    let begun = Instant::now();
    let (source, left) = Source::of_files(Arc::new(SystemDisk), [dir.to_owned()]);
    println!("heads of all files: {:.1} ms", ms(begun.elapsed()));
    if let Some((path, error)) = left.first() {
        return Err(format!("{}: {error}", path.display()).into());
    }
    let minutes = |from: i64, to: i64, cut| Range {
        from_unix_ms: START_UNIX_MS + from * 60_000 + 17_345,
        to_unix_ms: START_UNIX_MS + to * 60_000 + 17_345,
        cut,
    };
    let ranges = [
        ("1 minute in the middle, key frames", minutes(304, 305, Cut::KeyFrame)),
        ("1 minute in the middle, exact", minutes(304, 305, Cut::Exact)),
        ("1 minute over two files, exact", minutes(309, 310, Cut::Exact)),
        ("1 hour, exact", minutes(200, 260, Cut::Exact)),
        ("10 hours, exact", minutes(0, 599, Cut::Exact)),
        ("all", Range::ALL),
    ];
    for (name, range) in ranges {
        let begun = Instant::now();
        let mut flv = source.flv(range)?;
        let planned = begun.elapsed();
        let first = flv.next().transpose()?.map_or(0, |piece| piece.len());
        let answered = begun.elapsed();
        let (size, duration_ms) = (flv.info().size_bytes, flv.info().duration_ms);
        let mut sent = first as u64;
        for piece in flv {
            sent += piece?.len() as u64;
        }
        assert_eq!(sent, size, "the size that was told");
        let whole = begun.elapsed();
        let rate = (size as f64 / 1e6) / (whole - answered).as_secs_f64();
        println!(
            "{name}: planned in {:.1} ms, first byte after {:.1} ms; {:.1} s, {:.1} MB at {rate:.0} MB/s",
            ms(planned),
            ms(answered),
            duration_ms as f64 / 1e3,
            size as f64 / 1e6,
        );
    }
    measure_mp4(&source, minutes(200, 260, Cut::Exact), "1 hour, exact")?;
    measure_mp4(&source, Range::ALL, "all")?;
    measure_hls(&source)
}

fn measure_mp4(source: &Source, range: Range, name: &str) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mp4 = source.mp4(range)?;
    let planned = begun.elapsed();
    let size = mp4.info().size_bytes;
    let mut longest = Duration::ZERO;
    for at in (0..100).map(|i| size / 100 * i) {
        let begun = Instant::now();
        mp4.read(at..size).next().ok_or("no bytes")??;
        longest = longest.max(begun.elapsed());
    }
    let begun = Instant::now();
    let mut sent = 0;
    for piece in mp4.read(0..size) {
        sent += piece?.len() as u64;
    }
    assert_eq!(sent, size, "the size that was told");
    let rate = size as f64 / 1e6 / begun.elapsed().as_secs_f64();
    println!(
        "MP4, {name}: {} samples planned in {:.1} ms; first byte anywhere after {:.1} ms at most; \
         {:.1} MB at {rate:.0} MB/s",
        mp4.samples(),
        ms(planned),
        ms(longest),
        size as f64 / 1e6,
    );
    Ok(())
}

fn measure_hls(source: &Source) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let hls = source.hls(Range::ALL, 6_000)?;
    let listed = begun.elapsed();
    let mut times = Vec::new();
    for of in hls.segments.iter().step_by(11) {
        let begun = Instant::now();
        source.fragments(of.segment, of.place)?.next().ok_or("no bytes")??;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "HLS: {} segments listed in {:.1} ms; first byte of one after {:.1} ms, {:.1} ms at most",
        hls.segments.len(),
        ms(listed),
        ms(middle),
        ms(times.last().copied().unwrap_or_default()),
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
