//! The tracks of a stream beside each other, for players that choose: a window each, the playlists of them, and the one
//! that says what there is.
//!
//! Pictures and sound are apart: only so can a player take any of one with any of the other without getting anything
//! twice. Playlists of the tracks stand in one folder, a viewer's own, and name what is in that of the track beside it,
//! which all viewers share; so every playlist is the same text for all of them, and reports name the others exactly.

use super::playlist::{self, Media, Multivariant, Report, Variant};
use super::{Rates, Reach, Segmenter, TrackName, Window};
use crate::Kind;
use crate::mp4::Track;

/// The windows of tracks.
#[derive(Debug, Default)]
pub struct Renditions {
    /// Pictures first, each by its id.
    list: Vec<Rendition>,
}

#[derive(Debug)]
struct Rendition {
    name: TrackName,
    /// The number of its first segment.
    first: u64,
    window: Window,
}

impl Rendition {
    /// What is shown of it; nothing while all that it has is gaps.
    fn offered(&self) -> Option<Offered<'_>> {
        let rates = self.window.rates().filter(|_| self.window.is_ready())?;
        let movie = &self.window.newest()?.begin.init.movie;
        let track = movie.track(self.name.kind, self.name.id)?;
        Some(Offered { name: self.name, track, rates })
    }

    fn report(&self, first: u64, query: &str) -> Option<Report> {
        let newest = self.window.newest().filter(|_| self.window.is_ready())?;
        Some(Report {
            uri: format!("{}{query}", playlist_name(self.name)),
            last_msn: first + newest.number,
            last_part: (newest.parts.len() as u64).checked_sub(1),
        })
    }
}

impl Renditions {
    /// Takes what a segmenter has made. Returns how many parts that is.
    pub fn take(&mut self, segmenter: &mut Segmenter) -> u64 {
        for (name, first) in segmenter.renditions() {
            if self.window(name).is_none() {
                let window = Window::beside(first);
                self.list.push(Rendition { name, first: first.0, window });
                self.list.sort_by_key(|rendition| rendition.name);
            }
        }
        let (target_s, part_target_ms) = (segmenter.target_s(), segmenter.part_target_ms());
        for rendition in &mut self.list {
            rendition.window.set_targets(target_s, part_target_ms);
        }
        let mut parts = 0;
        while let Some((name, piece)) = segmenter.poll_rendition() {
            if let Some(rendition) = self.list.iter_mut().find(|known| known.name == name) {
                rendition.window.push(piece);
                parts += 1;
            }
        }
        parts
    }

    /// Keeps these and `others` within so many bytes: the largest loses its oldest segment, as often as it takes.
    pub fn bound(&mut self, others: &mut Window, bytes_max: u64) {
        while self.size_bytes() + others.size_bytes() > bytes_max {
            let mut all: Vec<_> = self.list.iter_mut().map(|known| &mut known.window).collect();
            all.push(others);
            all.sort_by_key(|window| window.size_bytes());
            if !all.into_iter().rev().any(Window::shed) {
                return;
            }
        }
    }

    /// The run is over; another one may come.
    pub fn end_run(&mut self) {
        self.list.iter_mut().for_each(|rendition| rendition.window.end_run());
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.list.iter_mut().for_each(|rendition| rendition.window.end());
    }

    /// Whether no kind has several tracks: there is nothing to choose from.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The segments of a track.
    pub fn window(&self, name: TrackName) -> Option<&Window> {
        let rendition = self.list.iter().find(|rendition| rendition.name == name)?;
        Some(&rendition.window)
    }

    /// Bytes that they hold.
    pub fn size_bytes(&self) -> u64 {
        self.list.iter().map(|rendition| rendition.window.size_bytes()).sum()
    }

    /// Bytes of what they remember of segments that they do not hold any more.
    pub fn log_bytes(&self) -> u64 {
        self.list.iter().map(|rendition| rendition.window.log_bytes()).sum()
    }

    /// All tracks: pictures first, each by its id.
    pub fn names(&self) -> impl Iterator<Item = TrackName> {
        self.list.iter().map(|rendition| rendition.name)
    }

    /// The playlist of a track, which is called [`playlist_name`]; what it names is below a folder beside its own that is
    /// called as the track is.
    pub fn playlist(&self, name: TrackName) -> Option<Media> {
        Some(self.beside_others(name, self.window(name)?.playlist()?, (0, "")))
    }

    /// The one that reaches back ([`Window::rewind`]), to which the same is done; it is asked for with this query, as the
    /// others are.
    pub fn rewind(&self, name: TrackName, reach: &Reach<'_>, query: &str) -> Option<Media> {
        let media = self.window(name)?.rewind(reach)?;
        Some(self.beside_others(name, media, (reach.first, query)))
    }

    /// As it is where playlists of others are beside it, of the same query, in which segment 0 has the number `first`.
    fn beside_others(
        &self,
        name: TrackName,
        mut media: Media,
        (first, query): (u64, &str),
    ) -> Media {
        let below = |uri: &mut String| uri.insert_str(0, &format!("../{name}/"));
        for segment in &mut media.segments {
            segment.map.iter_mut().chain(&mut segment.uri).for_each(below);
            segment.parts.iter_mut().for_each(|part| below(&mut part.uri));
        }
        media.preload_hint.iter_mut().for_each(below);
        if !media.is_ended {
            let others = self.list.iter().filter(|other| other.name != name);
            media.reports = others.filter_map(|other| other.report(first, query)).collect();
        }
        media
    }

    /// What there is to choose from ([`offer`]), its playlists in a folder, asked for with this query. `None` while a
    /// track that was there from the start has no segment.
    pub fn multivariant(&self, folder: &str, query: &str) -> Option<Multivariant> {
        let oldest = self.list.iter().map(|rendition| rendition.first).min()?;
        let mut from_start = self.list.iter().filter(|rendition| rendition.first == oldest);
        if !from_start.all(|rendition| rendition.window.is_ready()) {
            return None;
        }
        let offered: Vec<_> = self.list.iter().filter_map(Rendition::offered).collect();
        offer(&offered, |name| format!("{folder}{}{query}", playlist_name(name)))
    }
}

/// A track that is there to be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// Its name.
    pub name: TrackName,
    /// What it is.
    pub track: &'a Track,
    /// What it takes to play it.
    pub rates: Rates,
}

/// What there is to choose from, of tracks in their order, each with a playlist: a variant for each track of pictures and
/// each codec of sound, which players may know or not.
pub fn offer(tracks: &[Offered<'_>], uri: impl Fn(TrackName) -> String) -> Option<Multivariant> {
    let of = |kind: Kind| tracks.iter().filter(move |offered| offered.name.kind == kind);
    let mut audio: Vec<playlist::Rendition> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for offered in of(Kind::Audio) {
        let Offered { name, track, .. } = *offered;
        let codec = track.codec_string.split('.').next().unwrap_or_default();
        if !groups.iter().any(|group| group.codec == codec) {
            groups.push(Group::new(name, codec));
        }
        let Some(group) = groups.iter_mut().find(|group| group.codec == codec) else {
            continue;
        };
        group.add(offered);
        let id = group.id();
        let is_default = !audio.iter().any(|sound| sound.group == id);
        let title = title(track, audio.iter().filter(|sound| sound.group == id));
        audio.push(playlist::Rendition {
            name: title,
            group: id,
            language: track.language.clone().filter(|language| is_tag(language)),
            is_default,
            channels: Some(track.channels).filter(|channels| *channels > 0),
            uri: Some(uri(name)),
        });
    }
    let mut variants: Vec<Variant> = Vec::new();
    for Offered { name, track, rates } in of(Kind::Video) {
        let alone = Variant {
            uri: uri(*name),
            bandwidth: rates.peak,
            average_bandwidth: Some(rates.average),
            codecs: track.codec_string.clone(),
            resolution: (track.width > 0).then_some((track.width, track.height)),
            frame_rate: track.frame_rate.or(Some(rates.samples_per_s)),
            audio: None,
        };
        match groups.is_empty() {
            true => variants.push(alone),
            false => variants.extend(groups.iter().map(|group| group.with(alone.clone()))),
        }
    }
    if variants.is_empty() {
        // Without pictures the first sound of a group stands for all of it.
        variants.extend(groups.iter().map(|group| {
            let uri = uri(group.first);
            group.with(Variant { uri, average_bandwidth: Some(0), ..Variant::default() })
        }));
    }
    (!variants.is_empty()).then_some(Multivariant { variants, audio })
}

/// Sound of one codec: whoever plays any of it plays all.
struct Group {
    codec: String,
    first: TrackName,
    /// All codec strings.
    codecs: Vec<String>,
    /// The most that any of it has.
    peak: u64,
    average: u64,
}

impl Group {
    /// The first that a track may be in.
    fn new(name: TrackName, codec: &str) -> Self {
        let (codecs, peak, average) = Default::default();
        Self { codec: codec.to_owned(), first: name, codecs, peak, average }
    }

    fn id(&self) -> String {
        format!("audio-{}", self.codec)
    }

    fn add(&mut self, Offered { track, rates, .. }: &Offered<'_>) {
        if !self.codecs.contains(&track.codec_string) {
            self.codecs.push(track.codec_string.clone());
        }
        self.peak = self.peak.max(rates.peak);
        self.average = self.average.max(rates.average);
    }

    /// Pictures with this sound.
    fn with(&self, pictures: Variant) -> Variant {
        let codecs = Some(pictures.codecs).filter(|codecs| !codecs.is_empty());
        let codecs: Vec<_> = codecs.into_iter().chain(self.codecs.iter().cloned()).collect();
        Variant {
            bandwidth: pictures.bandwidth + self.peak,
            average_bandwidth: pictures.average_bandwidth.map(|average| average + self.average),
            codecs: codecs.join(","),
            audio: Some(self.id()),
            ..pictures
        }
    }
}

/// What people are shown of a track: its title, else its language, else its place; each once in a group (RFC 8216bis
/// 4.4.6.1.1).
fn title<'a>(track: &Track, others: impl Iterator<Item = &'a playlist::Rendition>) -> String {
    let told = track.title.clone().or_else(|| track.language.clone());
    let number = u32::from(track.id) + 1;
    let mut title = told.unwrap_or_else(|| format!("Sound {number}"));
    let taken: Vec<_> = others.map(|other| &other.name).collect();
    while taken.contains(&&title) {
        title = format!("{title} {number}");
    }
    title
}

/// Whether it looks like a tag of a language (RFC 5646 2.1).
fn is_tag(language: &str) -> bool {
    let mut parts = language.split('-');
    let is_first = |part: &str| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    let is_other = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    parts.next().is_some_and(is_first) && parts.all(is_other)
}

/// The name of a track's playlist.
pub fn playlist_name(name: TrackName) -> String {
    format!("{name}.m3u8")
}

#[cfg(test)]
mod tests;
