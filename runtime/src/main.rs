//! The `chancery` binary: reads the command line, starts logging, runs, and ends
//! with an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use chancery::cli::{Cli, Logging};
use chancery::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// Says what is logged, in the directives of `tracing_subscriber`.
const FILTER_VARIABLE: &str = "CHANCERY_LOG";

fn main() -> ExitCode {
    let exit = match Cli::from_command_line() {
        Ok(cli) => cli.run(start_logging),
        Err(exit) => exit,
    };
    ExitCode::from(exit as u8)
}

/// Log lines go to standard error; standard output is for answers.
fn start_logging(logging: Logging) -> Result<(), String> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .map_err(|error| format!("{FILTER_VARIABLE} cannot be `{text}`: {error}"))?,
        _ => EnvFilter::new(logging.level),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    let subscriber = subscriber.with_writer(std::io::stderr);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let started = match logging.format {
        LogFormat::Auto => subscriber.with_ansi(colours).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| format!("logging cannot start: {error}"))
}
