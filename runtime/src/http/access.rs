//! Whom a browser may ask for: the names that this server goes by, and the pages that may
//! use it.
//!
//! There are no permissions yet: whoever can connect may do everything, and a browser
//! connects for every page that somebody opens. It says whose page it is (`Origin`) and
//! what it took the server for (`Host`). So what comes for a page of somewhere else is
//! refused, and what came here by a name that is not ours, since whoever owns a name may
//! have it lead here (DNS rebinding). Both before anything else is looked at, whatever is
//! asked for: an answer that the page cannot read has been computed all the same, and a
//! change is made. Programs that are no browsers send no `Origin`, and what they take the
//! server for is an address, or a name that its operator knows.

mod hosts;
mod origins;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, ETAG, HOST, LOCATION, ORIGIN, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

pub use self::hosts::Hosts;
pub use self::origins::Origins;

use self::hosts::Named;
use self::origins::Origin;
use super::answer::{
    CHANCERY_HISTORY, CHANCERY_SEQUENCE, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED, SERVER_TIMING,
};
use super::problem::{Outcome, Problem};
use super::queries::{ACCEPT_QUERY, PROJECTIONS_BEHIND, QUERY};
use super::{Settings, Shared, code};

/// For how long a browser need not ask again what it may send. Browsers take two hours at
/// most; what is not configured any more is refused all the same.
const PREFLIGHT_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// What pages may read of an answer besides its body and type: every field that means
/// something to a client.
pub(super) const EXPOSED: [HeaderName; 11] = [
    ACCEPT_QUERY,
    ALLOW,
    CHANCERY_HISTORY,
    PROJECTIONS_BEHIND,
    CHANCERY_SEQUENCE,
    ETAG,
    IDEMPOTENT_REPLAYED,
    LOCATION,
    PREFERENCE_APPLIED,
    RETRY_AFTER,
    SERVER_TIMING,
];

/// Whose page a browser asks for, in a word. Pages cannot set it, and only pages that came
/// safely have it: over TLS, or from this machine.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// For what: `navigate` to a `document` is somebody who follows a link.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Refuses what no page may ask for here.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    match check_parts(&shared.settings, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let (method, path) = (request.method(), request.uri().path());
            tracing::debug!(%method, path, code = problem.kind().code, "refused");
            let vary = HeaderValue::from_static("origin");
            problem.outcome(Outcome::NotLogged).header(VARY, vary).into_response()
        }
    }
}

/// What lets pages of the origins that are configured read answers, and answers the
/// browser's questions before; none if there are no such origins.
pub(super) fn cors(origins: &Origins) -> Option<CorsLayer> {
    if origins.is_none() {
        return None;
    }
    let allowed = match origins.is_any() {
        true => AllowOrigin::any(),
        false => {
            let origins = origins.clone();
            AllowOrigin::predicate(move |text, _| origins.allow(text))
        }
    };
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let query = Method::from_bytes(QUERY.as_bytes()).ok();
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods(AllowMethods::list(methods.into_iter().chain(query)))
        // What is not known is ignored here, and may mean something to a proxy.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(PREFLIGHT_AGE);
    Some(layer)
}

fn check_parts(
    settings: &Settings,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    // An address in full wins over the field, as RFC 9112 has it.
    let hosts: Vec<&[u8]> = match uri.authority() {
        Some(authority) => vec![authority.as_str().as_bytes()],
        None => headers.get_all(HOST).iter().map(HeaderValue::as_bytes).collect(),
    };
    let mut named = None;
    for text in hosts {
        let host = Named::parse(text).filter(|host| settings.hosts.allow(host));
        named = Some(host.ok_or_else(|| not_a_name(text))?);
    }
    check_origin(&settings.origins, named.as_ref(), method, headers)
}

fn check_origin(
    origins: &Origins,
    host: Option<&Named>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let site = headers.get(SEC_FETCH_SITE).map_or(&[][..], HeaderValue::as_bytes);
    // The page's own server, as its browser sees it: a proxy may have made another `Host`.
    if origins.is_any() || site == b"same-origin" {
        return Ok(());
    }
    for text in headers.get_all(ORIGIN) {
        let is_own = || {
            let origin = Origin::parse(text.as_bytes());
            origin.zip(host).is_some_and(|(origin, host)| origin.is_of(host))
        };
        if !origins.allow(text) && !is_own() {
            return Err(not_allowed(&String::from_utf8_lossy(text.as_bytes())));
        }
    }
    // As an image or a script: nothing that a page could read, and a query that runs.
    let says = |name, value: &str| headers.get(name).is_some_and(|it| it == value);
    let is_followed = matches!(*method, Method::GET | Method::HEAD)
        && says(SEC_FETCH_MODE, "navigate")
        && says(SEC_FETCH_DEST, "document");
    let is_foreign = [&b"cross-site"[..], b"same-site"].contains(&site);
    match is_foreign && !is_followed && !headers.contains_key(ORIGIN) {
        true => Err(not_allowed("another site")),
        false => Ok(()),
    }
}

fn not_a_name(text: &[u8]) -> Problem {
    let host = String::from_utf8_lossy(text);
    let detail = format!(
        "`{}` is not a name of this server, so the request may come from a page that had its own \
         name lead here; use localhost, or have the name added to the setting `hosts`",
        host.escape_debug()
    );
    Problem::new(code::HOST_NOT_ALLOWED, detail)
}

fn not_allowed(origin: &str) -> Problem {
    let detail = format!(
        "a page of {} may not use this server; its operator may add the origin to the setting \
         `cors-origins`",
        origin.escape_debug()
    );
    Problem::new(code::ORIGIN_NOT_ALLOWED, detail)
}
