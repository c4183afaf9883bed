//! From a template to what is deployed: `chancery new`, `build`, `test`, `deploy`.

mod schemas;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chancery_tests::{Server, chancery_in, target_directory};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

fn sdks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk")
}

fn text(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// What a run says that ends with this exit code.
#[track_caller]
fn said(directory: &Path, variables: &[(&str, &str)], arguments: &[&str], exit: i32) -> String {
    let output = chancery_in(directory, variables, arguments);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    said
}

/// A project of a template, with the SDK of this repository.
fn begun(template: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let sdk = sdks();
    let arguments =
        ["new", "my-shop", "--template", template, "--sdk", sdk.to_str().expect("text")];
    let told = said(directory.path(), &[], &arguments, 0);
    assert!(told.contains("created my-shop") && told.contains("cd my-shop"), "{told}");
    let folder = directory.path().join("my-shop");
    (directory, folder)
}

#[test]
fn a_new_project_is_whole_and_writes_over_nothing() {
    for template in ["shop-js", "shop-ts", "shop-rust"] {
        let directory = tempfile::tempdir().expect("a directory");
        let sdk = [("CHANCERY_SDK", "1.2.3")];
        let arguments = ["--json", "new", "shop", "--template", template];
        let told = said(directory.path(), &sdk, &arguments, 0);
        let document: Json = serde_json::from_str(&told).expect("JSON");
        assert_eq!((&document["name"], &document["template"]), (&json!("shop"), &json!(template)));
        let files = document["files"].as_array().expect("a list");
        for file in files.iter().filter_map(Json::as_str) {
            let path = directory.path().join("shop").join(file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(!text.contains("{{"), "{template}: {file} has something to fill in");
        }
        for file in ["README.md", ".gitignore", "tests/shop.test.json"] {
            assert!(files.contains(&json!(file)), "{template} has no {file}");
        }
        let manifest = if template == "shop-rust" { "Cargo.toml" } else { "package.json" };
        let manifest = directory.path().join("shop").join(manifest);
        assert!(fs::read_to_string(&manifest).expect("a file").contains("1.2.3"));

        fs::write(&manifest, "mine").expect("a file");
        let told = said(directory.path(), &sdk, &arguments[1..], 2);
        assert!(told.contains("not empty; nothing was written"), "{told}");
        assert_eq!(fs::read_to_string(&manifest).expect("a file"), "mine");
    }
    let directory = tempfile::tempdir().expect("a directory");
    assert!(said(directory.path(), &[], &["new", "My-Shop"], 2).contains("lower-case letter"));
    assert!(said(directory.path(), &[], &["new", "a", "--template", "b"], 2).contains("shop-rust"));
    let arguments = ["new", "shop", "--template", "shop-rust", "--sdk", "./nowhere"];
    assert!(said(directory.path(), &[], &arguments, 2).contains("has no SDK for this template"));
    let git = ["new", "shop", "--sdk", "https://example.org/chancery.git"];
    let told = said(directory.path(), &[], &git, 2);
    assert!(told.contains("npm cannot take the SDK from the repository"), "{told}");
    assert!(!directory.path().join("shop").exists(), "nothing is begun that cannot be ended");
}

#[test]
fn the_rust_template_builds_passes_its_tests_and_is_served() {
    let (_directory, folder) = begun("shop-rust");
    // The versions that are here already, and a place to build that stays.
    fs::copy(sdks().join("Cargo.lock"), folder.join("Cargo.lock")).expect("it is copied");
    let target = target_directory().join("templates");
    let variables = [("CARGO_TARGET_DIR", target.to_str().expect("text"))];
    let told = said(&folder, &variables, &["--json", "build"], 0);
    let start = told.find('{').expect("a document");
    let document: Json = serde_json::Deserializer::from_str(&told[start..])
        .into_iter()
        .next()
        .expect("one")
        .unwrap_or_else(|error| panic!("{error}: {told}"));
    let module = &document["modules"][0];
    assert_eq!((&document["language"], &module["name"]), (&json!("Rust"), &json!("my-shop")));
    assert_eq!(module["component"], json!(false), "{module}");
    let imports = module["imports"].as_array().expect("a list");
    assert!(imports.iter().all(|name| name.as_str().is_some_and(|it| it.starts_with("chancery:"))));
    let file = module["file"].as_str().expect("a path");
    let bytes = fs::read(file).expect("it is there");
    assert_eq!(module["bytes"], json!(bytes.len()));
    assert_eq!(module["sha256"], chancery::value::Hash::of(&bytes).to_string());

    let told = said(&folder, &variables, &["test"], 0);
    assert!(told.contains("2 passed, 0 failed"), "{told}");
    let mut tests = Command::new("cargo");
    tests.args(["test", "--offline"]).current_dir(&folder).envs(variables);
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER"] {
        tests.env_remove(name);
    }
    let tests = tests.output().expect("cargo runs");
    assert!(tests.status.success() && text(&tests).contains("2 passed"), "{}", text(&tests));

    let server = Server::start();
    let url = format!("http://{}", server.address());
    let told = said(&folder, &variables, &["--server", &url, "deploy"], 0);
    assert!(told.contains("deployed my-shop") && told.contains("buy-product"), "{told}");
    let app = server.app();
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    app.succeed("buy-product", &json!({ "product": "lamp", "buyer": "ann" }));
    assert_eq!(app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 1);
    assert_eq!(app.ask("orders-of", &json!({ "product": "lamp" })), json!(["ann"]));

    // What does not compile changes nothing, and the compiler says where.
    let source = folder.join("src/lib.rs");
    let whole = fs::read_to_string(&source).expect("a file");
    fs::write(&source, format!("{whole}\nfn broken( {{")).expect("a file");
    let told = said(&folder, &variables, &["--server", &url, "deploy"], 1);
    assert!(told.contains("src/lib.rs:") && told.contains("cargo cannot build"), "{told}");
    assert_eq!(app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 1);
}

#[test]
fn a_crate_that_makes_no_module_is_told_what_it_lacks() {
    let directory = tempfile::tempdir().expect("a directory");
    let manifest =
        "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(directory.path().join("Cargo.toml"), manifest).expect("a file");
    fs::create_dir(directory.path().join("src")).expect("a directory");
    fs::write(directory.path().join("src/lib.rs"), "").expect("a file");
    let target = target_directory().join("templates");
    let variables = [("CARGO_TARGET_DIR", target.to_str().expect("text"))];
    let told = said(directory.path(), &variables, &["build"], 2);
    assert!(told.contains("builds no module") && told.contains("cdylib"), "{told}");
}

#[test]
fn a_tool_that_is_missing_comes_with_the_command_that_installs_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).expect("a directory");
    let path = [("PATH", empty.to_str().expect("text"))];
    fs::write(directory.path().join("shop.ts"), "export default 1;").expect("a file");
    let told = said(directory.path(), &path, &["build", "shop.ts"], 5);
    assert!(told.contains("shop.ts is TypeScript") && told.contains("nodejs"), "{told}");
    fs::write(empty.join("npm"), "").expect("a file");
    let told = said(directory.path(), &path, &["build", "shop.ts"], 5);
    assert!(told.contains("npm install --save-dev esbuild"), "{told}");
    let told = said(directory.path(), &path, &["--json", "build", "shop.ts"], 5);
    let document = told.lines().next().expect("a document");
    let document: Json = serde_json::from_str(document).expect("JSON");
    assert_eq!((&document["code"], document["mend"].is_string()), (&json!("missing-tool"), true));
    let crate_folder = directory.path().join("crate");
    fs::create_dir(&crate_folder).expect("a directory");
    fs::write(crate_folder.join("Cargo.toml"), "").expect("a file");
    let told = said(directory.path(), &path, &["build", "crate"], 5);
    assert!(told.contains("cargo is not installed") && told.contains("rustup.rs"), "{told}");
}

#[test]
fn a_script_that_imports_the_sdk_alone_needs_no_tool() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).expect("a directory");
    let path = [("PATH", empty.to_str().expect("text"))];
    let source = "import { app } from \"chancery-sdk\";\nexport default app({});\n";
    fs::write(directory.path().join("shop.js"), source).expect("a file");
    let told = said(directory.path(), &path, &["--json", "build", "shop.js"], 0);
    let document: Json = serde_json::from_str(&told).expect("JSON");
    let module = &document["modules"][0];
    assert_eq!(module["name"], "shop");
    assert_eq!((&module["bundled"], &module["file"]), (&json!(false), &json!("shop.js")));
    assert_eq!(module["bytes"], json!(source.len()));
    let told = said(directory.path(), &path, &["build", "shop.js"], 0);
    assert!(told.contains("JavaScript, as it is") && told.contains("chancery deploy shop.js"));
}

#[test]
fn whether_a_script_is_bundled_is_not_a_matter_of_how_it_is_laid_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = with_esbuild();
    let bundled = |source: &str| {
        let source = format!("{source}\nexport default 1;\n");
        fs::write(directory.path().join("shop.js"), source).expect("a file");
        let variables = [("PATH", path.as_str())];
        let told = said(directory.path(), &variables, &["--json", "build", "shop.js"], 0);
        let document: Json = serde_json::from_str(&told).expect("JSON");
        document["modules"][0]["bundled"].as_bool().expect("a word")
    };
    fs::write(directory.path().join("a.js"), "export const a = 1;").expect("a file");
    for source in [
        "export const lazy = () => import(\"./a.js\");",
        "import {\n  a\n}\nfrom\n\"./a.js\";",
        "import { app } from \"chancery-sdk\"; import { a } from \"./a.js\";",
        "export * from './a.js';",
    ] {
        assert!(bundled(source), "{source}");
    }
    for source in [
        "// import \"./a.js\"\n/*\nimport \"./a.js\"\n*/",
        "const text = `\nimport { a } from \"./a.js\";\n`;",
        "const text = 'import(\"./a.js\")';",
    ] {
        assert!(!bundled(source), "{source}");
    }
}

/// A path with esbuild and Node on it.
fn with_esbuild() -> String {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm/node_modules/.bin");
    assert!(programs.join("esbuild").exists(), "run `cargo xtask test`, which installs esbuild");
    format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"))
}

#[test]
fn typescript_is_bundled_and_what_is_broken_is_told_with_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = with_esbuild();
    let variables = [("CHANCERY_SDK", "0.1.0"), ("PATH", path.as_str())];
    said(directory.path(), &variables, &["new", "shop", "--template", "shop-ts"], 0);
    let folder = directory.path().join("shop");
    let told = said(&folder, &variables, &["--json", "build"], 0);
    let document: Json = serde_json::from_str(&told).expect("JSON");
    let module = &document["modules"][0];
    assert_eq!((&document["language"], &module["name"]), (&json!("TypeScript"), &json!("shop")));
    assert_eq!((&module["bundled"], &module["file"]), (&json!(true), &json!("./dist/shop.js")));
    let bundle = fs::read_to_string(folder.join("dist/shop.js")).expect("a file");
    assert!(
        bundle.contains("from \"chancery-sdk\"") && !bundle.contains("interface Order"),
        "{bundle}"
    );
    assert!(bundle.contains("//# sourceMappingURL=data:application/json;base64,"));
    assert_eq!(fs::read_dir(folder.join("dist")).expect("a directory").count(), 1, "no draft");

    let rules = folder.join("src/stock.ts");
    let whole = fs::read_to_string(&rules).expect("a file");
    fs::write(&rules, format!("{whole}const a b;\n")).expect("a file");
    let line = whole.lines().count() + 1;
    let told = said(&folder, &variables, &["build"], 1);
    assert!(told.contains(&format!("src/stock.ts:{line}:8")), "{told}");
    assert!(told.contains("esbuild cannot build") && told.contains("const a b"), "{told}");
    let kept = fs::read_to_string(folder.join("dist/shop.js")).expect("a file");
    assert_eq!(kept, bundle, "what was built stays");
    fs::write(&rules, whole.replace("chancery-sdk", "./nowhere.js")).expect("a file");
    let told = said(&folder, &variables, &["build"], 1);
    assert!(told.contains("./nowhere.js") && told.contains("src/stock.ts:3"), "{told}");
}
