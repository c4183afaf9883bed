//! Every dependency has a reason beside it.

use super::settle;
use super::source::read;

#[test]
fn every_dependency_has_a_reason() {
    let mut found = Vec::new();
    for path in ["Cargo.toml", "guest-sdk/Cargo.toml"] {
        let unexplained = unexplained(&read(path));
        found.extend(unexplained.into_iter().map(|name| format!("{path}: {name}")));
    }
    settle(&found, "Say in a comment above it what it is for and nothing we have does:");
}

/// Dependencies without a comment above them. Crates of one family share theirs: the
/// next line may go on with the same first word, as `hyper` and `hyper-util` do.
fn unexplained(manifest: &str) -> Vec<String> {
    let (_, section) = manifest.split_once("[workspace.dependencies]\n").expect("a section");
    let (mut unexplained, mut is_explained, mut family) = (Vec::new(), false, "");
    for line in section.lines().take_while(|line| !line.starts_with('[')) {
        if line.is_empty() || line.starts_with('#') {
            (is_explained, family) = (line.starts_with('#'), "");
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let first = name.split(['-', '_']).next().unwrap_or_default();
        let is_ours = line.contains("path = ");
        if !is_ours && !is_explained && first != family {
            unexplained.push(name.to_owned());
        }
        (is_explained, family) = (false, first);
    }
    unexplained
}

#[test]
fn a_dependency_below_another_one_is_not_explained_by_it() {
    let manifest = "[workspace.dependencies]\na = { path = \"a\" }\n\n# Why.\nb = \"1\"\nb-c = \"1\"\nd = \"1\"\n[x]\n";
    assert_eq!(unexplained(manifest), ["d"]);
}
