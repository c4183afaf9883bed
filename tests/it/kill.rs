//! The process dies while clients submit, again and again; or it is asked to end.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chancery_tests::{App, Reply, Server, Uuid, assert_gapless, new_id, seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

const ACCOUNTS: u64 = 8;
const BALANCE: u64 = 1_000;
const CLIENTS: u64 = 6;

/// A transfer that some client has sent at least once.
#[derive(Debug)]
struct Attempt {
    id: Uuid,
    from: u64,
    to: u64,
    amount: u64,
    /// The first answer to it: from then on there is no other.
    answer: OnceLock<(u16, Vec<u8>)>,
}

impl Attempt {
    fn random(random: &mut StdRng) -> Self {
        let from = random.random_range(0..ACCOUNTS);
        let to = (from + random.random_range(1..ACCOUNTS)) % ACCOUNTS;
        // Some are more than an account holds.
        let amount = random.random_range(1..2 * BALANCE);
        Self { id: new_id(), from, to, amount, answer: OnceLock::new() }
    }

    fn submit(&self, app: &App) -> Option<Reply> {
        let (from, to) = (self.from.to_string(), self.to.to_string());
        let input = json!({ "from": from, "to": to, "amount": self.amount });
        app.try_command(self.id, "transfer", &input, &[]).ok()
    }

    /// Sends it, perhaps not for the first time. None if the server is gone; it
    /// may have been executed then or not.
    fn send(&self, app: &App) -> Option<Reply> {
        let reply = self.submit(app)?;
        assert!(matches!(reply.status, 200 | 409), "{self:?}: {reply:?}");
        let (status, body) = self.answer.get_or_init(|| (reply.status, reply.body.clone()));
        assert_eq!((reply.status, &reply.body), (*status, body), "{} has two answers", self.id);
        Some(reply)
    }
}

/// Everything that was ever sent, by all clients.
#[derive(Debug, Default)]
struct Ledger(Mutex<Vec<Arc<Attempt>>>);

impl Ledger {
    fn new_attempt(&self, random: &mut StdRng) -> Arc<Attempt> {
        let attempt = Arc::new(Attempt::random(random));
        self.0.lock().unwrap().push(Arc::clone(&attempt));
        attempt
    }

    /// One of the latest, so that many are still on their way.
    fn sent_before(&self, random: &mut StdRng) -> Option<Arc<Attempt>> {
        let attempts = self.0.lock().unwrap();
        let back = random.random_range(1..=30).min(attempts.len());
        attempts.get(attempts.len() - back).cloned()
    }

    /// Those after the first few.
    fn after(&self, few: usize) -> Vec<Arc<Attempt>> {
        self.0.lock().unwrap()[few..].to_vec()
    }

    fn by_id(&self) -> HashMap<Uuid, Arc<Attempt>> {
        let attempts = self.0.lock().unwrap();
        attempts.iter().map(|attempt| (attempt.id, Arc::clone(attempt))).collect()
    }
}

/// Submits until the server is gone; one in five is a duplicate.
fn submit_until_it_dies(app: &App, ledger: &Ledger, random: &mut StdRng, answers: &AtomicU64) {
    loop {
        let again = random.random_bool(0.2).then(|| ledger.sent_before(random)).flatten();
        let attempt = again.unwrap_or_else(|| ledger.new_attempt(random));
        if attempt.send(app).is_none() {
            return;
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every answer given is there and unchanged; what had none is sent again, and
/// gets the only one it ever gets.
fn assert_kept(app: &App, attempts: &[Arc<Attempt>]) {
    for attempt in attempts {
        let answered = attempt.answer.get().is_some();
        let reply = attempt.send(app).expect("the server is back");
        if answered {
            assert_eq!(reply.header("idempotent-replayed"), Some("true"), "{attempt:?}");
        }
        let receipt = app.get(&format!("/commands/{}", attempt.id));
        match attempt.answer.get() {
            Some((200, body)) => assert_eq!(&receipt.body, body),
            _ => assert_eq!(receipt.expect(200)["status"], json!("rejected")),
        }
    }
}

/// What the bank must hold if each entry of its log was executed once, in order.
#[derive(Debug)]
struct Books {
    balances: Vec<u64>,
    /// The last entry that is in here.
    last: u64,
    ids: HashSet<Uuid>,
}

impl Books {
    fn open(bank: &App) -> Self {
        bank.deploy("bank");
        for n in 0..ACCOUNTS {
            let account = json!({ "account": n.to_string(), "owner": "o", "balance": BALANCE });
            bank.succeed("open-account", &account);
        }
        let balances = (0..ACCOUNTS).map(|_| BALANCE).collect();
        Self { balances, last: bank.sequence(), ids: HashSet::new() }
    }

    /// Executes what the log has beyond these books, and compares each outcome
    /// with its receipt, and the sums with what the bank says.
    fn assert_followed_by(&mut self, bank: &App, attempts: &HashMap<Uuid, Arc<Attempt>>) {
        let receipts = bank.receipts_after(self.last);
        assert_gapless(self.last, &receipts);
        self.last += receipts.len() as u64;
        for receipt in &receipts {
            let id = receipt["id"].as_str().unwrap().parse().unwrap();
            assert!(self.ids.insert(id), "it has two entries: {receipt}");
            self.execute(&attempts[&id], receipt);
        }
        assert_eq!(bank.sequence(), self.last);
        assert_eq!(self.ids.len(), attempts.len(), "one entry for each id");
        let total = json!({ "total": ACCOUNTS * BALANCE, "accounts": ACCOUNTS });
        assert_eq!(bank.ask("total", &json!({})), total);
        for (account, balance) in self.balances.iter().enumerate() {
            let shown = bank.ask("balance", &json!({ "account": account.to_string() }));
            assert_eq!(shown["balance"], json!(balance), "account {account}");
        }
    }

    fn execute(&mut self, attempt: &Attempt, receipt: &Json) {
        let [from, to] = [attempt.from, attempt.to].map(|account| account as usize);
        if self.balances[from] < attempt.amount {
            assert_eq!(receipt["failure"]["code"], json!("insufficient-funds"), "{attempt:?}");
            return;
        }
        self.balances[from] -= attempt.amount;
        self.balances[to] += attempt.amount;
        let result = json!({ "from": self.balances[from], "to": self.balances[to] });
        assert_eq!(receipt["result"], result, "{attempt:?}");
    }
}

#[test]
fn i1_i2_nothing_acknowledged_is_lost_and_nothing_runs_twice_when_the_process_is_killed() {
    let rounds = times("CHANCERY_KILLS", 50);
    let mut random = StdRng::seed_from_u64(seed());
    let mut server = Server::start();
    let mut books = Books::open(&server.app());
    let (ledger, answers) = (Ledger::default(), AtomicU64::new(0));
    for _ in 0..rounds {
        let known = ledger.after(0).len();
        let delay = Duration::from_millis(random.random_range(2..100));
        let seeds: Vec<u64> = (0..CLIENTS).map(|_| random.random()).collect();
        let apps: Vec<App> = seeds.iter().map(|_| server.app()).collect();
        std::thread::scope(|scope| {
            for (seed, app) in seeds.iter().zip(&apps) {
                let (ledger, answers) = (&ledger, &answers);
                scope.spawn(move || {
                    let mut random = StdRng::seed_from_u64(*seed);
                    submit_until_it_dies(app, ledger, &mut random, answers);
                });
            }
            std::thread::sleep(delay);
            server.kill();
        });
        if random.random_bool(0.2) {
            // Recovery may be cut off as well.
            server.kill_while_starting(Duration::from_millis(random.random_range(1..200)));
        }
        server = server.restart();
        let app = server.app();
        assert_kept(&app, &ledger.after(known));
        books.assert_followed_by(&app, &ledger.by_id());
    }
    let (attempts, answers) = (ledger.after(0), answers.into_inner());
    println!("{rounds} kills, {} transfers, {answers} answers before them", attempts.len());
    assert!(answers > 0, "no client got any answer");
    assert_kept(&server.app(), &attempts);
}

#[test]
fn i1_asked_to_end_it_answers_what_it_has_taken_and_ends_with_status_0() {
    let mut server = Server::start();
    let mut books = Books::open(&server.app());
    let (ledger, answers) = (Ledger::default(), AtomicU64::new(0));
    let apps: Vec<App> = (0..CLIENTS).map(|_| server.app()).collect();
    let status = std::thread::scope(|scope| {
        for (seed, app) in (0..CLIENTS).zip(&apps) {
            let (ledger, answers) = (&ledger, &answers);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed);
                submit_until_refused(app, ledger, &mut random, answers);
            });
        }
        while answers.load(Ordering::Relaxed) < 100 {
            std::thread::yield_now();
        }
        server.terminate()
    });
    assert_eq!(status, Some(0));
    let server = server.restart();
    let app = server.app();
    assert_kept(&app, &ledger.after(0));
    books.assert_followed_by(&app, &ledger.by_id());
}

/// As long as it is there a server that is about to end refuses with a reason.
fn submit_until_refused(app: &App, ledger: &Ledger, random: &mut StdRng, answers: &AtomicU64) {
    loop {
        let attempt = ledger.new_attempt(random);
        let Some(reply) = attempt.submit(app) else { return };
        if reply.status == 503 {
            let problem = reply.json();
            assert_eq!(
                (&problem["code"], &problem["outcome"]),
                (&json!("shutting-down"), &json!("not-logged"))
            );
            return;
        }
        assert!(matches!(reply.status, 200 | 409), "{reply:?}");
        attempt.answer.set((reply.status, reply.body)).expect("it is new");
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    let refused = server.second();
    let words = String::from_utf8_lossy(&refused.stderr);
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.status.code().is_some(), "it ended by itself");
    assert!(words.contains("in use by another server"), "{words}");
    assert!(words.contains(server.data().to_str().unwrap()), "{words}");
    assert_eq!(refused.stdout, b"", "it did not listen");
    assert_eq!(app.succeed("add", &json!({ "key": "a", "amount": 1 })), json!(1));
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
