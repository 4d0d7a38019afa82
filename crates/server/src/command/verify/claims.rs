//! What is told of a file's hash: beside it, in `NAME.flv.b3` as `b3sum` writes it and
//! `NAME.flv.chain`; and in the catalog of the record directory that it is in, or that was given.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use archive::catalog::{self, Reader};
use archive::verify::{Claim, Source};
use archive::{About, Hash};

/// What the files beside `path` tell; nothing where there are none. Those that tell nothing are
/// handed to `fail`.
pub(super) fn sidecar(path: &Path, fail: &mut impl FnMut(&Path, io::Error)) -> Vec<Claim> {
    let mut told = |ending| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        read(beside.as_ref()).unwrap_or_else(|error| {
            fail(beside.as_ref(), error);
            None
        })
    };
    let (hash, chain) = (told(".b3"), told(".chain"));
    hash.map(|hash| Claim { source: Source::Sidecar, hash, chain }).into_iter().collect()
}

/// The hash that a file begins with; `None` where there is no file.
fn read(path: &Path) -> io::Result<Option<Hash>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut digits = Vec::new();
    file.take(HASH_DIGITS).read_to_end(&mut digits)?;
    let hash = String::from_utf8_lossy(&digits).parse();
    hash.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A BLAKE3 hash as text.
const HASH_DIGITS: u64 = 64;

/// What a catalog tells of a segment and its recording.
#[derive(Default)]
pub(super) struct Told {
    pub(super) claim: Option<Claim>,
    /// The last segment of the recording; 0 where no catalog knows one.
    pub(super) last_known: u32,
    /// Whether there is a catalog that could know it.
    pub(super) has_catalog: bool,
}

/// The catalog that was given, and those of all directories that were looked into.
#[derive(Default)]
pub(super) struct Catalogs {
    given: Option<Reader>,
    found: BTreeMap<PathBuf, Option<Reader>>,
}

impl Catalogs {
    /// This one first.
    pub(super) fn with(given: Reader) -> Self {
        Self { given: Some(given), ..Self::default() }
    }

    /// What the catalog that was given tells of the segment, or else that of the directory that
    /// `path` is in, or of the nearest above it. Catalogs that cannot be read are handed to `fail`.
    pub(super) fn claims(
        &mut self,
        path: &Path,
        about: &About,
        fail: &mut impl FnMut(&Path, io::Error),
    ) -> Told {
        let mut told = Told::default();
        if let Some(given) = &self.given {
            told = claim(given, about, fail);
            if told.last_known > 0 {
                return told;
            }
        }
        let Ok(path) = path.canonicalize() else { return told };
        for dir in path.ancestors().skip(1) {
            let reader = self.found.entry(dir.to_owned()).or_insert_with(|| {
                Reader::open(dir)
                    .map_err(|error| match error {
                        catalog::Error::None => {}
                        error => fail(dir, io::Error::other(error)),
                    })
                    .ok()
            });
            if let Some(reader) = reader {
                return claim(reader, about, fail);
            }
        }
        told
    }
}

/// What one tells.
fn claim(reader: &Reader, about: &About, fail: &mut impl FnMut(&Path, io::Error)) -> Told {
    let segments = reader.of_recording(about.recording).unwrap_or_else(|error| {
        fail(reader.record_dir(), io::Error::other(error));
        Vec::new()
    });
    let last_known = segments.iter().map(|known| known.number).max().unwrap_or_default();
    let mut of_it = segments.into_iter().filter(|known| known.number == about.segment);
    let claim = of_it
        .find_map(|known| Some((known.hash?, known.chain)))
        .map(|(hash, chain)| Claim { source: Source::Catalog, hash, chain });
    Told { claim, last_known, has_catalog: true }
}
