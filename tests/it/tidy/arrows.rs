//! The modules of the runtime form one order, written in the header of `lib.rs`.

use std::collections::BTreeSet;

use super::settle;
use super::source::{code, is_word, mentions, read, rust};

const RUNTIME: &str = "runtime/src/";

/// What a client of a server may know: the command line but for what is [`INSIDE`] is one,
/// and learns everything else over HTTP.
const KNOWN_TO_CLIENTS: [&str; 3] = ["cli", "config", "value"];

/// What runs a server, works on its files while none runs, or looks at what is to be sent
/// with the eyes of a server.
const INSIDE: [&str; 5] = [
    "runtime/src/cli/serve",
    "runtime/src/cli/verify",
    "runtime/src/cli/restore",
    "runtime/src/cli/doctor/data",
    "runtime/src/cli/project/inspect",
];

#[test]
fn modules_name_only_those_above_them_in_the_header_of_lib() {
    let order = order();
    let place = |module: &str| order.iter().position(|other| other == module);
    let mut found = Vec::new();
    for (path, own) in modules() {
        for named in named_modules(&code(&read(&path))) {
            match place(&named) {
                None => found.push(format!("{path}: `{named}` is not in the header of lib.rs")),
                Some(_) if named == own => {}
                Some(at) if Some(at) < place(&own) => {}
                Some(_) => found.push(format!("{path}: `{own}` names `{named}`")),
            }
        }
    }
    settle(
        &found,
        "A module may name only those above it. Move what is shared up, hand it in as a \
         parameter, or change the order in the header of runtime/src/lib.rs:",
    );
}

#[test]
fn the_header_of_lib_has_every_module_once() {
    let lib = code(&read("runtime/src/lib.rs"));
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let mut declared: Vec<String> =
        declared.map(|name| name.trim_end_matches(';').to_owned()).collect();
    let mut ordered = order();
    declared.sort();
    ordered.sort();
    assert_eq!(ordered, declared, "the list in the header of runtime/src/lib.rs is the order");
}

#[test]
fn nobody_reaches_over_the_top_of_a_module() {
    let mut found = Vec::new();
    for (path, own) in modules() {
        let depth = path[RUNTIME.len()..].split('/').count();
        let text = code(&read(&path));
        // In a module of tests within the file, `super` is the file.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let escape = "super::".repeat(depth);
        if mentions(text, escape.trim_end_matches(':')).any(|rest| rest.starts_with("::")) {
            found.push(format!("{path}: `{escape}` leaves `{own}`"));
        }
    }
    settle(&found, "Write `crate::…`, so that the order of modules can be seen and checked:");
}

#[test]
fn clients_do_not_know_the_inside_of_a_server() {
    let mut found = Vec::new();
    for (path, own) in modules() {
        if own != "cli" || INSIDE.iter().any(|inside| path.starts_with(inside)) {
            continue;
        }
        let named = named_modules(&code(&read(&path))).into_iter();
        let named = named.filter(|named| !KNOWN_TO_CLIENTS.contains(&named.as_str()));
        found.extend(named.map(|named| format!("{path}: `{named}`")));
    }
    settle(&found, "The command line is a client over HTTP; ask the server for what this knows:");
}

/// The modules, lowest first.
fn order() -> Vec<String> {
    let lib = read("runtime/src/lib.rs");
    let entries = lib.lines().filter_map(|line| line.strip_prefix("//! - [`"));
    entries.filter_map(|entry| Some(entry.split_once('`')?.0.to_owned())).collect()
}

/// Each file of the runtime, and the module at the top that it belongs to.
fn modules() -> Vec<(String, String)> {
    let files = rust(RUNTIME).into_iter();
    let modules = files.map(|path| {
        let below = path[RUNTIME.len()..].trim_end_matches(".rs");
        let top = below.split('/').next().unwrap_or_default().to_owned();
        (path, top)
    });
    // These two are above all.
    modules.filter(|(_, top)| top != "lib" && top != "main").collect()
}

/// The `x` of each `crate::x` and each `crate::{x, y::z}`.
fn named_modules(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in mentions(code, "crate").filter_map(|rest| rest.strip_prefix("::")) {
        match rest.strip_prefix('{') {
            Some(group) => names.extend(first_names(group)),
            None => names.extend([word(rest)]),
        }
    }
    names
}

/// The first names in a group of imports whose brace is open.
fn first_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => begins = true,
            c if begins && is_word(c) => {
                names.push(word(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn word(rest: &str) -> String {
    rest.chars().take_while(|c| is_word(*c)).collect()
}

#[test]
fn names_are_found_in_groups_too() {
    let code =
        "use crate::a::{b, c}; use crate::{d, e::{f, g}, h}; pub(crate) fn i() { crate::j() }";
    let names: Vec<String> = named_modules(code).into_iter().collect();
    assert_eq!(names, ["a", "d", "e", "h", "j"]);
}
