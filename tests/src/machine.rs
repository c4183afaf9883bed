//! What a machine can be made to do to a server: fail its calls, and be full. Both
//! need rights and tools that not every machine has; a test that cannot have them
//! says so and is skipped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Calls of a process that fail, until this is dropped.
#[derive(Debug)]
pub struct Faults(Child);

impl Faults {
    /// Makes calls of a running process fail: `call` with `error`, at those times that
    /// `when` names, as strace counts them, for each thread by itself. Only on this
    /// file, if one is named. None, and a word, if this machine cannot do that.
    #[must_use]
    pub fn inject(
        pid: u32,
        call: &str,
        error: &str,
        when: &str,
        only: Option<&Path>,
    ) -> Option<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        command.args(["-e", &format!("inject={call}:error={error}:when={when}")]);
        if let Some(path) = only {
            command.arg("-P").arg(path);
        }
        command.arg("-p").arg(pid.to_string()).stderr(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            println!("SKIPPED: strace is not installed");
            return None;
        };
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let attached = lines.by_ref().map_while(Result::ok).find(|line| {
            println!("{line}");
            line.contains("attached")
        });
        let faults = Self(child);
        if attached.is_none() {
            println!("SKIPPED: this machine does not let strace attach");
            return None;
        }
        // It must not wait for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Some(faults)
    }
}

impl Drop for Faults {
    /// Lets go of the process, which goes on.
    fn drop(&mut self) {
        crate::server::terminate(self.0.id());
        drop(self.0.wait());
    }
}

/// A file system of some size, in memory, that goes with this.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts one. None, and a word, if this machine does not let us.
    #[must_use]
    pub fn mount(bytes: u64) -> Option<Self> {
        let directory = TempDir::new().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "chancery-test"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { directory }),
            refused => {
                println!("SKIPPED: no file system can be mounted: {refused:?}");
                None
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes it larger, or smaller.
    ///
    /// # Panics
    /// If that fails.
    pub fn resize(&self, bytes: u64) {
        let resized = Command::new("mount")
            .args(["-o", &format!("remount,size={bytes}")])
            .arg(self.path())
            .status();
        assert!(resized.expect("mount runs").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever still has files open on it.
        drop(Command::new("umount").arg("-l").arg(self.directory.path()).status());
    }
}
