//! HLS of recordings of streams with several tracks of a kind: the same to choose from as live, each track whole.

use std::collections::BTreeMap;

use media::hls::TrackName;
use testkit::tools;

use super::hls::all_samples;
use super::renditions::{A0, A1, ALL, KEY, Stream, V0, V1, four, values};
use super::*;
use crate::ffmpeg::tool::{Ffmpeg, LONGEST};
use crate::record::closed;
use crate::support::{in_each_format, recording_as};

in_each_format!(
    every_track_of_a_recording_is_there_bit_for_bit,
    a_track_of_a_part_of_a_recording_is_there_for_that_part,
    a_track_of_the_middle_of_a_file_stays_after_the_server_was_killed,
);

/// A server that has recorded these packets in files of about 4 s, and the path of the recording.
fn recorded(format: &str, sent: &[Packet]) -> (Server, Http, String) {
    let options = ["-record-rotate-duration", "4s", "-record-rejoin", "0"];
    let server = recording_as(format).args(options).http().start();
    let http = server.api();
    testkit::block_on(async {
        let mut publisher = Publisher::connect(&server.url(KEY)).await.unwrap();
        publisher.send_all(sent).await.unwrap();
        publisher.close().await.unwrap();
    });
    closed(&server, KEY);
    let path = until("the recording", || {
        let list = http.get("/api/v1/recordings").ok();
        let known = &list["recordings"][0];
        let is_over = known["state"] == "complete";
        is_over.then(|| format!("/api/v1/recordings/{}", known["id"].as_str().unwrap()))
    });
    (server, http, path)
}

/// A playlist that names others, and their addresses.
fn begin(http: &Http, url: &str) -> (String, BTreeMap<TrackName, String>) {
    let answer = http.get(url);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let folder = url.split('?').next().unwrap().rsplit_once('/').unwrap().0;
    let named = text.lines().filter_map(|line| match line.split_once(",URI=\"") {
        Some((_, rest)) => Some(rest.trim_end_matches('"')),
        None => (!line.starts_with('#')).then_some(line),
    });
    let urls = named.map(|uri| {
        let (_, rest) = uri.split_once("?track=").unwrap_or_else(|| panic!("{uri}: {text}"));
        let name = rest.split('&').next().unwrap().parse().unwrap();
        (name, format!("{folder}/{uri}"))
    });
    let urls = urls.collect();
    (text, urls)
}

/// The samples of a track, in the order of its segments.
fn samples_of(http: &Http, url: &str, name: TrackName) -> Vec<samples::Sample> {
    let text = http.get(url).text();
    let found = all_samples(http, url, &text);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&name.kind], "{name} alone");
    found.into_values().flatten().collect()
}

fn every_track_of_a_recording_is_there_bit_for_bit(format: &str) {
    let Stream { sent, samples } = four(4_294_960_000, 10);
    let (mut server, http, path) = recorded(format, &sent);
    let (text, urls) = begin(&http, &format!("{path}/media.m3u8"));
    assert_eq!(urls.keys().copied().collect::<Vec<_>>(), ALL, "{text}");
    let variants = values(&text, "#EXT-X-STREAM-INF:");
    assert_eq!(variants.len(), 2, "{text}");
    for told in [
        ",CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=",
        ",AUDIO=\"audio-mp4a\"",
    ] {
        assert!(variants.iter().all(|variant| variant.contains(told)), "no {told}: {text}");
    }
    let timing = |text: &str| -> Vec<String> {
        let is_place = |line: &&str| line.starts_with("#EXT-X-MAP") || !line.starts_with('#');
        text.lines().filter(|line| !is_place(line)).map(str::to_owned).collect()
    };
    let first = timing(&http.get(&urls[&V0]).text());
    assert!(first.len() > 6 && first.contains(&"#EXT-X-PLAYLIST-TYPE:VOD".to_owned()), "{first:?}");
    let mut shifts = Vec::new();
    for (name, url) in &urls {
        assert_eq!(timing(&http.get(url).text()), first, "{name}");
        let (found, sent) = (samples_of(&http, url, *name), &samples[name]);
        assert_eq!(found.len(), sent.len(), "{name}");
        for (n, (found, sent)) in found.iter().zip(sent).enumerate() {
            assert!(found.data == sent.data, "{name} {n}");
            shifts.push(found.time_ms - sent.time_ms);
        }
    }
    assert!(shifts.iter().all(|shift| *shift == shifts[0]), "one clock: {}", shifts[0]);

    // The same of the stream, by the addresses of the recording.
    let key = KEY.replace('/', "%2F");
    let stretch = format!("/api/v1/streams/{key}/media.m3u8?from=2020-01-01T00:00:00Z");
    let (_, of_stream) = begin(&http, &stretch);
    for (name, url) in &of_stream {
        assert!(url.ends_with("&from=2020-01-01T00:00:00Z"), "{url}");
        let text = http.get(url).text();
        assert_eq!(
            text.replace("../../recordings/", "/api/v1/recordings/"),
            http.get(&urls[name]).text().replace("hls/", &format!("{path}/hls/"))
        );
    }
    let problem = |query: &str| http.get(&format!("{path}/media.m3u8?track={query}")).problem().1;
    assert_eq!([problem("video-7"), problem("video")], ["nothing-recorded", "bad-value"]);

    // For who takes one address alone.
    let url = format!("{path}/media.m3u8?tracks=first");
    let text = http.get(&url).text();
    let together = all_samples(&http, &url, &text);
    assert_eq!(together.len(), 2, "{text}");
    for (kind, found) in &together {
        let sent = &samples[ALL.iter().find(|name| name.kind == *kind).unwrap()];
        assert!(
            found.iter().map(|found| &found.data).eq(sent.iter().map(|sent| &sent.data)),
            "{kind:?}"
        );
    }

    if let Some(ffmpeg) = Ffmpeg::nine() {
        let url = format!("http://{}{path}/media.m3u8", server.http_addr());
        let mut command = ffmpeg.command(["-i", &url, "-map", "0", "-c", "copy", "-f", "framecrc"]);
        let output = tools::run(command.arg("-"), LONGEST).success();
        // What is in the frames is noise, which it says; it loses none of them.
        let text = String::from_utf8(output.stdout).unwrap();
        let listed = |n: usize| {
            let start = format!("{n},");
            text.lines().filter(|line| line.starts_with(&start)).count()
        };
        let mut counts = [0, 1, 2, 3].map(listed);
        let mut expected = ALL.map(|name| samples[&name].len());
        counts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(counts, expected, "each packet of each track");
    }
    server.stop();
}

fn a_track_of_a_part_of_a_recording_is_there_for_that_part(format: &str) {
    let Stream { sent, samples } = four(0, 13);
    // The second sound begins after 5 s, and the second pictures end after 7.
    let is_sent = |packet: &&Packet| match (packet.kind, packet.track) {
        (media::Kind::Audio, 1) => packet.is_media() && packet.dts_ms >= 5_000,
        (media::Kind::Video, 1) => packet.dts_ms < 7_000,
        _ => true,
    };
    let mut parts: Vec<_> = sent.iter().filter(is_sent).cloned().collect();
    let is_late =
        |packet: &&Packet| !packet.is_media() && (packet.kind, packet.track) == (A1.kind, 1);
    let config = sent.iter().find(is_late).unwrap().clone();
    let at = parts.iter().position(|packet| packet.dts_ms >= 5_000).unwrap();
    parts.insert(at, Packet { dts_ms: 5_000, ..config });
    let (mut server, http, path) = recorded(format, &parts);
    let (text, urls) = begin(&http, &format!("{path}/media.m3u8"));
    assert_eq!(urls.len(), 4, "{text}");
    for (name, part) in [(V0, 0..13_000), (V1, 0..7_000), (A0, 0..13_000), (A1, 5_000..13_000)] {
        let sent = samples[&name].iter().filter(|sample| part.contains(&sample.time_ms));
        let url = &urls[&name];
        let listed = http.get(url).text();
        let is_whole = part == (0..13_000);
        assert_eq!(listed.contains("#EXT-X-GAP"), !is_whole, "{name}: {listed}");
        // Of files that have nothing of it there is nothing.
        let mut asked = String::new();
        let mut is_gap = false;
        for line in listed.lines() {
            is_gap |= line == "#EXT-X-GAP";
            if line.starts_with('#') || !is_gap {
                asked.push_str(&format!("{line}\n"));
            }
            is_gap &= line.starts_with('#');
        }
        let found = all_samples(&http, url, &asked).remove(&name.kind).unwrap();
        let data: Vec<_> = found.iter().map(|sample| &sample.data).collect();
        let sent: Vec<_> = sent.map(|sample| &sample.data).collect();
        assert_eq!(data.len(), sent.len(), "{name}: {listed}");
        assert!(data == sent, "{name}");
    }
    server.stop();
}

fn a_track_of_the_middle_of_a_file_stays_after_the_server_was_killed(format: &str) {
    let Stream { sent, samples } = four(0, 25);
    let has_it = |ms: i64| (5_000..7_000).contains(&ms);
    let is_sent = |packet: &&Packet| {
        (packet.kind, packet.track) != (A1.kind, 1) || !packet.is_media() || has_it(packet.dts_ms)
    };
    let sent: Vec<_> = sent.iter().filter(is_sent).cloned().collect();
    let mut server = recording_as(format).http().start();
    let publisher = testkit::block_on(async {
        let mut publisher = Publisher::connect(&server.url(KEY)).await.unwrap();
        publisher.send_all(&sent).await.unwrap();
        publisher
    });
    let http = server.api();
    let path = until("the recording", || {
        let id = http.get("/api/v1/recordings").ok()["recordings"][0]["id"].clone();
        id.as_str().map(|id| format!("/api/v1/recordings/{id}"))
    });
    // A gap is behind it: it is not at the end any more.
    let url = format!("{path}/media.m3u8?track={A1}");
    let list_with = |http: &Http, line: &str| {
        until(line, || {
            let answer = http.get(&url);
            Some(answer.text()).filter(|text| answer.status == 200 && text.contains(line))
        })
    };
    let listed = list_with(&http, "#EXT-X-GAP");
    server.kill();
    drop(publisher);
    let mut server = recording_as(format).record_dir(server.record_dir()).http().start();
    server.allow("recording recovered");
    server.wait_for_log("recording recovered", &[]);
    let http = server.api();
    let whole = list_with(&http, "#EXT-X-ENDLIST");
    let segments = |text: &str| -> Vec<_> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert!(segments(&whole).starts_with(&segments(&listed)), "{listed}\n{whole}");
    let (text, urls) = begin(&http, &format!("{path}/media.m3u8"));
    assert_eq!(urls.len(), 4, "{text}");
    let found = samples_of(&http, &urls[&A1], A1);
    let sent = samples[&A1].iter().filter(|sample| has_it(sample.time_ms));
    assert!(found.iter().map(|sample| &sample.data).eq(sent.map(|sample| &sample.data)));
    server.stop();
}
