use axum::http::Request;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Query {
    stream: Option<String>,
    limit: Option<u32>,
    held: Option<bool>,
    order: Option<Order>,
    #[serde(default)]
    state: Vec<Order>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Start {
    stream: String,
    max_length: Option<u64>,
}

fn params(query: &str) -> Result<Query, Problem> {
    let request = Request::builder().uri(format!("/x?{query}")).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    testkit::block_on(Params::from_request_parts(&mut parts, &())).map(|Params(query)| query)
}

fn code<T: std::fmt::Debug>(result: Result<T, Problem>) -> (Code, serde_json::Value) {
    let problem = result.unwrap_err();
    let code = problem.code();
    let response = axum::response::IntoResponse::into_response(problem);
    let body = testkit::block_on(axum::body::to_bytes(response.into_body(), 1 << 20)).unwrap();
    (code, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_query_becomes_what_the_call_wants() {
    let read =
        params("stream=live%2Ftest&limit=5&held=true&order=oldest&state=newest&state=oldest");
    let wanted = Query {
        stream: Some("live/test".to_owned()),
        limit: Some(5),
        held: Some(true),
        order: Some(Order::Oldest),
        state: vec![Order::Newest, Order::Oldest],
    };
    assert_eq!(read.unwrap(), wanted);
    assert_eq!(params("").unwrap().limit, None);
}

#[test]
fn a_query_that_is_not_understood_is_refused_by_name() {
    let (unknown, body) = code(params("steam=x"));
    assert_eq!(unknown, Code::UnknownParameter);
    assert_eq!((&body["field"], &body["nearest"]), (&"steam".into(), &"stream".into()));
    assert_eq!(code(params("zzzz=x")).1["nearest"], serde_json::Value::Null);
    for (query, field, detail) in [
        ("limit=many", "limit", "limit: expected a whole number from 0 on"),
        ("limit=-1", "limit", "limit: expected a whole number from 0 on"),
        ("limit=1&limit=2", "limit", "limit: given more than once"),
        ("held=yes", "held", "held: expected true or false"),
        ("order=up", "order", "order: expected one of newest, oldest"),
        ("state=newest&state=up", "state", "state: expected one of newest, oldest"),
    ] {
        let (bad, body) = code(params(query));
        assert_eq!(bad, Code::BadValue, "{query}");
        assert_eq!((&body["field"], &body["detail"]), (&field.into(), &detail.into()));
    }
}

#[test]
fn a_body_that_is_not_understood_is_refused_by_name() {
    let read = parse::<Start>(br#"{"stream":"live/test"}"#).unwrap();
    assert_eq!(read, Start { stream: "live/test".to_owned(), max_length: None });
    let cases: [(&[u8], Code, &str); 6] = [
        (b"{", Code::MalformedJson, ""),
        (b"[]", Code::MalformedJson, ""),
        (b"", Code::MissingField, "stream"),
        (br#"{"stream":"a","max_lenght":1}"#, Code::UnknownField, "max_lenght"),
        (br#"{"stream":5}"#, Code::BadValue, "stream"),
        (br#"{"stream":"a","max_length":-1}"#, Code::BadValue, "max_length"),
    ];
    for (body, wanted, field) in cases {
        let (refused, problem) = code(parse::<Start>(body));
        assert_eq!(refused, wanted, "{}", String::from_utf8_lossy(body));
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field);
    }
    let nearest = code(parse::<Start>(br#"{"stream":"a","max_lenght":1}"#)).1;
    assert_eq!(nearest["nearest"], "max_length");
}
