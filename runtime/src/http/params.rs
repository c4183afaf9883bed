//! The parameters of a query string. One that is not known is refused: a
//! misspelt `at_least` must not read an older state without a word.

use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::problem::Problem;
use crate::engine::suggest;

/// The parameters that no one has taken yet.
#[derive(Debug)]
pub(super) struct Params {
    left: Vec<(String, String)>,
    /// What was asked for, to be suggested.
    known: Vec<&'static str>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // The guard has checked that this decodes to UTF-8.
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        let left = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        Ok(Self { left: left.collect(), known: Vec::new() })
    }
}

impl Params {
    /// The text of a parameter, if it is there.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let index = self.left.iter().position(|(left, _)| left == name)?;
        Some(self.left.swap_remove(index).1)
    }

    /// A parameter of a type that knows its own text.
    pub(super) fn parsed<T>(&mut self, name: &'static str) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let parsed = text.parse().map(Some);
        parsed.map_err(|error| Problem::of_parameter(name, &format!("cannot be `{text}`: {error}")))
    }

    /// A number within a range, or a default.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, Problem> {
        let number = self.parsed(name)?.unwrap_or(default);
        if range.contains(&number) {
            return Ok(number);
        }
        let (min, max) = (range.start(), range.end());
        let reason = format!("must be {min} to {max}, not {number}");
        Err(Problem::of_parameter(name, &reason))
    }

    /// `true` or `false`; false if it is not there.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Problem> {
        self.parsed(name).map(Option::unwrap_or_default)
    }

    /// Refuses what no one has taken.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.left.first() else {
            return Ok(());
        };
        if self.known.contains(&name.as_str()) {
            return Err(Problem::of_parameter(name, "is there more than once"));
        }
        let problem = Problem::of_parameter(name, "is not known here");
        match suggest(name, self.known.iter().copied()) {
            Some(near) => Err(problem.with("suggestion", near)),
            None => Err(problem),
        }
    }
}
