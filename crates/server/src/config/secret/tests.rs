use super::*;

const TOKEN: &str = "0123456789abcdef";

#[test]
fn a_secret_is_never_shown() {
    let secret: Secret = TOKEN.parse().unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(…)");
    let config = crate::Config { api_token: Some(secret), ..crate::Config::default() };
    assert!(!format!("{config:?}").contains(TOKEN));
}

#[test]
fn only_the_same_text_is_it() {
    let secret: Secret = TOKEN.parse().unwrap();
    assert!(secret.is(TOKEN.as_bytes()));
    for other in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0"] {
        assert!(!secret.is(other.as_bytes()), "{other}");
    }
}

#[test]
fn a_secret_has_a_length_that_is_worth_it_and_fits_a_header() {
    let long = "x".repeat(Secret::MAX);
    assert!(long.parse::<Secret>().is_ok());
    for text in ["", "0123456789abcde", &(long + "x")] {
        let error = text.parse::<Secret>().expect_err(text);
        assert!(error.contains("16 to 1024 characters"), "{error}");
    }
    for text in ["0123456789 abcdef", "0123456789abcdef\n", "0123456789abcdefß"] {
        let error = text.parse::<Secret>().expect_err(text);
        assert!(error.contains("ASCII") && !error.contains("012345"), "{error}");
    }
}
