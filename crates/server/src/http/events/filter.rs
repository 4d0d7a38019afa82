//! Which events a subscriber wants.

use globset::{GlobBuilder, GlobMatcher};

use crate::http::Problem;
use crate::http::extract::bad_value;
use crate::hub::{Kind, Told};

/// Types that one subscriber may name: more than there are.
const TYPES: usize = 64;
/// Bytes of a glob: what a stream's name may have.
const GLOB_BYTES: usize = live::Key::MAX_BYTES;

/// All that are of these streams and of these types.
#[derive(Debug)]
pub(super) struct Filter {
    stream: Option<GlobMatcher>,
    kinds: Option<Vec<Kind>>,
}

impl Filter {
    /// Everything that is not restricted is wanted.
    ///
    /// # Errors
    /// `bad-value` for a glob that is none, or a type that there is not.
    pub(super) fn new(stream: Option<&str>, types: &[String]) -> Result<Self, Problem> {
        let stream = stream.map(glob).transpose()?;
        if types.len() > TYPES {
            return Err(bad_value("type", format_args!("at most {TYPES} types")));
        }
        let mut kinds = Vec::new();
        for name in types {
            let before = kinds.len();
            let group = name.strip_suffix('*').filter(|group| group.ends_with('.'));
            let is_meant = |kind: &Kind| match group {
                Some(group) => kind.name().starts_with(group),
                None => kind.name() == name,
            };
            kinds.extend(Kind::ALL.iter().copied().filter(is_meant));
            if kinds.len() == before {
                let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                return Err(bad_value(
                    "type",
                    format_args!("expected one of {}", names.join(", ")),
                ));
            }
        }
        Ok(Self { stream, kinds: Some(kinds).filter(|kinds| !kinds.is_empty()) })
    }

    pub(super) fn takes(&self, told: &Told) -> bool {
        let of_stream =
            |glob: &GlobMatcher| told.stream.as_ref().is_some_and(|stream| glob.is_match(stream));
        self.stream.as_ref().is_none_or(of_stream)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&told.kind))
    }
}

fn glob(text: &str) -> Result<GlobMatcher, Problem> {
    if text.len() > GLOB_BYTES {
        return Err(bad_value("stream", format_args!("at most {GLOB_BYTES} bytes")));
    }
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| bad_value("stream", error))
}
