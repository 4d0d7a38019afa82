//! FLV.
pub mod audio;
pub mod meta;
pub mod video;
