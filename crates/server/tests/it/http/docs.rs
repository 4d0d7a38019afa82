//! The document that describes the API, and the page that shows it.

use std::collections::BTreeSet;

use rtmp_server::http::Code;
use serde_json::Value;

use super::server;

#[test]
fn the_document_describes_every_call_with_its_refusals() {
    let (mut server, http) = server();
    let document = http.get("/api/v1/openapi.json").ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.meaning().code).collect();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let shown = format!("{method} {path}");
            for name in ["summary", "operationId"] {
                assert!(!call[name].as_str().unwrap_or_default().is_empty(), "{shown}: {name}");
            }
            assert!(ids.insert(call["operationId"].as_str().unwrap()), "{shown}");
            assert!(!call["tags"][0].as_str().unwrap().is_empty(), "{shown}");
            let is_open = ["/health", "/ready"].contains(&path.as_str());
            let body =
                call["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
            if let Some(name) = body.and_then(|body| body.rsplit('/').next()) {
                let schema = &document["components"]["schemas"][name];
                assert_eq!(schema["additionalProperties"], false, "{shown}: deny_unknown_fields");
            }
            assert_eq!(call["responses"].get("401").is_none(), is_open, "{shown}");
            assert!(call["responses"].get("403").is_some(), "{shown}");
            for (status, answer) in call["responses"].as_object().unwrap() {
                check_answer(&shown, status, answer, &codes);
            }
        }
    }
    for id in ["list_streams", "show_stream", "kick_publisher", "kick_player", "events", "metrics"]
    {
        assert!(ids.contains(id), "{id}");
    }
    server.stop();
}

/// A refusal names its codes, which exist and have that status.
fn check_answer(shown: &str, status: &str, answer: &Value, codes: &BTreeSet<&str>) {
    let text = answer["description"].as_str().unwrap();
    let is_problem = answer["content"].get("application/problem+json").is_some();
    if !is_problem {
        return;
    }
    for line in text.lines() {
        let code = line.split('`').nth(1).unwrap_or_else(|| panic!("{shown} {status}: {line}"));
        assert!(codes.contains(code), "{shown} {status}: {code}");
        let code = Code::ALL.iter().find(|known| known.meaning().code == code).unwrap();
        assert_eq!(code.meaning().status.to_string(), status, "{shown}: {line}");
    }
}

#[test]
fn the_page_needs_nothing_but_this_server() {
    let (mut server, http) = server();
    for (path, kind) in [
        ("/api/v1/docs", "text/html; charset=utf-8"),
        ("/api/v1/docs.js", "text/javascript; charset=utf-8"),
        ("/api/v1/docs.css", "text/css; charset=utf-8"),
    ] {
        let file = http.get(path);
        assert_eq!((file.status, file.header("content-type").as_deref()), (200, Some(kind)));
        let policy = file.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        let text = file.text();
        for host in ["http://", "https://", "//cdn"] {
            assert!(!text.contains(host), "{path} asks another host");
        }
        // The policy forbids what stands inside of the page.
        assert!(
            !text.contains("<style") && !text.contains(" style=") && !text.contains("innerHTML")
        );
    }
    let page = http.get("/api/v1/docs").text();
    assert!(page.contains("docs.js") && page.contains("docs.css"), "{page}");
    for code in Code::ALL {
        assert!(page.contains(&format!("id=\"{}\"", code.meaning().code)), "{code:?}");
    }
    server.stop();
}
