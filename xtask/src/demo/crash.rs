//! SIGKILL while clients submit commands, a restart, and what is left: everything
//! that was answered, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use serde_json::{Value as Json, json};

use super::bank::{self, ACCOUNTS, TOTAL_CENTS, balance, transfer};
use super::client::{Client, Command, Reply, number, text};
use super::movies::MOVIES;
use super::screen::{Screen, ms, thousands};
use super::server::{Place, Server};

/// Clients that send transfers, and clients that buy stickers.
const PAYERS: u64 = 6;
const BUYERS: u64 = 2;
/// Stickers on sale: more than can be sold.
const STICKERS: u64 = 1_000_000;
/// Answers before the server is killed, and how long that may take at most: a slow
/// disk is killed with fewer.
const ANSWERS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);
/// Clients of the bank begin here with their transfers, to make other ones than before.
const FIRST_ROUND: u64 = 1_000_000;

/// A command that was sent, and its answer, if there was one.
struct Sent {
    app: &'static str,
    command: Command,
    answer: Option<Reply>,
}

/// What has to be so again, or to follow from what was sent.
struct Before {
    balances: Vec<u64>,
    bank_sequence: u64,
    shop_sequence: u64,
}

pub(super) fn show(screen: &Screen, place: &Place, mut server: Server) -> Result<Server> {
    screen.section("kill -9, in the middle of it");
    let before = prepare(&server.client())?;
    let (sent, process) = (submit_until_killed(screen, &mut server)?, server.id());
    let (answered, doubtful): (Vec<_>, Vec<_>) =
        sent.into_iter().partition(|it| it.answer.is_some());
    screen.say(&format!(
        "{} clients; {} answers; then kill -9 {process}",
        PAYERS + BUYERS,
        thousands(answered.len())
    ));
    ensure!(!answered.is_empty(), "the server was killed before it answered anything");
    screen.field("in doubt", format!("{} commands were sent and have no answer", doubtful.len()));

    let server = place.start(&server.address)?;
    screen
        .field("restarted", format!("recovered and answering {} after its start", ms(server.took)));
    let client = server.client();
    let replayed = same_again(screen, &client, &answered)?;
    let claim = format!(
        "all {} answers are given again, unchanged, and nothing ran twice",
        thousands(replayed)
    );
    screen.checked(&claim);

    let settled = settle(screen, &client, doubtful)?;
    let all: Vec<Sent> = answered.into_iter().chain(settled).collect();
    sequences(screen, &client, &before, &all)?;
    balances(screen, &client, &before, &all)?;
    stickers(screen, &client, &all)?;
    let stats = client.query("movies", "stats", &json!({}))?;
    screen.claim("all 3,201 movies are still there", &number(&stats, "movies")?, &MOVIES)?;
    Ok(server)
}

fn prepare(client: &Client) -> Result<Before> {
    let stickers = json!({ "product": "sticker", "name": "Sticker", "quantity": STICKERS });
    client.succeed("shop", "add-product", stickers)?;
    Ok(Before {
        balances: (0..ACCOUNTS).map(|account| balance(client, account)).collect::<Result<_>>()?,
        bank_sequence: client.sequence("bank")?,
        shop_sequence: client.sequence("shop")?,
    })
}

fn submit_until_killed(screen: &Screen, server: &mut Server) -> Result<Vec<Sent>> {
    let (client, answers) = (server.client(), AtomicUsize::new(0));
    let bar = screen.progress(ANSWERS as u64, "answers");
    let buy = |_, _| Command::new("buy-product", json!({ "product": "sticker", "buyer": "demo" }));
    let pay = |seed, round| transfer(seed, FIRST_ROUND + round);
    thread::scope(|scope| {
        let (client, answers) = (&client, &answers);
        let payers =
            (0..PAYERS).map(|seed| scope.spawn(move || submit(client, "bank", answers, seed, pay)));
        let mut clients: Vec<_> = payers.collect();
        clients.extend(
            (0..BUYERS).map(|seed| scope.spawn(move || submit(client, "shop", answers, seed, buy))),
        );
        watch(&bar, answers);
        server.kill()?;
        bar.finish_and_clear();
        let mut sent = Vec::new();
        for client in clients {
            sent.extend(client.join().ok().context("a client panicked")??);
        }
        Ok(sent)
    })
}

/// Waits for enough answers to make the end interesting.
fn watch(bar: &ProgressBar, answers: &AtomicUsize) {
    let started = Instant::now();
    while answers.load(Ordering::Relaxed) < ANSWERS && started.elapsed() < PATIENCE {
        bar.set_position(answers.load(Ordering::Relaxed) as u64);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends one command after another until there is no answer.
fn submit(
    client: &Client,
    app: &'static str,
    answers: &AtomicUsize,
    seed: u64,
    next: impl Fn(u64, u64) -> Command,
) -> Result<Vec<Sent>> {
    let mut sent = Vec::new();
    for round in 0.. {
        let command = next(seed, round);
        let answer = client.submit(app, &command).ok();
        let is_last = answer.is_none();
        if let Some(answer) = &answer {
            ensure!(is_outcome(answer), "{app}: {}: {}", answer.status, answer.text());
            answers.fetch_add(1, Ordering::Relaxed);
        }
        sent.push(Sent { app, command, answer });
        if is_last {
            break;
        }
    }
    Ok(sent)
}

fn is_outcome(reply: &Reply) -> bool {
    matches!(reply.status, 200 | 409)
}

/// Sends every command again that was answered, and counts the answers that are the
/// same to the byte and say that they are repeated.
fn same_again(screen: &Screen, client: &Client, answered: &[Sent]) -> Result<usize> {
    let bar = screen.progress(answered.len() as u64, "answers asked for again");
    let mut same = 0;
    for Sent { app, command, answer } in answered {
        let again = client.submit(app, command)?;
        let first = answer.as_ref().context("it was answered")?;
        if (again.status, &again.body) != (first.status, &first.body) {
            bail!("{} got another answer:\n  {}\n  {}", command.id, first.text(), again.text());
        }
        ensure!(again.is_replayed, "{} ran again: {}", command.id, again.text());
        same += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(same)
}

/// Sends what was in doubt again, with the same ids: now each has an outcome.
fn settle(screen: &Screen, client: &Client, doubtful: Vec<Sent>) -> Result<Vec<Sent>> {
    let (total, mut settled, mut n_logged) = (doubtful.len(), Vec::new(), 0);
    for Sent { app, command, .. } in doubtful {
        let answer = client.submit(app, &command)?;
        ensure!(is_outcome(&answer), "{}: {}", command.id, answer.text());
        n_logged += usize::from(answer.is_replayed);
        settled.push(Sent { app, command, answer: Some(answer) });
    }
    screen.field(
        "sent again",
        format!("of the {total} in doubt {n_logged} had been logged, the others run now"),
    );
    Ok(settled)
}

/// Each command is one entry of its app, and there are no others.
fn sequences(screen: &Screen, client: &Client, before: &Before, all: &[Sent]) -> Result<()> {
    for (app, first) in [("bank", before.bank_sequence), ("shop", before.shop_sequence)] {
        let last = client.sequence(app)?;
        let receipts =
            all.iter().filter(|sent| sent.app == app).filter_map(|sent| sent.answer.as_ref());
        let found = receipts.map(|receipt| number(&receipt.json()?, "sequence"));
        let mut found: Vec<u64> = found.collect::<Result<_>>()?;
        found.sort_unstable();
        let claim =
            format!("{app}: entries {} to {} are these commands, each once", first + 1, last);
        screen.claim(&claim, &found, &(first + 1..=last).collect())?;
    }
    Ok(())
}

/// A bank on paper, that follows the commands in the order of their sequences, says
/// the same as each receipt, and ends with the same balances.
fn balances(screen: &Screen, client: &Client, before: &Before, all: &[Sent]) -> Result<()> {
    let mut receipts = Vec::new();
    for sent in all.iter().filter(|sent| sent.app == "bank") {
        let answer = sent.answer.as_ref().context("it was answered")?.json()?;
        receipts.push((number(&answer, "sequence")?, &sent.command.input, answer));
    }
    receipts.sort_by_key(|(sequence, ..)| *sequence);
    let names = (0..ACCOUNTS).map(bank::name_of);
    let mut paper: BTreeMap<String, u64> = names.zip(before.balances.iter().copied()).collect();
    for (sequence, input, receipt) in &receipts {
        let due = on_paper(&mut paper, input)?;
        let found = receipt.get("result").cloned();
        if found != due {
            bail!("entry {sequence}, {input}, gave {receipt}; on paper it is {due:?}");
        }
    }
    screen.checked("each receipt says what a bank on paper says, entry by entry");
    let found = (0..ACCOUNTS).map(|account| balance(client, account));
    let found: Vec<u64> = found.collect::<Result<_>>()?;
    screen.claim("every balance is what it is on paper", &found, &paper.into_values().collect())?;
    screen.claim("the bank still holds 50,000.00", &bank::total(client)?, &TOTAL_CENTS)
}

/// Makes a transfer on paper, and gives its result if there is enough to transfer.
fn on_paper(paper: &mut BTreeMap<String, u64>, input: &Json) -> Result<Option<Json>> {
    let (from, to, cents) = (text(input, "from"), text(input, "to"), number(input, "amount")?);
    let held = |account| paper.get(account).copied().context("an unknown account");
    let (payer, receiver) = (held(from)?, held(to)?);
    let Some(rest) = payer.checked_sub(cents) else {
        return Ok(None);
    };
    paper.insert(from.to_owned(), rest);
    paper.insert(to.to_owned(), receiver + cents);
    Ok(Some(json!({ "from": rest, "to": receiver + cents })))
}

fn stickers(screen: &Screen, client: &Client, all: &[Sent]) -> Result<()> {
    let sold = all.iter().filter(|sent| sent.app == "shop" && is_success(sent)).count() as u64;
    let stock = client.query("shop", "stock-of", &json!({ "product": "sticker" }))?;
    let tables = client.get("/v1/apps/shop/tables")?.expect(200)?;
    let tables = tables.get("tables").and_then(Json::as_array).context("no list of tables")?;
    let orders = tables.iter().find(|table| text(table, "name") == "orders");
    let orders = number(orders.context("no table of orders")?, "rows")?;
    let claim =
        format!("{} stickers were sold, and so many are missing from the stock", thousands(sold));
    screen.claim(&claim, &number(&stock, "left")?, &(STICKERS - sold))?;
    // The lamp is the one that is no sticker.
    screen.claim("there is one order for each thing sold, and no other", &orders, &(sold + 1))
}

fn is_success(sent: &Sent) -> bool {
    sent.answer.as_ref().is_some_and(|answer| answer.status == 200)
}
