//! Heads and bodies of entries. The tables in [`record`](super) have the layout.

use super::bytes::{Input, Output};
use super::{Act, Command, Damage, Deploy, Entry, Keys, Schedule, Steer, Unchanged};
use crate::value::{Hash, Name, Position, Sequence};

/// A table name of one letter, a tag, an empty prefix, with their lengths.
const UNCHANGED_BYTES_MIN: usize = 4;

const COMMAND: u8 = 1;
const DEPLOY: u8 = 2;
const REMOVE: u8 = 3;
const DROP_TABLE: u8 = 4;
const ERASE: u8 = 5;
const ADVANCE: u8 = 6;
const PROJECTION: u8 = 7;
const SCHEDULE: u8 = 8;
const CANCEL: u8 = 9;

const RESUME: u8 = 1;
const SKIP: u8 = 2;
const REBUILD: u8 = 3;

const ONE: u8 = 1;
const PREFIX: u8 = 2;

/// The head of an entry: all of it but a command's body.
#[derive(Debug)]
pub(super) struct Head {
    sequence: Sequence,
    time_ms: u64,
    id: uuid::Uuid,
    fingerprint: Hash,
    act: ActHead,
}

#[derive(Debug)]
enum ActHead {
    Command(CommandHead),
    Schedule { at_ms: u64, command: CommandHead },
    Whole(Act),
}

#[derive(Debug)]
struct CommandHead {
    name: Name,
    basis: Option<Sequence>,
    scheduled_for_ms: Option<u64>,
}

pub(super) fn write(entry: &Entry, head: &mut Output, body: &mut Output) {
    head.u64(entry.sequence.0);
    head.u64(entry.time_ms);
    head.raw(entry.id.as_bytes());
    head.raw(&entry.fingerprint.0);
    match &entry.act {
        Act::Command(command) => {
            head.u8(COMMAND);
            write_command(command, head, body);
        }
        Act::Deploy(deploy) => {
            head.u8(DEPLOY);
            head.text(deploy.module.as_str());
            head.raw(&deploy.hash.0);
        }
        Act::Remove { module } => {
            head.u8(REMOVE);
            head.text(module.as_str());
        }
        Act::DropTable { table } => {
            head.u8(DROP_TABLE);
            head.text(table.as_str());
        }
        Act::Erase { sequence } => {
            head.u8(ERASE);
            head.u64(sequence.0);
        }
        Act::Advance { worker, from, to } => {
            head.u8(ADVANCE);
            head.text(worker);
            head.u64(from.0);
            head.u64(to.0);
        }
        Act::Projection { name, what } => {
            head.u8(PROJECTION);
            head.text(name.as_str());
            head.u8(match what {
                Steer::Resume => RESUME,
                Steer::Skip => SKIP,
                Steer::Rebuild => REBUILD,
            });
        }
        Act::Schedule(Schedule { at_ms, command }) => {
            head.u8(SCHEDULE);
            head.u64(*at_ms);
            write_command(command, head, body);
        }
        Act::Cancel { timer } => {
            head.u8(CANCEL);
            head.raw(timer.as_bytes());
        }
    }
}

fn write_command(command: &Command, head: &mut Output, body: &mut Output) {
    head.text(command.name.as_str());
    head.option(command.basis, |out, basis| out.u64(basis.0));
    head.option(command.scheduled_for_ms, Output::u64);
    body.text(&command.input);
    body.option(command.caller.as_deref(), Output::text);
    body.text(&command.correlation_id);
    body.option(command.causation_id.as_deref(), Output::text);
    body.text(&command.metadata);
    body.length(command.unchanged.len());
    for Unchanged { table, keys } in &command.unchanged {
        body.text(table.as_str());
        match keys {
            Keys::One(key) => {
                body.u8(ONE);
                body.text(key.as_str());
            }
            Keys::Prefix(prefix) => {
                body.u8(PREFIX);
                body.text(prefix);
            }
        }
    }
}

impl Head {
    pub(super) fn read(mut input: Input<'_>) -> Result<Self, Damage> {
        let head = Self {
            sequence: Sequence(input.u64()?),
            time_ms: input.u64()?,
            id: input.uuid()?,
            fingerprint: input.hash()?,
            act: ActHead::read(&mut input)?,
        };
        input.finish("the head")?;
        Ok(head)
    }

    pub(super) fn with_body(self, mut body: Input<'_>) -> Result<Entry, Damage> {
        let act = match self.act {
            ActHead::Whole(act) => act,
            ActHead::Command(command) => Act::Command(command.with_body(&mut body)?),
            ActHead::Schedule { at_ms, command } => {
                Act::Schedule(Schedule { at_ms, command: command.with_body(&mut body)? })
            }
        };
        body.finish("the body")?;
        let Self { sequence, time_ms, id, fingerprint, .. } = self;
        Ok(Entry { sequence, time_ms, id, fingerprint, act, erased: false })
    }

    /// What is left of an entry whose body was erased.
    pub(super) fn without_body(self) -> Entry {
        let act = match self.act {
            ActHead::Whole(act) => act,
            ActHead::Command(command) => Act::Command(command.without_body(self.id)),
            ActHead::Schedule { at_ms, command } => {
                Act::Schedule(Schedule { at_ms, command: command.without_body(self.id) })
            }
        };
        let Self { sequence, time_ms, id, fingerprint, .. } = self;
        Entry { sequence, time_ms, id, fingerprint, act, erased: true }
    }

    pub(super) fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub(super) fn id(&self) -> uuid::Uuid {
        self.id
    }
}

impl ActHead {
    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        let act = match input.u8()? {
            COMMAND => return Ok(Self::Command(CommandHead::read(input)?)),
            SCHEDULE => {
                let at_ms = input.u64()?;
                return Ok(Self::Schedule { at_ms, command: CommandHead::read(input)? });
            }
            DEPLOY => Act::Deploy(Deploy { module: input.name()?, hash: input.hash()? }),
            REMOVE => Act::Remove { module: input.name()? },
            DROP_TABLE => Act::DropTable { table: input.name()? },
            ERASE => Act::Erase { sequence: Sequence(input.u64()?) },
            ADVANCE => Act::Advance {
                worker: input.shared_text()?,
                from: Position(input.u64()?),
                to: Position(input.u64()?),
            },
            PROJECTION => Act::Projection { name: input.name()?, what: read_steer(input)? },
            CANCEL => Act::Cancel { timer: input.uuid()? },
            other => return Err(input.unknown("act", other)),
        };
        Ok(Self::Whole(act))
    }
}

fn read_steer(input: &mut Input<'_>) -> Result<Steer, Damage> {
    match input.u8()? {
        RESUME => Ok(Steer::Resume),
        SKIP => Ok(Steer::Skip),
        REBUILD => Ok(Steer::Rebuild),
        other => Err(input.unknown("thing to do about a projection", other)),
    }
}

impl CommandHead {
    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        Ok(Self {
            name: input.name()?,
            basis: input.option(Input::u64)?.map(Sequence),
            scheduled_for_ms: input.option(Input::u64)?,
        })
    }

    fn with_body(self, body: &mut Input<'_>) -> Result<Command, Damage> {
        let Self { name, basis, scheduled_for_ms } = self;
        Ok(Command {
            name,
            input: body.shared_text()?,
            basis,
            scheduled_for_ms,
            caller: body.option(Input::shared_text)?,
            correlation_id: body.shared_text()?,
            causation_id: body.option(Input::shared_text)?,
            metadata: body.shared_text()?,
            unchanged: read_unchanged(body)?,
        })
    }

    fn without_body(self, id: uuid::Uuid) -> Command {
        let Self { name, basis, scheduled_for_ms } = self;
        Command {
            name,
            input: "null".into(),
            basis,
            unchanged: Vec::new(),
            scheduled_for_ms,
            caller: None,
            correlation_id: id.to_string().into(),
            causation_id: None,
            metadata: "{}".into(),
        }
    }
}

fn read_unchanged(body: &mut Input<'_>) -> Result<Vec<Unchanged>, Damage> {
    let count = body.count(UNCHANGED_BYTES_MIN)?;
    let mut unchanged = Vec::with_capacity(count);
    for _ in 0..count {
        let table = body.name()?;
        let keys = match body.u8()? {
            ONE => Keys::One(body.key()?),
            PREFIX => Keys::Prefix(body.text()?.to_owned()),
            other => return Err(body.unknown("choice of keys", other)),
        };
        unchanged.push(Unchanged { table, keys });
    }
    Ok(unchanged)
}
