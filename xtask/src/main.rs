//! `cargo xtask`: everything that is not plain cargo, set-up included.
//!
//! It builds and runs the server but never links it, so that it starts at once
//! on a machine where nothing has been compiled yet.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]
#![expect(clippy::disallowed_methods, reason = "it times what it does by the machine's clock")]

mod base;
mod call;
mod demo;
mod sabotage;
mod setup;
mod test;
mod torture;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <task>

  demo          builds everything, runs real applications, kills the server in the
                middle, shows that nothing was lost, and leaves it running
  demo --once   the same, but ends instead
  test          formatting, lints, documentation, and every test
  base          builds the component that runs scripts, QuickJS with the SDK in it, as a
                core module: target/script-base/script-base.wasm
  torture --hours N
                crashes, failures, rot, kills and full disks for about N hours, and one
                table of what was tried
  sabotage [--only NAME...]
                takes out one safeguard after the other, in a copy of the last commit, and
                demands that the test named for it in tests/sabotage/expected.txt fails";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["demo"] => Workspace::find().and_then(|it| demo::run(&it, demo::End::StaysUp)),
        ["demo", "--once"] => Workspace::find().and_then(|it| demo::run(&it, demo::End::Once)),
        ["test"] => Workspace::find().and_then(|it| test::run(&it)),
        ["base"] => Workspace::find().and_then(|it| base::run(&it)),
        ["torture", "--hours", hours] => Workspace::find().and_then(|it| torture::run(&it, hours)),
        ["sabotage"] => Workspace::find().and_then(|it| sabotage::run(&it, &[])),
        ["sabotage", "--only", names @ ..] if !names.is_empty() => {
            Workspace::find().and_then(|it| sabotage::run(&it, names))
        }
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
