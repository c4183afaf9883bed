//! What an instance that is kept costs in memory: how much the process grows when so many
//! have executed their first command.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use chancery::state::{State, Step};
use chancery::transaction::{Chain, Context, Limits, Transaction};
use chancery::value::{ChangeSet, Lifecycle, Position, Sequence, TableChanges};
use chancery::wasm::{CommandCall, Host, Live, Module};
use uuid::Uuid;

/// Instances at one time.
const INSTANCES: u32 = 64;

/// Memory of one live instance of the shop, in KiB, when it has sold something.
pub(super) fn of_instance(host: &Arc<Host>, upload: &[u8], snapshot: bool) -> anyhow::Result<f64> {
    let module = host.load(upload)?;
    while snapshot && module.evaluates_script() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // What is made with the first instance and stays is not counted.
    let mut first = module.instance();
    sell(&module, &mut first)?;
    let mut live: Vec<Live> = (0..INSTANCES).map(|_| module.instance()).collect();
    let before = anonymous_kib()?;
    live.iter_mut().try_for_each(|live| sell(&module, live))?;
    let after = anonymous_kib()?;
    Ok((after - before) / f64::from(INSTANCES))
}

/// Executes `add-product` in an instance.
fn sell(module: &Module, live: &mut Live) -> anyhow::Result<()> {
    let created = |table: &_| TableChanges {
        table: Clone::clone(table),
        lifecycle: Lifecycle::Created,
        rows: Vec::new(),
    };
    let tables: Vec<_> = module.manifest().tables.keys().map(created).collect();
    let step = Step { sequence: Sequence(1), time_ms: 1_000, position: Position(0) };
    let mut state = State::empty();
    state.apply(step, &ChangeSet { tables });
    let call = CommandCall {
        module: "main/shop".into(),
        id: Uuid::now_v7(),
        name: "add-product".parse()?,
        input: r#"{"product":"lamp","name":"Lamp","quantity":3}"#.into(),
        sequence: Sequence(2),
        time_ms: 2_000,
        scheduled_for_ms: None,
        basis: None,
        caller: None,
        correlation_id: "bench".into(),
        causation_id: None,
        metadata: "{}".into(),
    };
    let context = Context {
        sequence: call.sequence,
        time_ms: call.time_ms,
        command_id: call.id,
        writable: Arc::new(module.manifest().tables.keys().cloned().collect::<BTreeSet<_>>()),
        limits: Limits::default(),
        chain: Chain::default(),
    };
    let executed = live.execute(Transaction::new(state, context), &call);
    ensure!(executed.result.is_ok(), "{:?}", executed.result);
    Ok(())
}

/// Memory of this process that no file stands behind, in KiB.
fn anonymous_kib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    Ok(line.context("no RssAnon")?.trim().trim_end_matches(" kB").parse()?)
}
