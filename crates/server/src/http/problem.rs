//! What a request is refused with: `application/problem+json` (RFC 9457) with a code that stays.
//!
//! [`Code`] is the one list of all codes. `docs/ref/api.md` has it as a table, which a test holds
//! to this file.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// The media type of every answer that is a refusal.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// What one code stands for.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// The HTTP status.
    pub status: u16,
    /// The word that programs compare.
    pub code: &'static str,
    /// The same in words.
    pub title: &'static str,
    /// When it is given, and what to do.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident $status:literal $code:literal $title:literal $meaning:literal;)*) => {
        /// Why a request was refused. Codes are never given another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// All of them, by status.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it stands for.
            pub fn meaning(self) -> Meaning {
                match self {
                    $(Self::$name => Meaning {
                        status: $status,
                        code: $code,
                        title: $title,
                        meaning: $meaning,
                    },)*
                }
            }
        }
    };
}

codes! {
    MalformedJson 400 "malformed-json" "The body is not JSON"
        "The body is not JSON, or not an object; `detail` says where.";
    UnknownField 400 "unknown-field" "Unknown field"
        "The body has a field that this call does not know: `field`; `nearest` is the one that \
         may be meant.";
    MissingField 400 "missing-field" "Missing field or parameter"
        "`field` is needed.";
    UnknownParameter 400 "unknown-parameter" "Unknown parameter"
        "The query has a parameter that this call does not know: `field`; `nearest` is the one \
         that may be meant.";
    BadValue 400 "bad-value" "Bad value"
        "The value of `field`, which is a field, a parameter or a part of the path, is not \
         accepted; `detail` says what is.";
    Unauthorized 401 "unauthorized" "A token is needed"
        "The server has a token and the request has none, or another one: send \
         `Authorization: Bearer TOKEN`.";
    CrossSite 403 "cross-site" "Request of another site"
        "A browser sent it for a page of another site (`Origin`, `Sec-Fetch-Site`).";
    BadHost 403 "bad-host" "Not a name of this server"
        "Without a token the server answers only requests to `localhost` or to an IP address: \
         another name in `Host` may be an attack through a browser's DNS.";
    NotFound 404 "not-found" "No such resource"
        "There is nothing under this path; `/api/v1/docs` lists what there is.";
    UnknownStream 404 "unknown-stream" "No such stream"
        "Nobody publishes or waits for a stream of this name.";
    NoPublisher 404 "no-publisher" "Nobody publishes"
        "The stream has no publisher: nothing is to be watched, and nothing to be ended.";
    UnknownPlayer 404 "unknown-player" "No such player"
        "The stream has no player of this id, or has it no more.";
    UnknownRecording 404 "unknown-recording" "No such recording"
        "No recording of this id runs, waits for its stream or is in the catalog.";
    UnknownSegment 404 "unknown-segment" "No such file"
        "The recording has no file of this number.";
    FileMissing 404 "file-missing" "The file is not there"
        "The catalog knows the file, and it was deleted, is in the bin or is not where it was.";
    NothingRecorded 404 "nothing-recorded" "Nothing was recorded"
        "Nothing of the stream, or of the recording, was recorded in that time.";
    NoPicture 404 "no-picture" "No picture"
        "There is no key frame of a video to make one of: the stream or the recording has none \
         there.";
    PicturesOff 404 "pictures-off" "Pictures are off"
        "The configuration says that no pictures are made (`pictures`), of all or of what this \
         recorder records.";
    UnknownRecorder 404 "unknown-recorder" "No such recorder"
        "The configuration has no recorder of this name, or it is disabled; or it recorded nothing \
         of the stream in that time; where recordings are listed, it recorded nothing at all.";
    MethodNotAllowed 405 "method-not-allowed" "Method not allowed"
        "The path exists but does not know this method; `Allow` lists those that it knows.";
    NotAcceptable 406 "not-acceptable" "No form of it is accepted"
        "`Accept-Encoding` refuses the playlist as it is (`identity`) and does not take `gzip`.";
    RequestTimeout 408 "request-timeout" "The body did not arrive"
        "The body did not arrive within 10 s.";
    RequestKeyReused 409 "request-key-reused" "The request key is another request's"
        "Another recording was asked for with the same `request_key`: choose another one, or ask \
         for the same.";
    CannotReconnect 409 "cannot-reconnect" "The client does not follow such requests"
        "It did not say with `connect` (`capsEx`) that it follows a request to reconnect: end what \
         it does instead; many connect again by themselves.";
    RecordingRunning 409 "recording-running" "The recording is running"
        "It has to be stopped first.";
    RecordingWaiting 409 "recording-waiting" "The recording waits for its stream"
        "It has no file yet: stop it, or wait for its stream.";
    RecordingHeld 409 "recording-held" "The recording is held"
        "It has to be released first.";
    NotRunning 409 "not-running" "The recording is not running"
        "Only a recording that is being written can be cut.";
    NotInBin 409 "not-in-bin" "The recording is not in the bin"
        "Only what is in the bin can be restored.";
    FileExists 409 "file-exists" "Another file has its name"
        "A file with the name that one of the recording's had is there, and is not overwritten: \
         move it away and restore again.";
    SeveralRecorders 409 "several-recorders" "Several recorders recorded it"
        "More than one recorder recorded the stream in that time: say which by `recorder`.";
    BodyTooLarge 413 "body-too-large" "The body is too large"
        "A body may have 64 KiB.";
    UriTooLong 414 "uri-too-long" "The address is too long"
        "Path and query may have 16 KiB.";
    UnsupportedMediaType 415 "unsupported-media-type" "Not JSON"
        "A body has to come with `Content-Type: application/json`.";
    RangeTooLong 422 "range-too-long" "The range is too long"
        "An FLV file cannot be longer than 49 days, an MP4 file cannot have more than 4,194,304 \
         frames of sound and picture (16 hours): ask for a shorter time.";
    ConfigurationChanges 422 "configuration-changes" "The configuration changes"
        "Within that time a codec or its configuration changes, which one MP4 file cannot tell \
         every player; `changes_at` says when first: ask for the time before it and from it on, or \
         for FLV.";
    NoMp4 422 "no-mp4" "It cannot be in MP4"
        "No specification says how to store its codecs in MP4, or nothing tells how to decode \
         them; `detail` says which: ask for FLV.";
    PictureFailed 422 "picture-failed" "The key frame cannot be decoded"
        "The decoder gave no picture of it; `detail` says what it said instead.";
    TooManyWaiting 429 "too-many-waiting" "Too many recordings wait"
        "1,000 recordings wait for their streams: stop some of them.";
    Internal 500 "internal" "A fault of the server"
        "The server has a fault, and has logged it; please report it.";
    NoDecoder 501 "no-decoder" "No decoder for this codec"
        "FFmpeg was not found, and without it there are pictures of H.264 alone: install it, or say \
         where it is (`-ffmpeg`).";
    DiskBusy 503 "disk-busy" "The disk is busy"
        "So many requests wait for the disk that this one could not begin; try again after \
         `Retry-After` seconds.";
    DiskTimeout 503 "disk-timeout" "The disk does not answer"
        "The disk did not answer in time. What was asked of it may still happen.";
    Stopping 503 "stopping" "The server stops"
        "The server is stopping and begins nothing any more.";
    TooManyRecordings 503 "too-many-recordings" "Too many recordings"
        "As many recordings run as there may be, or the system gives no thread for another.";
    TooManyDownloads 503 "too-many-downloads" "Too many downloads"
        "As many downloads as there may be are running.";
    DiskFailed 503 "disk-failed" "The disk could not do it"
        "The disk refused; `detail` says why. What was done so far is kept, and the same request \
         goes on with it.";
    CatalogUnavailable 503 "catalog-unavailable" "The catalog does not answer"
        "The catalog in the record directory cannot be read or written now; what is being recorded \
         is not touched.";
    Timeout 503 "timeout" "Not in time"
        "The answer was not ready within 30 s. What was asked for may still happen.";
    NothingToWatch 503 "nothing-to-watch" "Nothing to watch yet"
        "The stream has had nothing that this view can show: no key frame yet, or codecs that MP4 \
         has no place for, which `/live/KEY.flv` shows.";
    TooManyViews 503 "too-many-views" "Too many streams are watched so"
        "As many streams as there may be are made into segments, or they take as much memory as \
         they may; `/live/KEY.flv` needs none.";
    TooManyPlayers 503 "too-many-players" "Too many players"
        "The stream has as many players as it may have (`-max-players`), or the server as many \
         viewers over HTTP.";
    DecoderFailed 503 "decoder-failed" "The decoder does not work"
        "The program that decodes pictures (`-ffmpeg`) could not be started, hung or ran wild; \
         `detail` says which. It is tried again after 10 s at the earliest.";
    PicturePending 503 "picture-pending" "The picture is being made"
        "It was not ready in time: ask again after `Retry-After` seconds.";
    PicturesBusy 503 "pictures-busy" "Too many pictures"
        "As many pictures are being made as there may be.";
    TooManySubscribers 503 "too-many-subscribers" "Too many subscribers"
        "As many clients as there may be are reading events already.";
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// `detail` says what is special about this one; it is for people.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let (more, mut headers) = (Map::new(), Vec::new());
        if code == Code::Unauthorized {
            let realm = HeaderValue::from_static("Bearer realm=\"rtmp-server\"");
            headers.push((header::WWW_AUTHENTICATE, realm));
        }
        if code.meaning().status == 503 {
            headers.push((header::RETRY_AFTER, HeaderValue::from_static("5")));
        }
        Self { code, detail: detail.into(), more, headers }
    }

    /// Adds a member for programs.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// What was special about it.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Which one it is.
    pub(crate) fn code(&self) -> Code {
        self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Meaning { status, code, title, .. } = self.code.meaning();
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("/api/v1/docs#{code}").into());
        body.insert("title".to_owned(), title.into());
        body.insert("status".to_owned(), status.into());
        body.insert("code".to_owned(), code.into());
        body.insert("detail".to_owned(), self.detail.into());
        body.extend(self.more);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, MEDIA_TYPE)];
        let mut response = (status, kind, Value::Object(body).to_string()).into_response();
        response.headers_mut().extend(self.headers.into_iter().map(|(n, v)| (Some(n), v)));
        response
    }
}

#[cfg(test)]
mod tests;
