//! Whether an engine that was opened on what a crash left keeps what was promised.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use chancery::engine::App;
use chancery::receipts::{self, Receipt};
use chancery::record::{Act, Verdict};
use chancery::state::{Order, Range, State};
use chancery::value::{Hash, Sequence, chain_of};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use serde_json::Value as Json;

use super::driver::{Driver, Got, json_of, random_command, said};
use super::truth::{Claim, Sent, Truth};
use crate::model::{Model, Probe};

/// Why an engine is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It does not open.
    Refused(String),
    /// It says that something is damaged, or that it cannot go on.
    Detected(String),
    /// It says something that is not so.
    Promise(String),
}

impl Broken {
    fn detected(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Detected(chain_of(error))
    }

    fn promise(what: impl Into<String>) -> Self {
        Self::Promise(what.into())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(what) => write!(f, "refused: {what}"),
            Self::Detected(what) => write!(f, "detected: {what}"),
            Self::Promise(what) => write!(f, "BROKEN: {what}"),
        }
    }
}

/// Checks all apps against what was told.
///
/// # Errors
/// The promise that was broken.
pub fn verify(driver: &Driver, truth: &Truth) -> Result<(), Broken> {
    let mut told: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    for (app, claim) in truth.all() {
        told.entry(app).or_default().push(claim);
    }
    for name in told.keys() {
        driver.on(name).map_err(Broken::promise)?;
    }
    for app in driver.engine().apps() {
        let claims = told.remove(app.name().as_str()).unwrap_or_default();
        verify_app(driver, &app, truth, &claims)?;
    }
    Ok(())
}

fn verify_app(
    driver: &Driver,
    app: &Arc<App>,
    truth: &Truth,
    claims: &[&Claim],
) -> Result<(), Broken> {
    let last = driver.settle(app).map_err(Broken::Detected)?;
    let receipts = all_receipts(app, claims, last)?;
    check_claims(app, truth, &receipts, claims, last)?;
    let mut ids = HashMap::new();
    let mut model = Probe::default();
    let mut modules = BTreeMap::new();
    for receipt in &receipts {
        let entry = &receipt.entry;
        if let Some(before) = ids.insert(entry.id, entry.sequence) {
            return Err(Broken::promise(format!(
                "{} has entries {before} and {}",
                entry.id, entry.sequence
            )));
        }
        replay(receipt, truth, &mut model, &mut modules)?;
    }
    let snapshot = app.snapshots().current();
    if snapshot.state.sequence().0 != last {
        return Err(Broken::promise(format!(
            "the state is of {}, not {last}",
            snapshot.state.sequence()
        )));
    }
    check_state(&snapshot.state, &model)?;
    let deployed: BTreeMap<String, Hash> =
        snapshot.catalog.modules().map(|m| (m.name.to_string(), m.hash())).collect();
    if deployed != modules {
        return Err(Broken::promise(format!("deployed are {deployed:?}, not {modules:?}")));
    }
    Ok(())
}

/// All receipts, which have no gap and all have outcomes. What is not kept any more is
/// as it was told, for nothing else is let go of.
fn all_receipts(app: &App, claims: &[&Claim], last: u64) -> Result<Vec<Receipt>, Broken> {
    let told: HashMap<u64, &Receipt> = claims
        .iter()
        .filter_map(|claim| match claim {
            Claim::Receipt(receipt) => Some((receipt.entry.sequence.0, receipt)),
            _ => None,
        })
        .collect();
    let mut receipts = Vec::new();
    for sequence in 1..=last {
        let receipt = match app.lane().receipt(Sequence(sequence)) {
            Err(receipts::Error::Trimmed { .. }) => match told.get(&sequence) {
                Some(receipt) => (*receipt).clone(),
                None => return Err(Broken::promise(format!("{sequence} went before its answer"))),
            },
            _ => receipt(app, sequence)?,
        };
        if receipt.entry.sequence.0 != sequence {
            return Err(Broken::promise(format!(
                "entry {} where {sequence} belongs",
                receipt.entry.sequence
            )));
        }
        receipts.push(receipt);
    }
    Ok(receipts)
}

/// A receipt with an outcome. A state is visible a moment before its receipts are.
fn receipt(app: &App, sequence: u64) -> Result<Receipt, Broken> {
    let mut seen = None;
    for _ in 0..5_000 {
        seen = app.lane().receipt(Sequence(sequence)).map_err(|error| Broken::detected(&error))?;
        match &seen {
            Some(receipt) if receipt.outcome.is_some() => break,
            _ => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
    match seen {
        Some(receipt) if receipt.outcome.is_some() => Ok(receipt),
        Some(_) => Err(Broken::promise(format!("entry {sequence} has no outcome"))),
        None => Err(Broken::promise(format!("entry {sequence} is missing"))),
    }
}

fn check_claims(
    app: &App,
    truth: &Truth,
    receipts: &[Receipt],
    claims: &[&Claim],
    last: u64,
) -> Result<(), Broken> {
    let find = |sequence: u64| receipts.get((sequence as usize).wrapping_sub(1));
    for claim in claims {
        match claim {
            Claim::App(history) if app.snapshots().history() != *history => {
                return Err(Broken::promise(format!("another history than {history}")));
            }
            Claim::App(_) => {}
            Claim::Shown(shown) if *shown > last => {
                return Err(Broken::promise(format!(
                    "LOST: {shown} was shown, and {last} is the last entry"
                )));
            }
            Claim::Shown(_) => {}
            Claim::NotLogged(id) => {
                if receipts.iter().any(|receipt| receipt.entry.id == *id) {
                    return Err(Broken::promise(format!("{id} was said not to be logged")));
                }
            }
            Claim::Receipt(told) => {
                let (sequence, id) = (told.entry.sequence, told.entry.id);
                let Some(found) = find(sequence.0).filter(|found| found.entry.id == id) else {
                    return Err(Broken::promise(format!(
                        "LOST: {id} was acknowledged as {sequence}"
                    )));
                };
                let erased = truth.erased.contains(&id) && found.entry.erased;
                if !erased && (found.entry != told.entry || found.outcome != told.outcome) {
                    return Err(Broken::promise(format!(
                        "CHANGED: the receipt of {sequence}: {told:?}, {found:?}"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn replay(
    receipt: &Receipt,
    truth: &Truth,
    model: &mut Probe,
    modules: &mut BTreeMap<String, Hash>,
) -> Result<(), Broken> {
    let sequence = receipt.entry.sequence;
    let outcome = receipt.outcome.as_ref().ok_or_else(|| Broken::promise("no outcome"))?;
    let succeeded = matches!(outcome.verdict, Verdict::Succeeded(_));
    match &receipt.entry.act {
        Act::Command(command) => {
            let id = receipt.entry.id;
            let sent = truth
                .sent(id)
                .ok_or_else(|| Broken::promise(format!("nobody sent {sequence}, {id}")))?;
            let is_erased = receipt.entry.erased && truth.erased.contains(&id);
            let input = match is_erased {
                true => sent.input.clone(),
                false => json_of(command.input.as_bytes()),
            };
            if sent.name != command.name.as_str() || sent.input != input {
                return Err(Broken::promise(format!("{sequence} is not what was sent: {sent:?}")));
            }
            let expected = model.execute(&sent.name, &input);
            let found = said(&outcome.verdict);
            let differs = expected.as_ref().is_some_and(|expected| *expected != found);
            if differs && !outcome.erased {
                return Err(Broken::promise(format!(
                    "WRONG: {sequence}, {sent:?}: {found:?}, not {expected:?}"
                )));
            }
        }
        Act::Deploy(deploy) if succeeded => {
            modules.insert(deploy.module.to_string(), deploy.hash);
        }
        Act::Remove { module } if succeeded => {
            modules.remove(module.as_str());
        }
        _ => {}
    }
    Ok(())
}

/// The tables hold what the model holds.
fn check_state(state: &State, model: &Probe) -> Result<(), Broken> {
    let items = rows(state, "items");
    if items != model.items {
        return Err(Broken::promise(format!(
            "WRONG STATE: items are {items:?}, not {:?}",
            model.items
        )));
    }
    let counters: BTreeMap<String, Json> =
        model.counters.iter().map(|(key, sum)| (key.clone(), (*sum).into())).collect();
    let found = rows(state, "counters");
    if found != counters {
        return Err(Broken::promise(format!(
            "WRONG STATE: counters are {found:?}, not {counters:?}"
        )));
    }
    if state.position().0 != model.events {
        return Err(Broken::promise(format!(
            "WRONG STATE: {} events, not {}",
            state.position(),
            model.events
        )));
    }
    Ok(())
}

fn rows(state: &State, table: &str) -> BTreeMap<String, Json> {
    let table = state.table(table);
    let rows = table.into_iter().flat_map(|table| table.scan(&Range::all(), Order::Ascending));
    rows.map(|row| (row.key.to_owned(), json_of(row.value.as_bytes()))).collect()
}

fn is_trimmed(driver: &Driver, told: &Receipt, app: &str) -> bool {
    let first = driver.on(app).map(|app| app.lane().receipts().first());
    first.is_ok_and(|first| told.entry.sequence < first)
}

/// Goes on where the crash was: what was answered is answered as before, what was
/// not is sent again and gets one place, and new commands are taken.
///
/// # Errors
/// The promise that was broken.
pub fn go_on(driver: &Driver, truth: &Truth, random: &mut StdRng) -> Result<(), Broken> {
    let ready: BTreeSet<String> = driver
        .engine()
        .apps()
        .iter()
        .filter(|app| app.deployed("probe").is_ok())
        .map(|app| app.name().to_string())
        .collect();
    let answered: HashMap<_, _> = truth
        .all()
        .filter_map(|(_, claim)| match claim {
            Claim::Receipt(receipt) => Some((receipt.entry.id, receipt)),
            _ => None,
        })
        .collect();
    let known = truth.sent.iter().filter(|sent| ready.contains(&sent.app));
    let again: Vec<&Sent> =
        known.clone().filter(|sent| answered.contains_key(&sent.id)).choose_multiple(random, 2);
    for sent in again {
        let told = answered[&sent.id];
        match driver.submit(std::slice::from_ref(sent)).remove(0) {
            Got::Receipt(found) if found.entry == told.entry && found.outcome == told.outcome => {}
            Got::Receipt(found)
                if truth.erased.contains(&sent.id)
                    && found.entry.id == told.entry.id
                    && found.entry.sequence == told.entry.sequence => {}
            // Its receipt is not kept any more, and it did not run.
            Got::No { unknown: false, .. } if is_trimmed(driver, told, &sent.app) => {}
            other => {
                return Err(Broken::promise(format!(
                    "TWICE: {sent:?} again: {other:?}, not {told:?}"
                )));
            }
        }
    }
    // The first that were not answered: those that may be in the log.
    let mut more: Vec<Sent> =
        known.filter(|sent| !answered.contains_key(&sent.id)).take(3).cloned().collect();
    if let Some(app) = ready.first() {
        more.push(random_command(app, driver.now_ms(), random));
    }
    for (sent, got) in more.iter().zip(driver.submit(&more)) {
        if let Got::No { reason, .. } = got {
            // In an hour the window has passed, if it is one of seconds.
            if reason.contains("the earliest the server remembers") && driver.retains() {
                continue;
            }
            return Err(Broken::promise(format!("{sent:?} after recovery: {reason}")));
        }
    }
    verify(driver, &driver.truth())
}
