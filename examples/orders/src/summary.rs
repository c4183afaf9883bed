//! Orders as a buyer wants to see them: derived from events, in one row each.

use chancery_sdk::{Event, Rejection, Table, View};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ended, Placed, Step};

/// Summaries by the order's number.
pub const SUMMARIES: Table<String, Summary> = Table::new("order-summaries");

/// All there is to know of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Who ordered.
    pub buyer: String,
    /// What people call the product.
    pub product: String,
    /// How many.
    pub quantity: u64,
    /// What they cost together.
    pub total_cents: u64,
    /// The latest step, such as `stock.reserved`.
    pub latest: String,
    /// How it ended, if it has.
    pub ended: Option<String>,
    /// What happened, in order.
    pub steps: Vec<SummaryStep>,
}

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryStep {
    /// What, such as `stock.reserved`.
    pub what: String,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
}

pub(crate) fn begin(view: &mut View, placed: Event<Placed>) -> Result<(), Rejection> {
    let step = SummaryStep { what: placed.event_type, time_ms: placed.time_ms };
    let order = placed.data;
    let summary = Summary {
        buyer: order.buyer,
        product: order.product_name,
        quantity: order.quantity,
        total_cents: order.total_cents,
        latest: step.what.clone(),
        ended: None,
        steps: vec![step],
    };
    SUMMARIES.put(view, &order.order, &summary);
    Ok(())
}

pub(crate) fn go_on(view: &mut View, event: Event<Step>) -> Result<(), Rejection> {
    add(view, &event.data.order, event.event_type, event.time_ms, None);
    Ok(())
}

pub(crate) fn end(view: &mut View, ended: Event<Ended>) -> Result<(), Rejection> {
    let how = format!("{}: {}", ended.data.status, ended.data.reason);
    add(view, &ended.data.order, ended.event_type, ended.time_ms, Some(how));
    Ok(())
}

/// An order whose beginning was erased has no summary.
fn add(view: &mut View, order: &str, what: String, time_ms: u64, ended: Option<String>) {
    let Some(mut summary) = SUMMARIES.get(view, order) else {
        return;
    };
    summary.latest.clone_from(&what);
    summary.ended = summary.ended.or(ended);
    summary.steps.push(SummaryStep { what, time_ms });
    SUMMARIES.put(view, order, &summary);
}
