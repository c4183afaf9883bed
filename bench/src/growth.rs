//! Memory of the server over a long run: what leaks, grows.

use serde::Serialize;

use crate::Plan;
use crate::bank::Bank;
use crate::load::{self, Until};
use crate::server::Server;

/// Steps of each kind, after each of which the memory is looked at.
const STEPS: u64 = 10;

/// Memory of the server, in MiB, not counting files.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// With the accounts open and nothing else done.
    pub at_first: f64,
    /// Queries that were asked.
    pub queries: u64,
    /// After each tenth of them.
    pub after_queries: Vec<f64>,
    /// Transfers that were made after them.
    pub commands: u64,
    /// After each tenth of them.
    pub after_commands: Vec<f64>,
}

/// Asks and transfers that often.
///
/// # Errors
/// If an answer was not the right one, or the total is wrong.
pub fn run(plan: &Plan, queries: u64, commands: u64) -> anyhow::Result<Growth> {
    let mut server = Server::start(&plan.program, &plan.data)?;
    let bank = Bank::open(&server, plan.accounts)?;
    let at_first = server.memory_mib()?;
    let steps = |n: u64| Until::Requests(n.div_ceil(STEPS));
    let (mut after_queries, mut after_commands) = (Vec::new(), Vec::new());
    for step in 1..=STEPS {
        crate::note(&format!("queries for growth, {step} of {STEPS}"));
        load::turn(&server, plan.clients, steps(queries), |n| bank.balances(n))?;
        after_queries.push(server.memory_mib()?);
    }
    for step in 1..=STEPS {
        crate::note(&format!("transfers for growth, {step} of {STEPS}"));
        load::turn(&server, plan.clients, steps(commands), |_| bank.transfers())?;
        after_commands.push(server.memory_mib()?);
    }
    bank.check_total(&server)?;
    server.stop()?;
    Ok(Growth { at_first, queries, after_queries, commands, after_commands })
}
