//! Timers on a disk that loses power, dies and fails: whatever happens, each that was
//! acknowledged fires exactly once or was cancelled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chancery::clock::Clock;
use chancery::engine::{App, Engine, Progressed, Upload};
use chancery::record::Act;
use chancery::transaction::timers::timer_count;
use chancery_tests::disk::{Errno, Fault, Kind, SimDisk, Survival};
use chancery_tests::explore::{Tuning, World};
use chancery_tests::rig::{PATIENCE, code, name, result};
use chancery_tests::{Uuid, block_on, id_at, seed, text, times};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

use super::{WALL_MS, uuid_of};

struct Life<'a> {
    world: &'a World,
    disk: SimDisk,
    engine: Option<Engine>,
    hands: std::sync::Arc<chancery::clock::Manual>,
    clock: Clock,
    random: StdRng,
    /// Counters of the timers that were sent, by the id of what scheduled them.
    sent: BTreeMap<Uuid, String>,
    /// Those of which a receipt was seen.
    acknowledged: BTreeSet<Uuid>,
    /// Timers that are known.
    timers: Vec<Uuid>,
}

fn settings(disk: &SimDisk) -> chancery::engine::Settings {
    let tuning = Tuning { segment_bytes: 8 << 10, lingers: false, retains: false };
    tuning.settings(disk)
}

impl Life<'_> {
    fn app(&self) -> std::sync::Arc<App> {
        self.engine.as_ref().expect("it runs").app("main").expect("the app")
    }

    async fn turn(&mut self) {
        let passed = self.random.random_range(0..2_000);
        self.hands.advance(Duration::from_millis(passed));
        match self.random.random_range(0..100) {
            0..45 => self.schedule().await,
            45..55 => self.cancel().await,
            55..85 => drop(self.app().pump().pump(self.clock.wall_ms())),
            85..90 => self.restart(None),
            90..96 => {
                let survival = *Survival::ALL.choose(&mut self.random).expect("some");
                self.restart(Some(survival));
            }
            _ => {
                let nth = self.random.random_range(1..20);
                let kind =
                    [Some(Kind::Sync), Some(Kind::Write), None][self.random.random_range(0..3)];
                self.disk.fail(Fault { kind, nth, sticky: false, error: Errno::Io });
            }
        }
    }

    async fn schedule(&mut self) {
        let id = id_at(self.clock.wall_ms());
        let key = format!("t{}", self.sent.len());
        let in_ms = self.random.random_range(-500..8_000);
        let add = json!({ "key": key, "amount": 1 });
        self.sent.insert(id, key);
        let timer = match self.random.random_bool(0.5) {
            true => {
                let input = json!({ "in_ms": in_ms, "command": "add", "input": add });
                self.send(id, "schedule", &input, None).await
            }
            false => {
                let at_ms = self.clock.wall_ms().saturating_add_signed(in_ms);
                self.send(id, "add", &add, Some(at_ms)).await.map(|result| result["timer"].clone())
            }
        };
        if let Some(timer) = timer {
            self.acknowledged.insert(id);
            self.timers.push(uuid_of(&timer));
        }
    }

    async fn cancel(&mut self) {
        let Some(timer) = self.timers.choose(&mut self.random).copied() else { return };
        if self.random.random_bool(0.5) {
            let input = json!({ "id": timer.to_string() });
            self.send(id_at(self.clock.wall_ms()), "cancel-timer", &input, None).await;
        } else {
            let app = self.app();
            let cancelled = app.cancel_timer(timer);
            drop(tokio::time::timeout(PATIENCE, cancelled).await.expect("an answer"));
        }
    }

    /// The result, unless it was refused or nobody knows.
    async fn send(
        &self,
        id: Uuid,
        command: &str,
        input: &Json,
        at_ms: Option<u64>,
    ) -> Option<Json> {
        let request = chancery::engine::CommandRequest {
            id: chancery::value::CommandId::new(id).expect("an id with a time"),
            name: command.to_owned(),
            input: text(input),
            basis: None,
            unchanged: Vec::new(),
            caller: None,
            correlation_id: None,
            causation_id: None,
            metadata: "{}".into(),
        };
        let app = self.app();
        let submitted = match at_ms {
            None => app.submit(request),
            Some(at_ms) => app.schedule(request, at_ms),
        };
        match app.progress(&submitted.ok()?, PATIENCE).await.ok()? {
            Progressed::Done(receipt) => Some(result(&receipt)),
            Progressed::Logged { .. } => None,
        }
    }

    /// In order, or after a loss of power or the death of the process.
    fn restart(&mut self, end: Option<Survival>) {
        let engine = self.engine.take().expect("it runs");
        match end {
            None if self.disk.failed().is_empty() => {
                close(&engine, &self.hands);
                drop(engine);
                self.disk = self.disk.reborn();
            }
            None => {
                self.disk = self.disk.kill();
                drop(engine);
            }
            Some(survival) => {
                self.disk = self.disk.crash(survival, &mut self.random).recorded();
                drop(engine);
            }
        }
        self.disk.heal();
        self.engine = Some(open(self.world, &self.disk, &self.clock));
    }

    /// Lets everything fire, and compares what the log says with what the state does.
    async fn check(&mut self) {
        self.disk.heal();
        self.restart(Some(Survival::Everything));
        self.hands.advance(Duration::from_secs(3600));
        let app = self.app();
        // What had no outcome runs once the app is open, and may not be counted yet when this
        // looks first; and a state is published a moment before the receipts of its entries
        // are. So both are looked at until they agree.
        let settled = async {
            loop {
                app.pump().pump(self.clock.wall_ms());
                tokio::time::sleep(Duration::from_millis(1)).await;
                let page = app.receipts(None, None, 100_000, 1 << 30).expect("a page");
                let state = &app.snapshots().current().state;
                let is_over =
                    timer_count(state) == 0 && state.sequence() == app.lane().last_sequence();
                let last = page.receipts.iter().map(|receipt| receipt.entry.sequence).max();
                let has_all = last == Some(state.sequence());
                if is_over && has_all && page.receipts.iter().all(|it| it.outcome.is_some()) {
                    break page.receipts;
                }
            }
        };
        let receipts = tokio::time::timeout(PATIENCE, settled).await.expect("all fire");
        let (mut scheduled, mut fired, mut cancelled) =
            (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut given_up = BTreeSet::new();
        for receipt in &receipts {
            let entry = &receipt.entry;
            let succeeded = code(receipt) == "succeeded";
            match &entry.act {
                Act::Command(command) if command.scheduled_for_ms.is_some() => {
                    assert!(command.scheduled_for_ms <= Some(entry.time_ms), "early: {receipt:?}");
                    let seen = fired.insert(entry.id, succeeded);
                    assert_eq!(seen, None, "twice in the log");
                    // Lives end while it runs, by chance so often that it is given up.
                    if code(receipt) == "poisoned" {
                        given_up.insert(entry.id);
                        continue;
                    }
                    assert!(succeeded || code(receipt) == "timer-cancelled", "{receipt:?}");
                }
                Act::Command(command) if command.name.as_str() == "schedule" => {
                    scheduled.insert(entry.id, uuid_of(&result(receipt)));
                }
                Act::Schedule(_) => {
                    scheduled.insert(entry.id, uuid_of(&result(receipt)["timer"]));
                }
                Act::Command(command) if result(receipt) == json!(true) => {
                    let input: Json = serde_json::from_str(&command.input).expect("JSON");
                    assert!(cancelled.insert(uuid_of(&input["id"])), "cancelled twice");
                }
                Act::Cancel { timer } if succeeded => {
                    assert!(cancelled.insert(*timer), "cancelled twice");
                }
                _ => {}
            }
        }
        for id in &self.acknowledged {
            assert!(scheduled.contains_key(id), "I1: {id} was acknowledged and is not there");
        }
        let state = &app.snapshots().current().state;
        let counters = state.table("counters").expect("the table");
        for (id, timer) in scheduled.iter().filter(|(_, timer)| !given_up.contains(*timer)) {
            let has_fired = fired.get(timer) == Some(&true);
            let was_cancelled = cancelled.contains(timer);
            // With all that the log says of it.
            let of_it = || {
                let (id, timer) = (id.to_string(), timer.to_string());
                let all = receipts.iter().map(|receipt| format!("{receipt:?}"));
                let about = all.filter(|text| text.contains(&id) || text.contains(&timer));
                about.collect::<Vec<_>>().join("\n")
            };
            let ended = has_fired != was_cancelled;
            assert!(ended, "{timer}: {has_fired}, {was_cancelled}\n{}", of_it());
            let counted = counters.get(&self.sent[id]).map(|value| format!("{value:?}"));
            let wanted = has_fired.then(|| format!("{:?}", chancery::state::ValueRef::Json("1")));
            assert_eq!(counted, wanted, "{timer}");
        }
    }
}

fn open(world: &World, disk: &SimDisk, clock: &Clock) -> Engine {
    let engine = Engine::open_with(world.host.clone(), settings(disk), clock.clone());
    engine.expect("it opens")
}

/// Closes while time passes: by a clock that stands, waiting has no end.
fn close(engine: &Engine, hands: &chancery::clock::Manual) {
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(10));
                hands.advance(Duration::from_millis(10));
            }
        });
        engine.close(PATIENCE);
        over.store(true, std::sync::atomic::Ordering::Release);
    });
}

/// `CHANCERY_LIVES` lives of `CHANCERY_TURNS` turns each.
#[test]
fn i1_i5_each_timer_fires_once_or_was_cancelled_through_any_crash() {
    let world = World::new();
    let (seed, lives) = (seed(), times("CHANCERY_LIVES", 6));
    for life in 0..lives as u64 {
        let mut random = StdRng::seed_from_u64(seed + life);
        let disk = SimDisk::new();
        disk.seed(random.random());
        let (clock, hands) = Clock::manual(WALL_MS);
        let engine = open(&world, &disk, &clock);
        let (app, _) = engine.create(&name("main")).expect("an app");
        block_on(async {
            let upload = Upload::Bytes(world.guest("probe"));
            app.deploy(&name("probe"), upload).await.expect("deployed");
            drop(app);
            let mut life = Life {
                world: &world,
                disk,
                engine: Some(engine),
                hands,
                clock,
                random,
                sent: BTreeMap::new(),
                acknowledged: BTreeSet::new(),
                timers: Vec::new(),
            };
            for _ in 0..times("CHANCERY_TURNS", 120) {
                life.turn().await;
            }
            life.check().await;
        });
        println!("life {life}: well");
    }
}
