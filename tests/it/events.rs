//! Reading events: every page is what a list of all events would give, wherever the
//! events are by then, in memory, in the log or in the archive, and whatever happened
//! to what is indexed of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chancery::checkpoint::AtOnce;
use chancery::clock::{Clock, Manual};
use chancery::events::{Error, Events, Filter, Limits};
use chancery::state::Order;
use chancery::value::{Pattern, Position, Sequence, StoredEvent};
use chancery_tests::rig::{PATIENCE, Rig, code};
use chancery_tests::{block_on, id_at};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3600);
const WALL_MS: u64 = 1_800_000_000_000;
const TYPES: [&str; 6] =
    ["order.placed", "order.paid", "order.item.added", "order", "stock.low", "orders.counted"];
const PATTERNS: [&str; 9] = [
    "order.placed",
    "order.*",
    "order.**",
    "order",
    "**",
    "*.low",
    "order.item.*",
    "none.such",
    "stock.**",
];

/// Small files, and upkeep when it is told.
fn rig(clock: Clock) -> Rig {
    Rig::with_clock(clock, |settings| {
        settings.tended = false;
        settings.log.segment_bytes = 64 << 10;
        settings.lane.window = HOUR;
        settings.keeper.receipts_keep = HOUR * 2;
        settings.keeper.payloads_keep = HOUR * 2;
        settings.keeper.checkpoint_bytes = 8 << 10;
    })
}

fn tend(rig: &Rig) {
    rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
}

/// What the list of all events says of one.
#[derive(Debug, Clone)]
struct Known {
    event_type: &'static str,
    subject: Option<String>,
    data: String,
    sequence: Sequence,
    time_ms: u64,
    command_id: Uuid,
    correlation_id: String,
    erased: bool,
}

/// An app, and the list of its events.
struct Model {
    rig: Rig,
    clock: Clock,
    hands: Arc<Manual>,
    random: StdRng,
    known: Vec<Known>,
}

impl Model {
    async fn new(seed: u64) -> Self {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = rig(clock.clone());
        rig.deploy("probe", "probe").await;
        Self { rig, clock, hands, random: StdRng::seed_from_u64(seed), known: Vec::new() }
    }

    async fn emit(&mut self) {
        let id = id_at(self.clock.wall_ms());
        let event_type = TYPES[self.random.random_range(0..TYPES.len())];
        let subject = self.random.random_bool(0.7);
        let subject = subject.then(|| format!("order/{}", self.random.random_range(0..5)));
        let n = self.known.len() + 1;
        let input = json!({ "type": event_type, "data": { "n": n }, "subject": subject });
        let mut request = self.rig.request(id, "emit", &input);
        let chain = self.random.random_bool(0.3);
        let chain = chain.then(|| format!("chain-{}", self.random.random_range(0..4)));
        request.correlation_id = chain.as_deref().map(Arc::from);
        let receipt = self.rig.done(&self.rig.app.submit(request).expect("a place")).await;
        assert_eq!(code(&receipt), "succeeded");
        self.known.push(Known {
            event_type,
            subject,
            data: json!({ "n": n }).to_string(),
            sequence: receipt.entry.sequence,
            time_ms: receipt.entry.time_ms,
            command_id: id,
            correlation_id: chain.unwrap_or_else(|| id.to_string()),
            erased: false,
        });
    }

    async fn put(&self) {
        let id = id_at(self.clock.wall_ms());
        let row = json!({ "key": "k", "value": "x".repeat(300) });
        self.rig.command_with(id, "put", row).await;
    }

    async fn erase(&mut self) {
        let n = self.random.random_range(0..self.known.len());
        let known = &mut self.known[n];
        if self.rig.app.erase(known.command_id).await.is_ok() {
            known.erased = true;
        }
    }

    fn expected(&self, from: u64, order: Order, filter: &Filter) -> Vec<u64> {
        let positions = 1..=self.known.len() as u64;
        let wanted = |position: &u64| {
            let known = &self.known[usize::try_from(*position).expect("small") - 1];
            let has_type = filter.types.is_empty()
                || filter.types.iter().any(|pattern| pattern.matches(known.event_type));
            let subject = known.subject.as_deref().filter(|_| !known.erased);
            has_type && filter.subject.as_deref().is_none_or(|of| subject == Some(of))
        };
        match order {
            Order::Ascending => positions.filter(|n| *n >= from).filter(wanted).collect(),
            Order::Descending => positions.rev().filter(|n| *n <= from).filter(wanted).collect(),
        }
    }

    fn check_event(&self, event: &StoredEvent) {
        let known = &self.known[usize::try_from(event.position.0).expect("small") - 1];
        assert_eq!((&*event.event_type, event.erased), (known.event_type, known.erased));
        assert_eq!((event.sequence, event.time_ms), (known.sequence, known.time_ms));
        assert_eq!(event.command_id, known.command_id);
        assert_eq!(event.id, Uuid::new_v5(&known.command_id, b"event/0"));
        assert_eq!(event.module.as_ref().expect("a module").as_str(), "probe");
        if known.erased {
            assert_eq!((&*event.data, event.subject.as_ref()), ("null", None));
            assert_eq!(*event.correlation_id, *known.command_id.to_string());
        } else {
            assert_eq!(
                (&*event.data, event.subject.as_deref()),
                (&*known.data, known.subject.as_deref())
            );
            assert_eq!(*event.correlation_id, *known.correlation_id);
        }
    }

    /// Pages of random size from random places, to their ends.
    fn check(&mut self) {
        let events = Arc::clone(self.rig.app.events());
        let last = self.known.len() as u64;
        assert_eq!(events.last(), Position(last));
        for _ in 0..12 {
            let n = self.random.random_range(0..self.known.len());
            let id = Uuid::new_v5(&self.known[n].command_id, b"event/0");
            let event = events.with_id(id).expect("readable").expect("it is there");
            assert_eq!(event.position, Position(n as u64 + 1));
            self.check_event(&event);
        }
        assert_eq!(events.with_id(Uuid::now_v7()).expect("readable"), None);
        for _ in 0..12 {
            let pick = |random: &mut StdRng| {
                PATTERNS[random.random_range(0..PATTERNS.len())]
                    .parse::<Pattern>()
                    .expect("a pattern")
            };
            let n_types = self.random.random_range(0..3);
            let types = (0..n_types).map(|_| pick(&mut self.random)).collect();
            let subject = self.random.random_bool(0.3);
            let subject =
                subject.then(|| format!("order/{}", self.random.random_range(0..6)).into());
            let filter = Filter { types, subject };
            let from = self.random.random_range(0..last + 3);
            let order = match self.random.random_bool(0.5) {
                true => Order::Ascending,
                false => Order::Descending,
            };
            let limit = self.random.random_range(1..40);
            let found = all(&events, Position(from), order, &filter, limit);
            let found = found.expect("readable");
            found.iter().for_each(|event| self.check_event(event));
            let positions: Vec<u64> = found.iter().map(|event| event.position.0).collect();
            assert_eq!(
                positions,
                self.expected(from, order, &filter),
                "{filter:?} {from} {order:?}"
            );
        }
        let time_ms = WALL_MS + self.random.random_range(0..20) * 1000;
        let at = self.known.iter().filter(|known| known.time_ms < time_ms).count() as u64 + 1;
        assert_eq!(events.position_at(time_ms).expect("readable"), Position(at));
        for chain in 0..4 {
            let id = format!("chain-{chain}");
            let expected = self.known.iter().filter(|known| known.correlation_id == id);
            let found = events.correlated(&id, 10_000).expect("readable");
            // What was erased is found until it is indexed again.
            for known in expected.clone().filter(|known| !known.erased) {
                assert!(found.contains(&known.sequence), "{known:?}");
            }
            let expected: Vec<_> = expected.map(|known| known.sequence).collect();
            assert!(found.iter().all(|found| expected.contains(found)), "{found:?}");
        }
    }

    fn restart(self, before: impl FnOnce(&Rig)) -> Self {
        self.rig.engine.close(PATIENCE);
        before(&self.rig);
        Self { rig: self.rig.open_again(|_| ()), ..self }
    }
}

/// All pages after each other.
fn all(
    events: &Events,
    from: Position,
    order: Order,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Arc<StoredEvent>>, Error> {
    let (mut found, mut next) = (Vec::new(), Some(from));
    while let Some(from) = next {
        let page = events.page(from, order, filter, Limits::of(limit))?;
        assert!(page.events.len() <= limit && (page.next.is_none() || !page.events.is_empty()));
        found.extend(page.events);
        next = page.next;
    }
    Ok(found)
}

fn runs(rig: &Rig) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(rig.app_directory().join("postings")).expect("postings");
    let mut runs: Vec<_> = runs.map(|run| run.expect("a run").path()).collect();
    runs.sort();
    runs
}

#[test]
fn pages_are_what_a_list_of_all_events_would_give() {
    let seed = std::env::var("CHANCERY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random);
    println!("CHANCERY_SEED={seed}");
    block_on(async {
        let mut model = Model::new(seed).await;
        for round in 0..12_u64 {
            for n in 0..60 {
                model.emit().await;
                if n % 4 == 0 {
                    model.put().await;
                    model.hands.advance(Duration::from_secs(1));
                }
            }
            model.check();
            model.erase().await;
            tend(&model.rig);
            model.check();
            if round % 3 == 2 {
                model = model.restart(|_| ());
                model.check();
            }
            model.hands.advance(HOUR / 2);
        }
        let archived = model.rig.app.keeper().archive().last().expect("readable");
        assert!(archived > Position(100), "{archived}");
        assert!(model.rig.app.lane().receipts().first() > Sequence(100));
        // Nothing is indexed any more: made again from archive and log.
        model = model.restart(|rig| {
            std::fs::remove_dir_all(rig.app_directory().join("postings")).expect("removed");
        });
        model.check();
        // Each run in turn.
        for at in 0..runs(&model.rig).len() {
            model = model.restart(|rig| {
                if let Some(path) = runs(rig).get(at) {
                    std::fs::remove_file(path).expect("removed");
                }
            });
            model.check();
        }
    });
}

#[test]
fn i11_what_is_indexed_and_damaged_is_refused_or_made_again() {
    block_on(async {
        let mut model = Model::new(11).await;
        for round in 0..8_u64 {
            for n in 0..60 {
                model.emit().await;
                if n % 4 == 0 {
                    model.put().await;
                }
            }
            tend(&model.rig);
            // One run of it is about what the log no longer has.
            model.hands.advance(if round < 4 { HOUR } else { Duration::ZERO });
        }
        model.rig.app.keeper().checkpoint(&mut AtOnce).expect("a checkpoint");
        model.check();
        let whole = runs(&model.rig);
        assert!(!whole.is_empty());
        for path in whole {
            // Those after one that was made again were made again with it.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            for _ in 0..10 {
                let mut damaged = bytes.clone();
                let bit = model.random.random_range(0..damaged.len() * 8);
                damaged[bit / 8] ^= 1 << (bit % 8);
                // While the server runs: refused, or not touched by what is read.
                std::fs::write(&path, &damaged).expect("written");
                for pattern in PATTERNS {
                    let types = vec![pattern.parse().expect("a pattern")];
                    let filter = Filter { types, subject: None };
                    let events = model.rig.app.events();
                    match all(events, Position(1), Order::Ascending, &filter, 100) {
                        Ok(found) => {
                            let found: Vec<_> =
                                found.iter().map(|event| event.position.0).collect();
                            assert_eq!(found, model.expected(1, Order::Ascending, &filter));
                        }
                        Err(error) => assert!(matches!(error, Error::Index(_)), "{error:?}"),
                    }
                }
                let n = model.random.random_range(0..model.known.len());
                let id = Uuid::new_v5(&model.known[n].command_id, b"event/0");
                match model.rig.app.events().with_id(id) {
                    Ok(found) => model.check_event(&found.expect("it is there")),
                    Err(error) => assert!(matches!(error, Error::Index(_)), "{error:?}"),
                }
                std::fs::write(&path, &bytes).expect("written");
            }
            // Found by the scrub, which makes it again.
            let mut damaged = bytes.clone();
            let last = damaged.len() - 1;
            damaged[last] ^= 1;
            std::fs::write(&path, &damaged).expect("written");
            assert_eq!(model.rig.app.keeper().scrub_all(&mut AtOnce), Vec::<String>::new());
            assert!(std::fs::read(&path).expect("a run") != damaged, "written anew");
            model.check();
            // While it does not run: set aside, and made again.
            model = model.restart(|_| std::fs::write(&path, &damaged).expect("written"));
            model.check();
        }
    });
}

#[test]
fn events_are_there_when_their_receipt_is() {
    block_on(async {
        let model = Model::new(1).await;
        for n in 1..=50 {
            let id = id_at(model.clock.wall_ms());
            let event = json!({ "type": "thing.done", "data": { "n": n } });
            model.rig.command_with(id, "emit", event).await;
            let event = model.rig.app.events().event(Position(n)).expect("readable");
            assert_eq!(event.expect("there").command_id, id);
        }
        let none = model.rig.app.events().event(Position(51)).expect("readable");
        assert!(none.is_none());
    });
}
