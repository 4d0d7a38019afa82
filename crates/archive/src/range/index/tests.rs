use super::*;

/// Sounds of these ids, each a message and two frames.
fn property(ids: impl Iterator<Item = u8>) -> Value {
    let places = ids.flat_map(|id| [8.0, f64::from(id), 100.0, 200.0, 300.0]);
    Value::StrictArray(places.map(Value::Number).collect())
}

#[test]
fn tracks_that_a_file_tells_of_are_bounded() {
    let read = TrackPlaces::of_property(&property(0..=u8::MAX));
    assert_eq!(read.len(), TRACKS_MAX);
    let name = TrackName { kind: Kind::Audio, id: 7 };
    assert_eq!(read[7], TrackPlaces { name, message: 100, first: 200, newest: 300 });
}

#[test]
fn what_was_read_while_it_was_overwritten_tells_of_no_track() {
    let Value::StrictArray(whole) = property(0..2) else { panic!() };
    let with = |at: usize, value: f64| {
        let mut torn = whole.clone();
        torn[at] = Value::Number(value);
        TrackPlaces::of_property(&Value::StrictArray(torn))
    };
    // A kind and an id that there are not, and places that are not in order.
    for (at, value) in [(5, 18.0), (6, 256.0), (7, 201.0), (8, 301.0), (9, 199.0)] {
        assert_eq!(with(at, value), [], "{at}");
    }
    assert_eq!(TrackPlaces::of_property(&Value::StrictArray(whole[..9].to_vec())), []);
    assert_eq!(TrackPlaces::of_property(&Value::Number(1.0)), []);
}
