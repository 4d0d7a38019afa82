//! Rewinding of streams with several tracks of a kind: of each of them every packet is there once, at the time of the
//! others.

use std::collections::BTreeMap;

use media::hls::TrackName;

use super::super::renditions::{ALL, KEY, Stream, begin_all, four, values};
use super::*;

type Urls = BTreeMap<TrackName, String>;

/// The packets of a stream, by the second of their times.
fn by_second(sent: &[Packet], start_ms: i64) -> Vec<Vec<Packet>> {
    let mut all: Vec<Vec<Packet>> = Vec::new();
    for packet in sent {
        let at = usize::try_from((packet.dts_ms - start_ms).max(0) / 1_000).unwrap();
        all.resize(all.len().max(at + 1), Vec::new());
        all[at].push(packet.clone());
    }
    all
}

/// Sends seconds of it no faster than segments are made of them.
async fn send_seconds(http: &Http, publisher: &mut Publisher, seconds: &[Vec<Packet>]) {
    for seconds in seconds.chunks(2) {
        // Two parts a second of each track, and of the first ones together; of each one is held back.
        send_parts(http, publisher, &seconds.concat(), (seconds.len() * 10).saturating_sub(5))
            .await;
    }
}

/// A publisher that has sent so many seconds before somebody asks, then some more; and what there is to choose from.
async fn rewound(
    server: &Server,
    http: &Http,
    sent: &[Vec<Packet>],
    first: usize,
    wait: impl FnOnce(&Http),
) -> (Publisher, Urls) {
    let mut publisher = begin(server, KEY, &sent[..first].concat()).await;
    wait(http);
    let asking = http.clone();
    let asked = std::thread::spawn(move || begin_all(&asking, "?dvr=1h"));
    server.wait_for_log("making segments", &[]);
    send_seconds(http, &mut publisher, &sent[first..]).await;
    let (text, urls) = asked.join().unwrap();
    assert_eq!(urls.keys().copied().collect::<Vec<_>>(), ALL, "{text}");
    (publisher, urls)
}

/// What the lists told.
#[derive(Default)]
struct Known(BTreeMap<TrackName, BTreeMap<u64, (String, String)>>);

impl Known {
    /// All numbers mean what they meant.
    fn note(&mut self, name: TrackName, text: &str) {
        let known = self.0.entry(name).or_default();
        for (number, told) in told(text) {
            assert_eq!(known.entry(number).or_insert_with(|| told.clone()), &told, "{name}");
        }
    }
}

/// Checks that a list of each track has all of it that was sent, from so many samples at least on, at the time of the
/// others. Returns how many of each are not there, at its beginning.
fn assert_tracks(
    http: &Http,
    urls: &Urls,
    texts: &BTreeMap<TrackName, String>,
    samples: &BTreeMap<TrackName, Vec<samples::Sample>>,
) -> BTreeMap<TrackName, usize> {
    let (mut shifts, mut firsts) = (Vec::new(), BTreeMap::new());
    for (name, text) in texts {
        let found = all_samples(http, &urls[name], text).remove(&name.kind).unwrap();
        let sent = &samples[name];
        let first = sent.len().checked_sub(found.len());
        let first = first.unwrap_or_else(|| panic!("{name}: {} of {}", found.len(), sent.len()));
        for (n, (found, sent)) in found.iter().zip(&sent[first..]).enumerate() {
            assert!(found.data == sent.data, "{name} {n} from {first}: {text}");
            shifts.push(found.time_ms - sent.time_ms);
        }
        firsts.insert(*name, first);
    }
    let is_one = |shift: &i64| *shift == shifts[0];
    assert!(shifts.iter().all(is_one), "one clock: {:?}", shifts.iter().find(|s| !is_one(s)));
    firsts
}

#[test]
fn every_packet_of_every_track_is_there_once_from_the_beginning_to_live() {
    FORMATS.into_iter().for_each(every_track_is_there);
}

fn every_track_is_there(format: &str) {
    let rotated = ["-record-rotate-duration", "7s", "-record-format", format];
    let mut server = at_once().args(rotated).start();
    let http = server.api();
    let start_ms = 4_294_960_000;
    let Stream { sent, samples } = four(start_ms, 75);
    let sent = by_second(&sent, start_ms);
    testkit::block_on(async {
        let (mut publisher, urls) = rewound(&server, &http, &sent[..26], 16, recorded).await;
        let mut known = Known::default();
        for (name, url) in &urls {
            assert!(url.ends_with(&format!("/{name}.m3u8?dvr=3600s")), "{url}");
            known.note(*name, &http.get(url).text());
        }
        for second in &sent[26..] {
            send_seconds(&http, &mut publisher, std::slice::from_ref(second)).await;
            for (name, url) in &urls {
                let text = http.get(url).text();
                known.note(*name, &text);
                let reports = values(&text, "#EXT-X-RENDITION-REPORT:");
                assert_eq!(reports.len(), 3, "{name}: {text}");
                assert!(
                    reports.iter().all(|report| report.contains(".m3u8?dvr=3600s\",LAST-MSN=1"))
                );
            }
        }
        publisher.close().await.unwrap();
        let texts: BTreeMap<_, _> =
            urls.iter().map(|(name, url)| (*name, ended(&http, url))).collect();
        settled(&http);
        let numbers = |text: &str| {
            let value = |name: &str| values(text, name).concat();
            (value("#EXT-X-MEDIA-SEQUENCE:"), value("#EXT-X-DISCONTINUITY-SEQUENCE:"))
        };
        let first = numbers(&texts[&ALL[0]]);
        for (name, text) in &texts {
            known.note(*name, text);
            assert_eq!(numbers(text), first, "{name}: {text}");
            assert_eq!(told(text), known.0[name], "{name}: nothing has left");
            assert_eq!(count(text, "#EXT-X-DISCONTINUITY"), 1, "only their number: {text}");
            assert_eq!(count(text, "#EXT-X-MAP"), 1, "{name}: {text}");
            let gone = http.get(&beside(&urls[name], &format!("../{name}/segment-0.m4s")));
            assert_eq!(gone.problem(), (404, "not-found".to_owned()));
        }
        let firsts = assert_tracks(&http, &urls, &texts, &samples);
        assert!(firsts.values().all(|first| *first == 0), "{firsts:?}");
    });
    server.stop();
}

#[test]
fn lists_of_tracks_from_before_the_recording_reach_back_to_its_beginning() {
    let mut server = builder().args(["-record-rejoin", "0"]).start();
    let http = server.api();
    let Stream { sent, samples } = four(0, 80);
    let sent = by_second(&sent, 0);
    testkit::block_on(async {
        let (mut publisher, urls) = rewound(&server, &http, &sent[..20], 1, |_| {}).await;
        assert!(urls.values().all(|url| url.ends_with(".m3u8?dvr=3600s&from=live")), "{urls:?}");
        let body = serde_json::json!({ "stream": KEY });
        assert_eq!(http.send("POST", "/api/v1/recordings", Some(&body)).status, 201);
        send_seconds(&http, &mut publisher, &sent[20..28]).await;
        let mut known = Known::default();
        until("a recording that is found", || {
            urls.iter().for_each(|(name, url)| known.note(*name, &http.get(url).text()));
            let whole = urls[&ALL[0]].strip_suffix("&from=live").unwrap();
            (http.get(whole).status == 200).then_some(())
        });
        for seconds in sent[28..].chunks(4) {
            send_seconds(&http, &mut publisher, seconds).await;
            urls.iter().for_each(|(name, url)| known.note(*name, &http.get(url).text()));
        }
        publisher.close().await.unwrap();
        let texts: BTreeMap<_, _> =
            urls.iter().map(|(name, url)| (*name, ended(&http, url))).collect();
        settled(&http);
        texts.iter().for_each(|(name, text)| known.note(*name, text));
        for (name, first) in assert_tracks(&http, &urls, &texts, &samples) {
            let begin_ms = samples[&name][first].time_ms;
            assert!((17_900..=22_100).contains(&begin_ms), "{name} from {begin_ms} ms on");
        }
    });
    server.stop();
}
