//! The server's side: Chancery as it is, and one bare route beside it.
//!
//! Both are behind the same accept loop and the same connection settings, so the
//! ratio of the two is what Chancery adds to axum and hyper.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use chancery::clock::Clock;
use chancery::server::{self, DRAIN_MAX, Server};
use chancery::{engine, http};

/// Where the bare route is.
pub const BARE: &str = "/bare";
/// What it answers with: as many bytes as an account of the bank.
const BARE_ANSWER: &str = r#"{"account":"a00000","owner":"owner of a00000","balance":1000000}"#;

/// Serves until the standard input ends, and says on the standard output where.
///
/// # Errors
/// If the server does not start, or does not end in order.
pub fn serve(data: PathBuf) -> anyhow::Result<()> {
    let settings = server::Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        engine: engine::Settings::new(data),
        http: http::Settings::default(),
        drain_max: DRAIN_MAX,
        default_app: "main".parse()?,
    };
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever ends it: nobody is left to serve.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        drop(ended);
    });
    server::runtime(&settings)?
        .block_on(async {
            let server = Server::start(settings, Clock::system()).await?.with_routes(bare());
            println!("{}", server.address());
            std::io::stdout().flush()?;
            let drained = server.run(async { drop(end.await) }).await?;
            anyhow::ensure!(drained == server::Drained::Whole, "the server was cut short");
            Ok(())
        })
        .context("the server failed")
}

/// What axum does for a constant answer of JSON. The request is taken as a whole,
/// as any route of the server takes it.
fn bare() -> Router {
    let answer = |_: Request| async { ([(CONTENT_TYPE, "application/json")], BARE_ANSWER) };
    Router::new().route(BARE, get(answer))
}
