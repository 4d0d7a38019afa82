//! What must hold of any bytes, one function for each fuzz target; a broken promise is a panic.
//!
//! The thin targets that call these are in `fuzz/` at the root of the repository. Their inputs are
//! in `fuzz/corpus`, one folder a target, and the ordinary tests run all of them.
//!
//! Here only for tests and fuzzers: no other build has this module.

mod chunks;
mod client;
mod handshake;
mod messages;
mod script;
mod server;

pub use chunks::{chunk_reader, chunk_writer};
pub use client::client_session;
pub use handshake::handshake;
pub use messages::{command, message, url};
pub use server::{server_bytes, server_script};

/// The bytes of an input as numbers and pieces; zeros once they are used up.
#[derive(Debug)]
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn usize(&mut self) -> usize {
        usize::from(self.u8())
    }

    fn u32(&mut self) -> u32 {
        self.take(4).iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    /// One of a list.
    fn one<T: Copy>(&mut self, list: &[T]) -> T {
        let at = self.usize();
        match list.iter().cycle().nth(at) {
            Some(item) => *item,
            None => panic!("an empty list"),
        }
    }
}

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
