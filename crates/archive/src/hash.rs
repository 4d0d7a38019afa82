//! A small stable hash for names and ids. Not for secrets, and nothing breaks when two inputs meet.

/// 64-bit FNV-1a of the parts, each followed by a byte that UTF-8 cannot hold, then mixed so that
/// every input bit moves every output bit. The same on every machine and in every version.
pub(crate) fn hash64<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const END: u8 = 0xff;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.iter().chain([&END]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
