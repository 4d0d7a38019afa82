use super::*;

#[test]
fn codes_are_words_of_their_own_and_stand_by_status() {
    let all: Vec<_> = Code::ALL.iter().map(|code| code.meaning()).collect();
    let mut words: Vec<_> = all.iter().map(|m| m.code).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), all.len());
    assert!(all.is_sorted_by_key(|m| m.status));
    for Meaning { status, code, .. } in all {
        assert!((400..600).contains(&status));
        let is_sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(code.bytes().all(is_sign), "{code}");
    }
}

#[test]
fn a_token_is_asked_for_and_a_busy_server_says_when_to_come_back() {
    let asked = Problem::new(Code::Unauthorized, "").into_response();
    assert_eq!(asked.headers()["www-authenticate"], "Bearer realm=\"rtmp-server\"");
    let busy = Problem::new(Code::DiskBusy, "").into_response();
    assert_eq!(busy.headers()["retry-after"], "5");
    assert_eq!(busy.headers()["content-type"], MEDIA_TYPE);
}
