//! Events that are not kept any more: a build begins with those that are and says so,
//! and none passes over what it has not seen.

use chancery::checkpoint::AtOnce;
use chancery::clock::{Clock, Manual};
use chancery::engine::{Error, Wanted};
use chancery::record::Steer;
use chancery_tests::id_at;

use super::*;

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

/// An app that keeps its events for three hours, and whose upkeep is done when it is told.
struct Forgetful {
    rig: Rig,
    clock: Clock,
    hands: Arc<Manual>,
}

impl Forgetful {
    async fn start() -> Self {
        let (clock, hands) = Clock::manual(1_800_000_000_000);
        let rig = Rig::with_clock(clock.clone(), |settings| {
            settings.tended = false;
            settings.log.segment_bytes = 64 << 10;
            settings.lane.window = HOUR;
            settings.keeper.receipts_keep = HOUR;
            settings.keeper.payloads_keep = HOUR;
            settings.keeper.events_keep = Some(HOUR * 3);
            settings.keeper.checkpoint_bytes = 16 << 10;
        });
        rig.deploy("probe", "probe").await;
        Self { rig, clock, hands }
    }

    async fn command(&self, name: &str, input: Json) {
        let receipt = self.rig.command_with(id_at(self.clock.wall_ms()), name, input).await;
        assert_eq!(code(&receipt), "succeeded");
    }

    async fn emit(&self, event_type: &str, data: Json) {
        let event = json!({ "type": event_type, "subject": "lamp", "data": data });
        self.command("emit", event).await;
    }

    fn first(&self) -> Position {
        self.rig.app.events().first()
    }

    /// Goes on for hours, until an event is not kept any more.
    async fn forget(&self, position: Position) {
        let padding = "x".repeat(4_000);
        for _ in 0..40 {
            if self.first() > position {
                return;
            }
            for n in 0..20 {
                self.emit("item.added", json!(n)).await;
                let row = json!({ "key": format!("k{n}"), "value": padding });
                self.command("put", row).await;
            }
            self.hands.advance(HOUR);
            for _ in 0..2 {
                self.rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
            }
        }
        panic!("events are kept from {} on", self.first());
    }

    /// Waits in real time: the clock stands still.
    async fn until(&self, is_so: impl Fn(&ProjectionInfo) -> bool) -> ProjectionInfo {
        let started = std::time::Instant::now();
        loop {
            let info = info(&self.rig);
            if is_so(&info) {
                return info;
            }
            assert!(started.elapsed() < PATIENCE, "{info:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn steer(&self, what: Steer) -> Result<Receipt, Error> {
        self.rig.app.steer("tally", what).await
    }
}

fn from(info: &ProjectionInfo) -> Option<Position> {
    info.projecting.row.live.as_ref().map(|live| live.from)
}

#[test]
fn a_build_begins_with_what_is_kept_and_says_so() {
    block_on(async {
        let forgetful = Forgetful::start().await;
        forgetful.forget(Position(1)).await;
        let rig = &forgetful.rig;
        deploy(rig, 1, 0).await;
        let live = forgetful.until(is_live).await;
        let first = forgetful.first();
        assert_eq!(from(&live), Some(first));
        assert_eq!(rows(rig).await, expected(rig, 1));
        // Nothing is lost by building it again, for the time being.
        assert_eq!(code(&forgetful.steer(Steer::Rebuild).await.unwrap()), "succeeded");
        forgetful.until(is_live).await;
        forgetful.forget(first).await;
        let (before, refused) = (rows(rig).await, forgetful.steer(Steer::Rebuild).await);
        let refused = refused.expect_err("the tables have more than could be built");
        assert!(matches!(refused, Error::RebuildGone { from, .. } if from == first), "{refused}");
        assert!(refused.to_string().contains("`tally`"), "{refused}");
        assert_eq!((rows(rig).await, from(&info(rig))), (before, Some(first)));
        // Whoever gives it another version wants it built from what there is.
        deploy(rig, 2, 0).await;
        let is_second = |info: &ProjectionInfo| {
            let live = info.projecting.row.live.as_ref();
            live.is_some_and(|live| live.version == 2 && live.position.is_none())
        };
        let live = forgetful.until(is_second).await;
        assert_eq!(from(&live), Some(forgetful.first()));
        assert_eq!(rows(rig).await, expected(rig, 2));
        let forgetful = Forgetful { rig: forgetful.rig.restart(), ..forgetful };
        assert_eq!(from(&info(&forgetful.rig)), from(&live));
    });
}

#[test]
fn one_that_was_parked_for_too_long_is_told_what_it_missed() {
    block_on(async {
        let forgetful = Forgetful::start().await;
        let rig = &forgetful.rig;
        deploy(rig, 1, 0).await;
        forgetful.until(is_live).await;
        forgetful.emit("item.added", json!(7)).await;
        forgetful.emit("item.bad", json!("trap")).await;
        let parked = forgetful.until(is_parked).await;
        assert_eq!(parked.position(Which::Live), Some(Position(1)));
        forgetful.forget(Position(2)).await;
        let before = rows(rig).await;
        assert_eq!(code(&forgetful.steer(Steer::Resume).await.unwrap()), "succeeded");
        let why = |info: &ProjectionInfo| {
            let live = info.projecting.row.live.as_ref();
            live.and_then(|live| live.parked.clone()).filter(|why| why.code == "events-gone")
        };
        let gone = forgetful.until(|info| why(info).is_some()).await;
        let (first, told) = (forgetful.first(), why(&gone).expect("it is parked"));
        assert_eq!(told.position, first.0 - 1);
        assert!(told.message.contains(&format!("events 2 to {}", first.0 - 1)), "{told:?}");
        assert_eq!(gone.position(Which::Live), Some(Position(1)));
        assert_eq!(rows(rig).await, before, "nothing was passed over");
        let skipped = forgetful.steer(Steer::Skip).await.expect("a receipt");
        assert_eq!(result(&skipped), json!({ "build": "live", "skipped": first.0 - 1 }));
        forgetful.until(is_live).await;
        let last = rig.app.events().last();
        let count = last.0 - first.0 + 1 + 1;
        let lamp = rows(rig).await[0].get("lamp").map(chancery_tests::rig::json_of);
        assert_eq!(lamp.expect("a total")["count"], json!(count));
    });
}

#[test]
fn i13_those_who_read_are_told_where_to_go_on() {
    block_on(async {
        let forgetful = Forgetful::start().await;
        let (rig, mailer) = (&forgetful.rig, name("mailer"));
        rig.app.put_consumer(&mailer, None, Filter::default()).await.expect("a consumer");
        forgetful.forget(Position(1)).await;
        let first = forgetful.first();
        let wanted = Wanted {
            after: Some(Position(0)),
            before: None,
            from_ms: None,
            to_ms: None,
            filter: Filter::default(),
            order: Order::Ascending,
        };
        let page = rig.app.events_page(&wanted, Limits::of(10)).expect_err("they are gone");
        let advice = format!("after={}`", first.0 - 1);
        assert!(page.to_string().contains(&advice), "{page}");
        let fetched = rig.app.fetch("mailer", Limits::of(10)).expect_err("they are gone");
        let request = format!("PUT …/consumers/mailer?{advice}");
        assert!(fetched.to_string().contains(&request), "{fetched}");
        let moved = Some(Position(first.0 - 1));
        rig.app.put_consumer(&mailer, moved, Filter::default()).await.expect("moved");
        let batch = rig.app.fetch("mailer", Limits::of(10)).expect("a batch");
        assert_eq!(batch.page.events.first().map(|event| event.position), Some(first));
    });
}
