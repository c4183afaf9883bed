//! From uploaded bytes to a component that may be compiled.
//!
//! Everything here is done before any of the module's code runs, and says of
//! what it refuses why and what to do. Knows no state and no calls.

mod componentize;
mod imports;
mod sniff;
mod survey;

use std::borrow::Cow;

use wasmparser::Validator;
use wasmtime::Engine;
use wasmtime::component::Component;

use self::survey::{Kind, Survey};
use super::engine::FEATURES;
use super::refused::Refused;

/// Checks an upload and returns it as a component, which it may be already.
pub(super) fn check(upload: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, Refused> {
    if upload.len() > bytes_max {
        return Err(Refused::TooLarge { bytes: upload.len(), bytes_max });
    }
    sniff::check(upload)?;
    let survey = survey(upload)?;
    let (component, survey) = match survey.kind {
        Kind::Component => (Cow::Borrowed(upload), survey),
        Kind::Module => {
            let component = componentize::componentize(upload, &survey)?;
            let survey = self::survey(&component)?;
            (Cow::Owned(component), survey)
        }
    };
    imports::check(&survey)?;
    Ok(component)
}

/// What an upload is, as far as that can be seen without running any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// A component; else a core module, of which the server makes one.
    pub is_component: bool,
    /// The interfaces that it imports, as a component.
    pub imports: Vec<String>,
}

/// Checks what [`Host::load`](super::Host::load) checks before it compiles.
///
/// # Errors
/// [`Refused`], with what to do about it.
pub fn inspect(upload: &[u8], bytes_max: usize) -> Result<Inspected, Refused> {
    let component = check(upload, bytes_max)?;
    let is_component = matches!(component, Cow::Borrowed(_));
    Ok(Inspected { is_component, imports: survey(&component)?.imports })
}

/// Compiles a component that has been checked. The one place that runs the
/// compiler, so that it can move into a process of its own; whoever has a host asks
/// that, which may have the code already.
pub(super) fn compile(engine: &Engine, component: &[u8]) -> Result<Component, Refused> {
    Component::from_binary(engine, component)
        .map_err(|error| Refused::CompileFailed(format!("{error:#}")))
}

/// Counts first: validating takes time and memory that grow with what is counted.
fn survey(wasm: &[u8]) -> Result<Survey, Refused> {
    let survey = Survey::of(wasm)?;
    match Validator::new_with_features(FEATURES).validate_all(wasm) {
        Ok(_) => Ok(survey),
        Err(error) => Err(invalid(&error)),
    }
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Refused {
    let mut reason = error.message().to_owned();
    if reason.contains("component model async") {
        reason.push_str(
            "; calls are synchronous here: build JavaScript with `componentize-qjs --sync \
             --stub-wasi`",
        );
    }
    Refused::InvalidWasm { offset: error.offset(), reason }
}
