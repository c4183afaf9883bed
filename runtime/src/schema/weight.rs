//! How much work a schema is, with its references written out.
//!
//! A reference may stand in two places of what another reference leads to, and so
//! on: sixty lines can ask for 2^60 checks of one input. Such a schema is refused
//! when it is uploaded, since checking an input cannot be interrupted.

use std::collections::HashMap;

use serde_json::Value as Json;

/// Parts of a schema, each counted as often as references lead to it. Schemas
/// made from types have some hundreds.
const WEIGHT_MAX: u64 = 20_000;

/// Refuses a schema that is too much work.
pub(super) fn check(schema: &Json) -> Result<(), String> {
    let mut scale = Scale { schema, known: HashMap::new() };
    let weight = scale.weigh(schema);
    if weight <= WEIGHT_MAX {
        return Ok(());
    }
    Err(format!(
        "its references, written out, make {weight} parts or more; the limit is {WEIGHT_MAX}"
    ))
}

struct Scale<'a> {
    schema: &'a Json,
    /// By reference; one that is being weighed leads back to itself and counts as
    /// one part, for it goes on one level deeper in the input.
    known: HashMap<&'a str, u64>,
}

impl<'a> Scale<'a> {
    fn weigh(&mut self, part: &'a Json) -> u64 {
        match part {
            Json::Array(items) => self.sum(items.iter()),
            Json::Object(members) => {
                let referred = members.get("$ref").and_then(Json::as_str);
                let referred = referred.map_or(0, |reference| self.follow(reference));
                // Definitions count where they are used.
                let used = members.iter().filter(|(name, _)| !is_definitions(name));
                let own = self.sum(used.map(|(_, member)| member));
                own.saturating_add(referred)
            }
            _ => 1,
        }
    }

    fn sum(&mut self, parts: impl Iterator<Item = &'a Json>) -> u64 {
        let mut sum = 1_u64;
        for part in parts {
            sum = sum.saturating_add(self.weigh(part));
        }
        sum
    }

    fn follow(&mut self, reference: &'a str) -> u64 {
        if let Some(weight) = self.known.get(reference) {
            return *weight;
        }
        let Some(target) = reference.strip_prefix('#').and_then(|path| self.schema.pointer(path))
        else {
            return 1;
        };
        self.known.insert(reference, 1);
        let weight = self.weigh(target);
        self.known.insert(reference, weight);
        weight
    }
}

fn is_definitions(name: &str) -> bool {
    matches!(name, "$defs" | "definitions")
}
