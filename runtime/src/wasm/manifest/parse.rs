//! From the text that `describe` returned to a [`Manifest`].
//!
//! By hand rather than derived, so that a refusal names the member it is about,
//! and a member given twice or misspelt is refused rather than dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::object::{Object, invalid};
use super::{
    Begin, CONTRACT, DESCRIPTION_BYTES_MAX, EVENTS_MAX, EventType, FOLLOWERS_MAX, HANDLERS_MAX,
    Handler, MANIFEST_BYTES_MAX, Manifest, PATTERNS_MAX, Projection, Reaction, TABLES_MAX, Table,
    VERSION_MAX, is_compatible,
};
use crate::transaction::check_json;
use crate::value::{EVENT_TYPE_BYTES_MAX, Name, Pattern, is_event_type};
use crate::wasm::Refused;

impl Manifest {
    /// Parses what `describe` returned.
    ///
    /// # Errors
    /// [`Refused::InvalidManifest`] with the member at fault;
    /// [`Refused::WrongContract`].
    pub fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > MANIFEST_BYTES_MAX {
            let reason = format!("{} bytes; the limit is {MANIFEST_BYTES_MAX}", text.len());
            return Err(invalid("", reason));
        }
        check_json(text).map_err(|refusal| invalid("", refusal.to_string()))?;
        let mut members = Object::read(String::new(), text)?;
        let contract = members.text("contract", CONTRACT.len() * 2)?;
        check_contract(&contract)?;
        let manifest = Self {
            contract,
            description: members.description()?,
            tables: members.named("tables", TABLES_MAX, table)?,
            queries: members.named("queries", HANDLERS_MAX, handler)?,
            commands: members.named("commands", HANDLERS_MAX, handler)?,
            events: events(&mut members)?,
            projections: followers(&mut members, "projections", projection)?,
            reactions: followers(&mut members, "reactions", reaction)?,
            on_deploy: on_deploy(&mut members)?,
        };
        members.finish()?;
        manifest.check_on_deploy()?;
        manifest.check_projections()?;
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

impl Manifest {
    /// Whether each projection has tables of the module, and each to itself: two
    /// that wrote one table could not be built one without the other.
    fn check_projections(&self) -> Result<(), Refused> {
        let mut owners: BTreeMap<&Name, &Name> = BTreeMap::new();
        for (name, projection) in &self.projections {
            let path = format!("projections.{name}.tables");
            if projection.tables.is_empty() {
                return Err(invalid(&path, "must name at least one of the module's `tables`"));
            }
            for table in &projection.tables {
                if !self.tables.contains_key(table) {
                    return Err(invalid(&path, format!("`{table}` is not among `tables`")));
                }
                if let Some(other) = owners.insert(table, name) {
                    let reason = format!("`{table}` is a table of projection `{other}` already");
                    return Err(invalid(&path, reason));
                }
            }
        }
        Ok(())
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

fn projection(mut members: Object<'_>) -> Result<Projection, Refused> {
    let projection = Projection {
        description: members.description()?,
        version: members.number("version", VERSION_MAX)?,
        on: on(&mut members)?,
        tables: tables(&mut members)?,
    };
    members.finish()?;
    Ok(projection)
}

fn reaction(mut members: Object<'_>) -> Result<Reaction, Refused> {
    let reaction = Reaction {
        description: members.description()?,
        on: on(&mut members)?,
        from: from(&mut members)?,
    };
    members.finish()?;
    Ok(reaction)
}

/// As `Object::named`. Modules built before there were any have an empty array.
fn followers<T>(
    members: &mut Object<'_>,
    name: &'static str,
    read: fn(Object<'_>) -> Result<T, Refused>,
) -> Result<BTreeMap<Name, T>, Refused> {
    if members.is_empty_array(name) {
        return Ok(BTreeMap::new());
    }
    members.named(name, FOLLOWERS_MAX, read)
}

fn on(members: &mut Object<'_>) -> Result<Vec<Pattern>, Refused> {
    let path = members.path_of("on");
    let texts = members.texts("on", PATTERNS_MAX)?;
    if texts.is_empty() {
        return Err(invalid(&path, "must list patterns of event types, such as \"order.*\""));
    }
    let patterns = texts.iter().map(|text| text.parse());
    patterns
        .collect::<Result<_, crate::value::Invalid>>()
        .map_err(|error| invalid(&path, error.to_string()))
}

fn tables(members: &mut Object<'_>) -> Result<BTreeSet<Name>, Refused> {
    let path = members.path_of("tables");
    let names = members.texts("tables", TABLES_MAX)?;
    names
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, crate::value::Invalid>>()
        .map_err(|error| invalid(&path, error.to_string()))
}

fn from(members: &mut Object<'_>) -> Result<Begin, Refused> {
    let path = members.path_of("from");
    match members.text("from", DESCRIPTION_BYTES_MAX)?.as_str() {
        "" | "now" => Ok(Begin::Now),
        "start" => Ok(Begin::Start),
        _ => Err(invalid(&path, "must be \"now\" or \"start\"")),
    }
}
