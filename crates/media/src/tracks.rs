//! A set of track ids.

/// Which of the 256 tracks that Enhanced RTMP can name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackSet([u64; 4]);

impl TrackSet {
    /// The set of one track.
    pub fn of(id: u8) -> Self {
        let mut set = Self::default();
        set.insert(id);
        set
    }

    /// Adds a track.
    pub fn insert(&mut self, id: u8) {
        if let Some(word) = self.0.get_mut(usize::from(id >> 6)) {
            *word |= bit(id);
        }
    }

    /// Takes a track out.
    pub fn remove(&mut self, id: u8) {
        if let Some(word) = self.0.get_mut(usize::from(id >> 6)) {
            *word &= !bit(id);
        }
    }

    /// Whether the track is in it.
    pub fn contains(self, id: u8) -> bool {
        self.0.get(usize::from(id >> 6)).is_some_and(|word| word & bit(id) != 0)
    }

    /// Whether no track is in it.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether a track is in both.
    pub fn intersects(self, other: Self) -> bool {
        self.0.into_iter().zip(other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether all tracks of this one are in `other`.
    pub fn is_subset(self, other: Self) -> bool {
        self.0.into_iter().zip(other.0).all(|(a, b)| a & !b == 0)
    }

    /// The tracks, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |id| self.contains(*id))
    }
}

impl FromIterator<u8> for TrackSet {
    fn from_iter<T: IntoIterator<Item = u8>>(ids: T) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

fn bit(id: u8) -> u64 {
    1 << (id & 63)
}

#[cfg(test)]
mod tests;
