//! Doing something to a recording: at the server that has it, and holds also in a directory.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use archive::{RecordingId, Tracks};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::files;
use super::model::Recording;
use super::place::{At, Place, Which, call, change, read};
use super::text::{extent, name};
use super::when::local;
use crate::command::api::Api;
use crate::command::format::{count, path, printable};
use crate::command::{Error, print};

/// Asked for, and not finished in the time that was given.
const EXIT_UNFINISHED: u8 = 3;
/// Between two looks at a recording that is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// `rtmp-server recordings start`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings start live/test
  rtmp-server recordings start live/test -name concert -max-length 2h -pre-roll 10s -label hall=3
  rtmp-server recordings start live/test -request-key concert-2026-11-29 -wait over

The stream need not be there yet: the recording waits for it, and begins with its first packet.
The same request with the same -request-key begins nothing: scripts may repeat it.")]
pub(super) struct Start {
    /// The stream
    #[arg(value_name = "APP/NAME")]
    stream: String,

    /// What to call the recording; part of file names whose template has {name}
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Keep it as this recorder of the configuration does
    #[arg(long, value_name = "NAME")]
    recorder: Option<String>,

    /// What to record: all, audio, video or keyframes
    #[arg(long, value_name = "TRACKS")]
    tracks: Option<Tracks>,

    /// It ends by itself when it is so long, for example 90m
    #[arg(long, value_name = "TIME")]
    max_length: Option<String>,

    /// Begin so long before now, as far as the server keeps the stream, for example 10s
    #[arg(long, value_name = "TIME")]
    pre_roll: Option<String>,

    /// What to say of it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,

    /// The same request again has the same key, and begins nothing
    #[arg(long, value_name = "KEY")]
    request_key: Option<String>,

    /// Wait until it has begun, or until it is over; Ctrl-C ends the wait and not the recording
    #[arg(long, value_name = "WHAT", value_parser = ["begun", "over"])]
    wait: Option<String>,

    #[command(flatten)]
    at: At,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    archive::check_label(name, value).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Start {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let api = self.at.server("start")?;
        let body = self.body();
        let path = ["api", "v1", "recordings"];
        let (status, mut answer) = api.call(Method::POST, &path, &[], Some(&body)).await?;
        let mut recording = read(&answer)?;
        if let Some(what) = &self.wait {
            let id: RecordingId = recording.id.parse()?;
            let place = Place::Server(api);
            let mut is_told = self.at.json;
            while recording.state == "waiting" || what == "over" && recording.is_active() {
                if !std::mem::replace(&mut is_told, true) {
                    eprintln!("waiting until {} {}", name(&recording), as_words(what));
                }
                tokio::time::sleep(LOOK).await;
                answer = place.show(id).await?;
                recording = read(&answer)?;
            }
        }
        let text = match (recording.state.as_str(), status) {
            (_, 200) if self.wait.is_none() => format!("{} was asked for before", name(&recording)),
            ("waiting", _) if recording.start.is_none() => {
                format!("{} waits for its stream", name(&recording))
            }
            _ if recording.is_active() => format!("{} has begun", name(&recording)),
            (state, _) => format!("{} is {state}: {}", name(&recording), extent(&recording)),
        };
        told(&self.at, &answer, &text)
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        let texts = [
            ("stream", Some(self.stream.as_str())),
            ("name", self.name.as_deref()),
            ("recorder", self.recorder.as_deref()),
            ("tracks", self.tracks.map(Tracks::name)),
            ("max_length", self.max_length.as_deref()),
            ("pre_roll", self.pre_roll.as_deref()),
            ("request_key", self.request_key.as_deref()),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                body.insert(field.to_owned(), text.into());
            }
        }
        if !self.label.is_empty() {
            let labels = self.label.iter().map(|(n, value)| (n.clone(), value.clone().into()));
            body.insert("labels".to_owned(), Value::Object(labels.collect()));
        }
        Value::Object(body)
    }
}

fn as_words(what: &str) -> &'static str {
    if what == "begun" { "has begun" } else { "is over" }
}

/// Prints what came of it: the recording for programs, a line for people.
fn told(at: &At, answer: &Value, text: &str) -> Result<ExitCode, Error> {
    match at.json {
        true => print(&format!("{answer}\n"))?,
        false => print(&format!("{text}\n"))?,
    };
    Ok(ExitCode::SUCCESS)
}

/// `rtmp-server recordings stop`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings stop 8c1f
  rtmp-server recordings stop -stream live/test

Exit code: 0 when it is over and its files are whole, 3 when that took longer than -wait.")]
pub(super) struct Stop {
    #[command(flatten)]
    which: Which,

    /// Longest wait until its files are whole: at most 25s, or 0
    #[arg(long, value_name = "TIME", default_value = "10s")]
    wait: String,

    #[command(flatten)]
    at: At,
}

impl Stop {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let api = self.at.server("stop")?;
        let id = Place::Server(api.clone()).find_active(&self.which).await?;
        let body = Some(json!({"wait": self.wait}));
        let (status, answer) = change(&api, Method::POST, id, &["stop"], body).await?;
        let recording = read(&answer)?;
        let text = match (status, recording.state.as_str()) {
            (202, _) => format!("{} ends; its files are not finished yet", name(&recording)),
            (_, "cancelled") => {
                format!("{} is taken back: its stream never came", name(&recording))
            }
            (_, state) => format!("{} is {state}: {}", name(&recording), extent(&recording)),
        };
        told(&self.at, &answer, &text)?;
        Ok(if status == 202 { ExitCode::from(EXIT_UNFINISHED) } else { ExitCode::SUCCESS })
    }
}

/// `rtmp-server recordings split`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  rtmp-server recordings split -stream live/test

Nothing is lost at the cut, and nothing is in both files.")]
pub(super) struct Split {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    at: At,
}

impl Split {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let api = self.at.server("split")?;
        let id = Place::Server(api.clone()).find_active(&self.which).await?;
        let (_, answer) = change(&api, Method::POST, id, &["split"], None).await?;
        let text = format!("{} begins another file at its next key frame", name(&read(&answer)?));
        told(&self.at, &answer, &text)
    }
}

/// `rtmp-server recordings hold`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings hold last
  rtmp-server recordings hold 8c1f -record-dir /srv/recordings

A held recording has a file NAME.flv.hold beside each of its files. Neither a rule nor a person deletes
it until it is released.")]
pub(super) struct Hold {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    at: At,
}

impl Hold {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let place = self.at.place()?;
        let id = place.find(&self.which).await?;
        held(&self.at, &place, id, true).await
    }
}

/// `rtmp-server recordings release`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  rtmp-server recordings release 8c1f4e2a90b7d635")]
pub(super) struct Release {
    /// The recording: its whole id
    #[arg(value_name = "ID")]
    id: RecordingId,

    #[command(flatten)]
    at: At,
}

impl Release {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let place = self.at.place()?;
        held(&self.at, &place, self.id, false).await
    }
}

/// Holds or releases a recording.
async fn held(at: &At, place: &Place, id: RecordingId, hold: bool) -> Result<ExitCode, Error> {
    let answer = match place {
        Place::Server(api) => {
            let what = if hold { "hold" } else { "release" };
            change(api, Method::POST, id, &[what], None).await?.1
        }
        Place::Directory(_) => {
            for file in files::files(place, id).await? {
                mark(&file, hold)?;
            }
            let mut answer = place.show(id).await?;
            // The catalog hears of it from the server, which looks at the files.
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("held".to_owned(), hold.into());
            }
            answer
        }
    };
    let recording = read(&answer)?;
    let text = match hold {
        true => format!("{} is held: nothing deletes it", name(&recording)),
        false => format!("{} is released", name(&recording)),
    };
    told(at, &answer, &text)
}

/// Puts `NAME.flv.hold` beside a file, or takes it away.
fn mark(file: &Path, hold: bool) -> Result<(), Error> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".hold");
    let beside = Path::new(&beside);
    let done = match hold {
        true => File::create_new(beside).map(drop),
        false => fs::remove_file(beside),
    };
    match done {
        Err(error) if hold && error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if !hold && error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            let what = if hold { "make" } else { "remove" };
            let (beside, words) = (path(beside), archive::words(&error));
            Err(format!("cannot {what} {beside}: {words}").into())
        }
        Ok(()) => Ok(()),
    }
}

/// `rtmp-server recordings delete`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings delete 8c1f4e2a90b7d635
  rtmp-server recordings delete 8c1f4e2a90b7d635 -at-once

Asks nobody anything, and wants the whole id. What is in the bin can be restored for the time of
-bin-grace; what was deleted at once is gone.")]
pub(super) struct Delete {
    /// The recording: its whole id
    #[arg(value_name = "ID")]
    id: RecordingId,

    /// For good, past the bin or out of it
    #[arg(long)]
    at_once: bool,

    #[command(flatten)]
    at: At,
}

impl Delete {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let api = self.at.server("delete")?;
        let id = self.id.to_string();
        let query = if self.at_once { vec![("at_once", "true".to_owned())] } else { Vec::new() };
        let (_, answer) = api.call(Method::DELETE, &call(&id, &[]), &query, None).await?;
        let recording = read(&answer)?;
        let is_done = recording.state != "missing";
        let text = match (recording.state.as_str(), recording.purge.as_deref()) {
            ("binned", until) => {
                let until = until.map(|until| format!(" until {}", local(until)));
                format!(
                    "{} is in the bin{}; `rtmp-server recordings restore {id}` brings it back",
                    name(&recording),
                    until.unwrap_or_default()
                )
            }
            _ => {
                let whole = Place::Server(api).show(self.id).await;
                gone(&whole.and_then(|whole| read(&whole)).unwrap_or(recording))
            }
        };
        if !is_done && !self.at.json {
            return Err(text.into());
        }
        told(&self.at, &answer, &text)?;
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What has become of a recording that was to be deleted: files that were not there were not.
fn gone(recording: &Recording) -> String {
    let missing: Vec<_> = recording.files.iter().filter(|file| file.state == "missing").collect();
    let (name, files) = (name(recording), count(missing.len() as u64, "file"));
    match missing.first().map(|file| printable(&file.file)) {
        None => format!("{name} is deleted for good"),
        Some(first) if recording.state == "missing" => {
            format!("{name}: nothing was deleted, for {files} of it cannot be found: {first}")
        }
        Some(first) => {
            format!("{name} is deleted for good, but {files} of it cannot be found: {first}")
        }
    }
}

/// `rtmp-server recordings restore`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings list -state binned
  rtmp-server recordings restore 8c1f4e2a90b7d635")]
pub(super) struct Restore {
    /// The recording: its whole id
    #[arg(value_name = "ID")]
    id: RecordingId,

    #[command(flatten)]
    at: At,
}

impl Restore {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let api = self.at.server("restore")?;
        let (_, answer) = change(&api, Method::POST, self.id, &["restore"], None).await?;
        let recording = read(&answer)?;
        let text = format!("{} is back: {}", name(&recording), extent(&recording));
        told(&self.at, &answer, &text)
    }
}

/// `rtmp-server recordings label`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rtmp-server recordings label 8c1f4e2a90b7d635 event=concert hall=3
  rtmp-server recordings label 8c1f4e2a90b7d635 -remove draft")]
pub(super) struct Label {
    /// The recording: its whole id
    #[arg(value_name = "ID")]
    id: RecordingId,

    /// Labels and their new values; others stay
    #[arg(value_name = "NAME=VALUE", value_parser = label, required_unless_present = "remove")]
    labels: Vec<(String, String)>,

    /// Take this label away; may be repeated
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,

    #[command(flatten)]
    at: At,
}

impl Label {
    pub(super) async fn run(self) -> Result<ExitCode, Error> {
        let api: Api = self.at.server("label")?;
        let removed = self.remove.iter().map(|name| (name.clone(), Value::Null));
        let set = self.labels.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        let labels: Map<String, Value> = removed.chain(set).collect();
        let body = Some(json!({"labels": labels}));
        let (_, answer) = change(&api, Method::PATCH, self.id, &[], body).await?;
        let recording = read(&answer)?;
        let text = match recording.labels.is_empty() {
            true => format!("{} has no labels", name(&recording)),
            false => {
                let labels = recording.labels.iter().map(|(name, value)| format!("{name}={value}"));
                let labels = labels.collect::<Vec<_>>().join(" ");
                format!("{}: {}", name(&recording), crate::command::format::printable(&labels))
            }
        };
        told(&self.at, &answer, &text)
    }
}
