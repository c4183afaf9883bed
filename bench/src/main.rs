//! The benchmark as a program: see the library for what it measures.

use std::path::PathBuf;
use std::time::Duration;

use chancery_bench::machine::Machine;
use chancery_bench::report::Report;
use chancery_bench::{
    Plan, events, growth, point_query, projection, recovery, scripts, serve, transfer,
};
use clap::{Parser, Subcommand, ValueEnum};

/// Measures Chancery beside what it cannot be faster than.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// What to measure; both comparisons if it is not given.
    #[arg(long, value_enum)]
    only: Vec<Subject>,
    /// How often the sides take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each turn lasts, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Connections of the point query.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Clients that wait for their transfers.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Accounts of the bank.
    #[arg(long, default_value_t = 10_000)]
    accounts: usize,
    /// Queries for `--only growth`.
    #[arg(long, default_value_t = 1_000_000)]
    queries: u64,
    /// Transfers for `--only growth`.
    #[arg(long, default_value_t = 200_000)]
    commands: u64,
    /// Commands since the last checkpoint for `--only recovery`.
    #[arg(long, default_value_t = 1_000_000)]
    replayed: usize,
    /// Rows of the checkpoint for `--only recovery`.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Events for `--only events` and `--only projection`.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Where the data goes, and whose disk is synced.
    #[arg(long, default_value = "target")]
    data: PathBuf,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The server's side, in a process of its own.
    #[command(hide = true)]
    Serve {
        /// Where its data is.
        data: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    PointQuery,
    Transfer,
    Growth,
    Recovery,
    Events,
    Projection,
    Scripts,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Role::Serve { data }) = arguments.role {
        return serve::serve(data);
    }
    let subjects = match arguments.only.as_slice() {
        [] => &[Subject::PointQuery, Subject::Transfer],
        only => only,
    };
    let plan = Plan {
        program: std::env::current_exe()?,
        data: arguments.data,
        rounds: arguments.rounds.max(1),
        turn: Duration::try_from_secs_f64(arguments.seconds)?,
        connections: arguments.connections,
        clients: arguments.clients,
        accounts: arguments.accounts,
    };
    std::fs::create_dir_all(&plan.data)?;
    let machine = Machine::look(&plan.data);
    let wanted = |subject| subjects.contains(&subject);
    let point_query = match wanted(Subject::PointQuery) {
        true => point_query::run(&plan)?,
        false => Vec::new(),
    };
    let transfer = wanted(Subject::Transfer).then(|| transfer::run(&plan)).transpose()?;
    let growth = || growth::run(&plan, arguments.queries, arguments.commands);
    let growth = wanted(Subject::Growth).then(growth).transpose()?;
    let recovery = || recovery::run(&plan, arguments.replayed, arguments.rows);
    let recovery = wanted(Subject::Recovery).then(recovery).transpose()?;
    let events = || events::run(&plan, arguments.events);
    let events = wanted(Subject::Events).then(events).transpose()?;
    let projection = || projection::run(&plan, arguments.events);
    let projection = wanted(Subject::Projection).then(projection).transpose()?;
    let scripts = wanted(Subject::Scripts).then(|| scripts::run(&plan)).transpose()?;
    let (rounds, turn_seconds) = (plan.rounds, plan.turn.as_secs_f64());
    let report = Report {
        machine,
        rounds,
        turn_seconds,
        point_query,
        transfer,
        growth,
        recovery,
        events,
        projection,
        scripts,
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{report}"),
    }
    Ok(())
}
