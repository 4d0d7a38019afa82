//! The files of the page: what they ask for is there, and no other host is asked for anything.

use std::collections::BTreeSet;
use std::path::Path;

use super::{builder, server};

/// The names of the files as they stand in the source.
fn names() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/page");
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn path(name: &str) -> String {
    if name == "index.html" { "/".to_owned() } else { format!("/page/{name}") }
}

/// What stands between quotes after each `word`.
fn quoted<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(word).skip(1).filter_map(|rest| rest.strip_prefix('"')?.split('"').next())
}

#[test]
fn every_file_is_served_as_what_it_is_and_as_it_stands() {
    let (mut server, http) = server();
    let names = names();
    assert!(names.contains("index.html") && names.contains("app.js"), "{names:?}");
    for name in &names {
        let answer = http.get(&path(name));
        assert_eq!(answer.status, 200, "{name}");
        let kind = match name.rsplit_once('.').unwrap().1 {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "js" => "text/javascript; charset=utf-8",
            other => panic!("{name}: nobody expects {other}"),
        };
        for (header, value) in [
            ("content-type", kind),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.header(header).as_deref(), Some(value), "{name}: {header}");
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/page").join(name);
        assert_eq!(answer.body, std::fs::read(file).unwrap(), "{name}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{name}");
    }
    assert_eq!(http.get("/page/index.html").problem().0, 404);
    assert_eq!(http.get("/page/../app.js").problem().0, 404);
    assert_eq!(http.send("POST", "/", None).problem().0, 405);
    server.stop();
}

#[test]
fn the_policy_allows_nothing_inside_of_the_page_and_no_other_host() {
    let (mut server, http) = server();
    let policy = http.get("/").header("content-security-policy").unwrap();
    let rules: Vec<_> = policy.split(';').map(str::trim).collect();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(rules.contains(&rule), "{rule}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for name in names() {
        let text = http.get(&path(&name)).text();
        // A name of a vocabulary, which nobody fetches.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for other in ["http://", "https://", "//cdn", "@import", "eval(", "innerHTML"] {
            assert!(!text.contains(other), "{name} has {other}");
        }
        for inside in ["<style", " style=", "onclick=", "javascript:"] {
            assert!(!text.contains(inside), "{name} has {inside}");
        }
    }
    server.stop();
}

#[test]
fn what_the_files_ask_for_is_there() {
    let (mut server, http) = server();
    let index = http.get("/").text();
    let mut asked: Vec<String> = Vec::new();
    asked.extend(quoted(&index, "src=").map(|file| format!("/{file}")));
    asked.extend(quoted(&index, "<link rel=\"icon\" href=").map(|file| format!("/{file}")));
    asked.extend(quoted(&index, "<link rel=\"stylesheet\" href=").map(|file| format!("/{file}")));
    assert_eq!(asked.len(), 3, "{asked:?}");
    for name in names().iter().filter(|name| name.ends_with(".js")) {
        let text = http.get(&path(name)).text();
        asked.extend(quoted(&text, " from ").map(|file| file.replacen("./", "/page/", 1)));
    }
    let asked: BTreeSet<_> = asked.into_iter().collect();
    for file in &asked {
        assert_eq!(http.get(file).status, 200, "{file}");
    }
    // And nothing is there that nobody asks for.
    let served: BTreeSet<_> = names().iter().map(|name| path(name)).collect();
    assert_eq!(served.difference(&asked).collect::<Vec<_>>(), ["/"]);
    server.stop();
}

#[test]
fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let (mut server, http) = server();
    let tag = http.get("/page/app.js").header("etag").unwrap();
    assert_ne!(tag, http.get("/page/api.js").header("etag").unwrap());
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let answer = http.clone().header("If-None-Match", &known).get("/page/app.js");
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag").unwrap(), tag);
    }
    let other = http.header("If-None-Match", "\"other\"").get("/page/app.js");
    assert_eq!(other.status, 200);
    server.stop();
}

#[test]
fn the_page_is_for_everybody_and_what_it_shows_is_not() {
    let mut server = builder().args(["-api-token", "a-token-that-nobody-guesses"]).start();
    let http = server.api();
    // A link on another site may lead here, under any name of the server.
    let linked = http.clone().header("Sec-Fetch-Site", "cross-site").header("Host", "tv.example");
    for path in ["/", "/page/app.js"] {
        assert_eq!(http.get(path).status, 200, "{path}");
        assert_eq!(linked.get(path).status, 200, "{path}");
    }
    assert_eq!(http.get("/api/v1/streams").problem(), (401, "unauthorized".to_owned()));
    assert_eq!(linked.get("/api/v1/streams").problem(), (403, "cross-site".to_owned()));
    server.stop();
}
