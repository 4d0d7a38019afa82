//! Recordings by the API: started, stopped, cut, found, labelled, held, deleted and restored.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::server::Server;
use testkit::{Http, Publisher, Source, SourceConfig, block_on};

use super::{builder, publish, server, until};

const RECORDINGS: &str = "/api/v1/recordings";

fn ask(http: &Http, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = http.send(method, path, Some(body));
    (answer.status, answer.json())
}

fn start(http: &Http, body: &Value) -> Value {
    let (status, recording) = ask(http, "POST", RECORDINGS, body);
    assert_eq!(status, 201, "{recording}");
    recording
}

fn path_of(recording: &Value) -> String {
    format!("{RECORDINGS}/{}", recording["id"].as_str().unwrap())
}

fn refused(http: &Http, method: &str, path: &str, body: &Value) -> (u16, String) {
    http.send(method, path, Some(body)).problem()
}

/// Waits until a recording is as it should be, and returns it.
fn shown(http: &Http, recording: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    until("the recording", || Some(http.get(&path_of(recording)).ok()).filter(|r| is_so(r)))
}

/// Packets of a source that a publisher sends in two parts.
fn packets(count: usize) -> Vec<media::Packet> {
    Source::new(1, SourceConfig::default()).take(count).collect()
}

async fn connect(server: &Server, key: &str) -> Publisher {
    Publisher::connect(&server.url(key)).await.unwrap()
}

#[test]
fn a_recording_waits_for_its_stream_and_is_found_again() {
    block_on(async {
        let (mut server, http) = server();
        let body = json!({
            "stream": "live/show", "name": "first night", "labels": {"event": "concert"},
            "request_key": "night-1", "max_length": "2h",
        });
        let asked = start(&http, &body);
        assert_eq!(asked["state"], "waiting");
        assert_eq!(asked["recorder"], "api");
        assert_eq!(asked["max_length_ms"], 7_200_000);
        assert!(asked["start"].is_null(), "{asked}");
        // The same request is the same recording, and another with its key is refused.
        let (status, again) = ask(&http, "POST", RECORDINGS, &body);
        assert_eq!((status, &again["id"]), (200, &asked["id"]));
        let other = json!({"stream": "live/other", "request_key": "night-1"});
        let problem = refused(&http, "POST", RECORDINGS, &other);
        assert_eq!(problem, (409, "request-key-reused".to_owned()));
        assert_eq!(http.get(&path_of(&asked)).ok()["files"], json!([]));

        let publisher = publish(&server, "live/show", 300).await;
        let running =
            shown(&http, &asked, |r| r["state"] == "recording" && r["files"][0] != json!(null));
        assert_eq!(running["labels"], json!({"event": "concert"}));
        assert_eq!(running["files"][0]["state"], "open");
        for grown in ["length_ms", "size_bytes"] {
            assert_eq!(running["files"][0][grown], running[grown], "{grown}");
        }
        publisher.close().await.unwrap();
        let stop = format!("{}/stop", path_of(&asked));
        let (status, ended) = ask(&http, "POST", &stop, &json!({}));
        assert_eq!(status, 200, "{ended}");
        assert_eq!((&ended["state"], &ended["reason"]), (&json!("complete"), &json!("stopped")));
        let ledger = &ended["ledger"];
        assert_eq!(
            ledger["received"],
            json!({"packets": 300, "bytes": ledger["written"]["bytes"]})
        );
        assert_eq!(ledger["dropped"]["packets"], 0);
        // Once more changes nothing.
        assert_eq!(ask(&http, "POST", &stop, &json!({"wait": "0"})).0, 200);

        for query in [
            "stream=live/*",
            "recorder=api",
            "label=event",
            "label=event:concert",
            "text=NIGHT",
            "state=complete",
            "held=false",
            "order=oldest",
            "limit=1",
            "from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00%2B02:00",
        ] {
            let page = http.get(&format!("{RECORDINGS}?{query}")).ok();
            assert_eq!(page["recordings"][0]["id"], asked["id"], "{query}: {page}");
        }
        for query in [
            "stream=other/*",
            "recorder=all",
            "label=event:opera",
            "text=opera",
            "state=binned",
            "held=true",
            "to=2020-01-01T00:00:00Z",
        ] {
            let page = http.get(&format!("{RECORDINGS}?{query}")).ok();
            assert_eq!(page["recordings"], json!([]), "{query}");
        }
        server.stop();
    });
}

#[test]
fn what_has_just_begun_or_ended_is_found_at_once() {
    block_on(async {
        let (mut server, http) = server();
        let publisher = publish(&server, "live/new", 300).await;
        let found = |query: &str| {
            let page = http.get(&format!("{RECORDINGS}?{query}")).ok();
            page["recordings"].as_array().unwrap().clone()
        };
        for (n, order) in ["newest", "oldest"].into_iter().enumerate() {
            let body = json!({"stream": "live/new", "name": order, "labels": {"n": n.to_string()}});
            let asked = start(&http, &body);
            let query = format!("order={order}&stream=live/*&label=n:{n}&text={order}");
            let list = found(&query);
            assert_eq!((list.len(), &list[0]["id"]), (1, &asked["id"]), "{list:?}");
            let past = found(&format!("{query}&to=2020-01-01T00:00:00Z"));
            let other = found(&format!("order={order}&state=complete&label=n:{n}"));
            assert!(past.is_empty() && other.is_empty(), "{past:?} {other:?}");
        }
        // One that is over as soon as it has begun as well.
        let asked = start(&http, &json!({"stream": "live/new", "labels": {"n": "2"}}));
        ask(&http, "POST", &format!("{}/stop", path_of(&asked)), &json!({"wait": "0"}));
        let list = found("label=n:2");
        assert_eq!((list.len(), &list[0]["id"]), (1, &asked["id"]), "{list:?}");
        publisher.close().await.unwrap();
        server.stop();
    });
}

#[test]
fn all_of_a_recording_is_there_as_soon_as_it_is_said_to_be_complete() {
    // As long as for any disk it is waited for, and no longer.
    let longest = Duration::from_secs(5);
    block_on(async {
        let mut server = builder().args(["-record-all", "true", "-record-rejoin", "0"]).start();
        let http = server.api();
        let record = async |n: usize| {
            publish(&server, &format!("live/{n}"), 300).await.close().await.unwrap();
            // The log tells before the catalog knows.
            let lines = server.wait_for_logs("recording complete", &[], n);
            format!("{RECORDINGS}/{}", lines.last().unwrap().field("recording").unwrap())
        };
        // The first one has the catalog made.
        record(1).await;
        let complete = format!("{RECORDINGS}?state=complete");
        until("the catalog", || http.get(&complete).ok()["recordings"].get(0).map(drop));
        for n in 2..=3 {
            let path = record(n).await;
            let asked = Instant::now();
            let media = http.get(&format!("{path}/media.flv"));
            assert!(media.status == 200 || asked.elapsed() >= longest, "{}", media.text());
            until("that it is complete", || {
                let asked = Instant::now();
                let whole = http.get(&path).ok();
                let is_there = whole["files"][0]["state"] == "finished";
                let is_complete = whole["state"] == "complete";
                assert!(!is_complete || is_there || asked.elapsed() >= longest, "{whole}");
                is_complete.then_some(())
            });
        }
        server.stop();
    });
}

#[test]
fn what_cannot_be_asked_for_says_why() {
    let (mut server, http) = server();
    let none = format!("{RECORDINGS}/0123456789abcdef");
    let post = |body: Value| refused(&http, "POST", RECORDINGS, &body);
    let bad = (400, "bad-value".to_owned());
    assert_eq!(post(json!({"stream": ""})), bad);
    for stream in ["", "rtmp://host/live/x", "live/a?token=1", "live/a\n"] {
        let answer = http.send("POST", RECORDINGS, Some(&json!({"stream": stream})));
        assert_eq!(answer.json()["field"], "stream", "{stream:?}");
        assert_eq!(answer.problem(), bad, "{stream:?}");
    }
    assert_eq!(post(json!({"stream": "live/a", "pre_roll": "11m"})), bad);
    assert_eq!(post(json!({"stream": "live/a", "max_length": "soon"})), bad);
    assert_eq!(post(json!({"stream": "live/a", "pre_roll": "-1s"})), bad);
    assert_eq!(post(json!({"stream": "live/a", "format": "avi"})), bad);
    assert_eq!(post(json!({"stream": "live/a", "tracks": "left"})), bad);
    assert_eq!(post(json!({"stream": "live/a", "name": "a\nb"})), bad);
    assert_eq!(post(json!({"stream": "live/a", "labels": {"BIG": "x"}})), bad);
    let many: serde_json::Map<_, _> =
        (0..33).map(|i| (format!("l{i}"), Value::from("x"))).collect();
    assert_eq!(post(json!({"stream": "live/a", "labels": many})), bad);
    assert_eq!(post(json!({"stream": "live/a", "request_key": ""})), bad);
    assert_eq!(post(json!({})), (400, "missing-field".to_owned()));
    assert_eq!(post(json!({"stream": "live/a", "lables": {}})), (400, "unknown-field".to_owned()));
    let unknown = json!({"stream": "live/a", "recorder": "nobody"});
    assert_eq!(post(unknown), (404, "unknown-recorder".to_owned()));
    for query in [
        "limit=0",
        "limit=1001",
        "after=x",
        "from=yesterday",
        "state=lost",
        "state=cancelled",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "label=",
        "label=:x",
        "order=random",
        "stream=***",
        "text=",
    ] {
        let answer = http.get(&format!("{RECORDINGS}?{query}"));
        assert_eq!(answer.problem(), bad, "{query}");
    }
    assert_eq!(http.get(&format!("{RECORDINGS}?sream=a")).problem().1, "unknown-parameter");
    let nobodys = http.get(&format!("{RECORDINGS}?recorder=nobody"));
    let detail = "recorder: no recorder of the name \"nobody\" is in the configuration or has recorded \
                  anything: all, api are or have";
    assert_eq!(nobodys.json()["detail"], detail);
    assert_eq!(nobodys.problem(), (404, "unknown-recorder".to_owned()));
    // One that every server has, and has recorded nothing.
    let empty = http.get(&format!("{RECORDINGS}?recorder=api")).ok();
    assert_eq!(empty["recordings"], json!([]));
    assert_eq!(http.get(&format!("{RECORDINGS}/nonsense")).problem(), bad);
    let unknown = (404, "unknown-recording".to_owned());
    assert_eq!(http.get(&none).problem(), unknown);
    for what in ["stop", "split", "hold", "release", "restore"] {
        assert_eq!(
            refused(&http, "POST", &format!("{none}/{what}"), &json!({})),
            unknown,
            "{what}"
        );
    }
    assert_eq!(http.send("DELETE", &none, None).problem(), unknown);
    assert_eq!(refused(&http, "PATCH", &none, &json!({"labels": {"a": "b"}})), unknown);
    let body = json!({"wait": "26s"});
    assert_eq!(refused(&http, "POST", &format!("{none}/stop"), &body), bad);
    server.stop();
}

#[test]
fn a_recorder_that_is_disabled_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.toml");
    let text = "[[recorder]]\nname = 'night'\nstreams = ['live/*']\nenabled = false\n";
    std::fs::write(&file, text).unwrap();
    let mut server = builder().arg("-config").arg(&file).start();
    let body = json!({"stream": "live/a", "recorder": "night"});
    let answer = server.api().send("POST", RECORDINGS, Some(&body));
    assert_eq!(answer.json()["detail"], "recorder: \"night\" is disabled");
    assert_eq!(answer.problem(), (404, "unknown-recorder".to_owned()));
    let empty = server.api().get(&format!("{RECORDINGS}?recorder=night")).ok();
    assert_eq!(empty["recordings"], json!([]));
    server.stop();
}

#[test]
fn one_that_waits_can_be_taken_back_and_nothing_else() {
    let (mut server, http) = server();
    let waiting = start(&http, &json!({"stream": "live/never"}));
    let path = path_of(&waiting);
    let problem = (409, "recording-waiting".to_owned());
    assert_eq!(refused(&http, "POST", &format!("{path}/hold"), &json!({})), problem);
    assert_eq!(http.send("DELETE", &path, None).problem(), problem);
    assert_eq!(
        refused(&http, "POST", &format!("{path}/split"), &json!({})),
        (409, "not-running".to_owned())
    );
    let page = http.get(&format!("{RECORDINGS}?state=waiting&stream=live/*")).ok();
    assert_eq!(page["recordings"][0]["id"], waiting["id"]);
    assert_eq!(
        http.get(&format!("{RECORDINGS}?state=waiting&stream=x/*")).ok()["recordings"],
        json!([])
    );
    let (status, cancelled) = ask(&http, "POST", &format!("{path}/stop"), &json!({}));
    assert_eq!((status, &cancelled["state"]), (200, &json!("cancelled")));
    assert_eq!(http.get(&path).problem().0, 404);
    server.stop();
}

#[test]
fn a_split_makes_another_file_and_loses_nothing() {
    let (mut server, http) = server();
    block_on(async {
        let mut publisher = connect(&server, "live/cut").await;
        let sent = packets(900);
        let (first, rest) = sent.split_at(450);
        publisher.send_all(first).await.unwrap();
        until("the stream", || {
            (http.get("/api/v1/streams/live%2Fcut").status == 200).then_some(())
        });
        let recording = start(&http, &json!({"stream": "live/cut"}));
        // Before there is a file there is none to be split.
        shown(&http, &recording, |r| r["files"][0]["state"] == "open");
        let (status, _) = ask(&http, "POST", &format!("{}/split", path_of(&recording)), &json!({}));
        assert_eq!(status, 202);
        publisher.send_all(rest).await.unwrap();
        publisher.close().await.unwrap();
        let (status, ended) =
            ask(&http, "POST", &format!("{}/stop", path_of(&recording)), &json!({}));
        assert_eq!(status, 200, "{ended}");
        assert_eq!(ended["segments"], 2);
        let whole = http.get(&path_of(&recording)).ok();
        let files = whole["files"].as_array().unwrap();
        assert_eq!(
            files[0]["length_ms"].as_u64().unwrap() + files[0]["start_ms"].as_u64().unwrap(),
            files[1]["start_ms"].as_u64().unwrap()
        );
        assert_eq!(whole["missing"], json!([]));
        assert_eq!(ended["ledger"]["received"], ended["ledger"]["written"]);
    });
    let (code, said) = crate::record::parts::verify(server.recordings().iter().map(AsRef::as_ref));
    assert_eq!(code, Some(0), "{said}");
    server.stop();
}

/// The lengths in ms of a recording that is asked for with 5 s of what came before, and of one without.
fn lengths_with_pre_roll(args: &[&str]) -> (u64, u64) {
    let mut server = builder().args(["-pre-roll", "10s"]).args(args).start();
    let http = server.api();
    let mut lengths = (0, 0);
    block_on(async {
        // Twelve seconds of the stream's own time, with a key frame every two.
        let publisher = publish(&server, "live/past", 900).await;
        until("all", || {
            let stream = http.get("/api/v1/streams/live%2Fpast").ok();
            (stream["received"]["packets"] == 900).then_some(())
        });
        let one = start(&http, &json!({"stream": "live/past", "pre_roll": "5s", "name": "past"}));
        let two = start(&http, &json!({"stream": "live/past", "name": "now"}));
        publisher.close().await.unwrap();
        for recording in [&one, &two] {
            let stop = format!("{}/stop", path_of(recording));
            assert_eq!(ask(&http, "POST", &stop, &json!({})).0, 200);
        }
        let length = |r: &Value| http.get(&path_of(r)).ok()["length_ms"].as_u64().unwrap();
        lengths = (length(&one), length(&two));
    });
    server.stop();
    lengths
}

#[test]
fn a_recording_may_begin_before_it_was_asked_for() {
    let (past, now) = lengths_with_pre_roll(&[]);
    assert!((5_000..9_500).contains(&past) && now < 2_500, "{past} and {now} ms");
}

#[test]
fn no_more_is_kept_for_that_than_the_pre_roll_buffer_holds() {
    // Less than a second of it.
    let (past, now) = lengths_with_pre_roll(&["-pre-roll-buffer", "128KiB"]);
    assert!(past < 2_500 && past == now, "{past} and {now} ms");
}

#[test]
fn a_recording_ends_by_itself_at_its_length_and_has_the_tracks_that_were_asked_for() {
    block_on(async {
        let (mut server, http) = server();
        let long = start(&http, &json!({"stream": "live/long", "max_length": "2s"}));
        let sound = start(&http, &json!({"stream": "live/long", "tracks": "audio"}));
        let publisher = publish(&server, "live/long", 900).await;
        let ended = shown(&http, &long, |r| r["state"] == "complete");
        assert_eq!(ended["reason"], "length");
        let length = ended["length_ms"].as_u64().unwrap();
        assert!((1_900..4_100).contains(&length), "{length} ms");
        publisher.close().await.unwrap();
        let (_, ended) = ask(&http, "POST", &format!("{}/stop", path_of(&sound)), &json!({}));
        assert!(ended["ledger"]["received"]["packets"].as_u64().unwrap() < 900, "{ended}");
        // The catalog alone says when it ended.
        let kept = shown(&http, &sound, |r| r["end"].is_string());
        assert_eq!(kept["tracks"], "audio");
        let has_video = |file: &std::path::PathBuf| {
            let flv = testkit::flv::Flv::read(file).unwrap();
            flv.tags.iter().any(|tag| tag.packet.kind == media::Kind::Video)
        };
        let with_video: Vec<_> = server.recordings().iter().map(has_video).collect();
        assert_eq!(with_video.iter().filter(|has| **has).count(), 1, "{with_video:?}");
        assert_eq!(with_video.len(), 2);
        server.stop();
    });
}

#[test]
fn labels_holds_and_the_bin() {
    block_on(async {
        let (mut server, http) = server();
        let recording = start(&http, &json!({"stream": "live/keep", "labels": {"take": "1"}}));
        let path = path_of(&recording);
        let publisher = publish(&server, "live/keep", 200).await;
        shown(&http, &recording, |r| r["files"][0]["state"] == "open");
        // What runs can be labelled and held, but not deleted.
        let labels = json!({"labels": {"take": "2", "who": "ana"}});
        assert_eq!(
            ask(&http, "PATCH", &path, &labels).1["labels"],
            json!({"take": "2", "who": "ana"})
        );
        assert_eq!(ask(&http, "POST", &format!("{path}/hold"), &json!({})).1["held"], true);
        let running = (409, "recording-running".to_owned());
        assert_eq!(http.send("DELETE", &path, None).problem(), running);
        publisher.close().await.unwrap();
        assert_eq!(ask(&http, "POST", &format!("{path}/stop"), &json!({})).0, 200);
        let held = (409, "recording-held".to_owned());
        assert_eq!(http.send("DELETE", &path, None).problem(), held);
        assert_eq!(ask(&http, "POST", &format!("{path}/release"), &json!({})).1["held"], false);
        assert_eq!(
            refused(&http, "POST", &format!("{path}/restore"), &json!({})),
            (409, "not-in-bin".to_owned())
        );
        let files = server.recordings();
        let bytes = std::fs::read(&files[0]).unwrap();
        let binned = http.send("DELETE", &path, None).ok();
        assert_eq!(binned["state"], "binned");
        assert!(binned["purge"].is_string(), "{binned}");
        assert_eq!(server.recordings(), [""; 0].map(std::path::PathBuf::from));
        assert_eq!(http.get(RECORDINGS).ok()["recordings"], json!([]));
        for file in ["segments/1/file", "media.flv"] {
            let answer = http.get(&format!("{path}/{file}"));
            assert_eq!(answer.json()["detail"], "in the bin: restore it first");
            assert_eq!(answer.problem(), (404, "file-missing".to_owned()));
        }
        let bin = http.get(&format!("{RECORDINGS}?state=binned")).ok();
        assert_eq!(bin["recordings"][0]["id"], recording["id"]);
        let (status, restored) = ask(&http, "POST", &format!("{path}/restore"), &json!({}));
        assert_eq!((status, &restored["state"]), (200, &json!("complete")), "{restored}");
        assert_eq!(std::fs::read(&files[0]).unwrap(), bytes);
        let labels = json!({"labels": {"who": null}});
        assert_eq!(ask(&http, "PATCH", &path, &labels).1["labels"], json!({"take": "2"}));
        assert_eq!(
            http.send("DELETE", &format!("{path}?at_once=true"), None).ok()["state"],
            "deleted"
        );
        assert_eq!(server.recordings(), [""; 0].map(std::path::PathBuf::from));
        server.stop();
    });
}

#[test]
fn recordings_in_directories_that_are_told_from_here_are_found_binned_and_restored() {
    let place = tempfile::tempdir().unwrap();
    let config = place.path().join("s.toml");
    let recorder = |name: &str, dir: &str| {
        format!("[[recorder]]\nname = '{name}'\nstreams = ['live/*']\ndir = '{dir}'\n")
    };
    std::fs::write(&config, recorder("web", "web") + &recorder("up", "web/../up")).unwrap();
    let mut server = builder().arg("-config").arg(config).args(["-record-rejoin", "0"]).start();
    let (http, dir) = (server.api(), server.dir().to_owned());
    std::fs::create_dir_all(dir.join("web")).unwrap();
    block_on(async {
        publish(&server, "live/test", 200).await.close().await.unwrap();
    });
    for name in ["web", "up"] {
        let found = format!("{RECORDINGS}?recorder={name}&state=complete");
        let recording = until("it is over", || http.get(&found).ok()["recordings"].get(0).cloned());
        let path = path_of(&recording);
        let whole = http.get(&path).ok();
        let file = std::path::PathBuf::from(whole["files"][0]["file"].as_str().unwrap());
        let bytes = std::fs::read(&file).unwrap();
        assert!(file.is_absolute(), "{file:?}");
        assert_eq!(http.send("DELETE", &path, None).ok()["state"], "binned");
        assert!(!file.exists());
        let (status, restored) = ask(&http, "POST", &format!("{path}/restore"), &json!({}));
        assert_eq!((status, &restored["state"]), (200, &json!("complete")), "{restored}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
        let gone = http.send("DELETE", &format!("{path}?at_once=true"), None);
        assert_eq!(gone.ok()["state"], "deleted");
        assert!(!file.exists());
    }
    server.stop();
}

#[test]
fn a_recording_has_ended_when_its_publisher_left_and_not_when_it_was_waited_for() {
    let mut server = builder().args(["-record-all", "true", "-record-rejoin", "2s"]).start();
    let http = server.api();
    block_on(async {
        publish(&server, "live/test", 200).await.close().await.unwrap();
    });
    let logged = |message: &str| {
        let line = server.wait_for_log(message, &[]);
        line.field("timestamp").unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    let (closed, over) = (logged("recorder closed"), logged("recording complete"));
    let found = format!("{RECORDINGS}?state=complete");
    let recording = until("it is over", || http.get(&found).ok()["recordings"].get(0).cloned());
    let end: jiff::Timestamp = recording["end"].as_str().unwrap().parse().unwrap();
    // When it was over it had been waited for all of two seconds.
    assert!(end.as_millisecond() <= closed && closed + 1_500 < over, "{end} {closed} {over}");
    server.stop();
}

#[test]
fn without_a_time_in_the_bin_what_is_deleted_is_gone() {
    block_on(async {
        let mut server = builder().args(["-bin-grace", "0"]).start();
        let http = server.api();
        let recording = start(&http, &json!({"stream": "live/gone"}));
        let path = path_of(&recording);
        publish(&server, "live/gone", 200).await.close().await.unwrap();
        assert_eq!(ask(&http, "POST", &format!("{path}/stop"), &json!({})).0, 200);
        assert_eq!(server.recordings().len(), 1);
        assert_eq!(http.send("DELETE", &path, None).ok()["state"], "deleted");
        let bin = http.get(&format!("{RECORDINGS}?state=binned")).ok();
        assert_eq!(bin["recordings"], json!([]));
        let restore = refused(&http, "POST", &format!("{path}/restore"), &json!({}));
        assert_eq!(restore, (409, "not-in-bin".to_owned()));
        assert_eq!(server.recordings(), [""; 0].map(std::path::PathBuf::from));
        server.stop();
    });
}

#[test]
fn pages_follow_one_another() {
    let mut server = builder().args(["-record-rejoin", "0", "-record-all", "true"]).start();
    let http = server.api();
    block_on(async {
        for i in 0..7 {
            publish(&server, &format!("live/{i}"), 40).await.close().await.unwrap();
        }
    });
    server.wait_for_logs("recording complete", &[], 7);
    until("all", || {
        let page = http.get(&format!("{RECORDINGS}?state=complete")).ok();
        (page["recordings"].as_array()?.len() == 7).then_some(())
    });
    for order in ["newest", "oldest"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = http.get(&format!("{RECORDINGS}?order={order}&limit=3{after}")).ok();
            for recording in page["recordings"].as_array().unwrap() {
                seen.push(recording["stream"].as_str().unwrap().to_owned());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        seen.sort();
        let all: Vec<_> = (0..7).map(|i| format!("live/{i}")).collect();
        assert_eq!(seen, all, "{order}");
    }
    server.stop();
}

#[test]
fn a_request_key_is_known_after_a_restart() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let start_server = || builder().record_dir(dir.path()).start();
        let mut server = start_server();
        let body = json!({"stream": "live/k", "request_key": "once"});
        let first = start(&server.api(), &body);
        let publisher = publish(&server, "live/k", 60).await;
        shown(&server.api(), &first, |r| r["files"][0]["state"] == "open");
        publisher.close().await.unwrap();
        assert_eq!(
            ask(&server.api(), "POST", &format!("{}/stop", path_of(&first)), &json!({})).0,
            200
        );
        server.stop();
        let mut server = start_server();
        let (status, again) = ask(&server.api(), "POST", RECORDINGS, &body);
        assert_eq!((status, &again["id"]), (200, &first["id"]), "{again}");
        let other = json!({"stream": "live/other", "request_key": "once"});
        assert_eq!(refused(&server.api(), "POST", RECORDINGS, &other).0, 409);
        server.stop();
    });
}

#[test]
fn retention_is_told_without_deleting_anything() {
    let mut server = builder().args(["-retain-size", "1MiB", "-record-all", "true"]).start();
    let http = server.api();
    assert_eq!(http.get("/api/v1/retention").problem(), (404, "nothing-recorded".to_owned()));
    assert_eq!(http.get("/api/v1/retention?limit=0").problem(), (400, "bad-value".to_owned()));
    block_on(async {
        publish(&server, "live/r", 300).await.close().await.unwrap();
        let page = || http.get(&format!("{RECORDINGS}?state=recording")).ok();
        let id = until("the recording", || {
            page()["recordings"][0]["id"].as_str().map(ToOwned::to_owned)
        });
        assert_eq!(ask(&http, "POST", &format!("{RECORDINGS}/{id}/stop"), &json!({})).0, 200);
    });
    let outlook = http.get("/api/v1/retention").ok();
    assert_eq!(outlook["files"], 1, "{outlook}");
    assert!(outlook["size_bytes"].as_u64().unwrap() > 0 && outlook["free_bytes"].is_u64());
    assert_eq!(server.recordings().len(), 1);
    server.stop();
}

#[test]
fn files_and_stretches_of_time_are_downloaded() {
    let mut server = builder().args(["-record-rotate-duration", "2s"]).start();
    let http = server.api();
    block_on(async {
        let recording = start(&http, &json!({"stream": "live/dl"}));
        let path = path_of(&recording);
        let publisher = publish(&server, "live/dl", 600).await;
        // The newest file is being written: it is sent as it stands. The catalog hears of it after the one before.
        let whole = shown(&http, &recording, |r| {
            let is_written = r["ledger"]["written"]["packets"].as_u64() > Some(500);
            let files = r["files"].as_array().filter(|files| files.len() > 2);
            is_written && files.is_some_and(|files| files.last().unwrap()["state"] == "open")
        });
        let last = whole["files"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(http.get(last["url"].as_str().unwrap()).status, 200);
        publisher.close().await.unwrap();
        assert_eq!(ask(&http, "POST", &format!("{path}/stop"), &json!({})).0, 200);
        let whole = http.get(&path).ok();
        let files = whole["files"].as_array().unwrap();
        assert!(files.len() > 2, "{whole}");
        for file in files {
            let answer = http.get(file["url"].as_str().unwrap());
            assert_eq!(answer.header("content-type").as_deref(), Some("video/x-flv"));
            let on_disk = server.dir().join(file["file"].as_str().unwrap());
            assert_eq!(answer.body, std::fs::read(on_disk).unwrap());
        }
        let url = files[0]["url"].as_str().unwrap();
        let part = http.clone().header("Range", "bytes=3-12").get(url);
        assert_eq!((part.status, part.body.len()), (206, 10));
        // All of it as one file, and by the stream's name and time.
        let from = whole["start"].as_str().unwrap().replace('+', "%2B");
        for url in [
            format!("{path}/media.flv"),
            format!("/api/v1/streams/live%2Fdl/media.flv?from={from}&cut=exact&recorder=api"),
        ] {
            let answer = http.get(&url);
            assert_eq!(answer.status, 200, "{url}");
            let joined = server.dir().join("joined.flv");
            std::fs::write(&joined, &answer.body).unwrap();
            let flv = testkit::flv::Flv::read(&joined).unwrap();
            assert_eq!(flv.faults, []);
            let frames = flv.tags.iter().filter(|tag| tag.packet.is_media()).count();
            let sent = packets(600).iter().filter(|packet| packet.is_media()).count();
            assert_eq!(frames, sent, "{url}");
        }
        let none = |url: &str| http.get(url).problem();
        assert_eq!(none(&format!("{path}/segments/99/file")), (404, "unknown-segment".to_owned()));
        let early = "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z";
        let nothing = (404, "nothing-recorded".to_owned());
        assert_eq!(none(&format!("{path}/media.flv{early}")), nothing);
        assert_eq!(none(&format!("/api/v1/streams/live%2Fdl/media.flv{early}")), nothing);
        let backwards = "?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z";
        assert_eq!(none(&format!("{path}/media.flv{backwards}")), (400, "bad-value".to_owned()));
        let detail = |url: &str| http.get(url).json()["detail"].as_str().unwrap().to_owned();
        let bare = detail(&format!("{path}/media.flv?from=2020-01-01T00:00:00+01:00"));
        assert!(bare.ends_with("; in an address + is written %2B"), "{bare}");
        let other = detail(&format!("{path}/media.flv?from=2020-01-01%2000:00:00"));
        assert!(!other.contains("%2B"), "{other}");
    });
    server.stop();
}
