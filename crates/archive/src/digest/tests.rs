use proptest::prelude::*;

use super::*;

/// What `b3sum` prints of a file, in the words of its crate.
fn whole(file: &[u8]) -> Hash {
    Hash(blake3::hash(file).into())
}

fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(&mut next).take(size).collect()
}

#[test]
fn the_hash_is_that_of_the_whole_file_at_every_boundary() {
    for changing in [0, 1, 1_024, 1_025, 3_000, 4_096] {
        let prefix = usize::try_from(Digest::new(changing).prefix_size).unwrap();
        let boundaries = [0, 1, 64, 1_024, prefix / 2, prefix, 2 * prefix, 4 * prefix, 16 * prefix];
        for size in boundaries.into_iter().flat_map(|n| [n.saturating_sub(1), n, n + 1]) {
            let file = noise(size);
            let mut digest = Digest::new(changing);
            digest.append(&file);
            let start = &file[..size.min(prefix)];
            assert_eq!(digest.finish_with(start), whole(&file), "{changing} of {size}");
        }
    }
}

#[test]
fn a_chain_binds_the_order_of_its_files() {
    let [one, two] = [b"one", b"two"].map(|file| whole(file));
    let first = chain(None, one);
    assert_eq!(first, whole(&[[0; 32], one.0].concat()));
    assert_eq!(chain(Some(first), two), whole(&[first.0, two.0].concat()));
    assert_ne!(chain(Some(first), two), chain(Some(chain(None, two)), one));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_that_grows_changes_and_is_cut_has_the_hash_of_what_it_is(
        changing in 1_u16..5_000,
        steps in proptest::collection::vec((0_u8..6, 0_usize..9_000, any::<u8>()), 1..40),
    ) {
        let mut digest = Digest::new(changing.into());
        let prefix = usize::try_from(digest.prefix_size).unwrap();
        let mut file = Vec::new();
        let mut committed = 0;
        for (step, n, fill) in steps {
            match step {
                0 => {
                    let place = file.len().min(changing.into());
                    let bytes = vec![fill; n % (place + 1)];
                    let offset = place - bytes.len();
                    file[offset..place].copy_from_slice(&bytes);
                }
                1 => {
                    file.truncate(committed);
                    digest.rollback();
                }
                2 => {
                    committed = file.len();
                    digest.commit();
                }
                _ => {
                    let bytes: Vec<_> = noise(n).into_iter().map(|b| b ^ fill).collect();
                    file.extend_from_slice(&bytes);
                    digest.append(&bytes);
                }
            }
            let start = &file[..file.len().min(prefix)];
            prop_assert_eq!(digest.finish_with(start), whole(&file));
        }
    }
}
