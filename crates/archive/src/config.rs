//! Where and how recordings are kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::path::Template;
use crate::retention::Rules;
use crate::{Every, Format, Plan, Schedule, Tracks};

/// Where and how recordings are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where files go; created with its parents when the first recording begins.
    pub record_dir: PathBuf,
    /// Further directories that recorders write to: recovered at the start, and watched for room,
    /// as `record_dir` is.
    pub dirs: Vec<PathBuf>,
    /// Those of them all that recordings are to be made in, until [`set_wanted`] says otherwise.
    ///
    /// [`set_wanted`]: crate::Archive::set_wanted
    pub wanted: BTreeSet<PathBuf>,
    /// What files are made; this and all below but the limits are the defaults of [`Config::plan`].
    pub format: Format,
    /// How the path of a segment is put together.
    pub template: Template,
    /// Bytes that recording leaves free on a file system; `None` for the smaller of 1 GiB and 1 %
    /// of it.
    pub min_free: Option<u64>,
    /// What is deleted when.
    pub retention: Rules,
    /// How long deleted recordings stay in the bin; zero deletes them at once.
    pub bin_grace: Duration,
    /// Most recordings at once. Each has a thread of its own.
    pub max_recordings: usize,
    /// Name and version of the program, as every file tells it.
    pub server: String,
    /// What a killed process costs at most of a stream.
    pub flush: Duration,
    /// What a power cut costs at most of a stream; zero waits for the disk at the end of each
    /// segment only.
    pub sync: Duration,
    /// When a segment ends though the stream goes on.
    pub rotation: Rotation,
    /// How long a recording waits for its publisher to come back; zero makes each publish a
    /// recording of its own.
    pub rejoin: Duration,
    /// Whether the hash of each finished file is also written beside it: `NAME.flv.b3`, as `b3sum
    /// --check` reads it, and `NAME.flv.chain`.
    pub checksum_files: bool,
}

/// When a segment ends though the stream goes on, beside the times when it has to: a new
/// configuration, a new clock of the encoder, the limits of the format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// When it is so long.
    pub duration: Option<Duration>,
    /// When its file has so many bytes.
    pub size_bytes: Option<u64>,
    /// At multiples of a time on the clock on the wall.
    pub every: Option<Every>,
    /// At the moments of a schedule.
    pub schedule: Option<Schedule>,
}

impl Config {
    /// The plan of a recorder that has no settings of its own: that of `-record-all`.
    pub fn plan(&self) -> Plan {
        Plan {
            recorder: Plan::ALL.to_owned(),
            dir: self.record_dir.clone(),
            format: self.format,
            template: self.template.clone(),
            rotation: self.rotation.clone(),
            tracks: Tracks::All,
            max_length: None,
            rejoin: self.rejoin,
            flush: self.flush,
            sync: self.sync,
            checksum_files: self.checksum_files,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            record_dir: PathBuf::from("recordings"),
            dirs: Vec::new(),
            wanted: BTreeSet::new(),
            format: Format::default(),
            template: Template::default(),
            min_free: None,
            retention: Rules::default(),
            bin_grace: Duration::from_secs(7 * 24 * 3_600),
            max_recordings: 2_000,
            server: concat!("rtmp-server/", env!("CARGO_PKG_VERSION")).to_owned(),
            flush: Duration::from_secs(1),
            sync: Duration::from_secs(5),
            rotation: Rotation::default(),
            rejoin: Duration::from_secs(10),
            checksum_files: false,
        }
    }
}
