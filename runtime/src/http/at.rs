//! Of which app, and of which of its states, a request speaks.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawPathParams};
use http::HeaderMap;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::Shared;
use super::answer::CHANCERY_HISTORY;
use super::code;
use super::params::Params;
use super::problem::{Outcome, Problem};
use crate::engine::{App, At};
use crate::value::{History, Sequence};

/// The app that the path names. Sequences that the client has from another
/// history of it are refused here, before anyone compares them.
#[derive(Debug)]
pub(super) struct OfApp(pub(super) Arc<App>);

impl FromRequestParts<Arc<Shared>> for OfApp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, shared).await;
        let params = params.map_err(|error| unreadable_path(&error))?;
        let name = params.iter().find(|(param, _)| *param == "app");
        let app = shared.engine.app(name.map_or("", |(_, name)| name))?;
        check_history(&parts.headers, app.snapshots().history())?;
        Ok(Self(app))
    }
}

/// The app that a command, or another entry, is meant for: what is refused here
/// was not logged.
#[derive(Debug)]
pub(super) struct IntoApp(pub(super) Arc<App>);

impl FromRequestParts<Arc<Shared>> for IntoApp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        match OfApp::from_request_parts(parts, shared).await {
            Ok(OfApp(app)) => Ok(Self(app)),
            Err(problem) => Err(problem.outcome(Outcome::NotLogged)),
        }
    }
}

/// The variable segments of a path, decoded.
#[derive(Debug)]
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(error) => Err(unreadable_path(&error)),
        }
    }
}

/// Takes `at_least` and `as_of`.
pub(super) fn take_at(params: &mut Params) -> Result<At, Problem> {
    Ok(At {
        at_least: params.parsed("at_least")?.map(Sequence),
        as_of: params.parsed("as_of")?.map(Sequence),
    })
}

fn check_history(headers: &HeaderMap, history: History) -> Result<(), Problem> {
    let Some(claimed) = headers.get(CHANCERY_HISTORY) else {
        return Ok(());
    };
    let claimed = claimed.to_str().unwrap_or_default().trim();
    match uuid::Uuid::try_parse(claimed) {
        Ok(claimed) if claimed == history.0 => Ok(()),
        Ok(claimed) => {
            let detail = format!(
                "the history of this app is {history}, not {claimed}: it was created or restored \
                 since, and sequences of the old history mean nothing in it"
            );
            let problem = Problem::new(code::HISTORY_CHANGED, detail);
            Err(problem.with("history", history.0))
        }
        Err(_) => {
            let detail = "the header `Chancery-History` must be one UUID";
            Err(Problem::new(code::INVALID_REQUEST, detail))
        }
    }
}

fn unreadable_path(error: &dyn std::fmt::Display) -> Problem {
    let detail = format!("the path cannot be read: {error}");
    Problem::new(code::INVALID_REQUEST, detail)
}
