//! What the SDK calls: the methods of whatever handle the current call was given, and
//! the log. The SDK knows which of them a handler may use; where it does not, this
//! throws.

use std::cell::{Cell, RefCell};

use rquickjs::{
    Array, Ctx, Error, Exception, Function, Object, Persistent, Result, TypedArray, Value,
};

use crate::bindings::chancery::app::log::{self, Level};
use crate::bindings::chancery::app::store::{Cursor, Snapshot, Transaction, View};
use crate::bindings::chancery::app::types::{self, Bounds, NewCommand, NewEvent, Order, Range};
use crate::engine;

/// The state, as one call sees it.
pub(crate) enum Handle {
    /// A query's or reaction's.
    Snapshot(Snapshot),
    /// A command's.
    Transaction(Transaction),
    /// A projection's.
    View(View),
}

thread_local! {
    static HANDLE: RefCell<Option<Handle>> = const { RefCell::new(None) };
    /// By numbers that scripts do not see. Given back when the call ends.
    static CURSORS: RefCell<Vec<(u32, Cursor)>> = const { RefCell::new(Vec::new()) };
    /// Never given twice, so that what is kept from one call means nothing in another.
    static N_CURSORS: Cell<u32> = const { Cell::new(0) };
    /// Promises that were rejected, and why, with nobody there to be told.
    static REJECTED: RefCell<Vec<(Kept, Kept)>> = const { RefCell::new(Vec::new()) };
}

type Kept = Persistent<Value<'static>>;

/// The handle is there as long as this.
pub(crate) struct Open;

/// Makes a handle that of the current call.
pub(crate) fn open(handle: Handle) -> Open {
    HANDLE.set(Some(handle));
    REJECTED.take();
    Open
}

impl Drop for Open {
    fn drop(&mut self) {
        // Cursors are children of the handle.
        CURSORS.take();
        HANDLE.take();
        // What the call has left to do finds no state, rather than that of the next call.
        engine::run_jobs();
    }
}

/// Calls a method that every handle has.
macro_rules! read {
    ($ctx:expr, $method:ident($($argument:expr),*)) => {
        HANDLE.with_borrow(|handle| match handle {
            Some(Handle::Snapshot(snapshot)) => Ok(snapshot.$method($($argument),*)),
            Some(Handle::Transaction(transaction)) => Ok(transaction.$method($($argument),*)),
            Some(Handle::View(view)) => Ok(view.$method($($argument),*)),
            None => Err(no_state($ctx)),
        })
    };
}

/// Calls a method that only handles which write have.
macro_rules! write {
    ($ctx:expr, $method:ident($($argument:expr),*)) => {
        HANDLE.with_borrow(|handle| match handle {
            Some(Handle::Transaction(transaction)) => Ok(transaction.$method($($argument),*)),
            Some(Handle::View(view)) => Ok(view.$method($($argument),*)),
            Some(Handle::Snapshot(_)) => Err(read_only($ctx)),
            None => Err(no_state($ctx)),
        })
    };
}

/// Calls a method of transactions.
macro_rules! transact {
    ($ctx:expr, $method:ident($($argument:expr),*)) => {
        HANDLE.with_borrow(|handle| match handle {
            Some(Handle::Transaction(transaction)) => Ok(transaction.$method($($argument),*)),
            Some(Handle::Snapshot(_) | Handle::View(_)) => Err(read_only($ctx)),
            None => Err(no_state($ctx)),
        })
    };
}

fn no_state(ctx: &Ctx<'_>) -> Error {
    Exception::throw_message(ctx, "there is no state to read outside a handler")
}

fn read_only(ctx: &Ctx<'_>) -> Error {
    Exception::throw_message(ctx, "only a command can do this")
}

/// The object that the SDK is given.
pub(crate) fn object<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let function = |name: &str, function: Function<'js>| host.set(name, function.with_name(name)?);
    function("get", Function::new(ctx.clone(), get)?)?;
    function("getMany", Function::new(ctx.clone(), get_many)?)?;
    function("count", Function::new(ctx.clone(), count)?)?;
    function("scan", Function::new(ctx.clone(), scan)?)?;
    function("next", Function::new(ctx.clone(), next)?)?;
    function("close", Function::new(ctx.clone(), close)?)?;
    function("put", Function::new(ctx.clone(), put)?)?;
    function("putBytes", Function::new(ctx.clone(), put_bytes)?)?;
    function("delete", Function::new(ctx.clone(), delete)?)?;
    function("emit", Function::new(ctx.clone(), emit)?)?;
    function("schedule", Function::new(ctx.clone(), schedule)?)?;
    function("cancelTimer", Function::new(ctx.clone(), cancel_timer)?)?;
    function("newId", Function::new(ctx.clone(), new_id)?)?;
    function("sequence", Function::new(ctx.clone(), sequence)?)?;
    function("timeMs", Function::new(ctx.clone(), time_ms)?)?;
    function("requestTimeMs", Function::new(ctx.clone(), request_time_of)?)?;
    function("log", Function::new(ctx.clone(), write_log)?)?;
    function("encodeText", Function::new(ctx.clone(), encode_text)?)?;
    function("decodeText", Function::new(ctx.clone(), decode_text)?)?;
    function("drain", Function::new(ctx.clone(), drain)?)?;
    Ok(host)
}

/// The row's value: parsed JSON, or a `Uint8Array`; `undefined` if there is none.
fn get<'js>(ctx: Ctx<'js>, table: String, key: String) -> Result<Value<'js>> {
    let value = read!(&ctx, get(&table, &key))?;
    to_js(&ctx, value)
}

fn get_many<'js>(ctx: Ctx<'js>, table: String, keys: Vec<String>) -> Result<Array<'js>> {
    let values = read!(&ctx, get_many(&table, &keys))?;
    let array = Array::new(ctx.clone())?;
    for (index, value) in values.into_iter().enumerate() {
        array.set(index, to_js(&ctx, value)?)?;
    }
    Ok(array)
}

fn to_js<'js>(ctx: &Ctx<'js>, value: Option<types::Value>) -> Result<Value<'js>> {
    match value {
        None => Ok(Value::new_undefined(ctx.clone())),
        Some(types::Value::Json(text)) => ctx.json_parse(text),
        Some(types::Value::Bytes(bytes)) => {
            Ok(TypedArray::<u8>::new(ctx.clone(), bytes)?.into_value())
        }
    }
}

/// Two bounds that are not there are the whole table; `prefix` is only given alone.
fn range(prefix: Option<String>, lower: Option<String>, upper: Option<String>) -> Range {
    match (prefix, lower, upper) {
        (Some(prefix), ..) => Range::Prefix(prefix),
        (None, None, None) => Range::All,
        (None, lower, upper) => Range::Between(Bounds { lower, upper }),
    }
}

fn count(
    ctx: Ctx<'_>,
    table: String,
    prefix: Option<String>,
    lower: Option<String>,
    upper: Option<String>,
) -> Result<f64> {
    let range = range(prefix, lower, upper);
    read!(&ctx, count(&table, &range)).map(number)
}

/// The number of a cursor.
fn scan(
    ctx: Ctx<'_>,
    table: String,
    prefix: Option<String>,
    lower: Option<String>,
    upper: Option<String>,
    is_descending: bool,
) -> Result<u32> {
    let range = range(prefix, lower, upper);
    let order = if is_descending { Order::Descending } else { Order::Ascending };
    let cursor = read!(&ctx, scan(&table, &range, order))?;
    let number = N_CURSORS.get();
    N_CURSORS.set(number.wrapping_add(1));
    CURSORS.with_borrow_mut(|cursors| cursors.push((number, cursor)));
    Ok(number)
}

/// The next rows, as an array of pairs; an empty one at the end.
fn next(ctx: Ctx<'_>, number: u32, bytes_max: u32) -> Result<Value<'_>> {
    let page = CURSORS.with_borrow(|cursors| {
        let cursor = cursors.iter().find(|(other, _)| *other == number);
        cursor.map(|(_, cursor)| cursor.next_json(bytes_max))
    });
    let message = "a scan can only be read by the call that began it";
    ctx.json_parse(page.ok_or_else(|| Exception::throw_message(&ctx, message))?)
}

fn close(number: u32) {
    CURSORS.with_borrow_mut(|cursors| cursors.retain(|(other, _)| *other != number));
}

fn put(ctx: Ctx<'_>, table: String, key: String, json: String) -> Result<()> {
    let value = types::Value::Json(json);
    write!(&ctx, put(&table, &key, &value))
}

fn put_bytes(ctx: Ctx<'_>, table: String, key: String, bytes: TypedArray<'_, u8>) -> Result<()> {
    let value = types::Value::Bytes(copy(&ctx, &bytes)?);
    write!(&ctx, put(&table, &key, &value))
}

/// The bytes of an array, which must still have its buffer.
pub(crate) fn copy(ctx: &Ctx<'_>, bytes: &TypedArray<'_, u8>) -> Result<Vec<u8>> {
    // SAFETY: nothing runs in the engine before the bytes are copied.
    let bytes = unsafe { bytes.as_bytes() };
    bytes
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Exception::throw_type(ctx, "the buffer of these bytes was detached"))
}

fn delete(ctx: Ctx<'_>, table: String, key: String) -> Result<()> {
    write!(&ctx, delete(&table, &key))
}

fn emit(ctx: Ctx<'_>, event_type: String, subject: Option<String>, data: String) -> Result<String> {
    let event = NewEvent { event_type, subject, data };
    transact!(&ctx, emit(&event))
}

fn schedule(
    ctx: Ctx<'_>,
    at_ms: f64,
    name: String,
    input: String,
    metadata: String,
) -> Result<String> {
    let command = NewCommand { name, input, metadata };
    transact!(&ctx, schedule(whole(at_ms), &command))
}

fn cancel_timer(ctx: Ctx<'_>, id: String) -> Result<bool> {
    transact!(&ctx, cancel_timer(&id))
}

fn new_id(ctx: Ctx<'_>) -> Result<String> {
    transact!(&ctx, new_id())
}

fn sequence(ctx: Ctx<'_>) -> Result<f64> {
    HANDLE.with_borrow(|handle| match handle {
        Some(Handle::Snapshot(snapshot)) => Ok(number(snapshot.sequence())),
        Some(Handle::Transaction(transaction)) => Ok(number(transaction.sequence())),
        Some(Handle::View(_)) | None => Err(no_state(&ctx)),
    })
}

fn time_ms(ctx: Ctx<'_>) -> Result<f64> {
    HANDLE.with_borrow(|handle| match handle {
        Some(Handle::Snapshot(snapshot)) => Ok(number(snapshot.time_ms())),
        Some(Handle::Transaction(transaction)) => Ok(number(transaction.time_ms())),
        Some(Handle::View(_)) | None => Err(no_state(&ctx)),
    })
}

fn request_time_of(ctx: Ctx<'_>) -> Result<f64> {
    HANDLE.with_borrow(|handle| match handle {
        Some(Handle::Snapshot(snapshot)) => Ok(number(snapshot.request_time_ms())),
        _ => Err(no_state(&ctx)),
    })
}

/// The time of the request; 0 without one.
pub(crate) fn request_time_ms() -> u64 {
    HANDLE.with_borrow(|handle| match handle {
        Some(Handle::Snapshot(snapshot)) => snapshot.request_time_ms(),
        _ => 0,
    })
}

fn write_log(level: u32, message: String) {
    let level = match level {
        0 => Level::Trace,
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        _ => Level::Error,
    };
    log::write(level, &message);
}

fn encode_text(ctx: Ctx<'_>, text: String) -> Result<TypedArray<'_, u8>> {
    TypedArray::new(ctx, text)
}

/// What is no UTF-8 becomes U+FFFD or, if it is fatal, an error.
fn decode_text(ctx: Ctx<'_>, bytes: TypedArray<'_, u8>, is_fatal: bool) -> Result<String> {
    let bytes = copy(&ctx, &bytes)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) if is_fatal => Err(Exception::throw_type(&ctx, "these bytes are not UTF-8")),
        Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// Runs what waits for promises, until nothing does. Throws what a promise was rejected
/// with if nobody was there to be told: otherwise it would be lost.
fn drain(ctx: Ctx<'_>) -> Result<()> {
    while ctx.execute_pending_job() {}
    match REJECTED.take().into_iter().next() {
        Some((_, reason)) => Err(ctx.throw(reason.restore(&ctx)?)),
        None => Ok(()),
    }
}

/// Notes that a promise was rejected, or that somebody was told after all.
pub(crate) fn track<'js>(ctx: Ctx<'js>, promise: Value<'js>, reason: Value<'js>, is_told: bool) {
    REJECTED.with_borrow_mut(|rejected| {
        if is_told {
            rejected.retain(|(other, _)| {
                other.clone().restore(&ctx).is_ok_and(|other| other != promise)
            });
        } else {
            rejected.push((Persistent::save(&ctx, promise), Persistent::save(&ctx, reason)));
        }
    });
}

/// The contract keeps numbers below 2^53, which a double holds.
#[expect(clippy::cast_precision_loss, reason = "the contract keeps numbers below 2^53")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

/// The SDK checks that it is whole and in range; anything else becomes the nearest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn whole(value: f64) -> u64 {
    value as u64
}
