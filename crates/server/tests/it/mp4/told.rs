//! What publishers say of tracks and colours, and a codec that is rare, as other programs find it in a recording.

use media::amf0::{self, Value as Amf};
use serde_json::{Value, json};

use super::*;
use crate::ffmpeg::tool::{AAC, Encoder, HEVC, Source};
use crate::files::judge::programs;

/// Records packets as MP4.
fn made(sent: &[Packet]) -> (Server, PathBuf) {
    let mut server = as_mp4().start();
    block_on(publish(&server, "live/test", sent));
    closed(&server, "live/test");
    server.stop();
    let file = file_of(&server, "live/test");
    flv::assert_recorded(&file, sent);
    (server, file)
}

fn object(properties: &[(&str, Amf)]) -> Amf {
    Amf::Object(properties.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect())
}

fn numbers(properties: &[(&str, f64)]) -> Amf {
    Amf::Object(properties.iter().map(|(name, of)| ((*name).to_owned(), (*of).into())).collect())
}

/// `onMetaData` that names the sound and says in which language it is.
fn names() -> Packet {
    let track = object(&[("language", "deu".into()), ("title", "Saalton".into())]);
    let map = object(&[("0", track)]);
    let mut body = Vec::new();
    amf0::encode_string("onMetaData", &mut body);
    amf0::encode_ecma_array(&[("audioTrackIdInfoMap".to_owned(), map)], &mut body);
    Packet::new(Kind::Data, 0, body.into())
}

/// `colorInfo` of HDR10: BT.2020, PQ, mastered on a display of P3.
fn colours() -> Packet {
    let config = [
        ("bitDepth", 10.0),
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
        ("maxLuminance", 1_000.0),
        ("minLuminance", 0.005),
    ];
    let info = object(&[
        ("colorConfig", numbers(&config)),
        ("hdrCll", numbers(&[("maxFall", 400.0), ("maxCLL", 900.0)])),
        ("hdrMdcv", numbers(&mastering)),
    ]);
    let mut body = b"\x94hvc1".to_vec();
    amf0::encode_string("colorInfo", &mut body);
    amf0::encode(&info, &mut body);
    Packet::new(Kind::Video, 0, body.into())
}

#[test]
fn language_title_and_colours_that_the_publisher_tells_are_found_by_ffprobe_and_mediainfo() {
    let Some(nine) = Ffmpeg::nine() else { return };
    let Some([ffprobe, mediainfo]) = programs(["ffprobe", "mediainfo"]) else { return };
    // Its pictures say nothing of colours themselves.
    let source = Source { container: "mkv", video: Some(HEVC), audio: Some(AAC) };
    let mut sent = source.packets(&nine, 2);
    sent.retain(|packet| packet.kind != Kind::Data);
    let config = sent.iter().position(|packet| packet.kind == Kind::Video).unwrap();
    sent.insert(config + 1, colours());
    sent.insert(0, names());
    let (_server, file) = made(&sent);

    // Of what the file says alone: decoders go by what the pictures say.
    let mut command = Command::new(ffprobe);
    command.args(["-v", "warning", "-of", "json", "-show_streams", "-nofind_stream_info"]);
    let output = tools::run(command.arg(&file), LONGEST).success();
    assert_eq!(output.stderr, "");
    let probed: Value = serde_json::from_str(&output.text()).unwrap();
    let [video, audio] = [0, 1].map(|n| &probed["streams"][n]);
    assert_eq!(audio["tags"]["language"], "deu");
    assert_eq!(audio["tags"]["handler_name"], "Saalton");
    let colours = ["color_primaries", "color_transfer", "color_space"].map(|name| &video[name]);
    assert_eq!(colours, ["bt2020", "smpte2084", "bt2020nc"], "{video}");
    let [mastering, light] = [0, 1].map(|n| &video["side_data_list"][n]);
    let expected = json!({
        "side_data_type": "Mastering display metadata",
        "red_x": "34000/50000", "red_y": "16000/50000",
        "green_x": "13250/50000", "green_y": "34500/50000",
        "blue_x": "7500/50000", "blue_y": "3000/50000",
        "white_point_x": "15635/50000", "white_point_y": "16450/50000",
        "max_luminance": "10000000/10000", "min_luminance": "50/10000",
    });
    assert_eq!(*mastering, expected);
    assert_eq!((&light["max_content"], &light["max_average"]), (&json!(900), &json!(400)));

    let mut command = Command::new(mediainfo);
    let text = tools::run(command.args(["--Full", "--Output=JSON"]).arg(&file), LONGEST);
    let found: Value = serde_json::from_str(&text.success().text()).unwrap();
    let [video, audio] = [1, 2].map(|n| &found["media"]["track"][n]);
    assert_eq!(audio["Language"], "de");
    assert!(audio["Title"].as_str().unwrap().contains("Saalton"), "{audio}");
    for (name, says) in [
        ("colour_primaries", "BT.2020"),
        ("transfer_characteristics", "PQ"),
        ("matrix_coefficients", "BT.2020 non-constant"),
        ("MasteringDisplay_ColorPrimaries", "Display P3"),
        ("MasteringDisplay_Luminance", "min: 0.0050 cd/m2, max: 1000 cd/m2"),
        ("MaxCLL", "900 cd/m2"),
        ("MaxFALL", "400 cd/m2"),
    ] {
        let source = &video[format!("{name}_Source")];
        assert_eq!((&video[name], source), (&json!(says), &json!("Container")), "{name}");
    }
}

/// There is no free encoder of it: frames of AAC-LC of 24 kHz, whose configuration says that there may be SBR.
#[test]
fn he_aac_has_its_rate_and_name_and_keeps_its_times() {
    let Some(nine) = Ffmpeg::nine() else { return };
    let Some([ffprobe, mediainfo]) = programs(["ffprobe", "mediainfo"]) else { return };
    let low: Encoder = ("aac", &["-ar", "24000", "-c:a", "aac", "-b:a", "48k"]);
    let source = Source { container: "mp4", video: None, audio: Some(low) };
    let mut sent = source.packets(&nine, 3);
    sent.retain(|packet| packet.kind == Kind::Audio);
    let config = sent.iter_mut().find(|packet| packet.role == media::Role::Config).unwrap();
    // SBR over AAC-LC, 24 kHz and with it 48 kHz, stereo (ISO 14496-3 1.6.2.1).
    config.body = vec![0xAF, 0, 0x2B, 0x11, 0x88, 0].into();
    let (_server, file) = made(&sent);
    let said = report(&file).metadata;
    assert!(said.iter().any(|(name, of)| name == "codecs" && of.as_str() == Some("mp4a.40.5")));

    let mut command = Command::new(ffprobe);
    command.args(["-v", "warning", "-of", "json", "-show_streams", "-count_frames"]);
    let output = tools::run(command.arg(&file), LONGEST).success();
    assert_eq!(output.stderr, "");
    let probed: Value = serde_json::from_str(&output.text()).unwrap();
    let audio = &probed["streams"][0];
    assert_eq!(audio["sample_rate"], "48000");
    let frames: Vec<_> = sent.iter().filter(|packet| packet.is_media()).collect();
    assert_eq!(audio["nb_read_frames"], frames.len().to_string(), "all of them are decoded");
    let step_us = 1_024_000_000 / 24_000;
    for (n, found) in nine.packets(&file).tracks[0].packets.iter().enumerate() {
        let away_us = found.dts_us - i64::try_from(n).unwrap() * step_us;
        assert!(away_us.abs() <= 2_000, "frame {n}: {away_us}");
    }

    let mut command = Command::new(mediainfo);
    let text = tools::run(command.arg("--Output=JSON").arg(&file), LONGEST);
    let found: Value = serde_json::from_str(&text.success().text()).unwrap();
    let audio = &found["media"]["track"][1];
    assert_eq!((&audio["Format"], &audio["SamplingRate"]), (&json!("AAC"), &json!("48000")));
    assert!(audio["Format_AdditionalFeatures"].as_str().unwrap().contains("SBR"), "{audio}");
}

#[test]
fn ffmpeg_reads_every_picture_of_vp8() {
    let Some(nine) = Ffmpeg::nine() else { return };
    let sent = crate::pictures::decoders::vp8(&nine);
    let (_server, file) = made(&sent);
    for ffmpeg in [Some(nine), Ffmpeg::five()].into_iter().flatten() {
        let listing = ffmpeg.packets(&file);
        let found: Vec<_> = listing.tracks.iter().map(|track| track.codec.as_str()).collect();
        assert_eq!((found, count(&listing)), (vec!["vp8"], sent.len()));
        let pictures = ffmpeg.pictures_from(&file, "0");
        assert_eq!(count(&pictures), sent.len(), "all of them are decoded");
    }
}
