//! The shop behaves the same in Rust, as a script, and as a component made of the script.

use std::path::Path;

use chancery::engine::Upload;
use chancery::record::Verdict;
use chancery::wasm::{Host, Script, Settings};
use chancery_tests::rig::name;
use chancery_tests::{Rig, guest};
use serde_json::{Value as Json, json};

/// The example as a script.
fn script() -> Script {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let path = examples.join("shop-js").join("shop.js");
    let source = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Script::new("shop.js", &source).expect("a script")
}

async fn deploy(rig: &Rig, bytes: Vec<u8>) {
    let deployed = rig.app.deploy(&name("shop"), Upload::Bytes(bytes.into())).await;
    let receipt = deployed.expect("it is accepted").receipt.expect("it is new");
    let outcome = receipt.outcome.expect("an outcome");
    assert!(matches!(outcome.verdict, Verdict::Succeeded(_)), "{:?}", outcome.verdict);
}

async fn refused(rig: &Rig, command: &str, input: Json) -> (String, String, Json) {
    let receipt = rig.command(command, input).await;
    let outcome = receipt.outcome.expect("an outcome");
    let Verdict::Rejected(failure) = &outcome.verdict else { panic!("{:?}", outcome.verdict) };
    let details = serde_json::from_str(failure.details.as_deref().unwrap_or("null"));
    (failure.code.to_string(), failure.message.to_string(), details.expect("JSON"))
}

/// What users of the shop see, but for ids, which differ from command to command.
async fn behaves(rig: &Rig) {
    let lamp = json!({ "product": "lamp" });
    let unknown = (
        "unknown-product".to_owned(),
        "There is no product `lamp`.".to_owned(),
        json!({ "product": "lamp" }),
    );
    assert_eq!(refused(rig, "buy-product", lamp.clone()).await, unknown);
    let add = json!({ "product": "lamp", "name": "Lamp", "quantity": 2 });
    let added = rig.succeed("add-product", add).await;
    assert_eq!(added, json!({ "name": "Lamp", "left": 2 }));
    let first = rig.succeed("buy-product", json!({ "product": "lamp", "buyer": "Ada" })).await;
    assert_eq!((&first["product"], &first["left"]), (&json!("lamp"), &json!(1)));
    let sequence = rig.sequence();
    let second = rig.succeed("buy-product", lamp.clone()).await;
    assert_ne!(first["order"], second["order"]);
    let none = ("out-of-stock".to_owned(), "No Lamp is left.".to_owned(), lamp.clone());
    assert_eq!(refused(rig, "buy-product", lamp.clone()).await, none);
    assert_eq!(rig.query("stock-of", lamp.clone()).await, json!({ "name": "Lamp", "left": 0 }));
    let orders = rig.query("orders-of", lamp.clone()).await;
    let expected = json!([
        { "order": second["order"], "buyer": null, "sequence": sequence + 1 },
        { "order": first["order"], "buyer": "Ada", "sequence": sequence },
    ]);
    assert_eq!(orders, expected);
    let one = rig.query("orders-of", json!({ "product": "lamp", "limit": 1 })).await;
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    // What a schema does not allow does not reach the handler.
    let wrong = rig.app.submit(rig.request(
        chancery_tests::new_id(),
        "add-product",
        &json!({ "product": "", "name": "x", "quantity": 1 }),
    ));
    assert!(wrong.is_err(), "{wrong:?}");
}

/// Rows as they are kept: two languages may own the same tables one after the other.
async fn rows(rig: &Rig) -> Vec<String> {
    let mut keys = Vec::new();
    for table in ["stock", "orders"] {
        let rows = rig.rows(table).await.expect("a table");
        keys.extend(rows.into_iter().map(|(key, _, _)| key));
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_the_same_in_rust_as_a_script_and_as_a_component() {
    let host = Host::new(Settings::default()).expect("a host");
    let component = host.component_of(&script()).expect("a component");
    let mut kept = Vec::new();
    for module in [guest("shop"), script().to_bytes(), component] {
        let rig = Rig::with(|settings| settings.wasm.script_snapshots = false);
        deploy(&rig, module).await;
        behaves(&rig).await;
        kept.push(rows(&rig).await);
    }
    assert_eq!(kept[0], kept[1]);
    assert_eq!(kept[0], kept[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_takes_over_from_rust_and_its_snapshot_changes_nothing() {
    let rig = Rig::start();
    deploy(&rig, guest("shop")).await;
    behaves(&rig).await;
    let lamp = json!({ "product": "lamp" });
    let before = rig.query("orders-of", lamp.clone()).await;
    deploy(&rig, script().to_bytes()).await;
    let module = || rig.app.deployed("shop").expect("deployed").module.clone();
    assert_eq!(rig.query("orders-of", lamp.clone()).await, before);
    // Nobody waits for the snapshot; here it is waited for.
    while module().evaluates_script() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(rig.query("orders-of", lamp.clone()).await, before);
    let add = json!({ "product": "lamp", "name": "Lamp", "quantity": 1 });
    assert_eq!(rig.succeed("add-product", add).await, json!({ "name": "Lamp", "left": 1 }));
    let bought = rig.succeed("buy-product", lamp.clone()).await;
    let after = rig.query("orders-of", lamp).await;
    assert_eq!(after[0]["order"], bought["order"]);
    assert_eq!(after.as_array().map(Vec::len), Some(3));
}
