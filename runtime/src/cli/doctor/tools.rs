//! Programs of others that projects are built with.

use std::path::Path;

use super::Finding;
use crate::cli::project::{Project, tool};
use crate::cli::version::RUST;

/// The oldest Node that the tests of templates run on.
const NODE_MAJOR_MIN: u32 = 20;

/// Whether what is missing is missed here.
#[derive(Clone, Copy)]
struct Needs {
    rust: bool,
    node: bool,
    esbuild: bool,
}

/// Looks for every tool.
pub(super) fn look(project: Option<&Project>) -> Vec<Finding> {
    let needs = match project {
        Some(Project::Rust { .. }) => Needs { rust: true, node: false, esbuild: false },
        // A script without a package is uploaded as it is.
        Some(Project::Script(script)) => {
            let package = script.root.join("package.json").is_file();
            Needs { rust: false, node: package, esbuild: script.needs_bundler() }
        }
        Some(Project::Wasm(_)) | None => Needs { rust: false, node: false, esbuild: false },
    };
    let root = project.map_or(Path::new("."), Project::root);
    vec![rust(needs, root), target(needs, root), node(needs, root), esbuild(needs, root)]
}

fn missing(needed: bool, what: &'static str, says: String, mend: &str) -> Finding {
    match needed {
        true => Finding::wrong(what, says, mend),
        false => Finding::noted(what, says, mend),
    }
}

fn rust(needs: Needs, root: &Path) -> Finding {
    let says = |name: &str| tool::says(&tool::on_path(name)?, root, &["--version"]);
    let Some((cargo, rustc)) = says("cargo").zip(says("rustc")) else {
        let says = "cargo and rustc are not there; modules in Rust need them".to_owned();
        return missing(needs.rust, "rust", says, tool::ADD_RUST);
    };
    let (major, minor) = numbers(&rustc);
    if (major, minor) < numbers(RUST) {
        let says = format!("{rustc}, and the SDK needs {RUST} at least");
        return missing(needs.rust, "rust", says, "rustup update");
    }
    Finding::fine("rust", cargo)
}

fn target(needs: Needs, root: &Path) -> Finding {
    let target = tool::WASM_TARGET;
    let has = tool::on_path("rustc").is_some_and(|rustc| tool::has_target(&rustc, root));
    if has {
        return Finding::fine("target", format!("{target} is there"));
    }
    let says = format!("{target} is not there; modules in Rust are built for it");
    missing(needs.rust, "target", says, tool::ADD_TARGET)
}

fn node(needs: Needs, root: &Path) -> Finding {
    let says = tool::on_path("node").and_then(|node| tool::says(&node, root, &["--version"]));
    let Some(version) = says else {
        let says = "node is not there; tests of handlers in JavaScript run on it".to_owned();
        return missing(needs.node, "node", says, tool::add_node());
    };
    let (major, _) = numbers(&version);
    if major < NODE_MAJOR_MIN {
        let says = format!("{version}, and {NODE_MAJOR_MIN} is needed at least");
        return missing(needs.node, "node", says, "npx n 20");
    }
    Finding::fine("node", version)
}

fn esbuild(needs: Needs, root: &Path) -> Finding {
    let found =
        tool::esbuild(root).and_then(|path| Some((tool::says(&path, root, &["--version"])?, path)));
    match found {
        Some((version, path)) => Finding::fine("esbuild", format!("{version}, {}", path.display())),
        None => {
            let says = "esbuild is not there; it bundles TypeScript, and scripts of several files";
            missing(needs.esbuild, "esbuild", says.to_owned(), tool::ADD_ESBUILD)
        }
    }
}

/// The first two numbers of a version, wherever it begins.
fn numbers(version: &str) -> (u32, u32) {
    let start = version.find(|c: char| c.is_ascii_digit()).unwrap_or(version.len());
    let version = version.get(start..).unwrap_or_default();
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse());
    let mut next = || parts.next().and_then(Result::ok).unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_wherever_they_begin() {
        assert_eq!(numbers("rustc 1.95.0 (hash 2026-01-01)"), (1, 95));
        assert_eq!(numbers("v20.20.2"), (20, 20));
        assert_eq!(numbers("1"), (1, 0));
        assert_eq!(numbers("none"), (0, 0));
    }

    #[test]
    fn what_no_project_here_needs_is_only_noted() {
        use crate::cli::doctor::State;
        let found = |needed| missing(needed, "node", String::new(), "get it").state;
        assert_eq!((found(true), found(false)), (State::Wrong, State::Noted));
    }
}
