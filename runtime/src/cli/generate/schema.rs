//! JSON Schemas as TypeScript types: what tools write and people are used to. What has no
//! counterpart, such as the length of a text, is left out; what is not understood is
//! `unknown`, which is never wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::types::{Member, Type};

/// Types under their names.
#[derive(Debug, Default)]
pub(super) struct Declared {
    types: BTreeMap<String, Declaration>,
    /// Names that are taken, whether or not there is a type yet.
    taken: BTreeSet<String>,
    /// Definitions that are the same in several schemas are one type. By what they are
    /// called, and all that they are made of.
    shared: BTreeMap<(String, String), String>,
}

/// A type, and what people are told of it.
#[derive(Debug)]
pub(super) struct Declaration {
    /// What people are told.
    pub(super) about: String,
    /// What it is.
    pub(super) of: Type,
}

impl Declared {
    /// A name that nobody has: the one that is wanted, or that with a number.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        let numbered = (2_u32..).map(|number| format!("{wanted}{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        let free = names.find(|name| !self.taken.contains(name)).unwrap_or_default();
        self.taken.insert(free.clone());
        free
    }

    /// Declares what a schema says under a name that was taken for it, and everything that
    /// it refers to.
    pub(super) fn declare(&mut self, name: &str, schema: &Json) {
        let mut document = Document {
            root: schema,
            name,
            declared: self,
            named: BTreeMap::new(),
            left: vec![(name.to_owned(), schema)],
        };
        while let Some((name, schema)) = document.left.pop() {
            let declaration = Declaration { about: about(schema), of: document.of(schema) };
            document.declared.types.insert(name, declaration);
        }
    }

    /// All types, in the order of their names. Those that are nothing but themselves are
    /// `unknown`.
    pub(super) fn finish(mut self) -> BTreeMap<String, Declaration> {
        let names: Vec<String> = self.types.keys().cloned().collect();
        for name in names {
            if self.leads_to_itself(&name)
                && let Some(declaration) = self.types.get_mut(&name)
            {
                declaration.of = Type::Unknown;
            }
        }
        self.types
    }

    fn leads_to_itself(&self, name: &str) -> bool {
        let (mut seen, mut left) = (BTreeSet::new(), vec![name]);
        while let Some(next) = left.pop() {
            let of = self.types.get(next).map(|declaration| &declaration.of);
            for direct in of.map(Type::direct).unwrap_or_default() {
                if direct == name {
                    return true;
                }
                if seen.insert(direct) {
                    left.push(direct);
                }
            }
        }
        false
    }
}

/// A name as types have them: words put together, each with a capital letter.
pub(super) fn pascal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut name = String::new();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    match name.chars().next() {
        None => "Type".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("Type{name}"),
        Some(_) => name,
    }
}

/// What people are told of a schema.
fn about(schema: &Json) -> String {
    let description = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    match schema.get("deprecated") {
        Some(Json::Bool(true)) => format!("{description}\n@deprecated").trim().to_owned(),
        _ => description.to_owned(),
    }
}

/// One schema, with what it defines.
struct Document<'a> {
    root: &'a Json,
    name: &'a str,
    declared: &'a mut Declared,
    /// Definitions that have a name, by where they are.
    named: BTreeMap<&'a str, String>,
    /// Those of them that are still to be declared.
    left: Vec<(String, &'a Json)>,
}

impl<'a> Document<'a> {
    fn of(&mut self, schema: &'a Json) -> Type {
        match schema {
            Json::Bool(false) => Type::Never,
            Json::Object(schema) => self.of_object(schema),
            _ => Type::Unknown,
        }
    }

    fn of_object(&mut self, schema: &'a Map<String, Json>) -> Type {
        let mut parts = Vec::new();
        if let Some(Json::String(reference)) = schema.get("$ref") {
            parts.push(self.reference(reference));
        }
        for member in ["anyOf", "oneOf"] {
            if let Some(Json::Array(some)) = schema.get(member) {
                parts.push(Type::union(self.each(some)));
            }
        }
        if let Some(Json::Array(all)) = schema.get("allOf") {
            parts.extend(self.each(all));
        }
        parts.extend(match (schema.get("const"), schema.get("enum")) {
            (Some(value), _) => Some(Type::literal(value)),
            (None, Some(Json::Array(values))) => {
                Some(Type::union(values.iter().map(Type::literal)))
            }
            (None, _) => None,
        });
        let kind = self.of_kind(schema);
        // What says only that it is a text, or an object, says nothing beside the others.
        let says_more = matches!(&kind, Type::Object(members, _) if !members.is_empty());
        let others = Type::both(parts);
        let of = match (others, says_more) {
            (Type::Unknown, _) => kind,
            (others, false) => others,
            (others, true) => Type::both([kind, others]),
        };
        match schema.get("nullable") {
            Some(Json::Bool(true)) => Type::union([of, Type::word("null")]),
            _ => of,
        }
    }

    fn each(&mut self, schemas: &'a [Json]) -> Vec<Type> {
        schemas.iter().map(|schema| self.of(schema)).collect()
    }

    /// What `type` says, or what is said of a type that is not named.
    fn of_kind(&mut self, schema: &'a Map<String, Json>) -> Type {
        let has = |members: &[&str]| members.iter().any(|member| schema.contains_key(*member));
        match schema.get("type") {
            Some(Json::String(kind)) => self.kind(kind, schema),
            Some(Json::Array(kinds)) => {
                let kinds = kinds.iter().filter_map(Json::as_str);
                Type::union(kinds.map(|kind| self.kind(kind, schema)).collect::<Vec<_>>())
            }
            _ if has(&["properties", "additionalProperties", "patternProperties"]) => {
                self.object(schema)
            }
            _ if has(&["items", "prefixItems"]) => self.array(schema),
            _ => Type::Unknown,
        }
    }

    fn kind(&mut self, kind: &str, schema: &'a Map<String, Json>) -> Type {
        match kind {
            "string" | "boolean" | "null" => Type::word(kind),
            "number" | "integer" => Type::word("number"),
            "array" => self.array(schema),
            "object" => self.object(schema),
            _ => Type::Unknown,
        }
    }

    fn object(&mut self, schema: &'a Map<String, Json>) -> Type {
        let properties = schema.get("properties").and_then(Json::as_object);
        let required = schema.get("required").and_then(Json::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|names| names.iter().any(|other| other.as_str() == Some(name)))
        };
        let mut members = Vec::new();
        for (name, schema) in properties.into_iter().flatten() {
            let optional = !is_required(name);
            let (about, of) = (about(schema), self.of(schema));
            members.push(Member { name: name.clone(), optional, about, of });
        }
        let others = self.others(schema, members.is_empty());
        // Of other members TypeScript wants the same as of those that are named.
        let others = others.map(|others| if members.is_empty() { others } else { Type::Unknown });
        Type::Object(members, others.map(Box::new))
    }

    /// What members may be that have no name of their own.
    fn others(&mut self, schema: &'a Map<String, Json>, is_bare: bool) -> Option<Type> {
        let patterns = schema.get("patternProperties").and_then(Json::as_object);
        let mut others: Vec<Type> = Vec::new();
        for schema in patterns.into_iter().flat_map(Map::values) {
            others.push(self.of(schema));
        }
        match schema.get("additionalProperties") {
            // Others are allowed, and nobody means them, unless there is nothing else.
            None if others.is_empty() => return is_bare.then_some(Type::Unknown),
            None | Some(Json::Bool(false)) => {}
            Some(schema) => others.push(self.of(schema)),
        }
        match others.is_empty() {
            true => is_bare.then_some(Type::Never),
            false => Some(Type::union(others)),
        }
    }

    fn array(&mut self, schema: &'a Map<String, Json>) -> Type {
        // Older schemas have both in one member.
        let (first, rest) = match (schema.get("prefixItems"), schema.get("items")) {
            (Some(Json::Array(first)), rest) => (first, rest),
            (_, Some(Json::Array(first))) => (first, schema.get("additionalItems")),
            (_, items) => {
                let of = items.map_or(Type::Unknown, |items| self.of(items));
                return Type::Array(Box::new(of));
            }
        };
        let number = |member: &str| {
            let number = schema.get(member).and_then(Json::as_u64);
            number.and_then(|number| usize::try_from(number).ok())
        };
        let items = self.each(first);
        let required = number("minItems").unwrap_or(0).min(items.len());
        let is_closed = number("maxItems").is_some_and(|most| most <= items.len());
        let rest = match rest.map_or(Type::Unknown, |rest| self.of(rest)) {
            Type::Never => None,
            _ if is_closed => None,
            rest => Some(Box::new(rest)),
        };
        Type::Tuple { items, required, rest }
    }

    /// What a reference leads to, within this document.
    fn reference(&mut self, reference: &'a str) -> Type {
        let Some(pointer) = reference.strip_prefix('#') else {
            return Type::Unknown;
        };
        if pointer.is_empty() {
            return Type::Named(self.name.to_owned());
        }
        if let Some(name) = self.named.get(pointer) {
            return Type::Named(name.clone());
        }
        let Some(schema) = self.root.pointer(pointer) else {
            return Type::Unknown;
        };
        let wanted = pascal(pointer.rsplit('/').next().unwrap_or_default());
        let known = (wanted.clone(), self.whole(pointer));
        let name = match self.declared.shared.get(&known) {
            Some(name) => name.clone(),
            None => {
                let name = self.declared.name(&wanted);
                self.declared.shared.insert(known, name.clone());
                // Later, since it may lead here again.
                self.left.push((name.clone(), schema));
                name
            }
        };
        self.named.insert(pointer, name.clone());
        Type::Named(name)
    }

    /// All that a definition is made of, as text: the same text is the same type.
    fn whole(&self, pointer: &'a str) -> String {
        let (mut parts, mut left) = (BTreeMap::new(), vec![pointer]);
        while let Some(next) = left.pop() {
            let schema = self.root.pointer(next).filter(|_| !parts.contains_key(next));
            let text = match schema {
                None => continue,
                // Whatever refers to the whole document is of this one only.
                Some(_) if next.is_empty() => self.name.to_owned(),
                Some(schema) => {
                    references(schema, &mut left);
                    schema.to_string()
                }
            };
            parts.insert(next, text);
        }
        // The definition itself first: others may be called in another way.
        format!("{pointer} {parts:?}")
    }
}

/// Where the references of a schema lead.
fn references<'a>(schema: &'a Json, found: &mut Vec<&'a str>) {
    match schema {
        Json::Array(all) => all.iter().for_each(|one| references(one, found)),
        Json::Object(members) => {
            let reference = members.get("$ref").and_then(Json::as_str);
            found.extend(reference.and_then(|text| text.strip_prefix('#')));
            members.values().for_each(|one| references(one, found));
        }
        _ => {}
    }
}
