//! Whatever is made of a stream is the same, be it recorded as FLV or as MP4.

use std::collections::BTreeMap;

use media::Packet;
use proptest::prelude::*;

use super::made::Run;
use super::parts::made;
use super::*;
use crate::Format;

/// The boxes in the content of another: their names, and their contents.
fn boxes(mut bytes: &[u8]) -> Vec<(&str, &[u8])> {
    let mut boxes = Vec::new();
    while let Some((size, _)) = bytes.split_first_chunk::<4>() {
        let (mut size, mut head) = (u64::from(u32::from_be_bytes(*size)), 8);
        if size == 1 {
            (size, head) = (u64::from_be_bytes(bytes[8..16].try_into().unwrap()), 16);
        }
        let name = std::str::from_utf8(&bytes[4..8]).unwrap();
        let size = usize::try_from(size).unwrap();
        boxes.push((name, &bytes[head..size]));
        bytes = &bytes[size..];
    }
    boxes
}

fn find<'a>(bytes: &'a [u8], path: &[&str]) -> &'a [u8] {
    path.iter().fold(bytes, |bytes, name| {
        let mut found = boxes(bytes).into_iter().filter(|(found, _)| found == name);
        found.next().map(|(_, content)| content).unwrap_or_default()
    })
}

fn numbers(table: &[u8], skip: usize) -> Vec<u32> {
    let (numbers, _) = table[skip..].as_chunks::<4>();
    numbers.iter().map(|number| u32::from_be_bytes(*number)).collect()
}

/// A track of a file: what it says but for where samples are, and these.
type Tables<'a> = (BTreeMap<&'a str, &'a [u8]>, Vec<&'a [u8]>);

fn tracks(file: &[u8]) -> Vec<Tables<'_>> {
    let moov = find(file, &["moov"]);
    let traks = boxes(moov).into_iter().filter(|(name, _)| *name == "trak");
    traks
        .map(|(_, trak)| {
            let stbl = find(trak, &["mdia", "minf", "stbl"]);
            let mut said: BTreeMap<_, _> = boxes(stbl).into_iter().collect();
            said.insert("edts", find(trak, &["edts"]));
            let sizes = numbers(find(stbl, &["stsz"]), 12);
            let runs = numbers(said.remove("stsc").unwrap(), 8);
            let (chunks, _) = said.remove("co64").unwrap()[8..].as_chunks::<8>();
            let (mut sizes, mut samples) = (sizes.into_iter(), Vec::new());
            for (chunk, at) in chunks.iter().enumerate() {
                let mut at = usize::try_from(u64::from_be_bytes(*at)).unwrap();
                let (runs, _) = runs.as_chunks::<3>();
                let run = runs.iter().rfind(|[first, ..]| *first as usize <= chunk + 1).unwrap();
                for size in sizes.by_ref().take(run[1] as usize) {
                    samples.push(&file[at..at + size as usize]);
                    at += size as usize;
                }
            }
            (said, samples)
        })
        .collect()
}

/// All of a file, or why there is none.
fn mp4(source: &Source, range: Range) -> Result<Vec<u8>, Error> {
    let mp4 = source.mp4(range)?;
    let pieces: Vec<_> = mp4.read(0..u64::MAX).map(Result::unwrap).collect();
    let file = pieces.concat();
    assert_eq!(file.len() as u64, mp4.info().size_bytes);
    Ok(file)
}

/// What a player of HLS gets: of each segment when it is and for how long, whether it goes on, its
/// initialization and its bytes.
type Played = (i64, u64, bool, Bytes, Vec<u8>);

fn hls(source: &Source, range: Range) -> Result<Vec<Played>, Error> {
    let hls = source.hls(range, 2_000)?;
    let segment = |of: HlsSegment| {
        let init = source.hls_init(of.segment, of.place.settled).unwrap();
        let bytes = source.fragments(of.segment, of.place).unwrap();
        let bytes = bytes.map(Result::unwrap).collect::<Vec<_>>().concat();
        (of.unix_ms, of.duration_ms, of.is_discontinuous, init, bytes)
    };
    Ok(hls.segments.into_iter().map(segment).collect())
}

fn run() -> impl Strategy<Value = Run> {
    let kinds =
        prop_oneof![4 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, true))];
    let away_ms = prop_oneof![Just(0), 1..20_000_i64];
    // Larger than what is read at once.
    let frame_bytes = prop_oneof![4 => 1..9_000_usize, 1 => Just(300_000)];
    (1..8_i64, 0..4_i64, -300..300_i64, kinds, (away_ms, frame_bytes, 0..30_usize)).prop_map(
        |(gops, cut_every, skew_ms, (video, audio), (away_ms, frame_bytes, flush_every))| Run {
            gops,
            cut_every,
            skew_ms,
            video,
            audio,
            away_ms,
            frame_bytes,
            flush_every,
            ..Run::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_view_of_a_stream_is_the_same(
        mut runs in prop::collection::vec((run(), any::<bool>()), 1..3),
        grows in any::<bool>(),
        from_ms in -500..9_000_i64,
        length_ms in 1..12_000_i64,
        is_exact in any::<bool>(),
    ) {
        runs.last_mut().unwrap().0.grows = grows;
        let flv: Vec<_> = runs.iter().map(|(run, _)| run.clone()).collect();
        let flv = made(Format::Flv, &flv);
        // Some of it in one format, some in the other.
        let mut mixed = Made::new();
        for (run, is_mp4) in &runs {
            let format = if *is_mp4 { Format::Mp4 } else { Format::Flv };
            mixed.run(&Run { format, ..run.clone() });
        }
        let mp4_alone: Vec<_> = runs.iter().map(|(run, _)| run.clone()).collect();
        let mp4_alone = made(Format::Mp4, &mp4_alone);
        let cut = if is_exact { Cut::Exact } else { Cut::KeyFrame };
        let expected = source(&flv);
        for range in [range(from_ms, from_ms + length_ms, cut), Range::ALL] {
            for made in [&mixed, &mp4_alone] {
                let found = source(made);
                match (mp4(&found, range), mp4(&expected, range)) {
                    (Ok(found), Ok(expected)) => prop_assert_eq!(tracks(&found), tracks(&expected)),
                    (found, expected) => prop_assert_eq!(found.err(), expected.err()),
                }
                prop_assert!(hls(&found, range) == hls(&expected, range), "{:?}", range);
            }
        }
    }
}

#[test]
fn a_range_of_a_long_file_reads_its_heads_and_what_it_sends() {
    for format in Format::ALL {
        for grows in [false, true] {
            let (gops, frame_bytes, flush_every) = (600, 4_000, 9);
            let run = Run { gops, frame_bytes, format, flush_every, grows, ..Run::default() };
            let made = made(format, &[run]);
            let source = source(&made);
            let asked = range(500_000, 502_000, Cut::KeyFrame);
            let cost = |view: &dyn Fn() -> usize| {
                let before = made.disk.bytes_read();
                let sent = view();
                (made.disk.bytes_read() - before, sent)
            };
            let (read, sent) = cost(&|| bytes(&source, asked).unwrap().len());
            assert!(sent > 80_000 && read < sent + 600_000, "FLV of {format}: {read} for {sent}");
            let (read, sent) = cost(&|| mp4(&source, asked).unwrap().len());
            assert!(sent > 80_000 && read < sent + 500_000, "MP4 of {format}: {read} for {sent}");
            let (read, segments) = cost(&|| source.hls(asked, 2_000).unwrap().segments.len());
            // Of a file that grows each place is looked at.
            let most = if grows { 600 * (17 << 10) } else { 300_000 };
            assert!(segments > 0 && read < most, "playlist of {format}: {read}");
            let first = source.hls(asked, 2_000).unwrap().segments.remove(0);
            let fragments = || source.fragments(first.segment, first.place).unwrap();
            let (read, sent) = cost(&|| fragments().map(|bytes| bytes.unwrap().len()).sum());
            assert!(
                sent > 80_000 && read < sent + 900_000,
                "segment of {format}: {read} for {sent}"
            );
        }
    }
}

/// What a publisher says: that what it sends is 99 s long, and more.
fn metadata() -> Packet {
    let mut body = Vec::new();
    amf0::encode_string("onMetaData", &mut body);
    let said = [("duration", Value::Number(99.0)), ("encoder", Value::from("test".to_owned()))];
    let said = said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    amf0::encode(&Value::EcmaArray(said), &mut body);
    Packet::new(Kind::Data, 0, body.into())
}

#[test]
fn flv_of_mp4_has_one_on_meta_data_and_that_is_of_the_file() {
    let run = Run { gops: 6, cut_every: 3, metadata: Some(metadata()), ..Run::default() };
    for cut in [Cut::KeyFrame, Cut::Exact] {
        let said = [Format::Flv, Format::Mp4].map(|format| {
            let made = made(format, std::slice::from_ref(&run));
            let file = bytes(&source(&made), range(0, 5_000, cut)).unwrap();
            let (tags, report) = tags(&file);
            assert!(matches!(report.index, IndexCheck::True { entries: 5.. }), "{report:?}");
            let of_metadata = tags.iter().filter(|tag| tag.packet.role == Role::Metadata);
            assert_eq!(of_metadata.count(), 1, "{format}");
            let properties = meta::properties(&tags[0].packet.body, amf0::Limits::default());
            properties.unwrap().into_iter().collect::<BTreeMap<_, _>>()
        });
        assert_eq!(said[0]["encoder"], Value::from("test".to_owned()));
        let names = said.each_ref().map(|said| said.keys().cloned().collect::<Vec<_>>());
        assert_eq!(names[0], names[1]);
        // What is measured of the first segment is not what is measured of the range.
        let same = |name: &&String| {
            !["framerate", "videodatarate", "audiodatarate"].contains(&name.as_str())
        };
        for name in names[0].iter().filter(same) {
            assert_eq!(said[0][name], said[1][name], "{name}");
        }
    }
}
