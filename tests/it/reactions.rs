//! Reactions, in this process: what follows from events, once, in order, and what is
//! left behind when it cannot.

mod crashes;
mod served;

use std::sync::Arc;
use std::time::Duration;

use chancery::clock::{Clock, Manual};
use chancery::engine::{At, DeadLetter, Error, ReactionInfo};
use chancery::lane::reactions::LetterState;
use chancery::receipts::Receipt;
use chancery::record::{Act, Command};
use chancery::transaction::timers::timer_count;
use chancery::value::Position;
use chancery_tests::rig::{PATIENCE, Rig, code, result};
use chancery_tests::{Uuid, block_on, guest_version, id_at};
use serde_json::{Value as Json, json};

const WALL_MS: u64 = 1_800_000_000_000;

/// An engine whose reactions and timers move when the test says so.
struct Bench {
    rig: Rig,
    clock: Clock,
    hands: Arc<Manual>,
}

impl Bench {
    async fn start() -> Self {
        let bench = Self::empty();
        bench.rig.deploy("follower", "follower").await;
        bench
    }

    fn empty() -> Self {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = Rig::with_clock(clock.clone(), |settings| settings.tended = false);
        Self { rig, clock, hands }
    }

    fn restart(self) -> Self {
        Self { rig: self.rig.restart(), ..self }
    }

    async fn command(&self, name: &str, input: Json) -> Receipt {
        self.rig.command_with(id_at(self.clock.wall_ms()), name, input).await
    }

    /// Has an event stated, and gives its position.
    async fn emit(&self, event_type: &str, subject: Option<&str>, data: Json) -> Position {
        let input = json!({ "type": event_type, "subject": subject, "data": data });
        drop(result(&self.command("emit", input).await));
        self.rig.app.snapshots().current().state.position()
    }

    async fn allow(&self, subject: &str) {
        drop(result(&self.command("allow", json!(subject)).await));
    }

    /// Lets reactions react and their commands be submitted.
    fn turn(&self) {
        std::thread::scope(|scope| {
            // Handlers need a large stack.
            let turn = || {
                self.rig.app.reactor().react(&|| false);
                self.rig.app.pump().pump(self.clock.wall_ms());
            };
            let thread = std::thread::Builder::new().stack_size(16 << 20);
            thread.spawn_scoped(scope, turn).expect("a thread").join().expect("no panic");
        });
    }

    /// Turns, while time passes, until something is so.
    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let turning = async {
            while !is_so().await {
                self.turn();
                self.hands.advance(Duration::from_millis(20));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, turning).await.is_err() {
            panic!("never: {what}; {:?}", self.rig.app.reactions(At::default()).await);
        }
    }

    /// Until a reaction has come to an event, and what followed was executed.
    async fn reached(&self, reaction: &str, position: Position) {
        self.until(&format!("{reaction} at {position}"), async || {
            self.reaction(reaction).await.position >= position
                && timer_count(&self.rig.app.snapshots().current().state) == 0
        })
        .await;
    }

    async fn reaction(&self, name: &str) -> ReactionInfo {
        let list = self.rig.app.reactions(At::default()).await.expect("a list");
        let found = list.reactions.into_iter().find(|reaction| reaction.name.as_str() == name);
        found.unwrap_or_else(|| panic!("no reaction {name}"))
    }

    async fn letters(&self, reaction: &str) -> Vec<DeadLetter> {
        let page = self.rig.app.dead_letters(At::default(), Some(reaction), None, 10_000).await;
        page.expect("a page").letters
    }

    async fn states(&self, reaction: &str) -> Vec<(u64, LetterState)> {
        let letters = self.letters(reaction).await;
        letters.iter().map(|dead| (dead.position.0, dead.letter.state)).collect()
    }

    /// The keys of all notes.
    async fn notes(&self) -> Vec<String> {
        let notes = self.rig.query("notes", json!({})).await;
        let notes = notes.as_array().expect("a list").iter();
        notes.map(|note| note["key"].as_str().expect("a text").to_owned()).collect()
    }
}

/// The receipts of the commands that timers submitted, the oldest first.
fn followed(rig: &Rig) -> Vec<Receipt> {
    let page = rig.app.receipts(None, None, 100_000, 1 << 30).expect("a page");
    let is_timers = |receipt: &Receipt| {
        matches!(&receipt.entry.act, Act::Command(Command { scheduled_for_ms: Some(_), .. }))
    };
    let mut receipts: Vec<_> = page.receipts.into_iter().filter(is_timers).collect();
    receipts.reverse();
    receipts
}

#[test]
fn what_a_reaction_returns_is_submitted_once_and_in_order() {
    block_on(async {
        let bench = Bench::start().await;
        let first = bench.emit("work", Some("a"), json!({ "times": 3 })).await;
        bench.emit("play", None, json!(null)).await;
        let last = bench.emit("work", Some("b"), json!({})).await;
        bench.reached("works", last).await;
        bench.reached("works-from-start", last).await;
        let (first, last) = (first.0, last.0);
        let works = [(first, 0), (first, 1), (first, 2), (last, 0)];
        let works = works.map(|(position, n)| format!("works-{position:08}-{n}"));
        let notes = bench.notes().await;
        assert_eq!(
            notes.iter().filter(|key| key.starts_with("works")).collect::<Vec<_>>(),
            works.iter().collect::<Vec<_>>()
        );
        assert_eq!(notes.len(), 8);
        let followed = followed(&bench.rig);
        let keys = followed.iter().filter_map(|receipt| {
            let input = &receipt.entry.act.command()?.input;
            let input: Json = serde_json::from_str(input).ok()?;
            input["key"].as_str().filter(|key| key.starts_with("works")).map(str::to_owned)
        });
        assert_eq!(keys.collect::<Vec<_>>(), works, "in the order of events");
        assert!(followed.iter().all(|receipt| code(receipt) == "succeeded"));
    });
}

#[test]
fn what_follows_knows_what_it_follows_from() {
    block_on(async {
        let bench = Bench::start().await;
        let id = id_at(WALL_MS);
        let input = json!({ "type": "work", "data": {} });
        let mut request = bench.rig.request(id, "emit", &input);
        request.correlation_id = Some("order-42".into());
        bench.rig.done(&bench.rig.app.submit(request).expect("a place")).await;
        bench.reached("works", Position(1)).await;
        let event = bench.rig.app.events().event(Position(1)).expect("readable").expect("there");
        // Two reactions follow from it, each when it comes to it.
        let of_works = |receipt: &Receipt| {
            let command = receipt.entry.act.command();
            command.is_some_and(|command| command.metadata.contains("\"works\""))
        };
        // The cursor moves with what is asked for, which is executed after that.
        let receipt = loop {
            if let Some(receipt) = followed(&bench.rig).into_iter().find(of_works) {
                break receipt;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        let Some(command) = receipt.entry.act.command() else { panic!("{receipt:?}") };
        assert_eq!(&*command.correlation_id, "order-42");
        assert_eq!(command.causation_id.as_deref(), Some(event.id.to_string().as_str()));
        assert_eq!(&*command.metadata, r#"{"depth":1,"reaction":"works"}"#);
        assert_eq!(receipt.entry.id.get_version_num(), 8);
        assert_eq!(command.scheduled_for_ms, Some(event.time_ms));
    });
}

#[test]
fn a_new_reaction_begins_now_unless_it_asks_for_the_start() {
    block_on(async {
        let bench = Bench::empty();
        bench.rig.deploy("probe", "probe").await;
        let emit = json!({ "type": "work", "subject": null, "data": {} });
        drop(result(&bench.command("emit", emit).await));
        drop(result(&bench.command("put", json!({ "key": "a", "value": 1 })).await));
        bench.rig.app.remove("probe").await.expect("removed");
        bench.rig.deploy("follower", "follower").await;
        let new = bench.emit("work", None, json!({})).await;
        bench.reached("works", new).await;
        bench.reached("works-from-start", new).await;
        let notes = ["late-00000001-0", "late-00000002-0", "works-00000002-0"];
        // What follows states events of its own, of another type.
        assert_eq!(bench.notes().await, notes);
    });
}

#[test]
fn one_that_fails_for_a_while_goes_on_by_itself() {
    block_on(async {
        let bench = Bench::start().await;
        let position = bench.emit("react.wait", Some("s"), json!(null)).await;
        bench
            .until("it is tried again", async || {
                bench
                    .reaction("waits-for-leave")
                    .await
                    .trouble
                    .is_some_and(|it| it.attempts == Some(2))
            })
            .await;
        let info = bench.reaction("waits-for-leave").await;
        assert_eq!(info.trouble.map(|trouble| trouble.position), Some(position));
        assert_eq!(info.dead, 0);
        bench.allow("s").await;
        bench.reached("waits-for-leave", position).await;
        assert_eq!(bench.notes().await, [format!("waited-{:08}", position.0)]);
        assert_eq!(bench.reaction("waits-for-leave").await.trouble, None);
        assert!(bench.letters("waits-for-leave").await.is_empty());
    });
}

#[test]
fn after_its_retries_it_is_a_dead_letter_and_its_subject_waits() {
    block_on(async {
        let mut bench = Bench::start().await;
        bench.allow("other").await;
        let dead = bench.emit("react.wait", Some("s"), json!(null)).await;
        let waits = bench.emit("react.wait", Some("s"), json!(null)).await;
        let other = bench.emit("react.wait", Some("other"), json!(null)).await;
        let again = bench.emit("react.wait", Some("s"), json!(null)).await;
        bench.reached("waits-for-leave", again).await;
        let note = |position: Position| format!("waited-{:08}", position.0);
        assert_eq!(bench.notes().await, [note(other)], "others go on");
        let states = [
            (dead, LetterState::Dead),
            (waits, LetterState::Waiting),
            (again, LetterState::Waiting),
        ];
        let states = states.map(|(position, state)| (position.0, state));
        assert_eq!(bench.states("waits-for-leave").await, states);
        let letters = bench.letters("waits-for-leave").await;
        let letter = &letters[0].letter;
        assert_eq!((&*letter.code, letter.attempts), ("not-allowed", 4));
        assert_eq!(letter.subject.as_deref(), Some("s"));
        assert!(letter.first_ms < letter.last_ms);
        let info = bench.reaction("waits-for-leave").await;
        assert_eq!((info.dead, info.waiting), (1, 2));

        // A retry that fails leaves it dead; those behind it wait on.
        bench = bench.restart();
        let app = Arc::clone(&bench.rig.app);
        let retry = || app.retry_dead_letter("waits-for-leave", dead);
        assert_eq!(code(&retry().await.expect("a receipt")), "succeeded");
        bench
            .until("it is dead again", async || {
                bench.letters("waits-for-leave").await[0].letter.attempts == 8
            })
            .await;
        assert_eq!(bench.states("waits-for-leave").await, states);
        let refused = app.retry_dead_letter("waits-for-leave", waits).await.unwrap_err();
        assert!(matches!(refused, Error::LetterWaits { .. }), "{refused}");

        // One that succeeds lets them follow, in order.
        bench.allow("s").await;
        retry().await.expect("a receipt");
        bench.until("all are handled", async || bench.notes().await.len() == 4).await;
        assert!(bench.letters("waits-for-leave").await.is_empty());
        assert_eq!(bench.notes().await, [dead, waits, other, again].map(note));
        let refused = retry().await.unwrap_err();
        assert!(matches!(refused, Error::UnknownDeadLetter { .. }), "{refused}");
        drop(app);
        bench = bench.restart();
        bench.turn();
        assert_eq!(bench.notes().await.len(), 4);
    });
}

#[test]
fn a_letter_that_is_dropped_is_never_handled_and_what_waited_goes_on() {
    block_on(async {
        let bench = Bench::start().await;
        let dead = bench.emit("react.wait", Some("s"), json!(null)).await;
        let waits = bench.emit("react.wait", Some("s"), json!(null)).await;
        bench.reached("waits-for-leave", waits).await;
        bench.allow("s").await;
        let receipt = bench.rig.app.drop_dead_letter("waits-for-leave", dead).await;
        assert_eq!(code(&receipt.expect("a receipt")), "succeeded");
        bench.until("what waited is handled", async || bench.notes().await.len() == 1).await;
        assert_eq!(bench.notes().await, [format!("waited-{:08}", waits.0)]);
        assert!(bench.letters("waits-for-leave").await.is_empty());
        let refused = bench.rig.app.drop_dead_letter("waits-for-leave", dead).await.unwrap_err();
        assert!(matches!(refused, Error::UnknownDeadLetter { .. }), "{refused}");
        let refused = bench.rig.app.drop_dead_letter("waits-for-live", dead).await.unwrap_err();
        let Error::UnknownReaction { suggestion, .. } = refused else { panic!("{refused}") };
        assert_eq!(suggestion.as_deref(), Some("waits-for-leave"));
    });
}

#[test]
fn events_without_a_subject_never_block() {
    block_on(async {
        let bench = Bench::start().await;
        let first = bench.emit("react.permanent", None, json!(null)).await;
        let second = bench.emit("react.permanent", None, json!(null)).await;
        bench.reached("gives-up", second).await;
        let states = [(first.0, LetterState::Dead), (second.0, LetterState::Dead)];
        assert_eq!(bench.states("gives-up").await, states);
        for dead in bench.letters("gives-up").await {
            assert_eq!((&*dead.letter.code, dead.letter.attempts), ("hopeless", 1), "for good");
        }
    });
}

#[test]
fn each_way_to_fail_is_a_dead_letter_that_says_how() {
    block_on(async {
        let bench = Bench::start().await;
        for (event_type, reaction, wanted, says) in [
            ("react.trap", "panics", "trapped", "on purpose"),
            ("react.loop", "hangs", "deadline", "hangs"),
            ("react.unknown", "asks-for-nothing-there", "unknown-command", "`no-such-command`"),
            ("react.misfit", "misfits", "invalid-input", "`note`"),
        ] {
            let position = bench.emit(event_type, None, json!(null)).await;
            bench.reached(reaction, position).await;
            let letters = bench.letters(reaction).await;
            let letter = &letters[0].letter;
            assert_eq!((&*letter.code, letter.attempts), (wanted, 4), "{letter:?}");
            assert!(letter.message.contains(says), "{letter:?}");
        }
        assert!(followed(&bench.rig).is_empty());
        // Commands go on, and so do the other reactions.
        let position = bench.emit("work", None, json!({})).await;
        bench.reached("works", position).await;
        assert_eq!(bench.notes().await.len(), 2);
    });
}

#[test]
fn a_chain_without_end_ends_as_a_dead_letter_that_says_so() {
    block_on(async {
        let bench = Bench::start().await;
        drop(result(&bench.command("chain", json!(0)).await));
        bench.until("it ends", async || !bench.letters("chains").await.is_empty()).await;
        let letters = bench.letters("chains").await;
        let letter = &letters[0].letter;
        assert_eq!((&*letter.code, letter.attempts), ("chain-too-deep", 1));
        assert!(letter.message.contains("64 commands"), "{letter:?}");
        assert_eq!(followed(&bench.rig).len(), 64);
        assert_eq!(bench.rig.app.events().last(), Position(65));
        bench.turn();
        assert_eq!(bench.rig.app.events().last(), Position(65));
    });
}

#[test]
fn a_redeploy_keeps_the_place_and_a_removal_too() {
    block_on(async {
        let bench = Bench::start().await;
        let first = bench.emit("work", None, json!({})).await;
        let dead = bench.emit("react.permanent", Some("s"), json!(null)).await;
        bench.reached("gives-up", dead).await;
        bench.reached("works", first).await;
        let deploy = async |version| {
            let module = guest_version("follower", version);
            let upload = chancery::engine::Upload::Bytes(module.into());
            let name = "follower".parse().expect("a name");
            bench.rig.app.deploy(&name, upload).await.expect("deployed");
        };
        deploy(1).await;
        assert_eq!(bench.reaction("works").await.position, first);
        let second = bench.emit("work", None, json!({})).await;
        bench.reached("works", second).await;

        bench.rig.app.remove("follower").await.expect("removed");
        let info = bench.reaction("gives-up").await;
        assert_eq!((info.is_declared, info.dead), (false, 1));
        bench.turn();
        deploy(2).await;
        let third = bench.emit("work", None, json!({})).await;
        bench.reached("works", third).await;
        bench.reached("works-from-start", third).await;
        let keys = bench.notes().await;
        let works: Vec<_> = keys.iter().filter(|key| key.starts_with("works")).collect();
        assert_eq!(works.len(), 3, "{works:?}");
        assert_eq!(keys.len(), 6, "nothing is handled twice: {keys:?}");

        // Only what no module declares is dropped.
        let refused = bench.rig.app.drop_reaction("works").await.unwrap_err();
        assert!(matches!(refused, Error::ReactionInUse { .. }), "{refused}");
        bench.rig.app.remove("follower").await.expect("removed");
        let receipt = bench.rig.app.drop_reaction("gives-up").await.expect("a receipt");
        assert_eq!(code(&receipt), "succeeded");
        let refused = bench.rig.app.drop_reaction("gives-up").await.unwrap_err();
        assert!(matches!(refused, Error::UnknownReaction { .. }), "{refused}");
        let letters = bench.rig.app.dead_letters(At::default(), None, None, 10).await;
        assert!(letters.expect("a page").letters.is_empty());

        // One that was dropped begins anew, with commands of their own: those of the
        // first time stand in the way of none.
        let before = followed(&bench.rig).len();
        let dropped = bench.rig.app.drop_reaction("works-from-start").await.expect("a receipt");
        assert_eq!(code(&dropped), "succeeded");
        deploy(1).await;
        bench.reached("works-from-start", third).await;
        let fourth = bench.emit("work", None, json!({})).await;
        bench.reached("works", fourth).await;
        bench.reached("works-from-start", fourth).await;
        let anew = followed(&bench.rig).len() - before;
        assert_eq!(anew, 3 + 1 + 1, "three from the start, and one of each for the last");
    });
}

#[test]
fn too_many_that_wait_park_the_reaction_until_room_is_made() {
    block_on(async {
        let bench = Bench::start().await;
        let dead = bench.emit("react.wait", Some("s"), json!(null)).await;
        for _ in 0..1_001 {
            bench.emit("react.wait", Some("s"), json!(null)).await;
        }
        bench.allow("t").await;
        let last = bench.emit("react.wait", Some("t"), json!(null)).await;
        bench
            .until("it is parked", async || {
                let info = bench.reaction("waits-for-leave").await;
                info.waiting == 1_000 && info.trouble.is_some_and(|it| it.attempts.is_none())
            })
            .await;
        let info = bench.reaction("waits-for-leave").await;
        assert_eq!((info.dead, info.waiting), (1, 1_000));
        assert_eq!(info.trouble.map(|trouble| trouble.position.0), Some(last.0 - 1));
        bench.allow("s").await;
        bench.rig.app.retry_dead_letter("waits-for-leave", dead).await.expect("a receipt");
        bench.until("all are handled", async || bench.notes().await.len() == 1_003).await;
        assert_eq!(bench.reaction("waits-for-leave").await.trouble, None);
        assert!(followed(&bench.rig).iter().all(|receipt| code(receipt) == "succeeded"));
    });
}

#[test]
fn ids_of_what_follows_are_of_no_other_command() {
    block_on(async {
        let bench = Bench::start().await;
        let position = bench.emit("work", None, json!({ "times": 1_000 })).await;
        bench.reached("works", position).await;
        bench.reached("works-from-start", position).await;
        let mut ids: Vec<Uuid> =
            followed(&bench.rig).iter().map(|receipt| receipt.entry.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2_000);
        assert_eq!(bench.notes().await.len(), 2_000);
    });
}
