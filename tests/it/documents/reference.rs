//! Pages of reference say what the program says: routes, settings and limits. And what
//! they lead to is there.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use chancery_tests::{chancery, chancery_in};
use serde_json::Value as Json;

use super::root;

/// What every path of an app begins with, which pages leave out.
const OF_APP: &str = "/v1/apps/{app}";
/// Settings whose default depends on the machine, or on other settings.
const DEPENDS: [&str; 5] = ["backups", "queries-max", "adhoc", "hosts", "code-cache"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of the rows of all tables of a page, without headings.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(|it| it.trim().to_owned()));
    cells.map(Iterator::collect).collect()
}

/// What stands between the first two backquotes.
fn quoted(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

#[test]
fn every_route_is_on_the_page_about_http() {
    let page = read("docs/http.md");
    let told: BTreeSet<String> = rows(&page)
        .iter()
        .filter_map(|row| quoted(row.first()?).filter(|it| it.contains(" /")).map(str::to_owned))
        .collect();
    let source = read("runtime/src/http.rs");
    let (_, routes) = source.split_once("Router::new()").expect("a router");
    let (routes, _) = routes.split_once(".fallback(guard").expect("its end");
    let mut there = BTreeSet::new();
    for route in routes.split(".route(").skip(1) {
        let path = route.split('"').nth(1).expect("a path").replace("{*", "{");
        let short = path.strip_prefix(OF_APP).filter(|rest| !rest.is_empty());
        let path = short.unwrap_or(&path);
        let methods = [("get(", "GET"), ("put(", "PUT"), ("post(", "POST"), ("delete(", "DELETE")];
        let (_, handlers) = route.split_once("\",").expect("handlers");
        let of = |name: &str| {
            handlers.contains(&format!(" {name}")) || handlers.contains(&format!(".{name}"))
        };
        for (_, method) in methods.into_iter().filter(|(name, _)| of(name)) {
            there.insert(format!("{method} {path}"));
        }
        if handlers.contains("by_other_method") {
            there.insert(format!("QUERY {path}"));
        }
    }
    assert!(there.len() > 40, "the routes were not found: {there:?}");
    let missing: Vec<_> = there.difference(&told).collect();
    let wrong: Vec<_> = told.difference(&there).collect();
    assert!(missing.is_empty() && wrong.is_empty(), "missing: {missing:#?}, gone: {wrong:#?}");
}

#[test]
fn every_setting_is_on_the_page_about_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let shown = chancery_in(directory.path(), &[], &["--json", "config", "show"]);
    let shown: Json = serde_json::from_slice(&shown.stdout).expect("JSON");
    let settings = shown["settings"].as_array().expect("a list");
    let page = read("docs/configuration.md");
    let mut rows: Vec<_> = rows(&page).into_iter().filter(|row| row.len() >= 3).collect();
    for setting in settings {
        let key = setting["key"].as_str().expect("text");
        let name = key.trim_start_matches("serve.");
        let place = rows.iter().position(|row| quoted(&row[0]) == Some(name));
        let row = rows.remove(place.unwrap_or_else(|| panic!("`{name}` is not on the page")));
        if !DEPENDS.contains(&name) {
            assert_eq!(setting["value"], row[1], "the default of `{name}`");
        }
        if row.len() > 3 {
            range(directory.path(), name, &row[2]);
        }
    }
    let left: Vec<_> = rows.iter().filter_map(|row| quoted(&row[0])).collect();
    let left: Vec<_> = left.into_iter().filter(|name| !name.contains(' ')).collect();
    assert!(left.is_empty(), "nobody knows these settings: {left:?}");
}

/// What is beyond a range is refused with it.
fn range(directory: &std::path::Path, name: &str, range: &str) {
    let beyond = match range {
        "" => return,
        "true or false" => "perhaps",
        range if range.ends_with("forever") => "1ms",
        range if range.contains('B') => "9999999GiB",
        range if range.ends_with(['s', 'm', 'h']) => "9999999h",
        _ => "4294967295",
    };
    let variable = format!("CHANCERY_{}", name.replace('-', "_").to_ascii_uppercase());
    let output = chancery_in(directory, &[(&variable, beyond)], &["config", "show"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = match range {
        "true or false" => "): true or false  ".to_owned(),
        range => format!("): from {range}  "),
    };
    assert!(said.contains(&expected), "`{name}` is said to be {range}: {said}");
}

#[test]
fn every_limit_is_what_the_source_says() {
    let page = read("docs/limits.md");
    let mut compared = 0;
    for row in rows(&page) {
        let Some((shown, comment)) = row.get(1).and_then(|cell| cell.split_once(" <!-- ")) else {
            continue;
        };
        let (file, name) = comment.trim_end_matches(" -->").split_once(' ').expect("two words");
        let source = read(&format!("runtime/src/{file}"));
        let shown = shown.trim_start_matches("below ").split(", ").next().expect("a first");
        let found = value_of(&source, name);
        let told = number(shown);
        assert_eq!(Some(told), found, "{file}: {name} is told to be {shown}");
        compared += 1;
    }
    assert!(compared > 60, "only {compared} limits were found");
}

/// What a constant or a default is, in bytes, milliseconds or simply as a number.
fn value_of(source: &str, name: &str) -> Option<u64> {
    let lines = source.lines().map(str::trim);
    let mut defined = lines.filter_map(|line| {
        let is_constant = line.contains(&format!("const {name}: "));
        let expression = match is_constant {
            true => line.split_once(" = ")?.1,
            false => line.split(", ").find_map(|part| {
                part.trim_start_matches("Self { ").strip_prefix(&format!("{name}: "))
            })?,
        };
        evaluated(expression.trim_end_matches([';', ',', '}', ' ']))
    });
    defined.next_back()
}

fn evaluated(expression: &str) -> Option<u64> {
    let expression = expression.trim().trim_matches(['(', ')']);
    if let Some(rest) = expression.strip_prefix("Duration::from_secs(") {
        return evaluated(rest).map(|seconds| seconds * 1000);
    }
    let twice = |(one, other): (&str, &str), of: fn(u64, u64) -> u64| {
        Some(of(evaluated(one)?, evaluated(other)?))
    };
    let parts = [
        expression.split_once(" - ").map(|it| twice(it, |one, other| one - other)),
        expression.split_once(" << ").map(|it| twice(it, |one, other| one << other)),
        expression.split_once(" * ").map(|it| twice(it, |one, other| one * other)),
        expression.split_once(" / ").map(|it| twice(it, |one, other| one / other)),
    ];
    if let Some(value) = parts.into_iter().flatten().next() {
        return value;
    }
    match expression {
        "DAY" => u64::try_from(Duration::from_secs(24 * 3600).as_millis()).ok(),
        "VALUE_BYTES_MAX" => Some(1 << 20),
        digits => digits.replace('_', "").parse().ok(),
    }
}

/// What people read, in the same units.
fn number(text: &str) -> u64 {
    let digits = |text: &str| text.replace(',', "").parse::<u64>().expect("digits");
    if text == "2⁵³" {
        return (1 << 53) - 1;
    }
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    digits(number)
        * match unit {
            "" => 1,
            "bytes" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "s" => 1000,
            "min" => 60 * 1000,
            "h" => 3600 * 1000,
            "d" => 24 * 3600 * 1000,
            unit => panic!("{unit} is no unit"),
        }
}

#[test]
fn what_documents_lead_to_is_there() {
    let docs = fs::read_dir(root().join("docs")).expect("a directory");
    let docs = docs.map(|entry| entry.expect("an entry").file_name());
    let mut pages: Vec<String> = docs.map(|name| format!("docs/{}", name.display())).collect();
    pages.extend(["README.md".to_owned(), "ARCHITECTURE.md".to_owned(), "CHANGELOG.md".to_owned()]);
    let mut found = Vec::new();
    for page in pages.iter().filter(|page| page.ends_with(".md")) {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in read(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => root().join(page),
                path => root().join(folder).join(path),
            };
            let has_anchor = || {
                let text = fs::read_to_string(&target).unwrap_or_default();
                text.lines().any(|line| line.starts_with('#') && slug(line) == anchor)
            };
            if !target.exists() || !(anchor.is_empty() || has_anchor()) {
                found.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(found.is_empty(), "these lead nowhere: {found:#?}");
}

#[test]
fn every_page_is_in_the_index() {
    let index = read("docs/README.md");
    let docs = fs::read_dir(root().join("docs")).expect("a directory");
    for name in docs.map(|entry| entry.expect("an entry").file_name()) {
        let name = name.display().to_string();
        let is_listed = name == "README.md" || index.contains(&format!("]({name})"));
        assert!(is_listed, "docs/README.md does not lead to {name}");
    }
}

/// What a heading is called in an address.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let text = text.replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn the_program_shows_what_pages_call_it() {
    // Every subcommand that a page names is one.
    let help = String::from_utf8_lossy(&chancery(&["--help"]).stdout).into_owned();
    for page in ["README.md", "docs/tutorial.md", "docs/how-to.md", "docs/configuration.md"] {
        for rest in read(page).split("chancery ").skip(1) {
            let name = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next();
            let name = name.unwrap_or_default();
            let is_code = rest.get(name.len()..).is_some_and(|rest| rest.starts_with('`'));
            let is_known = help.contains(&format!("\n  {name} "));
            assert!(!is_code || is_known || name.is_empty(), "{page}: `chancery {name}`");
        }
    }
}
