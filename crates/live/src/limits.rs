//! What a stream may hold and how many there may be.

/// Bounds of the registry and of each timeline. A packet counts as its body plus [`Limits::PACKET_OVERHEAD`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Streams that are published or waited for at once. Each costs a map entry and a window.
    pub streams: usize,
    /// Players and waiting players of one stream.
    pub watchers_per_stream: usize,
    /// Bytes that the newest group of pictures may have and still be kept for those who join. 10 s at 20 Mbit/s
    /// are 25 MB.
    pub join_bytes: usize,
    /// Length in ms that the newest group of pictures may have and still be kept for those who join.
    pub join_ms: i64,
    /// Bytes that a player may be behind before it loses groups of pictures.
    pub play_bytes: usize,
    /// Time in ms that a player may be behind before it loses groups of pictures: it wants the live picture.
    pub play_ms: i64,
    /// Bytes that a recorder may be behind before it loses groups of pictures.
    pub record_bytes: usize,
    /// Bytes that the recorders of all streams may hold back together. Beyond it each stream keeps no more than
    /// [`Limits::hold_bytes`] for recorders that are behind, so that those that keep up lose nothing to others.
    pub record_total_bytes: usize,
    /// Bytes that a recorder may be behind before a publisher that sends faster than real time is held back. Small,
    /// so that what is written is still in the processor's cache.
    pub hold_bytes: usize,
    /// Bytes that a stream's newest packets may have and still be kept for recordings that begin in the past.
    pub pre_roll_bytes: usize,
}

impl Limits {
    /// What a packet costs in memory beside its body, in bytes: its place in the window and its allocation.
    pub const PACKET_OVERHEAD: usize = 96;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 10_000,
            watchers_per_stream: 10_000,
            join_bytes: 32 << 20,
            join_ms: 30_000,
            play_bytes: 16 << 20,
            play_ms: 15_000,
            record_bytes: 64 << 20,
            record_total_bytes: 1 << 30,
            hold_bytes: 2 << 20,
            pre_roll_bytes: 64 << 20,
        }
    }
}
