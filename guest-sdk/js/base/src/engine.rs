//! The engine: made once, when the base's snapshot is made, and kept for as long as
//! the instance is.

use std::cell::OnceCell;

use rquickjs::{CatchResultExt, Context, Ctx, Object, Persistent, Runtime};

use crate::bindings::chancery::app::log::{self, Level};
use crate::{host, modules};

/// How deep calls may go, in bytes of the stack that C keeps in memory. It must run out
/// before the stack of WebAssembly does, which the engine cannot see: then a script that
/// recurses without end gets a `RangeError` with a stack instead of a trap without one.
const STACK_BYTES: usize = 512 << 10;

/// Bytes allocated before cycles are looked for: what most calls never get to. Values
/// that are part of no cycle are freed at once anyway.
const GC_THRESHOLD_BYTES: usize = 8 << 20;

/// The module of the SDK that this crate calls.
const GLUE: &str = "chancery-sdk/engine/glue.js";

struct Engine {
    context: Context,
    /// The exports of [`GLUE`].
    glue: Persistent<Object<'static>>,
    // Last, since it has to outlive what it made.
    _runtime: Runtime,
}

thread_local! {
    static ENGINE: OnceCell<Engine> = const { OnceCell::new() };
}

/// Makes the engine, unless there is one.
pub(crate) fn prepare() {
    ENGINE.with(|engine| engine.get_or_init(make).context.with(|ctx| ctx.run_gc()));
}

/// Does something with the engine, and with what the SDK exports for it.
pub(crate) fn with<T>(run: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> T) -> T {
    ENGINE.with(|engine| {
        let engine = engine.get_or_init(make);
        engine.context.with(|ctx| match engine.glue.clone().restore(&ctx) {
            Ok(glue) => run(&ctx, &glue),
            Err(error) => fail(&error.to_string()),
        })
    })
}

/// Runs what is still to be run of promises.
pub(crate) fn run_jobs() {
    with(|ctx, _| while ctx.execute_pending_job() {});
}

fn make() -> Engine {
    match try_make() {
        Ok(engine) => engine,
        Err(error) => fail(&error),
    }
}

fn try_make() -> Result<Engine, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    runtime.set_max_stack_size(STACK_BYTES);
    runtime.set_gc_threshold(GC_THRESHOLD_BYTES);
    runtime.set_host_promise_rejection_tracker(Some(Box::new(host::track)));
    runtime.set_loader(modules::Sdk, modules::Sdk);
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    let glue = context.with(|ctx| {
        let glue = import(&ctx).catch(&ctx).map_err(|error| error.to_string())?;
        Ok::<_, String>(Persistent::save(&ctx, glue))
    })?;
    Ok(Engine { context, glue, _runtime: runtime })
}

/// Evaluates the SDK with the host under a name that it takes away.
fn import<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    ctx.globals().set("__chancery_host", host::object(ctx)?)?;
    let (glue, promise) = modules::declare(ctx, GLUE)?.eval()?;
    promise.finish::<()>()?;
    glue.namespace()
}

/// Ends the instance, saying why: there is nobody else to tell.
pub(crate) fn fail(reason: &str) -> ! {
    log::write(Level::Error, reason);
    trap()
}

/// Ends the instance. Whoever calls this has said why.
pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}
