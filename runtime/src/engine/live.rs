//! Live queries: asked again when what they read has changed.
//!
//! A live query is a question, what it read last, and a fingerprint of what was answered
//! last. It is asked again only when its client has taken the last answer and something
//! that it read is another, and not more often than it may be; what changes in between
//! is in the next answer together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::{App, At, Error, QueryRequest};
use crate::value::{Hash, Hasher, Sequence, Value};
use crate::watch::{Reads, Watch};

/// After what was not the query's fault, such as a lack of memory, it is asked again.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// A question that is to be answered again and again.
#[derive(Debug, Clone)]
pub struct LiveRequest {
    /// The query's name.
    pub name: String,
    /// A JSON document.
    pub input: Arc<str>,
    /// Of no state before this one.
    pub at_least: Option<Sequence>,
    /// Who asks: a JSON object.
    pub caller: Option<Arc<str>>,
    /// Further facts: a JSON object.
    pub metadata: Arc<str>,
    /// For log lines.
    pub request_id: Arc<str>,
    /// How often it is asked in a second, at most.
    pub rate_max: u32,
}

/// What a live query came to.
#[derive(Debug)]
pub struct Update {
    /// The state it was asked of.
    pub sequence: Sequence,
    /// The result, or what the answer to an ordinary query would have been. After
    /// [`Error::UnknownQuery`] there is no more.
    pub answer: Result<Value, Error>,
}

/// A query that is asked again when its answer may have changed.
#[derive(Debug)]
pub struct Live {
    app: Arc<App>,
    request: LiveRequest,
    /// None before the first answer.
    watch: Option<Watch>,
    answered: Option<Hash>,
    /// By the clock of the app, when it may be asked again.
    not_before: Duration,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

/// How many live queries an app has, and what they cost.
#[derive(Debug, Default)]
pub struct LiveFigures {
    open: AtomicUsize,
    runs: AtomicU64,
}

impl LiveFigures {
    /// Those whose clients listen.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How often handlers have run for them since the app was opened.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }
}

impl App {
    /// A live query. It ends when it is dropped.
    ///
    /// # Errors
    /// What an ordinary query is refused for before its handler runs, and
    /// [`Error::Busy`] if there are as many live queries as there may be.
    pub async fn live(self: &Arc<Self>, request: LiveRequest) -> Result<Live, Error> {
        let at = At { at_least: request.at_least, as_of: None };
        let snapshot = self.snapshot(at).await?;
        self.query_of(&snapshot, &request.name, &request.input)?;
        let place = Arc::clone(&self.gates.live).try_acquire_owned();
        let place = place.map_err(|_full| Error::Busy { what: "live queries" })?;
        self.live.open.fetch_add(1, Ordering::Relaxed);
        Ok(Live {
            app: Arc::clone(self),
            request,
            watch: None,
            answered: None,
            not_before: Duration::ZERO,
            is_over: false,
            _place: place,
        })
    }

    /// How often a live query is asked in a second, at most.
    #[must_use]
    pub fn live_rate_max(&self) -> u32 {
        self.gates.live_rate_max
    }

    /// How many live queries it has.
    #[must_use]
    pub fn live_figures(&self) -> &LiveFigures {
        &self.live
    }
}

impl Live {
    /// The next answer that differs from the last; none at the end. What is being waited
    /// for is not lost if this is not waited for to its end. The handler runs on the
    /// calling thread, as that of [`App::query`] does.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            if let Some(watch) = &self.watch {
                watch.touched().await;
            }
            let pause = self.not_before.saturating_sub(self.app.clock.elapsed());
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if self.is_over || self.app.snapshots().watchers().is_over() {
                return None;
            }
            let app = Arc::clone(&self.app);
            // Closed with the server.
            let _turn = app.gates.live_turn().await.ok()?;
            let update = self.ask();
            let fingerprint = fingerprint(&update.answer);
            if self.answered.replace(fingerprint) != Some(fingerprint) {
                return Some(update);
            }
        }
    }

    /// The app that it asks.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    fn ask(&mut self) -> Update {
        // What was read last is of no interest any more.
        self.watch = None;
        let app = &self.app;
        let begun = app.clock.elapsed();
        self.not_before = begun + Duration::from_secs(1) / self.request.rate_max.max(1);
        app.live.runs.fetch_add(1, Ordering::Relaxed);
        let snapshot = app.snapshots().current();
        let sequence = snapshot.state.sequence();
        let mut reads = Reads::default();
        let request = QueryRequest {
            name: &self.request.name,
            input: Arc::clone(&self.request.input),
            at: At::default(),
            caller: self.request.caller.clone(),
            metadata: Arc::clone(&self.request.metadata),
            request_id: Arc::clone(&self.request.request_id),
            known: &[],
        };
        let deployed = app.query_of(&snapshot, request.name, &request.input);
        let answer = deployed.and_then(|deployed| {
            let answered = app.call(&snapshot, deployed, request, Some(&mut reads))?;
            Ok(answered.value)
        });
        let watch = app.snapshots().watch(sequence, reads);
        match &answer {
            Err(Error::UnknownQuery { .. }) => self.is_over = true,
            Err(Error::Host(reason)) => {
                tracing::warn!(app = %app.name(), query = self.request.name, reason, "asked again");
                self.not_before = begun + AFTER_FAULT;
                watch.touch();
            }
            _ => {}
        }
        self.watch = (!self.is_over).then_some(watch);
        Update { sequence, answer }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.app.live.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The same for the same answer. An answer may be large, and there are many.
fn fingerprint(answer: &Result<Value, Error>) -> Hash {
    let mut hasher = Hasher::default();
    match answer {
        Ok(Value::Json(text)) => {
            hasher.add(b"j");
            hasher.add(text.as_bytes());
        }
        Ok(Value::Bytes(bytes)) => {
            hasher.add(b"b");
            hasher.add(bytes);
        }
        Err(error) => {
            hasher.add(b"e");
            hasher.add(format!("{error:?}").as_bytes());
        }
    }
    hasher.finish()
}
