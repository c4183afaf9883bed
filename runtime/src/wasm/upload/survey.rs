//! One pass over a binary: what it is, what it wants, and how much of everything
//! it has.
//!
//! The counts are far above what compilers emit and far below what validators
//! allow; they bound the time and memory that checking and compiling take.

use wasmparser::{BinaryReaderError, Encoding, Parser, Payload};

use super::invalid;
use crate::wasm::Refused;

/// Core modules in a component. wit-component makes 3, QuickJS some 10.
const MODULES_MAX: usize = 32;
/// Components within a component: one for each exported interface.
const COMPONENTS_MAX: usize = 64;
/// Functions in all core modules together. QuickJS has some 3,000.
const FUNCTIONS_MAX: usize = 50_000;
/// One function, in bytes. The interpreter's loop of QuickJS has some 100,000.
const FUNCTION_BYTES_MAX: usize = 1 << 20;
/// Data and element segments in all core modules together: as many as wasmtime takes in
/// one. A snapshot of QuickJS has some 20,000, one for each stretch of memory between zeros.
const SEGMENTS_MAX: usize = 100_000;
/// Types in all core modules and components together.
const TYPES_MAX: usize = 20_000;
/// Imports and exports, at all levels together.
const NAMES_MAX: usize = 20_000;

/// What the outermost binary is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Module,
    Component,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) kind: Kind,
    /// Of the outermost binary; for a core module `module.name`.
    pub(super) imports: Vec<String>,
    /// Of the outermost binary.
    pub(super) exports: Vec<String>,
    /// Whether a core module carries the description of its contract.
    pub(super) has_contract: bool,
    counts: Counts,
    /// How deep the pass is: 1 in the outermost binary.
    depth: usize,
}

#[derive(Debug, Default)]
struct Counts {
    modules: usize,
    components: usize,
    functions: usize,
    segments: usize,
    types: usize,
    names: usize,
}

impl Survey {
    pub(super) fn of(wasm: &[u8]) -> Result<Self, Refused> {
        let mut survey = Self {
            kind: Kind::Module,
            imports: Vec::new(),
            exports: Vec::new(),
            has_contract: false,
            counts: Counts::default(),
            depth: 0,
        };
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.map_err(|error| invalid(&error))?;
            survey.note(payload)?;
        }
        Ok(survey)
    }

    fn note(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding),
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ModuleSection { .. } => self.counts.modules += 1,
            Payload::ComponentSection { .. } => self.counts.components += 1,
            Payload::TypeSection(section) => self.counts.types += size(section.count()),
            Payload::CoreTypeSection(section) => self.counts.types += size(section.count()),
            Payload::ComponentTypeSection(section) => self.counts.types += size(section.count()),
            Payload::DataSection(section) => self.counts.segments += size(section.count()),
            Payload::ElementSection(section) => self.counts.segments += size(section.count()),
            Payload::CodeSectionStart { count, .. } => self.counts.functions += size(count),
            Payload::CodeSectionEntry(body) => {
                limit("bytes in one function", body.range().len(), FUNCTION_BYTES_MAX)?;
            }
            Payload::CustomSection(section) => {
                self.has_contract |= section.name().starts_with("component-type");
            }
            payload => self.note_names(payload).map_err(|error| invalid(&error))?,
        }
        self.counts.check()
    }

    fn enter(&mut self, encoding: Encoding) {
        self.depth += 1;
        if self.depth == 1 {
            self.kind = match encoding {
                Encoding::Module => Kind::Module,
                Encoding::Component => Kind::Component,
            };
        }
    }

    fn note_names(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        let is_outermost = self.depth == 1;
        match payload {
            Payload::ImportSection(section) => {
                self.counts.names += size(section.count());
                for import in section.into_imports().take(NAMES_MAX) {
                    let import = import?;
                    if is_outermost {
                        self.imports.push(format!("{}.{}", import.module, import.name));
                    }
                }
            }
            Payload::ExportSection(section) => self.counts.names += size(section.count()),
            Payload::ComponentImportSection(section) => {
                self.counts.names += size(section.count());
                for import in section.into_iter().take(NAMES_MAX) {
                    let name = import?.name.name.to_owned();
                    if is_outermost {
                        self.imports.push(name);
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                self.counts.names += size(section.count());
                for export in section.into_iter().take(NAMES_MAX) {
                    let name = export?.name.name.to_owned();
                    if is_outermost {
                        self.exports.push(name);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Counts {
    fn check(&self) -> Result<(), Refused> {
        limit("core modules", self.modules, MODULES_MAX)?;
        limit("components within it", self.components, COMPONENTS_MAX)?;
        limit("functions", self.functions, FUNCTIONS_MAX)?;
        limit("data and element segments", self.segments, SEGMENTS_MAX)?;
        limit("types", self.types, TYPES_MAX)?;
        limit("imports and exports", self.names, NAMES_MAX)
    }
}

fn limit(what: &'static str, found: usize, max: usize) -> Result<(), Refused> {
    match found > max {
        true => Err(Refused::TooComplex { what, found, max }),
        false => Ok(()),
    }
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX / 8)
}
