//! The wasmtime engine: which WebAssembly it accepts, how it allocates, and the
//! thread that makes time pass for guests. Knows nothing of the contract.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig,
};

use super::Error;
use super::call::Stopwatch;
use super::settings::Settings;

/// The WebAssembly that modules may use: the finished proposals that compilers
/// of today emit. Threads and relaxed SIMD would not be deterministic; garbage
/// collection, exceptions and the rest widen what can be attacked and no guest
/// needs them.
pub(super) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The stack of a guest, in bytes. QuickJS overflows wasmtime's default of
/// 512 KiB at 5,000 frames. Threads that call guests need well above this
/// (`Host` says so): beyond a thread's own stack the process would end.
pub(super) const WASM_STACK_BYTES: usize = 2 << 20;
/// Elements of one table, and of all tables of a store.
pub(super) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances of a component. wit-component makes 3, QuickJS some 10.
pub(super) const CORE_INSTANCES_MAX: u32 = 32;
/// Memories of a component.
pub(super) const MEMORIES_MAX: u32 = 4;
/// Tables of a component: wit-component adds one for its shims.
pub(super) const TABLES_MAX: u32 = 8;
/// What wasmtime may keep for one core instance: its globals and pointers, in
/// bytes. wasmtime's default.
const CORE_INSTANCE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a memory and of a table cleared by hand, when an instance is given
/// back, rather than returned to the kernel: what a small handler touches.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 256 << 10;
const TABLE_KEEP_RESIDENT_BYTES: usize = 32 << 10;
/// How often deadlines are looked at: they may be overrun by this much.
const TICK: Duration = Duration::from_millis(10);

pub(super) fn engine(settings: &Settings) -> Result<Engine, Error> {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        // Calls are made on the caller's thread; async ones cost more.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        // The bits of a NaN are otherwise the processor's choice.
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))
}

fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let memory_bytes_max = settings.query_memory_bytes_max.max(settings.command_memory_bytes_max);
    let pagemap_scan = match PoolingAllocationConfig::is_pagemap_scan_available() {
        true => Enabled::Yes,
        false => Enabled::No,
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(settings.instances_max)
        // Most components have one memory and two tables. Those with more take
        // the slots of others, and a call that finds none is the host's failure.
        .total_memories(settings.instances_max)
        .total_tables(settings.instances_max.saturating_mul(2))
        .total_core_instances(settings.instances_max.saturating_mul(4))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_core_instance_size(CORE_INSTANCE_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(memory_bytes_max.next_multiple_of(64 << 10))
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(pagemap_scan);
    pool
}

/// How many ticks a deadline is. One more, since the first may come at once.
pub(super) fn ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1)
}

/// The thread that moves the engine's epoch on. Stops when dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Result<Self, Error> {
        let (stop, stopped) = channel();
        let engine = engine.weak();
        let thread = std::thread::Builder::new()
            .name("wasm-ticker".into())
            .spawn(move || tick(&engine, &stopped))
            .map_err(Error::Ticker)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, there is nothing left to tick for.
            drop(thread.join());
        }
    }
}

/// Counts what has passed rather than how often it woke: on a loaded machine it
/// wakes late, and deadlines are in time, not in turns.
fn tick(engine: &EngineWeak, stopped: &Receiver<()>) {
    let stopwatch = Stopwatch::start();
    let mut ticks = 0;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let due = stopwatch.elapsed().as_nanos() / TICK.as_nanos();
        while ticks < due {
            engine.increment_epoch();
            ticks += 1;
        }
    }
}
