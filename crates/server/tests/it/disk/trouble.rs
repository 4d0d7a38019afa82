//! Disks in trouble that comes and goes: publisher and viewer notice nothing, the recording goes on
//! in its next file, and what it has lost is written down.
//!
//! `cargo xtask trouble` runs the same for longer and prints what viewers got.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use testkit::server::{Builder, LogLine};
use testkit::{Server, SourceConfig};

use super::mount::Mount;
use super::user::{User, set_mode};
use super::viewer::{Latency, Show};
use super::{allow_trouble, errors};
use crate::record::parts::{Part, assert_one_recording, assert_verified, frames_of, parts};
use crate::record::{closed, file_of, recorded, small, wait_until};
use crate::support::{in_each_format, recording_as, setting};

in_each_format!(
    a_disk_that_is_frozen_for_a_while_costs_nothing,
    a_disk_that_is_full_for_a_while,
    a_disk_that_fails_and_is_mounted_anew,
    a_disk_that_is_taken_out_and_put_in_again,
    a_directory_that_is_removed_comes_back_with_the_next_file,
    a_directory_that_may_not_be_written_for_a_while,
);

const STREAM: &str = "live/test";
const MIB: u64 = 1 << 20;
/// Longest wait for the end of the longest trouble: that of a retry.
const PATIENCE: Duration = Duration::from_secs(60);
/// A viewer that waits for a disk is later than this.
const LATE: Duration = Duration::from_secs(1);
/// How much later frames may be than before, beyond [`LATE`]: tests run beside others.
const LATER: u32 = 5;

/// What has become of a recording.
struct Outcome {
    server: Server,
    /// Frames that were sent and are in no file.
    missing: u64,
    parts: Vec<Part>,
    /// The line that says that it goes on.
    resumed: Option<LogLine>,
}

/// One kind of trouble.
struct Trouble<'a, B, E> {
    name: &'static str,
    format: &'a str,
    /// How long it lasts in an ordinary run.
    lasts_ms: i64,
    begin: B,
    end: E,
    /// The messages of error at its beginning; none where no call fails.
    errors: &'static [&'static str],
}

impl<B: FnOnce() -> G, G, E: FnOnce(G)> Trouble<'_, B, E> {
    /// Records a stream over the time of the trouble, and as long before.
    fn run(self, builder: Builder) -> Outcome {
        let seconds = setting("RTMP_SERVER_TEST_TROUBLE_SECONDS", || 0);
        let long_ms = i64::try_from(seconds * 1_000).unwrap();
        let mut server = builder.deadline(PATIENCE).start();
        allow_trouble(&server);
        ["disk does not answer"].iter().chain(self.errors).for_each(|line| server.allow(line));
        let config = SourceConfig { video_kbps: 1_000, ..small() };
        let show = Show::start(&server.url(STREAM), config);
        let file = file_of(&server, STREAM);
        wait_until("something is in the file", || recorded(&file) > 0);
        let start = Instant::now();
        show.go_on(long_ms.max(1_500));
        let begun = Instant::now();
        let guard = (self.begin)();
        show.go_on(long_ms.max(self.lasts_ms));
        (self.end)(guard);
        let stream = [("stream_key", STREAM)];
        let fails = !self.errors.is_empty();
        let resumed = fails.then(|| server.wait_for_log("recording resumed", &stream));
        let ended = Instant::now();
        show.go_on(1_000);
        let seen = show.finish();
        closed(&server, STREAM);
        server.stop();

        let errors: Vec<_> = errors(&server).into_iter().map(|line| line.message).collect();
        assert_eq!(errors, self.errors, "no line for each try");
        let parts = parts(&server, STREAM);
        let sent = seen.sent.iter().filter(|packet| packet.is_media()).count();
        let missing = u64::try_from(sent - frames_of(&parts).len()).unwrap();
        let (before, during) = (seen.latency(start, begun), seen.latency(begun, ended));
        let gap_ms = resumed.as_ref().and_then(|line| line.field("gap_ms")).unwrap_or_default();
        print(&format!("{}, {}", self.name, self.format), before, during, &gap_ms, missing);
        let most = LATE.max(before.p99 * LATER);
        assert!(during.p99 < most, "before {before:?}, during {during:?}");
        Outcome { server, missing, parts, resumed }
    }
}

/// A row of the table of `cargo xtask trouble`.
fn print(name: &str, before: Latency, during: Latency, gap_ms: &str, missing: u64) {
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1_000.0);
    let ratio = during.p99.as_secs_f64() / before.p99.as_secs_f64().max(1e-6);
    println!(
        "\n| {name} | {} / {} | {} / {} | {ratio:.2} | {} | {gap_ms} | {missing} |",
        ms(before.p50),
        ms(before.p99),
        ms(during.p50),
        ms(during.p99),
        during.frames,
    );
}

/// Checks that the loss is declared, and that the books are closed: received = written + dropped.
fn assert_accounted(outcome: &Outcome) {
    let Outcome { parts, missing, resumed, .. } = outcome;
    assert_one_recording(parts);
    assert!(parts.len() > 1, "it goes on in the next file");
    let lost: u64 = parts.iter().map(|part| part.count("gapBeforePackets")).sum();
    assert_eq!(lost, *missing, "packets lost between files");
    let told = resumed.as_ref().and_then(|line| line.field("packets"));
    assert_eq!(told, Some(missing.to_string()), "the line tells all");
    for pair in parts.windows(2) {
        let [one, next] = pair else { unreachable!("two") };
        let before = one.count("firstPacket") + one.count("gapBeforePackets");
        assert_eq!(next.count("firstPacket"), before + one.count("packetsReceived"));
    }
    for part in parts {
        let dropped = part.count("packetsDropped");
        assert_eq!(part.count("packetsReceived"), part.count("packetsWritten") + dropped);
    }
    let has_gap = parts.iter().any(|part| part.value("gapBeforeReason").is_some());
    assert_verified(parts, if has_gap { 3 } else { 0 });
}

/// Checks that a gap between two files says why it is. There is none where all that was not on the disk yet was
/// still in memory.
fn assert_reason(outcome: &Outcome, reason: &str) {
    let reasons = outcome.parts.iter().filter_map(|part| part.value("gapBeforeReason"));
    let reasons: Vec<_> = reasons.collect();
    let is_told = reasons.iter().any(|found| *found == reason);
    assert!(is_told || reasons.is_empty() && outcome.missing == 0, "{reasons:?}");
}

fn a_disk_that_is_frozen_for_a_while_costs_nothing(format: &str) {
    let Some(disk) = Mount::ext4(64 * MIB) else { return };
    let trouble = Trouble {
        name: "frozen",
        format,
        lasts_ms: 6_500,
        begin: || disk.freeze(),
        end: drop,
        errors: &[],
    };
    let Outcome { server, missing, parts, .. } =
        trouble.run(recording_as(format).record_dir(disk.record_dir()));
    let line = server.wait_for_log("disk does not answer", &[("stream_key", STREAM)]);
    assert_eq!(line.level, "WARN");
    assert_eq!((missing, parts.len()), (0, 1));
    assert_verified(&parts, 0);
}

fn a_disk_that_is_full_for_a_while(format: &str) {
    let Some(disk) = Mount::tmpfs(24 * MIB) else { return };
    let trouble = Trouble {
        name: "filled",
        format,
        lasts_ms: 2_500,
        begin: || disk.fill(),
        end: |file: PathBuf| std::fs::remove_file(file).unwrap(),
        errors: &["recorder write error"],
    };
    let builder =
        recording_as(format).record_dir(disk.record_dir()).args(["-record-min-free", "0"]);
    let outcome = trouble.run(builder);
    assert_accounted(&outcome);
    assert_reason(&outcome, "disk");
}

fn a_disk_that_fails_and_is_mounted_anew(format: &str) {
    let Some(disk) = Mount::ext4(64 * MIB) else { return };
    let trouble = Trouble {
        name: "read-only",
        format,
        lasts_ms: 2_500,
        // As the kernel does by itself when the device has failed.
        begin: || disk.remount("abort"),
        end: |()| {
            disk.take_out_in_order();
            disk.put_in();
        },
        errors: &["recorder write error"],
    };
    // What was not synced goes with the failure.
    let builder = recording_as(format).args(["-record-sync", "200ms"]);
    let outcome = trouble.run(builder.record_dir(disk.record_dir()));
    assert_accounted(&outcome);
    assert_reason(&outcome, "disk");
}

fn a_disk_that_is_taken_out_and_put_in_again(format: &str) {
    let Some(disk) = Mount::ext4(64 * MIB) else { return };
    let trouble = Trouble {
        name: "unmounted",
        format,
        lasts_ms: 3_500,
        begin: || disk.take_out(),
        end: |()| disk.put_in(),
        errors: &["recorder close error", "failed to create recorder"],
    };
    // A file that is open stays what it is; a new one cannot be made.
    let builder = recording_as(format).args(["-record-rotate-duration", "1s"]);
    let outcome = trouble.run(builder.record_dir(disk.record_dir()));
    assert_accounted(&outcome);
    assert_eq!(outcome.missing, 0);
}

fn a_directory_that_is_removed_comes_back_with_the_next_file(format: &str) {
    let Some(disk) = Mount::ext4(64 * MIB) else { return };
    let trouble = Trouble {
        name: "removed",
        format,
        lasts_ms: 2_500,
        begin: || std::fs::remove_dir_all(disk.record_dir()).unwrap(),
        end: drop,
        errors: &["recorder write error"],
    };
    let outcome = trouble.run(recording_as(format).record_dir(disk.record_dir()));
    // What was in the file that was removed is gone; what is there is whole, and known to be a part.
    let [part] = outcome.parts.as_slice() else { panic!("{:?}", outcome.parts) };
    assert_eq!(part.count("segment"), 2);
    assert_verified(&outcome.parts, 3);
}

fn a_directory_that_may_not_be_written_for_a_while(format: &str) {
    let user = User::unprivileged();
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("recordings");
    std::fs::create_dir(&dir).unwrap();
    set_mode(outside.path(), 0o755);
    set_mode(&dir, 0o777);
    let builder = Server::builder(user.binary())
        .args(["-record-all", "true", "-record-format", format])
        .record_dir(&dir);
    let builder = builder.args(["-record-rotate-duration", "1s"]);
    let builder = match user.id() {
        Some((uid, gid)) => builder.user(uid, gid),
        None => builder,
    };
    let trouble = Trouble {
        name: "permission taken away",
        format,
        lasts_ms: 3_500,
        begin: || set_mode(&dir, 0o555),
        end: |()| set_mode(&dir, 0o777),
        errors: &["failed to create recorder"],
    };
    let outcome = trouble.run(builder);
    assert_accounted(&outcome);
    // What came waited for the next file.
    assert_eq!(outcome.missing, 0);
}
