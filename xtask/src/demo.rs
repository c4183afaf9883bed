//! `cargo xtask demo`: real applications on real data, and a kill in the middle.
//!
//! Whatever it claims it has checked. It speaks HTTP and nothing else, so that all
//! it does can be done by any other client.

mod bank;
mod client;
mod crash;
mod lamp;
mod movies;
mod orders;
mod screen;
mod server;

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::setup;
use crate::workspace::Workspace;
use client::{Client, Command, text};
use screen::{Screen, ms, thousands};
use server::{Place, Server};

/// The apps, each with one module of the same name.
const APPS: [&str; 4] = ["shop", "bank", "movies", "orders"];

/// What happens when all was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server runs on until Ctrl-C.
    StaysUp,
    /// The server ends too.
    Once,
}

/// Runs the demo.
pub(crate) fn run(workspace: &Workspace, end: End) -> Result<()> {
    let screen = Screen::new();
    let place = set_up(&screen, workspace)?;
    let server = start(&screen, workspace, &place)?;
    let log = place.log.display();
    let shown = show(&screen, workspace, &place, server);
    let mut server = shown.with_context(|| format!("the server's log is in {log}"))?;
    screen.section(&format!("All shown: {} claims, each of them checked", screen.claims()));
    match end {
        End::Once => Ok(()),
        End::StaysUp => leave_running(&screen, &mut server),
    }
}

fn show(screen: &Screen, workspace: &Workspace, place: &Place, server: Server) -> Result<Server> {
    let client = server.client();
    deploy(screen, workspace, &client)?;
    movies::show(screen, &client, &workspace.target.join("data/movies.json"))?;
    lamp::show(screen, &client)?;
    bank::show(screen, &client)?;
    let server = orders::show(screen, workspace, place, server)?;
    crash::show(screen, place, server)
}

fn set_up(screen: &Screen, workspace: &Workspace) -> Result<Place> {
    screen.section("Set-up");
    let timed = |name: &str, started: Instant, what: &str| {
        screen.field(name, format!("{what} ({})", ms(started.elapsed())));
    };
    let started = Instant::now();
    setup::wasm_target(workspace)?;
    timed("target", started, crate::workspace::WASM_TARGET);
    let started = Instant::now();
    let movies = setup::movies(workspace)?;
    timed("data", started, &format!("{}, as published", workspace.short(&movies)));
    screen.say("Building the applications and the server: some minutes the first time.");
    let started = Instant::now();
    setup::guests(workspace)?;
    timed("modules", started, &APPS.join(", "));
    let started = Instant::now();
    let binary = setup::server(workspace)?;
    timed("server", started, &workspace.short(&binary));
    Place::empty(workspace, binary)
}

fn start(screen: &Screen, workspace: &Workspace, place: &Place) -> Result<Server> {
    screen.section("A server on an empty directory");
    let address = Place::free_address();
    screen.say(&format!(
        "$ chancery serve --listen {address} --data {}",
        workspace.short(&place.data)
    ));
    let server = place.start(address)?;
    screen.field("listening", format!("http://{}, after {}", server.address, ms(server.took)));
    Ok(server)
}

/// Creates the apps and uploads their modules.
fn deploy(screen: &Screen, workspace: &Workspace, client: &Client) -> Result<()> {
    screen.section("Four apps, each with a module in WebAssembly");
    for app in APPS {
        client.create(&format!("/v1/apps/{app}"))?.expect(201)?;
        upload(screen, workspace, client, app, app)?;
    }
    let apps = client.get("/v1/apps")?.expect(200)?;
    let apps = apps.get("apps").and_then(Json::as_array).context("no list of apps")?;
    let is_there = |app: &&str| apps.iter().any(|found| text(found, "name") == *app);
    let found = APPS.iter().filter(|app| is_there(app)).count();
    screen.claim("the server has the four apps", &found, &APPS.len())
}

/// Uploads a module, and shows what it is.
fn upload(
    screen: &Screen,
    workspace: &Workspace,
    client: &Client,
    app: &str,
    module: &str,
) -> Result<()> {
    let file = workspace.guest(module);
    let bytes = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
    let path = format!("/v1/apps/{app}/modules/{module}");
    screen.sent("", &format!("PUT {path}, {} bytes", thousands(bytes.len())));
    let headers = [("content-type", "application/wasm")];
    let reply = client.send("PUT", &path, &headers, Some(&bytes))?;
    reply.expect(200)?;
    let module = client.get(&path)?.expect(200)?;
    screen.came("", reply.status, text(&module, "description"));
    for kind in ["commands", "queries", "projections", "reactions"] {
        let names = names(&module, kind);
        if !names.is_empty() {
            screen.field(&format!("  {kind}"), names);
        }
    }
    Ok(())
}

fn names(module: &Json, member: &str) -> String {
    let names = module.get(member).and_then(Json::as_array).into_iter().flatten();
    names.filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
}

/// Three requests to try; each was tried here first.
fn leave_running(screen: &Screen, server: &mut Server) -> Result<()> {
    let client = server.client();
    let western = json!({ "genre": "Western", "limit": 3 });
    client.query("movies", "top-rated", &western)?;
    client.get("/v1/apps/bank/commands?limit=3")?.expect(200)?;
    let purchase = json!({ "product": "sticker", "buyer": "you" });
    dry_run(&client, &purchase)?;

    let base = format!("{}/v1/apps", client.base());
    screen.section("The server is still running. Try it:");
    println!(
        "
  # The best Westerns.
  curl -G {base}/movies/queries/top-rated --data-urlencode 'input={western}'

  # The last three receipts of the bank.
  curl '{base}/bank/commands?limit=3'

  # Buys a sticker; sent again with the same id, it gives the same receipt.
  curl {base}/shop/commands/buy-product -H 'Idempotency-Key: {id}' \\
    -H 'Content-Type: application/json' -d '{purchase}'

  Ctrl-C ends it.",
        id = Uuid::now_v7()
    );
    server.wait()
}

/// Whether a purchase would succeed; keeps nothing of it.
fn dry_run(client: &Client, purchase: &Json) -> Result<()> {
    let id = Command::new("buy-product", Json::Null).id.to_string();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", id.as_str()),
        ("prefer", "dry-run"),
    ];
    let path = "/v1/apps/shop/commands/buy-product";
    let reply = client.send("POST", path, &headers, Some(purchase.to_string().as_bytes()))?;
    reply.expect(200).map(drop)
}
