//! The steps of an order: commands that reactions and the timer have submitted.
//!
//! Each does something in one state of the order only, and nothing in the others.

use chancery_sdk::{NewEvent, Rejection, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Ended, ORDERS, Order, Payment, STOCK, Status, Step, Stock, unknown_order, unknown_product,
};

/// Which order a step is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Of {
    /// The order's number.
    pub order: String,
}

/// Sets aside what was ordered, if there is enough; otherwise the order is refused.
///
/// # Errors
///
/// `unknown-order`.
pub fn reserve_stock(tx: &mut Transaction, Of { order: number }: Of) -> Result<Status, Rejection> {
    let mut order = find(tx, &number)?;
    if order.status != Status::Placed {
        return Ok(order.status);
    }
    let mut stock = stock_of(tx, &order)?;
    let Some(available) = stock.available.checked_sub(order.quantity) else {
        let reason = format!("only {} of {} are left", stock.available, stock.name);
        stop_timer(tx, &mut order);
        return Ok(end(tx, &number, order, Status::Refused, &reason));
    };
    stock.available = available;
    stock.reserved += order.quantity;
    STOCK.put(tx, &order.product, &stock);
    order.status = Status::Reserved;
    ORDERS.put(tx, &number, &order);
    emit(tx, "stock.reserved", &number);
    Ok(order.status)
}

/// Takes the money, unless it comes later. A real shop would have somebody outside
/// read `stock.reserved` and submit what came of it.
///
/// # Errors
///
/// `unknown-order`.
pub fn take_payment(tx: &mut Transaction, Of { order: number }: Of) -> Result<Status, Rejection> {
    let mut order = find(tx, &number)?;
    if order.status != Status::Reserved {
        return Ok(order.status);
    }
    match order.payment {
        Payment::Card => pay(tx, &number, &mut order),
        Payment::Invoice => emit(tx, "payment.awaited", &number),
        Payment::DeclinedCard => {
            order.status = Status::PaymentFailed;
            stop_timer(tx, &mut order);
            ORDERS.put(tx, &number, &order);
            emit(tx, "payment.failed", &number);
        }
    }
    Ok(order.status)
}

/// Sends what is paid.
///
/// # Errors
///
/// `unknown-order`.
pub fn ship_order(tx: &mut Transaction, Of { order: number }: Of) -> Result<Status, Rejection> {
    let order = find(tx, &number)?;
    if order.status != Status::Paid {
        return Ok(order.status);
    }
    let mut stock = stock_of(tx, &order)?;
    stock.reserved -= order.quantity;
    stock.shipped += order.quantity;
    STOCK.put(tx, &order.product, &stock);
    Ok(end(tx, &number, order, Status::Shipped, "it is on its way"))
}

/// Puts back what was set aside for an order that could not be paid: this undoes
/// `reserve-stock`.
///
/// # Errors
///
/// `unknown-order`.
pub fn release_stock(tx: &mut Transaction, Of { order: number }: Of) -> Result<Status, Rejection> {
    let order = find(tx, &number)?;
    if order.status != Status::PaymentFailed {
        return Ok(order.status);
    }
    put_back(tx, &order)?;
    Ok(end(tx, &number, order, Status::Cancelled, "the payment failed"))
}

/// Cancels an order whose time is over, if it is still not paid.
///
/// # Errors
///
/// `unknown-order`.
pub fn cancel_unpaid(tx: &mut Transaction, Of { order: number }: Of) -> Result<Status, Rejection> {
    let mut order = find(tx, &number)?;
    match order.status {
        Status::Placed => {}
        Status::Reserved => put_back(tx, &order)?,
        // Paid at the last moment, or given up for another reason.
        status => return Ok(status),
    }
    order.timer = None;
    Ok(end(tx, &number, order, Status::Cancelled, "it was not paid in time"))
}

/// Takes the money for an order that is reserved.
pub(crate) fn pay(tx: &mut Transaction, number: &str, order: &mut Order) {
    order.status = Status::Paid;
    stop_timer(tx, order);
    ORDERS.put(tx, number, order);
    emit(tx, "payment.taken", number);
}

fn find(tx: &Transaction, number: &str) -> Result<Order, Rejection> {
    ORDERS.get(tx, number).ok_or_else(|| unknown_order(number))
}

fn stock_of(tx: &Transaction, order: &Order) -> Result<Stock, Rejection> {
    STOCK.get(tx, &order.product).ok_or_else(|| unknown_product(&order.product))
}

fn put_back(tx: &mut Transaction, order: &Order) -> Result<(), Rejection> {
    let mut stock = stock_of(tx, order)?;
    stock.reserved -= order.quantity;
    stock.available += order.quantity;
    STOCK.put(tx, &order.product, &stock);
    Ok(())
}

fn stop_timer(tx: &mut Transaction, order: &mut Order) {
    if let Some(timer) = order.timer.take() {
        // If it has fired already, its command comes too late to do anything.
        tx.cancel_timer(&timer);
    }
}

fn end(
    tx: &mut Transaction,
    number: &str,
    mut order: Order,
    status: Status,
    reason: &str,
) -> Status {
    order.status = status;
    order.n_ends += 1;
    ORDERS.put(tx, number, &order);
    let ended = Ended {
        order: number.to_owned(),
        product: order.product,
        quantity: order.quantity,
        total_cents: order.total_cents,
        status,
        reason: reason.to_owned(),
    };
    let event = NewEvent::new(format!("order.{status}"), &ended);
    tx.emit(&event.about(format!("order/{number}")));
    status
}

fn emit(tx: &mut Transaction, event_type: &str, number: &str) {
    let step = Step { order: number.to_owned() };
    tx.emit(&NewEvent::new(event_type, &step).about(format!("order/{number}")));
}
