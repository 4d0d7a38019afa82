use proptest::prelude::*;

use super::*;
use crate::catalog::made::{about_of, bytes, ledger, with_metadata};

#[test]
fn a_file_says_what_it_is() {
    let about = about_of(7, 3, 0);
    for is_complete in [false, true] {
        let head = read(&bytes(&about, is_complete)).unwrap();
        assert_eq!((&head.about, head.ledger.as_ref()), (&about, Some(&ledger())));
        assert_eq!((head.length_ms, head.is_complete), (3_600_000, is_complete));
    }
}

#[test]
fn a_file_of_somebody_else_says_nothing() {
    assert!(read(b"").is_none());
    assert!(read(b"not FLV at all").is_none());
    assert!(read(&with_metadata(&[("duration".to_owned(), Value::Number(1.0))])).is_none());
}

proptest! {
    #[test]
    fn damage_is_survived(
        at in 0_usize..600, byte: u8, keep in 0_usize..2_000,
    ) {
        let mut file = bytes(&about_of(7, 3, 0), true);
        if let Some(place) = file.get_mut(at) {
            *place = byte;
        }
        file.truncate(keep);
        // Whatever it says, it says it of the same recording, unless the id itself was hit.
        let id = bytes(&about_of(7, 3, 0), true).windows(16)
            .position(|window| window == b"0000000000000007").unwrap();
        if let Some(head) = read(&file).filter(|_| !(id..id + 16).contains(&at)) {
            prop_assert_eq!(head.about.recording, about_of(7, 3, 0).recording);
        }
    }
}
