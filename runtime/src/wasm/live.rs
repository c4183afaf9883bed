//! The live instance of a module in a lane: commands go through it one by one.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::Resource;

use super::call::{CommandCall, Executed, Stopwatch};
use super::contract::exports::chancery::app::commands;
use super::contract::types;
use super::engine;
use super::guest::Guest;
use super::guest_log::Callee;
use super::module::Module;
use super::outcome::{self, CallError};
use crate::transaction::Transaction;
use crate::value::Value;

/// Handles of earlier calls that an instance may hold on to before it is
/// replaced: a leak should cost a new instance, not fail a command one day.
const HANDLES_LEFT_MAX: usize = 500;

/// Executes commands in an instance that is kept between calls. What an instance
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
    commands: commands::Guest,
    calls: u64,
}

impl Live {
    pub(super) fn new(module: Arc<Module>) -> Self {
        Self { module, running: None }
    }

    /// Executes a command on a transaction and gives the transaction back.
    pub fn execute(&mut self, transaction: Transaction, call: &CommandCall) -> Executed {
        let stopwatch = Stopwatch::start();
        let id: Arc<str> = call.id.to_string().into();
        let name = call.name.as_str().into();
        let module = call.module.clone();
        let callee = Callee { kind: "command", name, id: id.clone(), module };
        let mut running = match self.running(callee) {
            Ok(running) => running,
            Err(error) => {
                return Executed { transaction, result: Err(error), elapsed: stopwatch.elapsed() };
            }
        };
        let guest = running.store.data_mut();
        let handle = Resource::new_own(guest.grant_transaction(transaction));
        let returned =
            running.commands.call_execute(&mut running.store, handle, &call.to_command(id));
        let (transaction, result) = self.end(running, returned);
        Executed { transaction, result, elapsed: stopwatch.elapsed() }
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
        let Some(commands) = &module.commands else {
            return Err(CallError::Host("the module has no commands".into()));
        };
        let budget = module.host.settings.command_budget();
        let (mut store, instance) = module.start(budget, callee)?;
        match commands.load(&mut store, &instance) {
            Ok(commands) => Ok(Self { store, commands, calls: 1 }),
            Err(error) => Err(outcome::of_error(store.data(), &error)),
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
