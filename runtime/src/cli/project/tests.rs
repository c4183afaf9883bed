//! What is taken for a project, and what is not.

use std::fs;

use tempfile::TempDir;

use super::*;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

/// What is found, without the directory.
fn found(directory: &TempDir, path: &str) -> String {
    let said = match Project::at(&directory.path().join(path)) {
        Ok(Project::Script(script)) => {
            format!("script {} of {}", script.name, script.entry.display())
        }
        Ok(project) => format!("{} in {}", project.language(), project.root().display()),
        Err(error) => error.to_string(),
    };
    said.replace(&directory.path().display().to_string(), "DIR")
}

#[test]
fn a_project_is_known_by_its_files() {
    let rust = directory(&[("Cargo.toml", "")]);
    insta::assert_snapshot!(found(&rust, ""), @"Rust in DIR/");
    insta::assert_snapshot!(found(&rust, "Cargo.toml"), @"Rust in DIR");
    let package = r#"{ "name": "@us/shop", "main": "src.ts" }"#;
    let typed = directory(&[("package.json", package), ("src.ts", "")]);
    insta::assert_snapshot!(found(&typed, ""), @"script shop of DIR/src.ts");
    insta::assert_snapshot!(found(&typed, "package.json"), @"script shop of DIR/src.ts");
    let lone = directory(&[("my_shop.js", ""), ("my_shop.test.js", "")]);
    insta::assert_snapshot!(found(&lone, ""), @"script my-shop of DIR/my_shop.js");
}

#[test]
fn what_is_no_project_is_told() {
    let empty = directory(&[]);
    insta::assert_snapshot!(found(&empty, "x.js"), @"DIR/x.js: there is no such file or directory");
    insta::assert_snapshot!(found(&empty, ""), @"DIR/: it has no Cargo.toml, no package.json and no script; `chancery new` begins one");
    let both = directory(&[("Cargo.toml", ""), ("package.json", "{}"), ("x.txt", "")]);
    insta::assert_snapshot!(found(&both, ""), @"DIR/: it has a Cargo.toml and a package.json; name the one that is meant");
    insta::assert_snapshot!(found(&both, "package.json"), @r#"DIR/package.json: it has no `main`, which says what file is the module; add one, such as "main": "shop.js""#);
    insta::assert_snapshot!(found(&both, "x.txt"), @"DIR/x.txt: it is no .js, .ts or .wasm file and no project");
    let two = directory(&[("a.js", ""), ("b.ts", "")]);
    insta::assert_snapshot!(found(&two, ""), @"DIR/: it has several scripts; name the one that is meant");
    let gone = directory(&[("package.json", r#"{ "main": "gone.js" }"#)]);
    insta::assert_snapshot!(found(&gone, ""), @"DIR/package.json: its `main`, `gone.js`, is not there");
}

#[test]
fn a_name_that_cannot_be_one_is_told() {
    let kind = Kind::Script { bundled: false };
    let module = Module { name: "Shop".into(), file: "Shop.js".into(), bytes: vec![], kind };
    let error = module.module_name().expect_err("it has a capital");
    insta::assert_snapshot!(error, @"Shop.js: its name makes no name for the module: name `Shop` must begin with a lower-case letter; say --name");
    assert_eq!(module.script_name().as_deref(), Some("Shop.js"));
}
