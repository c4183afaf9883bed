//! Heads and bodies of outcomes, and the change sets and events in them. The
//! tables in [`record`](super) have the layout.

use std::sync::Arc;

use uuid::Uuid;

use super::bytes::{Input, Output};
use super::{Damage, Outcome, Verdict};
use crate::value::{
    ChangeSet, Event, Failure, Hash, Lifecycle, Name, Position, Sequence, TableChanges, Value,
};

/// A position, an id and an empty type.
const EVENT_HEAD_BYTES_MIN: usize = 8 + 16 + 1;
/// A key of one byte with its length, and the mark of a removal.
const ROW_BYTES_MIN: usize = 3;

const SUCCEEDED: u8 = 1;
const REJECTED: u8 = 2;
const FAILED: u8 = 3;

const REMOVED: u8 = 0;
const JSON: u8 = 1;
const BYTES: u8 = 2;

const KEPT: u8 = 0;
const CREATED: u8 = 1;
const DROPPED: u8 = 2;
const MOVED: u8 = 3;

/// The head of an outcome.
#[derive(Debug)]
pub(super) struct Head {
    sequence: Sequence,
    elapsed_us: u64,
    module: Option<Name>,
    module_hash: Option<Hash>,
    verdict: VerdictHead,
    n_tables: usize,
    events: Vec<EventHead>,
}

#[derive(Debug)]
enum VerdictHead {
    Succeeded,
    Rejected { code: Arc<str> },
    Failed { code: Arc<str> },
}

#[derive(Debug)]
struct EventHead {
    position: Position,
    id: Uuid,
    event_type: Arc<str>,
}

pub(super) fn write(outcome: &Outcome, head: &mut Output, body: &mut Output) {
    head.u64(outcome.sequence.0);
    head.u64(outcome.elapsed_us);
    head.option(outcome.module.as_ref(), |out, module| out.text(module.as_str()));
    head.option(outcome.module_hash, |out, hash| out.raw(&hash.0));
    match &outcome.verdict {
        Verdict::Succeeded(result) => {
            head.u8(SUCCEEDED);
            write_value(result, body);
        }
        Verdict::Rejected(failure) => write_failure(REJECTED, failure, head, body),
        Verdict::Failed(failure) => write_failure(FAILED, failure, head, body),
    }
    head.length(outcome.changes.tables.len());
    for table in &outcome.changes.tables {
        write_table(table, body);
    }
    head.length(outcome.events.len());
    for event in &outcome.events {
        head.u64(event.position.0);
        head.raw(event.id.as_bytes());
        head.text(&event.event_type);
        body.option(event.subject.as_deref(), Output::text);
        body.text(&event.data);
    }
}

fn write_failure(verdict: u8, failure: &Failure, head: &mut Output, body: &mut Output) {
    head.u8(verdict);
    head.text(&failure.code);
    body.text(&failure.message);
    body.option(failure.details.as_deref(), Output::text);
}

fn write_table(changes: &TableChanges, body: &mut Output) {
    body.text(changes.table.as_str());
    match &changes.lifecycle {
        Lifecycle::Kept => body.u8(KEPT),
        Lifecycle::Created => body.u8(CREATED),
        Lifecycle::Dropped => body.u8(DROPPED),
        Lifecycle::Moved { from } => {
            body.u8(MOVED);
            body.text(from.as_str());
        }
    }
    body.length(changes.rows.len());
    for (key, value) in &changes.rows {
        body.text(key.as_str());
        match value {
            Some(value) => write_value(value, body),
            None => body.u8(REMOVED),
        }
    }
}

fn write_value(value: &Value, body: &mut Output) {
    body.u8(match value {
        Value::Json(_) => JSON,
        Value::Bytes(_) => BYTES,
    });
    body.bytes(value.as_bytes());
}

impl Head {
    pub(super) fn read(mut input: Input<'_>) -> Result<Self, Damage> {
        let head = Self {
            sequence: Sequence(input.u64()?),
            elapsed_us: input.u64()?,
            module: input.option(Input::name)?,
            module_hash: input.option(Input::hash)?,
            verdict: VerdictHead::read(&mut input)?,
            n_tables: input.length()?,
            events: read_event_heads(&mut input)?,
        };
        input.finish("the head")?;
        Ok(head)
    }

    pub(super) fn with_body(self, mut body: Input<'_>) -> Result<Outcome, Damage> {
        let outcome = Outcome {
            sequence: self.sequence,
            module: self.module,
            module_hash: self.module_hash,
            verdict: self.verdict.with_body(&mut body)?,
            changes: read_changes(self.n_tables, &mut body)?,
            events: read_events(self.events, &mut body)?,
            elapsed_us: self.elapsed_us,
            erased: false,
        };
        body.finish("the body")?;
        Ok(outcome)
    }

    /// What is left of an outcome whose body was erased.
    pub(super) fn without_body(self) -> Outcome {
        let nothing: Arc<str> = "null".into();
        let event = |EventHead { position, id, event_type }| Event {
            position,
            id,
            event_type,
            subject: None,
            data: Arc::clone(&nothing),
        };
        Outcome {
            sequence: self.sequence,
            module: self.module,
            module_hash: self.module_hash,
            verdict: self.verdict.without_body(),
            changes: ChangeSet::default(),
            events: self.events.into_iter().map(event).collect(),
            elapsed_us: self.elapsed_us,
            erased: true,
        }
    }

    pub(super) fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl VerdictHead {
    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        match input.u8()? {
            SUCCEEDED => Ok(Self::Succeeded),
            REJECTED => Ok(Self::Rejected { code: input.shared_text()? }),
            FAILED => Ok(Self::Failed { code: input.shared_text()? }),
            other => Err(input.unknown("verdict", other)),
        }
    }

    fn with_body(self, body: &mut Input<'_>) -> Result<Verdict, Damage> {
        Ok(match self {
            Self::Succeeded => {
                let kind = body.u8()?;
                Verdict::Succeeded(read_value(kind, body)?)
            }
            Self::Rejected { code } => Verdict::Rejected(read_failure(code, body)?),
            Self::Failed { code } => Verdict::Failed(read_failure(code, body)?),
        })
    }

    fn without_body(self) -> Verdict {
        let erased = |code| Failure { code, message: "erased".into(), details: None };
        match self {
            Self::Succeeded => Verdict::Succeeded(Value::Json("null".into())),
            Self::Rejected { code } => Verdict::Rejected(erased(code)),
            Self::Failed { code } => Verdict::Failed(erased(code)),
        }
    }
}

fn read_failure(code: Arc<str>, body: &mut Input<'_>) -> Result<Failure, Damage> {
    Ok(Failure { code, message: body.shared_text()?, details: body.option(Input::shared_text)? })
}

fn read_changes(n_tables: usize, body: &mut Input<'_>) -> Result<ChangeSet, Damage> {
    // No capacity up front: the count is in the head, the bytes that could
    // justify it are in the body, and there are never many tables.
    let mut tables = Vec::new();
    for _ in 0..n_tables {
        let table = body.name()?;
        let lifecycle = match body.u8()? {
            KEPT => Lifecycle::Kept,
            CREATED => Lifecycle::Created,
            DROPPED => Lifecycle::Dropped,
            MOVED => Lifecycle::Moved { from: body.name()? },
            other => return Err(body.unknown("lifecycle", other)),
        };
        let count = body.count(ROW_BYTES_MIN)?;
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let key = body.key()?;
            let value = match body.u8()? {
                REMOVED => None,
                kind => Some(read_value(kind, body)?),
            };
            rows.push((key, value));
        }
        tables.push(TableChanges { table, lifecycle, rows });
    }
    Ok(ChangeSet { tables })
}

fn read_value(kind: u8, body: &mut Input<'_>) -> Result<Value, Damage> {
    match kind {
        JSON => body.shared_text().map(Value::Json),
        BYTES => body.bytes().map(|bytes| Value::Bytes(bytes.into())),
        other => Err(body.unknown("kind of value", other)),
    }
}

fn read_event_heads(input: &mut Input<'_>) -> Result<Vec<EventHead>, Damage> {
    let count = input.count(EVENT_HEAD_BYTES_MIN)?;
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        heads.push(EventHead {
            position: Position(input.u64()?),
            id: input.uuid()?,
            event_type: input.shared_text()?,
        });
    }
    Ok(heads)
}

fn read_events(heads: Vec<EventHead>, body: &mut Input<'_>) -> Result<Vec<Event>, Damage> {
    let mut events = Vec::with_capacity(heads.len());
    for EventHead { position, id, event_type } in heads {
        let subject = body.option(Input::shared_text)?;
        events.push(Event { position, id, event_type, subject, data: body.shared_text()? });
    }
    Ok(events)
}
