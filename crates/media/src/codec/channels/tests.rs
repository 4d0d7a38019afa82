use super::*;

fn names(layout: &ChannelLayout) -> Vec<&'static str> {
    layout.map().into_iter().map(Channel::name).collect()
}

#[test]
fn a_native_order_is_a_mask() {
    let layout = ChannelLayout::read(&[1, 6, 0, 0, 0, 0x3F]).unwrap();
    assert_eq!((layout.channels, layout.name()), (6, Some("5.1")));
    assert_eq!(names(&layout), ["FL", "FR", "FC", "LFE", "BL", "BR"]);
    let layout = ChannelLayout::read(&[1, 1, 0x80, 0, 0, 0, 0xAA]).unwrap();
    assert_eq!((names(&layout), layout.name()), (vec!["?"], None));
    let all = ChannelLayout::read(&[1, 24, 0, 0xFF, 0xFF, 0xFF]).unwrap();
    assert_eq!((all.map().len(), all.name()), (24, Some("22.2")));
    assert!(!names(&all).contains(&"?"));
}

#[test]
fn a_custom_order_is_a_list() {
    let layout = ChannelLayout::read(&[2, 5, 1, 0, 0xFE, 0xFF, 24]).unwrap();
    assert_eq!(names(&layout), ["FR", "FL", "unused", "unknown", "?"]);
    assert_eq!(layout.name(), None);
    assert_eq!(ChannelLayout::read(&[2, 0]).unwrap().map(), []);
}

#[test]
fn no_order_and_a_reserved_one_tell_the_number_alone() {
    let layout = ChannelLayout::read(&[0, 3]).unwrap();
    assert_eq!(
        (layout.channels, layout.order.clone(), layout.map()),
        (3, ChannelOrder::Unspecified, vec![])
    );
    let layout = ChannelLayout::read(&[9, 3, 1, 2, 3]).unwrap();
    assert_eq!((layout.channels, layout.order), (3, ChannelOrder::Unknown(9)));
}

#[test]
fn what_is_cut_short_is_told() {
    for whole in [&[0_u8, 2][..], &[1, 6, 0, 0, 0, 0x3F], &[2, 3, 0, 1, 2]] {
        for len in 0..whole.len() {
            let cut = ChannelLayout::read(&whole[..len]);
            assert_eq!(cut, Err(Malformed::Truncated("channel layout")), "{whole:?} {len}");
        }
        assert!(ChannelLayout::read(whole).is_ok());
    }
}
