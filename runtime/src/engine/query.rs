//! Queries: one snapshot, one fresh instance, bounded in number and time.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{AcquireError, SemaphorePermit};

use super::{App, At, Error, Gates, suggest};
use crate::catalog::Deployed;
use crate::snapshot::Snapshot;
use crate::value::{Hash, Name, Position, Sequence, Value};
use crate::wasm::{Answered, CallError, QueryCall};
use crate::watch::Reads;

/// A question.
#[derive(Debug, Clone)]
pub struct QueryRequest<'a> {
    /// The query's name.
    pub name: &'a str,
    /// A JSON document.
    pub input: Arc<str>,
    /// Of which state.
    pub at: At,
    /// Who asks: a JSON object.
    pub caller: Option<Arc<str>>,
    /// Further facts: a JSON object.
    pub metadata: Arc<str>,
    /// For log lines.
    pub request_id: Arc<str>,
    /// Tags of answers the client has already.
    pub known: &'a [String],
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The result; none if the client has it already.
    pub value: Option<Value>,
    /// The state it was read from.
    pub sequence: Sequence,
    /// The same tag means the same answer; none if the query asked for the time
    /// of the request.
    pub tag: Option<String>,
    /// The module's projections that are not as new as the state, and the last event
    /// that is in each.
    pub behind: Vec<(Name, Position)>,
    /// The time it waited for its turn.
    pub queued: Duration,
    /// The time its handler took.
    pub elapsed: Duration,
}

impl App {
    /// Answers a query. The handler runs on the calling thread, which has to
    /// have a stack of 4 MiB or more.
    ///
    /// # Errors
    /// Why there is no answer; a query changes nothing, whatever happens.
    pub async fn query(&self, request: QueryRequest<'_>) -> Result<Answer, Error> {
        let snapshot = self.snapshot(request.at).await?;
        let deployed = self.query_of(&snapshot, request.name, &request.input)?;
        let tag = self.tag(&snapshot, deployed, &request);
        let sequence = snapshot.state.sequence();
        let behind = behind(&snapshot, deployed);
        if request.known.contains(&tag) {
            let (queued, elapsed) = (Duration::ZERO, Duration::ZERO);
            let (value, tag) = (None, Some(tag));
            return Ok(Answer { value, sequence, tag, behind, queued, elapsed });
        }
        let arrived = self.clock.elapsed();
        let permit = self.gates.query_permit().await?;
        let queued = self.clock.elapsed().saturating_sub(arrived);
        let answered = self.call(&snapshot, deployed, request, None);
        drop(permit);
        let answered = answered?;
        let tag = (!answered.asked_time).then_some(tag);
        let (value, elapsed) = (Some(answered.value), answered.elapsed);
        Ok(Answer { value, sequence, tag, behind, queued, elapsed })
    }

    /// The module that has a query, which takes this input.
    pub(super) fn query_of<'a>(
        &self,
        snapshot: &'a Snapshot,
        name: &str,
        input: &str,
    ) -> Result<&'a Arc<Deployed>, Error> {
        let unknown = || self.unknown_query(snapshot, name);
        let deployed = snapshot.catalog.query(name).ok_or_else(unknown)?;
        deployed.check_query(name, input).ok_or_else(unknown)??;
        Ok(deployed)
    }

    /// Runs the handler of a query on the calling thread.
    pub(super) fn call(
        &self,
        snapshot: &Snapshot,
        deployed: &Deployed,
        request: QueryRequest<'_>,
        reads: Option<&mut Reads>,
    ) -> Result<Answered, Error> {
        let call = QueryCall {
            module: Arc::clone(&deployed.label),
            name: request.name.parse()?,
            input: request.input,
            caller: request.caller,
            metadata: request.metadata,
            request_time_ms: self.clock.wall_ms(),
            request_id: request.request_id,
        };
        let answered = deployed.module.query_noting(snapshot.state.clone(), &call, reads);
        answered.map_err(|error| refused(request.name, error))
    }

    fn unknown_query(&self, snapshot: &Snapshot, name: &str) -> Error {
        Error::UnknownQuery {
            app: self.name().clone(),
            name: name.to_owned(),
            suggestion: suggest(name, snapshot.catalog.queries().map(Name::as_str)),
        }
    }

    /// A query is a function of these, so they name its answer.
    fn tag(&self, snapshot: &Snapshot, deployed: &Deployed, request: &QueryRequest<'_>) -> String {
        let mut hash = Sha256::new();
        hash.update(self.snapshots().history().0.as_bytes());
        hash.update(snapshot.state.sequence().0.to_le_bytes());
        hash.update(deployed.hash().0);
        let caller = request.caller.as_deref().unwrap_or_default();
        for text in [request.name, &request.input, caller, &request.metadata] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let mut tag = Hash(hash.finalize().into()).to_string();
        tag.truncate(32);
        tag
    }
}

impl Gates {
    /// A turn for a query.
    pub(super) async fn query_permit(&self) -> Result<SemaphorePermit<'_>, Error> {
        let busy = || Error::Busy { what: "queries" };
        if let Ok(permit) = self.queries.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.queries_waiting.try_acquire().map_err(|_full| busy())?;
        let turn = tokio::time::timeout(self.query_wait_max, self.queries.acquire());
        turn.await.map_err(|_elapsed| busy())?.map_err(|_closed| busy())
    }

    /// A turn for a live query, after those that waited longer. However many there
    /// are to be asked again, they leave half of the turns to others.
    pub(super) async fn live_turn(&self) -> Result<[SemaphorePermit<'_>; 2], AcquireError> {
        let share = self.live_turns.acquire().await?;
        let turn = self.queries.acquire().await?;
        // Given back in this order: never are more turns out than the share allows.
        Ok([turn, share])
    }
}

/// Which projections of a module are not as new as the state.
fn behind(snapshot: &Snapshot, deployed: &Deployed) -> Vec<(Name, Position)> {
    let own = snapshot.catalog.projecting().filter(|it| it.row.module == deployed.name);
    own.filter_map(|it| Some((it.name.clone(), it.behind()?))).collect()
}

pub(super) fn refused(name: &str, error: CallError) -> Error {
    let name = name.to_owned();
    match error {
        CallError::Rejected { failure, .. } => Error::QueryRejected { name, failure },
        CallError::Failed(failure) => Error::QueryFailed { name, failure },
        CallError::Host(reason) => Error::Host(reason),
    }
}
