//! Schemas made of TypeScript types: written once, by the user, and checked by the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_tests::Server;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::scripts::{begun, sdk};
use super::{said, text, with_esbuild};
use crate::dev::{Dev, save};

/// What npm has installed for tests.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("npm/node_modules")
}

/// The template, with what makes schemas installed.
fn begun_with_generator() -> (TempDir, PathBuf) {
    let (directory, folder) = begun("shop-ts");
    let generator = packages().join("ts-json-schema-generator");
    let generator = generator.canonicalize().expect("`cargo xtask test` installs it");
    std::os::unix::fs::symlink(generator, installed(&folder)).expect("a link");
    (directory, folder)
}

fn installed(folder: &Path) -> PathBuf {
    folder.join("node_modules/ts-json-schema-generator")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `tsc`, as an editor would have it.
fn compiler(folder: &Path) -> (bool, String) {
    let mut tsc = Command::new(sdk().join("js/node_modules/.bin/tsc"));
    let output = tsc.arg("--noEmit").current_dir(folder).output().expect("it runs");
    (output.status.success(), text(&output))
}

const ONE: &str = "  /** Who buys it. */\n  buyer?: string;\n";
const MORE: &str = "  /** Who buys it. */
  buyer?: string;
  /**
   * How many; 1 if not given.
   * @asType integer
   * @minimum 1
   */
  quantity?: number;
";

#[test]
fn a_type_is_written_once_and_checked_by_the_server() {
    let (_directory, folder) = begun_with_generator();
    let path = with_esbuild();
    let variables = [("PATH", path.as_str())];
    let (types, schemas) = (folder.join("src/types.ts"), folder.join("src/types.schema.ts"));

    // What the template brings is what is made.
    let brought = read(&schemas);
    fs::remove_file(&schemas).expect("it was there");
    said(&folder, &variables, &["build"], 0);
    assert_eq!(read(&schemas), brought, "make runtime/templates/shop-ts/src/types.schema.ts anew");
    let (is_content, words) = compiler(&folder);
    assert!(is_content, "{words}");

    // A member more, and nothing else.
    let whole = read(&types);
    fs::write(&types, whole.replacen(ONE, MORE, 1)).expect("a file");
    let server = Server::with(&["--script-snapshots", "false"]);
    let url = format!("http://{}", server.address());
    said(&folder, &variables, &["--server", &url, "deploy"], 0);
    let app = server.app();
    let shown = app.get("/modules/shop").expect(200);
    let buy = &shown["manifest"]["commands"]["buy-product"];
    assert_eq!(buy["description"], "Buys one of a product.");
    let quantity = &buy["input"]["properties"]["quantity"];
    let wanted = json!({
        "type": "integer", "minimum": 1, "description": "How many; 1 if not given."
    });
    assert_eq!(quantity, &wanted, "{buy}");
    assert_eq!(buy["input"]["required"], json!(["product"]));
    let placed = &shown["manifest"]["events"]["order.placed"];
    assert_eq!(placed["description"], "Somebody bought one of a product.");
    assert_eq!(placed["schema"]["properties"]["buyer"]["type"], json!(["string", "null"]));
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    for quantity in [json!(0), json!(1.5), json!("1")] {
        let input = json!({ "product": "lamp", "quantity": quantity });
        let problem = app.command("buy-product", &input).expect(422);
        assert_eq!(problem["code"], "invalid-input", "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/quantity", "{problem}");
    }
    app.succeed("buy-product", &json!({ "product": "lamp", "quantity": 1 }));

    // What is made is right as long as its types are: nobody needs the generator for it, and
    // nobody edits it.
    let made = read(&schemas);
    fs::remove_file(installed(&folder)).expect("a link");
    said(&folder, &variables, &["build"], 0);
    said(&folder, &variables, &["build", "src/shop.ts"], 0);
    fs::write(&schemas, made.replace("\"minimum\": 1", "\"minimum\": 0")).expect("a file");
    let told = said(&folder, &variables, &["build"], 5);
    assert!(told.contains("ts-json-schema-generator, and it is not installed"), "{told}");
}

#[test]
fn what_makes_no_schema_is_told_with_its_place() {
    let (_directory, folder) = begun_with_generator();
    let path = with_esbuild();
    let variables = [("PATH", path.as_str())];
    let types = folder.join("src/types.ts");
    let whole = read(&types);
    let line = whole.lines().count() + 1;
    let built = |more: &str| {
        fs::write(&types, format!("{whole}{more}\n")).expect("a file");
        said(&folder, &variables, &["build"], 1)
    };
    for (more, column, words) in [
        ("export interface A { then: () => void }", 28, "a function is nothing that JSON has"),
        ("export interface A { then(): void }", 22, "a function is nothing that JSON has"),
        ("export type A = { at: Date }[];", 23, "a handler would be given a `string`"),
        ("export type A = Partial<{ n: bigint }>;", 30, "`bigint` is nothing that JSON has"),
        ("export type A = Map<string, string>;", 17, "`Map` is nothing that JSON has"),
        ("export interface A { b: Nowhere }", 25, "Cannot find name 'Nowhere'"),
        ("import type { B } from \"./stock.js\"; export type A = B;", 15, "no exported member 'B'"),
        ("export interface A { b:", 24, "expected"),
    ] {
        let told = built(more);
        assert!(told.contains("ts-json-schema-generator cannot build"), "{told}");
        let place = match words {
            // It is the end of the file that is not expected.
            "expected" => format!("src/types.ts:{}:1: ", line + 1),
            _ => format!("src/types.ts:{line}:{column}: "),
        };
        assert!(told.contains(&place) && told.contains(words), "{place}{words}: {told}");
        assert!(told.contains("nothing was deployed"), "{told}");
    }
    // All of them at once.
    let told = built("export type A = symbol;\nexport type B = () => void;");
    let places = [format!("types.ts:{line}:"), format!("types.ts:{}:", line + 1)];
    assert!(places.iter().all(|place| told.contains(place)), "{told}");
    fs::write(&types, &whole).expect("a file");
    said(&folder, &variables, &["build"], 0);

    // A handler that names one that is not there.
    let script = folder.join("src/shop.ts");
    let handlers = read(&script);
    fs::write(&script, handlers.replace(" BuyProduct,", " BuyProdct,")).expect("a file");
    let told = said(&folder, &variables, &["build"], 1);
    assert!(told.contains("src/shop.ts:") && told.contains("BuyProdct"), "{told}");
    assert!(told.contains("Did you mean to import \"BuyProduct\""), "{told}");
    fs::write(&script, handlers).expect("a file");

    // A package that asks for what is not there.
    let package = folder.join("package.json");
    let wishes = read(&package);
    for (wish, words) in [
        (r#"{ "schemas": "src/typos.ts" }"#, "names `src/typos.ts`, which is not there"),
        (r#"{ "schemas": "tsconfig.json" }"#, "names `tsconfig.json`, which is no TypeScript"),
        (r#"{ "schema": "src/types.ts" }"#, "unknown field `schema`, expected `schemas`"),
        (r#"{ "schemas": 1 }"#, "`schemas` is the name of a file, or a list of such names"),
    ] {
        let changed = wishes.replace(r#"{ "schemas": "src/types.ts" }"#, wish);
        assert_ne!(changed, wishes);
        fs::write(&package, changed).expect("a file");
        let told = said(&folder, &variables, &["build"], 2);
        assert!(told.contains("package.json: ") && told.contains(words), "{told}");
    }
    let changed = wishes.replace(r#""src/types.ts" }"#, r#"["src/stock.ts", "src/types.ts"] }"#);
    fs::write(&package, changed).expect("a file");
    said(&folder, &variables, &["build"], 0);
    assert!(read(&folder.join("src/stock.schema.ts")).contains("export const Product ="));
}

#[test]
fn what_makes_schemas_comes_with_the_command_that_installs_it() {
    let (directory, folder) = begun_with_generator();
    let path = with_esbuild();
    fs::remove_file(folder.join("src/types.schema.ts")).expect("it was there");
    fs::remove_file(installed(&folder)).expect("a link");
    let variables = [("PATH", path.as_str())];
    let told = said(&folder, &variables, &["--json", "build"], 5);
    let document: Json = serde_json::from_str(told.lines().next().expect("a line")).expect("JSON");
    let mend = "npm install --save-dev --save-exact ts-json-schema-generator@2.4.0";
    assert_eq!((&document["code"], &document["mend"]), (&json!("missing-tool"), &json!(mend)));
    let told = said(directory.path(), &variables, &["build", "shop"], 5);
    assert!(told.contains("schemas are made of src/types.ts"), "{told}");
    assert!(told.contains(&format!("(cd shop && {mend})")), "{told}");
    let nothing = directory.path().join("nothing");
    fs::create_dir(&nothing).expect("a directory");
    let variables = [("PATH", nothing.to_str().expect("text"))];
    let told = said(&folder, &variables, &["build"], 5);
    assert!(told.contains("takes Node") && told.contains("nodejs"), "{told}");
}

/// What is saved by the build is no edit.
#[test]
fn schemas_are_made_again_while_somebody_works() {
    let (_directory, folder) = begun_with_generator();
    let types = folder.join("src/types.ts");
    let whole = read(&types);
    let bundler = packages().join(".bin");
    fs::create_dir_all(folder.join("node_modules/.bin")).expect("a directory");
    let link = folder.join("node_modules/.bin/esbuild");
    std::os::unix::fs::symlink(bundler.join("esbuild"), link).expect("a link");
    let mut dev = Dev::on(&folder);
    assert_eq!(dev.next("live")["module"], "shop");
    dev.app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    let none = json!({ "product": "lamp", "quantity": 0 });
    save(&types, whole.replacen(ONE, MORE, 1).as_bytes());
    dev.next("live");
    assert_eq!(dev.app.command("buy-product", &none).code(), "invalid-input");

    save(&types, format!("{whole}export type A = symbol;\n").as_bytes());
    let broken = dev.next("broken");
    assert_eq!(
        (&broken["live"], &broken["problem"]["code"]),
        (&json!("shop"), &json!("not-built"))
    );
    let said = broken["problem"]["said"].as_str().expect("text");
    assert!(said.starts_with("src/types.ts:"), "{broken}");
    assert_eq!(dev.app.command("buy-product", &none).code(), "invalid-input", "the old one stays");
    dev.end();
}
