//! Rewinding: a live playlist that reaches back over what was recorded (`?dvr=2h`).
//!
//! Nothing of it is done before somebody asks. Then a whole segment of the muxer is looked for in the recordings of the
//! stream, by its packets ([`media::hls::Trace`]). What was recorded before it is listed once, for as far back as
//! anybody may ask, and stays as it is but for what is deleted. Segments that have left the window are found in the same
//! way, each when it is asked for; those that nobody recorded are told as gaps ([`lost`]). Which numbers all of them have is
//! `media::hls::Reach`.
//!
//! Where nothing is found yet, the list is the ordinary one, by numbers of its own. It is looked again while somebody
//! reloads it; from then on what leaves the window stays in it.
//!
//! Where a stream has several tracks of a kind each has such a list. All of that is done for these apart from the first
//! tracks together ([`Side`]): a segment of the first of them is looked for, and those of the others beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::range::{self, Source};
use archive::{Plan, SystemDisk, catalog};
use axum::http::Uri;
use jiff::Timestamp;
use media::hls::{Logged, Reach, TrackName};

use super::Api;
use super::hls::Playlist;
use super::muxer::{Muxer, State};
use crate::config;
use crate::http::extract::bad_value;
use crate::http::problem::Problem;
use crate::http::recordings::ask;

mod files;
mod find;
mod lost;
mod past;

pub(in crate::http::watch) use files::file;
pub(in crate::http::watch) use find::begin;
use past::Rewind;

/// The longest that a playlist reaches back.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// When the first live segment begins: what was recorded before it is at a time as well.
pub(super) const START_MS: u64 = 25 * 3_600_000;
/// How often it is looked whether a recorder has come so far.
const RETRY: Duration = Duration::from_millis(250);
/// How often it is looked what was deleted, and whether anything is recorded.
const LOOK: Duration = Duration::from_secs(5);
/// Lists that are kept until there is something new.
const LISTS: usize = 16;
/// What is not found so long after it was live is not in the files.
const LATE_MS: i64 = 60_000;
/// No segments.
static NONE: BTreeSet<u64> = BTreeSet::new();
/// What names of files begin with that may be of the archive.
const PREFIX: &str = "rewind-";

/// How a list that reaches back is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// How far.
    length: Duration,
    /// Whether it was given when nothing was found: there is nothing in it but what was live since.
    is_of_live: bool,
}

impl Asked {
    pub(super) fn new(length: Duration, is_of_live: bool) -> Self {
        Self { length, is_of_live }
    }

    /// How a media playlist is asked for it.
    pub(super) fn query(self) -> String {
        let from = if self.is_of_live { "&from=live" } else { "" };
        format!("dvr={}s{from}", self.length.as_secs())
    }

    /// The number of live segment 0 there.
    pub(super) fn first(self, muxer: &Muxer) -> u64 {
        if self.is_of_live { 0 } else { muxer.first }
    }
}

/// A track, or the first ones together.
type Track = Option<TrackName>;

/// Of a stream that somebody has asked to rewind.
#[derive(Default)]
pub(super) struct Rewinding {
    /// The first tracks together, and each of them.
    sides: [Side; 2],
    /// The lists of now, and whether they are updates.
    lists: HashMap<(Track, Asked, bool), Playlist>,
    /// How often there was something new.
    changes: u64,
}

/// What is known of some of the lists.
#[derive(Default)]
struct Side {
    /// What was found.
    found: Option<Rewind>,
    /// When nothing was.
    nothing: Option<Instant>,
    /// When it was looked last what has become of it.
    looked: Option<Instant>,
}

impl Side {
    /// Whether it is time to look again.
    fn is_due(&mut self) -> bool {
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if is_due {
            self.looked = Some(Instant::now());
        }
        is_due
    }
}

impl Rewinding {
    fn side(&self, is_of_tracks: bool) -> &Side {
        let [together, apart] = &self.sides;
        if is_of_tracks { apart } else { together }
    }

    fn side_mut(&mut self, is_of_tracks: bool) -> &mut Side {
        let [together, apart] = &mut self.sides;
        if is_of_tracks { apart } else { together }
    }

    fn found(&self, is_of_tracks: bool) -> Option<&Rewind> {
        self.side(is_of_tracks).found.as_ref()
    }

    /// Whether there is such a list.
    pub(super) fn has(&self, track: Track, asked: Asked) -> bool {
        asked.is_of_live || self.found(track.is_some()).is_some()
    }

    /// There is something new.
    pub(super) fn change(&mut self) {
        self.changes += 1;
        self.lists.clear();
    }

    /// What a list is; `None` where there is none.
    fn reach(&self, track: Track, first: u64, asked: Asked, skips: bool) -> Option<Reach<'_>> {
        let found = self.found(track.is_some());
        let past = found.map(|found| (found, found.past(track)));
        let length_ms = u64::try_from(asked.length.as_millis()).unwrap_or(u64::MAX);
        let reach = Reach {
            lost: past.map_or(&NONE, |(_, past)| &past.lost),
            lost_ago_ms: found.and_then(|found| found.fates.told_ago_ms()),
            length_ms,
            skips,
            ..Reach::of_live(&NONE)
        };
        if asked.is_of_live {
            let kept = past.map_or(u64::MAX, |(found, past)| found.kept_of_live(past, first));
            return Some(Reach { kept, ..reach });
        }
        let (found, past) = past?;
        Some(Reach {
            before: &past.before,
            anchor: past.anchor,
            goes_on: found.goes_on,
            discontinuities: past.discontinuities,
            first,
            kept: found.kept_of(past),
            target_s: found.target_s,
            ..reach
        })
    }

    /// Live segments are nowhere.
    fn lose(&mut self, is_of_tracks: bool, lose: impl FnOnce(&mut Rewind)) {
        self.change();
        if let Some(found) = &mut self.side_mut(is_of_tracks).found {
            lose(found);
            found.fates.tell();
        }
    }
}

/// How far back a request wants to reach; none where it does not say.
pub(super) fn length(uri: &Uri) -> Result<Option<Duration>, Problem> {
    let Some(text) = value(uri, "dvr") else { return Ok(None) };
    let read = config::duration(text).ok().filter(|time| *time <= LONGEST);
    let read = read.filter(|time| time.as_secs() > 0);
    let form = "expected how far back, such as 30m or 2h, at least 1s and at most 24h";
    read.map(Some).ok_or_else(|| bad_value("dvr", form))
}

/// The list that a request for a media playlist asks for; none where that is the ordinary one.
pub(super) fn asked(uri: &Uri) -> Result<Option<Asked>, Problem> {
    let is_of_live = is_said(uri, "from", "live")?;
    Ok(length(uri)?.map(|length| Asked { length, is_of_live }))
}

/// Whether a request may read what was recorded.
pub(super) fn reads_archive(uri: &Uri, file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.starts_with(PREFIX) || value(uri, "dvr").is_some()
}

/// Whether a parameter is there; it can have one value alone.
pub(super) fn is_said(uri: &Uri, name: &str, word: &str) -> Result<bool, Problem> {
    match value(uri, name) {
        None => Ok(false),
        Some(said) if said == word => Ok(true),
        Some(said) => Err(bad_value(name, format!("{said:?}: expected {word}"))),
    }
}

/// A value of the query, as it stands there; empty where there is the name alone.
pub(super) fn value<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn oldest_ms() -> i64 {
    let longest_ms = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
    Timestamp::now().as_millisecond().saturating_sub(longest_ms)
}

/// What each recorder made of a stream. What somebody asked for by a call is often short: a recorder of the configuration
/// comes first.
fn sources(files: &[catalog::Segment]) -> Vec<Source> {
    let mut all: BTreeMap<(bool, &str), Vec<range::Segment>> = BTreeMap::new();
    for file in files {
        let recorder = (file.recorder == Plan::API, &*file.recorder);
        all.entry(recorder).or_default().push(file.into());
    }
    all.into_values().map(|files| Source::new(Arc::new(SystemDisk), files)).collect()
}

/// The files that a playlist may reach into; `None` where the catalog is away, as with a disk.
async fn files_of(api: &Api, muxer: &Muxer) -> Result<Option<Vec<catalog::Segment>>, Problem> {
    let key = muxer.key.clone();
    let question = move |reader: &catalog::Reader| {
        reader.segments_between(key.as_str(), oldest_ms(), i64::MAX, None)
    };
    ask(api, question).await
}

/// The list of now; `None` where the stream cannot be rewound. One of a day takes a while to write out: live viewers do
/// not wait for that, and who wants the same gets what one had written out.
pub(super) async fn playlist(
    muxer: &Muxer,
    track: Track,
    asked: Asked,
    skips: bool,
) -> Option<Playlist> {
    let _turn = muxer.lists.lock().await;
    let (list, changes) = {
        let State { window, renditions, rewinding, .. } = &*muxer.lock();
        if let Some(known) = rewinding.lists.get(&(track, asked, skips)) {
            return Some(known.clone());
        }
        let reach = rewinding.reach(track, muxer.first, asked, skips)?;
        let list = match track {
            Some(track) => renditions.rewind(track, &reach, &format!("?{}", asked.query()))?,
            None => window.rewind(&reach)?,
        };
        (list, rewinding.changes)
    };
    let list = tokio::task::spawn_blocking(move || Playlist::of(&list)).await.ok()?;
    let rewinding = &mut muxer.lock().rewinding;
    if rewinding.changes == changes && rewinding.lists.len() < LISTS {
        rewinding.lists.insert((track, asked, skips), list.clone());
    }
    Some(list)
}

/// Has it looked from time to time what was deleted, and what nobody recorded; or, where nothing was found and somebody
/// rewinds, whether anything is by now. Nobody waits for it.
pub(super) fn refresh(api: &Arc<Api>, muxer: &Arc<Muxer>, track: Track, is_rewound: bool) {
    let is_of_tracks = track.is_some();
    let is_found = {
        let side = &mut *muxer.lock();
        let side = side.rewinding.side_mut(is_of_tracks);
        if side.found.is_none() && !is_rewound || !side.is_due() {
            return;
        }
        side.found.is_some()
    };
    let (of_task, muxer) = (api.clone(), muxer.clone());
    api.views.tasks.spawn(async move {
        if !is_found {
            return find::again(&of_task, &muxer, is_of_tracks).await;
        }
        // Without a catalog nothing is known to be deleted.
        let Ok(Some(files)) = files_of(&of_task, &muxer).await else { return };
        note_deleted(&mut muxer.lock(), is_of_tracks, muxer.first, &files);
        lost::look(&of_task, &muxer, is_of_tracks, &files).await;
    });
}

fn note_deleted(state: &mut State, is_of_tracks: bool, first: u64, files: &[catalog::Segment]) {
    let found = state.rewinding.found(is_of_tracks);
    let Some(kept) = found.and_then(|found| found.kept(first, state, files)) else { return };
    let found = state.rewinding.side_mut(is_of_tracks).found.as_mut();
    if let Some(found) = found.filter(|found| found.kept < kept) {
        found.kept = kept;
        state.rewinding.change();
    }
}

/// Whether a segment that is not in the files will not come into them.
fn is_late(live: &Logged) -> bool {
    Timestamp::now().as_millisecond().saturating_sub(live.unix_ms) > LATE_MS
}
