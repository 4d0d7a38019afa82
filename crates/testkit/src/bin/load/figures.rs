//! Counting: a histogram of times, and medians.

/// Buckets of a factor of two.
const PARTS: u64 = 32;
const PARTS_LOG2: u32 = 5;

/// How often which time occurred, in µs: exact below 64, else within 1/32.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    /// Counts a time.
    pub(crate) fn add(&mut self, value: u64) {
        let bucket = bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// The time that `percent` of all are not above, in ms; `None` when there is none.
    pub(crate) fn percentile_ms(&self, percent: u64) -> Option<f64> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(ms(highest(bucket).min(self.max)))
    }

    /// The longest time in ms; `None` when there is none.
    pub(crate) fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| ms(self.max))
    }
}

fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PARTS_LOG2 + 1);
    let bucket = u64::from(shift) * PARTS + (value >> shift);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    let shift = (bucket / PARTS).saturating_sub(1);
    let part = bucket - shift * PARTS;
    ((part + 1) << shift) - 1
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// The middle of the values, or the mean of the two in the middle; `None` when there are none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied();
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => at(middle),
        _ => Some((at(middle.checked_sub(1)?)? + at(middle)?) / 2.0),
    }
}

#[cfg(test)]
mod tests;
