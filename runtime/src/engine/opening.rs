//! Which apps are open, and how far those have come that are not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::{App, Error, suggest};
use crate::clock::Clock;
use crate::value::Name;

/// How often progress is logged while an app is opened.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// What is being read when an app is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Others come first.
    Waiting,
    /// The checkpoint.
    Checkpoint,
    /// The part of the log after the checkpoint.
    Log,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting for other apps",
            Self::Checkpoint => "reading the checkpoint",
            Self::Log => "reading the log",
        })
    }
}

/// How far opening an app has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being read.
    pub stage: Stage,
    /// How much of it has been.
    pub percent: u8,
}

impl Progress {
    /// So much of a stage.
    pub(super) fn of(stage: Stage, done: u64, of: u64) -> Self {
        let percent = done.saturating_mul(100).checked_div(of).unwrap_or(0).min(100);
        Self { stage, percent: u8::try_from(percent).unwrap_or(100) }
    }
}

/// The apps that are still to be opened.
#[derive(Debug)]
pub(super) struct Opening(Mutex<BTreeMap<Name, Told>>);

#[derive(Debug, Clone, Copy)]
struct Told {
    progress: Progress,
    /// When it was last logged.
    logged: Duration,
}

impl Opening {
    pub(super) fn of(names: Vec<Name>) -> Self {
        let progress = Progress { stage: Stage::Waiting, percent: 0 };
        let told = Told { progress, logged: Duration::ZERO };
        Self(Mutex::new(names.into_iter().map(|name| (name, told)).collect()))
    }

    /// The one that is to be opened next.
    pub(super) fn next(&self) -> Option<Name> {
        self.all_told().keys().next().cloned()
    }

    pub(super) fn note(&self, name: &Name, progress: Progress, clock: &Clock) {
        let mut all = self.all_told();
        let Some(told) = all.get_mut(name).filter(|told| told.progress != progress) else {
            return;
        };
        told.progress = progress;
        let now = clock.elapsed();
        if now.saturating_sub(told.logged) >= TOLD_EVERY {
            told.logged = now;
            let Progress { stage, percent } = progress;
            tracing::info!(app = %name, percent, "{stage}");
        }
    }

    pub(super) fn done(&self, name: &Name) {
        self.all_told().remove(name);
    }

    /// Refuses an app that is not open yet.
    pub(super) fn check(&self, name: &str) -> Result<(), Error> {
        match self.all_told().get_key_value(name) {
            Some((name, told)) => {
                Err(Error::Opening { app: name.clone(), progress: told.progress })
            }
            None => Ok(()),
        }
    }

    pub(super) fn all(&self) -> Vec<(Name, Progress)> {
        self.all_told().iter().map(|(name, told)| (name.clone(), told.progress)).collect()
    }

    fn all_told(&self) -> MutexGuard<'_, BTreeMap<Name, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The apps that are open.
#[derive(Debug, Default)]
pub(super) struct Apps(RwLock<BTreeMap<Name, Arc<App>>>);

impl Apps {
    pub(super) fn insert(&self, name: Name, app: Arc<App>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, app);
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<App>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<App>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn unknown(&self, name: &str) -> Error {
        let apps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let suggestion = suggest(name, apps.keys().map(Name::as_str));
        Error::UnknownApp { name: name.to_owned(), suggestion }
    }
}
