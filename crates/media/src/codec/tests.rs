pub(crate) mod samples;

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Bits spelled out, filled up with zeros to a whole byte, in hex.
fn pack(bits: &str) -> String {
    let bits: Vec<char> = bits.chars().filter(|bit| *bit != ' ').collect();
    let byte = |bits: &[char]| {
        let digits: String = bits.iter().collect();
        format!("{:02x}", u8::from_str_radix(&format!("{digits:0<8}"), 2).unwrap())
    };
    bits.chunks(8).map(byte).collect()
}

fn or_dash(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("-")
}

fn video_line(info: &VideoInfo) -> String {
    format!(
        "{} {}@{} {}x{} {} bit {} fps {}",
        info.codec,
        or_dash(&info.profile),
        or_dash(&info.level),
        info.width,
        info.height,
        info.bit_depth.unwrap_or(0),
        info.frame_rate.map_or("-".to_owned(), |rate| format!("{rate:.2}")),
        or_dash(&info.codec_string),
    )
}

fn audio_line(info: &AudioInfo) -> String {
    format!(
        "{} {} {} Hz {} ch {}",
        info.codec,
        or_dash(&info.profile),
        info.sample_rate_hz,
        info.channels,
        or_dash(&info.codec_string),
    )
}

/// An AAC configuration in a legacy message.
fn aac(config: &str) -> String {
    audio_line(&audio_info(&bytes(&format!("af00{config}"))).unwrap())
}

#[test]
fn real_video_messages_tell_what_ffmpeg_prints() {
    for sample in samples::VIDEO {
        let info = video_info(&bytes(sample.body)).unwrap();
        assert_eq!(video_line(&info), sample.says, "{}", sample.source);
    }
}

#[test]
fn real_audio_messages_tell_what_ffmpeg_prints() {
    for sample in samples::AUDIO {
        let info = audio_info(&bytes(sample.body)).unwrap();
        assert_eq!(audio_line(&info), sample.says, "{}", sample.source);
    }
}

#[test]
fn any_truncation_or_changed_byte_is_survived() {
    for sample in samples::VIDEO.iter().chain(samples::AUDIO) {
        let whole = bytes(sample.body);
        for len in 0..whole.len() {
            video_info(&whole[..len]);
            audio_info(&whole[..len]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            let flips = (0..8).map(|bit| whole[at] ^ 1 << bit);
            for byte in flips.chain([0x00, 0xFF]) {
                changed[at] = byte;
                if let Some(info) = video_info(&changed) {
                    assert!(info.width <= 1 << 16 && info.height <= 1 << 16, "{info:?}");
                }
                audio_info(&changed);
            }
        }
    }
}

/// The heads in front of every record and frame that is looked into.
const HEADS: [&str; 22] = [
    "1700000000",
    "9068766331",
    "9076766331",
    "9061763031",
    "9161763031",
    "9076703039",
    "9176703039",
    "9176703038",
    "12",
    "13",
    "af00",
    "904f707573",
    "90664c6143",
    "9161632d33",
    "2f",
    "1c00000000",
    "170000000001640028ffe1ffff67640028",
    "90687663310101600000009000000000005af000fcfdf8f800000f01210001ffff4201",
    "9076766331ff00655f010223800000028001680000010f0001ffff0079",
    "906176303181010c000aff7f",
    "90687663310101600000009000000000005af000fcfdf8f800000fff",
    "9076766331ff00655f01022380ff",
];

#[test]
fn long_runs_of_one_byte_end() {
    for head in HEADS {
        for fill in [0x00, 0x01, 0x55, 0x80, 0xAA, 0xFF] {
            let mut body = bytes(head);
            body.resize(body.len() + 70_000, fill);
            video_info(&body);
            audio_info(&body);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_bytes_are_survived(
        head in prop::sample::select(&HEADS[..]),
        tail in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let body = [bytes(head), tail].concat();
        video_info(&body);
        audio_info(&body);
    }
}

#[test]
fn messages_that_tell_nothing_give_nothing() {
    for body in ["", "17", "1701000000", "2701000000aabb", "1702000000", "5201", "9161"] {
        assert_eq!(video_info(&bytes(body)), None, "{body}");
    }
    for body in ["", "af", "af0121", "914f707573fc", "924f707573", "944f707573010200000003"] {
        assert_eq!(audio_info(&bytes(body)), None, "{body}");
    }
}

#[test]
fn record_that_is_not_understood_gives_the_codec() {
    for (body, codec) in [
        ("1700000000", VideoCodec::Avc),
        ("170000000002", VideoCodec::Avc),
        ("9061763031", VideoCodec::Av1),
        ("9078797a30ff", VideoCodec::Unknown(FourCc(*b"xyz0"))),
    ] {
        assert_eq!(video_info(&bytes(body)), Some(VideoInfo::new(codec)), "{body}");
    }
    assert_eq!(audio_info(&bytes("90664c6143")), Some(AudioInfo::new(AudioCodec::Flac)));
}

#[test]
fn record_behind_modifiers_and_of_one_track_is_read() {
    let record = &samples::VIDEO[0].body[10..];
    for head in ["96 00 61766331 05", "97 02 000001 06 00 61766331 05"] {
        let head = head.replace(' ', "");
        let info = video_info(&bytes(&format!("{head}{record}")));
        assert_eq!(info.map(|info| (info.width, info.height)), Some((638, 358)), "{head}");
    }
}

#[test]
fn avc_record_without_parameter_sets_tells_profile_and_level() {
    let info = video_info(&bytes("170000000001640028ffe000")).unwrap();
    assert_eq!(video_line(&info), "H.264 High@4.0 0x0 0 bit - fps avc1.640028");
}

#[test]
fn avc_level_1b_is_told_from_1_1() {
    let level = |record: &str| video_info(&bytes(&format!("1700000000{record}"))).unwrap().level;
    assert_eq!(level("01421009ffe000").as_deref(), Some("1b"));
    assert_eq!(level("0142100bffe000").as_deref(), Some("1b"));
    assert_eq!(level("0142000bffe000").as_deref(), Some("1.1"));
    assert_eq!(level("0164100bffe000").as_deref(), Some("1.1"));
}

#[test]
fn avc_cropping_more_than_the_picture_is_no_size() {
    let sps = |right: &str| {
        // Ids, order of pictures, 20 by 15 macroblocks of frames; the window; no VUI.
        let size = "1 1 011 1 0 000010100 0001111 1 1";
        format!("674d400d{}", pack(&format!("{size} 1 1 {right} 1 1 0 1")))
    };
    let width = |right: &str| {
        let sps = sps(right);
        let body = format!("1700000000014d400dffe1{:04x}{sps}", sps.len() / 2);
        video_info(&bytes(&body)).unwrap().width
    };
    // Units of 2 pixels: 1, 159, 160 and 200.
    assert_eq!(width("010"), 318);
    assert_eq!(width("0000000 10100000"), 2);
    assert_eq!(width("0000000 10100001"), 0);
    assert_eq!(width("0000000 11001001"), 0);
}

#[test]
fn hevc_high_tier_and_profile_space_are_spelled_out() {
    // x265's Main 10 record with general_tier_flag and general_profile_space 2 set.
    let body = "906876633101a22000000090000000000099f002fffdfafa00001b00";
    let info = video_info(&bytes(body)).unwrap();
    assert_eq!(video_line(&info), "HEVC Main 10@5.1 0x0 10 bit - fps hvc1.B2.4.H153.90");
}

#[test]
fn hevc_under_the_old_codec_id_is_read() {
    let enhanced = samples::VIDEO.iter().find(|sample| sample.source.contains("libx265")).unwrap();
    let old = format!("1c00000000{}", &enhanced.body[10..]);
    assert_eq!(video_line(&video_info(&bytes(&old)).unwrap()), enhanced.says);
}

#[test]
fn vvc_constraints_are_in_base_32() {
    // Three bytes of constraints, a trailing zero byte not spelled out, and high tier.
    let body = "9076766331ff001d5f030323800100000000000000000000";
    let info = video_info(&bytes(body)).unwrap();
    assert_eq!(info.codec_string.as_deref(), Some("vvc1.1.H35.CQAAQ"));
}

#[test]
fn vpc_record_without_box_header_is_read() {
    let info = video_info(&bytes("90767030390015820202020000")).unwrap();
    assert_eq!(info.codec_string.as_deref(), Some("vp09.00.21.08"));
}

#[test]
fn inter_frames_tell_no_size() {
    for body in ["9176703038d1020000009d012a7e026601", "917670303986004092f121400400aa7f"] {
        assert_eq!(video_info(&bytes(body)), None, "{body}");
    }
}

#[test]
fn key_frame_completes_what_the_configuration_leaves_open() {
    let mut lines = samples::VIDEO.iter().filter(|sample| sample.source.contains("vpx-vp9"));
    let mut info = video_info(&bytes(lines.next().unwrap().body)).unwrap();
    info.complete(&video_info(&bytes(lines.next().unwrap().body)).unwrap());
    assert_eq!(video_line(&info), "VP9 Profile 0@2.1 638x358 8 bit - fps vp09.00.21.08");
    let before = info.clone();
    info.complete(&VideoInfo { frame_rate: Some(25.0), ..VideoInfo::new(VideoCodec::Avc) });
    assert_eq!(info, before);
}

#[test]
fn frame_completes_an_empty_audio_configuration() {
    let mut info = audio_info(&bytes("9061632d33")).unwrap();
    info.complete(&audio_info(&bytes("9161632d330b77b50b1e40ebf8403eff99ff")).unwrap());
    assert_eq!(audio_line(&info), "AC-3 - 48000 Hz 6 ch ac-3");
}

#[test]
fn he_aac_is_told_however_it_is_signalled() {
    assert_eq!(aac("2b920800"), "AAC HE-AAC 44100 Hz 2 ch mp4a.40.5");
    assert_eq!(aac("eb8a0800"), "AAC HE-AAC v2 44100 Hz 2 ch mp4a.40.29");
    assert_eq!(aac("131056e598"), "AAC HE-AAC 48000 Hz 2 ch mp4a.40.5");
    assert_eq!(aac("130856e59d4880"), "AAC HE-AAC v2 48000 Hz 2 ch mp4a.40.29");
    // The core alone: old senders leave the decoder to find SBR in the frames.
    assert_eq!(aac("1310"), "AAC LC 24000 Hz 2 ch mp4a.40.2");
}

#[test]
fn aac_rate_that_is_spelled_out_is_read() {
    // Object type 2, index 15, 37,000 in 24 bits, 2 channels.
    assert_eq!(aac("1780484410"), "AAC LC 37000 Hz 2 ch mp4a.40.2");
}

#[test]
fn aac_program_configuration_tells_the_channels() {
    // FFmpeg n9.0.2 aac: 2.1, 3.1, quad, octagonal, 6.0.
    for (program, channels) in [
        ("c4010020000c", 3),
        ("c8010001000c", 4),
        ("c4040021100c", 4),
        ("c80c000108c8200c", 8),
        ("c808000108840c", 6),
    ] {
        let config = format!("118004{program}4c61766336332e312e31303256e500");
        assert_eq!(aac(&config), format!("AAC LC 48000 Hz {channels} ch mp4a.40.2"));
    }
}

#[test]
fn aac_escaped_object_type_is_read() {
    // Object type 31, then 10: 42, USAC; 48 kHz stereo.
    assert_eq!(aac("f94640"), "AAC xHE-AAC 48000 Hz 2 ch mp4a.40.42");
}

#[test]
fn opus_header_without_magic_is_read() {
    let info = audio_info(&bytes("904f7075730102380180bb0000000000")).unwrap();
    assert_eq!(audio_line(&info), "Opus - 48000 Hz 2 ch opus");
}

#[test]
fn flac_configuration_with_marker_is_read() {
    let block = "10001000000000000000".to_owned() + "0ac442f0" + &"00".repeat(20);
    for head in ["", "664c6143", "664c614300000022", "664c614380000022"] {
        let info = audio_info(&bytes(&format!("90664c6143{head}{block}"))).unwrap();
        assert_eq!(audio_line(&info), "FLAC 16 bit 44100 Hz 2 ch flac", "{head}");
    }
}

#[test]
fn eac3_half_rate_is_read() {
    // fscod 3, fscod2 0: 24 kHz; mode 2, bitstream id 16.
    let info = audio_info(&bytes("9165632d330b77001fc480")).unwrap();
    assert_eq!(audio_line(&info), "E-AC-3 - 24000 Hz 2 ch ec-3");
}

#[test]
fn legacy_mp3_whose_frame_is_unreadable_falls_back_to_the_flags() {
    assert_eq!(audio_line(&audio_info(&bytes("2f00")).unwrap()), "MP3 - 44100 Hz 2 ch -");
    assert_eq!(audio_line(&audio_info(&bytes("e200")).unwrap()), "MP3 - 8000 Hz 1 ch -");
    assert_eq!(audio_info(&bytes("912e6d703300")), None);
}

#[test]
fn ids_and_fourccs_lead_back_to_their_codec() {
    for id in 0..16 {
        assert!(VideoCodec::from_id(id).id().is_none_or(|known| known == id));
        let audio = AudioCodec::from_id(id);
        assert_eq!(AudioCodec::from_id(audio.id().unwrap()), audio);
        if let Some(fourcc) = VideoCodec::from_id(id).fourcc() {
            assert_eq!(VideoCodec::from_fourcc(fourcc), VideoCodec::from_id(id));
        }
    }
    for fourcc in [FourCc::VP08, FourCc::VVC1, FourCc(*b"....")] {
        assert_eq!(VideoCodec::from_fourcc(fourcc).fourcc(), Some(fourcc));
    }
    for fourcc in [FourCc::MP3, FourCc::MP4A, FourCc(*b"....")] {
        assert_eq!(AudioCodec::from_fourcc(fourcc).fourcc(), Some(fourcc));
    }
}

#[test]
fn unprintable_fourcc_is_escaped() {
    let codec = VideoCodec::Unknown(FourCc([0x1B, b'[', b'\n', 0xFF]));
    assert_eq!(codec.to_string(), r"unknown (\x1b[\n\xff)");
    assert_eq!(AudioCodec::UnknownId(15).to_string(), "unknown (id 15)");
    assert_eq!(FourCc::AVC1.number(), 0x6176_6331);
}
