//! The published state of an app, and past ones that are still held.
//!
//! There is one writer, which publishes a new root when the round that holds it
//! is durable, and any number of readers, which take the current root without
//! waiting. Past roots answer `as_of` until they cost too much to keep.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::catalog::{self, Catalog};
use crate::clock::Clock;
use crate::modules::Modules;
use crate::record::Outcome;
use crate::state::{State, Step};
use crate::value::{History, Sequence};
use crate::watch::{Reads, Watch, Watchers};

/// The state after one entry, and what the app's modules own in it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The tables.
    pub state: State,
    /// Who owns what, as of the same sequence.
    pub catalog: Arc<Catalog>,
}

/// What a round adds to the published state.
#[derive(Debug)]
pub struct Published {
    /// The root after the round's last outcome.
    pub snapshot: Snapshot,
    /// The outcomes that lead to it from the root before.
    pub steps: Vec<(Step, Arc<Outcome>)>,
    /// An estimate of the bytes it does not share with the root before.
    pub unshared_bytes: u64,
}

/// How many past roots are kept: as long as none of these is exceeded.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Estimated bytes that only past roots need.
    pub bytes_max: u64,
    /// Age of a root.
    pub age_max: Duration,
    /// Number of roots.
    pub roots_max: usize,
}

impl Default for Budget {
    /// 64 MiB, 60 seconds, 1,024 roots. Without the first, 1,024 roots of 2,560
    /// transfers each over 100,000 rows were seen to pin 3.4 GB.
    fn default() -> Self {
        Self { bytes_max: 64 << 20, age_max: Duration::from_secs(60), roots_max: 1024 }
    }
}

/// Why there is no snapshot as of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// It is older than what is held.
    #[error("the state as of {asked} is no longer held; the oldest that is held is {oldest}")]
    Gone {
        /// What was asked for.
        asked: Sequence,
        /// The oldest that can be had.
        oldest: Sequence,
    },
    /// It has not been published.
    #[error("there is no state as of {asked} yet; the latest is {latest}")]
    NotYet {
        /// What was asked for.
        asked: Sequence,
        /// The latest that can be had.
        latest: Sequence,
    },
}

/// The roots of one app.
#[derive(Debug)]
pub struct Snapshots {
    history: History,
    current: ArcSwap<Snapshot>,
    /// Readers of past roots and the writer meet here, for a few pointer moves.
    held: Mutex<VecDeque<Held>>,
    visible: watch::Sender<Sequence>,
    watchers: Arc<Watchers>,
    budget: Budget,
    clock: Clock,
    modules: Arc<Modules>,
    reaper: Reaper,
}

type Steps = Arc<[(Step, Arc<Outcome>)]>;

#[derive(Debug)]
struct Held {
    snapshot: Arc<Snapshot>,
    /// From the root before this one, which is the neighbour in the queue.
    steps: Steps,
    bytes: u64,
    published: Duration,
}

impl Snapshots {
    /// Starts from a recovered state.
    #[must_use]
    pub fn new(
        history: History,
        first: Snapshot,
        modules: Arc<Modules>,
        budget: Budget,
        clock: Clock,
        reaper: Reaper,
    ) -> Self {
        let (visible, _) = watch::channel(first.state.sequence());
        let first = Arc::new(first);
        let root = Held {
            snapshot: Arc::clone(&first),
            steps: Arc::new([]),
            bytes: 0,
            published: clock.elapsed(),
        };
        let held = Mutex::new(VecDeque::from([root]));
        let current = ArcSwap::new(first);
        let watchers = Arc::default();
        Self { history, current, held, visible, watchers, budget, clock, modules, reaper }
    }

    /// Makes a root the current one. Only the lane's committer calls this, and
    /// only when everything in it is durable (I6).
    ///
    /// # Panics
    /// If it is older than the current one: the lane stops rather than let a
    /// sequence show two states.
    pub fn publish(&self, published: Published) {
        let sequence = published.snapshot.state.sequence();
        let before = self.current.load().state.sequence();
        assert!(before <= sequence, "published {sequence} after {before}");
        let snapshot = Arc::new(published.snapshot);
        let bytes = published.unshared_bytes + steps_bytes(&published.steps);
        let steps: Steps = published.steps.into();
        let root = Held {
            snapshot: Arc::clone(&snapshot),
            steps: Arc::clone(&steps),
            bytes,
            published: self.clock.elapsed(),
        };
        let evicted = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.push_back(root);
            self.trim(&mut held)
        };
        let old = self.current.swap(snapshot);
        self.visible.send_replace(sequence);
        // Last: who is told finds the root there.
        self.tell(sequence, &steps);
        self.reaper.drop_later(Box::new((evicted, old)));
    }

    /// The history that the sequences of this app belong to.
    #[must_use]
    pub fn history(&self) -> History {
        self.history
    }

    /// The latest published root.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The state as of one sequence.
    ///
    /// # Errors
    /// [`Unavailable`] if it is not held any more, or not published yet.
    pub fn as_of(&self, asked: Sequence) -> Result<Arc<Snapshot>, Unavailable> {
        let current = self.current();
        let latest = current.state.sequence();
        if asked == latest {
            return Ok(current);
        }
        if asked > latest {
            return Err(Unavailable::NotYet { asked, latest });
        }
        let (base, steps) = self.base_of(asked)?;
        if base.state.sequence() == asked {
            return Ok(base);
        }
        self.replay(&base, &steps, asked)
            .ok_or(Unavailable::Gone { asked, oldest: base.state.sequence() })
    }

    /// Waits until a sequence is visible.
    pub async fn wait_for(&self, sequence: Sequence) {
        let mut visible = self.visible.subscribe();
        // The sender lives in `self`: the channel cannot be closed meanwhile.
        let waited = visible.wait_for(|&visible| visible >= sequence).await;
        debug_assert!(waited.is_ok());
    }

    /// Watches what was read of the state as of a sequence. It is told already if any of
    /// that has changed in the meantime, or if that is not known any more.
    #[must_use]
    pub fn watch(&self, sequence: Sequence, reads: Reads) -> Watch {
        let watch = self.watchers.watch(sequence, reads);
        // A root that is not current yet tells the watch when it is: the watch was there
        // first.
        if self.has_changed(sequence, watch.reads()) {
            watch.touch();
        }
        watch
    }

    /// All who watch.
    #[must_use]
    pub fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    /// Tells those who watch what these steps changed.
    fn tell(&self, last: Sequence, steps: &Steps) {
        // A log that was opened again does not say what it had more.
        if steps.is_empty() {
            return self.watchers.touch_all(last);
        }
        for (step, outcome) in &**steps {
            match catalog::is_deployment(&outcome.changes) {
                true => self.watchers.touch_all(step.sequence),
                false => self.watchers.touched(step.sequence, &outcome.changes),
            }
        }
    }

    /// Whether something that was read of the state as of a sequence is another in the
    /// current one, as far as it can be told.
    fn has_changed(&self, since: Sequence, reads: &Reads) -> bool {
        let latest = self.current.load().state.sequence();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let after = held.partition_point(|root| root.snapshot.state.sequence() <= since);
        let later = held.range(after..);
        let later = later.take_while(|root| root.snapshot.state.sequence() <= latest);
        let later: Vec<_> = later.map(|root| Arc::clone(&root.steps)).collect();
        drop(held);
        // Without a root before them it is not known what led to the first.
        if after == 0 && latest > since {
            return true;
        }
        let concerns = |changes| catalog::is_deployment(changes) || reads.are_touched_by(changes);
        later.iter().any(|steps| {
            let mut since = steps.iter().filter(|(step, _)| step.sequence > since);
            steps.is_empty() || since.any(|(_, outcome)| concerns(&outcome.changes))
        })
    }

    /// The newest held root at or before a sequence, and the steps that follow.
    fn base_of(&self, asked: Sequence) -> Result<(Arc<Snapshot>, Steps), Unavailable> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let evicted = self.trim(&mut held);
        let after = held.partition_point(|root| root.snapshot.state.sequence() <= asked);
        let base = after.checked_sub(1).and_then(|index| held.get(index));
        let found = match base {
            Some(base) => {
                let steps = held.get(after).map(|next| Arc::clone(&next.steps));
                Ok((Arc::clone(&base.snapshot), steps.unwrap_or_else(|| Arc::new([]))))
            }
            None => {
                let oldest = held.front().map(|root| root.snapshot.state.sequence());
                Err(Unavailable::Gone { asked, oldest: oldest.unwrap_or_default() })
            }
        };
        drop(held);
        self.reaper.drop_later(Box::new(evicted));
        found
    }

    /// Within a round the outcomes make a state from the root before it.
    fn replay(
        &self,
        base: &Snapshot,
        steps: &[(Step, Arc<Outcome>)],
        asked: Sequence,
    ) -> Option<Arc<Snapshot>> {
        let mut state = base.state.clone();
        for (step, outcome) in steps.iter().take_while(|(step, _)| step.sequence <= asked) {
            state.apply(*step, &outcome.changes);
        }
        // Fails only if a module that lived for less than a round is gone again.
        let catalog = Catalog::of(&state, &self.modules, &base.catalog).ok()?;
        (state.sequence() == asked)
            .then(|| Arc::new(Snapshot { state, catalog: Arc::new(catalog) }))
    }

    /// Takes out what exceeds the budget; the current root always stays.
    fn trim(&self, held: &mut VecDeque<Held>) -> Vec<Held> {
        let now = self.clock.elapsed();
        let mut bytes: u64 = held.iter().map(|root| root.bytes).sum();
        let mut evicted = Vec::new();
        while held.len() > 1 {
            let (Some(oldest), Some(next)) = (held.front(), held.get(1)) else {
                break;
            };
            // A root is needed until the one after it is too old as well.
            let aged = now.saturating_sub(next.published) > self.budget.age_max;
            let within = bytes <= self.budget.bytes_max && held.len() <= self.budget.roots_max;
            if within && !aged {
                break;
            }
            bytes = bytes.saturating_sub(oldest.bytes);
            evicted.extend(held.pop_front());
        }
        evicted
    }
}

fn steps_bytes(steps: &[(Step, Arc<Outcome>)]) -> u64 {
    const ROW_OVERHEAD_BYTES: usize = 64;
    let rows = steps.iter().flat_map(|(_, outcome)| &outcome.changes.tables);
    let bytes = rows.flat_map(|table| &table.rows).map(|(key, value)| {
        key.as_str().len() + value.as_ref().map_or(0, |value| value.len()) + ROW_OVERHEAD_BYTES
    });
    u64::try_from(bytes.sum::<usize>()).unwrap_or(u64::MAX)
}

/// A thread that drops what is expensive to drop, such as a root whose blocks
/// nobody else needs, so that neither writer nor readers wait for it.
#[derive(Debug, Clone)]
pub struct Reaper(mpsc::Sender<Box<dyn Any + Send>>);

impl Reaper {
    /// Starts the thread; it ends when the last handle is gone.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Box<dyn Any + Send>>();
        let body = move || receiver.into_iter().for_each(drop);
        let thread = thread::Builder::new().name("chancery-reaper".into()).spawn(body)?;
        drop(thread);
        Ok(Self(sender))
    }

    /// Drops something soon, elsewhere.
    pub fn drop_later(&self, thing: Box<dyn Any + Send>) {
        // Without a thread it is dropped here: slower, and just as right.
        drop(self.0.send(thing));
    }
}
