//! What the server says when it does not do what was asked, and what to do then.

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;
use super::output::clean;

/// A problem of RFC 9457, with the members that Chancery adds.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Problem {
    /// Ends in the kind of problem, where `code` may be a handler's own.
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    code: String,
    #[serde(default)]
    outcome: Option<Outcome>,
    #[serde(default)]
    retry: Option<Retry>,
    #[serde(default)]
    sequence: Option<u64>,
    #[serde(default)]
    details: Option<Box<RawValue>>,
    #[serde(default)]
    errors: Vec<Violation>,
    /// Where a script is wrong.
    #[serde(flatten)]
    place: Place,
    /// From the header `Retry-After`, in seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
    /// The command line that tries again, where one is known.
    #[serde(skip)]
    again: Option<String>,
    #[serde(skip)]
    document: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    NotLogged,
    Logged,
    Executed,
    Unknown,
    /// Of a newer server.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Retry {
    SameId,
    NewId,
    Later,
    No,
    /// Of a newer server.
    #[serde(other)]
    Other,
}

/// A place in a script, counted from 1.
#[derive(Debug, Default, Deserialize)]
struct Place {
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<usize>,
    #[serde(default)]
    column: Option<usize>,
    /// The line itself.
    #[serde(default)]
    source: Option<String>,
}

/// Where the input breaks its schema.
#[derive(Debug, Deserialize)]
struct Violation {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    /// Whether the same may be answered later.
    pub(super) fn may_pass(&self) -> bool {
        self.status >= 500 && self.retry != Some(Retry::No)
    }

    /// Reads a problem; none if the body is not one.
    pub(super) fn parse(body: &[u8], status: u16, retry_after: Option<u64>) -> Option<Self> {
        let mut problem: Self = serde_json::from_slice(body).ok()?;
        if problem.code.is_empty() || (problem.title.is_empty() && problem.detail.is_none()) {
            return None;
        }
        problem.status = status;
        problem.retry_after = retry_after;
        problem.document = body.to_owned();
        Some(problem)
    }

    /// Says how to try again.
    pub(super) fn with_again(mut self, command_line: String) -> Self {
        self.again = Some(command_line);
        self
    }

    /// Whether the application said no, and not the server.
    pub(super) fn by_application(&self) -> bool {
        let kind = self.kind.rsplit('/').next().unwrap_or_default();
        matches!(kind, "rejected" | "failed" | "query-rejected" | "query-failed")
    }

    /// Whether the server could not find out what became of the command.
    pub(super) fn is_unknown(&self) -> bool {
        self.status >= 500 && self.outcome == Some(Outcome::Unknown)
    }

    /// The problem as it was sent.
    pub(super) fn document(&self) -> &[u8] {
        &self.document
    }

    /// What is wrong, in a sentence.
    pub(super) fn message(&self) -> String {
        clean(self.detail.as_deref().unwrap_or(&self.title))
    }

    /// A word for programs.
    pub(super) fn code(&self) -> String {
        clean(&self.code)
    }

    /// Writes what follows the first line: what became of it, and what to do.
    pub(super) fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        // One place is often named in the sentence already.
        let said = self.message();
        for violation in self.errors.iter().filter(|one| !said.contains(&one.detail)) {
            let place = match violation.pointer.as_str() {
                "" => "the input itself",
                pointer => pointer,
            };
            writeln!(out, "  {}: {}", clean(place), clean(&violation.detail))?;
        }
        self.place.write(&said, out)?;
        if let Some(details) = &self.details {
            writeln!(out, "  details: {}", clean(&json::compact(details.get())))?;
        }
        if let Some(fate) = self.fate() {
            writeln!(out, "  {fate}")?;
        }
        if let Some(advice) = self.advice() {
            writeln!(out, "  {advice}")?;
        }
        if let Some(again) = self.again.as_ref().filter(|_| self.retry == Some(Retry::SameId)) {
            writeln!(out, "    {}", clean(again))?;
        }
        Ok(())
    }

    fn fate(&self) -> Option<String> {
        let entry = self.sequence.map_or("an entry".to_owned(), |n| format!("entry {n}"));
        match self.outcome? {
            Outcome::NotLogged => Some("nothing was logged".to_owned()),
            Outcome::Logged => Some("it is logged, and will be executed".to_owned()),
            Outcome::Executed if self.status >= 500 => {
                Some(format!("nothing changed; {entry} records the failure"))
            }
            Outcome::Executed => Some(format!("nothing changed; {entry} records the refusal")),
            Outcome::Unknown => Some("whether it was logged is not known".to_owned()),
            Outcome::Other => None,
        }
    }

    fn advice(&self) -> Option<String> {
        // A handler's codes are its own, whatever they look like.
        let known = if self.by_application() { None } else { advice_for(&self.code) };
        known.map(str::to_owned).or_else(|| self.when_to_retry())
    }

    fn when_to_retry(&self) -> Option<String> {
        match self.retry? {
            Retry::SameId => {
                Some("send it again with the same id; it cannot take effect twice".to_owned())
            }
            Retry::NewId => {
                Some("when the reason is gone, send it again; it gets a new id".to_owned())
            }
            Retry::Later => Some(match self.retry_after {
                Some(1) => "try again in a second".to_owned(),
                Some(seconds) => format!("try again in {seconds} seconds"),
                None => "try again in a moment".to_owned(),
            }),
            Retry::No | Retry::Other => None,
        }
    }
}

impl Place {
    /// Shows it, if it was not `said` already, and the line there.
    fn write(&self, said: &str, out: &mut dyn Write) -> io::Result<()> {
        let (Some(file), Some(line)) = (&self.file, self.line) else { return Ok(()) };
        let column = self.column.map_or_else(String::new, |column| format!(":{column}"));
        let place = format!("{}:{line}{column}", clean(file));
        if !said.contains(&place) {
            writeln!(out, "  {place}")?;
        }
        let Some(source) = &self.source else { return Ok(()) };
        // A tab would be wider than the mark below it.
        let source = clean(&source.replace('\t', " "));
        writeln!(out, "    {line} | {source}")?;
        match self.column.filter(|column| (1..=source.chars().count() + 1).contains(column)) {
            Some(column) => writeln!(out, "    {:>1$}", '^', line.to_string().len() + 3 + column),
            None => Ok(()),
        }
    }
}

/// What to do about the problems that a command line can do something about.
fn advice_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "unknown-app" => "`chancery apps` lists them; `chancery apps create <name>` makes one",
        "unknown-module" => "`chancery modules` lists them",
        "unknown-query" | "unknown-command" => {
            "`chancery modules` lists what each module offers; `chancery deploy` adds one"
        }
        "unknown-table" => "`chancery tables` lists them",
        "unknown-key" => "`chancery tables <table> --prefix <start>` looks for keys",
        "id-reused" | "id-expired" => "leave out --id, and a new one is made",
        "id-ahead" => "the clock of the machine that made the id is ahead of the server's",
        "sequence-gone" => "leave out --as-of for the latest state",
        "lane-stopped" => "the log of the server says more",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(status: u16, body: &str) -> String {
        let problem = Problem::parse(body.as_bytes(), status, Some(1)).expect("a problem");
        let problem = problem.with_again("chancery command buy --id 0".to_owned());
        let mut out = format!("{}   ({})\n", problem.message(), problem.code()).into_bytes();
        problem.write_rest(&mut out).expect("a vector takes everything");
        writeln!(out, "by the application: {}", problem.by_application()).expect("likewise");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_rejection_is_the_applications_word() {
        let body = r#"{"type":"/errors/rejected","title":"Rejected","status":409,
            "detail":"product `lamp` is out of stock","code":"out-of-stock","outcome":"executed",
            "retry":"new-id","sequence":12,"details":{ "left": 0 }}"#;
        insta::assert_snapshot!(rendered(409, body), @r#"
        product `lamp` is out of stock   (out-of-stock)
          details: {"left":0}
          nothing changed; entry 12 records the refusal
          when the reason is gone, send it again; it gets a new id
        by the application: true
        "#);
    }

    #[test]
    fn a_trap_is_a_failure_on_record() {
        let body = r#"{"type":"/errors/failed","title":"Failed","detail":"command `spin` ran longer than 5s",
            "code":"deadline","outcome":"executed","retry":"no","sequence":13}"#;
        insta::assert_snapshot!(rendered(500, body), @r"
        command `spin` ran longer than 5s   (deadline)
          nothing changed; entry 13 records the failure
        by the application: true
        ");
    }

    #[test]
    fn input_that_breaks_the_schema_is_shown_place_by_place() {
        let body = r#"{"title":"Invalid input","detail":"the input does not fit `buy`",
            "code":"invalid-input","outcome":"not-logged","retry":"no","errors":[
            {"pointer":"/count","detail":"-1 is less than the minimum of 1"},
            {"pointer":"","detail":"\"product\" is a required property"}]}"#;
        insta::assert_snapshot!(rendered(422, body), @r#"
        the input does not fit `buy`   (invalid-input)
          /count: -1 is less than the minimum of 1
          the input itself: "product" is a required property
          nothing was logged
        by the application: false
        "#);
    }

    #[test]
    fn an_unknown_outcome_comes_with_the_way_to_know() {
        let body = r#"{"title":"Outcome unknown","detail":"the disk did not answer in time",
            "code":"outcome-unknown","outcome":"unknown","retry":"same-id"}"#;
        insta::assert_snapshot!(rendered(503, body), @r"
        the disk did not answer in time   (outcome-unknown)
          whether it was logged is not known
          send it again with the same id; it cannot take effect twice
            chancery command buy --id 0
        by the application: false
        ");
    }

    #[test]
    fn a_full_inbox_says_when_to_come_back() {
        let body = r#"{"title":"Inbox full","code":"inbox-full","outcome":"not-logged",
            "retry":"later"}"#;
        insta::assert_snapshot!(rendered(503, body), @r"
        Inbox full   (inbox-full)
          nothing was logged
          try again in a second
        by the application: false
        ");
    }

    #[test]
    fn a_name_that_does_not_exist_says_where_the_names_are() {
        let body = r#"{"title":"Unknown query","code":"unknown-query","retry":"no",
            "detail":"app `main` has no query `stok`; did you mean `stock`?"}"#;
        insta::assert_snapshot!(rendered(404, body), @r"
        app `main` has no query `stok`; did you mean `stock`?   (unknown-query)
          `chancery modules` lists what each module offers; `chancery deploy` adds one
        by the application: false
        ");
    }

    #[test]
    fn a_place_in_a_script_is_shown() {
        let body = r#"{"title":"Syntax error","code":"syntax-error","retry":"no",
            "detail":"expecting ';'","outcome":"not-logged","file":"shop.js","line":12,
            "column":9,"source":"\tconst a b"}"#;
        insta::assert_snapshot!(rendered(422, body), @r"
        expecting ';'   (syntax-error)
          shop.js:12:9
            12 |  const a b
                         ^
          nothing was logged
        by the application: false
        ");
    }

    #[test]
    fn a_handlers_code_gets_no_advice_of_the_servers() {
        let body =
            r#"{"type":"/errors/query-rejected","code":"unknown-key","detail":"no such film"}"#;
        insta::assert_snapshot!(rendered(409, body), @r"
        no such film   (unknown-key)
        by the application: true
        ");
    }

    #[test]
    fn what_is_no_problem_is_not_taken_for_one() {
        for body in ["", "<html>", "[]", "{}", r#"{"code":"x"}"#, r#"{"code":1,"title":"x"}"#] {
            assert!(Problem::parse(body.as_bytes(), 500, None).is_none(), "{body}");
        }
        let newer = r#"{"title":"x","code":"y","outcome":"half","retry":"sideways"}"#;
        assert!(Problem::parse(newer.as_bytes(), 500, None).is_some());
    }
}
