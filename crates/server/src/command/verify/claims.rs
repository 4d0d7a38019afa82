//! What is told of a file's hash: beside it, in `NAME.flv.b3` as `b3sum` writes it and
//! `NAME.flv.chain`; and in the catalog of the record directory that it is in.

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
}

/// The catalogs of all directories that were looked into.
#[derive(Default)]
pub(super) struct Catalogs(BTreeMap<PathBuf, Option<Reader>>);

impl Catalogs {
    /// What the catalog of the directory that `path` is in, or of the nearest above it, tells of
    /// the segment. Catalogs that cannot be read are handed to `fail`.
    pub(super) fn claims(
        &mut self,
        path: &Path,
        about: &About,
        fail: &mut impl FnMut(&Path, io::Error),
    ) -> Told {
        let Ok(path) = path.canonicalize() else { return Told::default() };
        for dir in path.ancestors().skip(1) {
            let reader = self.0.entry(dir.to_owned()).or_insert_with(|| match Reader::open(dir) {
                Ok(reader) => Some(reader),
                Err(catalog::Error::None) => None,
                Err(error) => {
                    fail(dir, io::Error::other(error));
                    None
                }
            });
            let Some(reader) = reader else { continue };
            return match reader.of_recording(about.recording) {
                Ok(segments) => Told {
                    last_known: segments.iter().map(|known| known.number).max().unwrap_or_default(),
                    claim: segments
                        .into_iter()
                        .filter(|segment| segment.number == about.segment)
                        .find_map(|known| Some((known.hash?, known.chain)))
                        .map(|(hash, chain)| Claim { source: Source::Catalog, hash, chain }),
                },
                Err(error) => {
                    fail(dir, io::Error::other(error));
                    Told::default()
                }
            };
        }
        Told::default()
    }
}
