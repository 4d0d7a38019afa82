//! The sheet of small pictures that players show while one seeks, and the list that goes with it (WebVTT).

use std::fmt::Write as _;

use super::Picture;

/// Tiles side by side.
const COLUMNS: u64 = 10;
/// Tiles of a sheet at most: a longer recording has longer steps.
const TILES: u64 = 100;

/// How a sheet is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) length_ms: u64,
    /// From one tile to the next, in ms.
    pub(crate) step_ms: u64,
    tiles: u64,
    /// Of a tile, in pixels: 16:9, whatever the video is.
    pub(crate) width: u16,
    pub(crate) height: u16,
}

impl Sheet {
    /// That of a recording: tiles at least `step_ms` apart, `width` pixels wide.
    pub(crate) fn new(length_ms: u64, step_ms: u64, width: u16) -> Self {
        let length_ms = length_ms.max(1);
        let most = length_ms.div_ceil(TILES).div_ceil(1_000).saturating_mul(1_000);
        let step_ms =
            if length_ms.div_ceil(step_ms.max(1)) <= TILES { step_ms.max(1) } else { most };
        let height = (u32::from(width) * 9 / 16) & !1;
        Self {
            length_ms,
            step_ms,
            tiles: length_ms.div_ceil(step_ms),
            width,
            height: u16::try_from(height).unwrap_or(u16::MAX),
        }
    }

    /// When each tile is of, in ms from the beginning.
    pub(crate) fn moments(&self) -> impl ExactSizeIterator<Item = u64> + use<> {
        let (step_ms, tiles) = (self.step_ms, usize::try_from(self.tiles).unwrap_or(0));
        (0..tiles).map(move |tile| step_ms.saturating_mul(tile as u64))
    }

    /// Where a tile is.
    fn place(&self, tile: u64) -> (u64, u64) {
        (tile % COLUMNS * u64::from(self.width), tile / COLUMNS * u64::from(self.height))
    }

    /// The sheet, black as yet.
    pub(crate) fn blank(&self) -> Picture {
        let (columns, rows) = (self.tiles.min(COLUMNS), self.tiles.div_ceil(COLUMNS));
        let pixels = |n: u64, each: u16| u16::try_from(n * u64::from(each)).unwrap_or(u16::MAX);
        Picture::black(pixels(columns, self.width), pixels(rows, self.height))
    }

    /// Puts a tile in its place.
    pub(crate) fn put(&self, sheet: &mut Picture, tile: usize, picture: &Picture) {
        let (left, top) = self.place(tile as u64);
        sheet.put(picture, usize::try_from(left).unwrap_or(0), usize::try_from(top).unwrap_or(0));
    }

    /// The list of the tiles, of the sheet at `url`.
    pub(crate) fn vtt(&self, url: &str) -> String {
        let mut text = "WEBVTT\n".to_owned();
        for (tile, from) in (0..).zip(self.moments()) {
            let to = from.saturating_add(self.step_ms).min(self.length_ms);
            let ((left, top), (w, h)) = (self.place(tile), (self.width, self.height));
            let (from, to) = (clock(from), clock(to));
            let _ = write!(text, "\n{from} --> {to}\n{url}#xywh={left},{top},{w},{h}\n");
        }
        text
    }
}

/// A time as WebVTT writes it.
fn clock(ms: u64) -> String {
    let (s, ms) = (ms / 1_000, ms % 1_000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3_600, s / 60 % 60, s % 60)
}
