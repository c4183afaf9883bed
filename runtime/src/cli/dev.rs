//! `chancery dev`: serves a project, and puts it in place again whenever it is saved.
//!
//! It is a server in this process and a client of it. What is served is what was built
//! last: an edit that does not build, or that the server refuses, changes nothing.

mod tail;
mod told;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use clap::Args;
use http::Method;
use serde::Deserialize;

use super::client::Client;
use super::deploy;
use super::output::Output;
use super::project::{self, Module, Project};
use super::receipt::Receipt;
use super::serve::local::Local;
use super::{Error, Exit};
use crate::config::{Key, Layers, key};
use crate::value::{Hash, Name};
use tail::News;
use told::Standing;

/// Where the data is, in the project.
const DATA: &str = ".chancery";

/// Serves a project while somebody works on it.
///
/// Builds it, deploys it, and does so again whenever a file is saved; the state is kept.
/// An edit that is broken says where, and the version before stays in place. Commands,
/// events, and what handlers write, are shown as they come. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery dev
  chancery dev shop.js --listen 127.0.0.1:8080
  chancery dev --data /tmp/throw-away")]
pub(super) struct Dev {
    /// A project's folder, or a .js, .ts or .wasm file [default: the working directory].
    path: Option<PathBuf>,
    /// The module's name [default: as for `deploy`].
    #[arg(long)]
    name: Option<Name>,
    /// The address to listen on, on this machine only [default: 127.0.0.1:7070].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The directory that holds all data; delete it to start again [default: .chancery in
    /// the project].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// The origins whose pages may use it besides its own, separated by commas, such as
    /// http://localhost:5173, where another server serves them; `*` for any.
    #[arg(long, value_name = "ORIGINS")]
    cors_origins: Option<String>,
}

/// What happens while it serves.
enum Happened {
    /// The project was built, or could not be.
    Built(Result<Module, project::Error>),
    /// Something was executed, or that cannot be read.
    News(News),
    /// The process is asked to end.
    Signal,
}

#[derive(Deserialize)]
struct Modules {
    modules: Vec<Deployed>,
}

#[derive(Deserialize)]
struct Deployed {
    name: String,
}

/// What is served, and to whom it is told.
struct Session<'a, 'b> {
    local: &'a Local,
    client: Client,
    name: Option<Name>,
    /// What is in place: its name, and the hash of what was uploaded.
    live: Option<(Name, Hash)>,
    /// What was in place before anything was built.
    standing: Standing,
    output: &'a mut Output<'b>,
}

impl Dev {
    /// What the flags set.
    pub(super) fn given(&self) -> Vec<(Key, String)> {
        let data = self.data.clone().unwrap_or_else(|| {
            let path = self.path();
            let root = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
            root.join(DATA).display().to_string()
        });
        let mut given = vec![(key::DATA, data)];
        given.extend(self.listen.clone().map(|text| (key::LISTEN, text)));
        given.extend(self.cors_origins.clone().map(|text| (key::CORS_ORIGINS, text)));
        given
    }

    pub(super) fn run(&self, mut layers: Layers, output: &mut Output<'_>) -> Result<(), Error> {
        let configuration = layers.serve()?;
        let project = Project::at(self.path())?;
        let (app, data) = (configuration.app.clone(), configuration.engine.data.clone());
        let (happened, happens) = mpsc::channel();
        let signal = happened.clone();
        let on_signal = Box::new(move || drop(signal.send(Happened::Signal)));
        let local = Local::start(configuration, on_signal).map_err(elsewhere)?;
        told::started(&local.url(), &app, &data, &project, output)?;
        tail::start(local.client(app.clone())?, happened.clone())?;
        let (client, name) = (local.client(app)?, self.name.clone());
        let standing = standing(&client, &project, name.as_ref())?;
        watch::start(project, name.clone(), &data, happened)?;
        let mut session = Session { local: &local, client, name, live: None, standing, output };
        for happened in happens {
            match happened {
                Happened::Built(built) => session.built(built)?,
                Happened::News(news) => told::news(&news, session.output)?,
                Happened::Signal => break,
            }
        }
        told::ended(session.output)
    }

    fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("."))
    }
}

impl Session<'_, '_> {
    /// Puts what was built in place, if it is another.
    fn built(&mut self, built: Result<Module, project::Error>) -> Result<(), Error> {
        let began = self.local.elapsed();
        let module = match built {
            Ok(module) => module,
            Err(error) => return self.broken(&error.into()),
        };
        if self.live.as_ref().is_some_and(|(_, hash)| *hash == module.hash()) {
            return told::unchanged(self.output);
        }
        let deployed = self.deploy(&module);
        let took = self.local.elapsed().saturating_sub(began);
        match deployed {
            Ok((name, deployed)) => {
                self.live = Some((name, module.hash()));
                told::live(&module, &deployed, took, self.output)
            }
            // Nobody is there any more who could be told of the next edit.
            Err(error) if error.exit() == Exit::Unknown => Err(error),
            Err(error) => self.broken(&error),
        }
    }

    fn deploy(&self, module: &Module) -> Result<(Name, deploy::Deployed), Error> {
        let name = self.name.clone().map_or_else(|| module.module_name(), Ok)?;
        let (deployed, _) = deploy::upload(&self.client, &name, module, false)?;
        match deployed.receipt.as_ref().and_then(Receipt::refusal) {
            Some(refusal) => Err(refusal),
            None => Ok((name, deployed)),
        }
    }

    fn broken(&mut self, error: &Error) -> Result<(), Error> {
        let live = self.live.as_ref().map(|(name, _)| name);
        told::broken(error, live, &self.standing, self.output)
    }
}

/// What is in place in data that was there already.
fn standing(client: &Client, project: &Project, name: Option<&Name>) -> Result<Standing, Error> {
    let (list, _) = client.read::<Modules>(client.request(Method::GET, &["modules"]))?;
    let modules: Vec<String> = list.modules.into_iter().map(|module| module.name).collect();
    let meant = name.map(|name| name.as_str().to_owned()).or_else(|| project.module_name());
    let own = match meant {
        Some(meant) => modules.iter().find(|module| **module == meant).cloned(),
        // What a crate's module is called is known when it is built.
        None if modules.len() == 1 => modules.first().cloned(),
        None => None,
    };
    Ok(Standing { own, modules })
}

/// An address in use is the usual reason not to start, and has a way out.
fn elsewhere(error: Error) -> Error {
    match error {
        Error::Serve { message } if message.contains("cannot listen on") => Error::Serve {
            message: format!("{message}; --listen 127.0.0.1:0 takes any port that is free"),
        },
        other => other,
    }
}
