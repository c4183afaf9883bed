//! The integration tests of Chancery, in one binary.
#![expect(clippy::disallowed_methods, reason = "tests wait for processes, in real time")]

mod backup;
mod concurrency;
mod deploy;
mod disk_full;
mod erasing;
mod examples;
mod faults;
mod generations;
mod kill;
mod lane;
mod misfits;
mod patience;
mod poison;
mod pressure;
mod refusals;
mod retention;
mod semantics;
mod shutdown;
mod snapshots;
mod stall;
mod tidy;
mod torture;
mod verify;
