//! The commented sample: every key with its default.

/// `docs/ref/rtmp-server.toml`
pub const SAMPLE: &str = include_str!("../../../../docs/ref/rtmp-server.toml");

#[cfg(test)]
mod tests;
