//! What must hold of any bytes, one function for each fuzz target; a broken promise is a panic.
//!
//! The thin targets that call these are in `fuzz/` at the root of the repository. Their inputs are
//! in `fuzz/corpus`, one folder a target, and the ordinary tests run all of them.
//!
//! Here only for tests and fuzzers: no other build has this module.

mod amf;
mod codec;
mod flv;
mod mp4;

pub use amf::{amf0, amf3};
pub use codec::{codec, flv_body};
pub use flv::{flv_mux, flv_repair, flv_scan};
pub use mp4::{mp4_mux, mp4_repair, mp4_scan};

/// Cuts `bytes` into pieces whose lengths depend on the bytes alone: the same input fails again.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let longest = [1, 3, 20, 300].into_iter().cycle().nth((state >> 60) as usize).unwrap_or(1);
    let mut rest = bytes;
    std::iter::from_fn(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wanted = 1 + usize::try_from(state >> 33).unwrap_or(0) % longest;
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests;
