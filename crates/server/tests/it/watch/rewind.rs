//! Live playlists that reach back over the recording.

use std::collections::BTreeMap;

use super::hls::{all_samples, begin_at, beside, ended};
use super::*;
use crate::files::sender::Sender;
use crate::record::closed;
use crate::support::recording;

mod tracks;

/// A second of it has 30 pictures, the first of them a key frame, and 47 of sound.
fn small() -> SourceConfig {
    SourceConfig { key_interval: 30, video_kbps: 200, ..SourceConfig::default() }
}

/// So many seconds of it.
pub(super) fn seconds(seconds: usize) -> usize {
    seconds * 77
}

/// The first packets of it. As those of encoders, key frames have sizes of their own: each segment is looked for in one
/// place.
pub(super) fn encoded(packets: usize) -> Vec<Packet> {
    let mut sent = source(small(), packets);
    let keys = sent.iter_mut().filter(|packet| packet.role == media::Role::Key);
    for (n, key) in keys.enumerate() {
        let mut body = key.body.to_vec();
        body.resize(body.len() + n, 0);
        key.body = body.into();
    }
    sent
}

/// What recordings are made in.
const FORMATS: [&str; 2] = ["flv", "mp4"];

/// A publisher that has sent the first packets before somebody asks, and then sends the rest; and the address of the
/// playlist.
async fn rewound(
    server: &Server,
    http: &Http,
    sent: &[Packet],
    first: usize,
) -> (Publisher, String) {
    let mut publisher = begin(server, "live/test", &sent[..first]).await;
    recorded(http);
    let asking = http.clone();
    let asked = std::thread::spawn(move || begin_at(&asking, "?dvr=1h"));
    server.wait_for_log("making segments", &[]);
    send(http, &mut publisher, &sent[first..]).await;
    let url = asked.join().unwrap();
    assert!(url.ends_with("&dvr=3600s"), "{url}");
    (publisher, url)
}

/// Waits until the catalog knows the file that is being written: who asks to rewind waits for that for 10 s at most.
pub(super) fn recorded(http: &Http) {
    until("a recording that is known", || {
        let list = http.get("/api/v1/recordings?state=recording").ok();
        let id = list["recordings"][0]["id"].as_str()?;
        let files = &http.get(&format!("/api/v1/recordings/{id}")).ok()["files"];
        (!files.as_array().unwrap().is_empty()).then_some(())
    });
}

/// Waits until all recordings are over and the catalog knows their files: what has left memory is looked for there for
/// 3 s at most. Returns their ids, the newest first.
pub(super) fn settled(http: &Http) -> Vec<String> {
    until("recordings that are over", || {
        let list = http.get("/api/v1/recordings").ok();
        let all = list["recordings"].as_array().unwrap();
        let is_over = |recording: &serde_json::Value| recording["state"] == "complete";
        let ids = all.iter().map(|recording| recording["id"].as_str().unwrap().to_owned());
        (!all.is_empty() && all.iter().all(is_over)).then(|| ids.collect())
    })
}

/// Sends packets no faster than segments are made of them: a viewer that is far behind loses some.
pub(super) async fn send(http: &Http, publisher: &mut Publisher, packets: &[Packet]) {
    for packets in packets.chunks(seconds(3)) {
        // Two frames are held back.
        let made = (packets.len() * 2 / seconds(1)).saturating_sub(1);
        send_parts(http, publisher, packets, made).await;
    }
}

/// Sends packets of which so many parts are made, and waits for these.
async fn send_parts(http: &Http, publisher: &mut Publisher, packets: &[Packet], made: usize) {
    let parts = || -> f64 {
        let metrics = http.get("/metrics").text();
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix("rtmp_hls_parts_total "));
        value.map_or(0.0, |value| value.parse().unwrap())
    };
    let before = parts();
    publisher.send_all(packets).await.unwrap();
    until("parts of it", || (parts() >= before + made as f64).then_some(()));
}

/// What a playlist tells of each number: address and length.
pub(super) fn told(text: &str) -> BTreeMap<u64, (String, String)> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    let mut number = value("#EXT-X-MEDIA-SEQUENCE:").parse().unwrap();
    let (mut length, mut told) = (String::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("#EXTINF:") {
            length = said.to_owned();
        } else if !line.starts_with('#') {
            let name = line.rsplit('/').next().unwrap();
            assert_eq!(name, format!("rewind-{number}.m4s"));
            told.insert(number, (line.to_owned(), std::mem::take(&mut length)));
            number += 1;
        }
    }
    told
}

fn count(text: &str, tag: &str) -> usize {
    text.lines().filter(|line| line.starts_with(tag)).count()
}

#[test]
fn player_goes_from_the_beginning_of_the_recording_to_live_and_gets_every_packet_once() {
    FORMATS.into_iter().for_each(goes_from_the_beginning_to_live);
}

fn goes_from_the_beginning_to_live(format: &str) {
    let rotated = ["-record-rotate-duration", "7s", "-record-format", format];
    let mut server = at_once().args(rotated).start();
    let http = server.api();
    let sent =
        source(SourceConfig { b_frames: 2, start_ms: 4_294_960_000, ..small() }, seconds(120));
    testkit::block_on(async {
        let (mut publisher, url) = rewound(&server, &http, &sent[..seconds(30)], seconds(20)).await;
        let mut known = told(&http.get(&url).text());
        let oldest = *known.keys().next().unwrap();
        // At each reload all numbers mean what they meant, until what was live has left memory.
        for step in 31..=120 {
            send(&http, &mut publisher, &sent[seconds(step - 1)..seconds(step)]).await;
            for (number, told) in told(&http.get(&url).text()) {
                assert_eq!(known.entry(number).or_insert_with(|| told.clone()), &told);
            }
        }
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        for (number, told) in told(&text) {
            assert_eq!(known.entry(number).or_insert_with(|| told.clone()), &told);
        }
        assert_eq!(told(&text), known, "nothing has left");
        assert_eq!(
            known.keys().copied().collect::<Vec<_>>(),
            (oldest..).take(known.len()).collect::<Vec<_>>()
        );
        settled(&http);
        let found = all_samples(&http, &url, &text);
        let firsts = samples::assert_same_end(&found, &samples::of(&sent));
        assert!(firsts.values().all(|first| *first == 0), "{firsts:?}");
        assert_eq!(count(&text, "#EXT-X-DISCONTINUITY"), 1, "only their number: {text}");
        assert_eq!(count(&text, "#EXT-X-MAP"), 1, "{text}");
        // The first live segment is in memory no longer.
        let plain = http.get(url.split("&dvr").next().unwrap()).text();
        assert!(!plain.contains("rewind-"), "{plain}");
        let gone = http.get(&beside(&url, "segment-0.m4s"));
        assert_eq!(gone.problem(), (404, "not-found".to_owned()));
    });
    server.stop();
}

/// The parts of a playlist between its discontinuities, each with the initialization that it has.
fn stretches(text: &str) -> Vec<String> {
    let (mut map, mut all) = (String::new(), vec![String::new()]);
    for line in text.lines() {
        // The first segment of a list may have one that was between it and what has left.
        if line == "#EXT-X-DISCONTINUITY" && all.concat().contains(".m4s") {
            all.push(format!("{map}\n"));
        } else {
            all.last_mut().unwrap().push_str(&format!("{line}\n"));
        }
        if line.starts_with("#EXT-X-MAP") {
            map = line.to_owned();
        }
    }
    all
}

/// A server that records, whose playlists are over when their streams are.
fn at_once() -> Builder {
    recording().http().args(["-record-rejoin", "0"])
}

/// Checks that the stretches of a playlist are what was sent in each, whole.
fn assert_stretches(http: &Http, url: &str, text: &str, sent: &[&[Packet]]) {
    settled(http);
    let stretches = stretches(text);
    assert_eq!(stretches.len(), sent.len(), "{text}");
    for (stretch, sent) in stretches.iter().zip(sent) {
        let found = all_samples(http, url, stretch);
        let firsts = samples::assert_same_end(&found, &samples::of(sent));
        assert!(firsts.values().all(|first| *first == 0), "{firsts:?}");
    }
}

#[test]
fn a_publisher_that_was_away_is_a_discontinuity_and_nothing_is_missing() {
    // As long as it plays; and at once, so that it seems to have ended seconds after the second one began.
    let cases = [("0", 1, "flv"), ("0", 1_000, "flv"), ("3s", 1_000, "flv"), ("3s", 1_000, "mp4")];
    for (rejoin, speed, format) in cases {
        let args = ["-record-rejoin", rejoin, "-record-format", format];
        let mut server = recording().http().args(args).start();
        let http = server.api();
        let first = source(small(), seconds(if speed == 1 { 4 } else { 9 }));
        let second = source(SourceConfig { start_ms: 9_000_000, ..small() }, seconds(60));
        testkit::block_on(async {
            Sender::start(&server.url("live/test"), first.clone(), speed).finish();
            closed(&server, "live/test");
            let (publisher, url) = rewound(&server, &http, &second, seconds(20)).await;
            publisher.close().await.unwrap();
            let text = ended(&http, &url);
            assert_stretches(&http, &url, &text, &[&first, &second]);
        });
        server.stop();
    }
}

#[test]
fn another_configuration_in_the_past_and_while_it_is_live_is_told() {
    let mut server = at_once().start();
    let http = server.api();
    let mut sent = source(small(), seconds(70));
    let config = |packets: &[Packet], at: usize, bit: u8| {
        let mut config = packets.iter().find(|p| p.role == media::Role::Config).unwrap().clone();
        let mut parameters = config.body.to_vec();
        parameters[45] ^= bit;
        config.body = parameters.into();
        let key = |packet: &Packet| packet.role == media::Role::Key;
        let place = at + packets[at..].iter().position(key).unwrap();
        config.dts_ms = packets[place].dts_ms;
        (place, config)
    };
    let mut places = Vec::new();
    for (at, bit) in [(seconds(8), 0x04), (seconds(40), 0x08)] {
        let (place, config) = config(&sent, at, bit);
        sent.insert(place, config);
        places.push(place);
    }
    testkit::block_on(async {
        let (publisher, url) = rewound(&server, &http, &sent, seconds(20)).await;
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        settled(&http);
        assert_eq!(count(&text, "#EXT-X-MAP"), 3, "one for each: {text}");
        assert_eq!(count(&text, "#EXT-X-DISCONTINUITY"), 3, "two, and their number: {text}");
        // What is apart in the stream's own way is not apart here.
        let whole: String = text
            .lines()
            .filter(|line| *line != "#EXT-X-DISCONTINUITY")
            .map(|line| format!("{line}\n"))
            .collect();
        let found = all_samples(&http, &url, &whole);
        let media = samples::of(&sent);
        assert_eq!(found.keys().collect::<Vec<_>>(), media.keys().collect::<Vec<_>>());
        for (kind, sent) in &media {
            let data = |samples: &[samples::Sample]| -> Vec<Vec<u8>> {
                samples.iter().map(|sample| sample.data.clone()).collect()
            };
            assert!(data(&found[kind]) == data(sent), "{kind:?}");
        }
    });
    server.stop();
}

#[test]
fn what_is_deleted_leaves_the_playlist_from_its_beginning() {
    let mut server = at_once().start();
    let http = server.api();
    let sent = source(small(), seconds(60));
    testkit::block_on(async {
        Sender::start(&server.url("live/test"), sent[..seconds(4)].to_vec(), 1).finish();
        let id = settled(&http).remove(0);
        let (publisher, url) = rewound(&server, &http, &sent, seconds(20)).await;
        let before = told(&http.get(&url).text());
        let first = before.values().next().unwrap().0.clone();
        assert_eq!(http.get(&beside(&url, &first)).status, 200);
        assert!(http.send("DELETE", &format!("/api/v1/recordings/{id}"), None).status < 300);
        let after = until("a shorter list", || {
            let after = told(&http.get(&url).text());
            (!after.values().any(|(name, _)| *name == first)).then_some(after)
        });
        // What was being made meanwhile may be there as well.
        let is_same = |(number, told)| before.get(number).is_none_or(|before| before == told);
        assert!(after.iter().all(is_same), "{before:?} {after:?}");
        assert_eq!(http.get(&beside(&url, &first)).status, 404);
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        assert_stretches(&http, &url, &text, &[&sent]);
    });
    server.stop();
}

/// The names of segments in a playlist, and whether each is a gap.
pub(super) fn gaps(text: &str) -> Vec<(String, bool)> {
    let (mut is_gap, mut all) = (false, Vec::new());
    for line in text.lines() {
        is_gap |= line == "#EXT-X-GAP";
        if !line.starts_with('#') {
            all.push((line.to_owned(), std::mem::take(&mut is_gap)));
        }
    }
    all
}

/// Whether all gaps are told: what is before the first and behind the last of them is there.
pub(super) fn are_told(http: &Http, url: &str, all: &[(String, bool)]) -> bool {
    let is_there =
        |at: usize| all.get(at).is_some_and(|(name, _)| http.get(&beside(url, name)).status == 200);
    let first = all.iter().position(|(_, is_gap)| *is_gap);
    let last = all.iter().rposition(|(_, is_gap)| *is_gap);
    first.zip(last).is_some_and(|(first, last)| is_there(first - 1) && is_there(last + 1))
}

#[test]
fn what_is_live_after_its_recording_was_stopped_is_a_gap_when_it_has_left_memory() {
    FORMATS.into_iter().for_each(is_a_gap_after_its_recording);
}

fn is_a_gap_after_its_recording(format: &str) {
    let mut server = at_once().args(["-record-format", format]).start();
    let http = server.api();
    let sent = encoded(seconds(130));
    testkit::block_on(async {
        let (mut publisher, url) = rewound(&server, &http, &sent[..seconds(60)], seconds(50)).await;
        let mut known = told(&http.get(&url).text());
        let list = http.get("/api/v1/recordings?state=recording").ok();
        let stop =
            format!("/api/v1/recordings/{}/stop", list["recordings"][0]["id"].as_str().unwrap());
        assert!(http.send("POST", &stop, None).status < 300);
        settled(&http);
        send(&http, &mut publisher, &sent[seconds(60)..]).await;
        until("a gap", || http.get(&url).text().contains("#EXT-X-GAP\n").then_some(()));
        // One group of gaps; what is before it is in the recording, what is behind it in memory.
        let text = until("gaps that are told", || {
            let text = http.get(&url).text();
            are_told(&http, &url, &gaps(&text)).then_some(text)
        });
        let all = gaps(&text);
        let gap: Vec<_> = all.iter().filter(|(_, is_gap)| *is_gap).map(|(name, _)| name).collect();
        assert!(gap.len() > 10, "{text}");
        for name in [gap[0], gap[gap.len() / 2], gap[gap.len() - 1]] {
            assert_eq!(http.get(&beside(&url, name)).problem(), (404, "not-found".to_owned()));
        }
        // All numbers mean what they meant.
        for (number, told) in told(&text) {
            assert_eq!(known.entry(number).or_insert_with(|| told.clone()), &told);
        }
        // What an update says and what it leaves out is the whole list, unless that went on meanwhile.
        let (whole, update) = until("a list that stands still", || {
            let whole = http.get(&url).text();
            let update = http.get(&format!("{url}&_HLS_skip=YES")).text();
            (http.get(&url).text() == whole).then(|| (gaps(&whole), gaps(&update)))
        });
        assert_eq!(update, whole[whole.len() - update.len()..]);

        // What was recorded is there as it was sent, and what is in memory.
        let stretch = |is_wanted: &dyn Fn(usize) -> bool| {
            let begin = text.lines().position(|line| line.starts_with("#EXT-X-MAP")).unwrap();
            let map = text.lines().nth(begin).unwrap();
            let names = all.iter().enumerate().filter(|(at, _)| is_wanted(*at));
            let names: Vec<_> = names.map(|(_, (name, _))| name.as_str()).collect();
            all_samples(&http, &url, &format!("{map}\n{}\n", names.join("\n")))
        };
        let first_gap = all.iter().position(|(_, is_gap)| *is_gap).unwrap();
        let recorded = stretch(&|at| at < first_gap);
        let live = stretch(&|at| at >= first_gap && !all[at].1);
        let sent = samples::of(&sent);
        for (kind, sent) in &sent {
            let data = |samples: &[samples::Sample]| -> Vec<Vec<u8>> {
                samples.iter().map(|sample| sample.data.clone()).collect()
            };
            let (recorded, live, sent) = (data(&recorded[kind]), data(&live[kind]), data(sent));
            assert!(recorded == sent[..recorded.len()], "{kind:?}");
            let at = sent.iter().position(|sample| *sample == live[0]).unwrap();
            assert!(at > recorded.len() && live == sent[at..at + live.len()], "{kind:?}");
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_stream_that_is_not_recorded_has_the_ordinary_playlist_and_nonsense_is_refused() {
    let (mut server, http) = server();
    let sent = source(small(), seconds(12));
    testkit::block_on(async {
        let mut publisher = begin(&server, "live/test", &sent[..OPENING]).await;
        for wrong in ["0", "0s", "2", "-1h", "25h", "999999h", "soon", "", "500ms", "%32h"] {
            let answer = http.get(&format!("/live/live/test.m3u8?dvr={wrong}"));
            assert_eq!(answer.problem(), (400, "bad-value".to_owned()), "{wrong}");
            assert!(answer.text().contains("at most 24h"), "{}", answer.text());
        }
        let asking = http.clone();
        let asked = std::thread::spawn(move || begin_at(&asking, "?dvr=2h"));
        server.wait_for_log("making segments", &[]);
        publisher.send_all(&sent[OPENING..]).await.unwrap();
        let url = asked.join().unwrap();
        assert!(url.ends_with("&dvr=7200s&from=live"), "{url}");
        // The same as without, but for the names.
        let timing = |text: &str| -> Vec<String> {
            let told = ["#EXT-X-MEDIA-SEQUENCE", "#EXTINF", "#EXT-X-PART:", "#EXT-X-PRELOAD"];
            let is_told = |line: &&str| told.iter().any(|tag| line.starts_with(tag));
            text.lines().filter(is_told).map(str::to_owned).collect()
        };
        let plain = || http.get(url.split("&dvr").next().unwrap()).text();
        // Segments are still made of what was sent: nothing may come between looks that are compared.
        let (plain, reaching) = until("a list that stands still", || {
            let looks = (plain(), http.get(&url).text());
            (timing(&looks.0).len() > 5 && plain() == looks.0).then_some(looks)
        });
        assert_eq!(timing(&reaching), timing(&plain));
        let whole = http.get(url.strip_suffix("&from=live").unwrap());
        assert_eq!(whole.problem(), (400, "bad-value".to_owned()));
        // Nobody has found anything there, so there is no such list.
        assert_eq!(
            http.get(&beside(&url, "rewind-0.m4s")).body,
            http.get(&beside(&url, "segment-0.m4s")).body
        );
        for name in ["rewind-99.m4s", "rewind-1795963852.m4s", "rewind-init-0.mp4", "rewind-x.m4s"]
        {
            assert_eq!(http.get(&beside(&url, name)).problem(), (404, "not-found".to_owned()));
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn rewinding_needs_what_reading_recordings_needs() {
    const TOKEN: &str = "a-token-that-nobody-guesses";
    let mut server = at_once().args(["-api-token", TOKEN]).start();
    let open = Http::new(server.http_addr());
    let http = Http::new(server.http_addr()).token(TOKEN);
    let sent = source(small(), seconds(30));
    testkit::block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&sent[..seconds(20)]).await.unwrap();
        recorded(&http);
        let asking = http.clone();
        let asked = std::thread::spawn(move || begin_at(&asking, "?dvr=1h"));
        server.wait_for_log("making segments", &[]);
        publisher.send_all(&sent[seconds(20)..]).await.unwrap();
        let url = asked.join().unwrap();
        let text = http.get(&url).text();
        let first = told(&text).values().next().unwrap().0.clone();
        let first = beside(&url, &first);
        let coded = first.replace("rewind-", "%72ewind-");
        for path in ["/live/live/test.m3u8?dvr=1h", &url, &first, &coded] {
            assert_eq!(open.get(path).problem(), (401, "unauthorized".to_owned()), "{path}");
            let elsewhere = http.clone().header("Origin", "http://elsewhere.example");
            assert_eq!(elsewhere.get(path).problem(), (403, "cross-site".to_owned()), "{path}");
        }
        assert_eq!(http.get(&first).status, 200);
        // What is live is for everybody.
        assert_eq!(open.get("/live/live/test.m3u8").status, 200);
        assert_eq!(open.get(url.split("&dvr").next().unwrap()).status, 200);
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn reload_of_a_long_list_is_answered_with_what_is_new() {
    let mut server = at_once().start();
    let http = server.api();
    // As far as the answer needs it: who asks late is given what is new since then.
    let sent = source(small(), seconds(66));
    testkit::block_on(async {
        let (mut publisher, url) = rewound(&server, &http, &sent[..seconds(60)], seconds(50)).await;
        let whole = http.get(&url).text();
        assert!(whole.contains(",CAN-SKIP-UNTIL="), "{whole}");
        let numbers = told(&whole);
        let next = numbers.keys().last().unwrap() + 2;
        let reload = format!("{url}&_HLS_msn={next}&_HLS_part=0&_HLS_skip=YES");
        let asking = http.clone();
        let asked = std::thread::spawn(move || asking.get(&reload).text());
        send(&http, &mut publisher, &sent[seconds(60)..]).await;
        let update = asked.join().unwrap();
        let skip = |line: &str| line.strip_prefix("#EXT-X-SKIP:SKIPPED-SEGMENTS=")?.parse().ok();
        let skipped: u64 = update.lines().find_map(skip).unwrap_or_else(|| panic!("{update}"));
        let first = numbers.keys().next().unwrap();
        assert!(update.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n")), "{update}");
        let segments: Vec<_> = update.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(segments[0], format!("rewind-{}.m4s", first + skipped));
        assert!(segments.contains(&format!("rewind-{}.m4s", next - 1).as_str()), "{update}");
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_hangs_costs_those_who_rewind_an_error_and_nobody_else_anything() {
    let Some(disk) = crate::disk::mount::Mount::ext4(64 << 20) else { return };
    let mut server = at_once().record_dir(disk.record_dir()).start();
    for message in ["disk does not answer", "disk answers again", "recording has a gap"] {
        server.allow(message);
    }
    let http = server.api();
    let sent = source(small(), seconds(100));
    testkit::block_on(async {
        let (mut publisher, url) = rewound(&server, &http, &sent[..seconds(40)], seconds(20)).await;
        let oldest = told(&http.get(&url).text()).values().next().unwrap().0.clone();
        let oldest = beside(&url, &oldest);
        assert_eq!(http.get(&oldest).status, 200);
        let plain = begin_at(&http, "");
        let frozen = disk.freeze();
        // What the recorder writes hangs; soon what reads does.
        send(&http, &mut publisher, &sent[seconds(40)..seconds(70)]).await;
        std::thread::scope(|scope| {
            let asked: Vec<_> = (0..4).map(|_| scope.spawn(|| http.get(&oldest).status)).collect();
            for url in [&plain, &url] {
                let newest = until("what is new", || {
                    let text = http.get(url).text();
                    let number =
                        |line: &str| line.rsplit_once('-')?.1.strip_suffix(".m4s")?.parse().ok();
                    let newest: Option<u64> =
                        text.lines().rev().find(|l| !l.starts_with('#')).and_then(number);
                    newest.map(|number| (number, text))
                });
                assert!(count(&newest.1, "#EXTINF") > 5, "{}", newest.1);
            }
            // Each has its answer while the disk hangs.
            for asked in asked {
                let status = asked.join().unwrap();
                assert!([200, 503].contains(&status), "{status}");
            }
        });
        drop(frozen);
        until("the disk answers", || (http.get(&oldest).status == 200).then_some(()));
        send(&http, &mut publisher, &sent[seconds(70)..]).await;
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        settled(&http);
        let found = all_samples(&http, &url, &text);
        let firsts = samples::assert_same_end(&found, &samples::of(&sent));
        assert!(firsts.values().all(|first| *first == 0), "{firsts:?}");
    });
    server.stop();
}
