//! The server's process, as the driver sees it: started, looked at, ended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// What `/proc/<pid>/stat` counts in. It is a constant of the kernel's interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server with a directory of its own; ended, and the directory removed, when
/// dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// Starts a server with nothing in it.
    pub(crate) fn start(program: &Path, data: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(data)?;
        let directory = TempDir::with_prefix_in("chancery-bench-", data)?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg(directory.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().context("the server did not say where it listens")?;
        Ok(Self { child, address, directory })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A directory on the server's disk that goes with it.
    pub(crate) fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// Where the log of the app is.
    pub(crate) fn log_directory(&self) -> PathBuf {
        self.directory.path().join("data/apps/main/log")
    }

    /// Processor time it has used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the program's name, in parentheses.
        let (_, fields) = stat.rsplit_once(')').context("an unreadable stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok());
        let (user, system) = (ticks().context("no utime")?, ticks().context("no stime")?);
        Ok((user + system) / TICKS_PER_SECOND)
    }

    /// Memory that is its own, in MiB: neither files nor what is shared.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib: f64 = line.context("no RssAnon")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Ends it in order, and leaves its files until this is dropped.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        ensure!(self.child.wait()?.success(), "the server did not end in order");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or the run has failed and it does not matter how.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
