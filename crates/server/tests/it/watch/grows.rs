//! Live playlists that reach back, given before anything was recorded: they grow from when something is.

use std::path::Path;

use super::hls::{all_samples, begin_at, ended};
use super::rewind::{are_told, encoded, gaps, seconds, send, settled, told};
use super::*;

/// A player that reads a list again and again.
struct Reader<'a> {
    http: &'a Http,
    url: String,
    known: std::collections::BTreeMap<u64, (String, String)>,
    first: u64,
}

impl<'a> Reader<'a> {
    fn new(http: &'a Http, url: String) -> Self {
        Self { http, url, known: Default::default(), first: 0 }
    }

    /// Reads it once more: it begins where it did or later, and all numbers mean what they meant.
    fn read(&mut self) -> String {
        let text = self.http.get(&self.url).text();
        let told = told(&text);
        let first = *told.keys().next().unwrap();
        assert!(first >= self.first, "{first} after {}", self.first);
        self.first = first;
        for (number, told) in told {
            assert_eq!(self.known.entry(number).or_insert_with(|| told.clone()), &told);
        }
        text
    }

    /// Reads it until the server has found what is recorded.
    fn found(&mut self) {
        let whole = self.url.strip_suffix("&from=live").unwrap().to_owned();
        until("a recording that is found", || {
            self.read();
            (self.http.get(&whole).status == 200).then_some(())
        });
    }

    async fn follow(&mut self, publisher: &mut Publisher, sent: &[Packet]) {
        for sent in sent.chunks(seconds(1)) {
            send(self.http, publisher, sent).await;
            self.read();
        }
    }
}

/// A stream that is sent while somebody watches who was given a list before anything was recorded.
async fn watched(server: &Server, http: &Http, sent: &[Packet]) -> (Publisher, String) {
    let mut publisher = begin(server, "live/test", &sent[..OPENING]).await;
    let asking = http.clone();
    let asked = std::thread::spawn(move || begin_at(&asking, "?dvr=1h"));
    server.wait_for_log("making segments", &[]);
    publisher.send_all(&sent[OPENING..seconds(5)]).await.unwrap();
    let url = asked.join().unwrap();
    assert!(url.ends_with("&dvr=3600s&from=live"), "{url}");
    send(http, &mut publisher, &sent[seconds(5)..]).await;
    (publisher, url)
}

/// Begins a recording.
fn record(http: &Http) -> String {
    let body = serde_json::json!({ "stream": "live/test" });
    let answer = http.send("POST", "/api/v1/recordings", Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn stop(http: &Http, id: &str) {
    let answer = http.send("POST", &format!("/api/v1/recordings/{id}/stop"), None);
    assert!(answer.status < 300, "{}", answer.text());
}

/// The segments of a list that are there, whose numbers are wanted.
fn there(text: &str, is_wanted: impl Fn(usize) -> bool) -> String {
    let map = text.lines().find(|line| line.starts_with("#EXT-X-MAP")).unwrap();
    let all = gaps(text).into_iter().enumerate();
    let names =
        all.filter(|(at, (_, is_gap))| !is_gap && is_wanted(*at)).map(|(_, (name, _))| name);
    format!("{map}\n{}\n", names.collect::<Vec<_>>().join("\n"))
}

/// Where segments begin in what was sent (s), of which they have a whole stretch, bit for bit.
fn begin_s(http: &Http, url: &str, text: &str, sent: &[Packet]) -> usize {
    let found = all_samples(http, url, text);
    let begins = samples::of(sent).into_iter().map(|(kind, sent)| {
        let found = &found[&kind];
        let at = sent.iter().position(|sample| sample.data == found[0].data).unwrap();
        let shift_ms = found[0].time_ms - sent[at].time_ms;
        for (n, (found, sent)) in found.iter().zip(&sent[at..]).enumerate() {
            assert!(found.data == sent.data, "{kind:?} {n} of {}: {text}", found.data.len());
            assert_eq!(found.time_ms - sent.time_ms, shift_ms, "{kind:?} {n}");
        }
        assert!(at + found.len() <= sent.len());
        (kind, at)
    });
    let begins: std::collections::BTreeMap<_, _> = begins.collect();
    begins[&media::Kind::Video] / 30
}

#[test]
fn a_list_from_before_the_recording_reaches_back_to_its_beginning() {
    let mut server = builder().args(["-record-rejoin", "0"]).start();
    let http = server.api();
    let sent = encoded(seconds(240));
    testkit::block_on(async {
        let (mut publisher, url) = watched(&server, &http, &sent[..seconds(90)]).await;
        let mut reader = Reader::new(&http, url.clone());
        reader.read();
        assert!(reader.first > 30, "the list has moved on: {}", reader.first);
        let id = record(&http);
        reader.follow(&mut publisher, &sent[seconds(90)..seconds(96)]).await;
        reader.found();
        reader.follow(&mut publisher, &sent[seconds(96)..seconds(150)]).await;
        let text = reader.read();
        let since = begin_s(&http, &url, &text, &sent);
        assert!((88..=92).contains(&since), "from {since} s on: {text}");
        // Who comes now has the same, by numbers of its own.
        let late = begin_at(&http, "?dvr=1h");
        assert!(late.ends_with("&dvr=3600s"), "{late}");
        let whole = http.get(&late).text();
        assert_eq!(begin_s(&http, &late, &whole, &sent), since, "{whole}");

        // It is stopped, and begun again: what was not recorded is a gap, what is before and behind it is there.
        stop(&http, &id);
        settled(&http);
        reader.follow(&mut publisher, &sent[seconds(150)..seconds(180)]).await;
        record(&http);
        reader.follow(&mut publisher, &sent[seconds(180)..]).await;
        publisher.close().await.unwrap();
        settled(&http);
        let text = until("a gap", || {
            let text = reader.read();
            let is_over = text.ends_with("#EXT-X-ENDLIST\n");
            (is_over && are_told(&http, &url, &gaps(&text))).then_some(text)
        });
        let all = gaps(&text);
        assert!(all.iter().filter(|(_, is_gap)| *is_gap).count() > 10, "{text}");
        let first = all.iter().position(|(_, is_gap)| *is_gap).unwrap();
        let last = all.iter().rposition(|(_, is_gap)| *is_gap).unwrap();
        assert_eq!(begin_s(&http, &url, &there(&text, |at| at < first), &sent), since);
        let behind = begin_s(&http, &url, &there(&text, |at| at > last), &sent);
        assert!((178..=184).contains(&behind), "from {behind} s on: {text}");
    });
    server.stop();
}

#[test]
fn what_any_recorder_has_is_there_when_another_one_stops() {
    let place = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        std::fs::write(place.path().join("new"), text).unwrap();
        std::fs::rename(place.path().join("new"), place.path().join("s.toml")).unwrap();
    };
    write("record-rejoin = '0'\n");
    let file: &Path = &place.path().join("s.toml");
    let mut server = builder().arg("-config").arg(file).start();
    let http = server.api();
    let sent = encoded(seconds(160));
    testkit::block_on(async {
        let (mut publisher, url) = watched(&server, &http, &sent[..seconds(20)]).await;
        let mut reader = Reader::new(&http, url.clone());
        let id = record(&http);
        reader.follow(&mut publisher, &sent[seconds(20)..seconds(30)]).await;
        reader.found();
        reader.follow(&mut publisher, &sent[seconds(30)..seconds(60)]).await;
        // A rule begins, then what was asked for is stopped.
        write("record-rejoin = '0'\n[[recorder]]\nname = 'cams'\nstreams = ['live/*']\n");
        server.wait_for_logs("recorder initialized", &[("stream_key", "live/test")], 2);
        reader.follow(&mut publisher, &sent[seconds(60)..seconds(80)]).await;
        stop(&http, &id);
        reader.follow(&mut publisher, &sent[seconds(80)..]).await;
        publisher.close().await.unwrap();
        let text = ended(&http, &url);
        settled(&http);
        assert!(!text.contains("#EXT-X-GAP"), "{text}");
        let since = begin_s(&http, &url, &text, &sent);
        assert!((18..=22).contains(&since), "from {since} s on: {text}");
    });
    server.stop();
}
