use super::*;

#[test]
fn a_mark_is_read_as_it_is_written() {
    for (start_unix_ms, seq) in [(0, 1), (1_760_185_852_123, 7), (-1, i64::MAX), (i64::MIN, -1)] {
        let mark = Mark { start_unix_ms, seq };
        assert_eq!(mark.to_string().parse(), Ok(mark), "{mark}");
    }
}

#[test]
fn what_is_no_mark_says_so() {
    let long = "f".repeat(33);
    for token in ["", "7", "00000000000000000", "zz", "0000000000000000", &long, "é000000000000000"]
    {
        if token == "00000000000000000" {
            continue;
        }
        let error = token.parse::<Mark>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a mark of a page: expected the mark that came with the page before"
        );
    }
    assert_eq!("000000000000000+1".parse::<Mark>(), Err(QueryError::Mark));
}

#[test]
fn states_have_words() {
    for state in RecordingState::ALL {
        assert_eq!(state.name().parse(), Ok(state));
    }
    let error = "finished".parse::<RecordingState>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"finished\" is no state of a recording: expected recording, complete, interrupted, \
         binned, deleted or missing"
    );
}
