//! The contract in `wit/`: rustc's `missing_docs` does not look inside bindings.

use wit_parser::{Docs, Function, Interface, Resolve, Stability, TypeDefKind, WorldItem, WorldKey};

use super::settle;
use super::source::root;

/// What has neither a comment nor a version.
#[derive(Default)]
struct Lacking(Vec<String>);

#[test]
fn every_item_of_the_contract_is_documented_and_has_a_version() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("the contract is well formed");
    let package = &resolve.packages[package];
    assert!(!package.interfaces.is_empty() && !package.worlds.is_empty());
    let mut lacking = Lacking::default();
    for (name, id) in &package.interfaces {
        interface(&resolve, name, &resolve.interfaces[*id], &mut lacking);
    }
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        lacking.docs(name, &world.docs);
        lacking.since(name, &world.stability);
        for (key, item) in world.imports.iter().chain(&world.exports) {
            if let (WorldItem::Interface { stability, .. }, WorldKey::Interface(_)) = (item, key) {
                lacking.since(&format!("{name}: {}", resolve.name_world_key(key)), stability);
            }
        }
    }
    settle(&lacking.0, "Say in wit/ what it is, its errors and limits, and `@since(version = …)`:");
}

fn interface(resolve: &Resolve, name: &str, interface: &Interface, lacking: &mut Lacking) {
    lacking.docs(name, &interface.docs);
    lacking.since(name, &interface.stability);
    for (type_name, id) in &interface.types {
        let definition = &resolve.types[*id];
        let path = format!("{name}.{type_name}");
        lacking.since(&path, &definition.stability);
        // A `use` is documented where it comes from.
        if !matches!(definition.kind, TypeDefKind::Type(_)) {
            lacking.docs(&path, &definition.docs);
        }
        members(&path, &definition.kind, lacking);
    }
    for (function_name, function) in &interface.functions {
        let Function { docs, stability, .. } = function;
        let path = format!("{name}.{function_name}");
        lacking.docs(&path, docs);
        lacking.since(&path, stability);
    }
}

fn members(path: &str, kind: &TypeDefKind, lacking: &mut Lacking) {
    let members: Vec<(&String, &Docs)> = match kind {
        TypeDefKind::Record(it) => it.fields.iter().map(|it| (&it.name, &it.docs)).collect(),
        TypeDefKind::Variant(it) => it.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
        TypeDefKind::Enum(it) => it.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
        TypeDefKind::Flags(it) => it.flags.iter().map(|it| (&it.name, &it.docs)).collect(),
        _ => Vec::new(),
    };
    for (name, docs) in members {
        lacking.docs(&format!("{path}.{name}"), docs);
    }
}

impl Lacking {
    fn docs(&mut self, path: &str, docs: &Docs) {
        if docs.contents.as_ref().is_none_or(|text| text.trim().is_empty()) {
            self.0.push(format!("{path} is not documented"));
        }
    }

    fn since(&mut self, path: &str, stability: &Stability) {
        if !matches!(stability, Stability::Stable { .. }) {
            self.0.push(format!("{path} has no @since"));
        }
    }
}
