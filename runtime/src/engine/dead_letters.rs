//! Dead letters: looked at, tried again, dropped.

use super::reactions::change_set;
use super::{App, At, Error};
use crate::lane::reactions::{
    Addressee, Letter, LetterState, letter, letter_key, letters, letters_in, letters_of,
};
use crate::lane::{Expected, Prepared};
use crate::receipts::Receipt;
use crate::record::{Act, Verdict};
use crate::snapshot::Snapshot;
use crate::state::Range;
use crate::value::{Position, Sequence, Value};

/// How often an entry is made again whose rows have changed meanwhile.
const TRIES_MAX: u32 = 5;

/// A letter with its place.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Whose it is.
    pub addressee: Addressee,
    /// The event's position.
    pub position: Position,
    /// What is known of it.
    pub letter: Letter,
}

/// Some letters, by addressee and position.
#[derive(Debug, Clone)]
pub struct LetterPage {
    /// The state they were read from.
    pub sequence: Sequence,
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// What to go on after; none at the end.
    pub next: Option<String>,
}

/// What is to become of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Retry,
    Drop,
}

impl App {
    /// A page of the dead letters of a reaction or webhook, or of all.
    ///
    /// # Errors
    /// [`Error::UnknownReaction`], [`Error::UnknownWebhook`], or as
    /// [`App::snapshot`].
    pub async fn dead_letters(
        &self,
        at: At,
        addressee: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<LetterPage, Error> {
        let snapshot = self.snapshot(at).await?;
        let mut range = match addressee {
            None => Range::all(),
            Some(addressee) => letters_of(&self.known_addressee(&snapshot, addressee)?),
        };
        if let Some(after) = after {
            range = range.after(after);
        }
        let (mut letters, mut next, mut last) = (Vec::new(), None, None);
        for (key, addressee, position, letter) in letters_in(&snapshot.state, &range) {
            if letters.len() >= limit {
                next = last;
                break;
            }
            last = Some(key.to_owned());
            letters.push(DeadLetter { addressee, position, letter });
        }
        Ok(LetterPage { sequence: snapshot.state.sequence(), letters, next })
    }

    /// A dead letter. Its event is one of the app's, unless it is not kept any more.
    ///
    /// # Errors
    /// [`Error::UnknownReaction`], [`Error::UnknownWebhook`],
    /// [`Error::UnknownDeadLetter`], or as [`App::snapshot`].
    pub async fn dead_letter(
        &self,
        at: At,
        addressee: &str,
        position: Position,
    ) -> Result<(Sequence, DeadLetter), Error> {
        let snapshot = self.snapshot(at).await?;
        let (found, _) = self.known_letter(&snapshot, addressee, position)?;
        Ok((snapshot.state.sequence(), found))
    }

    /// Has a dead letter tried again, as often as a new event would be. What comes of it
    /// shows in its absence, or in its number of attempts.
    ///
    /// # Errors
    /// [`Error::UnknownReaction`], [`Error::UnknownWebhook`],
    /// [`Error::UnknownDeadLetter`], [`Error::LetterWaits`] for one that comes after
    /// another.
    pub async fn retry_dead_letter(
        &self,
        addressee: &str,
        position: Position,
    ) -> Result<Receipt, Error> {
        self.dispose(addressee, position, Fate::Retry).await
    }

    /// Drops a dead letter: what its event would have led to is never done. Events that
    /// waited behind it go on.
    ///
    /// # Errors
    /// [`Error::UnknownReaction`], [`Error::UnknownWebhook`],
    /// [`Error::UnknownDeadLetter`].
    pub async fn drop_dead_letter(
        &self,
        addressee: &str,
        position: Position,
    ) -> Result<Receipt, Error> {
        self.dispose(addressee, position, Fate::Drop).await
    }

    async fn dispose(
        &self,
        addressee: &str,
        position: Position,
        fate: Fate,
    ) -> Result<Receipt, Error> {
        let prepare = || {
            let snapshot = self.snapshots().current();
            let (found, row) = self.known_letter(&snapshot, addressee, position)?;
            let DeadLetter { addressee, position, letter } = found;
            let unknown = || Error::UnknownDeadLetter { addressee: addressee.clone(), position };
            let key = letter_key(&addressee, position).ok_or_else(unknown)?;
            let becomes = match fate {
                Fate::Drop => None,
                Fate::Retry if letter.state == LetterState::Waiting => {
                    return Err(Error::LetterWaits { addressee, position });
                }
                Fate::Retry => Some(Letter { state: LetterState::Retry, ..letter }.to_value()),
            };
            let changes = change_set([(letters(), vec![(key.clone(), becomes)])]);
            let expected = vec![Expected { table: letters(), key, value: Some(row) }];
            let what = if fate == Fate::Drop { "drop" } else { "retry" };
            let worker = format!("dead-letter/{addressee}/{what}").into();
            let (from, to) = (position, position);
            Ok((Act::Advance { worker, from, to }, Prepared { expected, changes }))
        };
        let receipt = self.enter_prepared(prepare).await?;
        self.gates.webhooks.ring();
        Ok(receipt)
    }

    /// Enters what was prepared; again if its rows have changed meanwhile.
    pub(super) async fn enter_prepared(
        &self,
        mut prepare: impl FnMut() -> Result<(Act, Prepared), Error>,
    ) -> Result<Receipt, Error> {
        let mut tries = 1;
        loop {
            let (act, prepared) = prepare()?;
            let receipt = self.enter_with(act, None, Some(prepared)).await?;
            let verdict = receipt.outcome.as_ref().map(|outcome| &outcome.verdict);
            match verdict {
                Some(Verdict::Rejected(_)) if tries < TRIES_MAX => tries += 1,
                _ => return Ok(receipt),
            }
        }
    }

    fn known_letter(
        &self,
        snapshot: &Snapshot,
        addressee: &str,
        position: Position,
    ) -> Result<(DeadLetter, Value), Error> {
        let addressee = self.known_addressee(snapshot, addressee)?;
        match letter(&snapshot.state, &addressee, position) {
            Some((letter, row)) => Ok((DeadLetter { addressee, position, letter }, row)),
            None => Err(Error::UnknownDeadLetter { addressee, position }),
        }
    }

    /// A reaction or a webhook that is there.
    fn known_addressee(&self, snapshot: &Snapshot, text: &str) -> Result<Addressee, Error> {
        match Addressee::of(text) {
            Some(Addressee::Webhook(name)) => {
                self.known_webhook(snapshot, name.as_str())?;
                Ok(Addressee::Webhook(name))
            }
            _ => Ok(Addressee::Reaction(self.known_reaction(snapshot, text)?.0)),
        }
    }
}
