//! Two buyers, one lamp, the same moment.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use super::client::{Client, Command, Reply, number, text};
use super::screen::Screen;

const BUYERS: [&str; 2] = ["ann", "bob"];

pub(super) fn show(screen: &Screen, client: &Client) -> Result<()> {
    screen.section("shop: two buyers want the last lamp at the same moment");
    screen.say("Each request is a PUT /v1/apps/shop/commands/<id> with a name and an input:");
    let lamp = json!({ "product": "lamp", "name": "Desk lamp", "quantity": 1 });
    screen.sent("", &format!("add-product {lamp}"));
    let added = client.succeed("shop", "add-product", lamp)?;
    screen.came("", 200, &added.to_string());

    let replies = buy_at_once(client)?;
    for buyer in BUYERS {
        screen.sent(buyer, &format!("buy-product {}", purchase(buyer)));
    }
    for (buyer, reply) in BUYERS.into_iter().zip(&replies) {
        screen.came(buyer, reply.status, &summary(reply)?);
    }
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    screen.claim("one of them got it, and the other did not", &statuses, &vec![200, 409])?;
    told_why(screen, &replies)?;
    kept(screen, client, &replies)
}

/// Both requests leave when both threads are ready.
fn buy_at_once(client: &Client) -> Result<Vec<Reply>> {
    let ready = Barrier::new(BUYERS.len());
    let buy = |buyer: &'static str| {
        let command = Command::new("buy-product", purchase(buyer));
        ready.wait();
        client.submit("shop", &command)
    };
    thread::scope(|scope| {
        let buyers = BUYERS.map(|buyer| scope.spawn(move || buy(buyer)));
        let replies = buyers.into_iter().map(|buyer| buyer.join().ok().context("a buyer panicked"));
        replies.map(Result::flatten).collect()
    })
}

fn purchase(buyer: &str) -> Json {
    json!({ "product": "lamp", "buyer": buyer })
}

/// What matters in a receipt or problem.
fn summary(reply: &Reply) -> Result<String> {
    let body = reply.json()?;
    Ok(match body.get("result") {
        Some(result) => result.to_string(),
        None => format!("{}: {}", text(&body, "code"), text(&body, "detail")),
    })
}

fn told_why(screen: &Screen, replies: &[Reply]) -> Result<()> {
    let loser = replies.iter().find(|reply| reply.status == 409).context("nobody was refused")?;
    let problem = loser.json()?;
    let (code, detail) = (text(&problem, "code"), text(&problem, "detail"));
    ensure!(!detail.is_empty(), "the refusal gives no reason: {problem}");
    screen.claim("the other was told why, in words and by a code", code, "out-of-stock")
}

fn kept(screen: &Screen, client: &Client, replies: &[Reply]) -> Result<()> {
    let stock = client.query("shop", "stock-of", &json!({ "product": "lamp" }))?;
    let orders = client.query("shop", "orders-of", &json!({ "product": "lamp" }))?;
    let orders = orders.as_array().context("orders are a list")?;
    let buyers: Vec<&str> = orders.iter().map(|order| text(order, "buyer")).collect();
    let sold = BUYERS.into_iter().zip(replies).filter(|(_, reply)| reply.status == 200);
    let due: Vec<&str> = sold.map(|(buyer, _)| buyer).collect();
    let claim = "no lamp is left, and there is one order, of the one who got it";
    screen.claim(claim, &(number(&stock, "left")?, buyers), &(0, due))
}
