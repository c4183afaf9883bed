//! What a component may ask for and must offer.

use super::survey::Survey;
use crate::wasm::Refused;
use crate::wasm::manifest::{CONTRACT, is_compatible};

const PACKAGE: &str = "chancery:app/";
/// The interfaces a module may import. Further exports, such as QuickJS's
/// `init`, are allowed and never called.
const OFFERED: [&str; 3] = ["types", "store", "log"];

/// Checks a component's imports and exports by their names. Whether they have
/// the right types the linker checks.
pub(super) fn check(survey: &Survey) -> Result<(), Refused> {
    refuse_foreign(survey, |import| import.starts_with(PACKAGE))?;
    for import in &survey.imports {
        check_contract(import)?;
    }
    let mut manifests = survey.exports.iter().filter(|export| interface(export) == "manifest");
    match manifests.next() {
        Some(export) => check_version(export),
        None => Err(Refused::NoManifest),
    }
}

/// Refuses all imports that nobody offers, at once, so that they are fixed at once.
pub(super) fn refuse_foreign(survey: &Survey, is_offered: fn(&str) -> bool) -> Result<(), Refused> {
    let foreign = survey.imports.iter().filter(|import| !is_offered(import));
    let imports: Vec<String> = foreign.cloned().collect();
    match imports.is_empty() {
        true => Ok(()),
        false => Err(Refused::ForeignImports { fix: fix(&imports), imports }),
    }
}

fn check_contract(import: &str) -> Result<(), Refused> {
    if !OFFERED.contains(&interface(import)) {
        return Err(Refused::WrongContract(format!(
            "the module imports `{import}`, and `chancery:app` has no such interface to import; \
             it has `{}`",
            OFFERED.join("`, `")
        )));
    }
    check_version(import)
}

fn check_version(name: &str) -> Result<(), Refused> {
    let version = name.rsplit_once('@').map_or("", |(_, version)| version);
    if !is_compatible(version) {
        return Err(Refused::WrongContract(format!(
            "the module uses `{name}`, and this server has version {CONTRACT} of the contract; \
             build it with the SDK of this server's version"
        )));
    }
    Ok(())
}

/// `store` of `chancery:app/store@0.1.0`; empty for a name of another package.
fn interface(name: &str) -> &str {
    let Some(name) = name.strip_prefix(PACKAGE) else {
        return "";
    };
    name.split('@').next().unwrap_or_default()
}

fn fix(imports: &[String]) -> String {
    let any = |begin: &str| imports.iter().any(|import| import.starts_with(begin));
    let mut fixes = Vec::new();
    if any("wasi") {
        fixes.push(
            "wasi comes from the build target: build Rust for wasm32-unknown-unknown, \
             JavaScript with `componentize-qjs --sync --stub-wasi`",
        );
    }
    if any("__wbindgen") || any("wbg") {
        fixes.push(
            "wasm-bindgen comes from a dependency that expects a browser: switch off its \
             feature for that, often `js` or `wasmbind`",
        );
    }
    if any("env.") {
        fixes.push("`env` is what the linker did not find: link it, or drop the dependency");
    }
    if fixes.is_empty() {
        fixes.push("a handler gets time, ids and data from the handle it is given");
    }
    fixes.join("; ")
}
