//! What is told of a file's hash beside it: `NAME.flv.b3`, as `b3sum` writes it, and
//! `NAME.flv.chain`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use archive::Hash;
use archive::verify::{Claim, Source};

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
