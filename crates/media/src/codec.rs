//! Codec records.
