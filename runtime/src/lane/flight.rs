//! An entry on its way: what those who wait for it hold.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::receipts::Receipt;
use crate::record::Entry;
use crate::value::Sequence;

/// How the way of an entry ended.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Executed, durable and visible.
    Done(Receipt),
    /// Durable, and executed when the server is started again.
    Logged,
    /// Whether it was logged is not known; the same id may be sent again.
    Unknown(String),
    /// It was not logged, and never will be.
    NotLogged(String),
}

/// One entry in flight. Duplicates hold the same flight as the original.
#[derive(Debug)]
pub struct Flight {
    /// The entry's id.
    pub id: Uuid,
    /// Its place.
    pub sequence: Sequence,
    /// The entry.
    pub entry: Arc<Entry>,
    logged: AtomicBool,
    answer: OnceLock<Answer>,
    changed: Notify,
}

impl Flight {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        let (logged, answer) = (AtomicBool::new(false), OnceLock::new());
        let (id, sequence) = (entry.id, entry.sequence);
        Self { id, sequence, entry, logged, answer, changed: Notify::new() }
    }

    /// Says nobody: mostly the answer comes in the same moment, and those who
    /// wait for it would be woken twice.
    pub(super) fn set_logged(&self) {
        self.logged.store(true, Ordering::Release);
    }

    /// Tells those who wait that it is logged, if there is no answer that told
    /// them more.
    pub(super) fn tell_logged(&self) {
        if self.answer.get().is_none() {
            self.changed.notify_waiters();
        }
    }

    pub(super) fn settle(&self, answer: Answer) {
        // The first answer stands: a lane that stops says "unknown" of entries
        // whose round may just be ending well.
        drop(self.answer.set(answer));
        self.changed.notify_waiters();
    }

    /// Whether the entry is durable.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.logged.load(Ordering::Acquire)
    }

    /// The answer, if there is one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.get()
    }

    /// Waits for the answer.
    pub async fn answered(&self) -> &Answer {
        loop {
            let changed = self.changed.notified();
            if let Some(answer) = self.answer.get() {
                return answer;
            }
            changed.await;
        }
    }

    /// Waits until the entry is durable, or answered without ever being so.
    pub async fn logged(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_logged() || self.answer.get().is_some() {
                return;
            }
            changed.await;
        }
    }
}
