//! JSON texts checked against JSON Schemas: inputs of handlers, data of events.
//!
//! Nothing is fetched: a schema that refers to another document is refused. The
//! only module that names the validator crate.

mod weight;

use jsonschema::PatternOptions;
use serde_json::Value as Json;

use crate::transaction::{self, Refusal};

/// How many violations a refusal lists; the first few are what a person mends.
const VIOLATIONS_MAX: usize = 8;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema(jsonschema::Validator);

/// Why an input was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not JSON.
    #[error("the input is not JSON: {reason} at byte {offset}")]
    NotJson {
        /// What the parser said.
        reason: String,
        /// Where, in bytes from the start of the input.
        offset: usize,
    },
    /// It is JSON that does not fit the schema.
    #[error("the input does not fit the schema: {}", list(.0))]
    Unfit(Vec<Violation>),
}

impl Refused {
    /// What is wrong and where, without the words that it is an input.
    #[must_use]
    pub fn reasons(&self) -> String {
        match self {
            Self::NotJson { reason, offset } => {
                format!("it is not JSON: {reason} at byte {offset}")
            }
            Self::Unfit(violations) => list(violations),
        }
    }

    /// The places that do not fit; none if it is no JSON at all.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::NotJson { .. } => &[],
            Self::Unfit(violations) => violations,
        }
    }
}

/// One place at which an input does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A JSON pointer into the input; empty for the input as a whole.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Schema {
    /// Compiles a schema given as JSON text.
    ///
    /// # Errors
    /// What is wrong with the schema, in words.
    pub fn compile(text: &str) -> Result<Self, String> {
        let schema: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        weight::check(&schema)?;
        // Linear in the text, whatever the pattern: no backtracking.
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        options.build(&schema).map(Self).map_err(|error| error.to_string())
    }

    /// Checks an input.
    ///
    /// # Errors
    /// [`Refused`], with the place.
    pub fn check(&self, input: &str) -> Result<(), Refused> {
        let input = parse(input)?;
        if self.0.is_valid(&input) {
            return Ok(());
        }
        let violations = self.0.iter_errors(&input).take(VIOLATIONS_MAX);
        let violations = violations.map(|error| Violation {
            pointer: error.instance_path().to_string(),
            message: error.to_string(),
        });
        Err(Refused::Unfit(violations.collect()))
    }
}

/// Checks that a text is one JSON document, nested no deeper than handlers can
/// read. What follows may then recurse over it.
///
/// # Errors
/// [`Refused::NotJson`].
pub fn check_json(text: &str) -> Result<(), Refused> {
    transaction::check_json(text).map_err(|refusal| match refusal {
        Refusal::InvalidJson { offset, reason } => Refused::NotJson { reason, offset },
        Refusal::JsonTooDeep { offset } => {
            Refused::NotJson { reason: "nested too deeply".to_owned(), offset }
        }
        other => Refused::NotJson { reason: other.to_string(), offset: 0 },
    })
}

fn parse(text: &str) -> Result<Json, Refused> {
    serde_json::from_str(text).map_err(|error| not_json(text, &error))
}

/// `serde_json` counts lines and columns; a byte offset is what a program needs.
pub(crate) fn not_json(text: &str, error: &serde_json::Error) -> Refused {
    let line = error.line().saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let offset = match error.is_eof() {
        true => text.len(),
        false => (before + error.column().saturating_sub(1)).min(text.len()),
    };
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
    Refused::NotJson { reason, offset }
}

fn list(violations: &[Violation]) -> String {
    let lines = violations.iter().map(|violation| match violation.pointer.as_str() {
        "" => violation.message.clone(),
        pointer => format!("{pointer}: {}", violation.message),
    });
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_offset_of_what_is_not_json() {
        let schema = Schema::compile("{}").unwrap();
        let refused = schema.check("{\n  \"a\": nope}").unwrap_err();
        let Refused::NotJson { offset, .. } = refused else { panic!("{refused}") };
        assert_eq!(offset, 10);
    }

    #[test]
    fn names_the_pointer_of_what_does_not_fit() {
        let text = r#"{"properties":{"a":{"items":{"type":"integer"}}},"required":["b"]}"#;
        let refused = Schema::compile(text).unwrap().check(r#"{"a":[1,"x"]}"#).unwrap_err();
        let Refused::Unfit(violations) = refused else { panic!("{refused}") };
        let pointers: Vec<_> = violations.iter().map(|v| v.pointer.as_str()).collect();
        assert!(pointers.contains(&"/a/1") && pointers.contains(&""), "{violations:?}");
    }

    #[test]
    fn i12_references_that_multiply_are_refused() {
        let mut definitions = String::new();
        for n in 0..60 {
            let next = n + 1;
            definitions += &format!(
                r##""a{n}":{{"allOf":[{{"$ref":"#/$defs/a{next}"}},{{"$ref":"#/$defs/a{next}"}}]}},"##
            );
        }
        let text = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{definitions}"a60":true}}}}"##);
        let refused = Schema::compile(&text).unwrap_err();
        assert!(refused.contains("written out"), "{refused}");
        let tree = r##"{"$defs":{"t":{"properties":{"l":{"$ref":"#/$defs/t"},"r":{"$ref":"#/$defs/t"}}}},"$ref":"#/$defs/t"}"##;
        assert!(Schema::compile(tree).is_ok(), "a tree is a schema");
    }

    #[test]
    fn fetches_nothing() {
        let text = r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#;
        assert!(Schema::compile(text).is_err());
    }
}
