//! The settings: one definition for the command line and for programs that embed the server.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use archive::path::Template;
use archive::retention::Rules;
use archive::{Every, Schedule};
use bytesize::ByteSize;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

/// All settings of the server. The names are those of the flags, with `-` for `_`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Config {
    /// Address of the RTMP listener: HOST:PORT, or :PORT for all addresses of the machine
    #[arg(long, value_name = "ADDRESS", default_value = ":1935")]
    pub listen: ListenAddress,

    /// Record every published stream
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "false",
          default_missing_value = "true", value_parser = boolean())]
    pub record_all: bool,

    /// Directory that recordings go to; made with its parents
    #[arg(long, value_name = "PATH", default_value = "recordings")]
    pub record_dir: PathBuf,

    /// Least level that is logged: debug, info, warn or error
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,

    /// How log lines are written: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// A publisher that sends nothing for this long is given up, so that it can come back
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub publish_timeout: Duration,

    /// A player that takes nothing, or keeps losing pictures, for this long is disconnected
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub play_timeout: Duration,

    /// Players of a publisher that is gone wait this long for it to come back before they are told
    /// the end; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration_or_zero)]
    pub play_hold: Duration,

    /// Longest that a stop waits for open files and connections
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub shutdown_timeout: Duration,

    /// Most connections at once
    #[arg(long, value_name = "N", default_value = "20000", value_parser = count)]
    pub max_connections: usize,

    /// Most connections at once from one address
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub max_connections_per_address: usize,

    /// Most connections that have not finished their handshake; beyond it the oldest of them is
    /// dropped
    #[arg(long, value_name = "N", default_value = "2000", value_parser = count)]
    pub max_handshakes: usize,

    /// Most streams published or waited for at once
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub max_streams: usize,

    /// Most players of one stream
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub max_players: usize,

    /// Largest message that a publisher may send
    #[arg(long, value_name = "SIZE", default_value = "16777215", value_parser = message_size)]
    pub max_message_size: usize,

    /// Most memory that a stream's newest group of pictures may take for players that join
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    pub join_buffer: usize,

    /// Most memory of a stream that its slowest player may hold on to
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size)]
    pub play_buffer: usize,

    /// Most memory of a stream that waits for a slow disk
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub record_queue: usize,

    /// Most memory of all streams together that waits for slow disks
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub record_queue_total: usize,

    /// Longest that a packet waits before the operating system has it: what a killed process costs
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = flush)]
    pub record_flush: Duration,

    /// How often the disk is waited for: what a power cut costs; 0 for once at the end of each file
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration_or_zero)]
    pub record_sync: Duration,

    /// Names of files, below the record directory; docs/ref/names.md has all parts
    #[arg(long, value_name = "TEMPLATE", default_value = "{stream_key}_{timestamp}")]
    pub record_path: Template,

    /// A new file when this one is so long, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = off_or(rotation))]
    pub record_rotate_duration: std::option::Option<Duration>,

    /// A new file when this one is so large, or off
    #[arg(long, value_name = "SIZE", default_value = "off", value_parser = off_or(file_size))]
    pub record_rotate_size: std::option::Option<u64>,

    /// A new file at every multiple of this time by the clock on the wall, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = off_or(parsed::<Every>))]
    pub record_rotate_every: std::option::Option<Every>,

    /// A new file whenever a cron expression, with a time zone behind it, says so, or off
    #[arg(long, value_name = "CRON", default_value = "off",
          value_parser = off_or(parsed::<Schedule>))]
    pub record_rotate_schedule: std::option::Option<Schedule>,

    /// A publisher that is back within this time continues its recording; 0 for a recording each
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration_or_zero)]
    pub record_rejoin: Duration,

    /// Write the BLAKE3 hash of each finished file beside it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "false",
          default_missing_value = "true", value_parser = boolean())]
    pub record_checksum_files: bool,

    /// What is deleted for want of room.
    #[command(flatten)]
    pub retain: Retain,
}

/// Free space, and what is deleted when: for the server and for `rtmp-server retention`.
// The paths of the types are whole so that clap takes the parsers' values as they are.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Retain {
    /// Room that recording leaves on the disk; auto: the smaller of 1 GiB and 1 % of it
    #[arg(long, value_name = "SIZE", default_value = "auto", value_parser = min_free)]
    pub record_min_free: std::option::Option<u64>,

    /// Recordings older than this are deleted, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = age)]
    pub retain_age: std::option::Option<Duration>,

    /// The oldest recordings are deleted while all of them are larger than this, or off
    #[arg(long, value_name = "SIZE", default_value = "off", value_parser = room)]
    pub retain_size: std::option::Option<u64>,

    /// The oldest recordings are deleted while the disk has less room than this, or off
    #[arg(long, value_name = "SIZE", default_value = "off", value_parser = room)]
    pub retain_free: std::option::Option<u64>,

    /// Only recordings with a file NAME.flv.copied beside them are deleted
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "false",
          default_missing_value = "true", value_parser = boolean())]
    pub retain_copied: bool,
}

impl Retain {
    /// As the archive takes them.
    pub fn rules(&self) -> Rules {
        Rules {
            age: self.retain_age,
            total_bytes: self.retain_size,
            free_bytes: self.retain_free,
            copied_only: self.retain_copied,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        crate::cli::defaults()
    }
}

/// Where to listen: `HOST:PORT`, or `:PORT` for all addresses, IPv6 and IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` for all addresses.
    host: Option<String>,
    port: u16,
}

impl ListenAddress {
    /// The socket addresses behind it. Takes the resolver's time for a host name.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            None => Ok(vec![(Ipv6Addr::UNSPECIFIED, self.port).into()]),
            Some(host) => Ok((host.as_str(), self.port).to_socket_addrs()?.collect()),
        }
    }

    /// Whether IPv4 is to be tried where the machine has no IPv6.
    pub(crate) fn fallback(&self) -> Option<SocketAddr> {
        self.host.is_none().then(|| (Ipv4Addr::UNSPECIFIED, self.port).into())
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "expected HOST:PORT, for example :1935, localhost:1935 or [::]:1935";
        let (host, port) = text.rsplit_once(':').ok_or(form)?;
        // `u16` would take a sign.
        let port = match port.parse() {
            Ok(number) if port.starts_with(|c: char| c.is_ascii_digit()) => number,
            _ => return Err(format!("the port is not 0 to 65535; {form}")),
        };
        let host = match host.strip_prefix('[') {
            Some(v6) => {
                let v6 = v6.strip_suffix(']').ok_or(form)?;
                v6.parse::<Ipv6Addr>().map_err(|_| format!("not an IPv6 address; {form}"))?;
                Some(v6.to_owned())
            }
            None if host.contains([':', '/', ' ']) => return Err(form.to_owned()),
            None => Some(host.to_owned()).filter(|h| !h.is_empty()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) => match host.parse::<IpAddr>() {
                Ok(ip) => write!(f, "{}", SocketAddr::new(ip, self.port)),
                Err(_) => write!(f, "{host}:{}", self.port),
            },
        }
    }
}

/// The least level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Every packet as well.
    Debug,
    /// What a person asked about changed its state.
    Info,
    /// Unexpected, and we went on.
    Warn,
    /// Data was lost, or a person must act.
    Error,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `time LEVEL message field=value …`
    Text,
    /// One JSON object a line.
    Json,
}

/// A parser that takes `off` as well.
pub(crate) fn off_or<T: Clone + Send + Sync + 'static>(
    parse: impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Option<T>, String> + Clone + Send + Sync + 'static {
    move |text| match text {
        "off" => Ok(None),
        text => parse(text).map(Some),
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn boolean() -> impl clap::builder::TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["true", "false"]).map(|word| word == "true")
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let form = "expected a time such as 500ms, 30s or 5m";
    let time = text.parse::<jiff::SignedDuration>().map_err(|_| form.to_owned())?;
    let time = Duration::try_from(time).map_err(|_| "the time is negative".to_owned())?;
    match time.as_millis() {
        1..=86_400_000 => Ok(time),
        _ => Err(format!("{form}, at least 1ms and at most 24h")),
    }
}

/// A time, or `0`.
fn duration_or_zero(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        _ => duration(text).map_err(|error| format!("{error}; or 0")),
    }
}

/// Shorter than this, packets are written one by one.
fn flush(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    match time.as_millis() {
        20..=60_000 => Ok(time),
        _ => Err("expected a time from 20ms to 1m".to_owned()),
    }
}

/// FLV times end after 49 days.
fn rotation(text: &str) -> Result<Duration, String> {
    let form = "expected off, or a time such as 90s, 15m or 1h, from 1s to 1000h";
    let time = text.parse::<jiff::SignedDuration>().map_err(|_| form.to_owned())?;
    match time.as_millis() {
        1_000..=3_600_000_000 => Duration::try_from(time).map_err(|_| form.to_owned()),
        _ => Err(form.to_owned()),
    }
}

fn file_size(text: &str) -> Result<u64, String> {
    let form = "expected off, or a size such as 500MB or 4GiB, from 64KiB to 1PiB";
    match text.parse::<ByteSize>().map(|size| size.as_u64()) {
        Ok(n @ 65_536..=0x4_0000_0000_0000) => Ok(n),
        _ => Err(form.to_owned()),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1_000_000) => Ok(n),
        _ => Err("expected a whole number from 1 to 1000000".to_owned()),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let form = "expected a size such as 500KB or 16MiB";
    let size = text.parse::<ByteSize>().map_err(|_| form.to_owned())?.as_u64();
    match usize::try_from(size) {
        Ok(n @ 65_536..=0xFF_FFFF_FFFF) => Ok(n),
        _ => Err(format!("{form}, from 64KiB to 1TiB")),
    }
}

/// RTMP lengths have 24 bits.
fn message_size(text: &str) -> Result<usize, String> {
    match size(text)? {
        n @ 0..=0xFF_FFFF => Ok(n),
        _ => Err("an RTMP message has at most 16777215 bytes".to_owned()),
    }
}

/// A time in which a day has 24 hours, or `off`.
fn age(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let form = "expected a time such as 90m, 12h or 30d, or off";
    let time = text.parse::<jiff::Span>().map_err(|_| form)?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let time = time.to_duration(days).map_err(|_| form)?;
    match Duration::try_from(time) {
        Ok(time) if (AGE_MIN..=AGE_MAX).contains(&time) => Ok(Some(time)),
        _ => Err(format!("{form}, at least 1m and at most 36500d")),
    }
}

const AGE_MIN: Duration = Duration::from_secs(60);
const AGE_MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// Room for recordings, or `off`. At least 1 MiB: a number without a unit is a mistake that would
/// delete everything.
fn room(text: &str) -> Result<Option<u64>, String> {
    if text == "off" {
        return Ok(None);
    }
    let form = "expected a size such as 500GB or 2TiB, or off";
    match text.parse::<ByteSize>().map_err(|_| form)?.as_u64() {
        bytes @ 0x10_0000..=ROOM_MAX => Ok(Some(bytes)),
        _ => Err(format!("{form}, from 1MiB to 1EiB")),
    }
}

const ROOM_MAX: u64 = 1 << 60;

/// Room to leave, or `auto`.
fn min_free(text: &str) -> Result<Option<u64>, String> {
    if text == "auto" {
        return Ok(None);
    }
    let form = "expected a size such as 500MB or 2GiB, 0, or auto";
    match text.parse::<ByteSize>().map_err(|_| form)?.as_u64() {
        bytes @ 0..=ROOM_MAX => Ok(Some(bytes)),
        _ => Err(format!("{form}, at most 1EiB")),
    }
}

#[cfg(test)]
mod tests;
