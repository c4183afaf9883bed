//! What wit-bindgen makes of the contract. Nothing here is written by hand.
#![expect(clippy::mem_forget, reason = "generated: ownership passes through the canonical ABI")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "handlers",
    default_bindings_module: "chancery_sdk::bindings",
    pub_export_macro: true,
    export_macro_name: "export",
});
