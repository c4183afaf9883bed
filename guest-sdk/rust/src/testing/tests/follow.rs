//! What follows from events, in the harness as on the server.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::super::given;
use crate::{
    Event, NewCommand, NewEvent, Rejection, Snapshot, Table, Transaction, View, app, reject,
};

app! {
    /// A lamp, and a log of what was done to it.
    struct Lamp;
    tables { SWITCHED, LOG, LAST }
    commands { switch, refuse, write_log, wait, cancel, do_for_ever }
    projections {
        log version 1 tables [LOG, LAST] {
            "lamp.switched" => log_switched,
            "lamp.*" => log_other,
            "peek" => peek,
        }
    }
    reactions {
        off_again { "lamp.switched" => off, "lamp.refused" => give_up }
        loops { "for.ever" => for_ever }
    }
}

const SWITCHED: Table<String, bool> = Table::new("switched");
const LOG: Table<u64, String> = Table::new("log");
const LAST: Table<bool, Option<bool>> = Table::new("last");

fn switch(tx: &mut Transaction, is_on: bool) -> Result<(), Rejection> {
    SWITCHED.put(tx, "lamp", &is_on);
    tx.emit(&NewEvent::new("lamp.switched", &is_on).about("lamp"));
    Ok(())
}

fn refuse(_: &mut Transaction, (): ()) -> Result<(), Rejection> {
    Err(reject("refused", "No.").with_event(NewEvent::new("lamp.refused", &())))
}

fn write_log(tx: &mut Transaction, (): ()) -> Result<(), Rejection> {
    LOG.put(tx, &0, &String::new());
    Ok(())
}

fn wait(tx: &mut Transaction, ms: u64) -> Result<String, Rejection> {
    let at_ms = tx.time_ms() + ms;
    tx.schedule(at_ms + 1, &NewCommand::new("switch", &true));
    Ok(tx.schedule(at_ms, &NewCommand::new("refuse", &())))
}

fn cancel(tx: &mut Transaction, timer: String) -> Result<bool, Rejection> {
    Ok(tx.cancel_timer(&timer))
}

fn do_for_ever(tx: &mut Transaction, (): ()) -> Result<(), Rejection> {
    tx.emit(&NewEvent::new("for.ever", &()));
    Ok(())
}

fn log_switched(view: &mut View, switched: Event<Option<bool>>) -> Result<(), Rejection> {
    LAST.put(view, &true, &switched.data);
    LOG.put(view, &switched.position, &switched.event_type);
    Ok(())
}

fn log_other(view: &mut View, other: Event<()>) -> Result<(), Rejection> {
    LOG.put(view, &other.position, &other.event_type);
    Ok(())
}

fn peek(view: &mut View, _: Event<()>) -> Result<(), Rejection> {
    SWITCHED.get(view, "lamp");
    Ok(())
}

fn off(snapshot: &Snapshot, switched: Event<bool>) -> Result<Option<NewCommand>, Rejection> {
    assert_eq!(snapshot.request_time_ms(), switched.time_ms);
    assert_eq!(snapshot.request().name, "off-again");
    Ok(switched.data.then(|| NewCommand::new("switch", &false)))
}

fn give_up(_: &Snapshot, _: Event<()>) -> Result<[NewCommand; 0], Rejection> {
    Err(reject("hopeless", "It does not want to.").permanent())
}

fn for_ever(_: &Snapshot, _: Event<()>) -> Result<[NewCommand; 1], Rejection> {
    Ok([NewCommand::new("do-for-ever", &())])
}

fn panics<T>(run: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(|| drop(run()))) {
        Ok(()) => panic!("it did not panic"),
        Err(cause) => cause.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

#[test]
fn projections_go_with_the_command_and_reactions_after_it() {
    let outcome = given::<Lamp>()
        .event(&NewEvent::new("lamp.bought", &()))
        .when(switch, true)
        .then_row(&LOG, &1, &"lamp.bought".to_owned())
        .then_row(&LOG, &2, &"lamp.switched".to_owned())
        .then_row(&LAST, &true, &Some(true))
        .then_command("switch", &false);
    assert_eq!(outcome.commands(), [NewCommand::new("switch", &false)]);
    let given = outcome.follow();
    assert_eq!(SWITCHED.get(&given.snapshot(), "lamp"), Some(false));
    assert_eq!(LOG.count(&given.snapshot()), 3);
    given.when(switch, false).then_no_command();
}

#[test]
fn events_of_a_rejection_are_followed_as_well() {
    given::<Lamp>()
        .when(refuse, ())
        .then_rejected("refused")
        .then_row(&LOG, &1, &"lamp.refused".to_owned())
        .then_reaction_refuses("hopeless");
}

#[test]
fn timers_fire_in_their_order_when_time_passes() {
    let outcome = given::<Lamp>().at_ms(1_000).when(wait, 500);
    let timer = outcome.result().expect("it succeeds").clone();
    let given = outcome.given();
    let due: Vec<_> = given.pending().into_iter().map(|(due_ms, it)| (due_ms, it.name)).collect();
    assert_eq!(due, [(1_500, "refuse".to_owned()), (1_501, "switch".to_owned())]);
    let given = given.when(cancel, timer.clone()).then_ok(&true).given();
    let given = given.wait_ms(100).when(cancel, timer).then_ok(&false).given();
    assert_eq!(SWITCHED.get(&given.snapshot(), "lamp"), None);
    let given = given.wait_ms(1_000);
    assert!(given.pending().is_empty());
    // Switched on by the timer, and off again by the reaction.
    assert_eq!(LOG.count(&given.snapshot()), 2);
    assert_eq!(SWITCHED.get(&given.snapshot(), "lamp"), Some(false));
}

#[test]
fn what_parks_or_traps_on_the_server_panics_here() {
    let parked = panics(|| given::<Lamp>().event(&NewEvent::new("lamp.lost", &7)));
    assert!(parked.contains("projection `log` would be parked at `lamp.lost`"), "{parked}");
    let foreign = panics(|| given::<Lamp>().when_event(&NewEvent::new("peek", &())));
    assert!(foreign.contains("not among the tables of projection `log`"), "{foreign}");
    let written = panics(|| given::<Lamp>().when(write_log, ()));
    assert!(written.contains("written by projection `log` alone"), "{written}");
    let endless = panics(|| given::<Lamp>().when(do_for_ever, ()).follow());
    assert!(endless.contains("more than 1000 commands follow"), "{endless}");
}

#[test]
fn data_that_do_not_fit_refuse_for_good() {
    let outcome = given::<Lamp>().row(&LOG, &9, &String::new());
    let outcome = outcome.when_event(&NewEvent::new("lamp.switched", &()));
    let reactions = outcome.reactions();
    let refusal = reactions[0].1.as_ref().expect_err("null is no bool");
    assert_eq!(refusal.code, "invalid-event");
    assert_eq!(refusal.details, Some(json!({ "permanent": true }).to_string()));
    outcome.then_row(&LAST, &true, &None).then_reaction_refuses("invalid-event");
}

#[test]
fn what_was_erased_is_passed_over_by_those_that_need_it() {
    let erased = Event {
        position: 1,
        id: String::new(),
        event_type: "lamp.switched".to_owned(),
        subject: None,
        time_ms: 0,
        data: "null".to_owned(),
        sequence: 1,
        command_id: String::new(),
        correlation_id: String::new(),
        causation_id: None,
        module_hash: String::new(),
        metadata: json!({ "erased": true }).to_string(),
    };
    assert_eq!(erased.clone().decode::<bool>(), Ok(None));
    let taken = erased.decode::<Option<bool>>().expect("null is an option");
    assert_eq!(taken.map(|event| event.data), Some(None));
}
