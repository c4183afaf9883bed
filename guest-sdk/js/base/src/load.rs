//! Evaluates what people wrote, and says where it is wrong if it is.
//!
//! Which code a failure has is decided in the SDK (`engine/report.js`), from what was
//! thrown.

use rquickjs::context::EvalOptions;
use rquickjs::function::Args;
use rquickjs::promise::PromiseState;
use rquickjs::{Ctx, Error, Function, Module, Object, Result, Value};

use crate::bindings::chancery::app::types::{self, Failure, QueryRequest};
use crate::call::{self, Answer};
use crate::{clock, engine, modules};

/// What stacks call the script of an ad-hoc query.
const ADHOC: &str = "<adhoc>";

/// Evaluates a script as a module, whose default export becomes the app.
pub(crate) fn load(name: String, source: String) -> std::result::Result<(), Failure> {
    clock::set_ms(0);
    let answer = engine::with(|ctx, sdk| {
        modules::take_refused();
        let loaded = match Module::declare(ctx.clone(), name.as_str(), source) {
            Ok(module) => evaluate(module).and_then(|app| apply(sdk, "install", (app, name))),
            Err(error) => refuse(ctx, sdk, &error, "syntax", &name),
        };
        finish(ctx, sdk, loaded)
    });
    call::value(answer).map(drop)
}

/// The default export; `undefined` if there is none.
fn evaluate<'js>(module: Module<'js>) -> Result<Value<'js>> {
    let (module, promise) = module.eval()?;
    while module.ctx().execute_pending_job() {}
    match promise.state() {
        PromiseState::Pending => {
            let message = "it waits at its top level (`await`) for what never comes";
            Err(rquickjs::Exception::throw_message(module.ctx(), message))
        }
        _ => {
            promise.finish::<Value<'js>>()?;
            let exports = module.namespace()?;
            match exports.contains_key("default")? {
                true => exports.get("default"),
                false => Ok(Value::new_undefined(module.ctx().clone())),
            }
        }
    }
}

/// Answers a query that is itself a script: an expression if it can be one, the body of
/// a function otherwise.
pub(crate) fn adhoc(
    source: &str,
    request: QueryRequest,
) -> std::result::Result<types::Value, Failure> {
    clock::ask();
    let answer = engine::with(|ctx, sdk| {
        modules::take_refused();
        let compiled = match function(ctx, &format!("return (\n{source}\n);")) {
            Err(Error::Exception) => {
                // Not an expression. If it is no body either, what is wrong with that is
                // said: a body may be anything.
                ctx.catch();
                function(ctx, &format!("\n{source}\n"))
            }
            compiled => compiled,
        };
        let answered = match compiled {
            Ok(function) => ask(ctx, sdk, function, request),
            Err(error) => refuse(ctx, sdk, &error, "syntax", ADHOC),
        };
        finish(ctx, sdk, answered)
    });
    call::value(answer)
}

/// A function of what an ad-hoc query sees. Its body begins on the second line.
fn function<'js>(ctx: &Ctx<'js>, body: &str) -> Result<Function<'js>> {
    let source = format!("(function (table, input, sequence) {{ {body} }})");
    let mut options = EvalOptions::default();
    options.filename = Some(ADHOC.to_owned());
    ctx.eval_with_options(source, options)
}

fn ask<'js>(
    ctx: &Ctx<'js>,
    sdk: &Object<'js>,
    function: Function<'js>,
    request: QueryRequest,
) -> Result<Value<'js>> {
    let mut arguments = Args::new(ctx.clone(), 5);
    arguments.push_arg(function)?;
    call::push_request(&mut arguments, request)?;
    let adhoc: Function<'js> = sdk.get("adhoc")?;
    arguments.apply(&adhoc)
}

/// What the SDK answered, or makes of what was thrown.
fn finish<'js>(ctx: &Ctx<'js>, sdk: &Object<'js>, returned: Result<Value<'js>>) -> Answer {
    let returned = match returned {
        Err(error) => refuse(ctx, sdk, &error, "failed", ""),
        returned => returned,
    };
    match returned.and_then(|returned| call::read(ctx, returned)) {
        Ok(Some(answer)) => answer,
        Ok(None) => engine::trap(),
        Err(error) => engine::fail(&error.to_string()),
    }
}

/// The refusal for what was thrown while a script was read (`syntax`) or ran.
fn refuse<'js>(
    ctx: &Ctx<'js>,
    sdk: &Object<'js>,
    error: &Error,
    stage: &str,
    name: &str,
) -> Result<Value<'js>> {
    let thrown = match error {
        Error::Exception => ctx.catch(),
        other => rquickjs::Exception::from_message(ctx.clone(), &other.to_string())?
            .into_object()
            .into_value(),
    };
    apply(sdk, "refuse", (thrown, stage, name, modules::take_refused()))
}

fn apply<'js, A>(sdk: &Object<'js>, name: &str, arguments: A) -> Result<Value<'js>>
where
    A: rquickjs::function::IntoArgs<'js>,
{
    let function: Function<'js> = sdk.get(name)?;
    function.call(arguments)
}
