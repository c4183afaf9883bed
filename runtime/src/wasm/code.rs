//! What instances of a module are made from: compiled code, what it exports, and what an
//! instance has to do before it can be called.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::contract::exports::chancery::app::{
    commands, manifest, projections, queries, reactions,
};
use super::engine;
use super::guest::Guest;
use super::host::Host;
use super::refused::Refused;
use super::script::{self, Base, Loader, Places, Script};

/// Compiled code with its imports linked, and where in it the handlers are.
pub(super) struct Code {
    pre: InstancePre<Guest>,
    pub(super) queries: Option<queries::GuestIndices>,
    pub(super) commands: Option<commands::GuestIndices>,
    pub(super) projections: Option<projections::GuestIndices>,
    pub(super) reactions: Option<reactions::GuestIndices>,
    /// What each instance evaluates first.
    script: Option<Evaluated>,
    /// What errors name instead of places in a bundle.
    places: Option<Arc<Places>>,
}

struct Evaluated {
    loader: Loader,
    base: Arc<Base>,
    script: Script,
    /// How long it may take, which was accepted.
    deadline: Duration,
}

impl Code {
    /// The code of a component.
    pub(super) fn new(pre: InstancePre<Guest>) -> Self {
        Self {
            queries: queries::GuestIndices::new(&pre).ok(),
            commands: commands::GuestIndices::new(&pre).ok(),
            projections: projections::GuestIndices::new(&pre).ok(),
            reactions: reactions::GuestIndices::new(&pre).ok(),
            script: None,
            places: None,
            pre,
        }
    }

    /// The code of the base, in which each instance evaluates a script first.
    pub(super) fn of_script(
        base: Arc<Base>,
        script: Script,
        deadline: Duration,
    ) -> wasmtime::Result<Self> {
        let loader = Loader::of(base.code.pre.component())?;
        let (code, places) = (Self::new(base.code.pre.clone()), script.places().map(Arc::new));
        Ok(Self { script: Some(Evaluated { loader, base, script, deadline }), places, ..code })
    }

    /// The same, whose errors name places in the files that it was made of.
    pub(super) fn with_places(self, places: Option<Places>) -> Self {
        Self { places: places.map(Arc::new), ..self }
    }

    /// What has its script evaluated already, if this has it still to be.
    pub(super) fn initialised(&self, host: &Host) -> Option<Result<Self, Refused>> {
        let Evaluated { base, script, .. } = self.script.as_ref()?;
        let initialise = || {
            let component = script::snapshot(host, base, script)?;
            let code = Self::new(host.link(&host.compile(&component)?)?);
            Ok(Self { places: self.places.clone(), ..code })
        };
        Some(initialise())
    }

    /// Whether it is the base, or was made of it: that exports everything, whatever a
    /// script declares.
    pub(super) fn is_of_base(&self) -> bool {
        Loader::of(self.pre.component()).is_ok()
    }

    /// Whether instances evaluate a script before they can be called.
    pub(super) fn is_script(&self) -> bool {
        self.script.is_some()
    }

    /// An instance that can be called. What a script logs while it is evaluated was logged
    /// when it was accepted.
    pub(super) fn start(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        let Some(Evaluated { deadline, .. }) = &self.script else {
            return self.start_aloud(store, Duration::ZERO);
        };
        store.data_mut().log.is_mute = true;
        let started = self.start_aloud(store, *deadline);
        store.data_mut().log.evaluated();
        started
    }

    /// As [`Code::start`], with the lines that it logs; a script may take `evaluation`. Evaluating a script does not count
    /// towards the deadline of the call, so that a handler may take as long before the
    /// script's snapshot is in place as after it.
    pub(super) fn start_aloud(
        &self,
        store: &mut Store<Guest>,
        evaluation: Duration,
    ) -> wasmtime::Result<Instance> {
        store.data_mut().places.clone_from(&self.places);
        let instance = self.pre.instantiate(&mut *store)?;
        if let Some(Evaluated { loader, script, .. }) = &self.script {
            let of_call = std::mem::replace(&mut store.data_mut().budget.deadline, evaluation);
            store.set_epoch_deadline(engine::ticks(evaluation));
            loader.load(store, &instance, script)?;
            store.data_mut().budget.deadline = of_call;
            store.set_epoch_deadline(engine::ticks(of_call));
        }
        Ok(instance)
    }

    /// What an instance says of itself.
    pub(super) fn describe(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
    ) -> wasmtime::Result<String> {
        let manifest = manifest::GuestIndices::new(&self.pre)?.load(&mut *store, instance)?;
        manifest.call_describe(store)
    }
}
