//! Durable transfers beside the raw syncs of the same disk.

use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use chancery::disk::Files;
use chancery::log::{Segments, Storage, segments};
use chancery::record::Record;
use serde::Serialize;

use crate::Plan;
use crate::bank::{self, Bank};
use crate::disk::{Preallocated, Syncs};
use crate::load::{self, Turn, Until};
use crate::point_query::Side;
use crate::server::Server;
use crate::spread::Spread;

/// The comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Transfer {
    /// Accounts among which money moves.
    pub accounts: usize,
    /// Clients that each wait for the outcome of one transfer at a time.
    pub clients: usize,
    /// Preallocated writes of 4 KiB, each synced, by one thread.
    pub syncs_per_second: Spread,
    /// Half of them took less, in microseconds.
    pub sync_p50_us: Spread,
    /// All but one in a hundred took less, in microseconds.
    pub sync_p99_us: Spread,
    /// Transfers with all clients.
    pub transfers: Side,
    /// Transfers for each raw sync.
    pub ratio: Spread,
    /// Transfers that share one commit of the log.
    pub commands_per_round: Spread,
    /// Rounds, which are commits of the log, for each raw sync.
    pub rounds_ratio: Spread,
    /// Transfers with one client.
    pub lone: Side,
    /// How many raw syncs take as long as a lone transfer, both at the median.
    pub lone_ratio: Spread,
    /// Rounds for each lone transfer: more than one if its outcome came late.
    pub lone_rounds: Spread,
    /// Entries of the log at the end, all with an outcome and read back.
    pub entries: u64,
}

/// A turn of transfers and the sequences they got.
struct Span {
    turn: Turn,
    after: u64,
    up_to: u64,
}

/// Runs the comparison.
///
/// # Errors
/// If a transfer failed, the total is wrong, or the log does not hold every one
/// of them: then there is nothing to report.
pub fn run(plan: &Plan) -> anyhow::Result<Transfer> {
    let mut server = Server::start(&plan.program, &plan.data)?;
    let bank = Bank::open(&server, plan.accounts)?;
    let mut disk = Preallocated::create(server.scratch())?;
    let (mut syncs, mut many, mut lone) = (Vec::new(), Vec::new(), Vec::new());
    load::turn(&server, plan.clients, Until::Elapsed(plan.turn / 4), |_| bank.transfers())?;
    for round in 1..=plan.rounds {
        crate::note(&format!("transfers, round {round} of {}", plan.rounds));
        syncs.push(disk.turn(plan.turn)?);
        many.push(span(plan, &server, &bank, plan.clients)?);
        lone.push(span(plan, &server, &bank, 1)?);
    }
    bank.check_total(&server)?;
    let last = bank::sequence(&server)?;
    server.stop()?;
    let rounds = rounds_of(&server.log_directory(), last)?;
    Ok(compared(plan, &syncs, many, lone, &rounds))
}

fn span(plan: &Plan, server: &Server, bank: &Bank, clients: usize) -> anyhow::Result<Span> {
    let after = bank::sequence(server)?;
    let until = Until::Elapsed(plan.turn);
    let turn = load::turn(server, clients, until, |_| bank.transfers())?;
    let up_to = bank::sequence(server)?;
    let recorded = up_to - after;
    ensure!(recorded == turn.requests, "{} transfers made {recorded} entries", turn.requests);
    Ok(Span { turn, after, up_to })
}

/// The last sequence that each round of the log speaks of, in order. Reading the
/// log checks all of it.
fn rounds_of(log: &Path, last: u64) -> anyhow::Result<Vec<u64>> {
    let storage = Segments::new(Arc::new(Files), log, segments::Limits::default());
    let (mut rounds, mut entry, mut outcome) = (Vec::new(), 0, 0);
    let opened = storage.open(None, &mut |round, _| {
        for record in &round.records {
            match record {
                Record::Entry(found) => entry = found.sequence.0,
                Record::Outcome(found) => outcome = found.sequence.0,
                Record::Attempt(_) => {}
            }
        }
        rounds.push(entry);
        Ok(())
    })?;
    opened.log.close()?;
    ensure!(entry == last, "{last} entries were published, and {entry} are in the log");
    ensure!(outcome == last, "the log has outcomes up to {outcome} of {last}");
    Ok(rounds)
}

impl Span {
    /// How many rounds it took.
    fn rounds(&self, rounds: &[u64]) -> f64 {
        let of_this = rounds.iter().filter(|&&last| self.after < last && last <= self.up_to);
        of_this.count() as f64
    }

    fn seconds(&self) -> f64 {
        self.turn.requests as f64 / self.turn.per_second
    }
}

fn compared(
    plan: &Plan,
    syncs: &[Syncs],
    many: Vec<Span>,
    lone: Vec<Span>,
    rounds: &[u64],
) -> Transfer {
    let of_syncs = |figure: fn(&Syncs) -> f64| Spread::of(syncs.iter().map(figure));
    let pairs = || many.iter().zip(syncs);
    let per_round = |span: &Span| span.turn.requests as f64 / span.rounds(rounds);
    let rounds_per_second = |span: &Span| span.rounds(rounds) / span.seconds();
    let ratio = pairs().map(|(span, syncs)| span.turn.per_second / syncs.per_second);
    let rounds_ratio = pairs().map(|(span, syncs)| rounds_per_second(span) / syncs.per_second);
    let lone_ratio = lone.iter().zip(syncs).map(|(span, syncs)| span.turn.p50_us / syncs.p50_us);
    Transfer {
        accounts: plan.accounts,
        clients: plan.clients,
        syncs_per_second: of_syncs(|syncs| syncs.per_second),
        sync_p50_us: of_syncs(|syncs| syncs.p50_us),
        sync_p99_us: of_syncs(|syncs| syncs.p99_us),
        ratio: Spread::of(ratio),
        commands_per_round: Spread::of(many.iter().map(per_round)),
        rounds_ratio: Spread::of(rounds_ratio),
        lone_ratio: Spread::of(lone_ratio),
        lone_rounds: Spread::of(lone.iter().map(|span| 1.0 / per_round(span))),
        entries: lone.last().map_or(0, |span| span.up_to),
        transfers: side(many),
        lone: side(lone),
    }
}

fn side(spans: Vec<Span>) -> Side {
    let turns: Vec<Turn> = spans.into_iter().map(|span| span.turn).collect();
    Side::of(&turns)
}
