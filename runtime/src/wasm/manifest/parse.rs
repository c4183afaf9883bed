//! From the text that `describe` returned to a [`Manifest`].
//!
//! By hand rather than derived, so that a refusal names the member it is about,
//! and a member given twice or misspelt is refused rather than dropped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    CONTRACT, DESCRIPTION_BYTES_MAX, EVENTS_MAX, EventType, HANDLERS_MAX, Handler,
    MANIFEST_BYTES_MAX, Manifest, SCHEMA_BYTES_MAX, TABLES_MAX, Table, is_compatible,
};
use crate::transaction::check_json;
use crate::value::{EVENT_TYPE_BYTES_MAX, Name, is_event_type};
use crate::wasm::Refused;

impl Manifest {
    /// Parses what `describe` returned.
    ///
    /// # Errors
    /// [`Refused::InvalidManifest`] with the member at fault;
    /// [`Refused::WrongContract`] and [`Refused::NotSupported`].
    pub fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > MANIFEST_BYTES_MAX {
            let reason = format!("{} bytes; the limit is {MANIFEST_BYTES_MAX}", text.len());
            return Err(invalid("", reason));
        }
        check_json(text).map_err(|refusal| invalid("", refusal.to_string()))?;
        let mut members = Object::read(String::new(), text)?;
        let contract = members.text("contract", CONTRACT.len() * 2)?;
        check_contract(&contract)?;
        refuse_unsupported(&mut members, "projections")?;
        refuse_unsupported(&mut members, "reactions")?;
        let manifest = Self {
            contract,
            description: members.description()?,
            tables: members.named("tables", TABLES_MAX, table)?,
            queries: members.named("queries", HANDLERS_MAX, handler)?,
            commands: members.named("commands", HANDLERS_MAX, handler)?,
            events: events(&mut members)?,
            on_deploy: on_deploy(&mut members)?,
        };
        members.finish()?;
        manifest.check_on_deploy()?;
        Ok(manifest)
    }

    fn check_on_deploy(&self) -> Result<(), Refused> {
        match &self.on_deploy {
            Some(name) if !self.commands.contains_key(name) => {
                Err(invalid("on_deploy", format!("`{name}` is not among `commands`")))
            }
            _ => Ok(()),
        }
    }
}

fn check_contract(contract: &str) -> Result<(), Refused> {
    if contract.is_empty() {
        return Err(invalid("contract", format!("is missing; write \"{CONTRACT}\"")));
    }
    if !is_compatible(contract) {
        return Err(Refused::WrongContract(format!(
            "the manifest is for version {contract:?} of the contract and this server has \
             {CONTRACT}; build the module with the SDK of this server's version"
        )));
    }
    Ok(())
}

fn refuse_unsupported(members: &mut Object<'_>, name: &'static str) -> Result<(), Refused> {
    let Some(raw) = members.take(name) else {
        return Ok(());
    };
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(list) if list.is_empty() => Ok(()),
        Ok(_) => Err(Refused::NotSupported(format!(
            "the manifest declares {name}, which this version of the server cannot run; \
             remove them"
        ))),
        Err(_) => Err(invalid(name, "must be an array")),
    }
}

fn table(mut members: Object<'_>) -> Result<Table, Refused> {
    let table = Table { description: members.description()?, adopt: members.flag("adopt")? };
    members.finish()?;
    Ok(table)
}

fn handler(mut members: Object<'_>) -> Result<Handler, Refused> {
    let handler = Handler {
        description: members.description()?,
        input: members.schema("input")?,
        output: members.schema("output")?,
    };
    members.finish()?;
    Ok(handler)
}

fn event(mut members: Object<'_>) -> Result<EventType, Refused> {
    let event =
        EventType { description: members.description()?, schema: members.schema("schema")? };
    members.finish()?;
    Ok(event)
}

fn events(members: &mut Object<'_>) -> Result<BTreeMap<Arc<str>, EventType>, Refused> {
    let mut events = BTreeMap::new();
    for (name, member) in members.objects("events", EVENTS_MAX)? {
        if !is_event_type(&name) {
            let reason = format!(
                "must be 1 to {EVENT_TYPE_BYTES_MAX} bytes: words of letters, digits, `-` and \
                 `_`, separated by dots"
            );
            return Err(invalid(&member.path, reason));
        }
        events.insert(name.into(), event(member)?);
    }
    Ok(events)
}

fn on_deploy(members: &mut Object<'_>) -> Result<Option<Name>, Refused> {
    let text = members.text("on_deploy", DESCRIPTION_BYTES_MAX)?;
    if text.is_empty() {
        return Ok(None);
    }
    let name = text.parse();
    name.map(Some).map_err(|error: crate::value::Invalid| invalid("on_deploy", error.to_string()))
}

fn invalid(path: &str, reason: impl Into<String>) -> Refused {
    Refused::InvalidManifest { path: path.to_owned(), reason: reason.into() }
}

/// An object being read: members are taken from it, and none may be left over.
struct Object<'a> {
    /// Where it is in the manifest, for messages; empty for the whole.
    path: String,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Members asked for so far, for the message about one that is not known.
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    fn read(path: String, text: &'a str) -> Result<Self, Refused> {
        match serde_json::from_str::<Members<'a>>(text) {
            Ok(Members(members)) => Ok(Self { path, members, known: Vec::new() }),
            // The place it names is one in this object, not in the document.
            Err(error) => {
                let reason = error.to_string();
                Err(invalid(&path, reason.split(" at line ").next().unwrap_or_default()))
            }
        }
    }

    fn path_of(&self, member: &str) -> String {
        match self.path.as_str() {
            "" => member.to_owned(),
            path => format!("{path}.{member}"),
        }
    }

    /// A member, unless it is absent or null.
    fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let place = self.members.iter().position(|(member, _)| member == name)?;
        let (_, raw) = self.members.swap_remove(place);
        (raw.get() != "null").then_some(raw)
    }

    /// A text; empty if absent.
    fn text(&mut self, name: &'static str, bytes_max: usize) -> Result<String, Refused> {
        let Some(raw) = self.take(name) else {
            return Ok(String::new());
        };
        let path = self.path_of(name);
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) if text.len() <= bytes_max => Ok(text),
            Ok(text) => {
                Err(invalid(&path, format!("{} bytes; the limit is {bytes_max}", text.len())))
            }
            Err(_) => Err(invalid(&path, "must be a string")),
        }
    }

    fn description(&mut self) -> Result<String, Refused> {
        self.text("description", DESCRIPTION_BYTES_MAX)
    }

    /// A boolean; false if absent.
    fn flag(&mut self, name: &'static str) -> Result<bool, Refused> {
        match self.take(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(&self.path_of(name), "must be true or false")),
        }
    }

    /// A JSON Schema, which is an object or a boolean; not compiled here.
    fn schema(&mut self, name: &'static str) -> Result<Option<Arc<RawValue>>, Refused> {
        let Some(raw) = self.take(name) else {
            return Ok(None);
        };
        let text = raw.get();
        if !(text.starts_with('{') || text == "true" || text == "false") {
            return Err(invalid(&self.path_of(name), "must be a JSON Schema: an object"));
        }
        if text.len() > SCHEMA_BYTES_MAX {
            let reason = format!("{} bytes; the limit is {SCHEMA_BYTES_MAX}", text.len());
            return Err(invalid(&self.path_of(name), reason));
        }
        Ok(Some(raw.to_owned().into()))
    }

    /// An object whose members are objects; empty if absent.
    fn objects(
        &mut self,
        name: &'static str,
        count_max: usize,
    ) -> Result<Vec<(String, Self)>, Refused> {
        let Some(raw) = self.take(name) else {
            return Ok(Vec::new());
        };
        let outer = Object::read(self.path_of(name), raw.get())?;
        if outer.members.len() > count_max {
            let reason = format!("{} members; the limit is {count_max}", outer.members.len());
            return Err(invalid(&outer.path, reason));
        }
        let read = |(key, raw): &(Cow<'a, str>, &'a RawValue)| {
            let inner = Object::read(outer.path_of(key), raw.get())?;
            Ok((key.clone().into_owned(), inner))
        };
        outer.members.iter().map(read).collect()
    }

    /// As `objects`, with members that are called by a [`Name`].
    fn named<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: fn(Object<'_>) -> Result<T, Refused>,
    ) -> Result<BTreeMap<Name, T>, Refused> {
        let mut named = BTreeMap::new();
        for (key, member) in self.objects(name, count_max)? {
            let key: Name =
                key.parse().map_err(|error| invalid(&member.path, format!("{error}")))?;
            named.insert(key, read(member)?);
        }
        Ok(named)
    }

    /// Refuses what nobody asked for: most likely a misspelling.
    fn finish(self) -> Result<(), Refused> {
        let Some((unknown, _)) = self.members.first() else {
            return Ok(());
        };
        let known = self.known.join("`, `");
        Err(invalid(&self.path_of(unknown), format!("is not known here; known are `{known}`")))
    }
}

/// The members of an object in their order; one given twice is an error.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while let Some((name, raw)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("`{name}` is given twice")));
            }
            members.push((name, raw));
        }
        Ok(Members(members))
    }
}
