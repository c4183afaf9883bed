//! The live instance of a module in a lane: commands, and events for projections,
//! go through it one by one.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::Resource;

use super::call::{CommandCall, Executed, ProjectCall, Stopwatch, to_event};
use super::contract::exports::chancery::app::{commands, projections};
use super::contract::types;
use super::engine;
use super::fault::Fault;
use super::guest::Guest;
use super::guest_log::Callee;
use super::module::Module;
use super::outcome::{self, CallError};
use crate::transaction::Transaction;
use crate::value::Value;

/// Handles of earlier calls that an instance may hold on to before it is
/// replaced: a leak should cost a new instance, not fail a command one day.
const HANDLES_LEFT_MAX: usize = 500;

/// Executes commands and projects events in an instance that is kept between calls. What an instance
/// remembers has no meaning: it is started when it is first needed, replaced
/// after a number of calls or when it has grown, and thrown away when it traps.
pub struct Live {
    module: Arc<Module>,
    running: Option<Running>,
}

type Returned = wasmtime::Result<Result<types::Value, types::Failure>>;
type Outcome = Result<Value, CallError>;

struct Running {
    store: Store<Guest>,
    commands: Option<commands::Guest>,
    projections: Option<projections::Guest>,
    calls: u64,
}

impl Live {
    pub(super) fn new(module: Arc<Module>) -> Self {
        Self { module, running: None }
    }

    /// Executes a command on a transaction and gives the transaction back.
    pub fn execute(&mut self, transaction: Transaction, call: &CommandCall) -> Executed {
        let id: Arc<str> = call.id.to_string().into();
        let name = call.name.as_str().into();
        let module = call.module.clone();
        let callee = Callee { kind: "command", name, id: id.clone(), module };
        self.call(callee, Guest::grant_transaction, transaction, |running, number| {
            let Some(commands) = &running.commands else {
                return Err(Fault::Host("the module has no commands".into()).into());
            };
            let handle = Resource::new_own(number);
            commands.call_execute(&mut running.store, handle, &call.to_command(id))
        })
    }

    /// Folds an event into a projection's tables, on a transaction made by
    /// [`Transaction::for_view`], and gives the transaction back. The limits are
    /// those of a command: it holds up the commands behind it.
    pub fn project(&mut self, view: Transaction, call: &ProjectCall) -> Executed {
        let event = to_event(&call.event);
        let (name, id) = (call.projection.as_str(), event.id.clone());
        let module = call.module.clone();
        let callee = Callee { kind: "projection", name: name.into(), id, module };
        self.call(callee, Guest::grant_view, view, |running, number| {
            let Some(projections) = &running.projections else {
                return Err(Fault::Host("the module has no projections".into()).into());
            };
            let handle = Resource::new_own(number);
            let returned = projections.call_project(&mut running.store, handle, name, &event)?;
            Ok(returned.map(|()| types::Value::Json("null".into())))
        })
    }

    /// Gives up the instance: the next command starts another.
    pub fn forget(&mut self) {
        self.running = None;
    }

    /// Whether the next command will start an instance.
    #[must_use]
    pub fn spent(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.is_spent(&self.module))
    }

    /// The module it is an instance of.
    #[must_use]
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Lets the guest do something to what is staged, through a handle with the
    /// number that `grant` gives.
    fn call(
        &mut self,
        callee: Callee,
        grant: fn(&mut Guest, Transaction) -> u32,
        staged: Transaction,
        run: impl FnOnce(&mut Running, u32) -> Returned,
    ) -> Executed {
        let stopwatch = Stopwatch::start();
        let mut running = match self.running(callee) {
            Ok(running) => running,
            Err(error) => {
                let (transaction, result) = (staged, Err(error));
                return Executed { transaction, result, elapsed: stopwatch.elapsed() };
            }
        };
        let number = grant(running.store.data_mut(), staged);
        let returned = run(&mut running, number);
        let (transaction, result) = self.end(running, returned);
        Executed { transaction, result, elapsed: stopwatch.elapsed() }
    }

    /// An instance ready for a call. It is not kept here while the call is on,
    /// so that one which traps is gone.
    fn running(&mut self, callee: Callee) -> Result<Running, CallError> {
        match self.running.take() {
            Some(mut running) if !running.is_spent(&self.module) => {
                running.begin(&self.module, callee);
                Ok(running)
            }
            // The slot of a spent instance is free before another is asked for.
            spent => {
                drop(spent);
                Running::start(&self.module, callee)
            }
        }
    }

    /// Takes the transaction back, whatever happened, and keeps the instance if
    /// it did as it should.
    fn end(&mut self, mut running: Running, returned: Returned) -> (Transaction, Outcome) {
        let guest = running.store.data_mut();
        let Some(transaction) = guest.take_transaction() else {
            unreachable!("a transaction is granted before the call and taken only here");
        };
        let result = match returned {
            Ok(returned) => outcome::of_return(guest, returned),
            Err(error) => return (transaction, Err(outcome::of_error(guest, &error))),
        };
        if !matches!(result, Err(CallError::Failed(_))) {
            self.running = Some(running);
        }
        (transaction, result)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.running.as_ref().map(|running| running.calls);
        f.debug_struct("Live").field("module", &self.module).field("calls", &calls).finish()
    }
}

impl Running {
    fn start(module: &Module, callee: Callee) -> Result<Self, CallError> {
        let budget = module.host.settings.command_budget();
        let (code, mut store) = (module.code(), module.host.store(budget, callee));
        let started = code.start(&mut store);
        let instance = started.map_err(|error| outcome::of_error(store.data(), &error))?;
        let commands = code.commands.as_ref().map(|it| it.load(&mut store, &instance));
        let projections = code.projections.as_ref().map(|it| it.load(&mut store, &instance));
        match (commands.transpose(), projections.transpose()) {
            (Ok(commands), Ok(projections)) => Ok(Self { store, commands, projections, calls: 1 }),
            (Err(error), _) | (_, Err(error)) => Err(outcome::of_error(store.data(), &error)),
        }
    }

    /// Prepares for a further call.
    fn begin(&mut self, module: &Module, callee: Callee) {
        self.calls += 1;
        self.store.data_mut().log.begin(callee);
        let deadline = module.host.settings.command_deadline;
        self.store.set_epoch_deadline(engine::ticks(deadline));
    }

    fn is_spent(&self, module: &Module) -> bool {
        let settings = &module.host.settings;
        let guest = self.store.data();
        self.calls >= settings.live_calls_max
            || guest.limiter.bytes() > settings.live_memory_bytes_max
            || guest.handles.held() > HANDLES_LEFT_MAX
            || guest.handles.run_low()
    }
}
