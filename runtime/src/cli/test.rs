//! `chancery test`: given/when/then files, run in the sandbox of a server.
//!
//! It needs no server: one runs in this process, on a directory of its own that goes with
//! it, with a clock that stands still. Each test has an app to itself, so that none can
//! see what another did. The format of the files is in `docs/testing.md`.

mod format;
mod matching;
mod play;
mod rest;

use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::Args;
use http::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::client::{Client, Request};
use super::output::{Output, clean};
use super::project::{Module, Project};
use super::serve::local::{Hands, Local};
use super::{Error, deploy};
use crate::config::Layers;
use crate::value::Name;
use format::Case;
use play::Player;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
/// What files of tests end in.
const ENDING: &str = ".test.json";
/// Folders that have files of others.
const SKIPPED: [&str; 4] = ["node_modules", "target", "dist", "chancery-data"];
/// When each test begins: the first moment of 2026, in milliseconds since 1970. Arbitrary,
/// and always the same.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// Runs a project's tests: files that say what is given, when what is done, and what then
/// is so.
///
/// The project is built and deployed to a server in this process, which goes with all its
/// data. Every `*.test.json` of the project is run, each test in an app of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery test
  chancery test shop.js --only 'last lamp'
  chancery test --json | jq .failed

A test, in a file such as tests/shop.test.json:
  { \"the last lamp is sold once\": {
      \"given\": [{ \"add-product\": { \"product\": \"lamp\", \"name\": \"Lamp\", \"quantity\": 0 } }],
      \"when\": { \"buy-product\": { \"product\": \"lamp\" } },
      \"then\": { \"rejected\": \"out-of-stock\", \"events\": [] } } }

Exit codes:
  0  all passed
  1  a test failed, or the project does not build
  2  a file of tests cannot be understood, or there is none")]
pub(super) struct Test {
    /// A project's folder, or a .js, .ts or .wasm file [default: the working directory].
    path: Option<PathBuf>,
    /// Only tests with this in their name [default: all].
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The module's name [default: as for `deploy`].
    #[arg(long)]
    name: Option<Name>,
}

/// A file of tests.
struct File {
    /// From the project's folder.
    path: String,
    cases: Vec<(String, Case)>,
}

/// What came of a test: none if it passed.
struct Done<'a> {
    file: &'a str,
    name: &'a str,
    problem: Option<String>,
}

impl Test {
    pub(super) fn run(&self, mut layers: Layers, output: &mut Output<'_>) -> Result<(), Error> {
        let configuration = layers.serve()?;
        let path = self.path.as_deref().unwrap_or(Path::new("."));
        let project = Project::at(path)?;
        let files = self.files(project.root())?;
        let module = project.build_one(self.name.as_ref())?;
        let name = self.name.clone().map_or_else(|| module.module_name(), Ok)?;
        let scratch = Scratch::new()?;
        let (main, mut configuration) = (configuration.app.clone(), configuration);
        configuration.listen = ([127, 0, 0, 1], 0).into();
        configuration.engine.data = scratch.0.join("data");
        configuration.engine.backups = scratch.0.join("backups");
        // Time does not pass by itself, so that nothing can be tried again later.
        configuration.engine.reactions.retries = 0;
        let (local, hands) = Local::standing_still(configuration, BEGIN_MS)?;
        let stage = Stage { local: &local, hands: &hands, name, module: &module };
        // What it compiles is kept for all tests; what it refuses, it refuses once.
        stage.deploy(&local.client(main)?)?;
        let mut done = Vec::new();
        for file in &files {
            if !output.for_programs() {
                output.line(&file.path)?;
            }
            for (name, case) in &file.cases {
                let problem = stage.play(done.len(), case)?;
                let one = Done { file: &file.path, name, problem };
                if !output.for_programs() {
                    one.tell(output)?;
                }
                done.push(one);
            }
        }
        drop(local);
        summary(&done, output)
    }

    /// The tests of a project, in the order of files and as they stand in each.
    fn files(&self, root: &Path) -> Result<Vec<File>, Error> {
        let mut files = Vec::new();
        for path in paths(root) {
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|source| Error::File { path: path.clone(), source })?;
            let mut cases = format::parse(&text).map_err(|reason| Error::Usage {
                message: format!("{}: {reason}", path.display()),
            })?;
            if let Some(only) = &self.only {
                cases.retain(|(name, _)| name.contains(only));
            }
            let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            files.push(File { path, cases });
        }
        files.retain(|file| !file.cases.is_empty());
        match (files.is_empty(), &self.only) {
            (false, _) => Ok(files),
            (true, Some(only)) => {
                Err(Error::Usage { message: format!("no test has `{only}` in its name") })
            }
            (true, None) => Err(Error::Usage {
                message: format!(
                    "there is no test in {}: no file ends in {ENDING}; `chancery test --help` \
                     shows one",
                    root.display()
                ),
            }),
        }
    }
}

/// The files of tests below a folder, in order.
fn paths(root: &Path) -> Vec<PathBuf> {
    let (mut waiting, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
                waiting.push(path);
            } else if !is_directory && name.ends_with(ENDING) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Where tests are played.
struct Stage<'a> {
    local: &'a Local,
    hands: &'a Hands,
    name: Name,
    module: &'a Module,
}

impl Stage<'_> {
    /// Plays one test in an app of its own, and gives what is not as it says.
    fn play(&self, number: usize, case: &Case) -> Result<Option<String>, Error> {
        self.hands.set(BEGIN_MS);
        let app: Name =
            format!("test-{}", number + 1).parse().map_err(|invalid: crate::value::Invalid| {
                Error::Usage { message: invalid.to_string() }
            })?;
        let client = self.local.client(app.clone())?;
        client.send(Request::new(Method::PUT, &["v1", "apps", app.as_str()]))?;
        self.deploy(&client)?;
        let problem = Player::new(&client, self.hands, BEGIN_MS)?.play(case)?;
        // Instances are few, and there may be many tests.
        client.send(client.request(Method::DELETE, &["modules", self.name.as_str()]))?;
        Ok(problem)
    }

    fn deploy(&self, client: &Client) -> Result<(), Error> {
        let (deployed, _) = deploy::upload(client, &self.name, self.module, false)?;
        let refusal = deployed.receipt.and_then(|receipt| receipt.refusal());
        refusal.map_or(Ok(()), Err)
    }
}

/// A directory that goes with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("chancery-test-{}", Uuid::now_v7()));
        std::fs::create_dir(&path).map_err(|error| Error::unwritable(&path, error))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays lies where things that are not needed any more lie.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Done<'_> {
    fn tell(&self, output: &mut Output<'_>) -> std::io::Result<()> {
        let name = clean(self.name);
        let text = match &self.problem {
            None => format!("  {GOOD}passed{GOOD:#}  {name}\n"),
            Some(problem) => {
                let problem = clean(problem).replace('\n', "\n          ");
                format!("  {BAD}FAILED{BAD:#}  {name}\n          {problem}\n")
            }
        };
        output.raw(text.as_bytes())
    }

    fn document(&self) -> Json {
        let passed = self.problem.is_none();
        json!({ "file": self.file, "name": self.name, "passed": passed, "problem": self.problem })
    }
}

fn summary(done: &[Done<'_>], output: &mut Output<'_>) -> Result<(), Error> {
    let failed = done.iter().filter(|one| one.problem.is_some()).count();
    let passed = done.len() - failed;
    if output.for_programs() {
        let tests: Vec<Json> = done.iter().map(Done::document).collect();
        let document = json!({ "passed": passed, "failed": failed, "tests": tests });
        output.document(document.to_string().as_bytes())?;
    } else {
        output.headline(&format!("{passed} passed, {failed} failed"))?;
    }
    match failed {
        0 => Ok(()),
        1 => Err(Error::Tests { message: "one test failed".to_owned() }),
        n => Err(Error::Tests { message: format!("{n} tests failed") }),
    }
}
