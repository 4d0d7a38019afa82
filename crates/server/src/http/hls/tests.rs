use super::*;

#[test]
fn places_are_two_numbers_and_an_ending() {
    let place = Place { settled: 7, from: 32_768, to: 1_250_311 };
    assert_eq!(place_of("32768-1250311.m4s", 7), Some(place));
    for text in [
        "",
        "1-2",
        "1-2.mp4",
        "2-1.m4s",
        "1-1.m4s",
        "+1-2.m4s",
        "-1-2.m4s",
        "1-2-3.m4s",
        "1.m4s",
        "1-18446744073709551616.m4s",
        "-.m4s",
    ] {
        assert_eq!(place_of(text, 7), None, "{text}");
    }
}
