//! The real binary in a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{App, Client};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server is and what it is told.
#[derive(Debug, Clone)]
struct Place {
    /// Goes with the last server that uses it.
    scratch: Arc<TempDir>,
    /// A directory that was given to it, if one was.
    _given: Option<Arc<TempDir>>,
    data: PathBuf,
    arguments: Vec<String>,
}

impl Place {
    fn new(data: Option<&Path>, arguments: &[&str]) -> Self {
        let scratch = Arc::new(TempDir::new().expect("a directory"));
        let data = data.map_or_else(|| scratch.path().join("data"), Path::to_owned);
        let arguments = owned(arguments);
        Self { scratch, _given: None, data, arguments }
    }
}

/// A server that ends with the test.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
    place: Place,
}

/// A server that does not listen yet, and ends with the test.
#[derive(Debug)]
pub struct Starting {
    /// None once it listens.
    child: Option<Child>,
    place: Place,
}

impl Server {
    /// A server with an empty directory.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// As [`Server::start`], with more arguments.
    #[must_use]
    pub fn with(arguments: &[&str]) -> Self {
        Self::launch(Place::new(None, arguments)).listening()
    }

    /// A server whose data is in a directory of the test's.
    #[must_use]
    pub fn on(data: &Path, arguments: &[&str]) -> Self {
        Self::starting_on(data, arguments).listening()
    }

    /// A server whose data is all there is in a directory, which goes with it.
    #[must_use]
    pub fn in_directory(data: TempDir) -> Self {
        let place = Place::new(Some(data.path()), &[]);
        Self::launch(Place { _given: Some(Arc::new(data)), ..place }).listening()
    }

    /// As [`Server::on`], not waiting until it listens.
    #[must_use]
    pub fn starting_on(data: &Path, arguments: &[&str]) -> Starting {
        Self::launch(Place::new(Some(data), arguments))
    }

    /// Runs `chancery serve` on a directory of the test's, and gives what it says when
    /// it has ended. It is killed if it serves.
    #[must_use]
    pub fn ended_on(data: &Path, arguments: &[&str]) -> Output {
        ended(Place::new(Some(data), arguments).command())
    }

    fn launch(place: Place) -> Starting {
        let child = place.command().stdout(Stdio::piped()).stderr(place.words()).spawn();
        Starting { child: Some(child.expect("the server starts")), place }
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Its default app, through connections of its own.
    #[must_use]
    pub fn app(&self) -> App {
        App::new(self.client(), "main")
    }

    /// Runs a command line as a client of it, and gives its exit code and what it said,
    /// standard output first.
    ///
    /// # Panics
    /// If it was killed.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> (i32, String) {
        let url = format!("http://{}", self.address);
        let output = chancery(&[&["--server", &url], arguments].concat());
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code().expect("it ended by itself"), said)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.place.data
    }

    /// The directory of its default app.
    #[must_use]
    pub fn app_directory(&self) -> PathBuf {
        self.place.data.join("apps/main")
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it and those before it on the same directory have written to standard
    /// error.
    ///
    /// # Panics
    /// If that is not text.
    #[must_use]
    pub fn said(&self) -> String {
        self.place.said()
    }

    /// Kills it at once, as `kill -9` does, and starts it again.
    #[must_use]
    pub fn kill_and_restart(mut self) -> Self {
        self.kill();
        self.restart()
    }

    /// Starts another on the same directory, with the same arguments, and kills
    /// it while it starts.
    pub fn kill_while_starting(&self, after: Duration) {
        let mut starting = Self::launch(self.place.clone());
        std::thread::sleep(after);
        starting.kill();
    }

    /// Starts it again after it has ended.
    #[must_use]
    pub fn restart(self) -> Self {
        self.restarting().listening()
    }

    /// As [`Server::restart`], not waiting until it listens.
    #[must_use]
    pub fn restarting(&self) -> Starting {
        Self::launch(self.place.clone())
    }

    /// Runs `chancery serve` beside it, or after it, on the same directory, with more
    /// arguments, and gives what it says when it has ended.
    ///
    /// # Panics
    /// If it does not end: it serves.
    #[must_use]
    pub fn second(&self, more: &[&str]) -> Output {
        let mut place = self.place.clone();
        place.arguments.extend(owned(more));
        ended(place.command())
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        kill(&mut self.child);
    }

    /// Sends it SIGTERM.
    pub fn ask_to_end(&self) {
        terminate(self.child.id());
    }

    /// Asks it to end, waits, and gives its exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        self.ask_to_end();
        self.wait().code()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Starting {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it was started").id()
    }

    /// Waits until it serves its app.
    ///
    /// # Panics
    /// If it does not come to that.
    #[must_use]
    pub fn listening(self) -> Server {
        let place = self.place.clone();
        self.try_listening().unwrap_or_else(|| panic!("it does not serve: {}", place.said()))
    }

    /// As [`Starting::listening`], of a server that may die first; none if it has.
    #[must_use]
    pub fn try_listening(mut self) -> Option<Server> {
        let mut child = self.child.take().expect("it was started");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let place = self.place.clone();
        let mut server = Server { child, address: String::new(), place };
        let mut lines = output.lines().map_while(Result::ok);
        server.address = lines.find_map(|line| address_in(&line))?;
        // What follows must be read, or the server would wait for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        let deadline = Instant::now() + PATIENCE;
        loop {
            match server.client().send("GET", "/v1/apps/main", &[], &[]) {
                Ok(reply) if reply.status == 200 => return Some(server),
                Ok(reply) => assert!(Instant::now() < deadline, "{reply:?}"),
                Err(_gone) => return None,
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        kill(self.child.as_mut().expect("it was started"));
    }

    /// Sends it SIGTERM.
    pub fn ask_to_end(&self) {
        terminate(self.pid());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait(self.child.as_mut().expect("it was started"))
    }
}

/// Runs the binary with a command line, and waits until it has ended.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn chancery(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments);
    without_environment(&mut command);
    command.output().expect("the binary runs")
}

/// As [`chancery()`], in a directory and with more in the environment.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn chancery_in(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(directory);
    without_environment(&mut command);
    command.envs(variables.iter().copied()).output().expect("the binary runs")
}

/// Starts the binary with a command line, to be read while it runs. Killing it is the
/// caller's.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn chancery_running(arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    without_environment(&mut command);
    command.spawn().expect("the binary runs")
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            kill(child);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<&str> = said.lines().rev().take(30).collect();
            eprintln!("what the server said last:");
            lines.iter().rev().for_each(|line| eprintln!("    {line}"));
        }
        // It may have ended already.
        kill(&mut self.child);
    }
}

impl Place {
    /// `chancery serve`, of whose settings nothing comes from the environment.
    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&self.data);
        command.args(&self.arguments);
        without_environment(&mut command);
        command
    }

    fn words(&self) -> File {
        let path = self.scratch.path().join("words");
        File::options().append(true).create(true).open(path).expect("a file")
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("words")).unwrap_or_default()
    }
}

/// Nothing but what the test says is set; what is compiled is kept beside the binary.
fn without_environment(command: &mut Command) {
    command.env("XDG_CACHE_HOME", cache());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHANCERY_") {
            command.env_remove(name);
        }
    }
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(ToString::to_string).collect()
}

fn kill(child: &mut Child) {
    // It may have ended already.
    drop(child.kill());
    drop(child.wait());
}

/// Runs what should end by itself.
fn ended(mut command: Command) -> Output {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("it can be waited for").is_none() {
        if Instant::now() > deadline {
            kill(&mut child);
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().expect("it has ended")
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().expect("it can be waited for") {
            Some(status) => return status,
            None if Instant::now() > deadline => panic!("it does not end"),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Sends SIGTERM to a process of the test's own.
///
/// # Panics
/// If there is no such process.
pub fn terminate(pid: u32) {
    let killed = Command::new("kill").arg(pid.to_string()).status();
    assert!(killed.expect("kill runs").success());
}

/// The address in the line that says where the server listens.
fn address_in(line: &str) -> Option<String> {
    let (_, address) = line.split_once("http://")?;
    let end = address.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
    Some(address[..end.unwrap_or(address.len())].to_owned())
}

/// Where all tests of a build keep what is compiled.
fn cache() -> PathBuf {
    let binary = binary();
    binary.with_file_name("cache")
}

/// The binary beside the tests.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let binary = profile.join("chancery");
    assert!(binary.exists(), "{} is not there; cargo build -p chancery", binary.display());
    binary
}
