//! The integration tests of Chancery, in one binary.
#![expect(clippy::disallowed_methods, reason = "tests wait for processes, in real time")]

mod deploy;
mod generations;
mod lane;
mod snapshots;
mod tidy;
