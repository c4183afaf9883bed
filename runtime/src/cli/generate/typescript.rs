//! The text of a module that says what an app takes and gives.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::schema::{Declaration, Declared, pascal};
use super::types::{Member, Type, comment};
use super::{Handler, Module};

/// What the module itself declares.
const OWN: [&str; 4] = ["App", "Commands", "Queries", "Events"];

/// The module for an app, made of its modules.
pub(super) fn module(app: &str, modules: &[Module]) -> String {
    let mut declared = Declared::default();
    for own in OWN {
        declared.name(own);
    }
    let mut roots = Vec::new();
    let commands = handlers(modules, |module| &module.manifest.commands, &mut declared, &mut roots);
    let queries = handlers(modules, |module| &module.manifest.queries, &mut declared, &mut roots);
    let events = events(modules, &mut declared, &mut roots);
    // Names of definitions come after those of commands, queries and events.
    for (name, schema) in roots {
        declared.declare(&name, schema);
    }
    let app_members = ["commands", "queries", "events"].map(|name| {
        let of = Type::Named(pascal(name));
        Member { name: name.to_owned(), optional: false, about: String::new(), of }
    });
    let own = [
        ("App", format!("The app `{app}`."), Vec::from(app_members)),
        ("Commands", "What changes its state.".to_owned(), commands),
        ("Queries", "What can be asked.".to_owned(), queries),
        ("Events", "The data of what is stated, by type.".to_owned(), events),
    ];
    let mut text = header(app, modules);
    for (name, about, members) in own {
        let declaration = Declaration { about, of: Type::Object(members, None) };
        text.push_str(&declaration_text(name, &declaration));
    }
    for (name, declaration) in declared.finish() {
        text.push_str(&declaration_text(&name, &declaration));
    }
    text
}

/// From what it was made, and how it is used. Nothing in it depends on when or where.
fn header(app: &str, modules: &[Module]) -> String {
    let mut text = format!(
        "// What the app `{app}` takes and gives. Made by `chancery generate ts`; do not edit.\n//\n\
         //   import {{ connect }} from \"chancery-client\";\n\
         //   const app = connect<App>(\"http://127.0.0.1:7070\", {{ app: \"{app}\" }});\n//\n\
         // Of these modules:\n"
    );
    for Module { name, hash, .. } in modules {
        text.push_str(&format!("//   {name} {hash}\n"));
    }
    text
}

type Roots<'a> = Vec<(String, &'a Json)>;

/// Commands or queries: what they take and give, under names that are theirs.
fn handlers<'a>(
    modules: &'a [Module],
    of: fn(&Module) -> &BTreeMap<String, Handler>,
    declared: &mut Declared,
    roots: &mut Roots<'a>,
) -> Vec<Member> {
    // An app has each of them once.
    let all: BTreeMap<_, _> = modules.iter().flat_map(of).collect();
    let mut members = Vec::new();
    for (name, handler) in all {
        let mut side = |side: &str, schema: &'a Option<Json>| {
            let wanted = format!("{}{}", pascal(name), pascal(side));
            let of = root(&wanted, schema.as_ref(), declared, roots);
            Member { name: side.to_owned(), optional: false, about: String::new(), of }
        };
        let sides = vec![side("input", &handler.input), side("output", &handler.output)];
        members.push(Member {
            name: name.clone(),
            optional: false,
            about: handler.description.clone(),
            of: Type::Object(sides, None),
        });
    }
    members
}

/// Events by type: what one or more modules say of their data.
fn events<'a>(
    modules: &'a [Module],
    declared: &mut Declared,
    roots: &mut Roots<'a>,
) -> Vec<Member> {
    let mut all: BTreeMap<&String, Vec<_>> = BTreeMap::new();
    for (name, event) in modules.iter().flat_map(|module| &module.manifest.events) {
        all.entry(name).or_default().push(event);
    }
    let mut members = Vec::new();
    for (name, stated) in all {
        let mut schemas: Vec<Option<&Json>> = Vec::new();
        for event in &stated {
            if !schemas.contains(&event.schema.as_ref()) {
                schemas.push(event.schema.as_ref());
            }
        }
        let wanted = format!("{}Data", pascal(name));
        let data = schemas.into_iter().map(|schema| root(&wanted, schema, declared, roots));
        let of = Type::union(data.collect::<Vec<_>>());
        let about = stated.iter().map(|event| &event.description).find(|text| !text.is_empty());
        let about = about.cloned().unwrap_or_default();
        members.push(Member { name: name.clone(), optional: false, about, of });
    }
    members
}

/// A schema that is to be declared under a name of its own; anything if there is none.
fn root<'a>(
    wanted: &str,
    schema: Option<&'a Json>,
    declared: &mut Declared,
    roots: &mut Roots<'a>,
) -> Type {
    let Some(schema) = schema else {
        return Type::Unknown;
    };
    let name = declared.name(wanted);
    roots.push((name.clone(), schema));
    Type::Named(name)
}

fn declaration_text(name: &str, Declaration { about, of }: &Declaration) -> String {
    let about = comment(about, 0);
    match of {
        Type::Object(members, _) if !members.is_empty() => {
            format!("\n{about}export interface {name} {}\n", of.text(0))
        }
        of => format!("\n{about}export type {name} = {};\n", of.text(0)),
    }
}
