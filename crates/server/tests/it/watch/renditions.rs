//! HLS of streams with several tracks of a kind: what there is to choose from, and that each of it is the whole of its
//! track, at the time of all others.

use std::collections::BTreeMap;
use std::thread;

use media::Kind;
use media::hls::TrackName;
use testkit::http::Answer;

use super::hls::{all_samples, beside, ended};
use super::samples::{self, Sample};
use super::*;

pub(super) const KEY: &str = "live/tracks";
const STREAM: &str = "/live/live/tracks";
pub(super) const V0: TrackName = TrackName { kind: Kind::Video, id: 0 };
pub(super) const V1: TrackName = TrackName { kind: Kind::Video, id: 1 };
pub(super) const A0: TrackName = TrackName { kind: Kind::Audio, id: 0 };
pub(super) const A1: TrackName = TrackName { kind: Kind::Audio, id: 1 };
pub(super) const ALL: [TrackName; 4] = [V0, V1, A0, A1];

/// A packet of H.264 or AAC as that of another track (E-RTMP v2 "Multitrack").
pub(crate) fn of_track(packet: &Packet, id: u8) -> Packet {
    let body = &packet.body;
    let (head, codec, data) = match packet.kind {
        Kind::Video => ([0x86 | body[0] & 0x70, body[1]], b"avc1", &body[2..]),
        _ => ([0x95, body[1]], b"mp4a", &body[2..]),
    };
    // What comes before a configuration of H.264 is no time.
    let data = if packet.kind == Kind::Video && body[1] == 0 { &data[3..] } else { data };
    let body = [&head[..], codec, &[id], data].concat();
    Packet::new(packet.kind, packet.dts_ms, body.into())
}

/// A stream of some seconds.
pub(super) struct Stream {
    /// What an encoder sends: configurations of all tracks, then their frames by their times.
    pub(super) sent: Vec<Packet>,
    /// The samples of each track.
    pub(super) samples: BTreeMap<TrackName, Vec<Sample>>,
}

/// Two pictures and two sounds, none like another.
pub(super) fn four(start_ms: i64, seconds: i64) -> Stream {
    let (mut configs, mut frames) = (Vec::new(), Vec::new());
    let mut samples = BTreeMap::new();
    for (seed, name) in (1..).zip(ALL) {
        let mut config =
            SourceConfig { start_ms, metadata: false, b_frames: 2, ..Default::default() };
        match name.kind {
            Kind::Video => (config.video_kbps, config.audio_kbps) = (300 / seed, 0),
            _ => config.video_kbps = 0,
        }
        let of_time = |packet: &Packet| packet.dts_ms < start_ms + seconds * 1_000;
        let packets: Vec<_> = Source::new(seed, config).take_while(of_time).collect();
        samples.insert(name, samples::of(&packets).remove(&name.kind).unwrap());
        let sent = packets.iter().map(|packet| match name.id {
            0 => packet.clone(),
            id => of_track(packet, id),
        });
        let (config, media): (Vec<_>, Vec<_>) = sent.partition(|packet| !packet.is_media());
        configs.extend(config);
        frames.extend(media);
    }
    frames.sort_by_key(|packet| packet.dts_ms);
    Stream { sent: [configs, frames].concat(), samples }
}

/// The playlists of all that there is, as a player finds them.
pub(super) fn begin_all(http: &Http, query: &str) -> (String, BTreeMap<TrackName, String>) {
    let answer = http.get(&format!("{STREAM}.m3u8{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let named = text.lines().filter_map(|line| match line.split_once(",URI=\"") {
        Some((_, rest)) => Some(rest.trim_end_matches('"')),
        None => (!line.starts_with('#')).then_some(line),
    });
    let urls = named.filter_map(|uri| {
        let file = uri.split('?').next()?.rsplit('/').next()?;
        let name = file.strip_suffix(".m3u8")?.parse().ok()?;
        Some((name, format!("/live/live/{uri}")))
    });
    let urls = urls.collect();
    (text, urls)
}

/// A publisher of a stream that somebody watches from the beginning, and what the viewer was given.
async fn watched(
    server: &Server,
    http: &Http,
    sent: &[Packet],
) -> (Publisher, String, BTreeMap<TrackName, String>) {
    let (opening, more) = sent.split_at(8);
    let mut publisher = begin(server, KEY, opening).await;
    let asking = http.clone();
    let asked = thread::spawn(move || begin_all(&asking, ""));
    server.wait_for_log("making segments", &[("stream_key", KEY)]);
    publisher.send_all(more).await.unwrap();
    let (text, urls) = asked.join().unwrap();
    (publisher, text, urls)
}

pub(super) fn values<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(tag)).collect()
}

#[test]
fn every_track_is_there_bit_for_bit_at_the_time_of_the_others() {
    let (mut server, http) = server();
    let Stream { sent, samples } = four(4_294_960_000, 10);
    testkit::block_on(async {
        let (publisher, text, urls) = watched(&server, &http, &sent).await;
        publisher.close().await.unwrap();
        assert_eq!(urls.keys().copied().collect::<Vec<_>>(), ALL, "{text}");
        let variants = values(&text, "#EXT-X-STREAM-INF:");
        assert_eq!(variants.len(), 2, "{text}");
        for told in [
            ",CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.0",
            ",AUDIO=\"audio-mp4a\"",
        ] {
            assert!(variants.iter().all(|variant| variant.contains(told)), "no {told}: {text}");
        }
        let mut shifts = Vec::new();
        for (name, url) in &urls {
            let text = ended(&http, url);
            assert!(text.contains("#EXT-X-TARGETDURATION:2\n"), "{name}: {text}");
            let found = all_samples(&http, url, &text);
            assert_eq!(found.keys().collect::<Vec<_>>(), [&name.kind], "{name} alone");
            let (found, sent) = (&found[&name.kind], &samples[name]);
            assert_eq!(found.len(), sent.len(), "{name}");
            for (n, (found, sent)) in found.iter().zip(sent).enumerate() {
                assert!(found.data == sent.data, "{name} {n}");
                shifts.push((name, found.time_ms - sent.time_ms));
            }
        }
        // Of sound and of pictures the oldest is at 0 here.
        assert!(shifts.iter().all(|(_, shift)| *shift == shifts[0].1), "{:?}", shifts[0]);
    });
    server.stop();
}

#[test]
fn what_comes_next_is_waited_for_in_every_playlist_and_each_reports_the_others() {
    let (mut server, http) = server();
    let Stream { sent, .. } = four(0, 14);
    let at = sent.iter().position(|packet| packet.dts_ms > 7_000).unwrap();
    testkit::block_on(async {
        let (mut publisher, _, urls) = watched(&server, &http, &sent[..at]).await;
        let texts: BTreeMap<_, _> = ALL
            .map(|name| {
                let found = until("segment 3 in all", || {
                    let text = http.get(&urls[&name]).text();
                    let others = text.matches(",LAST-MSN=3,LAST-PART=").count();
                    // Its own as well, which has a date before it is whole.
                    let dates = values(&text, "#EXT-X-PROGRAM-DATE-TIME:").len();
                    let is_open = dates > values(&text, "#EXTINF:").len();
                    let is_there = text.contains("/segment-2.m4s") && is_open && others == 3;
                    is_there.then_some(text)
                });
                (name, found)
            })
            .into();
        for (name, text) in &texts {
            for said in
                ["#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=", "#EXT-X-PART-INF:"]
            {
                assert_eq!(values(text, said).len(), 1, "{name}: {text}");
            }
            let reports = values(text, "#EXT-X-RENDITION-REPORT:");
            let others = ALL.iter().filter(|other| *other != name);
            for (report, other) in reports.iter().zip(others) {
                let start = format!("URI=\"{other}.m3u8\",LAST-MSN=3,LAST-PART=");
                assert!(report.starts_with(&start), "{name}: {report}");
                // It is the address that the viewer was given.
                assert_eq!(beside(&urls[name], &format!("{other}.m3u8")), urls[other]);
            }
            assert_eq!(reports.len(), 3, "{name}: {text}");
            let last = values(text, "#EXT-X-PART:").last().unwrap().to_owned();
            assert!(last.contains("URI=\"../"), "{last}");
            let dates = values(text, "#EXT-X-PROGRAM-DATE-TIME:").len();
            assert_eq!(dates, values(text, "#EXTINF:").len() + 1, "{name}: the open one too");
        }
        let hints: Vec<String> = ALL
            .map(|name| {
                let hint = values(&texts[&name], "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=")[0];
                beside(&urls[&name], hint.trim_matches('"'))
            })
            .into();
        let next = ALL.map(|name| format!("{}?_HLS_msn=4&_HLS_part=0", urls[&name]));
        let asked: Vec<_> = next
            .into_iter()
            .chain(hints.clone())
            .map(|path| (http.clone(), path))
            .map(|(http, path)| thread::spawn(move || http.get(&path)))
            .collect();
        publisher.send_all(&sent[at..]).await.unwrap();
        let answers: Vec<Answer> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        for (name, answer) in ALL.iter().zip(&answers) {
            assert!(
                answer.text().contains(&format!("../{name}/segment-3.m4s")),
                "{}",
                answer.text()
            );
        }
        for (hint, answer) in hints.iter().zip(&answers[4..]) {
            assert!(answer.status == 200 && !answer.body.is_empty(), "{hint}");
            assert!(answer.body == http.get(hint).body);
        }
        let far = http.get(&format!("{}?_HLS_msn=1000", urls[&V1]));
        assert_eq!(far.problem(), (400, "bad-value".to_owned()));
        for name in ["../video-1/segment-999.m4s", "../video-2/segment-0.m4s", "video-7.m3u8"] {
            let missing = http.get(&beside(&urls[&V1], name));
            assert_eq!(missing.problem(), (404, "not-found".to_owned()), "{name}");
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_viewer_is_one_whatever_it_chooses() {
    let (mut server, http) = server();
    let Stream { sent, .. } = four(0, 9);
    testkit::block_on(async {
        let (publisher, _, urls) = watched(&server, &http, &sent).await;
        let (_, others) = begin_all(&http, "");
        for url in urls.values().chain(others.values()) {
            assert_eq!(http.get(url).status, 200);
        }
        until("the same text of both", || {
            (http.get(&urls[&A1]).text() == http.get(&others[&A1]).text()).then_some(())
        });
        let path = format!("/api/v1/streams/{}", KEY.replace('/', "%2F"));
        let players = http.get(&path).ok()["players"].clone();
        assert_eq!(players["count"], 2, "{players}");
        let kick = format!("{path}/players/{}", players["list"][0]["id"]);
        assert_eq!(http.send("DELETE", &kick, None).status, 204);
        let answers = ALL.map(|name| [http.get(&urls[&name]), http.get(&others[&name])]);
        let statuses = answers.map(|answers| answers.map(|answer| answer.status));
        // One of the two, for all that it may choose.
        assert!(statuses == [[404, 200]; 4] || statuses == [[200, 404]; 4], "{statuses:?}");
        server.wait_for_log("play ended", &[("reason", "kicked")]);
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_reconnect_is_a_discontinuity_of_the_same_number_in_all() {
    let mut server = builder().args(["-play-hold", "10m"]).start();
    let http = server.api();
    let first = four(0, 5);
    testkit::block_on(async {
        let (publisher, _, urls) = watched(&server, &http, &first.sent).await;
        publisher.close().await.unwrap();
        let second = four(9_000_000, 5);
        let mut publisher = Publisher::connect(&server.url(KEY)).await.unwrap();
        publisher.send_all(&second.sent).await.unwrap();
        for (name, url) in &urls {
            let text = until("the second run", || {
                let text = http.get(url).text();
                let behind = text.split("#EXT-X-DISCONTINUITY\n").nth(1)?;
                behind.contains("/segment-4.m4s").then_some(text.clone())
            });
            assert_eq!(values(&text, "#EXT-X-DISCONTINUITY").len(), 1, "{name}: {text}");
            assert_eq!(values(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["0"], "{name}: {text}");
            let (before, behind) = text.split_once("#EXT-X-DISCONTINUITY\n").unwrap();
            assert!(before.contains("/segment-2.m4s"), "{name}: {text}");
            assert!(behind.contains("/segment-3.m4s"), "{name}: {text}");
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn mp4_is_of_the_first_tracks_together() {
    let (mut server, http) = server();
    let Stream { sent, samples } = four(0, 9);
    testkit::block_on(async {
        let mut publisher = begin(&server, KEY, &sent[..8]).await;
        let mut body = http.open(&format!("{STREAM}.mp4"));
        server.wait_for_log("making segments", &[]);
        publisher.send_all(&sent[8..]).await.unwrap();
        publisher.close().await.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut body, &mut bytes).unwrap();
        let first = [V0, A0].map(|name| (name.kind, samples[&name].clone())).into();
        samples::assert_same_end(&samples::read(&bytes), &first);
    });
    server.stop();
}

#[test]
fn what_cannot_be_shown_is_told_once_and_the_others_are_there() {
    let (mut server, http) = server();
    let Stream { mut sent, .. } = four(0, 9);
    let other = |dts_ms, kind: u8| {
        let body = [&[0x95, kind][..], b"zzzz", &[7, 1, 2, 3]].concat();
        Packet::new(Kind::Audio, dts_ms, body.into())
    };
    sent.insert(4, other(0, 0));
    sent.extend((0..20).map(|n| other(9_000 + n, 1)));
    testkit::block_on(async {
        let (publisher, _, urls) = watched(&server, &http, &sent).await;
        assert_eq!(urls.keys().copied().collect::<Vec<_>>(), ALL);
        publisher.close().await.unwrap();
        let _ = ended(&http, &urls[&V0]);
    });
    // With its end all of its log is there.
    server.stop();
    let told = |line: &testkit::server::LogLine| line.message == "track left out of segments";
    let lines: Vec<_> = server.logs().into_iter().filter(told).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].field("track").as_deref(), Some("audio-7"));
}
