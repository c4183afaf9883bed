//! What no compiler checks: the order of modules, who may name which crate, and what
//! every file has to have. Each test says how to mend what it finds.

mod arrows;
mod fences;
mod manifests;
mod named;
mod shape;
mod source;
mod wit;

/// Fails with everything that was found, and with what to do about it.
#[track_caller]
fn settle(found: &[String], mend: &str) {
    assert!(found.is_empty(), "{mend}\n\n  {}\n", found.join("\n  "));
}
