//! The functions a guest can call: the contract's resources, on [`Guest`].
//!
//! Each only translates. Whatever is refused becomes a trap that carries its
//! [`Fault`].

use uuid::Uuid;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::contract::chancery::app::{log, store};
use super::contract::types::{NewCommand, NewEvent, Order, Range, Row, Value};
use super::contract::{Cursor, Snapshot, Transaction, View};
use super::fault::Fault;
use super::guest::Guest;
use crate::transaction::{self, PAGE_BYTES_MAX};

impl store::Host for Guest {}

impl store::HostSnapshot for Guest {
    fn sequence(&mut self, handle: Resource<Snapshot>) -> Result<u64> {
        Ok(self.read_of_entry(handle.rep())?.state.sequence().0)
    }

    fn time_ms(&mut self, handle: Resource<Snapshot>) -> Result<u64> {
        Ok(self.read_of_entry(handle.rep())?.state.time_ms())
    }

    fn request_time_ms(&mut self, handle: Resource<Snapshot>) -> Result<u64> {
        let snapshot = self.snapshot(handle.rep())?;
        snapshot.asked_time = true;
        Ok(snapshot.request_time_ms)
    }

    fn get(
        &mut self,
        handle: Resource<Snapshot>,
        table: String,
        key: String,
    ) -> Result<Option<Value>> {
        Ok(Self::get(self, handle.rep(), &table, &key)?)
    }

    fn get_many(
        &mut self,
        handle: Resource<Snapshot>,
        table: String,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Value>>> {
        Ok(Self::get_many(self, handle.rep(), &table, &keys)?)
    }

    fn count(&mut self, handle: Resource<Snapshot>, table: String, range: Range) -> Result<u64> {
        Ok(Self::count(self, handle.rep(), &table, range)?)
    }

    fn scan(
        &mut self,
        handle: Resource<Snapshot>,
        table: String,
        range: Range,
        order: Order,
    ) -> Result<Resource<Cursor>> {
        Ok(Resource::new_own(Self::scan(self, handle.rep(), &table, range, order)?))
    }

    fn drop(&mut self, handle: Resource<Snapshot>) -> Result<()> {
        self.handles.dropped(handle.rep());
        Ok(())
    }
}

impl store::HostTransaction for Guest {
    fn sequence(&mut self, handle: Resource<Transaction>) -> Result<u64> {
        Ok(self.transaction(handle.rep())?.sequence().0)
    }

    fn time_ms(&mut self, handle: Resource<Transaction>) -> Result<u64> {
        Ok(self.transaction(handle.rep())?.time_ms())
    }

    fn get(
        &mut self,
        handle: Resource<Transaction>,
        table: String,
        key: String,
    ) -> Result<Option<Value>> {
        Ok(Self::get(self, handle.rep(), &table, &key)?)
    }

    fn get_many(
        &mut self,
        handle: Resource<Transaction>,
        table: String,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Value>>> {
        Ok(Self::get_many(self, handle.rep(), &table, &keys)?)
    }

    fn count(&mut self, handle: Resource<Transaction>, table: String, range: Range) -> Result<u64> {
        Ok(Self::count(self, handle.rep(), &table, range)?)
    }

    fn scan(
        &mut self,
        handle: Resource<Transaction>,
        table: String,
        range: Range,
        order: Order,
    ) -> Result<Resource<Cursor>> {
        Ok(Resource::new_own(Self::scan(self, handle.rep(), &table, range, order)?))
    }

    fn put(
        &mut self,
        handle: Resource<Transaction>,
        table: String,
        key: String,
        value: Value,
    ) -> Result<()> {
        let transaction = self.transaction(handle.rep())?;
        Ok(transaction.put(&table, &key, value.into()).map_err(Fault::from)?)
    }

    fn delete(&mut self, handle: Resource<Transaction>, table: String, key: String) -> Result<()> {
        let transaction = self.transaction(handle.rep())?;
        Ok(transaction.delete(&table, &key).map_err(Fault::from)?)
    }

    fn emit(&mut self, handle: Resource<Transaction>, event: NewEvent) -> Result<String> {
        let transaction = self.transaction(handle.rep())?;
        let id = transaction.emit(event.into()).map_err(Fault::from)?;
        Ok(id.to_string())
    }

    fn schedule(
        &mut self,
        handle: Resource<Transaction>,
        at_ms: u64,
        command: NewCommand,
    ) -> Result<String> {
        let transaction = self.transaction(handle.rep())?;
        let NewCommand { name, input, metadata } = command;
        let command = transaction::NewCommand::new(&name, input, metadata).map_err(Fault::from)?;
        let id = transaction.schedule(at_ms, command).map_err(Fault::from)?;
        Ok(id.to_string())
    }

    fn cancel_timer(&mut self, handle: Resource<Transaction>, id: String) -> Result<bool> {
        let transaction = self.transaction(handle.rep())?;
        // What is no id is the id of no timer.
        Ok(Uuid::try_parse(&id).is_ok_and(|id| transaction.cancel_timer(id)))
    }

    fn new_id(&mut self, handle: Resource<Transaction>) -> Result<String> {
        Ok(self.transaction(handle.rep())?.new_id().to_string())
    }

    fn drop(&mut self, handle: Resource<Transaction>) -> Result<()> {
        self.handles.dropped(handle.rep());
        Ok(())
    }
}

impl store::HostView for Guest {
    fn get(&mut self, handle: Resource<View>, table: String, key: String) -> Result<Option<Value>> {
        Ok(Self::get(self, handle.rep(), &table, &key)?)
    }

    fn get_many(
        &mut self,
        handle: Resource<View>,
        table: String,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Value>>> {
        Ok(Self::get_many(self, handle.rep(), &table, &keys)?)
    }

    fn count(&mut self, handle: Resource<View>, table: String, range: Range) -> Result<u64> {
        Ok(Self::count(self, handle.rep(), &table, range)?)
    }

    fn scan(
        &mut self,
        handle: Resource<View>,
        table: String,
        range: Range,
        order: Order,
    ) -> Result<Resource<Cursor>> {
        Ok(Resource::new_own(Self::scan(self, handle.rep(), &table, range, order)?))
    }

    fn put(
        &mut self,
        handle: Resource<View>,
        table: String,
        key: String,
        value: Value,
    ) -> Result<()> {
        let view = self.view(handle.rep())?;
        Ok(view.put(&table, &key, value.into()).map_err(Fault::from)?)
    }

    fn delete(&mut self, handle: Resource<View>, table: String, key: String) -> Result<()> {
        let view = self.view(handle.rep())?;
        Ok(view.delete(&table, &key).map_err(Fault::from)?)
    }

    fn drop(&mut self, handle: Resource<View>) -> Result<()> {
        self.handles.dropped(handle.rep());
        Ok(())
    }
}

impl store::HostCursor for Guest {
    fn next(&mut self, handle: Resource<Cursor>, max_rows: u32) -> Result<Vec<Row>> {
        let page = self.next_page(handle.rep(), |cursor, read| {
            cursor.next_rows(read, saturated(max_rows), PAGE_BYTES_MAX, |row| Row::from(row))
        });
        Ok(page?)
    }

    fn next_packed(&mut self, handle: Resource<Cursor>, max_bytes: u32) -> Result<Vec<u8>> {
        let page = self
            .next_page(handle.rep(), |cursor, read| cursor.next_packed(read, saturated(max_bytes)));
        Ok(page?)
    }

    fn next_json(&mut self, handle: Resource<Cursor>, max_bytes: u32) -> Result<String> {
        let page = self
            .next_page(handle.rep(), |cursor, read| cursor.next_json(read, saturated(max_bytes)));
        Ok(page?)
    }

    fn drop(&mut self, handle: Resource<Cursor>) -> Result<()> {
        self.handles.dropped(handle.rep());
        Ok(())
    }
}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        self.log.write(level, &message, self.places.as_deref());
        Ok(())
    }
}

fn saturated(max: u32) -> usize {
    usize::try_from(max).unwrap_or(usize::MAX)
}
