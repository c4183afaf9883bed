//! `chancery serve`: runs a server until it is told to stop.

mod flags;
pub(super) mod local;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use flags::Limits;

use super::output::Output;
use super::version::VERSION;
use super::{Audience, Error};
use crate::clock::Clock;
use crate::config::{self, Key, Layers, key};
use crate::engine::App;
use crate::http;
use crate::server::{self, Drained, Server};
use crate::value::chain_of;

/// Runs a server.
///
/// Everything is checked before the socket opens. While apps are recovered, /readyz
/// says how far that has come; each is served as soon as its state is there. Ctrl-C
/// (SIGINT) or SIGTERM stops it in order: it takes nothing new, finishes what it has
/// accepted, and ends with status 0. A second one ends it at once; what was
/// acknowledged is safe then as well.
///
/// Every setting can also stand in chancery.toml under [serve], or in the
/// environment: --query-deadline is CHANCERY_QUERY_DEADLINE. `chancery config show`
/// says what is set where.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery serve
  chancery serve --data /var/lib/chancery --listen 127.0.0.1:8080 --log-format json
  chancery serve --check")]
pub(super) struct Serve {
    /// The address and port to listen on; port 0 chooses a free one [default:
    /// 127.0.0.1:7070].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The directory that holds everything; created if it is not there [default:
    /// ./chancery-data].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// The directory that backups are written to, each to one of its own; created when
    /// the first is made [default: backups in the data directory].
    #[arg(long, value_name = "DIRECTORY")]
    backups: Option<String>,
    /// Recovers every app, loads every module, says what it found and ends, without
    /// serving.
    #[arg(long)]
    check: bool,
    /// Vouches for this machine's clock, after a long stop: without it, the window of
    /// ids moves on by one hour at a start at most.
    #[arg(long)]
    confirm_clock: bool,
    /// Lets other machines connect. There are no permissions yet: whoever connects
    /// may read, change and deploy everything.
    #[arg(long)]
    insecure_bind: bool,
    /// By which names it may be asked, separated by commas: names or addresses without
    /// ports, `*.` and a domain, or `*` for any. localhost and loopback addresses always
    /// are. A proxy in front of it that passes on what browsers ask for needs its names
    /// here [default: localhost on a loopback address, else *].
    #[arg(long, value_name = "NAMES")]
    hosts: Option<String>,
    /// The origins whose pages may use it besides its own, separated by commas, such as
    /// https://shop.example, or `*` for any: those pages may do everything [default: none].
    #[arg(long, value_name = "ORIGINS")]
    cors_origins: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

impl Serve {
    /// What the flags set.
    pub(super) fn given(&self) -> Vec<(Key, String)> {
        let mut given = Vec::new();
        given.extend(self.listen.clone().map(|text| (key::LISTEN, text)));
        given.extend(self.data.clone().map(|text| (key::DATA, text)));
        given.extend(self.backups.clone().map(|text| (key::BACKUPS, text)));
        given.extend(self.insecure_bind.then(|| (key::INSECURE_BIND, true.to_string())));
        given.extend(self.hosts.clone().map(|text| (key::HOSTS, text)));
        given.extend(self.cors_origins.clone().map(|text| (key::CORS_ORIGINS, text)));
        given.extend(self.limits.given());
        given
    }

    pub(super) fn run(&self, mut layers: Layers, output: &mut Output<'_>) -> Result<(), Error> {
        let mut configuration = layers.serve()?;
        configuration.engine.lane.clock_confirmed = self.confirm_clock;
        let settings = settings(configuration);
        match self.check {
            true => check(&settings, output),
            false => serve(settings, output),
        }
    }
}

fn settings(configuration: config::Serve) -> server::Settings {
    let http = http::Settings {
        followers_max: configuration.followers_max,
        // What the compiler takes has to get through the door.
        upload_bytes_max: configuration.engine.wasm.upload_bytes_max,
        adhoc: configuration.adhoc,
        origins: configuration.origins,
        hosts: configuration.hosts,
        ..http::Settings::default()
    };
    server::Settings {
        listen: configuration.listen,
        engine: configuration.engine,
        http,
        drain_max: configuration.drain_max,
        default_app: configuration.app,
    }
}

/// How long the process waits for its threads after everything was answered or
/// given up.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

fn serve(settings: server::Settings, output: &mut Output<'_>) -> Result<(), Error> {
    let runtime = server::runtime(&settings).map_err(|error| failed(&error))?;
    let clock = Clock::system();
    let data = place(&settings);
    let ended = runtime.block_on(async {
        // From here on a signal is heard, so that none is lost while apps recover.
        let stop = stop::Signals::listen().map_err(|error| failed(&error))?;
        let server = Server::bind(settings, clock.clone()).await;
        let server = server.map_err(|error| failed(&error))?;
        let address = format!("http://{}", server.address());
        tracing::info!(address, "recovering");
        let mut written = Ok(());
        let ended = server.run_with(stop.first(), |engine| {
            let apps = engine.apps();
            let last = |app: &Arc<App>| app.snapshots().current().state.sequence().0;
            let started = Started {
                address: Some(address),
                data,
                apps: apps.iter().map(|app| (app.name().to_string(), last(app))).collect(),
                took: clock.elapsed(),
            };
            written = started.write(output);
        });
        let ended = ended.await.map_err(|error| failed(&error));
        written.and(ended)
    });
    // A handler or a disk that does not come back must not keep the process.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    match ended? {
        Drained::Whole => tracing::info!("stopped; everything was answered"),
        Drained::CutShort => {
            tracing::warn!("stopped; what was logged and not finished is finished at a start");
        }
    }
    Ok(())
}

fn check(settings: &server::Settings, output: &mut Output<'_>) -> Result<(), Error> {
    let clock = Clock::system();
    let summary = server::check(settings, clock.clone()).map_err(|error| failed(&error))?;
    let apps = summary.apps.into_iter().map(|app| (app.name.to_string(), app.sequence));
    let data = place(settings);
    let checked = Started { address: None, data, apps: apps.collect(), took: clock.elapsed() };
    checked.write(output)
}

/// What a person or program wants to know of a server that has started.
struct Started {
    /// None if it only checked.
    address: Option<String>,
    data: String,
    /// Names and last sequences.
    apps: Vec<(String, u64)>,
    took: Duration,
}

impl Started {
    fn write(&self, output: &mut Output<'_>) -> Result<(), Error> {
        match output.audience() {
            Audience::Programs => Ok(output.document(self.document().to_string().as_bytes())?),
            Audience::People => self.tell(output),
        }
    }

    fn tell(&self, output: &mut Output<'_>) -> Result<(), Error> {
        output.headline(&format!("chancery {VERSION}"))?;
        output.fields(&[("data", self.data.clone())])?;
        for (name, sequence) in &self.apps {
            output.fields(&[("app", format!("{name}, entry {sequence}"))])?;
        }
        let number = self.apps.len();
        let noun = if number == 1 { "app" } else { "apps" };
        output.fields(&[
            ("recovered", format!("{number} {noun} in {} ms", self.took.as_millis())),
            ("listening", self.address.clone().unwrap_or_default()),
        ])?;
        let last = match self.address {
            None => "all is well; nothing was served",
            Some(_) => "Ctrl-C stops it in order; a second one at once",
        };
        Ok(output.line(last)?)
    }

    fn document(&self) -> serde_json::Value {
        let app = |(name, sequence): &(String, u64)| serde_json::json!({ "name": name, "sequence": sequence });
        let apps: Vec<_> = self.apps.iter().map(app).collect();
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        serde_json::json!({
            "version": VERSION,
            "data": self.data,
            "apps": apps,
            "recovered_in_ms": ms,
            "address": self.address,
        })
    }
}

/// The data directory, wherever the reader is.
fn place(settings: &server::Settings) -> String {
    let data = &settings.engine.data;
    std::path::absolute(data).as_ref().unwrap_or(data).display().to_string()
}

fn failed(error: &dyn std::error::Error) -> Error {
    Error::Serve { message: chain_of(error) }
}
