//! Projects in JavaScript and TypeScript, from the template to what is served.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_tests::Server;
use serde_json::json;
use tempfile::TempDir;

use super::{said, text, with_esbuild};
use crate::dev::{Dev, save};

pub(super) fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk")
}

/// A project of a template, with the SDK of this repository installed.
pub(super) fn begun(template: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let sdk = sdk();
    let arguments = ["new", "shop", "--template", template, "--sdk", sdk.to_str().expect("text")];
    said(directory.path(), &[], &arguments, 0);
    let folder = directory.path().join("shop");
    let installed = folder.join("node_modules");
    fs::create_dir(&installed).expect("a directory");
    let sdk = sdk.join("js").canonicalize().expect("it is there");
    std::os::unix::fs::symlink(sdk, installed.join("chancery-sdk")).expect("a link");
    (directory, folder)
}

#[test]
fn the_javascript_template_passes_both_kinds_of_tests() {
    let (_directory, folder) = begun("shop-js");
    let told = said(&folder, &[], &["test"], 0);
    assert!(told.contains("2 passed, 0 failed"), "{told}");
    let mut node = Command::new("node");
    let node = node.args(["--test", "tests/shop.test.js"]).current_dir(&folder);
    let node = node.output().expect("node runs");
    assert!(node.status.success() && text(&node).contains("# pass 2"), "{}", text(&node));

    // A promise that is not kept is told.
    let script = folder.join("shop.js");
    let whole = fs::read_to_string(&script).expect("a file");
    fs::write(&script, whole.replace("stock.left === 0", "stock.left < 0")).expect("a file");
    let told = said(&folder, &[], &["test"], 1);
    assert!(told.contains("FAILED  the last lamp is sold once"), "{told}");
    assert!(told.contains("step 2: when buy-product: a rejection is expected"), "{told}");
    // A script that cannot be deployed has no tests to pass.
    fs::write(&script, whole.replace("const left =", "const left +")).expect("a file");
    let told = said(&folder, &[], &["test"], 3);
    assert!(told.contains("shop.js:") && told.contains("(syntax-error)"), "{told}");
}

#[test]
fn the_typescript_template_passes_its_tests_and_names_its_own_files() {
    let (_directory, folder) = begun("shop-ts");
    let path = with_esbuild();
    let variables = [("PATH", path.as_str())];
    let told = said(&folder, &variables, &["test"], 0);
    assert!(told.contains("2 passed, 0 failed"), "{told}");
    let at = break_rules(&folder);
    let told = said(&folder, &variables, &["test"], 1);
    assert!(told.contains("TypeError") && told.contains(&format!("stock.ts:{at}:")), "{told}");
}

/// Has `buy-product` of the template in TypeScript throw, and gives the line.
fn break_rules(folder: &Path) -> usize {
    let rules = folder.join("src/stock.ts");
    let whole = fs::read_to_string(&rules).expect("a file");
    let broken = whole.replace("if (stock.left === 0) {", "if ((stock as any).left.no.where) {");
    let at = broken.lines().position(|line| line.contains("no.where")).expect("it is there") + 1;
    fs::write(&rules, broken).expect("a file");
    at
}

#[test]
fn a_script_is_replaced_as_it_is_saved() {
    let (_directory, folder) = begun("shop-js");
    let script = folder.join("shop.js");
    let whole = fs::read_to_string(&script).expect("a file");
    let mut dev = Dev::on(&folder);
    assert_eq!(dev.next("live")["module"], "shop");
    dev.app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));

    save(&script, whole.replace("const left =", "const left +").as_bytes());
    let broken = dev.next("broken");
    let problem = &broken["problem"];
    assert_eq!((&broken["live"], &problem["code"]), (&json!("shop"), &json!("syntax-error")));
    assert_eq!(problem["file"], "shop.js");
    let line = whole.lines().position(|line| line.contains("const left =")).expect("a line") + 1;
    assert_eq!(problem["line"], line, "{problem}");
    assert_eq!(dev.app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 2);

    save(&script, whole.replace("No ${stock.name} is left.", "Gone.").as_bytes());
    dev.next("live");
    assert_eq!(dev.app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 2);
    for _ in 0..2 {
        dev.app.succeed("buy-product", &json!({ "product": "lamp" }));
    }
    let refused = dev.app.command("buy-product", &json!({ "product": "lamp" }));
    assert_eq!(refused.json()["detail"], "Gone.");
    dev.end();
}

#[test]
fn a_component_is_made_of_a_script_and_deployed_like_any_other() {
    let (_directory, folder) = begun("shop-ts");
    let at = break_rules(&folder);
    let path = with_esbuild();
    let told = said(&folder, &[("PATH", path.as_str())], &["--json", "build", "--component"], 0);
    let document: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let module = &document["modules"][0];
    assert_eq!(module["file"], "./dist/shop.wasm", "{module}");
    assert_eq!(module["component"], true, "{module}");
    let imports = module["imports"].as_array().expect("a list");
    let ours = |import: &serde_json::Value| {
        import.as_str().is_some_and(|it| it.starts_with("chancery:app/"))
    };
    assert!(imports.iter().all(ours), "{module}");
    let server = Server::start();
    let file = folder.join("dist/shop.wasm");
    let (code, told) = server.cli(&["deploy", file.to_str().expect("text")]);
    assert_eq!(code, 0, "{told}");
    let app = server.app();
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    assert_eq!(app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 2);
    // Its errors name the file that was written.
    let failed = app.command("buy-product", &json!({ "product": "lamp" })).json();
    let detail = failed["detail"].as_str().expect("text");
    assert!(
        detail.contains("TypeError") && detail.contains(&format!("stock.ts:{at}:")),
        "{failed}"
    );
}
