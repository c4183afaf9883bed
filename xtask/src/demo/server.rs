//! The real binary in a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::client::Client;
use crate::workspace::Workspace;

/// Where the README says a server is.
const USUAL_ADDRESS: &str = "127.0.0.1:7070";

/// Where servers of the demo live.
#[derive(Debug)]
pub(crate) struct Place {
    binary: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// What servers say to standard error.
    pub(crate) log: PathBuf,
}

/// A server that ends with the demo.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
    /// From its start until it answered.
    pub(crate) took: Duration,
}

impl Place {
    /// An empty directory, whatever an earlier demo left there.
    pub(crate) fn empty(workspace: &Workspace, binary: PathBuf) -> Result<Self> {
        let data = workspace.target.join("demo-data");
        match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!("cannot empty {}: {error}; is a demo still running?", data.display())
            }
            _ => std::fs::create_dir_all(&data)?,
        }
        let log = workspace.target.join("demo-server.log");
        std::fs::write(&log, "")?;
        Ok(Self { binary, data, log })
    }

    /// The usual address, or any that is free.
    pub(crate) fn free_address() -> &'static str {
        match TcpListener::bind(USUAL_ADDRESS) {
            Ok(_) => USUAL_ADDRESS,
            Err(_) => "127.0.0.1:0",
        }
    }

    /// Starts a server and waits until it answers.
    pub(crate) fn start(&self, address: &str) -> Result<Server> {
        let started = Instant::now();
        let mut child = self.spawn(address)?;
        let output = BufReader::new(child.stdout.take().context("the output is piped")?);
        let mut lines = output.lines().map_while(Result::ok);
        let found = lines.find_map(|line| address_in(&line));
        // Owned from here on, so that it ends whatever happens.
        let mut server = Server { child, address: String::new(), took: Duration::ZERO };
        let log = self.log.display();
        server.address = found.with_context(|| format!("it does not start; {log} says why"))?;
        // What follows must be read, or the server would wait for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Client::new(&server.address).get("/readyz")?.expect(200)?;
        server.took = started.elapsed();
        Ok(server)
    }

    fn spawn(&self, address: &str) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--listen", address, "--data"]).arg(&self.data);
        // Neither a configuration file nor the environment is to change what is shown.
        command.current_dir(self.data.parent().unwrap_or(Path::new(".")));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHANCERY_") {
                command.env_remove(name);
            }
        }
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command.spawn().with_context(|| format!("cannot run {}", self.binary.display()))
    }
}

impl Server {
    /// A client with connections of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL: it learns nothing of it and can do nothing about it. One
    /// that has ended by itself was not killed, and that is an error.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server had ended by itself before, with {status}");
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        ensure!(status.code().is_none(), "the server was to be killed and ended with {status}");
        Ok(())
    }

    /// Waits until somebody ends it.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
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
    Some(address.get(..end.unwrap_or(address.len()))?.to_owned())
}
