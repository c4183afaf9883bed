//! Reactions on a disk that loses power, dies and fails: whatever happens, what follows
//! from an event is done exactly once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chancery::clock::{Clock, Manual};
use chancery::engine::{App, At, CommandRequest, Engine, Progressed, Upload};
use chancery::record::Act;
use chancery::transaction::timers::timer_count;
use chancery::value::CommandId;
use chancery_tests::disk::{Errno, Fault, Kind, SimDisk, Survival};
use chancery_tests::explore::{Tuning, World};
use chancery_tests::rig::{PATIENCE, code, name, result};
use chancery_tests::{block_on, guest, id_at, seed, text, times};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

use super::WALL_MS;

const SUBJECTS: [&str; 4] = ["a", "b", "c", "d"];

struct Life<'a> {
    world: &'a World,
    disk: SimDisk,
    engine: Option<Engine>,
    clock: Clock,
    hands: Arc<Manual>,
    random: StdRng,
}

impl Life<'_> {
    fn app(&self) -> Arc<App> {
        self.engine.as_ref().expect("it runs").app("main").expect("the app")
    }

    async fn action(&mut self) {
        self.hands.advance(Duration::from_millis(self.random.random_range(0..300)));
        let subject = *SUBJECTS.choose(&mut self.random).expect("some");
        match self.random.random_range(0..100) {
            0..25 => self.send("emit", json!({ "type": "work", "data": {} })).await,
            25..45 => self.send("emit", json!({ "type": "react.wait", "subject": subject })).await,
            45..48 => self.send("allow", json!(subject)).await,
            48..85 => self.turn(),
            85..95 => self.restart(),
            _ => {
                let kinds = [Some(Kind::Sync), Some(Kind::Write), None];
                let (kind, nth) =
                    (kinds[self.random.random_range(0..3)], self.random.random_range(1..20));
                self.disk.fail(Fault { kind, nth, sticky: false, error: Errno::Io });
            }
        }
    }

    /// Whatever comes of it.
    async fn send(&self, command: &str, input: Json) {
        let request = CommandRequest {
            id: CommandId::new(id_at(self.clock.wall_ms())).expect("an id with a time"),
            name: command.to_owned(),
            input: text(&input),
            basis: None,
            unchanged: Vec::new(),
            caller: None,
            correlation_id: None,
            causation_id: None,
            metadata: "{}".into(),
        };
        let app = self.app();
        if let Ok(submitted) = app.submit(request)
            && let Ok(Progressed::Done(receipt)) = app.progress(&submitted, PATIENCE).await
        {
            drop(result(&receipt));
        }
    }

    fn turn(&self) {
        let app = self.app();
        std::thread::scope(|scope| {
            let turn = || {
                app.reactor().react(&|| false);
                app.pump().pump(self.clock.wall_ms());
            };
            let thread = std::thread::Builder::new().stack_size(16 << 20);
            thread.spawn_scoped(scope, turn).expect("a thread").join().expect("no panic");
        });
    }

    fn restart(&mut self) {
        let engine = self.engine.take().expect("it runs");
        self.disk = match Survival::ALL.choose(&mut self.random) {
            Some(survival) if self.random.random_bool(0.7) => {
                let survival = *survival;
                self.disk.crash(survival, &mut self.random).recorded()
            }
            _ => self.disk.kill(),
        };
        drop(engine);
        self.disk.heal();
        self.engine = Some(open(self.world, &self.disk, &self.clock));
    }

    /// Allows everything, retries what is dead, and compares what followed with what
    /// happened.
    async fn check(&mut self) {
        self.disk.heal();
        self.restart();
        for subject in SUBJECTS {
            self.send("allow", json!(subject)).await;
        }
        let app = self.app();
        let settled = async {
            loop {
                self.turn();
                self.hands.advance(Duration::from_millis(50));
                tokio::time::sleep(Duration::from_millis(1)).await;
                let letters = app.dead_letters(At::default(), None, None, 1000).await;
                let letters = letters.expect("a page").letters;
                for dead in &letters {
                    // Those that wait are refused, and come by themselves.
                    drop(app.retry_dead_letter(&dead.addressee.to_string(), dead.position).await);
                }
                let list = app.reactions(At::default()).await.expect("a list");
                let notes = notes(&app).len();
                let waiting = timer_count(&app.snapshots().current().state);
                let expected = expected(&app);
                if letters.is_empty() && waiting == 0 && notes >= expected.len() {
                    assert_eq!(list.last, app.events().last());
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE * 2, settled).await.expect("all is handled");
        assert_eq!(notes(&app), expected(&app));
        let receipts = app.receipts(None, None, 100_000, 1 << 30).expect("a page").receipts;
        for receipt in &receipts {
            if let Act::Command(command) = &receipt.entry.act
                && command.name.as_str() == "note"
            {
                assert_eq!(code(receipt), "succeeded", "done twice: {receipt:?}");
            }
        }
    }
}

/// The keys of all notes there are.
fn notes(app: &App) -> BTreeSet<String> {
    let state = &app.snapshots().current().state;
    let table = state.table("notes").expect("the table");
    let rows = table.scan(&chancery::state::Range::all(), chancery::state::Order::Ascending);
    rows.map(|row| row.key.to_owned()).collect()
}

/// Those there should be, by the events.
fn expected(app: &App) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for position in 1..=app.events().last().0 {
        let event = app.events().event(chancery::value::Position(position));
        let event = event.expect("readable").expect("there");
        match &*event.event_type {
            "work" => {
                expected.insert(format!("works-{position:08}-0"));
                expected.insert(format!("late-{position:08}-0"));
            }
            "react.wait" => drop(expected.insert(format!("waited-{position:08}"))),
            _ => {}
        }
    }
    expected
}

fn open(world: &World, disk: &SimDisk, clock: &Clock) -> Engine {
    let tuning = Tuning { segment_bytes: 8 << 10, lingers: false, retains: false };
    let engine = Engine::open_with(world.host.clone(), tuning.settings(disk), clock.clone());
    engine.expect("it opens")
}

/// `CHANCERY_LIVES` lives of `CHANCERY_TURNS` turns each.
#[test]
fn i1_i5_what_follows_from_an_event_is_done_once_through_any_crash() {
    let world = World::new();
    let (seed, lives) = (seed(), times("CHANCERY_LIVES", 4));
    for life in 0..lives as u64 {
        let mut random = StdRng::seed_from_u64(seed + life);
        let disk = SimDisk::new();
        disk.seed(random.random());
        let (clock, hands) = Clock::manual(WALL_MS);
        let engine = open(&world, &disk, &clock);
        let (app, _) = engine.create(&name("main")).expect("an app");
        block_on(async {
            let upload = Upload::Bytes(guest("follower").into());
            app.deploy(&name("follower"), upload).await.expect("deployed");
            drop(app);
            let mut life = Life { world: &world, disk, engine: Some(engine), clock, hands, random };
            for _ in 0..times("CHANCERY_TURNS", 120) {
                life.action().await;
            }
            life.check().await;
        });
        println!("life {life}: well");
    }
}
