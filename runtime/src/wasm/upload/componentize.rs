//! Core modules, as `cargo build --target wasm32-unknown-unknown` leaves them,
//! made into components by the contract that wit-bindgen put into them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wit_component::ComponentEncoder;

use super::imports::refuse_foreign;
use super::survey::Survey;
use crate::wasm::Refused;

/// The component of a core module.
pub(super) fn componentize(module: &[u8], survey: &Survey) -> Result<Vec<u8>, Refused> {
    refuse_foreign(survey, is_offered)?;
    if !survey.has_contract {
        return Err(Refused::NoContract(
            "this is a core module without a contract: it was not built with the SDK or \
             wit-bindgen, or its custom sections were stripped; keep the sections named \
             `component-type…`, or upload a component"
                .into(),
        ));
    }
    // The encoder is not made for hostile input, and asserts.
    let encoded = catch_unwind(AssertUnwindSafe(|| encode(module)));
    match encoded {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(error)) => Err(Refused::ComponentizeFailed(format!("{error:#}"))),
        Err(_) => Err(Refused::ComponentizeFailed("its contract contradicts itself".into())),
    }
}

fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
}

/// Modules import functions of the contract and, under `[export]`, what belongs
/// to their own exports.
fn is_offered(import: &str) -> bool {
    import.strip_prefix("[export]").unwrap_or(import).starts_with("chancery:app/")
}
