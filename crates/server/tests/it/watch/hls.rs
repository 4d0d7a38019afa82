//! HLS: what playlists say, and what they name.

use std::collections::BTreeMap;
use std::io::Read as _;

use testkit::http::Answer;

use super::renditions::values;
use super::*;
use crate::support::recording;

const STREAM: &str = "/live/live/test";

/// The URL of the media playlist: what a player is given first.
fn begin_hls(http: &Http) -> String {
    begin_at(http, "")
}

/// The same, asked for with a query.
pub(super) fn begin_at(http: &Http, query: &str) -> String {
    let answer = http.get(&format!("{STREAM}.m3u8{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type").unwrap(), "application/vnd.apple.mpegurl");
    assert_eq!(answer.header("cache-control").unwrap(), "no-store");
    let text = answer.text();
    let line = text.lines().find(|line| !line.starts_with('#')).unwrap();
    format!("/live/live/{line}")
}

/// What is named beside a playlist.
pub(super) fn beside(playlist: &str, name: &str) -> String {
    let mut folder = playlist.split('?').next().unwrap().rsplit_once('/').unwrap().0;
    let mut name = name;
    while let Some(above) = name.strip_prefix("../") {
        (folder, name) = (folder.rsplit_once('/').unwrap().0, above);
    }
    format!("{folder}/{name}")
}

/// A publisher of a stream that a muxer makes segments of, and its playlist, which came with the first segment.
async fn segmented(server: &Server, http: &Http, sent: &[Packet]) -> (Publisher, String) {
    let mut publisher = begin(server, "live/test", &sent[..OPENING]).await;
    let asking = http.clone();
    let asked = std::thread::spawn(move || begin_hls(&asking));
    server.wait_for_log("making segments", &[]);
    publisher.send_all(&sent[OPENING..]).await.unwrap();
    (publisher, asked.join().unwrap())
}

/// The playlist when it is over.
pub(super) fn ended(http: &Http, playlist: &str) -> String {
    until("the end", || {
        let text = http.get(playlist).text();
        text.ends_with("#EXT-X-ENDLIST\n").then_some(text)
    })
}

/// The samples of all segments that a playlist names; and where its parts are told, that they are the same.
pub(super) fn all_samples(http: &Http, url: &str, text: &str) -> samples::Samples {
    let (mut bytes, mut parts) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("#EXT-X-MAP:URI=\"") {
            let init = beside(url, rest.trim_end_matches('"'));
            let kind = if init.contains("/audio-") { "audio/mp4" } else { "video/mp4" };
            let init = http.get(&init);
            assert_eq!(init.header("content-type").unwrap(), kind);
            bytes.extend(init.body);
        } else if line.starts_with("#EXT-X-PART:") {
            let (_, name) = line.split_once(",URI=\"").unwrap();
            parts.extend(http.get(&beside(url, name.split('"').next().unwrap())).body);
        } else if !line.starts_with('#') {
            let segment = http.get(&beside(url, line));
            assert_eq!(segment.status, 200, "{line}: {} {text}", segment.text());
            assert!(parts.is_empty() || parts == segment.body, "{line} is its parts");
            bytes.extend(segment.body);
            parts.clear();
        }
    }
    samples::read(&bytes)
}

#[test]
fn every_sample_of_a_stream_is_in_the_segments() {
    let (mut server, http) = server();
    let config = SourceConfig { b_frames: 2, start_ms: 4_294_960_000, ..SourceConfig::default() };
    let sent = source(config, 800);
    testkit::block_on(async {
        let (publisher, url) = segmented(&server, &http, &sent).await;
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        let found = all_samples(&http, &url, &text);
        let firsts = samples::assert_same_end(&found, &samples::of(&sent));
        assert!(firsts.values().all(|first| *first == 0), "{firsts:?}");
        assert!(text.contains("#EXT-X-TARGETDURATION:2\n"), "{text}");
    });
    server.stop();
}

#[test]
fn a_player_that_comes_late_is_given_the_newest_group_of_pictures() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 1_500);
    testkit::block_on(async {
        let mut publisher = begin(&server, "live/test", &sent[..900]).await;
        let asking = http.clone();
        let asked = std::thread::spawn(move || asking.get(&format!("{STREAM}.m3u8")).text());
        server.wait_for_log("making segments", &[]);
        publisher.send_all(&sent[900..]).await.unwrap();
        let text = asked.join().unwrap();
        for told in ["CODECS=\"avc1.64001f,mp4a.40.2\"", "RESOLUTION=1280x720", "BANDWIDTH="] {
            assert!(text.contains(told), "no {told}: {text}");
        }
        let url = format!("/live/live/{}", text.lines().last().unwrap());
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        let found = all_samples(&http, &url, &text);
        let firsts = samples::assert_same_end(&found, &samples::of(&sent));
        assert!(firsts.values().all(|first| *first > 0), "{firsts:?}");
    });
    server.stop();
}

#[test]
fn requests_wait_for_what_comes_next() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 900);
    testkit::block_on(async {
        let (mut publisher, url) = segmented(&server, &http, &sent[..400]).await;
        let text = http.get(&url).text();
        let hint =
            text.lines().find_map(|line| line.strip_prefix("#EXT-X-PRELOAD-HINT:TYPE=PART,URI="));
        let hint = beside(&url, hint.unwrap().trim_matches('"'));
        let whole = text.lines().filter(|line| line.ends_with(".m4s")).count();
        let next = format!("{url}&_HLS_msn={}&_HLS_part=0", whole + 1);
        let asked: Vec<_> = [next.clone(), hint.clone()]
            .map(|path| (http.clone(), path))
            .map(|(http, path)| std::thread::spawn(move || http.get(&path)))
            .into();
        // They are asked while the answer is not there.
        until("two that wait", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            (stream["players"]["count"] == 1).then_some(())
        });
        publisher.send_all(&sent[400..]).await.unwrap();
        let answers: Vec<Answer> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        let now = answers[0].text();
        assert!(now.contains(&format!("segment-{whole}.m4s")), "{now}");
        assert_eq!(answers[1].status, 200);
        assert!(answers[1].body == http.get(&hint).body && !answers[1].body.is_empty());
        let far = http.get(&format!("{url}&_HLS_msn=1000"));
        assert_eq!(far.problem(), (400, "bad-value".to_owned()));
        let half = http.get(&format!("{url}&_HLS_part=1"));
        assert_eq!(half.problem(), (400, "bad-value".to_owned()));
        for (url, query) in [
            (&format!("{STREAM}.m3u8?"), "tracks=all"),
            (&format!("{STREAM}.m3u8?"), "tracks"),
            (&format!("{STREAM}.m3u8?"), "dvr=soon"),
            (&format!("{STREAM}.m3u8?"), "from=now"),
            (&format!("{STREAM}.m3u8?"), "viewer=me"),
            (&format!("{STREAM}.m3u8?"), "_HLS_msn=next"),
            (&format!("{STREAM}.m3u8?"), "_HLS_part=1"),
            (&url, "&tracks=all"),
            (&url, "&dvr=1h&from=now"),
            (&url, "&_HLS_msn=next"),
        ] {
            let refused = http.get(&format!("{url}{query}"));
            assert_eq!(refused.problem(), (400, "bad-value".to_owned()), "{query}");
            let field =
                query.trim_start_matches("&dvr=1h").trim_start_matches('&').split('=').next();
            assert_eq!(refused.json()["field"], field.unwrap());
        }
        // What others add is none of our business, and what is not left out does no harm.
        for url in [format!("{STREAM}.m3u8?_=17&token"), format!("{url}&_HLS_skip=v9&_HLS_more=1")]
        {
            assert_eq!(http.get(&url).status, 200, "{url}");
        }
        publisher.close().await.unwrap();
        // Nobody waits for what never comes.
        let end = http.get(&format!("{url}&_HLS_msn=9"));
        assert!(matches!(end.status, 200 | 400), "{}", end.text());
    });
    server.stop();
}

/// What an answer has, which is compressed.
pub(crate) fn unpacked(answer: &Answer) -> String {
    assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"));
    assert_eq!(answer.header("vary").as_deref(), Some("Accept-Encoding"));
    let mut text = String::new();
    let _ = flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
    assert!(answer.body.len() < text.len(), "{} bytes of {}", answer.body.len(), text.len());
    text
}

#[test]
fn answers_say_how_long_they_hold_and_come_in_parts_and_packed() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 800);
    testkit::block_on(async {
        let (publisher, url) = segmented(&server, &http, &sent).await;
        let playlist = http.get(&url);
        assert_eq!(playlist.header("cache-control").unwrap(), "no-cache");
        assert_eq!(playlist.header("access-control-allow-origin").unwrap(), "*");
        let asking = |coding| http.clone().header("Accept-Encoding", coding).get(&url);
        // It may grow between two requests.
        until("one playlist, packed and not", || {
            let refused = asking("br, gzip;q=0");
            assert_eq!(refused.header("content-encoding"), None);
            (unpacked(&asking("gzip, br")) == refused.text()).then_some(())
        });
        // The playlist before it as well.
        let multivariant = format!("{STREAM}.m3u8");
        for path in [&multivariant, &url] {
            let nothing = http.clone().header("Accept-Encoding", "identity;q=0").get(path);
            assert_eq!(nothing.problem(), (406, "not-acceptable".to_owned()), "{path}");
            let packed = http.clone().header("Accept-Encoding", "gzip, identity;q=0").get(path);
            assert_eq!(packed.header("content-encoding").as_deref(), Some("gzip"), "{path}");
        }
        // Who looks whether it is there is no viewer.
        let players =
            || http.get("/api/v1/streams/live%2Ftest").ok()["players"]["count"].as_u64().unwrap();
        let (other, before) = (url.replace("?viewer=", "?viewer=a"), players());
        assert_eq!(http.send("HEAD", &other[..other.len() - 1], None).status, 200);
        assert_eq!(players(), before);
        assert_eq!(http.get(&other[..other.len() - 1]).status, 200);
        assert_eq!(players(), before + 1);
        let path = beside(&url, "segment-0.m4s");
        let whole = http.get(&path);
        assert_eq!(whole.header("cache-control").unwrap(), "public, max-age=3600, immutable");
        assert_eq!(whole.header("accept-ranges").unwrap(), "bytes");
        let size = whole.body.len();
        for (range, start, end) in [("bytes=10-19", 10, 20), ("bytes=-7", size - 7, size)] {
            let part = http.clone().header("Range", range).get(&path);
            assert_eq!(part.status, 206);
            assert_eq!(part.body, whole.body[start..end], "{range}");
            let told = part.header("content-range").unwrap();
            assert_eq!(told, format!("bytes {start}-{}/{size}", end - 1));
        }
        let beyond = http.clone().header("Range", &format!("bytes={size}-")).get(&path);
        assert_eq!((beyond.status, beyond.body.len()), (416, 0));
        for name in ["segment-999.m4s", "part-999.m4s", "init-9.mp4", "segment-x.m4s", "other"] {
            let missing = http.get(&beside(&url, name));
            assert_eq!(missing.problem(), (404, "not-found".to_owned()), "{name}");
        }
        publisher.close().await.unwrap();
    });
    // The server hears a little later that its publisher is gone.
    let ask = || Some(http.get(&format!("{STREAM}.m3u8"))).filter(|answer| answer.status != 200);
    assert_eq!(until("the end", ask).problem(), (404, "no-publisher".to_owned()));
    server.stop();
}

#[test]
fn five_hundred_viewers_are_the_muxing_of_one() {
    let (parts, samples) = muxed_for(1);
    // Half a second each, of 12 s.
    assert!((20.0..40.0).contains(&parts), "{parts} parts");
    assert!(muxed_for(500) == (parts, samples));
}

/// How many parts of a stream were made for so many viewers, and what is in them: all have the same playlist at the
/// end, and some take all that it names.
fn muxed_for(viewers: usize) -> (f64, samples::Samples) {
    // The publisher sends nothing while all of them ask, one after the other.
    let mut server = builder().args(["-publish-timeout", "10m"]).start();
    let http = server.api();
    let sent = source(SourceConfig { video_kbps: 200, ..SourceConfig::default() }, 1_000);
    let muxed = testkit::block_on(async {
        let (mut publisher, first) = segmented(&server, &http, &sent[..500]).await;
        let others: Vec<String> = (1..viewers).map(|_| begin_hls(&http)).collect();
        let mut all = others.iter().chain([&first]);
        assert!(all.all(|url| http.get(url).status == 200));
        let asked = others.iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(asked.len(), viewers - 1, "each has a number of its own");
        // By the log: who has asked for nothing for 30 s is no player any more.
        let logs = || server.logs().into_iter().filter(|line| line.message == "play started");
        until("all players", || (logs().count() == viewers).then_some(()));
        let stream = http.get("/api/v1/streams/live%2Ftest").ok();
        assert_eq!(stream["players"]["list"][0]["via"], "hls");
        publisher.send_all(&sent[500..]).await.unwrap();
        publisher.close().await.unwrap();
        let last = ended(&http, &first);
        let samples = all_samples(&http, &first, &last);
        for (n, url) in others.iter().enumerate() {
            assert_eq!(http.get(url).text(), last, "all have the same");
            assert!(n % 50 != 0 || all_samples(&http, url, &last) == samples);
        }
        let metrics = http.get("/metrics").text();
        let value = |name: &str| -> f64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
        };
        assert_eq!(value("rtmp_hls_muxers"), 1.0);
        assert!(value("rtmp_players_via{via=\"hls\"}") > 0.0);
        assert!(value("rtmp_hls_bytes") > 0.0);
        (value("rtmp_hls_parts_total"), samples)
    });
    server.stop();
    muxed
}

#[test]
fn who_watches_is_a_player_and_a_stream_that_nobody_watches_costs_nothing() {
    let server = builder().deadline(std::time::Duration::from_secs(90));
    let mut server = server.args(["-publish-timeout", "10m"]).start();
    server.allow("play refused");
    let http = server.api();
    let sent = source(SourceConfig::default(), 800);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent[..500]).await;
        assert!(http.get("/metrics").text().contains("\nrtmp_hls_muxers 0.0\n"));
        publisher.close().await.unwrap();
        let (publisher, url) = segmented(&server, &http, &sent).await;
        let shown = || http.get("/api/v1/streams/live%2Ftest").ok();
        // Who only looks whether there is something watches nothing, however often.
        let looked: Vec<_> = (0..5).map(|_| begin_hls(&http)).collect();
        assert_eq!((looked.len(), &shown()["players"]["count"]), (5, &0.into()));
        assert_eq!(http.get(&url).status, 200);
        let stream = shown();
        assert_eq!(stream["players"]["count"], 1);
        let kick =
            format!("/api/v1/streams/live%2Ftest/players/{}", stream["players"]["list"][0]["id"]);
        assert_eq!(http.send("DELETE", &kick, None).status, 204);
        assert_eq!(http.get(&url).problem(), (404, "unknown-player".to_owned()));
        server.wait_for_log("play ended", &[("reason", "kicked")]);
        // Another one, which goes without a word.
        let again = begin_hls(&http);
        assert_eq!(http.get(&again).status, 200);
        // While the server is emptied there is none that comes.
        http.send("POST", "/api/v1/server/drain", None).ok();
        let refused = http.get(&format!("{STREAM}.m3u8"));
        assert_eq!(refused.problem(), (503, "stopping".to_owned()));
        http.send("DELETE", "/api/v1/server/drain", None).ok();
        server.wait_for_log("play ended", &[("reason", "asked for nothing any more")]);
        server.wait_for_log("no more segments", &[("stream_key", "live/test")]);
        let metrics = http.get("/metrics").text();
        for line in ["rtmp_hls_muxers 0.0", "rtmp_hls_bytes 0.0"] {
            assert!(metrics.lines().any(|found| found == line), "no {line}");
        }
        assert_eq!(http.get(&again).problem(), (404, "not-found".to_owned()));
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_reconnect_and_another_configuration_are_discontinuities() {
    assert_discontinuous(builder().args(["-play-hold", "10m"]));
}

#[test]
fn the_playlist_of_a_stream_waits_as_long_as_its_recording() {
    assert_discontinuous(recording().http().args(["-record-rejoin", "10m"]));
}

/// The playlist goes on with another run, which begins with a discontinuity.
fn assert_discontinuous(server: Builder) {
    let began = jiff::Timestamp::now();
    let mut server = server.start();
    let http = server.api();
    let sent = source(SourceConfig::default(), 500);
    testkit::block_on(async {
        let (publisher, url) = segmented(&server, &http, &sent).await;
        publisher.close().await.unwrap();
        // Another encoder: other parameters, and a clock of its own.
        let config = SourceConfig { start_ms: 9_000_000, ..SourceConfig::default() };
        let mut second = source(config, 500);
        let mut parameters = second[1].body.to_vec();
        parameters[45] ^= 0x04;
        second[1].body = parameters.into();
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&second).await.unwrap();
        let text = until("the second run", || {
            let text = http.get(&url).text();
            let behind = text.split("#EXT-X-DISCONTINUITY\n").nth(1)?;
            behind.contains("segment-").then_some(text.clone())
        });
        assert!(!text.contains("#EXT-X-ENDLIST"), "{text}");
        let maps: Vec<_> = text.lines().filter(|line| line.starts_with("#EXT-X-MAP")).collect();
        assert_eq!(maps, ["#EXT-X-MAP:URI=\"init-0.mp4\"", "#EXT-X-MAP:URI=\"init-1.mp4\""]);
        let dates = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"));
        let dates: Vec<jiff::Timestamp> = dates.map(|date| date.parse().unwrap()).collect();
        // What came at once is dated by the stream's own clock, back from when it came: it is 6.5 s long.
        let age = dates[0].duration_since(began).as_secs();
        assert!(age >= -7 && dates[0] < jiff::Timestamp::now(), "{age} s after the beginning");
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_jump_of_the_encoders_clock_is_a_discontinuity_at_the_right_date() {
    let (mut server, http) = server();
    let now_ms = || jiff::Timestamp::now().as_millisecond();
    let config = SourceConfig { start_ms: 20_000_000, ..SourceConfig::default() };
    let mut sent = source(config, 1_000);
    let is_key = |packet: &Packet| packet.role == media::Role::Key;
    let jump = 500 + sent[500..].iter().position(is_key).unwrap();
    // Back, which makes nothing too old for players that have not read it yet.
    sent[jump..].iter_mut().for_each(|packet| packet.dts_ms -= 14_400_000);
    testkit::block_on(async {
        let (mut publisher, url) = segmented(&server, &http, &sent[..jump]).await;
        let came_after_ms = now_ms();
        publisher.send_all(&sent[jump..]).await.unwrap();
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        let runs: Vec<_> = text.split("#EXT-X-DISCONTINUITY\n").collect();
        assert!(runs.len() == 2 && runs.iter().all(|run| run.contains(".m4s\n")), "{text}");
        let date = values(runs[1], "#EXT-X-PROGRAM-DATE-TIME:")[0].parse::<jiff::Timestamp>();
        let date_ms = date.unwrap().as_millisecond();
        // What came at once is dated by the stream's own clock, back from when it came.
        let length_ms = sent[sent.len() - 1].dts_ms - sent[jump].dts_ms;
        let range_ms = came_after_ms - length_ms..=now_ms();
        assert!(range_ms.contains(&date_ms), "{date_ms} is not in {range_ms:?}: {text}");
        let bodies = |samples: samples::Samples| -> Vec<_> {
            samples.into_values().flatten().map(|sample| sample.data).collect()
        };
        assert!(bodies(all_samples(&http, &url, &text)) == bodies(samples::of(&sent)));
    });
    server.stop();
}

#[test]
fn views_of_many_streams_do_not_mix() {
    let (mut server, http) = server();
    let mut all = BTreeMap::new();
    testkit::block_on(async {
        for (n, key) in ["live/a", "live/b", "other/deep/c"].into_iter().enumerate() {
            let seed = u32::try_from(n).unwrap() + 1;
            let sent: Vec<_> = Source::new(seed, SourceConfig::default()).take(500).collect();
            let mut publisher = begin(&server, key, &sent[..OPENING]).await;
            let mut body = http.open(&format!("/live/{key}.mp4"));
            server.wait_for_log("making segments", &[("stream_key", key)]);
            publisher.send_all(&sent[OPENING..]).await.unwrap();
            publisher.close().await.unwrap();
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes).unwrap();
            samples::assert_same_end(&samples::read(&bytes), &samples::of(&sent));
            all.insert(key, bytes);
        }
    });
    assert_ne!(all["live/a"], all["live/b"]);
    server.stop();
}
