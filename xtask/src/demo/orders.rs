//! A process of several steps, led from one to the next by events, killed in the middle;
//! and a module that comes when all is over and knows everything.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value as Json, json};

use super::client::{Client, number, text};
use super::screen::{Screen, ms, thousands};
use super::server::{Place, Server};
use super::upload;
use crate::workspace::Workspace;

const APP: &str = "orders";
/// Orders that are placed. The lamps are fewer: some orders are refused.
const ORDERS: u64 = 60;
const LAMPS: u64 = 50;
/// How long an invoice may stay unpaid. Nobody pays one, so a timer cancels them.
const PAY_WITHIN_MS: u64 = 1_500;
/// How long the process may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn show(
    screen: &Screen,
    workspace: &Workspace,
    place: &Place,
    server: Server,
) -> Result<Server> {
    screen.section("orders: events lead from step to step, through a kill -9");
    screen.say("place-order ─► reserve-stock ─► take-payment ─► ship-order, each by a reaction;");
    screen.say("a declined card puts the stock back, an unpaid invoice is cancelled by a timer.");
    let lamps =
        json!({ "product": "lamp", "name": "Desk lamp", "price_cents": 2_500, "quantity": LAMPS });
    let client = server.client();
    client.succeed(APP, "add-stock", lamps)?;
    screen.sent("", &format!("place-order {}", order(0)));
    for n in 0..ORDERS {
        client.succeed(APP, "place-order", order(n))?;
    }
    let placed = audit(&client)?;
    screen.field("placed", format!("{ORDERS} orders, now {}", statuses(&placed)));
    let server = killed(screen, place, server)?;

    let client = server.client();
    let audit = settled(&client)?;
    screen.field("at the end", statuses(&audit));
    let is_so = |member: &str| audit.get(member).and_then(Json::as_bool);
    let found = (number(&audit, "orders")?, is_so("is_sound"));
    let claim = "every order has ended exactly once, and the stock adds up";
    screen.claim(claim, &found, &(ORDERS, Some(true)))?;
    let letters = client.get(&format!("/v1/apps/{APP}/dead-letters"))?.expect(200)?;
    let letters = letters.get("dead_letters").and_then(Json::as_array).map(Vec::len);
    screen.claim("nothing was given up: no dead letters", &letters, &Some(0))?;
    one_of_them(screen, &client)?;
    sales(screen, workspace, &client, &audit)?;
    Ok(server)
}

/// By card, by a card that is declined, or on invoice.
fn order(n: u64) -> Json {
    let payment = match n % 4 {
        2 => "declined-card",
        3 => "invoice",
        _ => "card",
    };
    json!({
        "order": n.to_string(), "buyer": "ann", "product": "lamp", "quantity": 1 + n % 2,
        "payment": payment, "pay_within_ms": PAY_WITHIN_MS,
    })
}

fn killed(screen: &Screen, place: &Place, mut server: Server) -> Result<Server> {
    let (process, address) = (server.id(), server.address.clone());
    server.kill()?;
    drop(server);
    let server = place.start(&address)?;
    let took = ms(server.took);
    screen.field("kill -9", format!("of {process}, in the middle; answering again after {took}"));
    Ok(server)
}

fn audit(client: &Client) -> Result<Json> {
    client.query(APP, "audit", &json!({}))
}

fn statuses(audit: &Json) -> String {
    let statuses = audit.get("by_status").and_then(Json::as_object).into_iter().flatten();
    statuses.map(|(status, n)| format!("{n} {status}")).collect::<Vec<_>>().join(", ")
}

/// The audit, once every order has ended.
fn settled(client: &Client) -> Result<Json> {
    let began = Instant::now();
    loop {
        let audit = audit(client)?;
        if audit.get("is_settled").and_then(Json::as_bool) == Some(true) {
            return Ok(audit);
        }
        if began.elapsed() > PATIENCE {
            bail!("orders have not ended after {}: {audit}", ms(PATIENCE));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What became of the order with the declined card, from its events.
fn one_of_them(screen: &Screen, client: &Client) -> Result<()> {
    let path = format!("/v1/apps/{APP}/events?subject=order/2");
    screen.blank();
    screen.sent("", &format!("GET {path}"));
    let page = client.get(&path)?.expect(200)?;
    let events = page.get("events").and_then(Json::as_array).context("no events")?;
    let rows = events.iter().map(|event| {
        let position = number(event, "position")?.to_string();
        let (time, kind) = (text(event, "time"), text(event, "type"));
        Ok(vec![position, time.to_owned(), kind.to_owned()])
    });
    screen.table(&["position", "time", "type"], &rows.collect::<Result<Vec<_>>>()?);
    let types: Vec<&str> = events.iter().map(|event| text(event, "type")).collect();
    let due = ["order.placed", "stock.reserved", "payment.failed", "order.cancelled"];
    screen.claim("a declined card puts back what was set aside", &types[..], &due[..])
}

/// A projection that is uploaded when all is over.
fn sales(screen: &Screen, workspace: &Workspace, client: &Client, audit: &Json) -> Result<()> {
    screen.blank();
    screen.say("A module that derives sales from the same events, uploaded only now:");
    upload(screen, workspace, client, APP, "sales")?;
    let shipped = audit.get("by_status").map(|statuses| number(statuses, "shipped"));
    let shipped = shipped.context("no statuses")??;
    let began = Instant::now();
    let sales = loop {
        let sales = client.query(APP, "sales", &json!({}))?;
        let lamp = sales.get(0).filter(|lamp| number(lamp, "placed").is_ok_and(|n| n == ORDERS));
        match lamp {
            Some(lamp) => break lamp.clone(),
            None if began.elapsed() > PATIENCE => bail!("sales lag behind: {sales}"),
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    screen.field("sales", format!("{} orders, {} shipped", thousands(ORDERS), thousands(shipped)));
    screen.claim("it has seen all that happened before", &number(&sales, "shipped")?, &shipped)
}
