//! The integration tests of Chancery, in one binary.
#![expect(clippy::disallowed_methods, reason = "tests wait for processes, in real time")]

mod backup;
mod concurrency;
mod consumers;
mod deploy;
mod disk_full;
mod emitting;
mod erasing;
mod events;
mod examples;
mod faults;
mod follow;
mod generations;
mod kill;
mod lane;
mod misfits;
mod orders;
mod patience;
mod poison;
mod pressure;
mod projections;
mod reactions;
mod refusals;
mod retention;
mod semantics;
mod shutdown;
mod snapshots;
mod stall;
mod tidy;
mod timers;
mod torture;
mod trace;
mod verify;
mod webhooks;
