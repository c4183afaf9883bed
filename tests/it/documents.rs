//! What documents tell a reader to type is typed, in order, in terminals in a fresh folder,
//! and what they say that comes of it is compared with what does.
//!
//! ```` ```console ```` is what is typed after `$ ` and what is said then; `...` stands for
//! lines that are left out. ```` ```console dev ```` is a terminal of its own, in which
//! something goes on running: what is said there is waited for. ```` ```diff ```` is a
//! change of the file after `--- `, and a block with a path after its language is a file to
//! be saved. `CHANCERY_BLESS=1` writes what is said into the documents.

mod likeness;
mod markdown;
mod reference;
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use chancery_tests::{binary, target_directory};
use tempfile::TempDir;

use likeness::{copied, is_about_jobs, is_all, matched};
use markdown::{Block, Change, Console, Step, Typed, blocks};
use terminal::Terminal;

/// The documents that are done, each by the test of its name below.
const DONE: [&str; 2] = ["README.md", "docs/tutorial.md"];
/// Lines that are not typed here, and why each is true nevertheless.
const ELSEWHERE: [(&str, &str); 4] = [
    ("cargo build --release -p chancery", "the program of this build is on the path"),
    ("cargo xtask demo", "its parts are tests of the examples"),
    ("cargo xtask test", "this is part of it"),
    ("rustup target add wasm32-unknown-unknown", "`cargo xtask test` adds it before"),
];
/// The server that documents speak of.
const PORT: &str = ":7070";
/// The folder that documents are followed in, as they show it.
const HOME: &str = "/home/ann";

#[test]
fn the_readme() {
    follow("README.md");
}

#[test]
fn the_tutorial() {
    follow("docs/tutorial.md");
}

#[test]
fn every_document_for_beginners_is_followed() {
    let docs = fs::read_dir(root().join("docs")).expect("a directory");
    let names = docs.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| format!("docs/{}", name.to_string_lossy()));
    for name in names.filter(|name| name.starts_with("docs/tutorial")) {
        assert!(DONE.contains(&name.as_str()), "{name} is to have a test here");
    }
    let texts = DONE.map(|name| fs::read_to_string(root().join(name)).expect("a file"));
    for (line, reason) in ELSEWHERE {
        let typed = texts.iter().flat_map(|text| text.lines());
        let mut typed = typed.filter_map(|line| line.strip_prefix("$ ")).map(without_comment);
        assert!(typed.any(|it| it == line), "nobody is told to type `{line}` ({reason})");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("it is there")
}

/// Does what a document says.
#[track_caller]
fn follow(document: &str) {
    let path = root().join(document);
    let text = fs::read_to_string(&path).expect("a document");
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "{document} tells nobody to do anything");
    let mut reader = Reader::new(document);
    for block in &blocks {
        match block {
            Block::Console(console) => reader.console(console),
            Block::Change(change) => reader.change(change),
            Block::File { path, text } => reader.save(path, text),
        }
    }
    if !reader.corrections.is_empty() {
        fs::write(path, corrected(&text, &reader.corrections)).expect("it is written");
    }
}

/// Somebody who does what a document says.
struct Reader<'a> {
    document: &'a str,
    /// By the names that the document gives them.
    terminals: BTreeMap<String, Terminal>,
    /// Goes after all that runs in it.
    _folder: TempDir,
    differences: Differences,
    /// Whether documents are to be made to say what is said.
    blesses: bool,
    /// What was said, by the line of what was typed.
    corrections: BTreeMap<usize, Correction>,
}

/// What is something else here than in the document.
#[derive(Clone)]
struct Differences {
    folder: String,
    port: String,
    /// Ids and hashes that the document shows, and those that came in their stead: a
    /// reader copies what is on the screen.
    copied: Vec<(String, String)>,
}

/// What a document is to say.
struct Correction {
    /// How many lines it says instead.
    instead_of: usize,
    /// Whether the line it is found by is typed, and stays.
    is_typed: bool,
    said: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(document: &'a str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let differences = Differences {
            folder: folder.path().display().to_string(),
            port: free_port(),
            copied: Vec::new(),
        };
        Self {
            document,
            terminals: BTreeMap::new(),
            _folder: folder,
            differences,
            blesses: std::env::var_os("CHANCERY_BLESS").is_some(),
            corrections: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn console(&mut self, console: &Console) {
        let goes_on = !console.terminal.is_empty();
        for step in &console.steps {
            let Some(said) = self.done(&console.terminal, step) else { continue };
            self.differences.copied.extend(copied(&step.said, &said));
            let is_so = match goes_on {
                true => matched(&step.said, &said).is_some(),
                false => is_all(&step.said, &said),
            };
            if !is_so && self.blesses {
                let (instead_of, is_typed) = (step.said.len(), step.typed != Typed::Nothing);
                let said = said.iter().map(|line| self.differences.shown(line)).collect();
                let correction = Correction { instead_of, is_typed, said };
                self.corrections.insert(step.line, correction);
                continue;
            }
            assert!(
                is_so,
                "{}:{}: {:?} is to say\n\n{}\n\nand says\n\n{}\n\n(CHANCERY_BLESS=1 writes \
                 that into the document)",
                self.document,
                step.line,
                step.typed,
                step.said.join("\n"),
                said.join("\n")
            );
        }
    }

    /// What is said when a step is done; none if it is done elsewhere.
    fn done(&mut self, terminal: &str, step: &Step) -> Option<Vec<String>> {
        let goes_on = !terminal.is_empty();
        let blesses = self.blesses;
        let differences = self.differences.clone();
        let terminal = self.terminal(terminal);
        match &step.typed {
            Typed::Nothing => assert!(goes_on, "line {}: nothing runs there", step.line),
            Typed::Command(command) if is_elsewhere(command) => return None,
            Typed::Command(command) => terminal.command(&differences.typed(command)),
            Typed::Key(key) => terminal.key(*key),
        }
        let shown = |lines: &[String]| lines.iter().map(|line| differences.shown(line)).collect();
        // What is not waited for line by line has an end.
        let says_nothing = step.said.iter().all(|line| is_about_jobs(line));
        if !goes_on || matches!(step.typed, Typed::Key(_)) || says_nothing {
            return Some(shown(&terminal.until_prompt()));
        }
        if blesses {
            return Some(shown(&terminal.until_quiet(step.said.len())));
        }
        let enough = |lines: &[String]| matched(&step.said, &shown(lines));
        let said = terminal.until(enough).unwrap_or_else(|| terminal.unseen().to_owned());
        Some(shown(&said))
    }

    fn terminal(&mut self, name: &str) -> &mut Terminal {
        // A second one is opened where the reader is.
        let folder = self.terminals.get("").map(Terminal::folder);
        let folder = folder.unwrap_or_else(|| PathBuf::from(&self.differences.folder));
        let programs = binary().parent().expect("it is in a folder").display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").expect("a path"));
        let port = &self.differences.port;
        let (listen, server) = (format!("127.0.0.1{port}"), format!("http://127.0.0.1{port}"));
        let target = target_directory().join("templates").display().to_string();
        let cache = binary().with_file_name("cache").display().to_string();
        let variables = [
            ("PATH", &*path),
            // Where all tests of a build keep what is compiled.
            ("XDG_CACHE_HOME", &*cache),
            ("CHANCERY_LISTEN", &*listen),
            ("CHANCERY_SERVER", &*server),
            // What is built has been downloaded, and mostly compiled, by other tests.
            ("CARGO_TARGET_DIR", &*target),
            ("CARGO_NET_OFFLINE", "true"),
        ];
        let open = || Terminal::open(&folder, &variables);
        self.terminals.entry(name.to_owned()).or_insert_with(open)
    }

    #[track_caller]
    fn change(&mut self, change: &Change) {
        let path = self.terminal("").folder().join(&change.path);
        let mut text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {}: {error}", self.document, change.path));
        for (old, new) in &change.hunks {
            let places = text.matches(old.as_str()).count();
            assert_eq!(places, 1, "{}: in {} is to be\n{old}", self.document, change.path);
            text = text.replacen(old, new, 1);
        }
        // As editors do: at once.
        let draft = path.with_extension("draft");
        fs::write(&draft, text).expect("a file");
        fs::rename(draft, path).expect("it is moved");
    }

    fn save(&mut self, path: &str, text: &str) {
        let path = self.terminal("").folder().join(path);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(&path, text).expect("a file");
        let package = folder.parent().filter(|package| package.join("Cargo.toml").exists());
        if let Some(package) = package {
            // The versions that are here already: nothing is downloaded.
            let lock = root().join("guest-sdk/Cargo.lock");
            fs::copy(lock, package.join("Cargo.lock")).expect("it is copied");
        }
    }
}

impl Differences {
    /// What a document says, as it is said here.
    fn typed(&self, text: &str) -> String {
        let text = text.replace(PORT, &self.port).replace(HOME, &self.folder);
        self.copied.iter().fold(text, |text, (document, here)| text.replace(document, here))
    }

    /// What is said here, as a document says it.
    fn shown(&self, line: &str) -> String {
        let line = line.replace(&self.folder, HOME).replace(&self.port, PORT);
        self.copied.iter().fold(line, |line, (document, here)| line.replace(here, document))
    }
}

/// A port that nobody has and that is given to nobody who asks for any: systems give those
/// above 32767. It stays the same when a server that had it is killed.
fn free_port() -> String {
    loop {
        let port = 20_000 + rand::random::<u16>() % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return format!(":{port}");
        }
    }
}

fn is_elsewhere(command: &str) -> bool {
    ELSEWHERE.iter().any(|(line, _)| *line == without_comment(command))
}

/// What is typed, without what is said about it.
fn without_comment(line: &str) -> &str {
    line.split("  #").next().unwrap_or(line).trim_end()
}

/// A document in which what follows some lines is something else.
fn corrected(text: &str, corrections: &BTreeMap<usize, Correction>) -> String {
    let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line));
    let mut corrected = String::new();
    let mut push = |line: &str| corrected.extend([line, "\n"]);
    while let Some((n, line)) = lines.next() {
        let Some(correction) = corrections.get(&n) else {
            push(line);
            continue;
        };
        if correction.is_typed {
            push(line);
        }
        correction.said.iter().for_each(|line| push(line));
        for _ in usize::from(!correction.is_typed)..correction.instead_of {
            lines.next();
        }
    }
    corrected
}
