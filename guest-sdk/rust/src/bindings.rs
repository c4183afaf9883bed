//! What wit-bindgen makes of the contract. Nothing here is written by hand.
//!
//! Handlers of events are worlds of their own beside that of queries and commands,
//! so that a module exports only what it declares: see [`app!`](crate::app!).
#![expect(clippy::mem_forget, reason = "generated: ownership passes through the canonical ABI")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "handlers",
    default_bindings_module: "chancery_sdk::bindings",
    pub_export_macro: true,
    export_macro_name: "export",
});

/// The export of projections.
pub mod projecting {
    wit_bindgen::generate!({
        inline: "
            package chancery:sdk;
            world projecting { export chancery:app/projections@0.1.0; }
        ",
        path: "../../wit",
        world: "chancery:sdk/projecting",
        with: {
            "chancery:app/types@0.1.0": crate::bindings::chancery::app::types,
            "chancery:app/store@0.1.0": crate::bindings::chancery::app::store,
        },
        default_bindings_module: "chancery_sdk::bindings::projecting",
        pub_export_macro: true,
        export_macro_name: "export_projections",
    });
}

/// The export of reactions.
pub mod reacting {
    wit_bindgen::generate!({
        inline: "
            package chancery:sdk;
            world reacting { export chancery:app/reactions@0.1.0; }
        ",
        path: "../../wit",
        world: "chancery:sdk/reacting",
        with: {
            "chancery:app/types@0.1.0": crate::bindings::chancery::app::types,
            "chancery:app/store@0.1.0": crate::bindings::chancery::app::store,
        },
        default_bindings_module: "chancery_sdk::bindings::reacting",
        pub_export_macro: true,
        export_macro_name: "export_reactions",
    });
}
