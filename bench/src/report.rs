//! What a run found, for people; as JSON it is the same by derivation.

use std::fmt;

use serde::Serialize;

use crate::events::Pages;
use crate::growth::Growth;
use crate::machine::Machine;
use crate::point_query::{PointQuery, Side};
use crate::projection::Projection;
use crate::recovery::Recovery;
use crate::scripts::Scripts;
use crate::transfer::Transfer;

/// Everything a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what.
    pub machine: Machine,
    /// How often the sides took turns.
    pub rounds: usize,
    /// How long each turn lasted, in seconds.
    pub turn_seconds: f64,
    /// The first comparison, one for each number of connections.
    pub point_query: Vec<PointQuery>,
    /// The second comparison.
    pub transfer: Option<Transfer>,
    /// Memory over a long run.
    pub growth: Option<Growth>,
    /// How long a start takes.
    pub recovery: Option<Recovery>,
    /// What a page of events costs.
    pub events: Option<Pages>,
    /// How quickly a projection is built.
    pub projection: Option<Projection>,
    /// What handlers cost as scripts.
    pub scripts: Option<Scripts>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, memory_mib, kernel, disk, load_before, .. } = &self.machine;
        let Machine { rustc, profile, commit, .. } = &self.machine;
        writeln!(f, "{processor}, {cores} cores, {memory_mib} MiB, Linux {kernel}, {disk}")?;
        writeln!(f, "Chancery {commit}, {profile}, {rustc}, load before: {load_before}")?;
        let (rounds, seconds) = (self.rounds, self.turn_seconds);
        writeln!(
            f,
            "median (min..max) of {rounds} rounds, each side {seconds} s a round, in turn"
        )?;
        if !self.point_query.is_empty() {
            writeln!(f, "\nPoint query, a fresh instance each, beside a bare axum route")?;
            head(f)?;
        }
        for PointQuery { connections, bare, query, ratio } in &self.point_query {
            row(f, &format!("{connections} conn. bare"), bare)?;
            row(f, &format!("{connections} conn. query"), query)?;
            writeln!(f, "{:16} {ratio} of the bare route", "")?;
        }
        if let Some(transfer) = &self.transfer {
            transfer.fmt(f)?;
        }
        if let Some(growth) = &self.growth {
            growth.fmt(f)?;
        }
        if let Some(recovery) = &self.recovery {
            recovery.fmt(f)?;
        }
        if let Some(events) = &self.events {
            events.fmt(f)?;
        }
        if let Some(projection) = &self.projection {
            projection.fmt(f)?;
        }
        match &self.scripts {
            Some(scripts) => scripts.fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accounts, clients, entries, .. } = self;
        writeln!(f, "\nDurable transfers among {accounts} accounts, beside raw syncs")?;
        head(f)?;
        let cells = [&self.syncs_per_second, &self.sync_p50_us, &self.sync_p99_us];
        let [per_second, p50, p99] = cells.map(ToString::to_string);
        writeln!(f, "{:16} {per_second:>24} {p50:>24} {p99:>26}", "raw sync")?;
        row(f, &format!("{clients} clients"), &self.transfers)?;
        row(f, "1 client", &self.lone)?;
        let Self { ratio, commands_per_round, rounds_ratio, lone_ratio, lone_rounds, .. } = self;
        writeln!(f, "{:16} {ratio} transfers a raw sync", "")?;
        writeln!(f, "{:16} {commands_per_round} transfers a round", "")?;
        writeln!(f, "{:16} {rounds_ratio} rounds a raw sync", "")?;
        writeln!(f, "{:16} a lone transfer takes {lone_ratio} raw syncs", "")?;
        writeln!(f, "{:16} and {lone_rounds} rounds", "")?;
        writeln!(f, "{:16} total right; {entries} entries read back, all with outcome", "")
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |figures: &[f64]| {
            let figures = figures.iter().map(|mib| format!("{mib:.1}"));
            figures.collect::<Vec<_>>().join(" ")
        };
        let Self { at_first, queries, after_queries, commands, after_commands } = self;
        writeln!(f, "\nMemory of the server in MiB, at first {at_first:.1}")?;
        writeln!(f, "after each tenth of {queries} queries:   {}", list(after_queries))?;
        writeln!(f, "after each tenth of {commands} transfers: {}", list(after_commands))
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { empty_ms, commands, log_mib, replay_ms, rows, .. } = self;
        let Self { checkpoint_mib, write_ms, load_ms, .. } = self;
        writeln!(f, "\nOpening an app, in ms")?;
        writeln!(f, "with a module and nothing else:      {empty_ms}")?;
        writeln!(f, "{commands} commands, {log_mib:.0} MiB of log: {replay_ms}")?;
        writeln!(
            f,
            "a checkpoint of {rows} rows, {checkpoint_mib:.0} MiB: {load_ms}; it took {write_ms:.0} \
             to write"
        )
    }
}

fn head(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (p50, p99, cpu) = ("p50 µs", "p99 µs", "server CPU µs");
    writeln!(f, "{:16} {:>24} {p50:>24} {p99:>26} {cpu:>24}", "", "a second")
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, side: &Side) -> fmt::Result {
    let Side { per_second, p50_us, p99_us, cpu_us } = side;
    let cells = [per_second, p50_us, p99_us, cpu_us].map(ToString::to_string);
    let [per_second, p50, p99, cpu] = cells;
    writeln!(f, "{name:16} {per_second:>24} {p50:>24} {p99:>26} {cpu:>24}")
}
