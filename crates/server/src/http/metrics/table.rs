//! All metrics, and how they are written.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

/// How a metric is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Goes up and down.
    Gauge,
    /// Only grows while the server runs.
    Counter,
    /// Counts by size.
    Histogram,
}

impl Type {
    /// The word of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }

    fn encoded(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name; that of a counter without `_total`.
    pub name: &'static str,
    /// How it is to be read.
    pub kind: Type,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl Metric {
    /// The name by which queries ask for it.
    pub fn query_name(&self) -> String {
        match self.kind {
            Type::Counter => format!("{}_total", self.name),
            Type::Gauge | Type::Histogram => self.name.to_owned(),
        }
    }
}

macro_rules! metrics {
    ($($name:ident $word:literal $kind:ident [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) const $name: Metric = Metric {
            name: $word,
            kind: Type::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order in which they are written.
        pub const METRICS: &[Metric] = &[$($name),*];
    };
}

metrics! {
    INFO "rtmp_server_info" Gauge ["version"] "Always 1; the version is a label";
    START "process_start_time_seconds" Gauge [] "When the server began, in seconds since 1970";
    READY "rtmp_ready" Gauge [] "Whether the server can do its work, as /ready says: 1 or 0";
    CONNECTIONS "rtmp_connections" Gauge [] "RTMP connections";
    PUBLISHERS "rtmp_publishers" Gauge [] "Streams that are published";
    PLAYERS "rtmp_players" Gauge [] "Players, with those that wait";
    PLAYERS_VIA "rtmp_players_via" Gauge ["via"]
        "Players by how they play: rtmp, flv, websocket, mp4 or hls";
    STREAMS "rtmp_streams" Gauge ["state"] "Streams that are live, and that are only waited for";
    RECEIVED_BYTES "rtmp_received_bytes" Counter [] "Bytes read from RTMP connections";
    SENT_BYTES "rtmp_sent_bytes" Counter [] "Bytes written to RTMP connections and to viewers over HTTP";
    RECEIVED_PACKETS "rtmp_received_packets" Counter [] "Messages of publishers";
    SENT_PACKETS "rtmp_sent_packets" Counter [] "Messages to players";
    RECORDINGS "rtmp_recordings" Gauge ["state"] "Recordings that run, by what they do";
    HEALTHY "rtmp_recorder_healthy" Gauge ["stream" "recorder"]
        "Whether a recording is written: 0 while its disk is in trouble or full";
    UNHEALTHY "rtmp_recorders_unhealthy" Gauge []
        "Recordings that are not written because their disk is in trouble or full";
    REC_RECEIVED "rtmp_recording_received_packets" Counter []
        "Packets that recordings got; received = written + dropped";
    REC_WRITTEN "rtmp_recording_written_packets" Counter [] "Packets that are in files";
    REC_DROPPED "rtmp_recording_dropped_packets" Counter [] "Packets that are in no file";
    REC_DROPPED_BYTES "rtmp_recording_dropped_bytes" Counter [] "Bytes of them";
    REC_BYTES "rtmp_recording_file_bytes" Counter [] "Bytes written to files";
    REC_GAPS "rtmp_recording_gaps" Counter [] "Stretches that a recording was too slow for";
    REC_ERRORS "rtmp_recording_errors" Counter [] "Times that a disk got into trouble";
    QUEUE "rtmp_record_queue_bytes" Gauge [] "Bytes of media that wait for disks";
    WRITE "rtmp_disk_write_seconds" Histogram [] "How long writes to disks took";
    DISK_FREE "rtmp_disk_free_bytes" Gauge ["dir"] "Room on a disk that is recorded to";
    DISK_TOTAL "rtmp_disk_total_bytes" Gauge ["dir"] "Size of the disk";
    DISK_MIN "rtmp_disk_min_free_bytes" Gauge ["dir"] "Room that recording leaves free";
    DISK_RATE "rtmp_disk_write_bytes_per_second" Gauge ["dir"] "What recordings write to it";
    DISK_FULL "rtmp_disk_full_timestamp_seconds" Gauge ["dir"]
        "When recording stops for want of room, in seconds since 1970; not there while it does not \
         get less";
    DISK_STATE "rtmp_disk_state" Gauge ["dir" "state"]
        "1 for what the disk is: good, low, full, hanging or unwritable, as the API says";
    STREAM_BYTES "rtmp_stream_received_bytes" Counter ["stream"]
        "Bytes of media of a stream since it is published";
    STREAM_PACKETS "rtmp_stream_received_packets" Counter ["stream"]
        "Messages of a stream since it is published";
    STREAM_KEYS "rtmp_stream_key_frames" Counter ["stream"]
        "Key frames of a stream since it is published";
    STREAM_PLAYERS "rtmp_stream_players" Gauge ["stream"] "Players of a stream";
    HLS_MUXERS "rtmp_hls_muxers" Gauge [] "Streams that are made into segments for viewers";
    HLS_BYTES "rtmp_hls_bytes" Gauge [] "Bytes of segments that are in memory";
    HLS_PARTS "rtmp_hls_parts" Counter [] "Parts of segments that were made";
    PICTURES "rtmp_pictures" Counter ["outcome"]
        "Pictures that were made, and that could not be: made or failed";
    PICTURE_BYTES "rtmp_picture_cache_bytes" Gauge [] "Memory that finished pictures take";
    OMITTED "rtmp_series_omitted" Gauge []
        "Streams and recordings that have no series of their own: 1,000 of each have one";
    EVENTS "rtmp_events" Counter [] "Events since the start";
    EVENTS_LOST "rtmp_events_lost" Counter []
        "Events that subscribers did not get, because they were too slow or away for too long";
    SUBSCRIBERS "rtmp_event_subscribers" Gauge [] "Clients that read events";
    LOG_LOST "rtmp_log_lines_lost" Counter [] "Log lines that nobody read in time";
}

/// Labels and a value.
pub(super) type Series<'a> = (Vec<&'a str>, f64);

/// Writes metrics, each once.
pub(super) struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// A metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, value: f64) -> fmt::Result {
        self.all(metric, [(Vec::new(), value)])
    }

    /// A metric with its series; the labels are in the order of [`Metric::labels`].
    pub(super) fn all<'s>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = Series<'s>>,
    ) -> fmt::Result {
        let kind = metric.kind.encoded();
        let mut encoder = self.encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
        for (values, value) in series {
            debug_assert_eq!(values.len(), metric.labels.len(), "{}", metric.name);
            let labels: Vec<_> = metric.labels.iter().copied().zip(values).collect();
            let labels = labels.as_slice();
            match labels {
                [] => write(metric, &mut encoder, value)?,
                labels => write(metric, &mut encoder.encode_family(&labels)?, value)?,
            }
        }
        Ok(())
    }

    /// A histogram of times: calls by their upper bound in seconds.
    pub(super) fn histogram(
        &mut self,
        metric: &Metric,
        sum_seconds: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let kind = metric.kind.encoded();
        let mut encoder = self.encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum_seconds, count, buckets, None)
    }
}

fn write(metric: &Metric, encoder: &mut MetricEncoder<'_>, value: f64) -> fmt::Result {
    match metric.kind {
        Type::Gauge => encoder.encode_gauge(&value),
        _ => encoder.encode_counter(&value, None::<&Exemplar<NoLabelSet, f64>>),
    }
}
