//! `cargo xtask sabotage`: takes out one safeguard after the other, and demands that the
//! test that is named for it fails.
//!
//! It works in a copy of the last commit below the target directory, with a target
//! directory of its own. There `switches.patch` puts a switch beside each safeguard, so
//! that all of them are compiled once; one is switched off by its name in the
//! environment. Only what is in `tests/sabotage` is taken from the tree in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::call::Call;
use crate::workspace::Workspace;

/// What is to fail, from the root.
const EXPECTED: &str = "tests/sabotage/expected.txt";
/// The switches.
const SWITCHES: &str = "tests/sabotage/switches.patch";
/// The variable that names the safeguard that is switched off.
const SWITCH: &str = "CHANCERY_SABOTAGE";

/// A safeguard that is taken out.
#[derive(Debug)]
struct Sabotage {
    /// Its name.
    name: String,
    test: Test,
}

/// A test that has to fail, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    binary: Binary,
    name: String,
    /// What is set for it: how much of it is run.
    variables: Vec<(String, String)>,
}

/// Where a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binary {
    Lib,
    It,
}

/// What came of one.
#[derive(Debug)]
enum Verdict {
    /// The test failed, in its own words.
    Noticed(String),
    /// The test passed.
    Survived,
    /// Nothing is shown.
    Nothing(String),
}

/// Runs all lines of `expected.txt`, or those of these names.
pub(crate) fn run(workspace: &Workspace, only: &[&str]) -> Result<()> {
    let mut all = expected(&workspace.root)?;
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|line| line.name != **name)) {
        bail!("{EXPECTED} has no line `{unknown}`");
    }
    all.retain(|line| only.is_empty() || only.contains(&line.name.as_str()));
    let copy = Copy::make(workspace)?;
    let mut intact: BTreeMap<&Test, bool> = BTreeMap::new();
    let mut verdicts = Vec::new();
    for sabotage in &all {
        let (started, test) = (Instant::now(), &sabotage.test);
        let is_intact = intact
            .entry(test)
            .or_insert_with(|| matches!(copy.verdict(test, None), Verdict::Survived));
        let verdict = match is_intact {
            true => copy.verdict(test, Some(&sabotage.name)),
            false => Verdict::Nothing("the test does not pass as it is".to_owned()),
        };
        println!("==== {}: {verdict:?}", sabotage.name);
        verdicts.push((sabotage, verdict, started.elapsed()));
    }
    report(&verdicts)
}

fn report(verdicts: &[(&Sabotage, Verdict, Duration)]) -> Result<()> {
    println!("\n==== cargo xtask sabotage\n");
    let mut shown = 0;
    for (sabotage, verdict, took) in verdicts {
        let (word, detail) = match verdict {
            Verdict::Noticed(words) => ("noticed", words.as_str()),
            Verdict::Survived => ("SURVIVED", ""),
            Verdict::Nothing(why) => ("NOTHING SHOWN", why.as_str()),
        };
        shown += usize::from(matches!(verdict, Verdict::Noticed(_)));
        let Sabotage { name, test } = sabotage;
        println!("{name:<24}{word:<15}{:>5} s  {}", took.as_secs(), test.name);
        println!("{:<24}{detail}", "");
    }
    println!("\n{shown} of {} were noticed", verdicts.len());
    ensure!(shown == verdicts.len(), "a safeguard is not shown to be tested");
    Ok(())
}

/// The lines: name, binary, test, and variables if there are any.
fn expected(root: &Path) -> Result<Vec<Sabotage>> {
    let read =
        |path: &str| std::fs::read_to_string(root.join(path)).with_context(|| path.to_owned());
    let (text, switches) = (read(EXPECTED)?, read(SWITCHES)?);
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let parsed = lines.map(|line| Sabotage::parse(line).with_context(|| line.to_owned()));
    let parsed: Vec<Sabotage> = parsed.collect::<Result<_>>()?;
    for Sabotage { name, .. } in &parsed {
        let switch = format!("sabotaged(\"{name}\")");
        ensure!(switches.contains(&switch), "{SWITCHES} has no switch for `{name}`");
    }
    Ok(parsed)
}

impl Sabotage {
    fn parse(line: &str) -> Result<Self> {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, binary, test, variables] = parts.as_slice() else {
            bail!("four parts are expected, with | between them");
        };
        let binary = match *binary {
            "lib" => Binary::Lib,
            "it" => Binary::It,
            other => bail!("`{other}` is neither lib nor it"),
        };
        let variables = variables.split_whitespace().map(|variable| {
            let (name, value) = variable.split_once('=').context("a variable has a value")?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let variables = variables.collect::<Result<_>>()?;
        let test = Test { binary, name: (*test).to_owned(), variables };
        Ok(Self { name: (*name).to_owned(), test })
    }
}

/// The copy in which safeguards are taken out.
struct Copy {
    root: PathBuf,
}

impl Copy {
    /// The last commit, whatever was there before, with switches, and compiled.
    fn make(workspace: &Workspace) -> Result<Self> {
        let root = workspace.target.join("sabotage");
        let git = Call::new(&workspace.root, "git");
        let path = root.display().to_string();
        let copy = Self { root };
        let head = String::from_utf8(git.clone().args("rev-parse HEAD").output()?)?;
        let switches = std::fs::read(workspace.root.join(SWITCHES))?;
        if !copy.root.join(".git").exists() {
            git.args("worktree add --force --detach").arg(path).run()?;
        }
        // What is there already is not written again: it would be compiled again.
        let is_there = copy.git("rev-parse HEAD").output()? == head.as_bytes()
            && copy.git("diff").output()? == switches;
        if !is_there {
            copy.git("checkout --quiet --force --detach").arg(head.trim()).run()?;
            let switches = workspace.root.join(SWITCHES).display().to_string();
            copy.git("apply").arg(switches).run().context("the switches have to be made anew")?;
        }
        copy.cargo("--lib --test it --no-run").run()?;
        Ok(copy)
    }

    /// Runs a test, with a safeguard switched off or as it is.
    fn verdict(&self, test: &Test, switched_off: Option<&str>) -> Verdict {
        let mut call = match test.binary {
            Binary::Lib => self.cargo("--lib"),
            Binary::It => self.cargo("--test it"),
        };
        call = call.args("-- --exact").arg(&*test.name).variable("RUST_BACKTRACE", "0");
        call = call.variable(SWITCH, switched_off.unwrap_or_default());
        for (name, value) in &test.variables {
            call = call.variable(name, value);
        }
        println!("$ {}", call.shown());
        let mut lines = Vec::new();
        let passed = call.lines(|line| lines.push(line.to_owned())).is_ok();
        let ran = |how: &str| lines.iter().any(|line| line.contains(how));
        if passed && ran("test result: ok. 1 passed") {
            return Verdict::Survived;
        }
        if !ran("test result: FAILED. 0 passed; 1 failed") {
            return Verdict::Nothing("the test did not come to its end".to_owned());
        }
        Verdict::Noticed(words(&lines))
    }

    fn cargo(&self, arguments: &str) -> Call {
        let target = self.root.join("target").display().to_string();
        let call = Call::cargo(&self.root).args("test --workspace --locked").args(arguments);
        call.variable("CARGO_TARGET_DIR", target)
    }

    fn git(&self, arguments: &str) -> Call {
        Call::new(&self.root, "git").args(arguments)
    }
}

/// What the test that failed said first.
fn words(lines: &[String]) -> String {
    let mut lines = lines.iter().skip_while(|line| !line.contains("panicked at"));
    let place = lines.next().and_then(|line| line.split_once("panicked at "));
    let place = place.map_or("", |(_, place)| place);
    let message: String = lines.next().map_or("", String::as_str).chars().take(160).collect();
    format!("{place} {message}")
}
