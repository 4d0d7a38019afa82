//! What is first in the metadata, and stays readable whatever happens behind it.

use super::*;

fn identity() -> Vec<(String, Value)> {
    let id = Value::from("0b8f3c52-8f0f-4f5c-9d1e-2f6f6c1b7a3e");
    vec![
        ("recordingId".to_owned(), id),
        ("streamKey".to_owned(), Value::from("live/a")),
        ("segment".to_owned(), Value::Number(3.0)),
    ]
}

fn ledger(received: u32) -> Vec<(String, Value)> {
    vec![("received".to_owned(), Value::Number(f64::from(received)))]
}

/// Bytes from the start of the region to the value of `complete`, inclusive.
fn lead(muxer: &Muxer) -> usize {
    usize::try_from(muxer.complete_patch().offset).unwrap() - FILE_HEADER.len() + 1
}

/// The region without the array's count, which is no part of what must not change.
fn without_count(region: &[u8]) -> Vec<u8> {
    [&region[..25], &region[29..]].concat()
}

fn first_names(bytes: &[u8], count: usize) -> Vec<String> {
    let region = meta::region(bytes).unwrap();
    region.properties.into_iter().take(count).map(|(name, _)| name).collect()
}

#[test]
fn identity_and_complete_come_first_and_their_bytes_never_change() {
    let mut muxer = Muxer::new(options(identity(), ledger(0)));
    let mut out = Chunks::new();
    muxer.start(&Header::default(), &mut out);
    let lead = lead(&muxer);
    let first = muxer.patches().remove(0).bytes;
    let names = first_names(&out.to_vec(), 5);
    assert_eq!(names, ["recordingId", "streamKey", "segment", "complete", "duration"]);
    for i in 0..300_u32 {
        let packet = if i % 10 == 0 { key() } else { frame() };
        muxer.push(&packet, u64::from(i) * 40, &mut out).unwrap();
        muxer.push(&on_meta_data(&[("n", Value::from(f64::from(i)))]), 0, &mut out).unwrap();
        muxer.set_extra(ledger(i));
        let region = muxer.patches().remove(0).bytes;
        assert_eq!(without_count(&region[..lead]), without_count(&first[..lead]));
    }
}

#[test]
fn a_patch_torn_at_any_byte_leaves_identity_and_complete_readable() {
    let (mut muxer, mut out) = (Muxer::new(options(identity(), ledger(7))), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    let old = out.to_vec();
    for i in 0..60_u64 {
        muxer.push(&on_meta_data(&[(&format!("n{i}"), Value::from("x"))]), 0, &mut out).unwrap();
        muxer.push(&key(), i * 1_000, &mut out).unwrap();
    }
    muxer.set_extra(vec![("dropped".to_owned(), Value::from("another layout"))]);
    let new = muxer.patches().remove(0);
    assert_eq!(new.offset, 13);
    let mut expected = identity();
    expected.push(("complete".to_owned(), Value::Boolean(false)));
    for torn in 0..=new.bytes.len() {
        let file = [&old[..13], &new.bytes[..torn], &old[13 + torn..]].concat();
        let region = meta::region(&file).unwrap();
        assert_eq!(region.size_bytes, size(REGION));
        assert_eq!(region.properties[..expected.len()], expected, "torn after {torn} bytes");
        assert_eq!(region.property("complete"), Some(&Value::Boolean(false)));
    }
}

#[test]
fn one_byte_completes_a_file_and_any_later_patch_takes_that_back() {
    let mut muxer = Muxer::new(options(identity(), Vec::new()));
    let mut bytes = file(&mut muxer, &[(key(), 0), (frame(), 40)]);
    assert_eq!(property(&bytes, "complete"), Some(Value::Boolean(false)));
    let before = properties(&bytes);
    let patch = muxer.complete_patch();
    assert_eq!(patch.bytes.len(), 1);
    let at = usize::try_from(patch.offset).unwrap();
    bytes[at] = patch.bytes[0];
    let after = properties(&bytes);
    assert_eq!(property(&bytes, "complete"), Some(Value::Boolean(true)));
    let changed: Vec<_> = before.iter().zip(&after).filter(|(old, new)| old != new).collect();
    assert_eq!(changed.len(), 1);
    let region = muxer.patches().remove(0);
    bytes[13..13 + REGION].copy_from_slice(&region.bytes);
    assert_eq!(properties(&bytes), before);
}

#[test]
fn nothing_else_can_take_the_names_of_the_identity_or_of_complete() {
    let mut identity = identity();
    identity.push(("complete".to_owned(), Value::Boolean(true)));
    identity.push(("duration".to_owned(), Value::from("ours")));
    let extra = vec![
        ("complete".to_owned(), Value::Boolean(true)),
        ("segment".to_owned(), Value::Number(9.0)),
        ("more".to_owned(), Value::Null),
    ];
    let metadata = on_meta_data(&[
        ("complete", Value::Boolean(true)),
        ("recordingId", Value::from("theirs")),
        ("title", Value::from("t")),
    ]);
    let mut muxer = Muxer::new(options(identity, extra));
    let bytes = file(&mut muxer, &[(metadata, 0), (key(), 0)]);
    assert_eq!(property(&bytes, "complete"), Some(Value::Boolean(false)));
    assert_eq!(property(&bytes, "segment"), Some(Value::Number(3.0)));
    assert_eq!(property(&bytes, "duration"), Some(Value::from("ours")));
    assert_ne!(property(&bytes, "recordingId"), Some(Value::from("theirs")));
    assert_eq!(property(&bytes, "title"), Some(Value::from("t")));
    assert_eq!(property(&bytes, "more"), Some(Value::Null));
    assert_eq!(muxer.counters().properties_cut, 0);
}

#[test]
fn an_identity_that_is_too_large_leaves_room_for_the_muxers_own() {
    let mut identity = identity();
    identity.push(("long".to_owned(), Value::from("x".repeat(REGION))));
    identity.push(("fits".to_owned(), Value::from("x".repeat(1_000))));
    let mut muxer = Muxer::new(options(identity, Vec::new()));
    let packets = [(video(AVC), 0), (audio(AAC), 0), (key(), 0), (sound(), 1), (key(), 40)];
    let bytes = file(&mut muxer, &packets);
    assert_eq!(property(&bytes, "long"), None);
    assert!(property(&bytes, "fits").is_some());
    assert_eq!(number(&bytes, "duration"), 0.08);
    assert!(property(&bytes, "keyframes").is_some());
    assert_eq!(property(&bytes, OWN_END), Some(Value::Boolean(true)));
    assert_eq!(muxer.counters().properties_cut, 1);
}
