//! Recordings that were made of known packets.

use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use media::time::Rebase;
use media::{Header, Kind, Packet};

use super::Segment;
use crate::disk::Disk as _;
use crate::disk::fake::FakeDisk;
use crate::path::{Facts, Template};
use crate::segment::{self, End};
use crate::testing::{audio, audio_config, video, video_config};
use crate::{About, Amount, Cut, Format, Gap, GapReason, Ledger};

/// When everything begins.
pub(super) const START: i64 = 1_760_185_852_123;

/// One uninterrupted publish.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The publisher was away for so long.
    pub(super) away_ms: i64,
    pub(super) recording: u64,
    /// The encoder's clock at its start.
    pub(super) dts_ms: i64,
    /// Groups of pictures, a second each: ten frames, and audio beside each.
    pub(super) gops: i64,
    /// A new segment so often; 0 for never.
    pub(super) cut_every: i64,
    pub(super) video: bool,
    pub(super) audio: bool,
    /// Audio is so much later than the video it comes with.
    pub(super) skew_ms: i64,
    /// Marks its video configuration.
    pub(super) config: u8,
    pub(super) frame_bytes: usize,
    /// The clock on the wall goes wrong by so much in each segment.
    pub(super) drift_ms: i64,
    /// The last segment is not finished.
    pub(super) grows: bool,
    /// Before it the wall's clock goes on by so much more than the recording's.
    pub(super) jump_ms: i64,
    /// Why its first segment begins.
    pub(super) cut: Option<Cut>,
    /// Another video configuration comes before this group of pictures.
    pub(super) change: Option<(i64, u8)>,
    /// There is no video from this group of pictures on.
    pub(super) dark_from: i64,
    /// A gap inside its first segment.
    pub(super) gap: Option<Gap>,
    pub(super) format: Format,
    /// So many packets of a file tell which tracks it has, if it is MP4.
    pub(super) told_by: usize,
    /// What was pushed goes to the disk after so many packets; 0 for at the end.
    pub(super) flush_every: usize,
    /// What the publisher says first.
    pub(super) metadata: Option<Packet>,
    /// Packets of other tracks, which come by their times.
    pub(super) others: Vec<Packet>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            away_ms: 0,
            recording: 1,
            dts_ms: 0,
            gops: 1,
            cut_every: 0,
            video: true,
            audio: true,
            skew_ms: 23,
            config: 1,
            frame_bytes: 300,
            drift_ms: 0,
            grows: false,
            jump_ms: 0,
            cut: None,
            change: None,
            dark_from: i64::MAX,
            gap: None,
            format: Format::Flv,
            told_by: usize::MAX,
            flush_every: 0,
            metadata: None,
            others: Vec::new(),
        }
    }
}

/// A packet, and when it was recorded.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) packet: Packet,
    pub(super) unix_ms: i64,
    pub(super) segment: usize,
}

pub(super) struct Made {
    pub(super) disk: FakeDisk,
    pub(super) segments: Vec<Segment>,
    pub(super) sent: Vec<Sent>,
    /// Ms since [`START`] at which the last run ended.
    pub(super) now_ms: i64,
    recording: u64,
    number: u32,
    /// On the recording clock.
    clock_ms: i64,
    runs: i64,
    first_of_run: u32,
}

impl Made {
    pub(super) fn new() -> Self {
        let disk = FakeDisk::default();
        disk.create_dir_all(Path::new("recordings")).unwrap();
        let (segments, sent) = Default::default();
        let (now_ms, recording, number, clock_ms, runs, first_of_run) = Default::default();
        Self { disk, segments, sent, now_ms, recording, number, clock_ms, runs, first_of_run }
    }

    /// Records one publish after those that were.
    pub(super) fn run(&mut self, run: &Run) {
        let is_same = std::mem::replace(&mut self.recording, run.recording) == run.recording;
        let has_before = is_same && self.number > 0;
        if !has_before {
            (self.number, self.clock_ms) = (0, 0);
        }
        let away_ms = run.away_ms;
        self.now_ms += away_ms + run.jump_ms;
        if has_before {
            self.clock_ms += away_ms;
        }
        self.runs += 1;
        let packets = self.packets(run);
        let mut header = Header::default();
        let mut rest = packets.as_slice();
        let every = if run.cut_every > 0 { run.cut_every } else { run.gops };
        let mut gop = 0;
        self.first_of_run = self.number + 1;
        while gop < run.gops {
            let until_ms = run.dts_ms + (gop + every).min(run.gops) * 1_000;
            let is_next = |packet: &Packet| {
                let is_place = packet.kind == Kind::Video || !run.video;
                is_place && packet.is_media() && packet.dts_ms >= until_ms
            };
            let end = rest.iter().position(is_next).unwrap_or(rest.len());
            let (these, after) = rest.split_at(end);
            rest = after;
            let length_ms = every.min(run.gops - gop) * 1_000;
            gop += every;
            let gap = (has_before && away_ms > 0 && gop <= every).then(|| Gap {
                at_ms: u64::try_from(self.clock_ms - away_ms).unwrap(),
                length_ms: u64::try_from(away_ms).unwrap(),
                reason: GapReason::Publisher,
                dropped: Amount::default(),
            });
            let grows = run.grows && gop >= run.gops;
            self.segment(run, these, &mut header, gap, (length_ms, grows));
        }
    }

    fn packets(&self, run: &Run) -> Vec<Packet> {
        let mut packets: Vec<_> = run.metadata.iter().cloned().collect();
        if run.video {
            packets.push(video_config(run.config));
        }
        if run.audio {
            packets.push(audio_config());
        }
        for i in 0..run.gops * 10 {
            let at_ms = run.dts_ms + i * 100;
            if let Some((gop, mark)) = run.change
                && gop * 10 == i
            {
                packets.push(video_config(mark));
            }
            if run.video && i < run.dark_from.saturating_mul(10) {
                let frame = video(at_ms, i % 10 == 0, run.frame_bytes);
                packets.push(self.unique(frame));
            }
            if run.audio {
                packets.push(self.unique(audio(at_ms + run.skew_ms, 40)));
            }
        }
        if !run.others.is_empty() {
            packets.extend(run.others.iter().cloned());
            packets.sort_by_key(|packet| packet.dts_ms);
        }
        packets
    }

    /// Unlike the packets of other runs.
    fn unique(&self, packet: Packet) -> Packet {
        let mut body = packet.body.to_vec();
        body.extend_from_slice(&self.runs.to_be_bytes());
        Packet { body: Bytes::from(body), ..packet }
    }

    fn segment(
        &mut self,
        run: &Run,
        packets: &[Packet],
        header: &mut Header,
        gap_before: Option<Gap>,
        (length_ms, grows): (i64, bool),
    ) {
        self.number += 1;
        let true_unix_ms = START + self.now_ms;
        let wrong_ms = run.drift_ms * i64::from(self.number - 1);
        let start = Timestamp::from_millisecond(true_unix_ms + wrong_ms).unwrap();
        let start = start.to_zoned(TimeZone::fixed(Offset::constant(2)));
        let is_first = self.number == self.first_of_run;
        let by_number = if self.number == 1 { Cut::Start } else { Cut::Duration };
        let about = About {
            recording: format!("{:016x}", run.recording).parse().unwrap(),
            segment: self.number,
            start_time: start.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            start_ms: u64::try_from(self.clock_ms).unwrap(),
            cut: run.cut.filter(|_| is_first).unwrap_or(by_number),
            gap_before,
            ..crate::testing::about()
        };
        let template: Template = "{stream_key}_{recording}_{sequence}.flv".parse().unwrap();
        let name = template.name(&Facts {
            stream_key: "live/test",
            start: &start,
            end: None,
            sequence: self.number,
            recording: &about.recording.to_string(),
            recorder: &about.recorder,
            recording_name: "",
            format: run.format,
        });
        let dir = Path::new("recordings");
        let form = crate::testing::form(run.format, header, packets.iter().take(run.told_by));
        let mut file =
            segment::Segment::create(&self.disk, dir, &name, about, form, header).unwrap();
        let mut rebase = Rebase::default();
        let mut ledger = Ledger { repeated_packets: file.repeated_packets(), ..Ledger::default() };
        for (number, packet) in packets.iter().enumerate() {
            let placed = rebase.place(packet);
            file.push(packet, placed.time_ms).unwrap();
            if number.checked_rem(run.flush_every) == Some(0) {
                file.flush().unwrap();
            }
            header.push(packet);
            ledger.written += Amount { packets: 1, bytes: packet.body.len() as u64 };
            self.sent.push(Sent {
                packet: packet.clone(),
                unix_ms: true_unix_ms + i64::try_from(placed.time_ms).unwrap(),
                segment: self.segments.len(),
            });
        }
        ledger.received = ledger.written;
        run.gap.filter(|_| is_first).into_iter().for_each(|gap| ledger.add_gap(gap));
        file.flush().unwrap();
        let path = file.path().to_owned();
        if grows {
            file.refresh(&ledger).unwrap();
        } else {
            let length_ms = u64::try_from(length_ms).unwrap();
            let end_time = String::new();
            let end = End { length_ms, end_time, final_name: None, checksum_files: false };
            file.finish(&self.disk, &ledger, &end).1.unwrap();
        }
        self.now_ms += length_ms;
        self.clock_ms += length_ms;
        self.segments.push(Segment::of_file(&self.disk, &path).unwrap().unwrap());
    }

    /// Changes bytes of a segment's file.
    pub(super) fn damage(&self, segment: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let path = &self.segments[segment].path;
        let mut bytes = self.disk.files()[path].clone();
        change(&mut bytes);
        self.disk.put(path.to_str().unwrap(), &bytes);
    }
}
