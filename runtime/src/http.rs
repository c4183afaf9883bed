//! The engine over HTTP: a router, and nothing that a socket is needed for.
//!
//! One file for each kind of resource; how a request is read, how an answer is
//! written and how a refusal is worded are in one place each. It knows no guest,
//! no log and no lane but through the engine, keeps no state of its own, and
//! parses no JSON that it only passes on: inputs, results and stored values go
//! through as text.

mod access;
mod adhoc;
mod answer;
mod apps;
mod at;
mod backup;
mod body;
mod code;
mod commands;
mod consumers;
mod dead_letters;
mod envelope;
mod events;
mod guard;
mod health;
mod live;
mod modules;
mod of_engine;
mod pages;
mod params;
mod prefer;
mod problem;
mod projections;
mod queries;
mod reactions;
mod receipt;
mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod timers;
mod trace;
mod trace_tree;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use tokio::sync::Semaphore;

pub use self::access::{Hosts, Origins};
pub use self::code::{Code, Retry};

use crate::clock::Clock;
use crate::engine::{App, Engine};
use crate::value::StoredEvent;
use crate::wasm;

/// Requests that follow events at one time, unless told otherwise. Each is a connection
/// and a page in memory.
pub const FOLLOWERS_MAX: usize = 1000;

/// What one request may use. Each default is arbitrary where it gives no reason.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Path and query of a request, in bytes. Three keys of the greatest length,
    /// percent-encoded, take 9 KiB.
    pub uri_bytes_max: usize,
    /// The body of a command, in bytes.
    pub command_bytes_max: usize,
    /// The input of a query, in bytes; one in the path is bounded by that too.
    pub query_input_bytes_max: usize,
    /// An uploaded module, in bytes; what the compiler takes is its own limit.
    pub upload_bytes_max: usize,
    /// Bodies that are held while they are being read, of all requests together,
    /// in bytes.
    pub bodies_bytes_max: usize,
    /// How long the body of a query or command may take to arrive.
    pub body_wait_max: Duration,
    /// How long an upload may take to arrive.
    pub upload_wait_max: Duration,
    /// How long a command is waited for if its client does not say.
    pub wait_default: Duration,
    /// How long a client may ask to wait. Proxies give up soon after a minute.
    pub wait_max: Duration,
    /// Rows or receipts of a page if its client does not say.
    pub page_default: usize,
    /// Rows or receipts of a page, at most.
    pub page_max: usize,
    /// Bytes after which a page ends, whatever its client asked for.
    pub page_bytes_max: usize,
    /// Conditions under `unchanged` of one command.
    pub unchanged_max: usize,
    /// Requests that follow events at one time, of all apps together.
    pub followers_max: usize,
    /// A correlation or causation id, in bytes.
    pub correlation_bytes_max: usize,
    /// Whether ad-hoc queries are answered: whoever may ask them may read every table.
    pub adhoc: bool,
    /// The origins whose pages may use the server, besides its own; none.
    pub origins: Origins,
    /// By which names it may be asked; only those of this machine. What listens to others
    /// has more.
    pub hosts: Hosts,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            uri_bytes_max: 16 << 10,
            command_bytes_max: 1 << 20,
            query_input_bytes_max: 256 << 10,
            upload_bytes_max: wasm::settings::UPLOAD_BYTES_MAX,
            bodies_bytes_max: 256 << 20,
            body_wait_max: Duration::from_secs(30),
            upload_wait_max: Duration::from_secs(120),
            wait_default: Duration::from_secs(5),
            wait_max: Duration::from_secs(60),
            page_default: 100,
            page_max: 1000,
            page_bytes_max: 8 << 20,
            unchanged_max: 1000,
            followers_max: FOLLOWERS_MAX,
            correlation_bytes_max: 256,
            adhoc: false,
            origins: Origins::default(),
            hosts: Hosts::default(),
        }
    }
}

/// An event as CloudEvents 1.0 has it, as JSON: as `GET …/events/{position}` gives it to
/// those who ask for `application/cloudevents+json`.
#[must_use]
pub fn cloud_event(app: &App, event: &StoredEvent) -> Vec<u8> {
    events::as_cloud_event(app, event)
}

/// What every handler has at hand.
#[derive(Debug)]
struct Shared {
    engine: Arc<Engine>,
    settings: Settings,
    clock: Clock,
    /// One permit for each byte of a body that is being read.
    bodies: Semaphore,
    /// One permit for each request that follows.
    followers: Arc<Semaphore>,
}

type State = axum::extract::State<Arc<Shared>>;

/// All routes. Has to be served by a runtime like [`server::runtime`]'s, because
/// queries run on the thread that asks.
///
/// [`server::runtime`]: crate::server::runtime
pub fn router(engine: Arc<Engine>, settings: Settings, clock: Clock) -> Router {
    let bodies = Semaphore::new(settings.bodies_bytes_max);
    let followers = Arc::new(Semaphore::new(settings.followers_max));
    let shared = Arc::new(Shared { engine, settings, clock, bodies, followers });
    let cors = access::cors(&shared.settings.origins);
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/errors/{code}", get(pages::show))
        .route("/v1/apps", get(apps::list))
        .route("/v1/apps/{app}", get(apps::show).put(apps::create))
        .route("/v1/apps/{app}/adhoc", post(adhoc::ask))
        .route("/v1/apps/{app}/backup", post(backup::create))
        .route("/v1/apps/{app}/modules", get(modules::list))
        .route(
            "/v1/apps/{app}/modules/{module}",
            get(modules::show).put(modules::deploy).delete(modules::remove),
        )
        .route(
            "/v1/apps/{app}/queries/{query}",
            get(queries::by_url).post(queries::by_body).fallback(queries::by_other_method),
        )
        .route("/v1/apps/{app}/commands", get(commands::list))
        .route(
            "/v1/apps/{app}/commands/{command}",
            put(commands::submit_with_id)
                .post(commands::submit_by_name)
                .get(commands::show)
                .delete(commands::erase),
        )
        .route("/v1/apps/{app}/consumers", get(consumers::list))
        .route(
            "/v1/apps/{app}/consumers/{consumer}",
            get(consumers::show).put(consumers::put).delete(consumers::remove),
        )
        .route("/v1/apps/{app}/consumers/{consumer}/fetch", post(consumers::fetch))
        .route("/v1/apps/{app}/consumers/{consumer}/ack", post(consumers::acknowledge))
        .route("/v1/apps/{app}/projections", get(projections::list))
        .route("/v1/apps/{app}/projections/{projection}", get(projections::show))
        .route("/v1/apps/{app}/projections/{projection}/resume", post(projections::resume))
        .route("/v1/apps/{app}/projections/{projection}/skip", post(projections::skip))
        .route("/v1/apps/{app}/projections/{projection}/rebuild", post(projections::rebuild))
        .route("/v1/apps/{app}/events", get(events::list))
        .route("/v1/apps/{app}/events/{event}", get(events::show))
        .route("/v1/apps/{app}/trace/{id}", get(trace_tree::show))
        .route("/v1/apps/{app}/tables", get(tables::list))
        .route("/v1/apps/{app}/tables/{table}", delete(tables::drop_table).get(tables::rows))
        .route("/v1/apps/{app}/tables/{table}/{*key}", get(tables::value))
        .route("/v1/apps/{app}/reactions", get(reactions::list))
        .route("/v1/apps/{app}/reactions/{reaction}", delete(reactions::drop_reaction))
        .route("/v1/apps/{app}/dead-letters", get(dead_letters::list))
        .route(
            "/v1/apps/{app}/dead-letters/{addressee}/{position}",
            get(dead_letters::show).delete(dead_letters::drop_letter),
        )
        .route(
            "/v1/apps/{app}/dead-letters/{addressee}/{position}/retry",
            post(dead_letters::retry),
        )
        .route("/v1/apps/{app}/webhooks", get(webhooks::list))
        .route(
            "/v1/apps/{app}/webhooks/{webhook}",
            get(webhooks::show).put(webhooks::put).delete(webhooks::remove),
        )
        .route("/v1/apps/{app}/webhooks/{webhook}/pause", post(webhooks::pause))
        .route("/v1/apps/{app}/webhooks/{webhook}/resume", post(webhooks::resume))
        .route("/v1/apps/{app}/timers", get(timers::list))
        .route("/v1/apps/{app}/timers/{timer}", get(timers::show).delete(timers::cancel))
        .fallback(guard::unknown_route)
        .method_not_allowed_fallback(guard::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&shared), guard::guard));
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn_with_state(Arc::clone(&shared), access::check)).with_state(shared)
}
