//! What the server costs and does, every few seconds.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::process::Usage;

use crate::Result;
use crate::stage::Stage;

/// One look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sample {
    /// Since the start, in seconds.
    pub(crate) seconds: f64,
    pub(crate) usage: Usage,
    /// Time of the processor that this program has used itself.
    pub(crate) own_cpu: Duration,
    pub(crate) connections: u64,
    pub(crate) publishers: u64,
    pub(crate) players: u64,
    /// Recordings that run.
    pub(crate) recordings: u64,
    /// Recordings in the catalog whose files are there.
    pub(crate) known: u64,
    /// Bytes of media that wait for disks.
    pub(crate) queue_bytes: u64,
    /// Size of the catalog.
    pub(crate) catalog_bytes: u64,
    /// Whether the weak disk is in trouble.
    pub(crate) is_troubled: bool,
}

/// The columns of the table.
const HEAD: &str = "seconds,anon_bytes,rss_bytes,threads,descriptors,cpu_seconds,driver_cpu_seconds,\
    connections,publishers,players,recordings_running,recordings_in_catalog,queue_bytes,\
    catalog_bytes,disk_in_trouble\n";

impl Sample {
    /// Looks now.
    pub(crate) fn take(
        stage: &Stage,
        start: Instant,
        known: u64,
        is_troubled: bool,
    ) -> Result<Self> {
        // Before it is asked: the connection for that is not one of those that are looked for.
        let usage = Usage::of(stage.server.pid())?;
        let server = stage.api().get("/api/v1/server").ok();
        let number = |name: &str| server.get(name).and_then(Value::as_u64).unwrap_or_default();
        let catalog = stage.well().join(".rtmp-server/catalog.sqlite");
        Ok(Self {
            seconds: start.elapsed().as_secs_f64(),
            usage,
            own_cpu: Usage::of(std::process::id())?.cpu,
            connections: number("connections"),
            publishers: number("publishers"),
            players: number("players"),
            recordings: number("recordings"),
            known,
            queue_bytes: number("record_queue_bytes"),
            catalog_bytes: std::fs::metadata(catalog).map_or(0, |metadata| metadata.len()),
            is_troubled,
        })
    }

    /// Whether nobody is there any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections + self.publishers + self.players + self.recordings == 0
    }

    /// What is shown of it while the soak goes on.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:>6.0} s  {:>4} publishers {:>4} players {:>4} recordings  {:>7.1} MiB {:>3} threads \
             {:>4} descriptors  CPU {:>6.1} s and {:>6.1} s here{}",
            self.seconds,
            self.publishers,
            self.players,
            self.recordings,
            mib(self.usage.anon_bytes),
            self.usage.threads,
            self.usage.descriptors,
            self.usage.cpu.as_secs_f64(),
            self.own_cpu.as_secs_f64(),
            if self.is_troubled { "  disk in trouble" } else { "" },
        )
    }
}

/// All samples as a table for programs.
pub(crate) fn csv(samples: &[Sample]) -> String {
    let mut text = HEAD.to_owned();
    for sample in samples {
        let usage = &sample.usage;
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{:.1},{},{},{},{},{:.2},{:.2},{},{},{},{},{},{},{},{}",
            sample.seconds,
            usage.anon_bytes,
            usage.rss_bytes,
            usage.threads,
            usage.descriptors,
            usage.cpu.as_secs_f64(),
            sample.own_cpu.as_secs_f64(),
            sample.connections,
            sample.publishers,
            sample.players,
            sample.recordings,
            sample.known,
            sample.queue_bytes,
            sample.catalog_bytes,
            u8::from(sample.is_troubled),
        );
    }
    text
}

/// For people.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
