//! Objects of a manifest, read member by member, so that a refusal names the
//! place and nothing is passed over.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DESCRIPTION_BYTES_MAX, SCHEMA_BYTES_MAX};
use crate::value::Name;
use crate::wasm::Refused;

/// An object being read: members are taken from it, and none may be left over.
pub(super) struct Object<'a> {
    /// Where it is in the manifest, for messages; empty for the whole.
    pub(super) path: String,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Members asked for so far, for the message about one that is not known.
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    pub(super) fn read(path: String, text: &'a str) -> Result<Self, Refused> {
        match serde_json::from_str::<Members<'a>>(text) {
            Ok(Members(members)) => Ok(Self { path, members, known: Vec::new() }),
            // The place it names is one in this object, not in the document.
            Err(error) => {
                let reason = error.to_string();
                Err(invalid(&path, reason.split(" at line ").next().unwrap_or_default()))
            }
        }
    }

    pub(super) fn path_of(&self, member: &str) -> String {
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
    pub(super) fn text(&mut self, name: &'static str, bytes_max: usize) -> Result<String, Refused> {
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

    /// A number from 1 to a limit; it must be there.
    pub(super) fn number(&mut self, name: &'static str, max: u32) -> Result<u32, Refused> {
        let path = self.path_of(name);
        let number = self.take(name).and_then(|raw| raw.get().parse().ok());
        number
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(|| invalid(&path, format!("must be a number from 1 to {max}")))
    }

    /// An array of texts; empty if absent.
    pub(super) fn texts(
        &mut self,
        name: &'static str,
        count_max: usize,
    ) -> Result<Vec<String>, Refused> {
        let Some(raw) = self.take(name) else {
            return Ok(Vec::new());
        };
        let path = self.path_of(name);
        match serde_json::from_str::<Vec<String>>(raw.get()) {
            Ok(texts) if texts.len() <= count_max => Ok(texts),
            Ok(texts) => {
                Err(invalid(&path, format!("{} texts; the limit is {count_max}", texts.len())))
            }
            Err(_) => Err(invalid(&path, "must be an array of strings")),
        }
    }

    /// Whether a member is an array with nothing in it. If so, it is taken.
    pub(super) fn is_empty_array(&mut self, name: &'static str) -> bool {
        let is_empty = |raw: &RawValue| {
            serde_json::from_str::<Vec<&RawValue>>(raw.get()).is_ok_and(|list| list.is_empty())
        };
        let found = self.members.iter().position(|(member, raw)| member == name && is_empty(raw));
        if let Some(place) = found {
            self.members.swap_remove(place);
        }
        found.is_some()
    }

    pub(super) fn description(&mut self) -> Result<String, Refused> {
        self.text("description", DESCRIPTION_BYTES_MAX)
    }

    /// A boolean; false if absent.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Refused> {
        match self.take(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(&self.path_of(name), "must be true or false")),
        }
    }

    /// A JSON Schema, which is an object or a boolean; not compiled here.
    pub(super) fn schema(&mut self, name: &'static str) -> Result<Option<Arc<RawValue>>, Refused> {
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
    pub(super) fn objects(
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
    pub(super) fn named<T>(
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
    pub(super) fn finish(self) -> Result<(), Refused> {
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

pub(super) fn invalid(path: &str, reason: impl Into<String>) -> Refused {
    Refused::InvalidManifest { path: path.to_owned(), reason: reason.into() }
}
