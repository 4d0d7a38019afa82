//! Recordings as MP4 and HLS, as players and clients of HTTP see them.

use std::path::{Path, PathBuf};
use std::process::Command;

use media::{Kind, Packet, Role};
use serde_json::{Value, json};
use testkit::server::Server;
use testkit::tools::Running;
use testkit::{Http, Publisher, block_on, tools};

use super::until;
use crate::ffmpeg::packets::{self, ROUNDING_US};
use crate::ffmpeg::tool::{
    AC3, AV1, EAC3, Encoder, FLAC, Ffmpeg, H264, HEVC, MP3, OPUS, Source, VP9, VVC,
};
use crate::files::judge::{self, PATIENCE, programs};
use crate::files::sender;
use crate::files::vlc::{self, Vlc};
use crate::range::pictures_with;
use crate::record::closed;
use crate::record::parts::verify;
use crate::support::{BINARY, recording};
use crate::watch::hls::unpacked;

/// Three rounds of the clip, 24 s, in files of about 4 s; and the path of the recording.
fn recorded() -> (Server, Http, String) {
    recorded_as("flv")
}

fn recorded_as(format: &str) -> (Server, Http, String) {
    let length = sender::clip().len();
    // The clip says that its sequence ends, after which there is no configuration.
    let goes_on = |packet: &Packet| packet.kind != Kind::Video || packet.body.get(1) != Some(&2);
    let packets: Vec<_> = sender::endless().filter(goes_on).take(length * 3 - 10).collect();
    recorded_of(&["-record-rotate-duration", "4s", "-record-format", format], &packets)
}

fn recorded_of(options: &[&str], packets: &[Packet]) -> (Server, Http, String) {
    // It is over with its publisher.
    let server = recording().args(["-record-rejoin", "0"]).args(options).http().start();
    let http = server.api();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(packets).await.unwrap();
        publisher.close().await.unwrap();
    });
    closed(&server, "live/test");
    let path = path_of(&http);
    let over = "/api/v1/recordings?state=complete";
    until("it is in the catalog", || http.get(over).ok()["recordings"].get(0).map(drop));
    (server, http, path)
}

fn path_of(http: &Http) -> String {
    let id = until("the recording", || {
        let list = http.get("/api/v1/recordings").ok();
        list["recordings"][0]["id"].as_str().map(str::to_owned)
    });
    format!("/api/v1/recordings/{id}")
}

/// Of a kind of media each packet's hash, with its times from the first picture on in microseconds.
fn packets(ffprobe: &Path, input: &str) -> [Vec<(i64, i64, String)>; 2] {
    let mut command = Command::new(ffprobe);
    command.args(["-v", "warning", "-show_packets", "-show_data_hash", "md5", "-of", "json"]);
    let output = tools::run(command.arg(input), PATIENCE).success();
    assert!(output.stderr.is_empty(), "{input}: {}", output.stderr);
    let probed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let micros = |packet: &Value, name: &str| {
        // Seconds with six decimals.
        packet[name].as_str().unwrap().replace('.', "").parse::<i64>().unwrap()
    };
    let all = probed["packets"].as_array().unwrap();
    let of = |kind: &'static str| all.iter().filter(move |packet| packet["codec_type"] == kind);
    let zero = of("video").map(|packet| micros(packet, "pts_time")).min().unwrap();
    ["video", "audio"].map(|kind| {
        let packet = |packet: &Value| {
            let times = ["pts_time", "dts_time"].map(|name| micros(packet, name) - zero);
            (times[0], times[1], packet["data_hash"].as_str().unwrap().to_owned())
        };
        of(kind).map(packet).collect()
    })
}

/// Same packets, at the same times to the ms.
fn assert_same(found: &[Vec<(i64, i64, String)>; 2], expected: &[Vec<(i64, i64, String)>; 2]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.2, expected.2);
            let apart = [found.0 - expected.0, found.1 - expected.1];
            assert!(apart.iter().all(|apart| apart.abs() <= 1_000), "{found:?} {expected:?}");
        }
    }
}

#[test]
fn every_view_has_the_packets_of_the_flv() {
    assert_views_agree("flv");
}

#[test]
fn every_view_of_what_was_recorded_as_mp4_has_the_packets_of_the_flv() {
    assert_views_agree("mp4");
}

fn assert_views_agree(format: &str) {
    let Some([ffmpeg, ffprobe]) = programs(["ffmpeg", "ffprobe"]) else { return };
    let (mut server, http, path) = recorded_as(format);
    let save = |name: &str| {
        let answer = http.get(&format!("{path}/{name}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let file = server.dir().join(name);
        std::fs::write(&file, answer.body).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let expected = packets(&ffprobe, &save("media.flv"));
    assert!(expected[0].len() > 500, "{}", expected[0].len());
    let mp4 = save("media.mp4");
    let url = format!("http://{}{path}/media.m3u8", server.http_addr());
    for input in [&mp4, &url] {
        assert_same(&packets(&ffprobe, input), &expected);
        for ffmpeg in [Some(ffmpeg.clone()), tools::ffmpeg9()].into_iter().flatten() {
            let mut command = Command::new(ffmpeg);
            command.args(["-nostdin", "-v", "warning", "-i", input, "-f", "null", "-"]);
            let output = tools::run(&mut command, PATIENCE).success();
            assert!(output.stderr.is_empty(), "{input}: {}", output.stderr);
        }
    }
    server.stop();
}

#[test]
fn every_view_of_hevc_and_opus_has_the_packets_of_the_flv() {
    assert_views_of_agree(HEVC, OPUS, "flv");
}

#[test]
fn every_view_of_av1_and_opus_recorded_as_mp4_has_the_packets_of_the_flv() {
    assert_views_of_agree(AV1, OPUS, "mp4");
}

#[test]
fn every_view_of_the_other_codecs_has_the_packets_of_the_flv() {
    assert_views_of_agree(VP9, FLAC, "mp4");
    assert_views_of_agree(VVC, EAC3, "flv");
    assert_views_of_agree(H264, AC3, "mp4");
    assert_views_of_agree(H264, MP3, "flv");
}

/// The same by FFmpeg 9 alone, which reads such FLV.
fn assert_views_of_agree(video: Encoder, audio: Encoder, format: &str) {
    let Some(nine) = Ffmpeg::nine() else { return };
    let source = Source { container: "mkv", video: Some(video), audio: Some(audio) };
    let sent = source.packets(&nine, 6);
    let options = ["-record-rotate-duration", "2s", "-record-format", format];
    let (mut server, http, path) = recorded_of(&options, &sent);
    assert!(server.recordings().len() > 1);
    let save = |name: &str| {
        let answer = http.get(&format!("{path}/{name}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let file = server.dir().join(name);
        std::fs::write(&file, answer.body).unwrap();
        file
    };
    let expected = nine.packets(&save("media.flv"));
    let count = |kind| sent.iter().filter(|p| p.kind == kind && p.is_media()).count();
    let [pictures, sounds] = [Kind::Video, Kind::Audio].map(count);
    assert!(expected.bodies().iter().map(Vec::len).eq([pictures, sounds]));
    let url = format!("http://{}{path}/media.m3u8", server.http_addr());
    for input in [save("media.mp4"), url.into()] {
        packets::assert_same(&expected, &nine.packets(&input), ROUNDING_US);
    }
    server.stop();
}

#[test]
fn vlc_plays_every_view_of_a_recording() {
    let sent: Vec<_> = sender::clip().into_iter().filter(|packet| packet.dts_ms < 3_000).collect();
    let (mut server, _, path) = recorded_of(&[], &sent);
    let views = ["media.flv", "media.mp4", "media.m3u8"];
    let url = |view| format!("http://{}{path}/{view}", server.http_addr());
    let play = |view| {
        let vlc = Vlc::new()?;
        Some((Running::start(&mut vlc.command(vlc::DUMMIES, url(view))), vlc))
    };
    let playing: Vec<_> = views.into_iter().filter_map(play).collect();
    for (player, _its_directory) in playing {
        vlc::assert_played(&player.wait(PATIENCE).success().stderr);
    }
    server.stop();
}

#[test]
fn mp4_has_ranges_of_bytes_and_a_tag() {
    let (mut server, http, path) = recorded();
    let mp4 = format!("{path}/media.mp4");
    let whole = http.get(&mp4);
    assert_eq!(whole.header("content-type").as_deref(), Some("video/mp4"));
    assert_eq!(whole.header("accept-ranges").as_deref(), Some("bytes"));
    let tag = whole.header("etag").unwrap();
    assert!(!tag.starts_with("W/"), "{tag}");
    let head = http.send("HEAD", &mp4, None);
    assert_eq!((head.status, head.header("etag")), (200, Some(tag.clone())));
    assert_eq!(head.header("content-length"), Some(whole.body.len().to_string()));

    let part = |range: &str| http.clone().header("Range", range);
    let size = whole.body.len();
    let mut joined = Vec::new();
    let step = size / 7 + 1;
    for start in (0..size).step_by(step) {
        let answer = part(&format!("bytes={start}-{}", start + step - 1)).get(&mp4);
        let last = (start + step).min(size) - 1;
        let range = format!("bytes {start}-{last}/{size}");
        assert_eq!((answer.status, answer.header("content-range")), (206, Some(range)));
        joined.extend(answer.body);
    }
    assert_eq!(joined, whole.body);
    let end = part("bytes=-1000").header("If-Range", &tag).get(&mp4);
    assert_eq!((end.status, &end.body[..]), (206, &whole.body[size - 1_000..]));
    let other = part("bytes=-1000").header("If-Range", "\"other\"").get(&mp4);
    assert_eq!((other.status, other.body.len()), (200, size));
    assert_eq!(part(&format!("bytes={size}-")).get(&mp4).status, 416);
    assert_eq!(http.clone().header("If-None-Match", &tag).get(&mp4).status, 304);

    // A stretch of the stream, over several files.
    let start = http.get(&path).ok()["start"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let after = |seconds| start + jiff::SignedDuration::from_secs(seconds);
    let (from, to) = (after(0), after(3));
    let stretch = format!("/api/v1/streams/live%2Ftest/media.mp4?cut=exact&from={from}&to={to}");
    let of_stream = http.get(&stretch);
    assert_eq!(of_stream.status, 200);
    assert_ne!(of_stream.header("etag"), Some(tag));
    let again = http.get(&format!("{path}/media.mp4?cut=exact&from={from}&to={to}"));
    assert_eq!((again.header("etag"), again.body), (of_stream.header("etag"), of_stream.body));
    server.stop();
}

#[test]
fn segments_of_hls_are_the_same_in_every_playlist() {
    let (mut server, http, path) = recorded();
    let answer = http.get(&format!("{path}/media.m3u8"));
    let kind = answer.header("content-type");
    assert_eq!(kind.as_deref(), Some("application/vnd.apple.mpegurl"));
    let text = answer.text();
    assert!(
        text.contains("#EXT-X-PLAYLIST-TYPE:VOD") && text.ends_with("#EXT-X-ENDLIST\n"),
        "{text}"
    );
    assert!(!text.contains("#EXT-X-DISCONTINUITY"), "{text}");
    assert_eq!(text.matches("#EXT-X-MAP").count(), 1, "one for all that goes on");
    let refuses = http.clone().header("Accept-Encoding", "gzip;q=0");
    let refused = refuses.get(&format!("{path}/media.m3u8"));
    assert_eq!((refused.header("content-encoding"), refused.text()), (None, text.clone()));
    let nothing = http.clone().header("Accept-Encoding", "identity;q=0");
    let nothing = nothing.get(&format!("{path}/media.m3u8"));
    assert_eq!(nothing.problem(), (406, "not-acceptable".to_owned()));
    for query in ["tracks=all", "tracks=first&track=video-0", "track=left"] {
        let refused = http.get(&format!("{path}/media.m3u8?{query}"));
        assert_eq!(refused.problem(), (400, "bad-value".to_owned()), "{query}");
    }
    let takes = http.clone().header("Accept-Encoding", "gzip");
    assert_eq!(unpacked(&takes.get(&format!("{path}/media.m3u8"))), text);
    let of_stream = "/api/v1/streams/live%2Ftest/media.m3u8?from=2020-01-01T00:00:00Z";
    let (packed, of_stream) = (takes.get(of_stream), http.get(of_stream).text());
    assert_eq!(unpacked(&packed), of_stream);
    let uris = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    let below = |uri: &String| format!("{path}/{uri}");
    let all: Vec<_> = uris(&text).iter().map(below).collect();
    let others: Vec<_> =
        uris(&of_stream).iter().map(|uri| uri.replace("../../", "/api/v1/")).collect();
    assert_eq!(all, others);
    assert!(all.len() > 4);
    for uri in &all {
        let (first, again) = (http.get(uri), http.get(uri));
        assert_eq!((first.status, &first.body[4..8]), (200, &b"styp"[..]));
        assert_eq!(first.body, again.body, "{uri}");
    }
    let (before, _) = all[0].rsplit_once('/').unwrap();
    let shifted = all[0].replace("/32768-", "/32769-");
    assert_eq!(http.get(&shifted).problem().1, "unknown-segment");
    let beyond = http.get(&format!("{before}/99000000-99100000.m4s"));
    assert_eq!(
        beyond.json()["detail"],
        "the file has nothing at that place: take places from a playlist"
    );
    assert_eq!(beyond.problem(), (404, "unknown-segment".to_owned()));
    assert_eq!(http.get(&format!("{before}/x.m4s")).problem().1, "bad-value");
    assert_eq!(http.get(&format!("{path}/hls/99/13/init.mp4")).problem().1, "unknown-segment");
    server.stop();
}

#[test]
fn playlist_grows_with_its_recording() {
    let args = ["-record-flush", "100ms", "-record-rejoin", "0"];
    let mut server = recording().args(args).http().start();
    let http = server.api();
    let packets: Vec<_> = sender::endless().take(sender::clip().len() * 3).collect();
    let (first, rest) = packets.split_at(packets.len() * 2 / 3);
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(first).await.unwrap();
        let path = path_of(&http);
        let playlist = || http.get(&format!("{path}/media.m3u8"));
        let growing = until("segments", || {
            let answer = playlist();
            let text = if answer.status == 200 { answer.text() } else { String::new() };
            (text.matches("#EXTINF").count() >= 2).then_some(text)
        });
        assert!(!growing.contains("#EXT-X-ENDLIST") && !growing.contains("TYPE:VOD"), "{growing}");
        let uri = growing.lines().rfind(|line| !line.starts_with('#')).unwrap();
        let before = http.get(&format!("{path}/{uri}")).body;
        publisher.send_all(rest).await.unwrap();
        publisher.close().await.unwrap();
        closed(&server, "live/test");
        let ended = until("the end", || {
            let text = playlist().text();
            text.ends_with("#EXT-X-ENDLIST\n").then_some(text)
        });
        let segments = |text: &str| -> Vec<String> {
            let after = text.lines().filter(|line| !line.starts_with("#EXT-X-"));
            after.skip(1).map(str::to_owned).collect()
        };
        assert!(segments(&ended).starts_with(&segments(&growing)), "{growing}{ended}");
        assert!(segments(&ended).len() > segments(&growing).len());
        assert_eq!(http.get(&format!("{path}/{uri}")).body, before);
    });
    server.stop();
}

#[test]
fn what_cannot_be_in_mp4_is_left_out_and_told() {
    let mut server = recording().http().start();
    let http = server.api();
    let speex = |ms: i64| Packet::new(Kind::Audio, ms, [&[0xb6][..], &[7; 40]].concat().into());
    let record = |key: &str, is_sent: fn(&Packet) -> bool| {
        block_on(async {
            let mut publisher = Publisher::connect(&server.url(key)).await.unwrap();
            let video = sender::clip().into_iter().filter(is_sent);
            let mut all: Vec<_> = video.chain((0..100).map(|i| speex(i * 20))).collect();
            all.sort_by_key(|packet| packet.dts_ms);
            publisher.send_all(&all).await.unwrap();
            publisher.close().await.unwrap();
        });
        closed(&server, key);
        let key = key.replace('/', "%2F");
        format!("/api/v1/streams/{key}/media.mp4?from=2020-01-01T00:00:00Z")
    };
    let known = |url: &str| {
        until("the recording", || Some(http.get(url)).filter(|answer| answer.status != 404))
    };
    let both = known(&record("live/both", |packet| packet.kind == Kind::Video));
    assert_eq!(both.status, 200, "{}", both.text());
    let refused = both.header("x-refused-tracks").unwrap();
    assert!(refused.starts_with("audio track 0: Speex cannot be in MP4"), "{refused}");
    assert_eq!(&both.body[4..8], b"ftyp");
    let alone = known(&record("live/alone", |_| false));
    assert_eq!(alone.problem(), (422, "no-mp4".to_owned()));
    assert!(alone.json()["detail"].as_str().unwrap().contains("Speex"), "{}", alone.text());
    server.stop();
}

#[test]
fn clip_is_kept_as_its_recorder_keeps_recordings() {
    let place = tempfile::tempdir().unwrap();
    let (config, dir) = (place.path().join("s.toml"), place.path().join("cup"));
    let text = "[[recorder]]\nname = 'cup'\nstreams = ['live/*']\nformat = 'mp4'\n";
    std::fs::write(&config, format!("{text}dir = {dir:?}\n")).unwrap();
    let builder = Server::builder(BINARY).http().args(["-record-rejoin", "0"]);
    let mut server = builder.arg("-config").arg(&config).start();
    let http = server.api();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&sender::clip()).await.unwrap();
        publisher.close().await.unwrap();
    });
    closed(&server, "live/test");
    let path = path_of(&http);
    until("a recording that is over and known", || {
        let list = http.get("/api/v1/recordings?state=complete").ok();
        (list["recordings"].as_array()?.len() == 1).then_some(())
    });
    let whole = http.get(&path).ok();
    let start = whole["start"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let after = |seconds| (start + jiff::SignedDuration::from_secs(seconds)).to_string();
    let (from, to) = (after(3), after(5));
    let body = json!({"from": from, "to": to, "name": "goal"});
    let answer = http.send("POST", &format!("{path}/clips"), Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let clip = answer.json();
    let asked = [&clip["recorder"], &clip["format"], &clip["name"]];
    assert_eq!(asked, [&json!("cup"), &json!("mp4"), &json!("goal")]);
    assert_eq!((&clip["clip"], &whole["clip"]), (&json!(true), &json!(false)));
    let place = answer.header("location").unwrap();
    let media = |url: &str| media_of(&http.get(url).body);
    let expected = media(&format!("{path}/media.flv?from={from}&to={to}"));
    assert!(expected.len() > 100, "{}", expected.len());
    assert_eq!(media(&format!("{place}/media.flv")), expected);
    server.stop();
    assert!(server.recordings().is_empty(), "{:?}", server.recordings());
    let files = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "mp4")).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let (code, said) = verify(files.iter().map(|file| file.as_path()));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(clips_in(&dir), [clip["id"].as_str().unwrap()]);
}

/// The clips among the recordings of a directory, as its files alone tell.
fn clips_in(dir: &Path) -> Vec<String> {
    let rebuild = ["catalog", "rebuild", "-record-dir"];
    let list = ["recordings", "list", "-json", "-record-dir"];
    let said = [rebuild.as_slice(), &list].map(|args| {
        let mut command = Command::new(BINARY);
        tools::run(command.args(args).arg(dir), PATIENCE).success().text()
    });
    let all = said[1].lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let clips = all.filter(|recording| recording["clip"] == true);
    clips.map(|clip| clip["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn clip_is_a_recording_of_its_own() {
    let (mut server, http, path) = recorded();
    let whole = http.get(&path).ok();
    let start = whole["start"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let after = |seconds| (start + jiff::SignedDuration::from_secs(seconds)).to_string();
    let (from, to) = (after(5), after(11));
    let body = json!({"from": from, "to": to, "name": "goal", "labels": {"event": "final"}});
    let answer = http.send("POST", &format!("{path}/clips"), Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let clip = answer.json();
    assert_eq!((&clip["name"], &clip["labels"]["event"]), (&json!("goal"), &json!("final")));
    assert_eq!((&clip["state"], &clip["stream"]), (&json!("complete"), &whole["stream"]));
    let place = answer.header("location").unwrap();
    assert_eq!(place, format!("/api/v1/recordings/{}", clip["id"].as_str().unwrap()));
    assert_ne!(clip["id"], whole["id"]);
    assert_eq!((&clip["clip"], &whole["clip"]), (&json!(true), &json!(false)));

    let media = |url: &str| media_of(&http.get(url).body);
    let expected = media(&format!("{path}/media.flv?from={from}&to={to}"));
    assert!(expected.len() > 300, "{}", expected.len());
    assert_eq!(media(&format!("{place}/media.flv")), expected);
    let files = |whole: &Value| whole["files"].clone();
    assert_eq!(files(&http.get(&path).ok()), files(&whole), "what it is of stays as it was");
    assert_eq!(http.get(&format!("{place}/media.mp4")).status, 200);

    let wrong = |body: Value| http.send("POST", &format!("{path}/clips"), Some(&body)).problem();
    let early = json!({"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"});
    assert_eq!(wrong(early), (404, "nothing-recorded".to_owned()));
    assert_eq!(wrong(json!({"labels": {"A B": "x"}})), (400, "bad-value".to_owned()));
    assert_eq!(wrong(json!({"format": "mkv"})), (400, "bad-value".to_owned()));
    let exact = http.send("POST", &format!("{path}/clips"), Some(&json!({"cut": "exact"})));
    assert_eq!(exact.problem(), (400, "bad-value".to_owned()));
    assert!(exact.text().contains("in MP4 it is cut to the ms"), "{}", exact.text());
    let files = server.recordings();
    let list = http.get("/api/v1/recordings").ok();
    assert_eq!(list["recordings"].as_array().unwrap().len(), 2);
    server.stop();
    assert_eq!(server.recordings(), files, "no file is left of those that failed");
    let clip = files.iter().find(|file| {
        let flv = testkit::flv::Flv::read(file).unwrap();
        flv.tags.iter().filter(|tag| tag.packet.is_media()).count() == expected.len()
    });
    judge::sound(clip.unwrap());
    assert_eq!(clips_in(server.record_dir()), [place.rsplit('/').next().unwrap()]);
}

#[test]
fn clip_to_the_ms_is_kept_as_mp4_and_shows_what_was_asked_for() {
    let Some(ffmpeg) = tools::ffmpeg9() else { return };
    let (mut server, http, path) = recorded();
    let start = http.get(&path).ok()["start"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let after = |ms| (start + jiff::SignedDuration::from_millis(ms)).to_string();
    let (from, to) = (after(5_130), after(11_370));
    let body = json!({"from": from, "to": to, "cut": "exact", "format": "mp4"});
    let answer = http.send("POST", &format!("{path}/clips"), Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let (clip, place) = (answer.json(), answer.header("location").unwrap());
    assert_eq!((&clip["format"], &clip["state"]), (&json!("mp4"), &json!("complete")));

    let dir = tempfile::tempdir().unwrap();
    let shown = |name: &str, url: &str| {
        let answer = http.get(url);
        assert_eq!(answer.status, 200, "{url}: {}", answer.text());
        let file = dir.path().join(name);
        std::fs::write(&file, &answer.body).unwrap();
        pictures_with(&ffmpeg, &["-copyts"], &file)
    };
    let wanted = shown("exact.mp4", &format!("{path}/media.mp4?from={from}&to={to}&cut=exact"));
    assert!(wanted.len() > 100 && wanted[0].0 < 40, "{}: {:?}", wanted.len(), wanted[0]);
    assert!(shown("kept.mp4", &format!("{place}/segments/1/file")) == wanted, "the file");
    assert!(shown("again.mp4", &format!("{place}/media.mp4")) == wanted, "as a download");
    let part = format!("{place}/media.mp4?to={}&cut=exact", after(7_000));
    let part = shown("part.mp4", &part);
    assert!(part[..] == wanted[..part.len()] && part.len() > 40, "{}", part.len());
    // A clip of it shows no more, whichever way it is cut; nor does what is cut to the ms.
    for body in
        [json!({"format": "mp4", "cut": "exact", "from": after(0)}), json!({"format": "mp4"})]
    {
        let answer = http.send("POST", &format!("{place}/clips"), Some(&body));
        assert_eq!(answer.status, 201, "{}", answer.text());
        let place = answer.header("location").unwrap();
        assert!(shown("clip.mp4", &format!("{place}/segments/1/file")) == wanted, "{body}");
    }
    let exact = http.get(&format!("{place}/media.flv?cut=exact"));
    let begins = exact.header("x-start-time").unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(begins, from.parse::<jiff::Timestamp>().unwrap());
    let flv = http.get(&format!("{place}/media.flv")).body;
    assert!(!flv.windows(5).any(|name| name == b"shown"), "FLV shows all that is in it");
    server.stop();
    let (code, said) = verify(server.recordings().iter().map(|file| file.as_path()));
    assert_eq!(code, Some(0), "{said}");
}

/// As it is found when the server is killed before it says that it is complete.
#[test]
fn half_a_clip_is_said_to_be_one_that_can_be_made_again() {
    let (mut server, http, path) = recorded();
    assert_eq!(http.send("POST", &format!("{path}/clips"), Some(&json!({}))).status, 201);
    server.stop();
    let [clip] = &clips_in(server.record_dir())[..] else { panic!("one clip") };
    let is_it = |file: &&PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(clip.len()).any(|text| text == clip.as_bytes())
    };
    let file = server.recordings().into_iter().find(|file| is_it(&file)).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let complete = bytes.windows(10).position(|name| name == b"complete\x01\x01").unwrap();
    bytes[complete + 9] = 0;
    std::fs::write(&file, bytes).unwrap();
    let mut server = recording().record_dir(server.record_dir()).start();
    server.wait_for_log("recording recovered", &[]);
    server.stop();
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("while this clip was made: its end may be missing"), "{said}");
}

/// A server that has recorded the clip twice, as one recording: the encoder said that its sequences end, and came
/// back with the same.
fn came_back(format: &str) -> (Server, Http, String) {
    let options = ["-record-rejoin", "60s", "-record-flush", "20ms", "-record-format", format];
    let server = recording().args(options).http().start();
    let http = server.api();
    let same = sender::clip();
    let ends = |packet: &Packet| packet.kind == Kind::Video && packet.body.get(1) == Some(&2);
    assert!(same.iter().any(ends), "its pictures say that they end");
    let mut path = String::new();
    for runs in 1..=2 {
        block_on(crate::record::publish(&server, "live/test", &same));
        closed(&server, "live/test");
        path = path_of(&http);
        written(&http, &path, runs);
    }
    (server, http, path)
}

/// What is in the recording when so many runs of the clip are written.
fn written(http: &Http, path: &str, runs: usize) -> Vec<(u32, Packet)> {
    let count = sender::clip().iter().filter(|packet| packet.is_media()).count();
    until("all is written", || {
        let file = http.get(&format!("{path}/media.flv"));
        let media = (file.status == 200).then(|| media_of(&file.body))?;
        (media.len() == runs * count).then_some(media)
    })
}

fn assert_read_over_reconnect(format: &str) {
    let Some(nine) = Ffmpeg::nine() else { return };
    let (mut server, http, path) = came_back(format);
    assert_eq!(http.get(&path).ok()["gaps"], 1);
    // Of a playlist that has no end FFmpeg reads the newest segments alone.
    assert_eq!(http.send("POST", &format!("{path}/stop"), Some(&json!({}))).status, 200);
    let clip = nine.packets(&sender::demo());
    let twice: Vec<_> = clip.bodies().iter().map(|of_track| of_track.repeat(2)).collect();
    let archive = format!("http://{}/api/v1/streams/live%2Ftest", server.http_addr());
    for view in ["media.flv", "media.mp4", "media.m3u8"] {
        let url = format!("{archive}/{view}?from=2020-01-01T00:00:00Z");
        // Behind a discontinuity of HLS it reads the initialization again.
        let listing = nine.packets_but_for(&["Found duplicated MOOV Atom"], url.as_ref());
        let counts = listing.bodies().iter().map(Vec::len).collect::<Vec<_>>();
        assert!(listing.bodies() == twice, "{view}: {counts:?}");
    }
    server.stop();
}

#[test]
fn ffmpeg_reads_every_packet_over_a_reconnect_from_every_address() {
    assert_read_over_reconnect("flv");
}

#[test]
fn ffmpeg_reads_every_packet_over_a_reconnect_of_what_was_recorded_as_mp4() {
    assert_read_over_reconnect("mp4");
}

/// An encoder comes back with the same, and at last with something else.
fn assert_clip_over_reconnects(format: &str) {
    let (mut server, http, path) = came_back(format);
    let mut other = sender::clip();
    let config = |p: &&mut Packet| (p.kind, p.role) == (Kind::Video, Role::Config);
    let config = other.iter_mut().find(config).unwrap();
    let mut parameters = config.body.to_vec();
    *parameters.last_mut().unwrap() ^= 0x04;
    config.body = parameters.into();
    let clip = |path: &str| {
        let start = http.get(path).ok()["start"].clone();
        http.send("POST", &format!("{path}/clips"), Some(&json!({"from": start})))
    };
    let made = clip(&path);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["gaps"], 1);
    let place = made.header("location").unwrap();
    assert_eq!(media_of(&http.get(&format!("{place}/media.flv")).body), written(&http, &path, 2));

    block_on(crate::record::publish(&server, "live/test", &other));
    written(&http, &path, 3);
    let refused = clip(&path);
    assert_eq!(refused.problem(), (422, "configuration-changes".to_owned()));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("and a clip has one"), "{detail}");
    let whole = http.get(&format!("{path}/media.mp4"));
    assert_eq!(whole.problem(), (422, "configuration-changes".to_owned()));
    // Before it and from it on is one configuration each.
    let change = whole.json()["changes_at"].as_str().unwrap().to_owned();
    assert_eq!(refused.json()["changes_at"], *change);
    for side in ["from", "to"] {
        let query = format!("cut=exact&{side}={}", change.replace('+', "%2B"));
        let half = http.get(&format!("{path}/media.mp4?{query}"));
        assert_eq!(half.status, 200, "{query}: {}", half.text());
    }
    server.stop();
}

#[test]
fn clip_goes_over_an_encoder_that_came_back_and_not_over_another_configuration() {
    assert_clip_over_reconnects("flv");
}

#[test]
fn clip_as_mp4_goes_over_an_encoder_that_came_back() {
    assert_clip_over_reconnects("mp4");
}

#[test]
fn clip_of_what_is_still_recorded_changes_nothing_of_its_stream() {
    let mut server = recording().http().args(["-record-flush", "20ms"]).start();
    let http = server.api();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        let packets: Vec<_> = sender::endless().take(sender::clip().len() * 2).collect();
        publisher.send_all(&packets).await.unwrap();
        let path = path_of(&http);
        let length = || http.get(&path).ok()["length_ms"].as_u64();
        until("it is long", || (length() >= Some(14_000)).then_some(()));
        let start = http.get(&path).ok()["start"].as_str().unwrap().parse::<jiff::Timestamp>();
        let start = start.unwrap();
        let after = |seconds| (start + jiff::SignedDuration::from_secs(seconds)).to_string();
        let stretch = |from, to| {
            let span = format!("from={}&to={}", after(from), after(to));
            http.get(&format!("/api/v1/streams/live%2Ftest/media.flv?{span}"))
        };
        let stretches = [(2, 5), (4, 9), (5, 7), (6, 12), (8, 12)];
        until("so much is written", || (stretch(13, 14).status == 200).then_some(()));
        let before = stretches.map(|(from, to)| stretch(from, to).body);
        let body = json!({"from": after(4), "to": after(8)});
        assert_eq!(http.send("POST", &format!("{path}/clips"), Some(&body)).status, 201);
        for ((from, to), before) in stretches.into_iter().zip(before) {
            assert_eq!(media_of(&stretch(from, to).body), media_of(&before), "{from} to {to}");
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

fn media_of(file: &[u8]) -> Vec<(u32, Packet)> {
    let flv = testkit::flv::Flv::from_reader(file).unwrap();
    assert_eq!(flv.faults, []);
    let media = flv.tags.into_iter().filter(|tag| tag.packet.is_media());
    media.map(|tag| (tag.header.timestamp_ms, tag.packet)).collect()
}
