//! What clients were told, and at which step of the disk.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chancery::receipts::Receipt;
use chancery::value::History;
use serde_json::Value as Json;
use uuid::Uuid;

/// A command that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// To which app.
    pub app: String,
    /// With which id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its input.
    pub input: Json,
}

/// Something that was true once somebody was told, and has to be from then on.
#[derive(Debug, Clone)]
pub enum Claim {
    /// There is an app, of this history.
    App(History),
    /// An entry has this receipt.
    Receipt(Receipt),
    /// An id has no place, for it was refused the only time it was sent.
    NotLogged(Uuid),
    /// A state as of this sequence could be seen.
    Shown(u64),
}

/// Everything that was sent and told.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// What was sent, in order. Shared until something more is sent.
    pub sent: Arc<Vec<Sent>>,
    by_id: Arc<HashMap<Uuid, usize>>,
    /// What somebody asked to erase, whether or not he was told that it is.
    pub erased: Arc<HashSet<Uuid>>,
    /// The step of the disk before which it was told, the app, and what.
    pub claims: Vec<(u64, String, Claim)>,
}

impl Truth {
    /// Notes what is about to be sent. What was refused before may be logged now.
    pub fn send(&mut self, sent: Sent) {
        let refused = |claim: &Claim| matches!(claim, Claim::NotLogged(id) if *id == sent.id);
        self.claims.retain(|(_, _, claim)| !refused(claim));
        if !self.by_id.contains_key(&sent.id) {
            Arc::make_mut(&mut self.by_id).insert(sent.id, self.sent.len());
            Arc::make_mut(&mut self.sent).push(sent);
        }
    }

    /// Notes what somebody was told.
    pub fn claim(&mut self, position: u64, app: &str, claim: Claim) {
        self.claims.push((position, app.to_owned(), claim));
    }

    /// What was sent with an id.
    #[must_use]
    pub fn sent(&self, id: Uuid) -> Option<&Sent> {
        self.sent.get(*self.by_id.get(&id)?)
    }

    /// All that was told, by app.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Claim)> {
        self.claims.iter().map(|(_, app, claim)| (app.as_str(), claim))
    }

    /// What was told before a step, for somebody who begins to count there.
    #[must_use]
    pub fn rebased(&self, position: u64) -> Self {
        let told = self.claims.iter().filter(|(at, _, _)| *at <= position);
        let claims = told.map(|(_, app, claim)| (0, app.clone(), claim.clone()));
        Self {
            claims: claims.collect(),
            sent: Arc::clone(&self.sent),
            by_id: Arc::clone(&self.by_id),
            erased: Arc::clone(&self.erased),
        }
    }
}
