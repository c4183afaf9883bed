//! The integration tests of Chancery, in one binary.

mod deploy;
mod generations;
mod lane;
mod snapshots;
