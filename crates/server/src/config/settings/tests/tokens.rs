//! Who may use the HTTP API.

use super::*;

const TOKEN: &str = "0123456789abcdef";

#[test]
fn an_api_that_others_can_reach_needs_a_token() {
    for address in [":8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "host.example:80"] {
        let place = Place::new(&format!("\nhttp-listen = '{address}'"));
        let wrong = place.problems(&[], &[]);
        let expected = format!(
            "s.toml:2: http-listen {address} is open to other machines, so it needs a token: give \
             -api-token-file or -api-token, or listen on 127.0.0.1"
        );
        assert_eq!(wrong, [expected]);
        place.settings(&["-api-token", TOKEN], &[]);
        place.settings(&["-http-listen", "localhost:1"], &[]);
    }
    for address in ["off", "127.0.0.1:1", "[::1]:1", "localhost:1"] {
        Place::new("").settings(&["-http-listen", address], &[]);
    }
    let wrong = Place::new("").problems(&["-http-listen", ":1"], &[]);
    assert!(wrong[0].starts_with("http-listen :1 is open"), "{wrong:?}");
}

#[test]
fn a_token_is_shown_nowhere() {
    let place = Place::new("");
    let other = "fedcba9876543210";
    let settings = place.settings(&["-api-token", TOKEN], &[("RTMP_SERVER_API_TOKEN", other)]);
    assert_eq!(source(&settings, "api-token"), ("set".to_owned(), Source::Flag));
    let shown = format!("{settings:?}");
    assert!(!shown.contains(TOKEN) && !shown.contains(other));
    let wrong = [
        Place::new("api-token = 'secret'").problems(&[], &[]),
        Place::new("").problems(&[], &[("RTMP_SERVER_API_TOKEN", "secret")]),
        Place::new("").problems(&["-api-token", "secret"], &[]),
    ];
    for wrong in wrong {
        assert!(wrong[0].contains("16 to 1024") && !wrong[0].contains("secret"), "{wrong:?}");
    }
}

#[test]
fn a_token_may_be_in_a_file() {
    let place = Place::new("");
    let path = place.0.path().join("token");
    let token = path.display().to_string();
    let args = ["-api-token-file", &*token];
    fs::write(&path, format!("{TOKEN}\n")).unwrap();
    let settings = place.settings(&args, &[]);
    assert!(settings.config.api_token.as_ref().unwrap().is(TOKEN.as_bytes()));
    assert_eq!(source(&settings, "api-token-file"), (token.clone(), Source::Flag));
    assert!(!format!("{settings:?}").contains(TOKEN));
    for (bytes, why) in
        [(&b""[..], "16 to 1024"), (b"two words, too many", "ASCII"), (b"\xff", "is no text")]
    {
        fs::write(&path, bytes).unwrap();
        let wrong = place.problems(&args, &[]);
        assert!(wrong[0].contains(why) && wrong[0].contains("api-token-file"), "{wrong:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(place.problems(&args, &[])[0].contains("cannot be read"));
}

#[test]
fn of_a_token_and_a_file_the_one_that_is_said_by_the_stronger_counts() {
    let place = Place::new("");
    let path = place.0.path().join("token");
    fs::write(&path, "from the file, which has spaces").unwrap();
    let token = path.display().to_string();
    // The file is not even looked at.
    let settings =
        place.settings(&["-api-token", TOKEN], &[("RTMP_SERVER_API_TOKEN_FILE", &token)]);
    assert!(settings.config.api_token.unwrap().is(TOKEN.as_bytes()));
    fs::write(&path, "fedcba9876543210").unwrap();
    let settings =
        place.settings(&["-api-token-file", &token], &[("RTMP_SERVER_API_TOKEN", TOKEN)]);
    assert!(settings.config.api_token.unwrap().is(b"fedcba9876543210"));
    let wrong = place.problems(&["-api-token-file", &token, "-api-token", TOKEN], &[]);
    assert_eq!(wrong, ["api-token and api-token-file are both given; one is enough"]);
}
