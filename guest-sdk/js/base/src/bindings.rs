//! What wit-bindgen makes of the contract. Nothing here is written by hand.
#![allow(missing_docs, missing_debug_implementations, unused_qualifications)]

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "chancery:script/script",
    default_bindings_module: "crate::bindings",
    pub_export_macro: false,
    export_macro_name: "export",
    generate_all,
});
