//! Timers that wait: listed, looked at, taken back; and the pump that submits their
//! commands.

mod pump;

use uuid::Uuid;

pub use self::pump::Pump;

use super::{App, At, Error};
use crate::receipts::Receipt;
use crate::record::Act;
use crate::transaction::timers::{self, Timer};
use crate::value::Sequence;

/// Some timers, in the order in which they fire.
#[derive(Debug, Clone)]
pub struct TimerPage {
    /// The state they were read from.
    pub sequence: Sequence,
    /// How many wait in all.
    pub count: u64,
    /// The timers.
    pub timers: Vec<Timer>,
    /// What to go on after; none at the end.
    pub next: Option<String>,
}

impl App {
    /// A page of the timers that wait. It ends after `limit` of them, or after
    /// `bytes_max` bytes of inputs, and has one at least if there is one.
    ///
    /// # Errors
    /// As [`App::snapshot`].
    pub async fn timers(
        &self,
        at: At,
        after: Option<&str>,
        limit: usize,
        bytes_max: usize,
    ) -> Result<TimerPage, Error> {
        let snapshot = self.snapshot(at).await?;
        let state = &snapshot.state;
        let (mut page, mut bytes, mut next, mut last) = (Vec::new(), 0, None, None);
        for (key, id) in timers::timers_after(state, after) {
            if page.len() >= limit || bytes >= bytes_max {
                next = last;
                break;
            }
            last = Some(key.to_owned());
            if let Some(timer) = timers::timer(state, id) {
                bytes += timer.command.bytes();
                page.push(timer);
            }
        }
        let count = timers::timer_count(state);
        Ok(TimerPage { sequence: state.sequence(), count, timers: page, next })
    }

    /// A timer that waits.
    ///
    /// # Errors
    /// [`Error::UnknownTimer`], or as [`App::snapshot`].
    pub async fn timer(&self, at: At, id: Uuid) -> Result<(Sequence, Timer), Error> {
        let snapshot = self.snapshot(at).await?;
        let timer = timers::timer(&snapshot.state, id).ok_or(Error::UnknownTimer { id })?;
        Ok((snapshot.state.sequence(), timer))
    }

    /// Takes a timer back. If it fires meanwhile, the receipt says so.
    ///
    /// # Errors
    /// [`Error::UnknownTimer`].
    pub async fn cancel_timer(&self, id: Uuid) -> Result<Receipt, Error> {
        if timers::timer(&self.snapshots().current().state, id).is_none() {
            return Err(Error::UnknownTimer { id });
        }
        self.enter(Act::Cancel { timer: id }, None).await
    }
}
