//! `chancery rollback`, and what names that are nearly right are answered with.

use chancery_tests::{Server, guest, guest_path, guest_version};
use serde_json::{Value as Json, json};

/// What a run says that ends with this exit code.
#[track_caller]
fn said(server: &Server, line: &str, exit: i32) -> String {
    let (found, said) = server.cli(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(found, exit, "{line}: {said}");
    said
}

fn hash_in_place(server: &Server) -> String {
    let module = server.app().get("/modules/shop").expect(200);
    module["hash"].as_str().expect("a hash").to_owned()
}

#[test]
fn a_rollback_goes_to_the_version_before_and_back_again() {
    let server = Server::start();
    let app = server.app();
    assert!(said(&server, "rollback", 2).contains("no module"));
    app.deploy("shop");
    let first = hash_in_place(&server);
    let only = said(&server, "rollback", 2);
    assert!(only.contains("one version only"), "{only}");

    assert_eq!(app.upload("shop", &guest("shop-v2")).status, 200);
    let second = hash_in_place(&server);
    let shown = said(&server, "rollback --check", 0);
    assert!(shown.contains(&first[..12]) && shown.contains("nothing was done"), "{shown}");
    assert!(shown.contains("adopted: orders"), "it shows what it would change: {shown}");
    assert_eq!(hash_in_place(&server), second);

    let done = said(&server, "rollback shop", 0);
    assert!(done.contains("rolled back shop to") && done.contains("adopted: orders"), "{done}");
    assert_eq!(hash_in_place(&server), first);
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 3 }));
    // The version before is now the one that was left.
    let document: Json = serde_json::from_str(&said(&server, "--json rollback", 0)).expect("JSON");
    assert_eq!((&document["deployed"], &document["plan"]["hash"]), (&json!(true), &json!(second)));
    assert_eq!(hash_in_place(&server), second);

    let third = guest_version("shop-v2", 3);
    assert_eq!(app.upload("shop", &third).status, 200);
    said(&server, &format!("rollback --to {}", &first[..8]), 0);
    assert_eq!(hash_in_place(&server), first);
    let again = said(&server, &format!("rollback --to {first}"), 0);
    assert!(again.contains("in place already"), "{again}");
    assert!(said(&server, "rollback --to 0123", 2).contains("no version of `shop` begins"));
    assert!(said(&server, "rollback --to 012", 2).contains("too short"));

    app.deploy("probe");
    assert!(said(&server, "rollback", 2).contains("say which module: probe, shop"));
}

#[test]
fn a_rollback_that_is_refused_is_told_and_changes_nothing() {
    let server = Server::start();
    let app = server.app();
    app.deploy("shop");
    let shop = hash_in_place(&server);
    assert_eq!(app.upload("shop", &guest("probe")).status, 200);
    for table in ["orders", "stock"] {
        said(&server, &format!("tables {table} --drop"), 0);
    }
    // What the version before had is another's by now.
    assert_eq!(app.upload("other", &guest("shop")).status, 200);
    let before = hash_in_place(&server);
    assert_ne!(before, shop);
    let refused = said(&server, "rollback shop", 3);
    assert!(refused.contains("module-conflict") && refused.contains("nothing was logged"));
    assert_eq!(hash_in_place(&server), before);
}

#[test]
fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
    let server = Server::start();
    server.app().deploy("shop");
    for (line, meant) in [
        ("query stok-of product=lamp", "stock-of"),
        ("command buy-produkt product=lamp", "buy-product"),
        ("tables stok", "stock"),
        ("tables stok lamp", "stock"),
        ("modules show shpo", "shop"),
        ("modules remove shpo", "shop"),
        ("rollback shpo", "shop"),
        ("--app mian query stock-of product=lamp", "main"),
    ] {
        let told = said(&server, line, 3);
        assert!(told.contains(&format!("did you mean `{meant}`?")), "{line}: {told}");
    }
    // Names of this program too.
    let told = said(&server, "qurey stock-of", 2);
    assert!(told.contains("'query'"), "{told}");
    let told = said(&server, "command x --dryrun", 2);
    assert!(told.contains("--dry-run"), "{told}");
}

#[test]
fn what_lies_at_a_path_is_deployed() {
    let server = Server::start();
    let path = guest_path("shop").display().to_string();
    let told = said(&server, &format!("deploy {path} --check"), 0);
    assert!(told.contains("can be deployed; nothing was done"), "{told}");
    let told = said(&server, &format!("deploy {path}"), 0);
    assert!(told.contains("deployed shop") && told.contains("new: add-product"), "{told}");
    assert!(said(&server, &format!("deploy {path}"), 0).contains("nothing to do"));
    let told = said(&server, "deploy /nowhere/shop.wasm", 2);
    assert!(told.contains("no such file") && told.contains("(no-project)"), "{told}");
    let directory = tempfile::tempdir().expect("a directory");
    let text = directory.path().join("shop.wasm");
    std::fs::write(&text, "(module)").expect("a file");
    let told = said(&server, &format!("deploy {}", text.display()), 1);
    assert!(told.contains("WebAssembly text") && told.contains("(no-module)"), "{told}");
    let told = said(&server, &format!("deploy {}", directory.path().display()), 2);
    assert!(told.contains("it has no Cargo.toml"), "{told}");
}
