//! Taking bodies out of a round, so that all that was said about them still holds.

use super::Damage;
use super::RecordHead;
use super::bytes::Output;
use super::frame::{self, Frame, Presence};
use super::round::Walk;

/// The round without the bodies of the records that `which` picks: each is marked as
/// erased, and the chain after the round stays what it was. Of the records that have
/// no body, none is offered. The same bytes if nothing is left to erase.
///
/// # Errors
/// [`Damage`] if the round cannot be walked over; bodies are not checked.
pub fn erase(round: &[u8], which: &dyn Fn(&RecordHead) -> bool) -> Result<Vec<u8>, Damage> {
    let mut walk = Walk::new(round)?;
    let mut output = Output::with_capacity(round.len());
    output.raw(frame::whole_header(round));
    while let Some(raw) = walk.next()? {
        let is_picked = raw.record_head()?.is_some_and(|head| which(&head));
        let presence = if is_picked { Presence::Erased } else { raw.frame.presence };
        Frame { presence, ..raw.frame }.write(raw.head_bytes, &mut output);
        output.raw(raw.head_bytes);
        if presence == Presence::Whole {
            output.raw(raw.body_bytes);
        }
    }
    Ok(output.into_bytes())
}
