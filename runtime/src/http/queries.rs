//! `/v1/apps/{app}/queries/{query}`: the input in the path or as a body, the
//! result as the body of the answer, or, to whom accepts `text/event-stream`, each result
//! that there is.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use uuid::Uuid;

use super::answer::{SERVER_TIMING, insert_text, read_from, timing, value};
use super::at::{OfApp, Segments, take_at};
use super::code;
use super::envelope::{NO_INPUT, bare_metadata};
use super::guard::method_not_allowed;
use super::live::{Manner, follow};
use super::params::Params;
use super::problem::Problem;
use super::trace::traceparent;
use super::{Shared, State as SharedState};
use crate::engine::{Answer, App, At, LiveRequest, QueryRequest};

/// RFC 10008: a request as safe as `GET`, with a body. Not among the constants
/// of `http` yet.
pub(super) const QUERY: &str = "QUERY";
pub(super) const ACCEPT_QUERY: HeaderName = HeaderName::from_static("accept-query");
/// Projections of the module that are not as new as the state, each with the last event
/// that is in it.
pub(super) const PROJECTIONS_BEHIND: HeaderName =
    HeaderName::from_static("chancery-projections-behind");
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,POST,QUERY");

/// A question as it came.
#[derive(Debug)]
struct Question {
    app: Arc<App>,
    query: String,
    input: Arc<str>,
    at: At,
    manner: Manner,
    headers: HeaderMap,
    /// Tags of answers that the client has already.
    known: Known,
}

/// What `If-None-Match` says.
#[derive(Debug, Default)]
struct Known {
    tags: Vec<String>,
    /// `*`: whatever there is.
    any: bool,
}

pub(super) async fn by_url(
    State(shared): SharedState,
    OfApp(app): OfApp,
    Segments((_, query)): Segments<(String, String)>,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let input = params.text("input");
    let at = take_at(&mut params)?;
    let manner = Manner::take(&app, at, &mut params, &headers)?;
    params.finish()?;
    let input = input.as_deref().unwrap_or(NO_INPUT);
    let bytes_max = shared.settings.query_input_bytes_max;
    if input.len() > bytes_max {
        let detail = format!("the input has {} bytes; the limit is {bytes_max}", input.len());
        return Err(Problem::new(code::BODY_TOO_LARGE, detail));
    }
    let (input, known) = (input.into(), Known::of(&headers));
    let question = Question { app, query, input, at, manner, known, headers };
    ask(question).await
}

pub(super) async fn by_body(
    State(shared): SharedState,
    OfApp(app): OfApp,
    Segments((_, query)): Segments<(String, String)>,
    mut params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let at = take_at(&mut params)?;
    let manner = Manner::take(&app, at, &mut params, &headers)?;
    params.finish()?;
    // A condition on `POST` would mean something else: whether to do it at all.
    let known = match *request.method() == Method::POST {
        true => Known::default(),
        false => Known::of(&headers),
    };
    let input = shared.json_body(request, shared.query_limit()).await?;
    let question = Question {
        app,
        query,
        input: input.as_deref().unwrap_or(NO_INPUT).into(),
        at,
        manner,
        known,
        headers,
    };
    ask(question).await
}

/// `QUERY`, which the router cannot name, or a method that is not for queries.
pub(super) async fn by_other_method(state: SharedState, request: Request) -> Response {
    if request.method().as_str() != QUERY {
        let problem = method_not_allowed(request.method().clone(), request.uri().clone()).await;
        return problem.allow(METHODS).into_response();
    }
    let mut response = match extracted(&state.0, request).await {
        Ok((app, segments, params, request)) => {
            by_body(state, app, segments, params, request).await.into_response()
        }
        Err(problem) => problem.into_response(),
    };
    // The router would say what it can name.
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

type Extracted = (OfApp, Segments<(String, String)>, Params, Request);

async fn extracted(shared: &Arc<Shared>, request: Request) -> Result<Extracted, Problem> {
    let (mut parts, body) = request.into_parts();
    let app = OfApp::from_request_parts(&mut parts, shared).await?;
    let segments = Segments::from_request_parts(&mut parts, shared).await?;
    let Ok(params) = Params::from_request_parts(&mut parts, shared).await;
    Ok((app, segments, params, Request::from_parts(parts, body)))
}

/// The handler runs on this thread; the runtime has one to spare for each query
/// that may run.
async fn ask(question: Question) -> Result<Response, Problem> {
    let metadata = bare_metadata(traceparent(&question.headers));
    let request_id = Uuid::now_v7().to_string().into();
    if let Manner::Live { rate_max } = question.manner {
        let Question { app, query: name, input, at: At { at_least, .. }, .. } = question;
        let caller = None;
        let request = LiveRequest { name, input, at_least, caller, metadata, request_id, rate_max };
        return follow(&app, request).await;
    }
    let request = QueryRequest {
        name: &question.query,
        input: question.input,
        at: question.at,
        caller: None,
        metadata,
        request_id,
        known: &question.known.tags,
    };
    let answer = question.app.query(request).await?;
    Ok(respond(&question.app, answer, question.known.any))
}

pub(super) fn respond(app: &App, answer: Answer, any_known: bool) -> Response {
    let known = any_known && answer.tag.is_some();
    let mut response = match answer.value {
        Some(result) if !known => value(result),
        _ => StatusCode::NOT_MODIFIED.into_response(),
    };
    let headers = response.headers_mut();
    if let Some(tag) = answer.tag {
        insert_text(headers, ETAG, &format_args!("\"{tag}\""));
    }
    if !answer.behind.is_empty() {
        let behind = answer.behind.iter().map(|(name, position)| format!("{name}@{position}"));
        let behind = behind.collect::<Vec<_>>().join(", ");
        insert_text(headers, PROJECTIONS_BEHIND, &behind);
    }
    let private = HeaderValue::from_static("private, no-cache");
    headers.insert(CACHE_CONTROL, private);
    let json = HeaderValue::from_static("application/json");
    headers.insert(ACCEPT_QUERY, json);
    let queue = timing("queue", answer.queued);
    let wasm = timing("wasm", answer.elapsed);
    insert_text(headers, SERVER_TIMING, &format_args!("{queue}, {wasm}"));
    read_from(app, answer.sequence, response)
}

impl Known {
    /// Weak tags count as the strong ones they are like: that is how
    /// `If-None-Match` compares.
    fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(IF_NONE_MATCH).iter();
        let tags = fields.flat_map(|field| field.to_str().unwrap_or_default().split(','));
        let mut known = Self::default();
        for tag in tags.map(str::trim) {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let opaque = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            match opaque {
                Some(opaque) => known.tags.push(opaque.to_owned()),
                None => known.any |= tag == "*",
            }
        }
        known
    }
}
