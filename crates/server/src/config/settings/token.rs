//! Who may use the HTTP API.

use std::path::Path;

use super::{Shown, Source};
use crate::config::file;
use crate::config::problem::Problem;
use crate::config::{Config, HttpListen, Secret};

/// Reads the token's file, and sees to it that nobody but who has a token gets at the API from
/// another machine.
pub(super) fn secure(config: &mut Config, shown: &[Shown]) -> Result<(), Problem> {
    let source = |name: &str| {
        let shown = shown.iter().find(|shown| shown.name == name);
        shown.map_or(Source::Default, |shown| shown.source)
    };
    let rank = |name: &str| match source(name) {
        Source::Default => 0,
        Source::File(_) => 1,
        Source::Environment => 2,
        Source::Flag => 3,
    };
    let wrong = |name: &str, text: String| {
        let line = match source(name) {
            Source::File(line) => Some(line),
            _ => None,
        };
        let file = line.and(config.config.clone());
        Problem { file, line, key: Some(name.to_owned()), ..Problem::given(text) }
    };
    let (token, file) = (rank("api-token"), rank("api-token-file"));
    if token > 0 && token == file {
        let text = "api-token and api-token-file are both given; one is enough".to_owned();
        return Err(wrong("api-token", text));
    }
    if file > token
        && let Some(path) = &config.api_token_file
    {
        let shown = archive::path::display(path).to_string();
        let secret = token_file(path)
            .map_err(|why| wrong("api-token-file", format!("api-token-file {shown}: {why}")))?;
        config.api_token = Some(secret);
    }
    match &config.http_listen {
        HttpListen::Default(address) | HttpListen::Asked(address)
            if !address.is_loopback() && config.api_token.is_none() =>
        {
            Err(wrong(
                "http-listen",
                format!(
                    "http-listen {address} is open to other machines, so it needs a token: give \
                     -api-token-file or -api-token, or listen on 127.0.0.1"
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// The token in a file, without the line break that editors put behind it.
fn token_file(path: &Path) -> Result<Secret, String> {
    let bytes = file::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "is no text".to_owned())?;
    text.trim().parse().map_err(|why: String| format!("the token is not valid: {why}"))
}
