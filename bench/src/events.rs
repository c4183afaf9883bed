//! What a page of events costs, near the first and near the last: of any events, of a
//! type, of a subject.
//!
//! The engine is in this process, so that nothing but reading is measured.

use std::fmt;
use std::fs;

use anyhow::ensure;
use chancery::checkpoint::AtOnce;
use chancery::engine::Settings;
use chancery::events::{Events, Filter, Limits};
use chancery::state::Order;
use chancery::value::Position;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::recovery::Opened;
use crate::spread::Spread;
use crate::{Plan, machine};

/// Events on a page.
const PAGE: usize = 100;
/// Subjects, each of as many events.
const SUBJECTS: usize = 1_000;
/// One event in so many is of the rare type.
const RARE: usize = 100;
/// Pages that are read from each place in each round.
const PAGES: usize = 20;
/// Where pages begin, in percent of all events.
const PLACES: [usize; 4] = [0, 33, 66, 95];

/// Times to read pages, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Pages {
    /// Events there are.
    pub events: usize,
    /// Events written in a second, with their commands.
    pub written_per_second: f64,
    /// For each kind of page, from each place.
    pub rows: Vec<Row>,
    /// What is indexed of them on disk, in MiB.
    pub postings_mib: f64,
}

/// One kind of page.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which events are on it.
    pub what: &'static str,
    /// From the places, in order.
    pub page_us: Vec<Spread>,
}

/// Writes events and reads pages of them.
///
/// # Errors
/// If a command does not succeed, or a page is not what was written.
pub fn run(plan: &Plan, number: usize) -> anyhow::Result<Pages> {
    fs::create_dir_all(&plan.data)?;
    let directory = TempDir::with_prefix_in("chancery-bench-", &plan.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(chancery::server::THREAD_STACK_BYTES)
        .enable_all()
        .build()?;
    let settings = Settings { tended: false, ..Settings::new(directory.path().to_owned()) };
    crate::note(&format!("{number} events"));
    let opened = runtime.block_on(Opened::new(&settings)?.deploy())?;
    let emit = |n: usize| {
        let event_type = if n.is_multiple_of(RARE) { "stock.low" } else { "order.placed" };
        let subject = format!("order/{}", n % SUBJECTS);
        ("emit", json!({ "type": event_type, "data": { "n": n }, "subject": subject }))
    };
    let began = machine::now();
    runtime.block_on(opened.submit(number, emit))?;
    let written_per_second = number as f64 / began.elapsed().as_secs_f64();
    opened.app.keeper().checkpoint(&mut AtOnce)?;
    let events = opened.app.events();
    ensure!(events.last() == Position(number as u64), "{} of {number} events", events.last());
    let kinds = [
        ("any", Filter::default()),
        ("a type", Filter { types: vec!["stock.*".parse()?], subject: None }),
        ("a subject", Filter { types: Vec::new(), subject: Some("order/77".into()) }),
    ];
    let mut rows = Vec::new();
    for (what, filter) in kinds {
        crate::note(&format!("pages of {what}"));
        let spread = |place: &usize| measure(plan, events, &filter, number * place / 100);
        let page_us = PLACES.iter().map(spread).collect::<anyhow::Result<_>>()?;
        rows.push(Row { what, page_us });
    }
    let postings_mib = events.postings().disk_bytes() as f64 / f64::from(1 << 20);
    opened.close();
    Ok(Pages { events: number, written_per_second, rows, postings_mib })
}

fn measure(plan: &Plan, events: &Events, filter: &Filter, from: usize) -> anyhow::Result<Spread> {
    let mut took = Vec::new();
    for _ in 0..plan.rounds {
        for n in 0..PAGES {
            // Not the same twice, so that nothing is there already.
            let from = Position((from + n * PAGE + 1) as u64);
            let began = machine::now();
            let page = events.page(from, Order::Ascending, filter, Limits::of(PAGE))?;
            took.push(began.elapsed().as_secs_f64() * 1e6 / page.events.len().max(1) as f64);
            ensure!(page.events.iter().all(|event| filter.matches(event)), "not what was asked");
            ensure!(page.scanned == page.events.len(), "{} were looked at", page.scanned);
        }
    }
    Ok(Spread::of(took))
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, written_per_second, postings_mib, .. } = self;
        writeln!(f, "\nPages of {PAGE} of {events} events, µs an event")?;
        let places: String =
            PLACES.iter().map(|place| format!("{:>26}", format!("from {place} %"))).collect();
        writeln!(f, "{:16}{places}", "")?;
        for Row { what, page_us } in &self.rows {
            let cells: String =
                page_us.iter().map(|spread| format!("{:>26}", spread.to_string())).collect();
            writeln!(f, "{what:16}{cells}")?;
        }
        writeln!(
            f,
            "{:16} written at {written_per_second:.0} events/s; {postings_mib:.1} MiB of postings",
            ""
        )
    }
}
