//! The integration tests of Chancery, in one binary.
#![expect(clippy::disallowed_methods, reason = "tests wait for processes, in real time")]

mod concurrency;
mod deploy;
mod examples;
mod generations;
mod kill;
mod lane;
mod pressure;
mod refusals;
mod semantics;
mod snapshots;
mod tidy;
