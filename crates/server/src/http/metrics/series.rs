//! What each metric says now.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use archive::{DiskState, LATENCY_BOUNDS_MS, State};

use super::table::{self, Series, Writer};
use crate::http::{Api, events, health, shape};
use crate::telemetry;

/// Streams, and recordings, that have series of their own. Prometheus keeps each of them for ever,
/// and a publisher can make up names.
const SERIES: usize = 1_000;

const STATES: [State; 5] =
    [State::Waiting, State::Recording, State::Trouble, State::Paused, State::Away];
const DISK_STATES: [DiskState; 5] =
    [DiskState::Good, DiskState::Low, DiskState::Full, DiskState::Hanging, DiskState::Unwritable];

pub(super) fn write(api: &Api, out: &mut Writer<'_>) -> fmt::Result {
    server(api, out)?;
    connections(api, out)?;
    let mut omitted = recordings(api, out)?;
    disks(api, out)?;
    omitted += streams(api, out)?;
    let muxers = api.views.muxers.counts();
    out.one(&table::HLS_MUXERS, number(muxers.muxers as u64))?;
    out.one(&table::HLS_BYTES, number(muxers.bytes))?;
    out.one(&table::HLS_PARTS, number(muxers.parts))?;
    let pictures = api.context.pictures.status();
    let outcomes = [("made", pictures.made), ("failed", pictures.failed)];
    out.all(&table::PICTURES, outcomes.map(|(name, count)| (vec![name], number(count))))?;
    out.one(&table::PICTURE_BYTES, number(pictures.cache_bytes as u64))?;
    out.one(&table::OMITTED, number(omitted as u64))?;
    let hub = &api.context.hub;
    out.one(&table::EVENTS, number(hub.told()))?;
    out.one(&table::EVENTS_LOST, number(hub.lost()))?;
    let free = api.subscribers.available_permits();
    out.one(&table::SUBSCRIBERS, number(events::SUBSCRIBERS.saturating_sub(free) as u64))?;
    out.one(&table::LOG_LOST, number(telemetry::lines_lost()))
}

fn server(api: &Api, out: &mut Writer<'_>) -> fmt::Result {
    out.all(&table::INFO, [(vec![env!("CARGO_PKG_VERSION")], 1.0)])?;
    let began_ms = api.started.0.timestamp().as_millisecond();
    out.one(&table::START, number(began_ms.unsigned_abs()) / 1_000.0)?;
    out.one(&table::READY, if health::reasons(api).is_empty() { 1.0 } else { 0.0 })
}

fn connections(api: &Api, out: &mut Writer<'_>) -> fmt::Result {
    let counts = api.context.sessions.counts();
    out.one(&table::CONNECTIONS, number(counts.connections as u64))?;
    out.one(&table::PUBLISHERS, number(counts.publishers as u64))?;
    out.one(&table::PLAYERS, number(counts.players as u64))?;
    let via = api.context.sessions.players_via();
    let via = via.map(|(via, count)| (vec![via.name()], number(count as u64)));
    out.all(&table::PLAYERS_VIA, via)?;
    let (live, all) = (counts.publishers, api.context.sessions.keys().len());
    let waited = number(all.saturating_sub(live) as u64);
    let states = [(vec!["live"], number(live as u64)), (vec!["waited_for"], waited)];
    out.all(&table::STREAMS, states)?;
    let traffic = api.context.sessions.traffic();
    out.one(&table::RECEIVED_BYTES, number(traffic.bytes_in))?;
    out.one(&table::SENT_BYTES, number(traffic.bytes_out))?;
    out.one(&table::RECEIVED_PACKETS, number(traffic.packets_in))?;
    out.one(&table::SENT_PACKETS, number(traffic.packets_out))
}

/// Returns how many recordings have no series of their own.
fn recordings(api: &Api, out: &mut Writer<'_>) -> Result<usize, fmt::Error> {
    let archive = &api.context.archive;
    let all = archive.list();
    let is_healthy =
        |status: &archive::Status| !matches!(status.state, State::Trouble | State::Paused);
    let of = |state: State| all.iter().filter(|status| status.state == state).count() as u64;
    out.all(&table::RECORDINGS, STATES.map(|s| (vec![shape::state(s)], number(of(s)))))?;
    // A stream that is recorded twice by one recorder has one series: the worst of them counts.
    let mut health = BTreeMap::new();
    for status in &all {
        let value = health.entry((status.key.as_str(), shape::recorder(status))).or_insert(1.0);
        if !is_healthy(status) {
            *value = 0.0;
        }
    }
    let omitted = health.len().saturating_sub(SERIES);
    let health = health.iter().take(SERIES);
    out.all(&table::HEALTHY, health.map(|((key, name), value)| (vec![*key, *name], *value)))?;
    let unhealthy = all.iter().filter(|status| !is_healthy(status)).count() as u64;
    out.one(&table::UNHEALTHY, number(unhealthy))?;
    let total = archive.counters();
    out.one(&table::REC_RECEIVED, number(total.packets.saturating_add(total.dropped_packets)))?;
    out.one(&table::REC_WRITTEN, number(total.packets))?;
    out.one(&table::REC_DROPPED, number(total.dropped_packets))?;
    out.one(&table::REC_DROPPED_BYTES, number(total.dropped_bytes))?;
    out.one(&table::REC_BYTES, number(total.bytes))?;
    out.one(&table::REC_GAPS, number(total.gaps))?;
    out.one(&table::REC_ERRORS, number(total.errors))?;
    out.one(&table::QUEUE, number(api.context.registry.backlog_bytes() as u64))?;
    let latency = archive.latency();
    let bounds = LATENCY_BOUNDS_MS.iter().map(|ms| number(*ms) / 1_000.0);
    let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(latency.counts).collect();
    out.histogram(&table::WRITE, latency.sum.as_secs_f64(), &buckets)?;
    Ok(omitted)
}

fn disks(api: &Api, out: &mut Writer<'_>) -> fmt::Result {
    let disks = api.context.archive.disks();
    let dirs: Vec<String> = disks.iter().map(|disk| shape::path(&disk.dir)).collect();
    let all = || disks.iter().zip(dirs.iter().map(String::as_str));
    let each = |value: fn(&archive::DiskStatus) -> u64| {
        all().map(move |(disk, dir)| (vec![dir], number(value(disk)))).collect::<Vec<Series<'_>>>()
    };
    out.all(&table::DISK_FREE, each(|disk| disk.free_bytes))?;
    out.all(&table::DISK_TOTAL, each(|disk| disk.total_bytes))?;
    out.all(&table::DISK_MIN, each(|disk| disk.min_free_bytes))?;
    out.all(&table::DISK_RATE, each(|disk| disk.write_bytes_per_second))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let full = all().filter_map(|(disk, dir)| {
        let full_at = now.checked_add(disk.full_in?)?;
        Some((vec![dir], full_at.as_secs_f64()))
    });
    out.all(&table::DISK_FULL, full)?;
    let states = all().flat_map(|(disk, dir)| {
        DISK_STATES
            .map(|state| (vec![dir, state.name()], if disk.state == state { 1.0 } else { 0.0 }))
    });
    out.all(&table::DISK_STATE, states)
}

/// Returns how many streams have no series of their own.
fn streams(api: &Api, out: &mut Writer<'_>) -> Result<usize, fmt::Error> {
    let mut all = api.context.registry.live();
    all.sort_by(|a, b| a.key().cmp(b.key()));
    let omitted = all.len().saturating_sub(SERIES);
    all.truncate(SERIES);
    let stats: Vec<_> = all.iter().map(|stream| (stream.key(), stream.stats())).collect();
    let each = |value: fn(&live::Stats) -> u64| {
        stats.iter().map(move |(key, stats)| (vec![key.as_str()], number(value(stats))))
    };
    out.all(&table::STREAM_BYTES, each(|s| s.audio.bytes + s.video.bytes + s.data.bytes))?;
    out.all(&table::STREAM_PACKETS, each(|s| s.audio.packets + s.video.packets + s.data.packets))?;
    out.all(&table::STREAM_KEYS, each(|s| s.key_frames))?;
    let sessions = &api.context.sessions;
    let players = stats.iter().map(|(key, _)| (vec![key.as_str()], sessions.count_players(key)));
    let players = players.map(|(labels, count)| (labels, number(count as u64)));
    out.all(&table::STREAM_PLAYERS, players)?;
    Ok(omitted)
}

#[expect(clippy::cast_precision_loss, reason = "the format has no other number: 2^53 are exact")]
fn number(n: u64) -> f64 {
    n as f64
}
