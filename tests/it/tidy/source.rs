//! The files of the repository, and Rust code without its comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not ours, or not kept.
const SKIPPED: [&str; 4] = ["target", "node_modules", "chancery-data", ".git"];

/// A file of the repository.
#[derive(Debug)]
pub(super) struct File {
    /// From the root, with `/`.
    pub(super) path: String,
    /// Its length.
    pub(super) bytes: u64,
}

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file, by its path from the root.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files, in the order of their paths.
pub(super) fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 100, "the repository was not found");
    files
}

/// The paths of Rust files below a folder, which is named with its `/`.
pub(super) fn rust(folder: &str) -> Vec<String> {
    let paths = files().into_iter().map(|file| file.path);
    let paths = paths.filter(|path| path.starts_with(folder) && path.ends_with(".rs"));
    paths.collect()
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("names are text");
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if metadata.is_file() {
            files.push(File { path: format!("{prefix}{name}"), bytes: metadata.len() });
        }
    }
}

/// Code without comments, and without what is in strings. Lines stay where they are.
pub(super) fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => until(rest, 2, "*/"),
            '"' => string(rest),
            'r' if is_raw(rest) && !code.ends_with(is_word) => raw_string(rest),
            '\'' => character(rest),
            _ => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        code.extend(rest[..length].chars().filter(|c| *c == '\n'));
        rest = &rest[length..];
    }
    code
}

/// What follows each path that begins with a name: `b::c` and `::b::c` do with `b`,
/// `a::b::c` does not.
pub(super) fn mentions<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(name).filter_map(move |(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let outer = before.strip_suffix("::").unwrap_or_default();
        (is_whole && !outer.ends_with(is_word) && !outer.ends_with('>')).then_some(after)
    })
}

/// Whether a character can be part of a name.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn until(rest: &str, from: usize, end: &str) -> usize {
    rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
}

fn string(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_raw(rest: &str) -> bool {
    rest[1..].trim_start_matches('#').starts_with('"')
}

fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    until(rest, hashes + 2, &format!("\"{}", "#".repeat(hashes)))
}

/// A character such as `'"'`, or the tick of a lifetime.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => until(rest, at + escaped.len_utf8(), "'"),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn code_is_what_is_left_without_comments_and_strings() {
    let text = "a::b; // c::d\n\"e::f\" '\"' g::h<'i> /* j\n::k */ r#\"l\"::m\"# n\n'\\'' o";
    assert_eq!(code(text), "a::b; \n  g::h<i> \n  n\n o");
}
