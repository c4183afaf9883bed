//! A bank whose total never changes, whatever runs beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use super::client::{Client, Command, number};
use super::screen::{Screen, money, ms, thousands};

/// Accounts of the bank.
pub(super) const ACCOUNTS: u64 = 50;
/// What each of them holds at first, in cents.
const OPENING_CENTS: u64 = 100_000;
/// What all of them hold together, in cents, for ever.
pub(super) const TOTAL_CENTS: u64 = ACCOUNTS * OPENING_CENTS;

const WRITERS: u64 = 6;
const READERS: u64 = 2;
/// How long the clients go on. Arbitrary: enough for some hundred transfers.
const DURATION: Duration = Duration::from_secs(3);

/// What clients have seen.
#[derive(Debug, Default)]
struct Seen {
    succeeded: u64,
    rejected: u64,
    totals: Vec<u64>,
}

pub(super) fn show(screen: &Screen, client: &Client) -> Result<()> {
    screen.section("bank: money moves, the total does not");
    let bar = screen.progress(ACCOUNTS, "accounts");
    for account in 0..ACCOUNTS {
        let name = name_of(account);
        let input = json!({ "account": name, "owner": name, "balance": OPENING_CENTS });
        client.succeed("bank", "open-account", input)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    screen.field("accounts", format!("{ACCOUNTS}, each with {}", money(OPENING_CENTS)));
    screen.claim("the bank holds 50,000.00", &total(client)?, &TOTAL_CENTS)?;

    screen
        .say(&format!("{WRITERS} clients send transfers; {READERS} ask for the total meanwhile:"));
    screen.sent("", &format!("transfer {}", transfer(0, 0).input));
    screen.sent("", "total {}");
    let started = Instant::now();
    let seen = busy(client)?;
    let Seen { succeeded, rejected, totals } = seen;
    screen.field(
        "transfers",
        format!("{} succeeded, {} rejected", thousands(succeeded), thousands(rejected)),
    );
    screen.field(
        "totals",
        format!("asked {} times, in {}", thousands(totals.len()), ms(started.elapsed())),
    );
    ensure!(succeeded > 0 && !totals.is_empty(), "nothing happened that would show anything");
    let wrong: Vec<u64> = totals.into_iter().filter(|total| *total != TOTAL_CENTS).collect();
    screen.claim("each time the total was 50,000.00, to the cent", &wrong, &Vec::new())
}

/// Writers and readers at the same time.
fn busy(client: &Client) -> Result<Seen> {
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let writers: Vec<_> =
            (0..WRITERS).map(|seed| scope.spawn(move || write(client, seed))).collect();
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| read(client, &writing))).collect();
        let mut seen = Seen::default();
        for writer in writers {
            let (succeeded, rejected) = writer.join().ok().context("a writer panicked")??;
            seen.succeeded += succeeded;
            seen.rejected += rejected;
        }
        writing.store(false, Ordering::Relaxed);
        for reader in readers {
            seen.totals.extend(reader.join().ok().context("a reader panicked")??);
        }
        Ok(seen)
    })
}

fn write(client: &Client, seed: u64) -> Result<(u64, u64)> {
    let (started, mut counts) = (Instant::now(), (0, 0));
    for round in 0.. {
        if started.elapsed() > DURATION {
            break;
        }
        let reply = client.submit("bank", &transfer(seed, round))?;
        match reply.status {
            200 => counts.0 += 1,
            409 => counts.1 += 1,
            _ => drop(reply.expect(200)?),
        }
    }
    Ok(counts)
}

fn read(client: &Client, writing: &AtomicBool) -> Result<Vec<u64>> {
    let mut totals = Vec::new();
    while writing.load(Ordering::Relaxed) {
        totals.push(total(client)?);
    }
    Ok(totals)
}

/// The transfer of a client in a round: another pair of accounts each time, and
/// sums that are too large now and then.
pub(super) fn transfer(seed: u64, round: u64) -> Command {
    let mixed = (seed * 1_000_003 + round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (from, step) = ((mixed >> 32) % ACCOUNTS, 1 + (mixed >> 40) % (ACCOUNTS - 1));
    let to = (from + step) % ACCOUNTS;
    let cents = 1 + (mixed >> 20) % (OPENING_CENTS / 2);
    let input = json!({ "from": name_of(from), "to": name_of(to), "amount": cents });
    Command::new("transfer", input)
}

/// What the bank says it holds, by looking at every account.
pub(super) fn total(client: &Client) -> Result<u64> {
    let answer = client.query("bank", "total", &json!({}))?;
    ensure!(number(&answer, "accounts")? == ACCOUNTS, "accounts are missing: {answer}");
    number(&answer, "total")
}

/// What an account holds.
pub(super) fn balance(client: &Client, account: u64) -> Result<u64> {
    let input: Json = json!({ "account": name_of(account) });
    number(&client.query("bank", "balance", &input)?, "balance")
}

/// The name of an account.
pub(super) fn name_of(account: u64) -> String {
    format!("account-{account:02}")
}
