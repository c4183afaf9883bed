//! `/v1/apps/{app}/adhoc`: a question that is JavaScript itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::at::{OfApp, take_at};
use super::body::{media_type, unsupported};
use super::envelope::{NO_INPUT, bare_metadata, object, unreadable};
use super::params::Params;
use super::problem::Problem;
use super::queries::respond;
use super::trace::traceparent;
use super::{State as SharedState, code};
use crate::engine::AdhocRequest;

/// A question with an input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdhocJson {
    script: String,
    input: Option<Box<RawValue>>,
}

pub(super) async fn ask(
    State(shared): SharedState,
    OfApp(app): OfApp,
    mut params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    if !shared.settings.adhoc {
        let detail = "ad-hoc queries are switched off here, since they may read every table of \
                      the app; the operator switches them on with `adhoc = true` under `[serve]";
        return Err(Problem::new(code::ADHOC_OFF, detail));
    }
    let metadata = bare_metadata(traceparent(request.headers()));
    let (source, input): (Arc<str>, Arc<str>) = match media_type(request.headers()).as_str() {
        "text/javascript" | "application/javascript" => {
            let held = shared.body(request.into_body(), shared.query_limit()).await?;
            let text = std::str::from_utf8(&held.bytes).map_err(|error| {
                let at = error.valid_up_to();
                let detail = format!("the script is not UTF-8: byte {at} does not belong there");
                Problem::new(code::NOT_JAVASCRIPT, detail)
            })?;
            (text.into(), NO_INPUT.into())
        }
        "application/json" => {
            let text = shared.json_body(request, shared.query_limit()).await?.unwrap_or_default();
            let body: AdhocJson = object(&text).map_err(|error| unreadable(&text, &error))?;
            let input = body.input.as_deref().map_or(NO_INPUT, RawValue::get);
            (body.script.into(), input.into())
        }
        _ => {
            let wanted = "`text/javascript`, or `application/json` with `script` and `input`";
            return Err(unsupported(request.headers(), wanted));
        }
    };
    let (request_id, caller) = (Uuid::now_v7().to_string().into(), None);
    let request = AdhocRequest { source, input, at, caller, metadata, request_id };
    let answer = app.adhoc(request).await?;
    Ok(respond(&app, answer, false))
}
