//! What is learned of tracks, and how it is written.

use super::*;

/// A track in a line, or why there is none.
fn line(movie: &Movie) -> String {
    let track = |track: &Track| {
        let what = match track.kind {
            Kind::Video => format!("{}x{}", track.width, track.height),
            _ => {
                format!("{} Hz {} ch /{}", track.sample_rate_hz, track.channels, track.timescale())
            }
        };
        format!("{} {what}", track.codec_string)
    };
    let tracks = movie.tracks().iter().map(track);
    tracks.chain(movie.refused().iter().map(Refused::to_string)).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_codec_has_its_description_or_is_refused() {
    let of = |kind, all: &[samples::Sample]| {
        let lines = all.iter().map(|sample| {
            let packet = packet(kind, 0, &bytes(sample.body));
            format!("{}: {}", sample.source, line(&Movie::of(&Header::default(), [&packet])))
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let told = of(Kind::Video, samples::VIDEO) + &of(Kind::Audio, samples::AUDIO);
    assert_eq!(told, include_str!("movie/codecs.txt"));
}

#[test]
fn the_beginning_of_a_file_is_as_it_was() {
    let mut movie = movie();
    movie.set_start(Some(1_700_000_000_000));
    assert_eq!(tree::dump(&movie.init_segment()), include_str!("movie/init.txt"));
}

#[test]
fn codec_records_are_kept_byte_for_byte() {
    for sample in samples::VIDEO.iter().chain(samples::AUDIO) {
        let body = bytes(sample.body);
        for kind in [Kind::Video, Kind::Audio] {
            let packet = packet(kind, 0, &body);
            let movie = Movie::of(&Header::default(), [&packet]);
            let Some(record) = movie.seen.first().and_then(|seen| seen.record.clone()) else {
                continue;
            };
            // Opus has other numbers in MP4.
            if movie.tracks.is_empty() || movie.codecs() == "opus" || record.is_empty() {
                continue;
            }
            let init = movie.init_segment();
            let is_there = init.windows(record.len()).any(|bytes| bytes == record);
            assert!(is_there, "{}", sample.source);
        }
    }
}

#[test]
fn comments_of_opus_are_no_record() {
    let head = bytes("904f7075734f707573486561640102380180bb0000000000");
    let tags = bytes("904f7075734f70757354616773040000004c61766600000000");
    let [head, tags] = [head, tags].map(|body| packet(Kind::Audio, 0, &body));
    let of_head = Movie::of(&Header::default(), [&head]);
    assert!(!of_head.is_changed_by(&tags));
    for packets in [[&tags, &head], [&head, &tags]] {
        assert_eq!(Movie::of(&Header::default(), packets).init_segment(), of_head.init_segment());
    }
    assert!(Movie::of(&Header::default(), [&tags]).tracks.is_empty());
}

#[test]
fn tracks_have_the_ids_of_the_stream_and_what_the_metadata_says_of_them() {
    use crate::amf0::{self, Value};
    let about = |language: &str, title: &str| {
        let text = |text: &str| Value::String(text.to_owned());
        let about =
            vec![("language".to_owned(), text(language)), ("title".to_owned(), text(title))];
        Value::Object(about)
    };
    let tracks = vec![("0".to_owned(), about("en", "")), ("3".to_owned(), about("deu", "Ton\n2"))];
    let mut body = Vec::new();
    amf0::encode_string("onMetaData", &mut body);
    let map = Value::Object(tracks);
    amf0::encode_ecma_array(&[("audioTrackIdInfoMap".to_owned(), map)], &mut body);
    let [avc, aac] = configs();
    // OneTrack, SequenceStart, mp4a, track 3.
    let second = packet(Kind::Audio, 0, b"\x95\x00mp4a\x03\x11\x90");
    let packets = [packet(Kind::Data, 0, &body), avc, aac, second];

    let movie = Movie::of(&header(&packets), []);
    let ids: Vec<_> = movie.tracks().iter().map(|t| (t.id, t.mp4_id())).collect();
    assert_eq!(ids, [(0, 1), (0, 2), (3, 8)]);
    let told = |id| {
        let track = movie.track(Kind::Audio, id).unwrap();
        (track.language.as_deref(), track.title.as_deref())
    };
    assert_eq!((told(0), told(3)), ((Some("en"), None), (Some("deu"), Some("Ton2"))));
    assert_eq!(movie.codecs(), "avc1.64001e,mp4a.40.2");

    let init = movie.init_segment();
    let traks = tree::boxes(tree::find(&init, "moov").unwrap());
    let traks: Vec<_> = traks.iter().filter(|(name, _)| name == "trak").collect();
    // eng and deu in five bits a letter; the second of a group is not enabled.
    let told = traks.iter().map(|(_, trak)| {
        let (mdhd, tkhd) =
            (tree::find(trak, "mdia/mdhd").unwrap(), tree::find(trak, "tkhd").unwrap());
        (u16::from_be_bytes(mdhd[32..34].try_into().unwrap()), tkhd[3], tkhd[47])
    });
    assert_eq!(told.collect::<Vec<_>>(), [(0x55C4, 3, 0), (0x15C7, 3, 2), (0x10B5, 2, 2)]);
    assert_eq!(tree::find(traks[2].1, "udta/name"), Some(&b"Ton2"[..]));
    assert_eq!(tree::find(traks[1].1, "mdia/elng"), Some(&b"\0\0\0\0en\0"[..]));
}

#[test]
fn colours_are_written_and_a_change_of_them_is_told() {
    use crate::amf0::{self, Value};
    let numbers = |list: &[(&str, f64)]| {
        Value::Object(list.iter().map(|(n, v)| ((*n).to_owned(), Value::Number(*v))).collect())
    };
    let message = |max_cll: f64| {
        let config = [
            ("colorPrimaries", 9.0),
            ("transferCharacteristics", 16.0),
            ("matrixCoefficients", 9.0),
        ];
        let mastering = [
            ("redX", 0.68),
            ("redY", 0.32),
            ("greenX", 0.265),
            ("greenY", 0.69),
            ("blueX", 0.15),
            ("blueY", 0.06),
            ("whitePointX", 0.3127),
            ("whitePointY", 0.329),
            ("maxLuminance", 1000.0),
            ("minLuminance", 0.0001),
        ];
        let info = Value::Object(vec![
            ("colorConfig".to_owned(), numbers(&config)),
            ("hdrCll".to_owned(), numbers(&[("maxCLL", max_cll), ("maxFall", 400.0)])),
            ("hdrMdcv".to_owned(), numbers(&mastering)),
        ]);
        let mut body = b"\xD4hvc1".to_vec();
        amf0::encode_string("colorInfo", &mut body);
        amf0::encode(&info, &mut body);
        packet(Kind::Video, 0, &body)
    };
    let config = samples::VIDEO.iter().find(|s| s.source.contains("x265")).unwrap();
    let config = packet(Kind::Video, 0, &bytes(config.body));
    let movie = Movie::of(&header(&[config, message(1000.0)]), []);
    let init = movie.init_segment();
    let entry = tree::find(&init, "moov/trak/mdia/minf/stbl/stsd/hvc1").unwrap();
    let hex = |name| -> String {
        tree::find(entry, name).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(hex("colr"), "6e636c7800090010000900");
    assert_eq!(hex("mdcv"), "33c286c41d4c0bb884d03e803d1340420098968000000001");
    assert_eq!(hex("clli"), "03e80190");
    assert!(!movie.is_changed_by(&message(1000.0)));
    assert!(movie.is_changed_by(&message(900.0)));
    assert_ne!(movie, Movie::of(&header(&[message(900.0)]), []));
}

#[test]
fn a_change_of_the_tracks_is_told() {
    let [avc, aac] = configs();
    let movie = movie();
    for same in [&avc, &aac, &video(0, true, 0, 1), &audio(0, 1), &packet(Kind::Audio, 0, &[])] {
        assert!(!movie.is_changed_by(same), "{same:?}");
    }
    let other_aac = packet(Kind::Audio, 0, &[0xAF, 0, 0x12, 0x10]);
    let mp3 = packet(Kind::Audio, 0, &[0x2F, 0xFF, 0xFB, 0x90, 0x64]);
    let new_track = packet(Kind::Audio, 0, b"\x95\x01mp4a\x01abc");
    for other in [&other_aac, &mp3, &new_track] {
        assert!(movie.is_changed_by(other), "{other:?}");
    }
    // A track that was left out, or that cannot be in MP4, is known all the same.
    let sound = movie.select(|track| track.kind == Kind::Audio);
    assert_eq!(sound.tracks().len(), 1);
    assert!(!sound.is_changed_by(&video(0, true, 0, 1)));
    let speex = packet(Kind::Audio, 0, &[0xB6, 1, 2]);
    let with_speex = Movie::of(&header(&[avc]), [&speex]);
    assert_eq!(
        with_speex.refused()[0].to_string(),
        "audio track 0: Speex cannot be in MP4: no specification says how; record it as FLV"
    );
    assert!(!with_speex.is_changed_by(&speex));
    assert!(with_speex.is_changed_by(&audio(0, 1)));
}

#[test]
fn an_empty_configuration_gives_way_to_the_true_one() {
    // FFmpeg 9.0.2 with libaom.
    let empty = packet(Kind::Video, 0, b"\x90av01");
    let config = samples::VIDEO.iter().find(|s| s.source.contains("libsvtav1")).unwrap();
    let config = packet(Kind::Video, 0, &bytes(config.body));
    let movie = Movie::of(&header(std::slice::from_ref(&empty)), [&config]);
    assert_eq!(movie.tracks().len(), 1);
    let refused = Movie::of(&header(&[empty]), []);
    assert!(matches!(refused.refused()[0].reason, Refusal::NoConfig { .. }));
    assert!(refused.is_changed_by(&config));
}

#[test]
fn what_goes_on_with_an_empty_configuration_has_the_track_of_before() {
    let [avc, _] = configs();
    // AC-3 as FFmpeg 9.0.2 sends it.
    let empty = packet(Kind::Audio, 0, b"\x90ac-3");
    let frame = b"\x91ac-3\x0b\x77\xb5\x0b\x1e\x40\xeb\xf8\x40\x3e\xff\x99\xff\x08\x41\xfc";
    let header = header(&[avc.clone(), empty.clone()]);
    let before = Movie::of(&header, [&packet(Kind::Audio, 0, frame)]);
    assert_eq!((before.tracks().len(), before.refused()), (2, &[][..]));
    let cut = Movie::of(&header, []);
    assert_eq!((cut.tracks().len(), cut.refused().len()), (1, 1));
    assert_eq!(cut.clone().going_on(&before), before);
    // Nothing told it before either; and another codec is another track.
    assert_eq!(cut.clone().going_on(&cut), cut);
    let other = Movie::of(&self::header(&[avc, packet(Kind::Audio, 0, b"\x90ec-3")]), []);
    assert_eq!(other.clone().going_on(&before), other);
}

#[test]
fn no_movie_has_more_tracks_than_the_bound() {
    let track = |id: u8| packet(Kind::Audio, 0, &[b"\x95\x00mp4a", &[id, 0x11, 0x90][..]].concat());
    let packets: Vec<_> = (0..=255).map(track).collect();
    let movie = Movie::of(&Header::default(), &packets);
    assert_eq!(movie.tracks().len(), TRACKS_MAX);
    assert_eq!(movie.refused().len(), 256 - TRACKS_MAX);
    assert!(movie.refused().iter().all(|refused| refused.reason == Refusal::TooMany));
}
