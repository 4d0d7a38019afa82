//! What must hold of any bytes, one function for each fuzz target; a broken promise is a panic.
//!
//! The thin targets that call these are in `fuzz/` at the root of the repository. Their inputs are
//! in `fuzz/corpus`, one folder a target, and the ordinary tests run all of them.
//!
//! Here only for tests and fuzzers: no other build has this module.

mod configuration;

pub use configuration::configuration;

/// Any `Range` and `If-Range` headers of a request for a file of any size.
pub fn http_range(data: &[u8]) {
    crate::http::range(data);
}

#[cfg(test)]
mod tests;
