use super::*;

fn segment(uri: &str, duration_ms: u64) -> Segment {
    Segment { uri: Some(uri.to_owned()), duration_ms, ..Segment::default() }
}

fn part(number: u64, is_independent: bool) -> Part {
    Part { uri: format!("part-{number}.m4s"), duration_ms: 500, is_independent, is_gap: false }
}

#[test]
fn a_live_playlist() {
    let first = Segment {
        map: Some("init-0.mp4".to_owned()),
        unix_ms: Some(1_795_963_852_120),
        ..segment("seg-7.m4s", 2_000)
    };
    let second = Segment {
        is_discontinuous: true,
        map: Some("init-1.mp4".to_owned()),
        parts: vec![part(11, true), Part { is_gap: true, ..part(12, false) }],
        is_gap: true,
        ..segment("seg-8.m4s", 1_002)
    };
    let open = Segment { parts: vec![part(13, true)], ..Segment::default() };
    let report = |last_part| Report { uri: "en.m3u8".to_owned(), last_msn: 9, last_part };
    let playlist = Media {
        target_s: 2,
        parts: Some(Parts { target_ms: 500 }),
        media_sequence: 7,
        discontinuity_sequence: 3,
        segments: vec![first, second, open],
        preload_hint: Some("part-14.m4s".to_owned()),
        reports: vec![report(Some(0)), report(None)],
        ..Media::default()
    };
    let text = "\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.500
#EXT-X-PART-INF:PART-TARGET=0.500
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI=\"init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-29T14:50:52.120Z
#EXTINF:2.000,
seg-7.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-1.mp4\"
#EXT-X-PART:DURATION=0.500,URI=\"part-11.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.500,URI=\"part-12.m4s\",GAP=YES
#EXT-X-GAP
#EXTINF:1.002,
seg-8.m4s
#EXT-X-PART:DURATION=0.500,URI=\"part-13.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-14.m4s\"
#EXT-X-RENDITION-REPORT:URI=\"en.m3u8\",LAST-MSN=9,LAST-PART=0
#EXT-X-RENDITION-REPORT:URI=\"en.m3u8\",LAST-MSN=9
";
    assert_eq!(playlist.to_string(), text);
}

#[test]
fn a_playlist_of_what_is_over() {
    let segments = vec![segment("a.m4s", 4_000), segment("b.m4s", 3_999)];
    let playlist =
        Media { target_s: 4, segments, is_vod: true, is_ended: true, ..Media::default() };
    let text = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:0
#EXTINF:4.000,
a.m4s
#EXTINF:3.999,
b.m4s
#EXT-X-ENDLIST
";
    assert_eq!(playlist.to_string(), text);
}

#[test]
fn a_multivariant_playlist() {
    let sound = Rendition {
        group: "audio".to_owned(),
        name: "English \"stereo\"".to_owned(),
        language: Some("en".to_owned()),
        is_default: true,
        channels: Some(2),
        uri: Some("en.m3u8".to_owned()),
    };
    let variant = Variant {
        uri: "media.m3u8?viewer=1".to_owned(),
        bandwidth: 2_400_000,
        average_bandwidth: Some(2_000_000),
        codecs: "avc1.64001f,mp4a.40.2".to_owned(),
        resolution: Some((1_280, 720)),
        frame_rate: Some(29.97),
        audio: Some("audio".to_owned()),
    };
    let plain = Variant {
        uri: "sound.m3u8".to_owned(),
        bandwidth: 1,
        codecs: "opus".to_owned(),
        ..Variant::default()
    };
    let all = Multivariant { variants: vec![variant, plain], audio: vec![sound] };
    let text = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"English stereo\",DEFAULT=YES,AUTOSELECT=YES,\
LANGUAGE=\"en\",CHANNELS=\"2\",URI=\"en.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=2400000,AVERAGE-BANDWIDTH=2000000,CODECS=\"avc1.64001f,mp4a.40.2\",\
RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"audio\"
media.m3u8?viewer=1
#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"opus\"
sound.m3u8
";
    assert_eq!(all.to_string(), text);
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (unix_ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_799_999, "2000-02-29T23:59:59.999Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Date(unix_ms).to_string(), text);
    }
}

#[test]
fn no_text_forges_a_line() {
    let forged = segment("a.m4s\n#EXT-X-ENDLIST", 1);
    let forged = Segment { map: Some("i\"\r\n#X".to_owned()), ..forged };
    assert_eq!(forged.to_string(), "#EXT-X-MAP:URI=\"i#X\"\n#EXTINF:0.001,\na.m4s\n");
}
