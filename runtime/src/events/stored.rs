//! An event as it is read, put together from where it is kept.

use std::sync::Arc;

use crate::archive::{Archived, Body};
use crate::record::{Act, Entry, Outcome};
use crate::transaction::timers::written;
use crate::value::StoredEvent;

/// How many reactions and timers led to an entry, one after another. Only a command that
/// the server submitted has a depth, whatever the metadata of another says.
#[must_use]
pub fn depth_of(entry: &Entry) -> u32 {
    let submitted = entry.act.command().filter(|command| command.scheduled_for_ms.is_some());
    submitted.map_or(0, |command| written(&command.metadata).depth)
}

/// The events of an entry with what is known of it.
#[must_use]
pub fn stored(entry: &Entry, outcome: &Outcome) -> Vec<Arc<StoredEvent>> {
    if outcome.events.is_empty() {
        return Vec::new();
    }
    let (correlation_id, causation_id) = match &entry.act {
        Act::Command(command) => {
            (Arc::clone(&command.correlation_id), command.causation_id.clone())
        }
        _ => (entry.id.to_string().into(), None),
    };
    let depth = depth_of(entry);
    let events = outcome.events.iter().map(|event| StoredEvent {
        position: event.position,
        id: event.id,
        event_type: Arc::clone(&event.event_type),
        subject: event.subject.clone(),
        data: Arc::clone(&event.data),
        sequence: entry.sequence,
        time_ms: entry.time_ms,
        command_id: entry.id,
        correlation_id: Arc::clone(&correlation_id),
        causation_id: causation_id.clone(),
        module: outcome.module.clone(),
        module_hash: outcome.module_hash,
        depth,
        erased: outcome.erased,
    });
    events.map(Arc::new).collect()
}

/// An event that is in the archive.
pub(super) fn archived(event: Archived) -> StoredEvent {
    let erased = event.body.is_none();
    let body = event.body.unwrap_or_else(|| Body {
        subject: None,
        data: "null".into(),
        correlation_id: event.command_id.to_string().into(),
        causation_id: None,
    });
    StoredEvent {
        position: event.position,
        id: event.id,
        event_type: event.event_type,
        subject: body.subject,
        data: body.data,
        sequence: event.sequence,
        time_ms: event.time_ms,
        command_id: event.command_id,
        correlation_id: body.correlation_id,
        causation_id: body.causation_id,
        module: event.module,
        module_hash: event.module_hash,
        depth: event.depth,
        erased,
    }
}

/// An event as it is once its body is gone.
pub(super) fn masked(event: &StoredEvent) -> StoredEvent {
    StoredEvent {
        subject: None,
        data: "null".into(),
        correlation_id: event.command_id.to_string().into(),
        causation_id: None,
        erased: true,
        ..event.clone()
    }
}
