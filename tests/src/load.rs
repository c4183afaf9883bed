//! Many clients at once, who write down what they send and what they are told.
//!
//! Each client is a connection; a thread has several, sends on all of them and then
//! reads from all of them. Some of what they send is new, some was sent a moment ago
//! by another, some long before. In the end [`Ledger::violations`] holds what they
//! were told against the log.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::history::{self, Answer, Call, Log, Logged, Read, Violation};
use crate::model::{Probe, Said};
use crate::wire::Wire;
use crate::{App, Reply, new_id, sequence_of};

/// Counters that commands add to: few, so that they depend on one another.
const COUNTERS: u32 = 16;

/// A command that some client has sent at least once.
#[derive(Debug)]
pub struct Attempt {
    /// Its id.
    pub id: Uuid,
    /// The command.
    pub name: &'static str,
    /// Its input.
    pub input: Json,
    body: Vec<u8>,
    /// Status and body of the first answer, hashed: from then on there is no other.
    first: OnceLock<(u16, u64)>,
}

impl Attempt {
    /// A command with a new id.
    #[must_use]
    pub fn new(name: &'static str, input: Json) -> Self {
        let body = json!({ "name": name, "input": input }).to_string().into_bytes();
        Self { id: new_id(), name, input, body, first: OnceLock::new() }
    }

    fn random(random: &mut StdRng) -> Self {
        let key = random.random_range(0..COUNTERS).to_string();
        match random.random_range(0..20) {
            0 => {
                let code = format!("no-{key}");
                Self::new("reject", json!({ "code": code, "message": "no", "event": "refused" }))
            }
            1 => Self::new("put", json!({ "key": key, "value": random.random::<u32>() })),
            _ => {
                let amount = random.random_range(1..1000);
                Self::new("add", json!({ "key": key, "amount": amount }))
            }
        }
    }

    /// Every answer that tells what came of it is the same, to the byte.
    fn hold_to(&self, reply: &Reply) {
        let mut hasher = DefaultHasher::new();
        reply.body.hash(&mut hasher);
        let this = (reply.status, hasher.finish());
        let first = self.first.get_or_init(|| this);
        assert_eq!(this, *first, "{} has two answers, one of them {reply:?}", self.id);
    }
}

/// What clients send.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// The share of what was sent a moment ago, by anyone.
    pub duplicates: f64,
    /// The share of what was answered before the last [`Ledger::mark`].
    pub late: f64,
    /// The share of queries.
    pub queries: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self { duplicates: 0.1, late: 0.0, queries: 0.1 }
    }
}

/// What clients were told, in numbers.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// New commands that were executed.
    pub executed: usize,
    /// What was answered before, and was answered again.
    pub replayed: usize,
    /// Those of them that had been answered before the mark.
    pub late: usize,
    /// Queries that were answered.
    pub queries: usize,
    /// Answers that did not say what came of it, by their codes; `gone` if there was
    /// none.
    pub others: BTreeMap<String, usize>,
}

impl Told {
    /// Adds up.
    pub fn add(&mut self, other: &Self) {
        self.executed += other.executed;
        self.replayed += other.replayed;
        self.late += other.late;
        self.queries += other.queries;
        for (code, number) in &other.others {
            *self.others.entry(code.clone()).or_default() += number;
        }
    }

    /// How often a code was answered.
    #[must_use]
    pub fn of(&self, code: &str) -> usize {
        self.others.get(code).copied().unwrap_or(0)
    }
}

/// Everything that was ever sent, by all clients, and what came back.
#[derive(Debug)]
pub struct Ledger {
    started: Instant,
    sent: Mutex<Vec<Arc<Attempt>>>,
    answered: Mutex<Vec<Arc<Attempt>>>,
    /// Nobody knows what became of these yet.
    open: Mutex<Vec<Arc<Attempt>>>,
    mark: AtomicUsize,
    clients: AtomicUsize,
    calls: Mutex<Vec<Call>>,
    reads: Mutex<Vec<Read>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            sent: Mutex::default(),
            answered: Mutex::default(),
            open: Mutex::default(),
            mark: AtomicUsize::new(0),
            clients: AtomicUsize::new(0),
            calls: Mutex::default(),
            reads: Mutex::default(),
        }
    }
}

impl Ledger {
    /// What has been answered up to here is old from now on.
    pub fn mark(&self) {
        self.mark.store(self.answered.lock().unwrap().len(), Ordering::Relaxed);
    }

    /// Commands that were ever sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Commands that were executed and answered.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// Sends one command, and gives the answer as it is; none if there was none.
    pub fn submit(&self, app: &App, attempt: &Arc<Attempt>) -> Option<Reply> {
        let invoked = self.now();
        let reply = app.try_command(attempt.id, attempt.name, &attempt.input, &[]).ok();
        let answer = reply.as_ref().map_or(Answer::Unknown, answer_of);
        if let (Answer::Done { .. }, Some(reply)) = (&answer, &reply) {
            attempt.hold_to(reply);
        }
        let call = self.call(attempt, invoked, answer);
        self.calls.lock().unwrap().push(call);
        reply
    }

    /// Clients on several threads who send until `go_on` says no, or until the server
    /// is gone.
    ///
    /// # Panics
    /// If one command has two answers, or an answer is none.
    #[must_use]
    pub fn run(
        &self,
        address: &str,
        clients: usize,
        seed: u64,
        mix: Mix,
        go_on: &(dyn Fn(&Told) -> bool + Sync),
    ) -> Told {
        let threads = clients.min(3);
        let mut told = Told::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|thread| {
                    let n_clients = clients / threads + usize::from(thread < clients % threads);
                    scope.spawn(move || {
                        let random = StdRng::seed_from_u64(seed.wrapping_add(thread as u64));
                        Hand::new(self, address, n_clients, random, mix).run(go_on)
                    })
                })
                .collect();
            for thread in threads {
                told.add(&thread.join().expect("a client"));
            }
        });
        told
    }

    /// Sends again what nobody knows the end of, until somebody does.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn resolve(&self, app: &App) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Some(attempt) = { self.open.lock().unwrap().pop() } {
            let reply = self.submit(app, &attempt);
            if !matches!(reply.as_ref().map(answer_of), Some(Answer::Done { .. })) {
                assert!(Instant::now() < deadline, "{}: {reply:?}", attempt.id);
                self.open.lock().unwrap().push(attempt);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Sends again everything that was ever answered; a share of it at least.
    #[must_use]
    pub fn replay(&self, address: &str, most: usize) -> usize {
        let all = self.answered.lock().unwrap().clone();
        let step = (all.len() / most.max(1)).max(1);
        let mut wire = Wire::connect(address).expect("a server");
        let mut replayed = 0;
        for attempt in all.iter().step_by(step) {
            let invoked = self.now();
            wire.send("PUT", &path_of(attempt.id), &attempt.body).expect("a server");
            let reply = wire.receive().expect("an answer");
            assert_eq!(reply.header("idempotent-replayed"), Some("true"), "{reply:?}");
            attempt.hold_to(&reply);
            let call = self.call(attempt, invoked, answer_of(&reply));
            self.calls.lock().unwrap().push(call);
            replayed += 1;
        }
        replayed
    }

    /// Holds everything that was sent and told against the log, which begins with
    /// the first of these receipts.
    #[must_use]
    pub fn violations(&self, receipts: &[Json]) -> Vec<Violation> {
        let sent = self.sent.lock().unwrap();
        let by_id: BTreeMap<Uuid, &Attempt> =
            sent.iter().map(|attempt| (attempt.id, &**attempt)).collect();
        let entries = receipts.iter().map(|receipt| logged(receipt, &by_id));
        let log = Log { entries: entries.collect(), rounds: Vec::new() };
        let (calls, reads) = (self.calls.lock().unwrap(), self.reads.lock().unwrap());
        history::check(&calls, &reads, &log, Probe::default())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).expect("a few centuries")
    }

    fn call(&self, attempt: &Attempt, invoked: u64, answer: Answer) -> Call {
        let (id, name, input) = (attempt.id, attempt.name.to_owned(), attempt.input.clone());
        Call { invoked, completed: self.now(), id, name, input, answer }
    }

    /// A command that was not sent before.
    #[must_use]
    pub fn add(&self, attempt: Attempt) -> Arc<Attempt> {
        let attempt = Arc::new(attempt);
        self.sent.lock().unwrap().push(Arc::clone(&attempt));
        attempt
    }

    /// One of the latest, so that many are still on their way.
    fn recent(&self, random: &mut StdRng) -> Option<Arc<Attempt>> {
        let sent = self.sent.lock().unwrap();
        let back = random.random_range(1..=100).min(sent.len());
        sent.get(sent.len() - back).cloned()
    }

    fn old(&self, random: &mut StdRng) -> Option<Arc<Attempt>> {
        let mark = self.mark.load(Ordering::Relaxed);
        let answered = self.answered.lock().unwrap();
        (mark > 0).then(|| Arc::clone(&answered[random.random_range(0..mark)]))
    }
}

/// What a client is waiting for.
enum Waiting {
    Command { attempt: Arc<Attempt>, kind: Kind, invoked: u64 },
    Query { invoked: u64 },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    New,
    Again,
    Late,
}

/// A thread with some clients.
struct Hand<'a> {
    ledger: &'a Ledger,
    address: &'a str,
    /// Each with its number.
    clients: Vec<(usize, Wire)>,
    random: StdRng,
    mix: Mix,
    calls: Vec<Call>,
    reads: Vec<Read>,
    told: Told,
}

impl<'a> Hand<'a> {
    fn new(
        ledger: &'a Ledger,
        address: &'a str,
        n_clients: usize,
        random: StdRng,
        mix: Mix,
    ) -> Self {
        let first = ledger.clients.fetch_add(n_clients, Ordering::Relaxed);
        let wires = (first..first + n_clients)
            .filter_map(|client| Some((client, Wire::connect(address).ok()?)));
        let clients = wires.collect();
        let (calls, reads, told) = (Vec::new(), Vec::new(), Told::default());
        Self { ledger, address, clients, random, mix, calls, reads, told }
    }

    fn run(mut self, go_on: &(dyn Fn(&Told) -> bool + Sync)) -> Told {
        while !self.clients.is_empty() && go_on(&self.told) {
            let clients = std::mem::take(&mut self.clients);
            let mut refused = 0;
            let sent: Vec<_> = clients.into_iter().map(|client| self.send(client)).collect();
            for (client, mut wire, waiting) in sent {
                match wire.as_mut().and_then(|wire| wire.receive().ok()) {
                    Some(reply) => {
                        refused += usize::from(reply.status == 503);
                        self.take(client, waiting, &reply);
                        self.clients.extend(wire.map(|wire| (client, wire)));
                    }
                    None => self.miss(client, waiting),
                }
            }
            if refused == self.clients.len() {
                // The server says so: try again in a moment.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.ledger.calls.lock().unwrap().append(&mut self.calls);
        self.ledger.reads.lock().unwrap().append(&mut self.reads);
        self.told
    }

    fn send(&mut self, (client, mut wire): (usize, Wire)) -> (usize, Option<Wire>, Waiting) {
        if self.random.random_bool(self.mix.queries) {
            let invoked = self.ledger.now();
            let sent = wire.send("POST", "/v1/apps/main/queries/sum", b"{}");
            return (client, sent.is_ok().then_some(wire), Waiting::Query { invoked });
        }
        let (attempt, kind) = self.choose();
        let invoked = self.ledger.now();
        let sent = wire.send("PUT", &path_of(attempt.id), &attempt.body);
        let waiting = Waiting::Command { attempt, kind, invoked };
        (client, sent.is_ok().then_some(wire), waiting)
    }

    fn choose(&mut self) -> (Arc<Attempt>, Kind) {
        if let Some(open) = { self.ledger.open.lock().unwrap().pop() } {
            return (open, Kind::Again);
        }
        let which: f64 = self.random.random();
        let again = match which {
            _ if which < self.mix.late => {
                self.ledger.old(&mut self.random).map(|attempt| (attempt, Kind::Late))
            }
            _ if which < self.mix.late + self.mix.duplicates => {
                self.ledger.recent(&mut self.random).map(|attempt| (attempt, Kind::Again))
            }
            _ => None,
        };
        again.unwrap_or_else(|| (self.ledger.add(Attempt::random(&mut self.random)), Kind::New))
    }

    fn take(&mut self, client: usize, waiting: Waiting, reply: &Reply) {
        match waiting {
            Waiting::Query { invoked } if reply.status == 200 => {
                let sequence = reply.header("chancery-sequence").and_then(|text| text.parse().ok());
                let (name, input) = ("sum".to_owned(), json!({}));
                let (sequence, result) = (sequence.expect("a sequence"), reply.json());
                self.reads.push(Read { client, invoked, name, input, sequence, result });
                self.told.queries += 1;
            }
            Waiting::Query { .. } => {
                *self.told.others.entry(format!("query: {}", reply.code())).or_default() += 1;
            }
            Waiting::Command { attempt, kind, invoked } => {
                let answer = answer_of(reply);
                match &answer {
                    Answer::Done { .. } => self.done(&attempt, kind, reply),
                    Answer::Logged { .. } => {
                        *self.told.others.entry("logged".to_owned()).or_default() += 1;
                        self.ledger.open.lock().unwrap().push(Arc::clone(&attempt));
                    }
                    Answer::NotLogged | Answer::Unknown => {
                        *self.told.others.entry(reply.code()).or_default() += 1;
                        self.ledger.open.lock().unwrap().push(Arc::clone(&attempt));
                    }
                }
                self.calls.push(self.ledger.call(&attempt, invoked, answer));
            }
        }
    }

    fn done(&mut self, attempt: &Arc<Attempt>, kind: Kind, reply: &Reply) {
        let is_first = attempt.first.get().is_none();
        attempt.hold_to(reply);
        let replayed = reply.header("idempotent-replayed") == Some("true");
        self.told.executed += usize::from(!replayed);
        self.told.replayed += usize::from(replayed);
        self.told.late += usize::from(kind == Kind::Late);
        assert!(replayed || kind != Kind::Late, "an old command ran again: {reply:?}");
        if is_first {
            self.ledger.answered.lock().unwrap().push(Arc::clone(attempt));
        }
    }

    /// There was no answer. If there is still a server, the client connects again.
    fn miss(&mut self, client: usize, waiting: Waiting) {
        *self.told.others.entry("gone".to_owned()).or_default() += 1;
        if let Waiting::Command { attempt, invoked, .. } = waiting {
            self.calls.push(self.ledger.call(&attempt, invoked, Answer::Unknown));
            self.ledger.open.lock().unwrap().push(attempt);
        }
        let wire = Wire::connect(self.address).ok();
        self.clients.extend(wire.map(|wire| (client, wire)));
    }
}

fn path_of(id: Uuid) -> String {
    format!("/v1/apps/main/commands/{id}")
}

/// What a reply says of a command.
///
/// # Panics
/// If it says nothing of one.
#[must_use]
pub fn answer_of(reply: &Reply) -> Answer {
    let json = reply.json();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    match (reply.status, json["outcome"].as_str()) {
        (200, _) => {
            let said = Said::Succeeded(json["result"].clone());
            Answer::Done { sequence: sequence_of(&json), said }
        }
        (202, _) => Answer::Logged { sequence: sequence_of(&json) },
        // It was executed, and the disk does not tell how it ended.
        (500, Some("executed")) if json["code"] == "storage" => Answer::Unknown,
        (status @ (409 | 500), Some("executed")) => {
            let said = if status == 409 { Said::Rejected } else { Said::Failed };
            Answer::Done { sequence: sequence_of(&json), said: said(text("code")) }
        }
        (500 | 503, Some("not-logged")) => Answer::NotLogged,
        (500 | 503, Some("unknown")) => Answer::Unknown,
        _ => panic!("no answer to a command: {reply:?}, {json}"),
    }
}

fn logged(receipt: &Json, sent: &BTreeMap<Uuid, &Attempt>) -> Logged {
    let id: Uuid = receipt["id"].as_str().expect("an id").parse().expect("a UUID");
    let code = || receipt["failure"]["code"].as_str().expect("a code").to_owned();
    let said = match receipt["status"].as_str().expect("a status") {
        "succeeded" => Some(Said::Succeeded(receipt["result"].clone())),
        "rejected" => Some(Said::Rejected(code())),
        "failed" => Some(Said::Failed(code())),
        _ => None,
    };
    // A command that was cut off by too many deaths is not the model's business.
    let poisoned = said == Some(Said::Failed("poisoned".to_owned()));
    let command = (receipt["kind"] == json!("command") && !poisoned).then(|| {
        let name = receipt["name"].as_str().expect("a name").to_owned();
        // Receipts do not have the input; it was compared with the first at each
        // submission, by the server.
        (name, sent.get(&id).map_or(Json::Null, |attempt| attempt.input.clone()))
    });
    Logged { sequence: sequence_of(receipt), id, command, said }
}
