//! Sets of the rows of a block.

use super::ROWS;

const WORD: usize = 64;
const WORDS: usize = ROWS / WORD;
/// Bytes of a set that is written as one bit a row.
const BYTES: usize = ROWS / 8;

/// A set of rows of one block, by their place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::catalog) struct Bits {
    words: [u64; WORDS],
}

impl Bits {
    pub(in crate::catalog) const NONE: Self = Self { words: [0; WORDS] };

    pub(in crate::catalog) fn insert(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / WORD) {
            *word |= 1 << (place % WORD);
        }
    }

    pub(in crate::catalog) fn remove(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / WORD) {
            *word &= !(1 << (place % WORD));
        }
    }

    pub(in crate::catalog) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(in crate::catalog) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Leaves what `other` has as well.
    pub(in crate::catalog) fn keep(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what `other` has.
    pub(in crate::catalog) fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words).for_each(|(word, other)| *word |= other);
    }

    /// Leaves what `other` does not have.
    pub(in crate::catalog) fn take(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words).for_each(|(word, other)| *word &= !other);
    }

    /// The places, in order.
    pub(in crate::catalog) fn places(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * WORD + bit)
            })
        })
    }

    /// As the catalog has it: 16 bits a place, or one bit a row where that is shorter.
    pub(in crate::catalog) fn encode(&self) -> Vec<u8> {
        if self.len() * 2 < BYTES {
            let places = self.places().filter_map(|place| u16::try_from(place).ok());
            return places.flat_map(u16::to_le_bytes).collect();
        }
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads that; what no program wrote is read as far as it goes.
    pub(in crate::catalog) fn decode(bytes: &[u8]) -> Self {
        let mut bits = Self::NONE;
        if bytes.len() == BYTES {
            let (words, _) = bytes.as_chunks::<8>();
            bits.words.iter_mut().zip(words).for_each(|(to, from)| *to = u64::from_le_bytes(*from));
            return bits;
        }
        let (places, _) = bytes.as_chunks::<2>();
        places.iter().for_each(|place| bits.insert(u16::from_le_bytes(*place).into()));
        bits
    }
}

#[cfg(test)]
mod tests;
