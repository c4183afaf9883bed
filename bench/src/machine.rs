//! On what a run ran, and by which clock: figures without it say nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

/// The machine and the build.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// As the processor names itself.
    pub processor: String,
    /// How many of its cores this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// File system and device under the data.
    pub disk: String,
    /// The one-minute load average before the run: what else was going on.
    pub load_before: String,
    /// The compiler.
    pub rustc: String,
    /// `release` or `dev`.
    pub profile: &'static str,
    /// The commit of the tree it was run in, and whether that was changed.
    /// `cargo run` has just built that one; a binary that was kept is another.
    pub commit: String,
}

impl Machine {
    /// What can be found out; `unknown` for what cannot.
    #[must_use]
    pub fn look(data: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or_else(unknown, |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let memory_kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: memory_kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: disk(data),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            rustc: output("rustc", &["--version"]),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" },
            commit: output("git", &["describe", "--always", "--dirty"]),
        }
    }
}

/// The time. What is measured here is real or it is nothing.
#[expect(clippy::disallowed_methods, reason = "no test sets the time of a benchmark")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn disk(data: &Path) -> String {
    let data = data.display().to_string();
    let text = output("df", &["--output=fstype,source", &data]);
    text.lines().last().map_or_else(unknown, |line| line.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => unknown(),
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}
