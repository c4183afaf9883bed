//! Takes a call to the SDK, and what comes of it back.
//!
//! Records are passed as arguments, one for each field, in the contract's order. The
//! SDK answers with a text (JSON), a `Uint8Array`, an array of commands, an object with
//! `code` (a refusal), or `null` when the handler failed and the log says how.

use rquickjs::function::Args;
use rquickjs::{Array, CatchResultExt, Ctx, Function, Object, Result, TypedArray};

use crate::bindings::chancery::app::types::{
    Command, Event, Failure, NewCommand, NewEvent, QueryRequest, Value,
};
use crate::{clock, engine, host};

/// What came of a call.
pub(crate) enum Answer {
    Value(Value),
    Commands(Vec<NewCommand>),
    Refusal(Failure),
}

pub(crate) fn describe() -> String {
    clock::set_ms(0);
    match answer("describe", 0, |_| Ok(())) {
        Answer::Value(Value::Json(text)) => text,
        _ => engine::fail("the SDK gave no manifest"),
    }
}

pub(crate) fn query(request: QueryRequest) -> std::result::Result<Value, Failure> {
    clock::ask();
    value(answer("query", 4, |arguments| push_request(arguments, request)))
}

pub(crate) fn execute(command: Command) -> std::result::Result<Value, Failure> {
    clock::set_ms(command.time_ms);
    value(answer("execute", 11, |arguments| {
        arguments.push_arg(command.id)?;
        arguments.push_arg(command.name)?;
        push_json(arguments, command.input)?;
        arguments.push_arg(host::number(command.sequence))?;
        arguments.push_arg(host::number(command.time_ms))?;
        arguments.push_arg(command.scheduled_for_ms.map(host::number))?;
        arguments.push_arg(command.basis.map(host::number))?;
        arguments.push_arg(command.caller)?;
        arguments.push_arg(command.correlation_id)?;
        arguments.push_arg(command.causation_id)?;
        arguments.push_arg(command.metadata)
    }))
}

pub(crate) fn project(name: String, event: Event) -> std::result::Result<(), Failure> {
    clock::set_ms(event.time_ms);
    value(answer("project", 13, |arguments| push_event(arguments, name, event))).map(drop)
}

pub(crate) fn react(name: String, event: Event) -> std::result::Result<Vec<NewCommand>, Failure> {
    clock::set_ms(event.time_ms);
    match answer("react", 13, |arguments| push_event(arguments, name, event)) {
        Answer::Commands(commands) => Ok(commands),
        Answer::Refusal(failure) => Err(failure),
        Answer::Value(_) => engine::fail("the SDK gave no commands"),
    }
}

/// An answer that is a value or a refusal.
pub(crate) fn value(answer: Answer) -> std::result::Result<Value, Failure> {
    match answer {
        Answer::Value(value) => Ok(value),
        Answer::Refusal(failure) => Err(failure),
        Answer::Commands(_) => engine::fail("the SDK gave commands"),
    }
}

pub(crate) fn push_request(arguments: &mut Args<'_>, request: QueryRequest) -> Result<()> {
    arguments.push_arg(request.name)?;
    push_json(arguments, request.input)?;
    arguments.push_arg(request.caller)?;
    arguments.push_arg(request.metadata)
}

fn push_event(arguments: &mut Args<'_>, name: String, event: Event) -> Result<()> {
    arguments.push_arg(name)?;
    arguments.push_arg(host::number(event.position))?;
    arguments.push_arg(event.id)?;
    arguments.push_arg(event.event_type)?;
    arguments.push_arg(event.subject)?;
    arguments.push_arg(host::number(event.time_ms))?;
    push_json(arguments, event.data)?;
    arguments.push_arg(host::number(event.sequence))?;
    arguments.push_arg(event.command_id)?;
    arguments.push_arg(event.correlation_id)?;
    arguments.push_arg(event.causation_id)?;
    arguments.push_arg(event.module_hash)?;
    arguments.push_arg(event.metadata)
}

/// JSON, as what it stands for.
fn push_json(arguments: &mut Args<'_>, json: String) -> Result<()> {
    let parsed = arguments.ctx().json_parse(json)?;
    arguments.push_arg(parsed)
}

/// Calls a function of the SDK. It does not throw; if it does all the same, or says
/// that the handler failed, the instance ends here.
pub(crate) fn answer(
    name: &str,
    n_arguments: usize,
    push: impl for<'js> FnOnce(&mut Args<'js>) -> Result<()>,
) -> Answer {
    engine::with(|ctx, sdk| {
        let mut arguments = Args::new(ctx.clone(), n_arguments);
        let called = push(&mut arguments).and_then(|()| {
            let function: Function<'_> = sdk.get(name)?;
            read(ctx, arguments.apply(&function)?)
        });
        match called.catch(ctx) {
            Ok(Some(answer)) => answer,
            Ok(None) => engine::trap(),
            Err(error) => engine::fail(&error.to_string()),
        }
    })
}

/// What the SDK returned; none if the handler failed.
pub(crate) fn read<'js>(ctx: &Ctx<'js>, returned: rquickjs::Value<'js>) -> Result<Option<Answer>> {
    if returned.is_null() {
        return Ok(None);
    }
    let answer = if let Some(text) = returned.as_string() {
        Answer::Value(Value::Json(text.to_string()?))
    } else if let Some(commands) = returned.as_array() {
        Answer::Commands(
            commands.iter().map(|command| read_command(&command?)).collect::<Result<_>>()?,
        )
    } else if let Ok(bytes) = TypedArray::<u8>::from_value(returned.clone()) {
        Answer::Value(Value::Bytes(host::copy(ctx, &bytes)?))
    } else {
        Answer::Refusal(read_failure(&returned.get()?)?)
    };
    Ok(Some(answer))
}

fn read_command(command: &Object<'_>) -> Result<NewCommand> {
    Ok(NewCommand {
        name: command.get("name")?,
        input: command.get("input")?,
        metadata: command.get("metadata")?,
    })
}

fn read_failure(failure: &Object<'_>) -> Result<Failure> {
    let events: Array<'_> = failure.get("events")?;
    Ok(Failure {
        code: failure.get("code")?,
        message: failure.get("message")?,
        details: failure.get("details")?,
        events: events.iter().map(|event| read_event(&event?)).collect::<Result<_>>()?,
    })
}

fn read_event(event: &Object<'_>) -> Result<NewEvent> {
    Ok(NewEvent {
        event_type: event.get("type")?,
        subject: event.get("subject")?,
        data: event.get("data")?,
    })
}
