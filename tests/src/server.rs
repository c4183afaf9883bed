//! The real binary in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{App, Client};

/// A server that ends with the test.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
    data: Arc<TempDir>,
    arguments: Vec<String>,
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
        let data = Arc::new(TempDir::new().expect("a directory"));
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self::spawn(data, arguments)
    }

    fn spawn(data: Arc<TempDir>, arguments: Vec<String>) -> Self {
        let mut child = command(data.path(), &arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut lines = output.lines().map_while(Result::ok);
        let address = lines.find_map(|line| address_in(&line)).expect("it says where it listens");
        // What follows must be read, or the server would wait for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, data, arguments }
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

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
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
        let mut child = command(self.data.path(), &self.arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        std::thread::sleep(after);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Starts it again after it has ended.
    #[must_use]
    pub fn restart(self) -> Self {
        Self::spawn(Arc::clone(&self.data), self.arguments.clone())
    }

    /// Starts a second one on the same directory, and gives what it says when it
    /// has ended.
    #[must_use]
    pub fn second(&self) -> Output {
        let mut second = command(self.data.path(), &self.arguments);
        second.stderr(Stdio::piped()).output().expect("the server starts")
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, waits, and gives its exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(killed.expect("kill runs").success());
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => return status.code(),
                None if Instant::now() > deadline => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// `chancery serve`, of whose settings nothing comes from the environment.
fn command(data: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHANCERY_") {
            command.env_remove(name);
        }
    }
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in the line that says where the server listens.
fn address_in(line: &str) -> Option<String> {
    let (_, address) = line.split_once("http://")?;
    let end = address.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
    Some(address[..end.unwrap_or(address.len())].to_owned())
}

/// The binary beside the tests.
#[must_use]
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let binary = profile.join("chancery");
    assert!(binary.exists(), "{} is not there; cargo build -p chancery", binary.display());
    binary
}
