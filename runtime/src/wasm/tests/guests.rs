//! Guests in WebAssembly text.
//!
//! A guest is given as the bodies of its functions. What it returns lies ready
//! in its memory, laid out as the canonical ABI has it.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the manifest lies.
const MANIFEST: usize = 4096;
/// Where the result `7` lies: a `result<value, failure>`.
pub(super) const SEVEN: usize = 256;
/// Where a result that is not JSON lies.
pub(super) const NOT_JSON: usize = 288;
/// Where a failure lies whose code is `out-of-stock`.
pub(super) const REFUSAL: usize = 320;
/// Where a failure lies whose code is `Out of stock`.
pub(super) const BAD_REFUSAL: usize = 384;
/// Where the name of the table `t` lies, which the guest owns.
pub(super) const TABLE: usize = 512;
/// Where the text `boom` lies.
pub(super) const BOOM: usize = 528;
/// Where the result of a projection lies that went well. There is no more to it
/// than a zero, and those of a failure are the same as a command's.
pub(super) const FINE: usize = 544;
/// Where the result of a reaction lies: the command `do` with the input `7`.
pub(super) const FOLLOWED: usize = 592;
/// Where one lies whose command has the input `{7`.
pub(super) const BADLY_FOLLOWED: usize = 608;

/// A manifest with one table, one query and one command.
pub(super) const PLAIN: &str = r#"{"contract":"0.1.0","tables":{"t":{}},
    "queries":{"ask":{}},"commands":{"do":{}}}"#;

/// What a guest is made of, in WebAssembly text.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) manifest: String,
    /// The body of `describe`; without one it returns the manifest.
    pub(super) describe: String,
    pub(super) imports: &'static str,
    /// Memories, globals and functions.
    pub(super) items: &'static str,
    /// The body of `query`, whose first parameter is the handle.
    pub(super) query: String,
    /// The body of `execute`, whose parameter points to handle and command.
    pub(super) execute: String,
    /// The body of `project`, whose parameter points to handle, name and event.
    pub(super) project: String,
    /// The body of `react`, as `project`.
    pub(super) react: String,
    /// The world it is built for.
    pub(super) world: &'static str,
}

/// A guest that answers 7.
pub(super) fn guest() -> Guest {
    Guest {
        manifest: PLAIN.to_owned(),
        describe: "(i32.const 240)".to_owned(),
        imports: "",
        items: "",
        query: format!("(i32.const {SEVEN})"),
        execute: format!("(i32.const {SEVEN})"),
        project: format!("(i32.const {FINE})"),
        react: format!("(i32.const {FOLLOWED})"),
        world: "chancery:app/handlers",
    }
}

/// A guest with a projection `p` of the table `t` and a reaction `r`, which wants
/// the command `do` submitted.
pub(crate) fn follower() -> Guest {
    let members = r#"{"projections":{"p":{"version":1,"on":["**"],"tables":["t"]}},
        "reactions":{"r":{"on":["**"]}},"#;
    let manifest = PLAIN.replacen('{', members, 1);
    Guest { manifest, world: "chancery:app/app", ..guest() }
}

/// A guest whose command refuses and states so many events `b` in doing so.
pub(crate) fn refuser(n_events: usize) -> Guest {
    const REFUSED: usize = 8192;
    const EVENTS: usize = REFUSED + 64;
    // Its type is the first letter of `boom`, its data the `7`.
    let event = words(&[BOOM, 1, 0, 0, 0, 272, 1]).repeat(n_events);
    let refused = words(&[1, 368, 12, 368, 12, 0, 0, 0, EVENTS, n_events]);
    let data = format!(
        r#"(data (i32.const {REFUSED}) "{refused}") (data (i32.const {EVENTS}) "{event}")"#
    );
    Guest { items: data.leak(), execute: format!("(i32.const {REFUSED})"), ..guest() }
}

impl Guest {
    /// As a compiler for wasm32-unknown-unknown would leave it.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut module = self.core();
        let mut resolve = Resolve::default();
        let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
        let (contract, _) = resolve.push_dir(contract).expect("the contract parses");
        let worlds = resolve.push_str("worlds.wit", WORLDS).expect("the worlds parse");
        let package = match self.world.starts_with("test:") {
            true => worlds,
            false => contract,
        };
        let world = self.world.split('/').nth(1);
        let world = resolve.select_world(&[package], world).expect("the world exists");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the contract fits into a custom section");
        module
    }

    /// Without the contract.
    pub(super) fn core(&self) -> Vec<u8> {
        let Self { manifest, describe, imports, items, query, execute, project, react, world } =
            self;
        let exports = match *world {
            "chancery:app/handlers" => HANDLERS.replace("QUERY", query).replace("EXECUTE", execute),
            "chancery:app/app" => [HANDLERS, PROJECTIONS, REACTIONS]
                .concat()
                .replace("QUERY", query)
                .replace("EXECUTE", execute)
                .replace("PROJECT", project)
                .replace("REACT", react),
            "test:worlds/only-projections" => PROJECTIONS.replace("PROJECT", project),
            "test:worlds/with-init" => r#"(func (export "init"))"#.to_owned(),
            _ => String::new(),
        };
        let text = format!(
            r#"(module {imports}
              (memory (export "memory") 1)
              {items}
              (global $free (mut i32) (i32.const 32768))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                ;; Nothing is freed, and no call needs what an earlier one was given.
                (if (i32.gt_u (global.get $free) (i32.const 60000))
                  (then (global.set $free (i32.const 32768))))
                (global.get $free)
                (global.set $free (i32.add (global.get $free)
                  (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16)))))
              (func (export "chancery:app/manifest@0.1.0#describe") (result i32) {describe})
              {exports}
              (data (i32.const 240) "{}")
              (data (i32.const {SEVEN}) "{}") (data (i32.const 272) "7")
              (data (i32.const {NOT_JSON}) "{}") (data (i32.const 304) "{{7")
              (data (i32.const {REFUSAL}) "{}") (data (i32.const 368) "out-of-stock")
              (data (i32.const {BAD_REFUSAL}) "{}") (data (i32.const 432) "Out of stock")
              (data (i32.const {TABLE}) "t") (data (i32.const {BOOM}) "boom")
              (data (i32.const {FINE}) "{}") (data (i32.const {FOLLOWED}) "{}")
              (data (i32.const {BADLY_FOLLOWED}) "{}")
              (data (i32.const 640) "{}") (data (i32.const 664) "{}")
              (data (i32.const 688) "do") (data (i32.const 690) "{{}}")
              (data (i32.const {MANIFEST}) "{}"))"#,
            words(&[MANIFEST, manifest.len()]),
            words(&[0, 0, 272, 1]),
            words(&[0, 0, 304, 2]),
            words(&[1, 368, 12, 368, 12, 0, 0, 0, 0, 0]),
            words(&[1, 432, 12, 432, 12, 0, 0, 0, 0, 0]),
            words(&[0; 12]),
            words(&[0, 640, 1]),
            words(&[0, 664, 1]),
            words(&[688, 2, 272, 1, 690, 2]),
            words(&[688, 2, 304, 2, 690, 2]),
            escaped(manifest.as_bytes()),
        );
        wat::parse_str(text).expect("the guest's text is right")
    }
}

const HANDLERS: &str = r#"
    (func (export "chancery:app/queries@0.1.0#query")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) QUERY)
    (func (export "chancery:app/commands@0.1.0#execute") (param i32) (result i32) EXECUTE)"#;

/// As `execute`, it is given more than fits into parameters, and gets it in memory.
const PROJECTIONS: &str = r#"
    (func (export "chancery:app/projections@0.1.0#project") (param i32) (result i32) PROJECT)"#;

const REACTIONS: &str = r#"
    (func (export "chancery:app/reactions@0.1.0#react") (param i32) (result i32) REACT)"#;

/// Worlds that nobody's SDK has.
const WORLDS: &str = "package test:worlds;
    world only-manifest { export chancery:app/manifest@0.1.0; }
    world only-projections {
      export chancery:app/manifest@0.1.0;
      export chancery:app/projections@0.1.0;
    }
    world with-init { export chancery:app/manifest@0.1.0; export init: func(); }";

/// Numbers as they lie in memory.
fn words(numbers: &[usize]) -> String {
    let bytes = numbers
        .iter()
        .flat_map(|&number| u32::try_from(number).expect("an address of the guest").to_le_bytes());
    escaped(&bytes.collect::<Vec<_>>())
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
