//! A terminal with bash in it, as a reader has one: `script` gives the terminal, so what
//! programs say is what they say to people, but for colours.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::likeness::is_about_jobs;

/// How long anything may take: a machine with much else to do compiles a crate with all it
/// needs in minutes.
const PATIENCE: Duration = Duration::from_secs(400);
/// How long what runs already may take to say something: it compiles no crates.
const ANSWER: Duration = Duration::from_secs(120);
/// After so long without a word a program that goes on has said what it has to say. Only
/// who writes documents anew waits for that.
const QUIET: Duration = Duration::from_secs(4);
/// What bash says when it waits for the next command.
const PROMPT: &str = "@@ waiting @@";

/// A terminal, which ends with all that runs in it.
pub(super) struct Terminal {
    child: Child,
    keys: ChildStdin,
    bytes: Receiver<Vec<u8>>,
    /// What has come of a line that is not whole.
    begun: Vec<u8>,
    /// What was said and not looked at.
    lines: Vec<String>,
    /// Whether bash waits for a command.
    waits: bool,
    /// Bash, whose session all that is started here belongs to.
    bash: String,
}

impl Terminal {
    /// A terminal in a folder, with this in the environment.
    pub(super) fn open(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("script");
        let shell = "stty -echo -onlcr; exec bash --norc --noprofile --noediting +o history -i";
        command.args(["--quiet", "--flush", "--command", shell, "/dev/null"]).current_dir(folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHANCERY_") {
                command.env_remove(name);
            }
        }
        command.envs(variables.iter().copied()).env("NO_COLOR", "1").env("TERM", "dumb");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("`script`, of util-linux, is there");
        let keys = child.stdin.take().expect("it is piped");
        let mut output = child.stdout.take().expect("it is piped");
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer.get(..n).unwrap_or_default().to_owned()).is_err() {
                    return;
                }
            }
        });
        let (begun, lines) = (Vec::new(), Vec::new());
        let mut terminal =
            Self { child, keys, bytes, begun, lines, waits: false, bash: String::new() };
        // The prompt is in two parts, so that what echoes the line is not taken for it.
        terminal.send(&format!("PS2= PS1='\\n'\"@@ \"'{}\\n'\n", &PROMPT[3..]));
        terminal.until_prompt();
        terminal.command("echo $$");
        terminal.bash = terminal.until_prompt().pop().expect("a number");
        terminal
    }

    /// Types a command.
    pub(super) fn command(&mut self, text: &str) {
        self.waits = false;
        self.send(&format!("{text}\n"));
    }

    /// Presses a key together with Ctrl: `C` or `Z`.
    pub(super) fn key(&mut self, key: char) {
        self.waits = false;
        self.send(if key == 'Z' { "\x1a" } else { "\x03" });
    }

    /// The folder that bash is in.
    pub(super) fn folder(&self) -> PathBuf {
        std::fs::read_link(format!("/proc/{}/cwd", self.bash)).expect("bash runs")
    }

    /// What is said until bash waits for the next command.
    pub(super) fn until_prompt(&mut self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        while !self.waits {
            let came = self.receive(deadline.saturating_duration_since(Instant::now()));
            assert!(came, "it goes on for {PATIENCE:?}: {:#?}", self.lines);
        }
        std::mem::take(&mut self.lines)
    }

    /// Waits until what was said is enough, and gives it; `enough` says of how many lines
    /// that is so, and the others stay. Gives none, and leaves everything, if it does not
    /// come to that.
    pub(super) fn until(
        &mut self,
        enough: impl Fn(&[String]) -> Option<usize>,
    ) -> Option<Vec<String>> {
        let deadline = Instant::now() + ANSWER;
        loop {
            if let Some(n) = enough(&self.lines) {
                return Some(self.lines.drain(..n).collect());
            }
            // What has ended says no more.
            if self.waits || !self.receive(deadline.saturating_duration_since(Instant::now())) {
                return None;
            }
        }
    }

    /// What is said until nothing is for a while, and at least this many lines.
    pub(super) fn until_quiet(&mut self, least: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        while self.receive(QUIET) || (self.lines.len() < least && Instant::now() < deadline) {}
        std::mem::take(&mut self.lines)
    }

    /// What was said and not looked at.
    pub(super) fn unseen(&self) -> &[String] {
        &self.lines
    }

    fn send(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).expect("the terminal is there");
        self.keys.flush().expect("the terminal is there");
    }

    /// Takes in what comes within this time; false if nothing does.
    fn receive(&mut self, within: Duration) -> bool {
        let Ok(bytes) = self.bytes.recv_timeout(within) else { return false };
        for byte in bytes {
            if byte != b'\n' {
                self.begun.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned();
            let line = line.trim_end_matches('\r');
            if line != PROMPT {
                self.lines.extend((!is_about_jobs(line)).then(|| line.to_owned()));
                continue;
            }
            self.waits = true;
            // The prompt begins with the end of a line, which is one too many after a
            // whole one; keys that end something do too.
            while self.lines.pop_if(|last| last.is_empty()).is_some() {}
        }
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // All that was started here is in this session, whatever became of its parents.
        let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in pids.filter_map(|entry| entry.file_name().into_string().ok()) {
            if session(&pid).is_some_and(|session| session == self.bash) {
                drop(Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status());
            }
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The session of a process.
fn session(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may have anything in it: state, parent, group, session.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(3).map(str::to_owned)
}
