//! Projections: how far they are, and what can be done about them.

use std::sync::Arc;

use super::{App, Error, suggest};
use crate::catalog::{Projecting, Which};
use crate::receipts::Receipt;
use crate::record::{Act, Steer};
use crate::value::{Name, Position, Sequence};

/// A projection, and how far it is.
#[derive(Debug, Clone)]
pub struct ProjectionInfo {
    /// What is known of it, with its code.
    pub projecting: Arc<Projecting>,
    /// How it is doing.
    pub status: Standing,
    /// The last event of the app.
    pub last: Position,
}

/// How a projection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its tables are as new as the rest of the state.
    Live,
    /// It has tables that are being brought up to date, or are made for the first time.
    Building,
    /// It could not take an event, and waits for somebody to act.
    Parked,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Building => "building",
            Self::Parked => "parked",
        }
    }

    fn of(projecting: &Projecting) -> Self {
        let row = &projecting.row;
        if row.builds().any(|build| build.parked.is_some()) {
            return Self::Parked;
        }
        match row.builds().any(|build| build.position.is_some()) {
            true => Self::Building,
            false => Self::Live,
        }
    }
}

impl ProjectionInfo {
    /// The last event that is in a build; none if there is no such build.
    #[must_use]
    pub fn position(&self, which: Which) -> Option<Position> {
        let build = self.projecting.row.build(which)?;
        Some(build.position.unwrap_or(self.last))
    }
}

impl App {
    /// All projections as of the latest state, by name.
    #[must_use]
    pub fn projections(&self) -> (Sequence, Vec<ProjectionInfo>) {
        let snapshot = self.snapshots().current();
        let last = snapshot.state.position();
        let infos = snapshot.catalog.projecting().map(|projecting| ProjectionInfo {
            projecting: Arc::clone(projecting),
            status: Standing::of(projecting),
            last,
        });
        (snapshot.state.sequence(), infos.collect())
    }

    /// A projection as of the latest state.
    ///
    /// # Errors
    /// [`Error::UnknownProjection`], with the nearest name.
    pub fn projection(&self, name: &str) -> Result<(Sequence, ProjectionInfo), Error> {
        let (sequence, infos) = self.projections();
        let names: Vec<Name> = infos.iter().map(|info| info.projecting.name.clone()).collect();
        let found = infos.into_iter().find(|info| info.projecting.name.as_str() == name);
        let unknown = || Error::UnknownProjection {
            app: self.name().clone(),
            name: name.to_owned(),
            suggestion: suggest(name, names.iter().map(Name::as_str)),
        };
        Ok((sequence, found.ok_or_else(unknown)?))
    }

    /// Resumes, skips or rebuilds a projection. Whether that made sense is in the
    /// receipt.
    ///
    /// # Errors
    /// [`Error::UnknownProjection`]; [`Error::RebuildGone`] if its tables have seen events
    /// that are not kept any more; or as for a deployment.
    pub async fn steer(&self, name: &str, what: Steer) -> Result<Receipt, Error> {
        let (_, info) = self.projection(name)?;
        let name = info.projecting.name.clone();
        let first = self.events().first();
        if what == Steer::Rebuild
            && let Some(live) = &info.projecting.row.live
            && live.from < first
        {
            return Err(Error::RebuildGone { name, from: live.from, first });
        }
        self.enter(Act::Projection { name, what }, None).await
    }
}
