use super::*;

#[test]
fn only_flags_lose_a_dash() {
    let text = "opts=\"-h --record-all --help\" -- \"$cur\" '--config=[file]' a--b --- --X";
    let expected = "opts=\"-h -record-all -help\" -- \"$cur\" '-config=[file]' a--b --- --X";
    assert_eq!(one_dash(text), expected);
    assert_eq!(one_dash(""), "");
}
