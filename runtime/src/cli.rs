//! The command line: what can be said, and one file for each thing that can be done.
//!
//! `serve` runs a server in this process, and `verify` and `restore` work on its files
//! while none runs. Everything else is a client over HTTP and knows nothing of the
//! inside: what it can do, any client can do.
//!
//! Standard output has the answer and nothing else: tables and fields for people, or
//! with `--json` one document. What went wrong goes to standard error, and into the
//! exit code ([`Exit`]). Nothing ever prompts.

mod apps;
mod backup;
mod build;
mod client;
mod command;
mod commands;
mod completions;
mod config;
mod consumers;
mod dead_letters;
mod deploy;
mod dev;
mod doctor;
mod erase;
mod error;
mod events;
mod follow;
mod generate;
mod input;
mod json;
mod man;
mod modules;
mod new;
mod output;
mod problem;
mod project;
mod projections;
mod query;
mod reactions;
mod receipt;
mod restore;
mod rollback;
mod serve;
mod shell;
mod tables;
mod test;
#[cfg(test)]
mod tests;
mod timers;
mod trace;
mod verify;
mod version;
mod webhooks;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use error::Exit;

use crate::config::{Key, Layers, LogFormat, key, read};
use client::{Answer, Client};
use error::Error;
use output::{Audience, Output};

/// Hosts applications written as WebAssembly components.
///
/// Commands change an app's state, one after another, and are on disk before they
/// are answered. Queries read one immutable state, in parallel.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, after_help = AFTER_HELP, propagate_version = false)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  chancery new shop --template shop-js       a project to begin with
  chancery dev                               serves it while you work on it
  chancery test                              its given/when/then files, in the sandbox
  chancery serve                             a server on http://127.0.0.1:7070
  chancery deploy                            this project into the app `main`
  chancery command buy-product product=lamp
  chancery query stock-of product=lamp
  chancery commands --status rejected        what was refused, and why
  chancery events --follow                   what happened, as it happens
  chancery backup                            a copy of the app `main`, while it runs
  chancery verify                            checks all files, while no server runs

Settings: flags win over the environment (CHANCERY_SERVER, CHANCERY_APP, …), that over
chancery.toml, that over the defaults. `chancery config show` says which won.

Exit codes:
  0  done
  1  the application refused: the command or query was rejected, or failed; or a project
     does not build, a test failed, or `verify` found damage
  2  the command line, input or configuration cannot be understood; or `verify` could
     not check
  3  the server refused
  4  the server was not reached, or the outcome is unknown
  5  this machine could not do its part: a port in use, a damaged file, a program that is
     not installed; `chancery doctor` looks for what is amiss";

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The server to talk to; also CHANCERY_SERVER [default: http://127.0.0.1:7070].
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The app that is meant; also CHANCERY_APP [default: main; for verify all of them, for
    /// restore that of the backup].
    #[arg(long, global = true, value_name = "NAME")]
    app: Option<String>,
    /// Prints one JSON document: what the server sent, as it was sent.
    #[arg(long, global = true)]
    json: bool,
    /// The configuration file; also CHANCERY_CONFIG [default: chancery.toml in the
    /// working directory, if it is there].
    #[arg(long, global = true, value_name = "FILE", env = "CHANCERY_CONFIG", hide_env = true)]
    config: Option<PathBuf>,
    /// How log lines look on standard error: auto, or json for one object a line.
    /// CHANCERY_LOG says which there are, such as `debug` or `warn,chancery=trace`
    /// [default: auto].
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Dev(dev::Dev),
    Build(build::Build),
    Test(test::Test),
    Doctor(doctor::Doctor),
    Serve(Box<serve::Serve>),
    Apps(apps::Apps),
    Deploy(deploy::Deploy),
    Rollback(rollback::Rollback),
    Modules(modules::Modules),
    Query(query::Query),
    Command(command::Command),
    Commands(commands::Commands),
    Erase(erase::Erase),
    Events(events::Events),
    Consumers(consumers::Consumers),
    Tables(tables::Tables),
    Timers(timers::Timers),
    Reactions(reactions::Reactions),
    DeadLetters(dead_letters::DeadLetters),
    Webhooks(webhooks::Webhooks),
    Projections(projections::Projections),
    Trace(trace::Trace),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Verify(verify::Verify),
    Generate(generate::Generate),
    Config(config::Config),
    Completions(completions::Completions),
    Man(man::Man),
    Version(version::Version),
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged if nobody says otherwise.
    pub level: &'static str,
}

/// What a command that talks to a server works with.
#[derive(Debug)]
struct Context {
    client: Client,
    /// The global flags that chose the server, for command lines that are suggested.
    flags: Vec<String>,
}

impl Cli {
    /// Reads the command line. Help, and what is wrong with it, is printed.
    ///
    /// # Errors
    /// How to exit instead of going on.
    pub fn from_command_line() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            // If it cannot be printed there is nobody to tell.
            drop(error.print());
            match error.exit_code() {
                0 => Exit::Done,
                _ => Exit::Usage,
            }
        })
    }

    /// Does what the command line says, and prints what comes of it. Logging starts
    /// when it is known how to log.
    pub fn run(self, start_logging: impl FnOnce(Logging) -> Result<(), String>) -> Exit {
        let audience = if self.global.json { Audience::Programs } else { Audience::People };
        let mut stdout = anstream::stdout().lock();
        let mut output = Output::new(&mut stdout, audience);
        match self.execute(&mut output, start_logging) {
            Ok(()) => Exit::Done,
            Err(error) => report(&error, &mut output),
        }
    }

    fn execute(
        self,
        output: &mut Output<'_>,
        start_logging: impl FnOnce(Logging) -> Result<(), String>,
    ) -> Result<(), Error> {
        let mut layers = self.layers()?;
        let logging = Logging { format: layers.log_format()?, level: self.command.log_level() };
        start_logging(logging).map_err(|message| Error::Usage { message })?;
        let flags = self.global.choosing_server();
        // Where files are looked at, an app that is not named is not the default one.
        let app = self.global.app.as_deref();
        let context = |layers: &mut Layers| -> Result<Context, Error> {
            Ok(Context { client: Client::new(layers.client()?), flags })
        };
        match self.command {
            Command::New(new) => new.run(output),
            Command::Dev(dev) => dev.run(layers, output),
            Command::Build(build) => build.run(output),
            Command::Test(test) => test.run(layers, output),
            Command::Doctor(doctor) => doctor.run(layers, output),
            Command::Serve(serve) => serve.run(layers, output),
            Command::Apps(apps) => apps.run(&context(&mut layers)?.client, output),
            Command::Deploy(deploy) => deploy.run(&context(&mut layers)?.client, output),
            Command::Rollback(it) => it.run(&context(&mut layers)?.client, output),
            Command::Modules(modules) => modules.run(&context(&mut layers)?.client, output),
            Command::Query(query) => query.run(&context(&mut layers)?.client, output),
            Command::Command(command) => command.run(&context(&mut layers)?, output),
            Command::Commands(commands) => commands.run(&context(&mut layers)?.client, output),
            Command::Erase(erase) => erase.run(&context(&mut layers)?.client, output),
            Command::Events(events) => events.run(&context(&mut layers)?.client, output),
            Command::Consumers(it) => it.run(&context(&mut layers)?.client, output),
            Command::Tables(tables) => tables.run(&context(&mut layers)?.client, output),
            Command::Timers(timers) => timers.run(&context(&mut layers)?.client, output),
            Command::Webhooks(it) => it.run(&context(&mut layers)?.client, output),
            Command::Reactions(it) => it.run(&context(&mut layers)?.client, output),
            Command::DeadLetters(it) => it.run(&context(&mut layers)?.client, output),
            Command::Projections(it) => it.run(&context(&mut layers)?.client, output),
            Command::Trace(trace) => trace.run(&context(&mut layers)?.client, output),
            Command::Backup(backup) => backup.run(&context(&mut layers)?.client, output),
            Command::Restore(restore) => restore.run(&mut layers, app, output),
            Command::Verify(verify) => verify.run(&mut layers, app, output),
            Command::Generate(it) => it.run(&context(&mut layers)?.client, output),
            Command::Config(config) => config.run(layers, output),
            Command::Completions(completions) => completions.run(output),
            Command::Man(man) => man.run(output),
            Command::Version(version) => version.run(output),
        }
    }

    fn layers(&self) -> Result<Layers, Error> {
        let mut flags = self.global.given();
        match &self.command {
            Command::Serve(serve) => flags.extend(serve.given()),
            Command::Dev(dev) => flags.extend(dev.given()),
            Command::Doctor(doctor) => flags.extend(doctor.given()),
            Command::Restore(restore) => flags.extend(restore.given()),
            Command::Verify(verify) => flags.extend(verify.given()),
            _ => {}
        }
        let file = read(self.global.config.as_deref())?;
        // Variables that are not text cannot be ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Ok(Layers::new(flags, std::env::vars_os().filter_map(text), file))
    }
}

impl Global {
    fn given(&self) -> Vec<(Key, String)> {
        let flags = [
            (key::SERVER, &self.server),
            (key::APP, &self.app),
            (key::LOG_FORMAT, &self.log_format),
        ];
        flags.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect()
    }

    fn choosing_server(&self) -> Vec<String> {
        let config = self.config.as_ref().map(|path| path.display().to_string());
        let flags = [("--server", &self.server), ("--app", &self.app), ("--config", &config)];
        let given = flags.into_iter().filter_map(|(flag, text)| Some([flag.into(), text.clone()?]));
        given.flatten().collect()
    }
}

impl Command {
    /// A client has little to say; a server is watched.
    fn log_level(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            // What handlers write is for whoever works on them.
            Self::Dev(_) => "warn,guest=trace",
            _ => "warn",
        }
    }
}

/// Tells people on standard error, and programs on standard output as well.
fn report(error: &Error, output: &mut Output<'_>) -> Exit {
    let document = error.document().filter(|_| output.for_programs());
    let told = document.map_or(Ok(()), |document| output.document(&document));
    let shown = error.write(&mut anstream::stderr().lock());
    // Whoever does not listen on either still gets the exit code.
    match (told, shown) {
        (Ok(()) | Err(_), Ok(()) | Err(_)) => error.exit(),
    }
}

/// Tells a person which state was read; programs have it in a header.
fn tell_sequence(answer: &Answer) {
    let stderr = std::io::stderr();
    if let Some(sequence) = answer.header("chancery-sequence").filter(|_| stderr.is_terminal()) {
        let style = output::FAINT;
        let mut stderr = anstream::stderr().lock();
        drop(writeln!(stderr, "{style}as of entry {}{style:#}", output::clean(sequence)));
    }
}
