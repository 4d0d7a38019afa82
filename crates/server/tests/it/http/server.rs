//! The server itself over the API: what it is, its settings, its disks, its log, whether it works.

use serde_json::{Value, json};
use testkit::Http;

use super::{builder, publish, server, until};
use crate::disk::UNWRITABLE;

#[test]
fn the_server_tells_what_it_is() {
    let (mut server, http) = server();
    let shown = http.get("/api/v1/server").ok();
    assert_eq!(shown["name"], "rtmp-server");
    assert_eq!(shown["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(shown["pid"], server.pid());
    assert_eq!((&shown["publishers"], &shown["players"]), (&0.into(), &0.into()));
    testkit::block_on(async {
        let publisher = publish(&server, "live/test", 40).await;
        let shown = until("all packets", || {
            let shown = http.get("/api/v1/server").ok();
            (shown["traffic"]["received_packets"] == 40).then_some(shown)
        });
        assert_eq!((&shown["connections"], &shown["publishers"]), (&1.into(), &1.into()));
        publisher.close().await.unwrap();
    });
    // What a connection has carried is not forgotten with it.
    let shown = until("the connection's end", || {
        let shown = http.get("/api/v1/server").ok();
        (shown["connections"] == 0).then_some(shown)
    });
    assert_eq!(shown["traffic"]["received_packets"], 40);
    assert!(shown["traffic"]["received_bytes"].as_u64().unwrap() > 10_000, "{shown}");
    assert!(shown["traffic"]["sent_bytes"].as_u64().unwrap() > 3_000, "{shown}");
    server.stop();
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let mut server = builder()
        .args(["-max-players", "77"])
        .env("RTMP_SERVER_MAX_STREAMS", "88")
        .env("RTMP_SERVER_API_TOKEN", "a-token-that-nobody-guesses")
        .start();
    let http = server.api().token("a-token-that-nobody-guesses");
    let answer = http.get("/api/v1/server/config");
    assert!(!answer.text().contains("nobody"), "{}", answer.text());
    let shown = answer.ok();
    let setting = |name: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
        (setting["value"].clone(), setting["source"].clone())
    };
    assert_eq!(setting("max-players"), ("77".into(), "flag".into()));
    assert_eq!(setting("max-streams"), ("88".into(), "environment".into()));
    assert_eq!(setting("api-token"), ("set".into(), "environment".into()));
    assert_eq!(setting("play-timeout"), ("15s".into(), "default".into()));
    server.stop();
}

#[test]
fn disks_are_shown_without_asking_them() {
    let mut server = builder().args(["-record-all", "true"]).start();
    let http = server.api();
    let disk = until("a look at the disk", || {
        let disks = http.get("/api/v1/server/disks").ok();
        disks["disks"].get(0).cloned()
    });
    assert_eq!(disk["state"], "good");
    let bytes = |name: &str| disk[name].as_u64().unwrap();
    assert!(bytes("total_bytes") >= bytes("free_bytes") && bytes("free_bytes") > 0, "{disk}");
    server.stop();
}

#[test]
fn the_log_level_changes_while_the_server_runs() {
    let (mut server, http) = server();
    let level = "/api/v1/server/log-level";
    assert_eq!(http.get(level).ok(), json!({"level": "info"}));
    for word in ["error", "warn", "info", "debug"] {
        let set = http.send("PUT", level, Some(&json!({ "level": word })));
        assert_eq!(set.ok(), json!({ "level": word }));
        assert_eq!(http.get(level).ok(), json!({ "level": word }));
    }
    server.wait_for_log("log level changed", &[("from", "info"), ("to", "debug")]);
    testkit::block_on(async {
        publish(&server, "live/loud", 3).await.close().await.unwrap();
        server.wait_for_logs("Media packet", &[], 3);
        http.send("PUT", level, Some(&json!({"level": "error"}))).ok();
        publish(&server, "live/quiet", 3).await.close().await.unwrap();
        http.send("PUT", level, Some(&json!({"level": "info"}))).ok();
    });
    server.wait_for_log("publish started", &[("stream_key", "live/loud")]);
    server.stop();
    let quiet =
        |line: &testkit::server::LogLine| line.field("stream_key").as_deref() == Some("live/quiet");
    let lines: Vec<_> =
        server.logs().into_iter().filter(|l| quiet(l) && l.message == "publish started").collect();
    assert!(lines.is_empty(), "{lines:?}");
}

/// Waits until the server is ready, or is not, and gives what it says then.
fn until_ready(http: &Http, is_ready: bool) -> Value {
    let status = if is_ready { 200 } else { 503 };
    until("readiness", || {
        let answer = http.get("/ready");
        (answer.status == status).then(|| answer.json())
    })
}

#[test]
fn a_server_that_cannot_record_is_not_ready_until_it_can() {
    // Somebody has left a file where the directory is to be.
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("recordings");
    std::fs::write(&place, "in the way").unwrap();
    let mut server = builder().args(["-record-all", "true"]).record_dir(&place).start();
    for line in
        ["failed to create recorder", "catalog unavailable", "record directory cannot be read"]
    {
        server.allow(line);
    }
    server.allow(UNWRITABLE);
    let http = server.api();
    // Told before anything is published.
    let error = format!("not a directory: {}", place.display());
    let reason = format!("nothing can be recorded in {}: {error}", place.display());
    assert_eq!(until_ready(&http, false), json!({"ready": false, "reasons": [reason]}));
    server.wait_for_log(UNWRITABLE, &[("error", &error)]);
    let disk = &http.get("/api/v1/server/disks").ok()["disks"][0];
    assert_eq!((&disk["state"], &disk["error"]), (&json!("unwritable"), &json!(error)));
    std::fs::remove_file(&place).unwrap();
    until_ready(&http, true);
    server.wait_for_log("record directory can be written again", &[]);
    assert!(!place.exists());
    std::fs::write(&place, "in the way again").unwrap();
    testkit::block_on(async {
        let mut publisher = publish(&server, "live/test", 100).await;
        until("trouble", || {
            let answer = http.get("/ready").json();
            answer["reasons"]
                .as_array()?
                .contains(&json!("1 recording cannot be written"))
                .then_some(())
        });
        assert_eq!(http.get("/health").ok(), json!({"status": "ok"}));
        std::fs::remove_file(&place).unwrap();
        // It is tried again by itself; the next key frame begins a file.
        let source = testkit::Source::new(1, testkit::SourceConfig::default());
        let mut packets = source.skip(100);
        let deadline = std::time::Instant::now() + testkit::server::DEADLINE;
        while http.get("/ready").status != 200 {
            assert!(std::time::Instant::now() < deadline, "not ready in time");
            let batch: Vec<_> = packets.by_ref().take(60).collect();
            publisher.send_all(&batch).await.unwrap();
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_server_that_is_not_to_record_needs_no_directory_until_it_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("recordings");
    std::fs::write(&place, "in the way").unwrap();
    let mut server = builder().record_dir(&place).start();
    for line in ["catalog unavailable", "record directory cannot be read"] {
        server.allow(line);
    }
    let http = server.api();
    let disk = || http.get("/api/v1/server/disks").ok()["disks"].get(0).cloned();
    let metric = || {
        let text = http.get("/metrics").text().to_owned();
        let line = text.lines().find(|line| line.contains("state=\"unwritable\"")).unwrap();
        line.ends_with(" 1.0")
    };
    let shown = until("the directory is looked at", disk);
    assert_eq!((&shown["state"], &shown["error"]), (&json!("good"), &Value::Null));
    assert!(!metric());
    until_ready(&http, true);
    assert_eq!(unwritable(&server), 0, "nobody asked for it");
    server.allow(UNWRITABLE);
    let wanted = http.send("POST", "/api/v1/recordings", Some(&json!({"stream": "live/later"})));
    let reasons = until_ready(&http, false)["reasons"].to_string();
    assert!(reasons.contains("nothing can be recorded in"), "{reasons}");
    assert_eq!((disk().unwrap()["state"].clone(), metric()), (json!("unwritable"), true));
    server.wait_for_log(UNWRITABLE, &[]);
    let stop = format!("/api/v1/recordings/{}/stop", wanted.json()["id"].as_str().unwrap());
    http.send("POST", &stop, None).ok();
    until_ready(&http, true);
    assert_eq!((disk().unwrap()["state"].clone(), metric()), (json!("good"), false));
    server.stop();
    assert_eq!(unwritable(&server), 1);
}

/// How often it was said that a directory cannot be written.
fn unwritable(server: &testkit::Server) -> usize {
    server.logs().iter().filter(|line| line.message == UNWRITABLE).count()
}

#[cfg(target_os = "linux")]
#[test]
fn directories_that_only_seem_to_be_usable_are_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let full = testkit::mount::Mount::few_files(1);
    let mut dirs = vec![
        "/proc/nothing".into(),
        "/sys/nothing".into(),
        dir.path().join("not-made").join("x".repeat(280)),
    ];
    dirs.extend(full.as_ref().map(|full| full.record_dir()));
    for place in &dirs {
        let mut server = builder().args(["-record-all", "true"]).record_dir(place).start();
        server.allow("catalog unavailable");
        server.allow(UNWRITABLE);
        let http = server.api();
        let reasons = until_ready(&http, false)["reasons"].to_string();
        let wanted = format!("nothing can be recorded in {}: ", place.display());
        assert!(reasons.contains(&wanted), "{reasons}");
        server.wait_for_log(UNWRITABLE, &[]);
        server.stop();
        assert!(!place.exists());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let left =
        full.map(|full| std::fs::read_dir(full.record_dir().parent().unwrap()).unwrap().count());
    assert_eq!(left.unwrap_or_default(), 0);
}

#[test]
fn a_server_that_stops_is_not_ready_and_answers_to_its_end() {
    let mut server = builder().args(["-record-all", "true"]).start();
    let http = server.api();
    testkit::block_on(async {
        // One that reads nothing of its end keeps the server from stopping at once.
        let publisher = publish(&server, "live/test", 3_000).await;
        let player = testkit::Player::connect(&server.url("live/test")).await.unwrap().stall();
        let _more = publisher;
        server.terminate();
        server.wait_for_log("stopping; a second signal exits at once", &[]);
        drop(player);
    });
    // Either it still answers, and then with why, or it has ended already.
    let answer = std::panic::catch_unwind(|| http.get("/ready"));
    if let Ok(answer) = answer {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["reasons"][0], "the server is stopping");
    }
    server.wait();
}
