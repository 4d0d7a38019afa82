//! Figures for Prometheus: read from what is counted anyway, when they are asked for.
//!
//! `table` is the one list of all metrics; `docs/ref/metrics.md` has it as a table, which a test
//! holds to it.

mod series;
mod table;

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::problem::{Code, Problem};
pub use table::{METRICS, Metric, Type};

/// What Prometheus takes the text for.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Figures for Prometheus
///
/// In the text format of OpenMetrics 1.0. What there is stands in `docs/ref/metrics.md`.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "The figures", body = String,
        content_type = "application/openmetrics-text")))]
async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(api)));
    let mut body = String::new();
    let encoded = text::encode(&mut body, &registry);
    encoded.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
}

/// Reads everything once.
struct Scrape(Arc<Api>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        series::write(&self.0, &mut table::Writer::new(encoder))
    }
}
