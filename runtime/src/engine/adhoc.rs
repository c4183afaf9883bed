//! Ad-hoc queries: a question that is a script itself, asked of one snapshot.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::query::refused;
use super::{Answer, App, At, Error};
use crate::wasm::AdhocCall;

/// What failures and log lines call an ad-hoc query.
const NAME: &str = "adhoc";

/// A question that is a script.
#[derive(Debug, Clone)]
pub struct AdhocRequest {
    /// A JavaScript expression, or the body of a function.
    pub source: Arc<str>,
    /// What the script sees as `input`: a JSON document.
    pub input: Arc<str>,
    /// Of which state.
    pub at: At,
    /// Who asks: a JSON object.
    pub caller: Option<Arc<str>>,
    /// Further facts: a JSON object.
    pub metadata: Arc<str>,
    /// For log lines.
    pub request_id: Arc<str>,
}

impl App {
    /// Answers an ad-hoc query, within the limits of a query and in its turn with them.
    /// It may read every table of the app. The handler runs on the calling thread, as
    /// in [`App::query`].
    ///
    /// # Errors
    /// Why there is no answer; a query changes nothing, whatever happens.
    pub async fn adhoc(&self, request: AdhocRequest) -> Result<Answer, Error> {
        let host = Arc::clone(self.lane().modules().host());
        if !host.is_ready_for_scripts() {
            // Compiling would hold up this thread, and other queries, for seconds.
            // What fails fails again below.
            let host = Arc::clone(&host);
            drop(spawn_blocking(move || host.wait_for_scripts()).await);
        }
        let snapshot = self.snapshot(request.at).await?;
        let arrived = self.clock.elapsed();
        let permit = self.gates.query_permit().await?;
        let queued: Duration = self.clock.elapsed().saturating_sub(arrived);
        let call = AdhocCall {
            app: self.name().as_str().into(),
            name: NAME.into(),
            source: request.source,
            input: request.input,
            caller: request.caller,
            metadata: request.metadata,
            request_time_ms: self.clock.wall_ms(),
            request_id: request.request_id,
        };
        let answered = host.adhoc(snapshot.state.clone(), &call);
        drop(permit);
        let answered = answered.map_err(|error| refused(NAME, error))?;
        let sequence = snapshot.state.sequence();
        let (value, elapsed) = (Some(answered.value), answered.elapsed);
        Ok(Answer { value, sequence, tag: None, behind: Vec::new(), queued, elapsed })
    }
}
