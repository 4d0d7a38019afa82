//! A server that is killed at random moments, again and again, over one directory: what each kill
//! costs, and what the next start makes of the files.
//!
//! `cargo xtask crash` runs the same with more kills. Who wants a run again sets its seed; what the
//! machine does meanwhile is another each time.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use media::{Kind, Packet};
use testkit::{Noise, Server, flv};

use crate::files::judge;
use crate::files::sender::{self, Sender};
use crate::record::parts::{is_complete, verify};
use crate::record::{report, wait_until};
use crate::support::{in_each_format, recording_as, setting};

in_each_format!(a_kill_costs_no_more_than_was_said_and_the_next_start_mends_every_file);

/// Kills in an ordinary run.
const KILLS: u64 = 10;
/// Between two kills at most, in ms.
const LIFE_MS: u64 = 2_500;
/// What a packet may need from the publisher to the server's queue, in ms, besides what the machine
/// was late itself.
const TRANSIT_MS: i64 = 100;
/// How often the machine is asked how late it is.
const ASK: Duration = Duration::from_millis(10);

/// What one kill has done to one stream.
struct Victim {
    stream: String,
    /// Everything that was sent.
    sent: Vec<Packet>,
    /// How many of these packets before the kill.
    before: usize,
    /// What the kill may have cost, in ms of the stream.
    loss_max_ms: i64,
}

/// Whole streams, one of pictures alone and one of sound alone.
fn packets(number: u64) -> Box<dyn Iterator<Item = Packet> + Send> {
    let clip = sender::endless();
    match number {
        0 => Box::new(clip.filter(|packet| packet.kind != Kind::Video)),
        1 => Box::new(clip.filter(|packet| packet.kind != Kind::Audio)),
        _ => Box::new(clip),
    }
}

/// One life of a server: streams, and the kill at a random moment.
fn live_and_die(dir: &Path, format: &str, life: u64, noise: &mut Noise) -> (Vec<Victim>, usize) {
    let flush_ms = [200, 500, 1_000][usize::try_from(noise.below(3)).unwrap()];
    let args = ["-record-flush".to_owned(), format!("{flush_ms}ms")];
    let machine = Machine::watch(dir.parent().unwrap());
    let mut server = recording_as(format).record_dir(dir).args(args).start();
    let names: Vec<_> = (0..3 + noise.below(3)).map(|n| format!("live/{life}x{n}")).collect();
    let start = |(n, name): (u64, &String)| Sender::start(&server.url(name), packets(n), 1);
    let senders: Vec<_> = (0..).zip(&names).map(start).collect();
    // In most lives there are files by then, however slow the machine is.
    if noise.below(4) > 0 {
        server.wait_for_logs("recorder initialized", &[], names.len());
    }
    // Chance, not something that is waited for.
    thread::sleep(Duration::from_millis(noise.below(LIFE_MS)));
    let killed = Instant::now();
    server.kill();
    let logs: Vec<_> = senders.into_iter().map(Sender::cut_off).collect();
    let late = logs.iter().map(|log| log.late).max().unwrap_or_default() + machine.late();
    let late_ms = i64::try_from(late.as_millis()).unwrap();
    let victims = names.into_iter().zip(logs).map(|(stream, log)| Victim {
        stream,
        before: log.sent.iter().take_while(|(at, _)| *at < killed).count(),
        sent: log.packets(),
        loss_max_ms: flush_ms + TRANSIT_MS + late_ms,
    });
    (victims.collect(), recovered(&server))
}

/// A thread that does what a recorder does for a new file, again and again: how long the machine
/// takes for that beside everything else.
pub(crate) struct Machine {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Machine {
    pub(crate) fn watch(dir: &Path) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let (over, dir, file) = (is_over.clone(), dir.to_owned(), dir.join("machine"));
        let ask = move || {
            let mut late = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                thread::sleep(ASK);
                let mut made = File::create(&file).unwrap();
                made.write_all(&[0; 32 << 10]).unwrap();
                made.sync_data().unwrap();
                File::open(&dir).unwrap().sync_data().unwrap();
                std::fs::remove_file(&file).unwrap();
                late = late.max(begun.elapsed().saturating_sub(ASK));
            }
            late
        };
        Self { is_over, thread: thread::spawn(ask) }
    }

    /// The longest it took.
    pub(crate) fn late(self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn recovered(server: &Server) -> usize {
    server.logs().iter().filter(|line| line.message == "recording recovered").count()
}

/// The recordings in a directory by their streams.
fn files(dir: &Path) -> BTreeMap<String, PathBuf> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| archive::Format::of(path).is_some());
    let named = files.filter_map(|file| Some((text(&file, "streamKey")?, file)));
    named.collect()
}

fn text(file: &Path, name: &str) -> Option<String> {
    let metadata = report(file).metadata;
    let (_, value) = metadata.iter().find(|(known, _)| known == name)?;
    value.as_str().map(str::to_owned)
}

/// Checks what is left of a stream, and says how much of it was lost, in ms.
fn loss_ms(victim: &Victim, file: Option<&PathBuf>) -> i64 {
    let Victim { stream, sent, before, loss_max_ms } = victim;
    let kept = file.map_or(0, |file| flv::compare(file, sent).unwrap_or_else(|e| panic!("{e}")));
    let media = |sent: &[Packet]| sent.iter().filter(|packet| packet.kind != Kind::Data).count();
    let time_ms = |count: usize| {
        let mut media = sent.iter().filter(|packet| packet.kind != Kind::Data);
        count.checked_sub(1).and_then(|last| media.nth(last)).map_or(0, |packet| packet.dts_ms)
    };
    let sent_before = media(&sent[..*before]);
    let lost_ms = time_ms(sent_before) - time_ms(kept.min(sent_before));
    assert!(lost_ms <= *loss_max_ms, "{stream}: {lost_ms} ms lost, {loss_max_ms} ms allowed");
    lost_ms
}

fn a_kill_costs_no_more_than_was_said_and_the_next_start_mends_every_file(format: &str) {
    let kills = setting("RTMP_SERVER_TEST_KILLS", || KILLS);
    let seed = setting("RTMP_SERVER_TEST_SEED", || u64::from(std::process::id()));
    println!("RTMP_SERVER_TEST_SEED={seed}");
    let mut noise = Noise::new(seed);
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("recordings");
    let (mut victims, mut told) = (Vec::new(), 0);
    for life in 0..kills {
        let (more, recovered) = live_and_die(&dir, format, life, &mut noise);
        victims.extend(more);
        told += recovered;
    }
    // The last start is left alone, until it has mended everything.
    let mut server = recording_as(format).record_dir(&dir).start();
    wait_until("every file is mended", || files(&dir).values().all(|file| is_complete(file)));
    server.stop();
    told += recovered(&server);

    let files = files(&dir);
    let mut losses: Vec<_> =
        victims.iter().map(|victim| loss_ms(victim, files.get(&victim.stream))).collect();
    losses.sort_unstable();
    assert!(files.len() * 2 > victims.len(), "{} files of {}", files.len(), victims.len());
    // A kill right after a file was mended, before that was told, leaves nothing to tell.
    assert!(told <= files.len() && told * 10 >= files.len() * 9, "{told} of {}", files.len());
    let (code, said) = verify(files.values().map(PathBuf::as_path));
    assert_eq!(code, Some(0), "{said}");
    let cut_off = said.lines().filter(|line| line.starts_with("  cut off ")).count();
    assert_eq!(cut_off, files.len(), "none came to its end: {said}");
    if let Some([ffprobe]) = judge::programs(["ffprobe"]) {
        // Of a configuration without a frame ffprobe cannot tell the size of the picture.
        let has_frames = |file: &&PathBuf| report(file).tracks.iter().all(|t| t.frames > 0);
        files.values().filter(has_frames).for_each(|file| drop(judge::ffprobe(&ffprobe, file)));
    }
    let median = losses[losses.len() / 2];
    let worst = losses[losses.len() - 1];
    let (streams, files) = (victims.len(), files.len());
    println!("\n| {format} | {kills} | {streams} | {files} | {told} | {median} | {worst} |");
}
