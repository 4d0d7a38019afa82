//! Decoders that do not do what they should, and frames that they cannot decode: a picture is missing, and nobody
//! notices but who asked for it.

use bytes::Bytes;
use testkit::Player;

use super::*;

const NO_PICTURE: (u16, &str) = (422, "picture-failed");
const NO_DECODER: (u16, &str) = (503, "decoder-failed");

/// Publishes noise to a recording server whose decoder does this, asks for its picture, and expects to be told
/// why there is none, while the stream, a player and the recording go on.
fn assert_failure(decoder: &str, refused: (u16, &str), why: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), decoder);
    let args = ["-ffmpeg", path.to_str().unwrap()];
    let mut server = decoding(recording()).args(args).start();
    server.allow("picture not made");
    let http = server.api();
    let sent = sound_and_noise();
    let (first, second) = sent.split_at(100);
    block_on(async {
        let mut player = Player::connect(&server.url("live/test")).await.unwrap();
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(first).await.unwrap();
        wait_for_key_frames(&http, 1);
        let asked = std::thread::spawn({
            let http = http.clone();
            move || http.get(LIVE)
        });
        publisher.send_all(second).await.unwrap();
        let media = sent.iter().filter(|packet| packet.is_media()).count();
        player.packets(media).await;
        assert_eq!(http.get("/ready").status, 200);
        let answer = asked.join().unwrap();
        assert_eq!(answer.problem(), (refused.0, refused.1.to_owned()), "{decoder}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(why), "{decoder}: {detail}");
        // It is not tried again at once.
        assert_eq!(http.get(LIVE).problem(), (refused.0, refused.1.to_owned()));
        let status = status(&http);
        assert_eq!((&status["made"], &status["failed"]), (&0.into(), &1.into()));
        let metrics = http.get("/metrics").text();
        assert!(metrics.contains("rtmp_pictures_total{outcome=\"failed\"} 1"), "{metrics}");
        assert!(status["failure"].as_str().unwrap().contains(why), "{status}");
        publisher.close().await.unwrap();
        player.close().await.unwrap();
    });
    let line = server.wait_for_log("picture not made", &[("of", "live/test")]);
    assert!(line.field("error").unwrap().contains(why));
    wait_until("the decoder is gone", || !is_running(&path));
    server.stop();
    let file = crate::record::file_of(&server, "live/test");
    crate::record::assert_finished(&file, &sent);
}

#[test]
fn a_decoder_that_fails_is_told() {
    assert_failure("echo 'cannot open shared object' >&2; exit 127", NO_PICTURE, "shared object");
}

#[test]
fn a_decoder_has_nothing_of_how_the_server_was_set_up() {
    let decoder =
        "env | grep -c -e GLIBC_TUNABLES -e RTMP_SERVER | sed 's/$/ of them/' >&2; exit 1";
    assert_failure(decoder, NO_PICTURE, "0 of them");
}

#[test]
fn a_decoder_runs_at_the_lowest_priority() {
    // When it has read its input it has been told.
    let tells = "cat > /dev/null; echo \"niceness $(nice)\" >&2; exit 1";
    assert_failure(tells, NO_PICTURE, "niceness 19");
}

#[test]
fn a_decoder_that_hangs_is_killed() {
    assert_failure("while true; do read line; done", NO_DECODER, "no answer");
}

#[test]
fn a_decoder_that_gives_something_else_is_not_believed() {
    assert_failure("cat > /dev/null; echo garbage", NO_PICTURE, "no picture");
}

#[test]
fn a_decoder_that_never_stops_is_killed() {
    assert_failure(
        "while true; do echo something and something else; done",
        NO_DECODER,
        "more than",
    );
}

#[test]
fn a_decoder_that_is_no_program_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nothing");
    let mut server = server(&["-ffmpeg", path.to_str().unwrap()]).start();
    server.allow("picture not made");
    let http = server.api();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&sound_and_noise()).await.unwrap();
        wait_for_key_frames(&http, 1);
        let answer = http.get(LIVE);
        assert_eq!(answer.problem(), (503, "decoder-failed".to_owned()));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("cannot be started") && detail.contains("nothing"), "{detail}");
        publisher.close().await.unwrap();
    });
    server.stop();
}

/// What the server says of the picture of a stream of these packets.
fn refusal(args: &[&str], packets: &[Packet]) -> (u16, String) {
    let mut server = server(args).start();
    server.allow("picture not made");
    let http = server.api();
    let refusal = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(packets).await.unwrap();
        let is_known = || http.get(LIVE).problem().1 != "no-picture";
        wait_until("its key frame is there", is_known);
        let refusal = http.get(LIVE).problem();
        publisher.close().await.unwrap();
        refusal
    });
    server.stop();
    refusal
}

#[test]
fn a_key_frame_that_is_none_costs_its_picture_alone() {
    assert_eq!(refusal(&["-ffmpeg", "off"], &sound_and_noise()).1, "picture-failed");
    if Ffmpeg::five().is_some() {
        assert_eq!(refusal(&["-ffmpeg", "auto"], &sound_and_noise()).1, "picture-failed");
    }
}

#[test]
fn a_codec_that_nothing_decodes_is_told() {
    // An enhanced key frame of HEVC: FourCC, then anything.
    let body = Bytes::from_static(b"\x93hvc1\0\0\0anything");
    let packets = [Packet::new(Kind::Video, 0, body)];
    assert_eq!(refusal(&["-ffmpeg", "off"], &packets), (501, "no-decoder".to_owned()));
}

#[test]
fn one_bad_key_frame_leaves_its_place_on_the_sheet_black() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let mut clip = clip(&ffmpeg, "320x180", 3, H264);
    let keys: Vec<_> = (0..clip.len()).filter(|at| clip[*at].role == Role::Key).collect();
    // Its head says what it is; the rest is torn.
    let body = clip[keys[1]].body.slice(..20);
    clip[keys[1]].body = body;
    for decoder in ["auto", "off"] {
        let args = ["-thumbnail-interval", "1s", "-ffmpeg", decoder];
        let (mut server, at) = recorded(&args, &clip);
        let http = server.api();
        let sheet = picture(&http, &format!("{at}/sprite.jpg?length_ms=6000"));
        let sheet = Shown::decode(&ffmpeg, &sheet, (960, 90));
        sheet.assert_is((80, 45), RED);
        sheet.assert_is((240, 45), ("black", [0; 3]));
        sheet.assert_is((400, 45), RED);
        sheet.assert_is((880, 45), BLUE);
        server.stop();
    }
}

/// What FFmpeg 9 encodes and decodes.
fn assert_codec(codec: &[&str]) {
    let Some(nine) = Ffmpeg::nine() else { return };
    assert_decoded(&nine, &super::clip(&nine, "640x360", 3, codec));
}

fn assert_decoded(ffmpeg: &Ffmpeg, clip: &[Packet]) {
    let path = ffmpeg.path().to_str().unwrap();
    let args = ["-picture-interval", "1ms", "-picture-width", "320", "-ffmpeg", path];
    assert_live(&mut server(&args).start(), ffmpeg, clip);
}

#[test]
fn hevc_has_pictures() {
    let quiet = ["-x265-params", "log-level=error"];
    assert_codec(&[&["-c:v", "libx265", "-preset", "ultrafast"][..], &quiet].concat());
}

#[test]
fn av1_has_pictures() {
    assert_codec(&["-c:v", "libsvtav1", "-preset", "11"]);
}

#[test]
fn vp9_has_pictures() {
    assert_codec(&["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"]);
}

#[test]
fn vvc_has_pictures() {
    let Some(nine) = Ffmpeg::nine() else { return };
    let keys = ["-vvenc-params", "intraperiod=10:decodingrefreshtype=idr2"];
    let codec = ["-pix_fmt", "yuv420p10le", "-c:v", "libvvenc", "-preset", "faster"];
    // Small, for it takes long to decode, and decoders come last on a busy machine.
    let clip = super::clip(&nine, "320x180", 3, &[&codec[..], &keys].concat());
    assert_decoded(&nine, &clip);
}

/// Six seconds of VP8.
pub(crate) fn vp8(nine: &Ffmpeg) -> Vec<Packet> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clip.ivf");
    let codec = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"];
    super::encode(nine, "640x360", 3, &codec, &file);
    // FFmpeg puts no VP8 into FLV. In IVF there are 32 bytes before the first frame, and 12 before each.
    let ivf = std::fs::read(&file).unwrap();
    let (mut rest, mut clip) = (&ivf[32..], Vec::new());
    while let Some((head, frames)) = rest.split_at_checked(12) {
        let size = u32::from_le_bytes(head[..4].try_into().unwrap());
        let (frame, others) = frames.split_at(size.try_into().unwrap());
        // Coded frames; of an interframe the lowest bit is set.
        let kind = if frame[0] & 1 == 0 { 0x91 } else { 0xa1 };
        let body = [&[kind][..], b"vp08", frame].concat();
        clip.push(Packet::new(Kind::Video, clip.len() as i64 * 100, body.into()));
        rest = others;
    }
    assert_eq!(clip.len(), 60);
    clip
}

#[test]
fn vp8_has_pictures() {
    let Some(nine) = Ffmpeg::nine() else { return };
    assert_decoded(&nine, &vp8(&nine));
}
