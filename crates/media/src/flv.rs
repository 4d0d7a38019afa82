//! Flash Video: tags, what audio, video and script tags carry, and files of them.
//!
//! An RTMP message body is an FLV tag body, so the same readers serve the wire and the file. Codec
//! records inside the bodies are read in [`crate::codec`].

pub mod audio;
mod ex;
pub mod live;
pub mod meta;
pub mod mux;
pub mod probe;
pub mod repair;
pub mod scan;
pub mod sized;
pub mod tag;
pub mod video;

pub use ex::{MODIFIERS_MAX, Malformed, Modifier, Multitrack};

#[cfg(test)]
mod tests;
