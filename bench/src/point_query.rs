//! A point query over HTTP, each in a fresh instance, beside a bare axum route.

use serde::Serialize;

use crate::Plan;
use crate::bank::{self, Bank};
use crate::load::{self, Turn, Until};
use crate::server::Server;
use crate::spread::Spread;

/// The comparison at one number of connections.
#[derive(Debug, Clone, Serialize)]
pub struct PointQuery {
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// The bare route.
    pub bare: Side,
    /// The query.
    pub query: Side,
    /// Queries for each request to the bare route, in turns next to each other.
    pub ratio: Spread,
}

/// One side's turns.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Requests a second.
    pub per_second: Spread,
    /// Half of the requests took less, in microseconds.
    pub p50_us: Spread,
    /// All but one in a hundred took less, in microseconds.
    pub p99_us: Spread,
    /// Processor time of the server for each request, in microseconds; the
    /// driver's is not in it.
    pub cpu_us: Spread,
}

impl Side {
    pub(crate) fn of(turns: &[Turn]) -> Self {
        let spread = |figure: fn(&Turn) -> f64| Spread::of(turns.iter().map(figure));
        Self {
            per_second: spread(|turn| turn.per_second),
            p50_us: spread(|turn| turn.p50_us),
            p99_us: spread(|turn| turn.p99_us),
            cpu_us: spread(|turn| turn.cpu_us),
        }
    }
}

/// Runs the comparison.
///
/// # Errors
/// If any answer was not the right one: then there is nothing to report.
pub fn run(plan: &Plan) -> anyhow::Result<Vec<PointQuery>> {
    let mut server = Server::start(&plan.program, &plan.data)?;
    let bank = Bank::open(&server, plan.accounts)?;
    let compared = plan.connections.iter().map(|&connections| {
        crate::note(&format!("point query, {connections} connections"));
        compare(plan, &server, &bank, connections)
    });
    let compared = compared.collect::<anyhow::Result<_>>()?;
    server.stop()?;
    Ok(compared)
}

fn compare(
    plan: &Plan,
    server: &Server,
    bank: &Bank,
    connections: usize,
) -> anyhow::Result<PointQuery> {
    let turn = Until::Elapsed(plan.turn);
    // Not counted: branch predictors and pools that are new to this.
    let warm_up = Until::Elapsed(plan.turn / 4);
    load::turn(server, connections, warm_up, |_| bank::bare())?;
    load::turn(server, connections, warm_up, |connection| bank.balances(connection))?;
    let (mut bare, mut query) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        bare.push(load::turn(server, connections, turn, |_| bank::bare())?);
        query.push(load::turn(server, connections, turn, |n| bank.balances(n))?);
    }
    let pairs = bare.iter().zip(&query);
    let ratio = Spread::of(pairs.map(|(bare, query)| query.per_second / bare.per_second));
    Ok(PointQuery { connections, bare: Side::of(&bare), query: Side::of(&query), ratio })
}
