//! Metrics as Prometheus gets them.

use std::collections::BTreeMap;

use rtmp_server::http::metrics::{METRICS, Type};
use testkit::{Http, Player};

use super::{builder, publish, until};

/// All series by name and labels.
fn scrape(http: &Http) -> BTreeMap<String, f64> {
    let answer = http.get("/metrics");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
    });
    series.collect()
}

#[test]
fn what_happens_is_counted() {
    let mut server = builder().args(["-record-all", "true"]).start();
    let http = server.api();
    testkit::block_on(async {
        let publisher = publish(&server, "live/a \"b\"", 300).await;
        let mut player = Player::connect(&server.url("live/a \"b\"")).await.unwrap();
        player.packets(20).await;
        let label = "{stream=\"live/a \\\"b\\\"\"";
        let now = until("all written", || {
            let now = scrape(&http);
            (now["rtmp_recording_written_packets_total"] == 300.0).then_some(now)
        });
        for (name, wanted) in [
            ("rtmp_connections", 2.0),
            ("rtmp_publishers", 1.0),
            ("rtmp_players", 1.0),
            ("rtmp_ready", 1.0),
            ("rtmp_streams{state=\"live\"}", 1.0),
            ("rtmp_streams{state=\"waited_for\"}", 0.0),
            ("rtmp_received_packets_total", 300.0),
            ("rtmp_recordings{state=\"recording\"}", 1.0),
            ("rtmp_recordings{state=\"trouble\"}", 0.0),
            ("rtmp_recorders_unhealthy", 0.0),
            ("rtmp_recording_dropped_packets_total", 0.0),
            ("rtmp_series_omitted", 0.0),
            ("rtmp_events_lost_total", 0.0),
            ("rtmp_log_lines_lost_total", 0.0),
            (&format!("rtmp_server_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
            (&format!("rtmp_stream_received_packets_total{label}}}"), 300.0),
            (&format!("rtmp_stream_players{label}}}"), 1.0),
            (&format!("rtmp_recorder_healthy{label},recorder=\"all\"}}"), 1.0),
        ] {
            assert_eq!(now.get(name), Some(&wanted), "{name}: {now:#?}");
        }
        let all = |name: &str| now[name];
        let (got, kept) = (
            all("rtmp_recording_received_packets_total"),
            all("rtmp_recording_written_packets_total"),
        );
        assert_eq!(got, kept);
        assert!(all("rtmp_sent_packets_total") >= 20.0);
        assert!(all("rtmp_received_bytes_total") > 100_000.0);
        assert!(all("rtmp_disk_write_seconds_count") > 0.0);
        assert_eq!(
            all("rtmp_disk_write_seconds_count"),
            all("rtmp_disk_write_seconds_bucket{le=\"+Inf\"}")
        );
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn every_metric_of_the_table_is_there_with_its_type_and_no_other() {
    let mut server = builder().start();
    let http = server.api();
    until("a look at the disk", || {
        scrape(&http).keys().any(|name| name.starts_with("rtmp_disk_free_bytes")).then_some(())
    });
    let text = http.get("/metrics").text();
    let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let wanted: Vec<_> =
        METRICS.iter().map(|metric| format!("{} {}", metric.name, metric.kind.name())).collect();
    assert_eq!(types, wanted);
    assert!(METRICS.iter().any(|metric| metric.kind == Type::Histogram));
    server.stop();
}

#[test]
fn streams_without_end_have_series_with_an_end() {
    // Each of them says nothing until all are there.
    let mut server = builder().args(["-publish-timeout", "10m"]).start();
    let http = server.api();
    testkit::block_on(async {
        let mut publishers = Vec::new();
        for n in 0..1_003 {
            let url = server.url(&format!("live/{n:04}"));
            publishers.push(testkit::Publisher::connect(&url).await.unwrap());
        }
        let now = scrape(&http);
        let of_streams = now.keys().filter(|name| name.starts_with("rtmp_stream_players{"));
        assert_eq!(of_streams.count(), 1_000);
        assert_eq!(now["rtmp_series_omitted"], 3.0);
        assert_eq!(now["rtmp_publishers"], 1_003.0);
        drop(publishers);
    });
    server.stop();
}
