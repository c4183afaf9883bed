//! A follower whose next event is not kept any more.

use std::sync::Arc;
use std::time::Duration;

use super::{Api, JSON, request};
use crate::checkpoint::AtOnce;
use crate::clock::{Clock, Manual};
use crate::engine::App;
use crate::http::Settings;
use crate::value::Position;
use crate::wasm::tests::guests::refuser;

const HOUR: Duration = Duration::from_secs(3600);
const WALL_MS: u64 = 1_800_000_000_000;
/// More than fit into one page of a follower.
const EVENTS_AT_ONCE: usize = 200;

async fn emit(api: &Api, clock: &Clock) {
    let (seconds, nanos) = (clock.wall_ms() / 1000, 0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    let path = format!("/v1/apps/main/commands/{}", uuid::Uuid::new_v7(time));
    // Its input is what fills the log.
    let body = format!(r#"{{"name":"do","input":"{}"}}"#, "x".repeat(4_000));
    let reply = api.send(request("PUT", &path, &[JSON], &body)).await;
    assert_eq!(reply.status, 409, "{}", String::from_utf8_lossy(&reply.body));
}

/// Goes on for hours, until an event is not kept any more.
async fn forget(api: &Api, app: &Arc<App>, clock: &Clock, hands: &Manual, position: Position) {
    for _ in 0..40 {
        if app.events().first() > position {
            return;
        }
        for _ in 0..10 {
            emit(api, clock).await;
        }
        hands.advance(HOUR);
        for _ in 0..2 {
            app.keeper().tend(&mut AtOnce).unwrap();
        }
    }
    panic!("events are kept from {} on", app.events().first());
}

#[tokio::test]
async fn a_follower_that_is_too_slow_is_told_and_not_carried_past_what_it_missed() {
    let (clock, hands) = Clock::manual(WALL_MS);
    let api = Api::at(Settings::default(), clock.clone(), |engine| {
        engine.tended = false;
        engine.log.segment_bytes = 64 << 10;
        engine.lane.window = HOUR;
        engine.keeper.receipts_keep = HOUR;
        engine.keeper.payloads_keep = HOUR;
        engine.keeper.events_keep = Some(HOUR * 3);
        engine.keeper.checkpoint_bytes = 16 << 10;
    });
    let wasm = ("content-type", "application/wasm");
    let uploaded = request("PUT", "/v1/apps/main/modules/shop", &[wasm], "");
    let (parts, _) = uploaded.into_parts();
    let module = axum::body::Body::from(refuser(EVENTS_AT_ONCE).build());
    let deployed = api.send(axum::extract::Request::from_parts(parts, module)).await;
    assert_eq!(deployed.status, 200, "{}", String::from_utf8_lossy(&deployed.body));
    emit(&api, &clock).await;
    emit(&api, &clock).await;
    let stream = ("accept", "text/event-stream");
    let request = request("GET", "/v1/apps/main/events", &[stream], "");
    let mut frames = api.open(request).await;
    let first = frames.next().await.unwrap();
    let last = first.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains("\"position\":256,"), "a page is taken: {last}");
    let app = api.engine.app("main").unwrap();
    forget(&api, &app, &clock, &hands, Position(257)).await;
    let told = frames.next().await.unwrap();
    assert!(told.starts_with("event: $failed\ndata: "), "{told}");
    assert!(told.contains(r#""code":"events-gone""#), "{told}");
    assert!(told.contains(&format!(r#""first":{}"#, app.events().first())), "{told}");
    assert_eq!(frames.next().await, None, "and that is the end");
}
