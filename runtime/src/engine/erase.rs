//! Erasing what a command said and did.

use std::sync::Arc;

use uuid::Uuid;

use super::{App, Error};
use crate::lane::{Refusal, Ticket, erase};
use crate::receipts::{self, Receipt};
use crate::record::Act;
use crate::value::Sequence;

impl App {
    /// Erases the input and the outcome of a command, and gives the receipt of the
    /// entry that does so; the same one if it is asked for again. When it returns
    /// nobody is shown them any more; from the files they go in the background.
    ///
    /// # Errors
    /// [`Error::UnknownReceipt`]; [`Error::NotErasable`] for an entry that is no
    /// command; [`Error::NotVisible`] for one that is still to be executed.
    pub async fn erase(self: &Arc<Self>, id: Uuid) -> Result<Receipt, Error> {
        match self.blocking(move |app| app.to_be_erased(id)).await?? {
            ToErase::Done(receipt) => Ok(receipt),
            ToErase::Entry(sequence) => self.enter(Act::Erase { sequence }, None).await,
        }
    }

    fn to_be_erased(&self, id: Uuid) -> Result<ToErase, Error> {
        let sequence = match self.lane().find(id) {
            Ok(Some(Ticket::Settled(sequence))) | Err(Refusal::Trimmed { sequence, .. }) => {
                sequence
            }
            Ok(Some(Ticket::Flying { flight, .. })) => {
                let latest = self.snapshots().current().state.sequence();
                return Err(Error::NotVisible { asked: flight.sequence, latest });
            }
            Ok(None) => return Err(Error::UnknownReceipt { id }),
            Err(refusal) => return Err(refusal.into()),
        };
        match self.lane().receipt(sequence) {
            Ok(Some(receipt)) if !matches!(receipt.entry.act, Act::Command(_)) => {
                return Err(Error::NotErasable { id });
            }
            // Of what is not kept any more there may be events.
            Err(receipts::Error::Trimmed { .. }) => {}
            receipt => drop(receipt?),
        }
        if let Some(by) = erase::erased_by(&self.snapshots().current().state, sequence) {
            match self.lane().receipt(by) {
                Ok(Some(receipt)) => return Ok(ToErase::Done(receipt)),
                // Erased so long ago that another entry has to say so.
                Ok(None) | Err(receipts::Error::Trimmed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ToErase::Entry(sequence))
    }
}

/// What is left to do of an erasure.
enum ToErase {
    /// Nothing: this entry did it.
    Done(Receipt),
    /// To erase this entry.
    Entry(Sequence),
}
