//! `chancery verify`: checks files, while no server writes to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Error;
use super::output::{Output, bytes};
use crate::clock::Clock;
use crate::config::{Key, Layers, key};
use crate::disk::{Disk, Files};
use crate::engine;
use crate::value::{Name, chain_of};
use crate::verify::{Checked, Effect, Finding, Progress, Report, Watch};
use crate::{backup, verify};

/// Checks everything in a data directory or a backup, and changes nothing.
///
/// Reads every round of the logs, every chunk of both checkpoints, every page of the
/// indexes, every event of the archives and every module, and compares what they say of
/// each other, down to each row of the state. No server may run on the directory meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery verify
  chancery verify --data /var/lib/chancery --app shop
  chancery verify chancery-data/backups/main-1200-20261121T163524Z
  chancery verify --json | jq .subjects[].findings

Exit codes:
  0  all is well
  1  something is damaged; each finding says what a start would make of it
  2  it could not be checked: a server runs, or the disk cannot be read")]
pub(super) struct Verify {
    /// A backup, or a data directory [default: that of --data].
    #[arg(conflicts_with = "data")]
    path: Option<PathBuf>,
    /// The data directory [default: ./chancery-data].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
}

/// What was checked under one name.
struct Subject {
    name: String,
    report: Report,
    checked: Vec<Checked>,
}

impl Verify {
    /// What the flags set.
    pub(super) fn given(&self) -> Vec<(Key, String)> {
        self.data.clone().map(|text| (key::DATA, text)).into_iter().collect()
    }

    pub(super) fn run(
        &self,
        layers: &mut Layers,
        app: Option<&str>,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let clock = Clock::system();
        let disk: Arc<dyn Disk> = Arc::new(Files);
        let data = layers.data()?;
        let place = self.path.clone().unwrap_or(data);
        let is_backup = backup::is_backup(&*disk, &place).map_err(|error| unchecked(&error))?;
        let subjects = match is_backup {
            true if app.is_some() => {
                let message = "a backup is of one app; leave --app out".to_owned();
                return Err(Error::Usage { message });
            }
            true => vec![backup_of(&disk, &place, output)?],
            false => apps_of(&disk, &place, app, output)?,
        };
        let took = clock.elapsed();
        match output.for_programs() {
            true => output.document(document(&place, &subjects, took).to_string().as_bytes())?,
            false => summary(&subjects, took, output)?,
        }
        let damaged: usize = subjects.iter().map(|subject| subject.report.findings.len()).sum();
        match damaged {
            0 => Ok(()),
            1 => Err(Error::Damaged { message: "one thing is not as it should be".to_owned() }),
            n => Err(Error::Damaged { message: format!("{n} things are not as they should be") }),
        }
    }
}

fn backup_of(
    disk: &Arc<dyn Disk>,
    place: &Path,
    output: &mut Output<'_>,
) -> Result<Subject, Error> {
    let mut told = Told::new(place, output);
    let checked = backup::check(disk, place, &mut told);
    let lines = told.end()?;
    let (manifest, report) = checked.map_err(|error| unchecked(&error))?;
    let name = format!("backup of {} as of entry {}", manifest.app, manifest.entry);
    Ok(Subject { name, report, checked: lines })
}

fn apps_of(
    disk: &Arc<dyn Disk>,
    data: &Path,
    only: Option<&str>,
    output: &mut Output<'_>,
) -> Result<Vec<Subject>, Error> {
    let apps = data.join("apps");
    let paths = disk.list(&apps).map_err(|source| Error::Unchecked {
        message: format!("{} is no data directory and no backup: {source}", data.display()),
    })?;
    // Taking the lock would create its file; without one no server was ever here.
    let lock = data.join("lock");
    let is_there = disk.exists(&lock).map_err(|error| unchecked(&error))?;
    let lock = is_there.then(|| engine::lock(&**disk, data)).transpose();
    let _lock = lock.map_err(|error| unchecked(&error))?;
    let mut subjects = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Ok(name) = name.parse::<Name>() else { continue };
        if only.is_some_and(|only| only != name.as_str()) {
            continue;
        }
        if !output.for_programs() {
            output.headline(&format!("app {name}"))?;
        }
        let mut told = Told::new(&path, output);
        let report = verify::app(disk, &path, &mut told);
        let checked = told.end()?;
        let report = report.map_err(|error| unchecked(&error))?;
        subjects.push(Subject { name: format!("app {name}"), report, checked });
    }
    match only.filter(|_| subjects.is_empty()) {
        Some(only) => Err(Error::Unchecked {
            message: format!("there is no app `{only}` in {}", data.display()),
        }),
        None => Ok(subjects),
    }
}

/// Shows each line as it comes, and a bar below on a terminal.
struct Told<'a, 'o> {
    root: &'a Path,
    output: &'a mut Output<'o>,
    bar: Bar,
    checked: Vec<Checked>,
    failed: Option<std::io::Error>,
}

impl<'a, 'o> Told<'a, 'o> {
    fn new(root: &'a Path, output: &'a mut Output<'o>) -> Self {
        let bar = Bar::new("checking");
        Self { root, output, bar, checked: Vec::new(), failed: None }
    }

    fn line(&mut self, line: &str) {
        if self.output.for_programs() || self.failed.is_some() {
            return;
        }
        let output = &mut *self.output;
        self.failed = self.bar.0.suspend(|| output.line(line)).err();
    }

    fn end(self) -> Result<Vec<Checked>, Error> {
        self.bar.end();
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.checked),
        }
    }
}

impl Watch for Told<'_, '_> {
    fn progress(&mut self, progress: Progress) {
        self.bar.progress(progress);
    }

    fn checked(&mut self, checked: &Checked) {
        let file = shown(&checked.file, self.root);
        let note = checked.note.map_or_else(String::new, |note| format!("; {note}"));
        self.line(&format!("  ok       {file}: {}{note}", checked.says));
        self.checked.push(checked.clone());
    }

    fn found(&mut self, finding: &Finding) {
        let file = shown(&finding.file, self.root);
        let place = finding.place.as_ref().map_or_else(String::new, |place| format!(", {place}"));
        self.line(&format!("  DAMAGED  {file}{place}: {}", finding.what));
        self.line(&format!("           {}", effect(finding.effect)));
        self.line(&format!("           to do: {}", finding.remedy));
    }
}

/// A bar on a terminal, and nothing elsewhere.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(what: &'static str) -> Self {
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent}% {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(what);
        Self(bar)
    }

    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}

impl Watch for Bar {
    fn progress(&mut self, progress: Progress) {
        self.0.set_length(progress.of);
        self.0.set_position(progress.done);
    }

    fn checked(&mut self, _checked: &Checked) {}

    fn found(&mut self, _finding: &Finding) {}
}

fn shown(file: &Path, root: &Path) -> String {
    match file.strip_prefix(root) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        _ => file.display().to_string(),
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Refuses => "a start refuses this, and so does a restore",
        Effect::GoesOn => "a start goes on without it",
        Effect::Unnoticed => "a start would not notice",
    }
}

fn summary(subjects: &[Subject], took: Duration, output: &mut Output<'_>) -> Result<(), Error> {
    for Subject { name, report, .. } in subjects {
        let what = match report.findings.len() {
            0 => "all is well".to_owned(),
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        };
        output.headline(&format!("{name}: {what}"))?;
        output.fields(&[
            (
                "ends with",
                format!(
                    "entry {}, outcome {}, round {}",
                    report.entry, report.outcome, report.round
                ),
            ),
            ("archive", format!("{} events", report.archived)),
            ("read", bytes(report.bytes)),
        ])?;
    }
    if subjects.is_empty() {
        output.line("there are no apps")?;
    }
    Ok(output.fields(&[("took", format!("{} ms", took.as_millis()))])?)
}

fn document(place: &Path, subjects: &[Subject], took: Duration) -> serde_json::Value {
    let subject = |subject: &Subject| {
        let report = &subject.report;
        let findings: Vec<_> = report.findings.iter().map(finding).collect();
        let checked = subject.checked.iter().map(
            |Checked { file, says, note }| serde_json::json!({ "file": file, "says": says, "note": note }),
        );
        serde_json::json!({
            "name": subject.name,
            "history": report.history.map(|history| history.0),
            "sequence": report.entry.0,
            "outcome": report.outcome.0,
            "round": report.round,
            "bytes": report.bytes,
            "archived": report.archived,
            "checked": checked.collect::<Vec<_>>(),
            "findings": findings,
        })
    };
    let all_well = subjects.iter().all(|subject| subject.report.findings.is_empty());
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let subjects: Vec<_> = subjects.iter().map(subject).collect();
    serde_json::json!({ "path": place, "all_well": all_well, "subjects": subjects, "took_ms": took_ms })
}

fn finding(finding: &Finding) -> serde_json::Value {
    let effect = match finding.effect {
        Effect::Refuses => "refuses",
        Effect::GoesOn => "goes-on",
        Effect::Unnoticed => "unnoticed",
    };
    serde_json::json!({
        "file": finding.file,
        "place": finding.place,
        "what": finding.what,
        "remedy": finding.remedy,
        "effect": effect,
    })
}

fn unchecked(error: &dyn std::error::Error) -> Error {
    Error::Unchecked { message: chain_of(error) }
}
