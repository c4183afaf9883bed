//! Timers as rows: staged, taken back, listed in their order, and deep.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::state::Step;
use crate::transaction::{Context, Limits};

const COMMAND: Uuid = Uuid::from_u128(0x0195_f000_0000_7000_8000_0000_0000_0001);
const TIME_MS: u64 = 1_800_000_000_000;

fn chain(depth: u32) -> Chain {
    let history = History(Uuid::from_u128(7));
    Chain { history, correlation_id: "all-of-it".into(), depth, depth_max: 64 }
}

fn context(depth: u32, limits: Limits) -> Context {
    Context {
        sequence: Sequence(5),
        time_ms: TIME_MS,
        command_id: COMMAND,
        writable: Arc::new(BTreeSet::new()),
        limits,
        chain: chain(depth),
    }
}

fn transaction(base: State) -> Transaction {
    Transaction::new(base, context(0, Limits::default()))
}

fn wake(n: u32) -> NewCommand {
    NewCommand::new("wake", format!("{{\"n\": {n}}}").into(), "{}".into()).unwrap()
}

/// The state with what was staged.
fn applied(mut state: State, transaction: Transaction) -> State {
    let sequence = state.sequence().next();
    let step = Step { sequence, time_ms: TIME_MS, position: Position(0) };
    state.apply(step, &transaction.finish().changes);
    state
}

fn waiting(state: &State) -> Vec<Uuid> {
    timers_after(state, None).map(|(_, id)| id).collect()
}

#[test]
fn a_timer_is_what_was_scheduled() {
    let mut first = transaction(State::empty());
    let deepest = "[".repeat(120) + &"]".repeat(120);
    let metadata = r#"{"tenant": "a", "depth": 9, "reaction": "r"}"#;
    let command = NewCommand::new("wake", deepest.as_str().into(), metadata.into()).unwrap();
    let id = first.schedule(TIME_MS + 5_000, command).unwrap();
    let state = applied(State::empty(), first);

    let found = timer(&state, id).unwrap();
    assert_eq!((found.id, found.due_ms), (id, TIME_MS + 5_000));
    assert_eq!(found.turn, Turn { sequence: Sequence(5), position: None, index: 0 });
    assert_eq!(&*found.command.input, deepest);
    assert_eq!(&*found.command.metadata, r#"{"tenant":"a"}"#, "nobody sets what the server writes");
    assert_eq!(&*found.correlation_id, "all-of-it");
    assert_eq!(&*found.causation_id, COMMAND.to_string());
    assert_eq!(id, derived(chain(0).history, TIME_MS, &format!("timer/{COMMAND}"), 0));
    assert_eq!(timer_count(&state), 1);
    assert_eq!(waiting(&state), [id]);
}

#[test]
fn they_wait_in_the_order_in_which_they_fire() {
    let mut first = transaction(State::empty());
    let times = [9_000, 0, 9_000, u64::MAX >> 11, 30];
    let ids = times.map(|at_ms| first.schedule(at_ms, wake(0)).unwrap());
    let state = applied(State::empty(), first);
    assert_eq!(waiting(&state), [1, 4, 0, 2, 3].map(|index: usize| ids[index]));
    let due: Vec<_> = timers_after(&state, None).map(|(key, _)| due_ms_of(key).unwrap()).collect();
    assert_eq!(due, [0, 30, 9_000, 9_000, GUEST_INTEGER_MAX]);
    let (second, _) = timers_after(&state, None).nth(1).unwrap();
    let rest: Vec<_> = timers_after(&state, Some(second)).map(|(_, id)| id).collect();
    assert_eq!(rest, [0, 2, 3].map(|index: usize| ids[index]));
}

#[test]
fn one_that_is_taken_back_leaves_nothing() {
    let mut first = transaction(State::empty());
    let kept = first.schedule(1, wake(1)).unwrap();
    let gone = first.schedule(2, wake(2)).unwrap();
    assert!(first.cancel_timer(gone) && !first.cancel_timer(gone));
    let state = applied(State::empty(), first);
    assert_eq!(waiting(&state), [kept]);

    let mut second = transaction(state.clone());
    assert!(!second.cancel_timer(gone));
    assert!(second.cancel_timer(kept) && !second.cancel_timer(kept));
    let state = applied(state, second);
    assert_eq!((waiting(&state), timer_count(&state)), (Vec::new(), 0));
}

#[test]
fn several_of_one_command_have_ids_of_their_own() {
    let mut first = transaction(State::empty());
    let gone = first.schedule(1, wake(1)).unwrap();
    first.cancel_timer(gone);
    let next = first.schedule(1, wake(1)).unwrap();
    assert_ne!(next, gone, "an id is never given twice");
}

#[test]
fn a_chain_ends_unless_it_takes_its_time() {
    let depth_of_next = |depth, at_ms| {
        let mut transaction = Transaction::new(State::empty(), context(depth, Limits::default()));
        let id = transaction.schedule(at_ms, wake(0))?;
        let state = applied(State::empty(), transaction);
        Ok::<_, Refusal>(timer(&state, id).unwrap().depth())
    };
    assert_eq!(depth_of_next(0, 0), Ok(1));
    assert_eq!(depth_of_next(63, TIME_MS + CHAIN_BROKEN_MS - 1), Ok(64));
    let refused = depth_of_next(64, TIME_MS).unwrap_err();
    assert_eq!(refused, Refusal::ChainTooDeep { limit: 64 });
    assert_eq!(refused.code(), "chain-too-deep");
    assert_eq!(depth_of_next(64, TIME_MS + CHAIN_BROKEN_MS), Ok(0));
}

#[test]
fn what_cannot_be_submitted_is_refused() {
    let limits = Limits { rows_max: 3, ..Limits::default() };
    let mut transaction = Transaction::new(State::empty(), context(0, limits));
    let refused = transaction.schedule(GUEST_INTEGER_MAX + 1, wake(0)).unwrap_err();
    assert_eq!(refused.code(), "time-too-late");
    transaction.schedule(0, wake(0)).unwrap();
    let refused = transaction.schedule(0, wake(0)).unwrap_err();
    assert_eq!(refused, Refusal::TooManyRows { limit: 3 });
    assert_eq!(waiting(&applied(State::empty(), transaction)).len(), 1, "nothing else was staged");
}
