//! How webhooks stand: what is on disk of them, and what their deliveries know beside.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::reactions::counts;
use super::super::{App, At, Error};
use crate::events::Webhook;
use crate::lane::reactions::Addressee;
use crate::value::{Name, Position, Sequence};

/// A webhook, and how far it has come.
#[derive(Debug, Clone)]
pub struct WebhookInfo {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub webhook: Webhook,
    /// The last event that it needs not be sent any more. Further than the position on
    /// disk, if it was delivered a moment ago or is not wanted.
    pub position: Position,
    /// The last event there is.
    pub last: Position,
    /// Events that could not be delivered.
    pub dead: usize,
    /// Events that wait behind those.
    pub waiting: usize,
    /// What keeps it from going on, if anything does.
    pub trouble: Option<WebhookTrouble>,
}

/// All webhooks.
#[derive(Debug, Clone)]
pub struct WebhookList {
    /// The state they were read from.
    pub sequence: Sequence,
    /// They, by name.
    pub webhooks: Vec<WebhookInfo>,
}

/// What keeps a webhook from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTrouble {
    /// The event that it cannot get past.
    pub position: Position,
    /// How often that was sent; none if the webhook stands still.
    pub attempts: Option<u32>,
    /// Why, for people.
    pub reason: String,
    /// When it is sent again, in milliseconds since 1970.
    pub again_ms: Option<u64>,
}

/// What the deliveries of an app say of themselves.
#[derive(Debug, Default)]
pub(in crate::engine) struct Standings(Mutex<BTreeMap<Name, Standing>>);

/// How a delivery stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last event that it is done with.
    pub(super) seen: Position,
    pub(super) trouble: Option<WebhookTrouble>,
}

impl Standings {
    pub(super) fn note(&self, name: &Name, standing: Standing) {
        self.all().insert(name.clone(), standing);
    }

    pub(super) fn forget(&self, name: &Name) {
        self.all().remove(name);
    }

    fn of(&self, name: &Name) -> Standing {
        self.all().get(name).cloned().unwrap_or_default()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Name, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// All webhooks.
    ///
    /// # Errors
    /// [`Error::Events`] if a row cannot be understood, or as [`App::snapshot`].
    pub async fn webhooks(&self, at: At) -> Result<WebhookList, Error> {
        let snapshot = self.snapshot(at).await?;
        let all = Webhook::all(&snapshot.state)?.into_iter();
        let counts = counts(&snapshot.state);
        let infos = all.filter_map(|(name, webhook)| {
            Some(self.webhook_info(&counts, name.parse().ok()?, webhook))
        });
        let webhooks = infos.collect();
        Ok(WebhookList { sequence: snapshot.state.sequence(), webhooks })
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`Error::UnknownWebhook`], with the nearest name.
    pub fn webhook(&self, name: &str) -> Result<WebhookInfo, Error> {
        let snapshot = self.snapshots().current();
        let (webhook, _) = self.known_webhook(&snapshot, name)?;
        Ok(self.webhook_info(&counts(&snapshot.state), name.parse()?, webhook))
    }

    fn webhook_info(
        &self,
        counts: &BTreeMap<Addressee, (usize, usize)>,
        name: Name,
        webhook: Webhook,
    ) -> WebhookInfo {
        let (dead, waiting) =
            counts.get(&Addressee::Webhook(name.clone())).copied().unwrap_or_default();
        let Standing { seen, trouble } = self.deliveries.of(&name);
        let (position, last) = (webhook.position.max(seen), self.events().last());
        WebhookInfo { name, webhook, position, last, dead, waiting, trouble }
    }
}
