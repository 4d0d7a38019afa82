//! The OpenAPI document: what the handlers say of themselves, and what holds for all of them.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
    SecurityRequirement, ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::problem::{self, Code};

/// A refusal, as programs get it.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/api/v1/docs#unknown-stream",
    "title": "No such stream",
    "status": 404,
    "code": "unknown-stream",
    "detail": "nobody publishes or waits for live/test",
}))]
pub(crate) struct ProblemBody {
    /// Where the code is explained.
    r#type: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What programs compare.
    code: String,
    /// What is special about this one, for people.
    detail: String,
    /// The field, parameter or part of the path that is meant.
    field: Option<String>,
    /// The known name that may have been meant.
    nearest: Option<String>,
    /// When the configuration changes.
    #[schema(format = DateTime)]
    changes_at: Option<String>,
}

/// What stands before the first call.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("rtmp-server")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Live streams, their recordings and the server itself. Names are snake_case, times \
             RFC 3339 with their offset, lengths end in _ms and sizes in _bytes. Unknown fields \
             and parameters are refused. A stream's name in a path is one percent-encoded part: \
             live%2Ftest.",
        ));
    OpenApiBuilder::new().info(info).servers(Some([ServerBuilder::new().url("/").build()])).build()
}

/// Adds to every call what every call may answer.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    components.schemas.insert(ProblemBody::name().into_owned(), ProblemBody::schema());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            let is_open = ["/health", "/ready"].contains(&path.as_str());
            complete(operation, is_open);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn complete(operation: &mut Operation, is_open: bool) {
    let has_body = operation.request_body.is_some();
    let has_input = has_body || operation.parameters.as_ref().is_some_and(|p| !p.is_empty());
    if !is_open {
        // Without a token on the server none is needed.
        operation.security =
            Some(vec![SecurityRequirement::new("token", [""; 0]), SecurityRequirement::default()]);
    }
    let input = [
        Code::MalformedJson,
        Code::UnknownField,
        Code::MissingField,
        Code::UnknownParameter,
        Code::BadValue,
    ];
    let bodies = [Code::RequestTimeout, Code::BodyTooLarge, Code::UnsupportedMediaType];
    let always = [Code::CrossSite, Code::BadHost, Code::UriTooLong, Code::Internal, Code::Timeout];
    let mut codes = Vec::from(always);
    codes.extend(input.into_iter().filter(|_| has_input));
    codes.extend(bodies.into_iter().filter(|_| has_body));
    codes.extend(Some(Code::Unauthorized).filter(|_| !is_open));
    for code in codes {
        refusal(operation, code);
    }
}

/// Lists a code among an operation's answers.
fn refusal(operation: &mut Operation, code: Code) {
    let problem::Meaning { status, code, title, .. } = code.meaning();
    let text = format!("`{code}`: {title}");
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
    let fresh = || {
        let response = ResponseBuilder::new().content(problem::MEDIA_TYPE, content).build();
        RefOr::T(response)
    };
    let known = operation.responses.responses.entry(status.to_string()).or_insert_with(fresh);
    if let RefOr::T(response) = known {
        let before = std::mem::take(&mut response.description);
        let lines = before.lines().map(str::to_owned).chain([text]);
        response.description = lines.collect::<Vec<_>>().join("\n");
    }
}
