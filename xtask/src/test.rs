//! `cargo xtask test`: set-up, checks and tests, the quick ones first.
//!
//! What is compiled is compiled once: lints and documentation share what `cargo
//! check` makes of the dependencies, and the step that builds for the tests builds
//! the server's binary too.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::base;
use crate::call::Call;
use crate::setup;
use crate::workspace::{GUESTS_MANIFEST, Workspace};

/// What one step is, and what came of it.
struct Step {
    name: &'static str,
    took: Duration,
    end: String,
    /// What `cargo test` says of each suite that has tests, in its own words.
    summaries: Vec<String>,
}

/// Runs everything; the first step that fails is the last one.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    let mut steps = vec![
        prepared("wasm target", || setup::wasm_target(workspace))?,
        prepared("movies", || setup::movies(workspace).map(drop))?,
        prepared("packages of npm", || setup::npm_packages(workspace))?,
        prepared("browser", || setup::browser(workspace))?,
        prepared("script base", || base::build(workspace).map(drop))?,
    ];
    for (name, call) in quick(workspace) {
        steps.push(checked(name, &call)?);
    }
    for (name, call) in dependencies(workspace) {
        match workspace.cargo("deny --version").is_available() {
            true => steps.push(checked(name, &call)?),
            false => steps.push(skipped(name, &call, "cargo-deny is not installed")),
        }
    }
    for (name, call) in javascript(workspace)? {
        steps.push(checked(name, &call)?);
    }
    for (name, call) in compiled(workspace) {
        steps.push(checked(name, &call)?);
    }
    report(&steps, started.elapsed());
    Ok(())
}

/// What needs no compiler.
fn quick(workspace: &Workspace) -> [(&'static str, Call); 3] {
    let format = |manifest| workspace.cargo("fmt --all --check --manifest-path").arg(manifest);
    [
        ("format", format("Cargo.toml")),
        ("format of guests", format(GUESTS_MANIFEST)),
        ("format of the base", format(base::MANIFEST)),
    ]
}

/// Licences, advisories and sources, by a tool that not everybody has.
fn dependencies(workspace: &Workspace) -> [(&'static str, Call); 3] {
    let deny = |manifest| {
        let call = workspace.cargo("deny --locked --manifest-path").arg(manifest);
        call.args("check --hide-inclusion-graph")
    };
    [
        ("dependencies", deny("Cargo.toml")),
        ("those of guests", deny(GUESTS_MANIFEST)),
        ("those of the base", deny(base::MANIFEST)),
    ]
}

/// The SDK for JavaScript and what is written with it.
fn javascript(workspace: &Workspace) -> Result<[(&'static str, Call); 7]> {
    let npm = |folder: &str| Call::new(&workspace.root.join(folder), "npm").args("run --silent");
    Ok([
        ("lints of the base", base::cargo(workspace, "clippy")?.args("-- --deny warnings")),
        ("JavaScript SDK", npm(setup::JS_SDK).args("test")),
        ("types of its SDK", npm(setup::JS_SDK).args("types")),
        ("shop in JavaScript", npm(setup::JS_SHOP).args("test")),
        ("loyalty", npm(setup::JS_LOYALTY).args("test")),
        ("types of orders", npm(setup::TS_ORDERS).args("types")),
        ("orders in TypeScript", npm(setup::TS_ORDERS).args("test")),
    ])
}

/// What has to be compiled: the guests first, as they are small.
fn compiled(workspace: &Workspace) -> [(&'static str, Call); 6] {
    let lint = "--workspace --all-targets --locked -- --deny warnings";
    let document = workspace.cargo("doc --workspace --no-deps --locked");
    [
        ("lints of guests", workspace.guests("clippy", lint)),
        ("tests of guests", workspace.guests("test", "--workspace --locked")),
        ("lints", workspace.cargo("clippy").args(lint)),
        ("documentation", document.variable("RUSTDOCFLAGS", "--deny warnings")),
        ("build", workspace.cargo("build --workspace --bins --tests --locked")),
        ("tests", workspace.cargo("test --workspace --locked --no-fail-fast")),
    ]
}

/// A step of set-up.
fn prepared(name: &'static str, prepare: impl FnOnce() -> Result<()>) -> Result<Step> {
    let started = Instant::now();
    begin(name, "");
    match prepare() {
        Ok(()) => Ok(end(name, started, "ready", Vec::new())),
        Err(error) => bail!("{name}: {error:#}\nrepeat it with:\n  cargo xtask test"),
    }
}

/// A step that is a program which has to succeed.
fn checked(name: &'static str, call: &Call) -> Result<Step> {
    let started = Instant::now();
    begin(name, &call.shown());
    let mut summaries = Vec::new();
    let result = call.lines(|line| {
        println!("{line}");
        if line.starts_with("test result: ") && !line.contains(" 0 passed; 0 failed") {
            summaries.push(line.to_owned());
        }
    });
    match result {
        Ok(()) => Ok(end(name, started, "passed", summaries)),
        Err(_) => bail!(
            "{name} failed after {}; what it says is above\nrepeat it with:\n  {}",
            seconds(started.elapsed()),
            call.shown()
        ),
    }
}

/// A step that this machine cannot do, and that need not be done on each.
fn skipped(name: &'static str, call: &Call, reason: &str) -> Step {
    begin(name, &call.shown());
    end(name, Instant::now(), &format!("SKIPPED, {reason}"), Vec::new())
}

fn begin(name: &str, shown: &str) {
    println!("\n==== {name}");
    if !shown.is_empty() {
        println!("$ {shown}");
    }
}

fn end(name: &'static str, started: Instant, end: &str, summaries: Vec<String>) -> Step {
    let took = started.elapsed();
    println!("==== {name}: {end}, {}", seconds(took));
    Step { name, took, end: end.to_owned(), summaries }
}

/// The closing lines. They end with what `cargo test` itself said.
fn report(steps: &[Step], took: Duration) {
    println!("\n==== cargo xtask test: no step failed, {}\n", seconds(took));
    for step in steps {
        println!("  {:<18}{:>10}  {}", step.name, seconds(step.took), step.end);
    }
    for step in steps.iter().filter(|step| !step.summaries.is_empty()) {
        println!("\n{}:", step.name);
        for summary in &step.summaries {
            println!("{summary}");
        }
    }
}

fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole / 60 {
        0 => format!("{:.1} s", duration.as_secs_f64()),
        minutes => format!("{minutes} min {} s", whole % 60),
    }
}
