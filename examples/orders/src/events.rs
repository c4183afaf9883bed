//! The data of the events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Status;

/// The data of `order.placed`: what whoever reads only events needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// The order's number.
    pub order: String,
    /// Who ordered.
    pub buyer: String,
    /// The product's code.
    pub product: String,
    /// What people call it.
    pub product_name: String,
    /// How many.
    pub quantity: u64,
    /// What they cost together.
    pub total_cents: u64,
}

/// The data of the events between the first and the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The order's number.
    pub order: String,
}

/// The data of an order's last event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// The order's number.
    pub order: String,
    /// The product's code.
    pub product: String,
    /// How many.
    pub quantity: u64,
    /// What they cost together.
    pub total_cents: u64,
    /// How it ended.
    pub status: Status,
    /// Why, for people.
    pub reason: String,
}
