//! Many at once: nothing is sold twice, nothing is seen by halves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chancery_tests::{App, Server, assert_gapless};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

#[test]
fn i4_of_10_000_buyers_from_64_clients_exactly_100_get_one_of_100_items() {
    const CLIENTS: usize = 64;
    const BUYERS: usize = 10_000;
    let server = Server::start();
    let shop = server.app();
    shop.deploy("shop");
    shop.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 100 }));
    let before = shop.sequence();

    let next = AtomicUsize::new(0);
    // Each on a connection of its own, which it keeps.
    let buy_until_none_is_left_to_try = || {
        let shop = server.app();
        let mut answers: HashMap<String, usize> = HashMap::new();
        while next.fetch_add(1, Ordering::Relaxed) < BUYERS {
            let reply = shop.command("buy-product", &json!({ "product": "lamp" }));
            let answer = match reply.status {
                200 => "sold".to_owned(),
                _ => reply.code(),
            };
            *answers.entry(answer).or_default() += 1;
        }
        answers
    };
    let mut answers: HashMap<String, usize> = HashMap::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(buy_until_none_is_left_to_try)).collect();
        for client in clients {
            for (answer, times) in client.join().expect("a client") {
                *answers.entry(answer).or_default() += times;
            }
        }
    });
    let wanted = [("sold".to_owned(), 100), ("out-of-stock".to_owned(), BUYERS - 100)];
    assert_eq!(answers, HashMap::from(wanted));

    assert_eq!(shop.ask("stock-of", &json!({ "product": "lamp" }))["left"], json!(0));
    let orders = shop.ask("orders-of", &json!({ "product": "lamp", "limit": 1000 }));
    assert_eq!(orders.as_array().unwrap().len(), 100);
    let receipts = shop.receipts_after(before);
    assert_gapless(before, &receipts);
    assert_eq!(receipts.len(), BUYERS);
    // In sequence order those who came first were served.
    assert!(receipts[..100].iter().all(|receipt| receipt["status"] == json!("succeeded")));
    assert!(receipts[100..].iter().all(|receipt| receipt["status"] == json!("rejected")));
}

#[test]
fn i5_i6_readers_beside_writers_never_see_half_a_transfer() {
    const ACCOUNTS: u64 = 200;
    const TRANSFERS_EACH: usize = 250;
    let server = Server::with(&["--queries-max", "8"]);
    let bank = server.app();
    bank.deploy("bank");
    for n in 0..ACCOUNTS {
        let account = json!({ "account": n.to_string(), "owner": "o", "balance": 1_000 });
        bank.succeed("open-account", &account);
    }
    let before = bank.sequence();
    let wanted = json!({ "total": ACCOUNTS * 1_000, "accounts": ACCOUNTS });

    let writes = |bank: App, seed: u64| {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..TRANSFERS_EACH {
            let from = random.random_range(0..ACCOUNTS);
            let to = (from + random.random_range(1..ACCOUNTS)) % ACCOUNTS;
            let (from, to) = (from.to_string(), to.to_string());
            let amount = random.random_range(1..2_000);
            let reply =
                bank.command("transfer", &json!({ "from": from, "to": to, "amount": amount }));
            assert!(reply.status == 200 || reply.code() == "insufficient-funds", "{reply:?}");
        }
    };
    let writing = AtomicBool::new(true);
    let reads = |bank: App| {
        let (mut n_reads, mut latest) = (0_usize, 0);
        while writing.load(Ordering::Relaxed) || n_reads == 0 {
            let reply = bank.query("total", &json!({}));
            let sequence: u64 = reply.header("chancery-sequence").unwrap().parse().unwrap();
            assert_eq!(reply.expect(200), wanted, "as of {sequence}");
            assert!(sequence >= latest, "time does not go back: {latest}, then {sequence}");
            (n_reads, latest) = (n_reads + 1, sequence);
        }
        n_reads
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8).map(|_| scope.spawn(|| reads(server.app()))).collect();
        let writers: Vec<_> = (0..8)
            .map(|seed| {
                let bank = server.app();
                scope.spawn(move || writes(bank, seed))
            })
            .collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        writing.store(false, Ordering::Relaxed);
        assert!(written.iter().all(Result::is_ok), "a writer failed");
        let n_reads: usize =
            readers.into_iter().map(|reader| reader.join().expect("it read")).sum();
        println!("{n_reads} totals");
    });

    assert_eq!(bank.ask("total", &json!({})), wanted);
    let receipts = bank.receipts_after(before);
    assert_eq!(receipts.len(), 8 * TRANSFERS_EACH);
    assert_gapless(before, &receipts);
    assert_gapless(0, &bank.receipts_after(0));
}

#[test]
fn i10_queries_that_loop_on_all_permits_hold_up_neither_health_nor_commands() {
    const PERMITS: usize = 3;
    let permits = PERMITS.to_string();
    let server = Server::with(&["--queries-max", &permits, "--query-deadline", "5s"]);
    let app = server.app();
    app.deploy("hostile");
    app.deploy("probe");
    std::thread::scope(|scope| {
        let looping: Vec<_> = (0..PERMITS)
            .map(|_| {
                let app = server.app();
                scope.spawn(move || app.query("loop", &json!(null)))
            })
            .collect();
        // Once a query finds no permit, all of them loop.
        let busy = loop {
            let reply = app.query("info", &json!({}));
            if reply.status != 200 {
                break reply;
            }
        };
        assert_eq!((busy.status, busy.code()), (503, "busy".to_owned()));
        assert_eq!(busy.header("retry-after"), Some("1"));
        for n in 1..=10 {
            assert_eq!(app.client.get("/healthz").status, 200);
            assert_eq!(app.client.get("/readyz").status, 200);
            assert_eq!(app.succeed("add", &json!({ "key": "a", "amount": 1 })), json!(n));
        }
        assert!(looping.iter().all(|query| !query.is_finished()), "they loop all the while");
        for query in looping {
            let reply = query.join().expect("an answer");
            assert_eq!((reply.status, reply.code()), (500, "deadline".to_owned()));
        }
    });
    assert_eq!(app.ask("sum", &json!({})), json!(10));
}
