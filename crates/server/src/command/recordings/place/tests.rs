use super::*;

#[test]
fn a_recording_is_named_by_its_id_or_the_beginning_of_it() {
    let id = "8C1f4e2a90b7d635";
    assert_eq!(id.parse(), Ok(Name::Id(id.parse().unwrap())));
    assert_eq!("8C1f".parse(), Ok(Name::Beginning("8c1f".to_owned())));
    assert_eq!("last".parse(), Ok(Name::Last));
    for wrong in ["", "8c1", "8c1f4e2a90b7d6350", "live/test", "LAST", "8c1g"] {
        assert!(wrong.parse::<Name>().unwrap_err().starts_with("expected an id"), "{wrong}");
    }
}

#[test]
fn a_search_is_asked_in_the_words_of_the_api() {
    let search = Search {
        stream: Some("live/*".to_owned()),
        from_unix_ms: Some(0),
        states: vec!["complete".to_owned(), "binned".to_owned()],
        labels: vec![("event".to_owned(), Some("a:b".to_owned())), ("draft".to_owned(), None)],
        held: Some(true),
        is_oldest_first: true,
        ..Search::default()
    };
    let parameters = search.parameters(Some("mark"), 7);
    let all: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let from = format!("from={}", http::time::of_ms(0));
    let expected = [
        "limit=7",
        "stream=live/*",
        &from,
        "held=true",
        "order=oldest",
        "after=mark",
        "state=complete",
        "state=binned",
        "label=event:a:b",
        "label=draft",
    ];
    assert_eq!(all, expected);
    let error = search.query(Some("no mark"), 7).unwrap_err().to_string();
    assert!(error.starts_with("not a mark of a page"), "{error}");
    let query = search.query(None, 7).unwrap();
    assert_eq!(query.states, [RecordingState::Complete, RecordingState::Binned]);
    assert_eq!((query.order, query.limit), (Order::Oldest, 7));
    assert_eq!(Search::default().query(None, 7).unwrap().states.len(), 3);
}
