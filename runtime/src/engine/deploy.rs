//! Deployments: an upload is checked, kept, and put in place by an entry.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{App, Error, Progressed, Submitted, suggest};
use crate::catalog::{Deployed, ModuleRow, Plan, read_versions};
use crate::lane::{Prepared, Submission, Ticket};
use crate::receipts::Receipt;
use crate::record::{Act, Deploy};
use crate::value::{Hash, Name, Sequence};
use crate::wasm;

/// How long a deployment is waited for: behind a full inbox, and with an
/// `on_deploy` command of its own.
const DEPLOY_WAIT_MAX: Duration = Duration::from_secs(60);

/// Which version of a module to deploy.
#[derive(Debug, Clone)]
pub enum Upload {
    /// A new one, or one that is known already.
    Bytes(Bytes),
    /// One that was uploaded to this app before.
    Kept(Hash),
}

/// What came of a deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// What it changes, seen from the state at hand when it was asked for.
    pub plan: Plan,
    /// Its receipt; none if it was only checked, or was in place already.
    pub receipt: Option<Receipt>,
}

impl App {
    /// Checks an upload and says what deploying it would change.
    ///
    /// # Errors
    /// Why it cannot be deployed.
    pub async fn plan(&self, name: &Name, upload: Upload) -> Result<Deployment, Error> {
        let module = self.load(upload).await?;
        let plan = self.plan_of(name, module)?;
        Ok(Deployment { plan, receipt: None })
    }

    /// Deploys a module. Nothing is logged unless it passes every check.
    ///
    /// # Errors
    /// Why it cannot be deployed. If its `on_deploy` command refuses, that is
    /// in the receipt, and nothing has changed.
    pub async fn deploy(&self, name: &Name, upload: Upload) -> Result<Deployment, Error> {
        let module = self.load(upload.clone()).await?;
        let plan = self.plan_of(name, Arc::clone(&module))?;
        if plan.unchanged {
            return Ok(Deployment { plan, receipt: None });
        }
        if let Upload::Bytes(bytes) = upload {
            let modules = Arc::clone(self.lane().modules());
            let kept = spawn_blocking(move || modules.keep(&bytes)).await;
            kept.map_err(|error| Error::Host(error.to_string()))?.map_err(Error::Modules)?;
        }
        let act = Act::Deploy(Deploy { module: name.clone(), hash: module.hash() });
        let receipt = self.enter(act, Some(module)).await?;
        Ok(Deployment { plan, receipt: Some(receipt) })
    }

    /// Removes a module; its tables stay, orphaned.
    ///
    /// # Errors
    /// [`Error::UnknownModule`].
    pub async fn remove(&self, name: &str) -> Result<Receipt, Error> {
        let module = self.deployed(name)?.name.clone();
        self.enter(Act::Remove { module }, None).await
    }

    /// Drops an orphaned table. Of one that is in use the receipt says so.
    ///
    /// # Errors
    /// [`Error::UnknownTable`].
    pub async fn drop_table(&self, name: &str) -> Result<Receipt, Error> {
        let table = self.known_table(&self.snapshots().current(), name)?;
        self.enter(Act::DropTable { table }, None).await
    }

    /// A module that is deployed.
    ///
    /// # Errors
    /// [`Error::UnknownModule`], with the nearest name.
    pub fn deployed(&self, name: &str) -> Result<Arc<Deployed>, Error> {
        let snapshot = self.snapshots().current();
        let found = snapshot.catalog.module(name).cloned();
        found.ok_or_else(|| Error::UnknownModule {
            app: self.name().clone(),
            name: name.to_owned(),
            suggestion: suggest(name, snapshot.catalog.modules().map(|m| m.name.as_str())),
        })
    }

    /// The versions of a module that were deployed, the oldest first.
    ///
    /// # Errors
    /// [`Error::Catalog`].
    pub fn versions(&self, name: &Name) -> Result<Vec<ModuleRow>, Error> {
        Ok(read_versions(&self.snapshots().current().state, name)?)
    }

    async fn load(&self, upload: Upload) -> Result<Arc<wasm::Module>, Error> {
        let busy = || Error::Busy { what: "uploads" };
        let waiting = Arc::clone(&self.gates.compiles_in).try_acquire_owned();
        let waiting = waiting.map_err(|_full| busy())?;
        let turn = Arc::clone(&self.gates.compiles).acquire_owned().await;
        let turn = turn.map_err(|_closed| busy())?;
        let modules = Arc::clone(self.lane().modules());
        let loaded = spawn_blocking(move || {
            // Held here: compiling goes on when the client goes away.
            let _held = (waiting, turn);
            match upload {
                Upload::Bytes(bytes) => modules.check(&bytes).map_err(Error::Upload),
                Upload::Kept(hash) => modules.load(hash).map_err(Error::Modules),
            }
        });
        loaded.await.map_err(|error| Error::Host(error.to_string()))?
    }

    fn plan_of(&self, name: &Name, module: Arc<wasm::Module>) -> Result<Plan, Error> {
        let row = ModuleRow { hash: module.hash(), sequence: Sequence(0), time_ms: 0 };
        let deployed = Deployed::new(self.name(), name.clone(), module, row).map_err(|reason| {
            Error::Upload(wasm::Refused::InvalidManifest { path: String::new(), reason })
        })?;
        let catalog = Arc::clone(&self.snapshots().current().catalog);
        catalog.plan(&deployed).map_err(Error::Conflicts)
    }

    /// Sequences an entry of the server's own and waits for its outcome.
    pub(super) async fn enter(
        &self,
        act: Act,
        keep: Option<Arc<wasm::Module>>,
    ) -> Result<Receipt, Error> {
        self.enter_with(act, keep, None).await
    }

    /// As [`App::enter`], with what it changes.
    pub(super) async fn enter_with(
        &self,
        act: Act,
        keep: Option<Arc<wasm::Module>>,
        prepared: Option<Prepared>,
    ) -> Result<Receipt, Error> {
        self.gates.room.check()?;
        let id = Uuid::now_v7();
        let fingerprint = Hash::of(id.as_bytes());
        let (windowed, admitted) = (false, None);
        let submission = Submission { id, windowed, fingerprint, act, admitted, keep, prepared };
        let submitted = match self.lane().submit(submission)? {
            Ticket::Flying { flight, replayed } => Submitted::Flying { flight, replayed },
            Ticket::Settled(_) => return Err(Error::UnknownReceipt { id }),
        };
        match self.progress(&submitted, DEPLOY_WAIT_MAX).await? {
            Progressed::Done(receipt) => Ok(receipt),
            Progressed::Logged { sequence } => {
                let latest = self.snapshots().current().state.sequence();
                Err(Error::NotVisible { asked: sequence, latest })
            }
        }
    }
}
