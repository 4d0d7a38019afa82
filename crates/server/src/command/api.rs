//! A client of the server's HTTP API, for commands.
//!
//! Every wait has a limit, every answer a size, and every refusal becomes one line. Only plain HTTP
//! is spoken, and no proxy of the environment is asked: the server is on this machine or near it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::format::{path as shown, printable};

/// Where the server is unless somebody says it.
const DEFAULT: &str = "http://127.0.0.1:8080";
/// Say the same as the flags.
const URL_VARIABLE: &str = "RTMP_SERVER_URL";
const TOKEN_VARIABLE: &str = "RTMP_SERVER_API_TOKEN";
const TOKEN_FILE_VARIABLE: &str = "RTMP_SERVER_API_TOKEN_FILE";

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for an answer: the server refuses after 30 s what takes longer.
const ANSWER: Duration = Duration::from_secs(40);
/// Longest silence in an answer that goes on; events have a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(60);
/// Most bytes of an answer that is read as a whole: a page of 1,000 recordings has some MB.
const ANSWER_BYTES: usize = 64 << 20;
/// Most bytes of a token, and of a file with one.
const TOKEN_BYTES: usize = 1_024;

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Access {
    /// HTTP address of the server, else that of RTMP_SERVER_URL, else http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    server: Option<Base>,

    /// Secret of its API; better in a file, or in RTMP_SERVER_API_TOKEN
    #[arg(long, value_name = "TOKEN")]
    token: Option<Token>,

    /// File that holds the secret, else that of RTMP_SERVER_API_TOKEN_FILE
    #[arg(long, value_name = "PATH", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

/// The address that paths are put behind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Base(Url);

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "expected http://HOST:PORT, for example http://127.0.0.1:8081";
        let whole = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let url = Url::parse(&whole).map_err(|_| form.to_owned())?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err("https is not spoken here; give the http address that the server or \
                            a tunnel to it listens on"
                    .to_owned());
            }
            _ => return Err(form.to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "no user and no password go into it: a secret is given with -token-file".to_owned()
            );
        }
        if url.cannot_be_a_base() || url.query().is_some() || url.fragment().is_some() {
            return Err(form.to_owned());
        }
        Ok(Self(url))
    }
}

/// A secret, as it is sent. `Debug` does not show it.
#[derive(Clone)]
struct Token(HeaderValue);

impl FromStr for Token {
    type Err = String;

    /// The message does not repeat the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_good = (1..=TOKEN_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        let header = is_good.then(|| HeaderValue::from_str(&format!("Bearer {text}")).ok());
        let mut header = header.flatten().ok_or_else(|| {
            format!("expected 1 to {TOKEN_BYTES} letters, digits and signs of ASCII")
        })?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why there is no answer, in one line.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// What was said about the server makes no sense.
    #[error("{0}")]
    Access(String),
    #[error(
        "cannot reach the server at {url}: {why}. Is it running? Its address is in its log line \
         \"http listening\", and is another one where port 8080 was taken (8081 and so on): give \
         it with -server URL or {URL_VARIABLE}; -record-dir PATH asks a directory without a server"
    )]
    Unreachable { url: String, why: String },
    #[error("{url} does not answer in time; -server URL asks another server")]
    Late { url: String },
    #[error("the connection to {url} was lost: {why}")]
    Lost { url: String, why: String },
    #[error("{url} is no rtmp-server of this version: {why}; -server URL asks another one")]
    Foreign { url: String, why: String },
    /// The server says no.
    #[error("{code}: {detail}{hint}", hint = hint(.code))]
    Refused { code: String, detail: String },
}

impl ApiError {
    /// Whether the server does not accept a value of the command line, which only it can tell.
    pub(super) fn is_bad_value(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "bad-value")
    }
}

/// What to do about a refusal, where its detail does not say it to people.
fn hint(code: &str) -> String {
    match code {
        "unauthorized" => format!(" (-token-file PATH or {TOKEN_VARIABLE} gives the secret)"),
        _ => String::new(),
    }
}

/// A server.
#[derive(Debug, Clone)]
pub(super) struct Api {
    base: Url,
    token: Option<Token>,
    client: Client,
}

impl Access {
    /// Whether somebody said on the command line which server is meant.
    pub(super) fn is_given(&self) -> bool {
        self.server.is_some() || self.token.is_some() || self.token_file.is_some()
    }

    /// A client of the server that is meant.
    ///
    /// # Errors
    /// [`ApiError::Access`] when that cannot be said.
    pub(super) fn api(&self) -> Result<Api, ApiError> {
        let base = match (&self.server, variable(URL_VARIABLE)) {
            (Some(base), _) => base.clone(),
            (None, Some(text)) => text
                .parse()
                .map_err(|why| ApiError::Access(format!("{URL_VARIABLE} is not valid: {why}")))?,
            (None, None) => DEFAULT.parse().map_err(ApiError::Access)?,
        };
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rtmp-server/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ApiError::Access(format!("no HTTP here: {error}")))?;
        Ok(Api { base: base.0, token: self.token()?, client })
    }

    fn token(&self) -> Result<Option<Token>, ApiError> {
        if self.token.is_some() {
            return Ok(self.token.clone());
        }
        let (file, from) = match &self.token_file {
            Some(file) => (file.clone(), "-token-file"),
            None => match (variable(TOKEN_VARIABLE), variable(TOKEN_FILE_VARIABLE)) {
                (Some(text), _) => {
                    let token = text.parse().map(Some);
                    return token.map_err(|why| {
                        ApiError::Access(format!("{TOKEN_VARIABLE} is not valid: {why}"))
                    });
                }
                (None, Some(file)) => (file.into(), TOKEN_FILE_VARIABLE),
                (None, None) => return Ok(None),
            },
        };
        let wrong = |why: String| ApiError::Access(format!("{from} {}: {why}", shown(&file)));
        let mut text = String::new();
        let open = File::open(&file).map_err(|error| wrong(archive::words(&error)))?;
        let most = (TOKEN_BYTES + 64) as u64;
        let read = open.take(most).read_to_string(&mut text);
        read.map_err(|error| wrong(archive::words(&error)))?;
        text.trim().parse().map(Some).map_err(wrong)
    }
}

/// A variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

impl Api {
    /// The server as people write it.
    pub(super) fn server(&self) -> String {
        printable(self.base.as_str().trim_end_matches('/'))
    }

    /// The address of a call: each part of the path is percent-encoded.
    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.0.clone()),
            None => request,
        }
    }

    /// Asks, and reads the answer: its status and its JSON (`null` where it has no body).
    ///
    /// # Errors
    /// [`ApiError`].
    pub(super) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<(u16, Value), ApiError> {
        let mut request = self.request(method, self.url(path, query)).timeout(ANSWER);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.failed(&error))?;
        let status = answer.status().as_u16();
        let bytes = self.read(answer).await?;
        match status {
            200..300 if bytes.is_empty() => Ok((status, Value::Null)),
            // Not ready is an answer as well, and no problem.
            200..300 | 503 if self.json(&bytes).is_ok_and(|json| json.get("code").is_none()) => {
                Ok((status, self.json(&bytes)?))
            }
            _ => Err(self.refused(status, &bytes)),
        }
    }

    /// Asks for what is there.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Value, ApiError> {
        self.call(Method::GET, path, query, None).await.map(|(_, answer)| answer)
    }

    /// Asks for something whose answer goes on for as long as it likes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(super) async fn open(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        media_type: &'static str,
    ) -> Result<Response, ApiError> {
        let request = self.request(Method::GET, self.url(path, query)).header(ACCEPT, media_type);
        let send = tokio::time::timeout(ANSWER, request.send());
        let answer = match send.await {
            Ok(answer) => answer.map_err(|error| self.failed(&error))?,
            Err(_) => return Err(ApiError::Late { url: self.server() }),
        };
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => {
                let bytes = self.read(answer).await?;
                Err(self.refused(status, &bytes))
            }
        }
    }

    /// The next piece of an answer that goes on; `None` at its end.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(super) async fn piece(
        &self,
        answer: &mut Response,
    ) -> Result<Option<bytes::Bytes>, ApiError> {
        answer.chunk().await.map_err(|error| self.failed(&error))
    }

    /// What cannot be understood of an answer.
    pub(super) fn foreign(&self, why: impl fmt::Display) -> ApiError {
        ApiError::Foreign { url: self.server(), why: printable(&why.to_string()) }
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, ApiError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut answer).await? {
            if bytes.len() + piece.len() > ANSWER_BYTES {
                return Err(self.foreign("its answer is too large"));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn json(&self, bytes: &[u8]) -> Result<Value, ApiError> {
        serde_json::from_slice(bytes).map_err(|error| self.foreign(error))
    }

    fn refused(&self, status: u16, bytes: &[u8]) -> ApiError {
        let problem = self.json(bytes).unwrap_or_default();
        let text = |name: &str| problem.get(name).and_then(Value::as_str).map(printable);
        match (text("code"), text("detail")) {
            (Some(code), Some(detail)) => ApiError::Refused { code, detail },
            _ => self.foreign(format!("it answers {status} without a reason")),
        }
    }

    fn failed(&self, error: &reqwest::Error) -> ApiError {
        let url = self.server();
        // The innermost error says what happened; those around it, where.
        let mut why: &dyn std::error::Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        let words = match why.downcast_ref::<io::Error>() {
            Some(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
                _ => archive::words(error),
            },
            None => printable(&why.to_string()),
        };
        match () {
            () if error.is_connect() && error.is_timeout() => {
                ApiError::Unreachable { url, why: "no answer".to_owned() }
            }
            () if error.is_connect() => ApiError::Unreachable { url, why: words },
            () if error.is_timeout() => ApiError::Late { url },
            () if error.is_body() || error.is_decode() => ApiError::Lost { url, why: words },
            () => ApiError::Foreign { url, why: words },
        }
    }
}

#[cfg(test)]
mod tests;
