//! What an app is made of, and the macro that declares it.

mod follow;

pub use follow::{Begin, On, ProjectionEntry, ReactionEntry};

use std::fmt;

use schemars::{Schema, SchemaGenerator};

use crate::index::Indexed;
use crate::{Rejection, Snapshot, Table, Transaction, Value};

/// A module: made by [`app!`](crate::app!).
pub trait App {
    /// All that the module declares.
    const DEFINITION: &'static Definition;
}

/// All that a module declares. Made by [`app!`](crate::app!).
#[derive(Debug)]
pub struct Definition {
    /// What the module is for.
    pub description: &'static str,
    /// The tables it owns.
    pub tables: &'static [TableEntry],
    /// The events it emits.
    pub events: &'static [EventEntry],
    /// The queries it answers.
    pub queries: &'static [QueryEntry],
    /// The commands it executes.
    pub commands: &'static [CommandEntry],
    /// The tables it derives from events.
    pub projections: &'static [ProjectionEntry],
    /// What it has follow from events.
    pub reactions: &'static [ReactionEntry],
    /// The command that runs as part of a deploy; `commands` does not list it.
    pub on_deploy: Option<CommandEntry>,
}

/// A table and what it holds.
#[derive(Debug)]
pub struct TableEntry {
    /// What the rows are.
    pub description: &'static str,
    /// The table itself, then its indexes.
    pub declare: fn() -> Vec<TableDeclaration>,
}

/// A table as the manifest names it.
#[derive(Clone, Copy, Debug)]
pub struct TableDeclaration {
    /// The table's name.
    pub name: &'static str,
    /// The table it is an index of.
    pub index_of: Option<&'static str>,
    /// Whether it may take over an orphan's rows.
    pub is_adopted: bool,
}

/// An event type and what its data are.
#[derive(Debug)]
pub struct EventEntry {
    /// Such as `order.placed`.
    pub event_type: &'static str,
    /// What has happened when it is emitted.
    pub description: &'static str,
    /// The JSON Schema of its data.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// A command's handler.
pub type CommandEntry = Handler<fn(&mut Transaction) -> Result<Value, Rejection>>;

/// A query's handler.
pub type QueryEntry = Handler<fn(&Snapshot) -> Result<Value, Rejection>>;

/// A handler, and how to call it with an input in JSON.
pub struct Handler<R> {
    /// The function's path, or the name given with `as`.
    pub name: &'static str,
    /// What it does; if empty, the input type's documentation says so.
    pub description: &'static str,
    /// Parses the input, calls the function and writes its result.
    pub run: R,
    /// Tells functions apart in tests.
    pub type_name: fn() -> &'static str,
    /// The JSON Schema of the input.
    pub input: fn(&mut SchemaGenerator) -> Schema,
    /// The JSON Schema of the result.
    pub output: fn(&mut SchemaGenerator) -> Schema,
}

impl Definition {
    /// Every command, the one that runs on deploy included.
    pub fn all_commands(&self) -> impl Iterator<Item = &CommandEntry> {
        self.commands.iter().chain(&self.on_deploy)
    }
}

impl<R> Handler<R> {
    /// The name the server knows: the function's, in kebab-case.
    ///
    /// ```
    /// use chancery_sdk::{App, Rejection, Snapshot};
    ///
    /// fn stock_of(_: &Snapshot, (): ()) -> Result<u64, Rejection> {
    ///     Ok(1)
    /// }
    ///
    /// chancery_sdk::app! {
    ///     /// A shop.
    ///     struct Shop;
    ///     queries { stock_of }
    /// }
    ///
    /// # fn main() {
    /// assert_eq!(Shop::DEFINITION.queries[0].kebab_name(), "stock-of");
    /// # }
    /// ```
    pub fn kebab_name(&self) -> String {
        kebab(self.function())
    }

    /// As comparing with [`kebab_name`](Self::kebab_name), which would allocate at
    /// every call of the module.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        is_kebab_of(self.function(), name)
    }

    fn function(&self) -> &'static str {
        let after_path = self.name.rsplit(':').next();
        after_path.unwrap_or(self.name).trim_start()
    }
}

impl<R> fmt::Debug for Handler<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Handler").field(&self.name).finish()
    }
}

/// An identifier as the server knows it.
fn kebab(identifier: &str) -> String {
    identifier.replace('_', "-")
}

/// Whether a name is that of an identifier.
fn is_kebab_of(identifier: &str, name: &str) -> bool {
    let own = identifier.bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
    own.eq(name.bytes())
}

/// Something that [`app!`](crate::app!) accepts as a table.
pub trait Declare {
    /// The table itself, then its indexes.
    fn declare(&self) -> Vec<TableDeclaration>;
}

impl<K, V, C> Declare for Table<K, V, C> {
    fn declare(&self) -> Vec<TableDeclaration> {
        let is_adopted = self.is_adopted();
        vec![TableDeclaration { name: self.name(), index_of: None, is_adopted }]
    }
}

impl<K, V, C> Declare for Indexed<K, V, C> {
    fn declare(&self) -> Vec<TableDeclaration> {
        let mut all = self.table().declare();
        for index in self.indexes() {
            all.push(TableDeclaration {
                name: index.name(),
                index_of: Some(self.table().name()),
                is_adopted: self.table().is_adopted(),
            });
        }
        all
    }
}

/// Declares a module: its tables, events, queries, commands, projections and reactions.
///
/// ```
/// use chancery_sdk::{NewEvent, Rejection, Snapshot, Table, Transaction, app};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// app! {
///     /// Guests and what they wrote.
///     pub struct GuestBook;
///
///     tables {
///         /// What each guest wrote.
///         ENTRIES,
///     }
///     events {
///         /// A guest wrote something.
///         "entry.written": Entry,
///     }
///     queries {
///         /// How many entries there are.
///         count_entries as "count",
///     }
///     commands {
///         /// Writes an entry.
///         write_entry,
///     }
/// }
///
/// const ENTRIES: Table<String, Entry> = Table::new("entries");
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct Entry {
///     guest: String,
///     text: String,
/// }
///
/// fn write_entry(tx: &mut Transaction, entry: Entry) -> Result<(), Rejection> {
///     ENTRIES.put(tx, &entry.guest, &entry);
///     tx.emit(&NewEvent::new("entry.written", &entry));
///     Ok(())
/// }
///
/// fn count_entries(snapshot: &Snapshot, (): ()) -> Result<u64, Rejection> {
///     Ok(ENTRIES.count(snapshot))
/// }
/// # fn main() {}
/// ```
///
/// - The sections come in this order; each may be left out.
/// - `tables` takes constants of [`Table`](crate::Table) and [`Indexed`](crate::Indexed).
/// - `queries` takes functions `fn(&Snapshot, I) -> Result<O, E>`, `commands` functions
///   `fn(&mut Transaction, I) -> Result<O, E>`, where `I: Deserialize + JsonSchema`,
///   `O: Serialize + JsonSchema` and `E: Into<Rejection>`. A handler's name is the
///   function's in kebab-case, or follows `as`.
/// - `projections` and `reactions` take names, each with the functions that are given
///   the events: see below.
/// - `on_deploy: function;` at the end names one more command, with an input of `{}`.
///   The server runs it as part of the entry that deploys the module.
/// - Documentation becomes descriptions. A handler without any has its input type's.
///
/// On WebAssembly it also exports the module, so a crate can have only one.
///
/// # Projections and reactions
///
/// ```
/// use chancery_sdk::{Event, NewCommand, Rejection, Snapshot, Table, View, app};
/// use serde::Deserialize;
///
/// app! {
///     /// What is sold, and what follows from it.
///     pub struct Sales;
///
///     tables { SOLD }
///     projections {
///         /// How much was sold, by product.
///         sales_by_product version 1 tables [SOLD] {
///             "order.placed" => add,
///             "order.*.cancelled" => take_back,
///         }
///     }
///     reactions {
///         /// Thanks the buyer.
///         thanks { "order.placed" => thank }
///         /// Sends what is paid, all that was paid before this was deployed included.
///         shipping from start { "payment.**" => ship }
///     }
/// }
///
/// const SOLD: Table<String, i64> = Table::new("sold");
///
/// #[derive(Deserialize)]
/// struct Order {
///     product: String,
///     buyer: String,
/// }
///
/// fn add(view: &mut View, placed: Event<Order>) -> Result<(), Rejection> {
///     let product = &placed.data.product;
///     let n_sold = SOLD.get(view, product).unwrap_or(0) + 1;
///     SOLD.put(view, product, &n_sold);
///     Ok(())
/// }
///
/// fn take_back(view: &mut View, cancelled: Event<Order>) -> Result<(), Rejection> {
///     SOLD.delete(view, &cancelled.data.product);
///     Ok(())
/// }
///
/// fn thank(_: &Snapshot, placed: Event<Order>) -> Result<[NewCommand; 1], Rejection> {
///     Ok([NewCommand::new("write-letter", &placed.data.buyer)])
/// }
///
/// fn ship(_: &Snapshot, paid: Event<Order>) -> Result<Option<NewCommand>, Rejection> {
///     Ok(paid.subject.map(|order| NewCommand::new("ship-order", &order)))
/// }
/// # fn main() {}
/// ```
///
/// - Patterns are words separated by dots; `*` stands for any one word, `**` at the end
///   for any number of them. An event goes to the first function whose pattern means it.
/// - A projection's functions are `fn(&mut View, Event<D>) -> Result<(), E>`; it alone
///   writes its tables, which `tables` lists too. If its functions come to make other rows
///   of the same events, raise its version: the server builds the tables anew, and the old
///   ones serve meanwhile.
/// - A reaction's functions are `fn(&Snapshot, Event<D>) -> Result<C, E>`, where `C` is
///   something to iterate over with [`NewCommand`](crate::NewCommand)s in it. A new one
///   is given the events from now on, or with `from start` all there ever were.
/// - `D: DeserializeOwned`, and `E: Into<Rejection>`.
#[macro_export]
macro_rules! app {
    (
        $(#[doc = $about:literal])*
        $visibility:vis struct $app:ident;
        $(tables { $($(#[doc = $table_doc:literal])* $table:path),* $(,)? })?
        $(events { $($(#[doc = $event_doc:literal])* $event_type:literal : $event:ty),* $(,)? })?
        $(queries {
            $($(#[doc = $query_doc:literal])* $query:path $(as $query_name:literal)?),* $(,)?
        })?
        $(commands {
            $($(#[doc = $command_doc:literal])* $command:path $(as $command_name:literal)?),* $(,)?
        })?
        $(projections {
            $(
                $(#[doc = $projection_doc:literal])*
                $projection:ident version $version:literal tables [$($own:path),* $(,)?] {
                    $($fold_on:literal => $fold:path),* $(,)?
                }
            )*
        })?
        $(reactions {
            $(
                $(#[doc = $reaction_doc:literal])*
                $reaction:ident $(from $begin:ident)? {
                    $($react_on:literal => $react:path),* $(,)?
                }
            )*
        })?
        $($(#[doc = $deploy_doc:literal])* on_deploy : $on_deploy:path;)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        $visibility struct $app;

        impl $crate::App for $app {
            const DEFINITION: &'static $crate::Definition = &$crate::Definition {
                description: ::core::concat!($($about, "\n"),*),
                tables: &[$($($crate::TableEntry {
                    description: ::core::concat!($($table_doc, "\n"),*),
                    declare: || $crate::Declare::declare(&$table),
                }),*)?],
                events: &[$($($crate::EventEntry {
                    event_type: $event_type,
                    description: ::core::concat!($($event_doc, "\n"),*),
                    schema: |generator| $crate::dispatch::schema::<$event>(generator),
                }),*)?],
                queries: &[$($($crate::__handler!(
                    query $query, [$($query_doc),*] $(, $query_name)?
                )),*)?],
                commands: &[$($($crate::__handler!(
                    command $command, [$($command_doc),*] $(, $command_name)?
                )),*)?],
                projections: &[$($($crate::ProjectionEntry {
                    name: ::core::stringify!($projection),
                    description: ::core::concat!($($projection_doc, "\n"),*),
                    version: $version,
                    tables: || {
                        let tables = [$($crate::Declare::declare(&$own)),*];
                        tables.into_iter().flatten().collect()
                    },
                    on: &[$($crate::On {
                        pattern: $fold_on,
                        run: |view, event| $crate::dispatch::project(view, event, $fold),
                    }),*],
                }),*)?],
                reactions: &[$($($crate::ReactionEntry {
                    name: ::core::stringify!($reaction),
                    description: ::core::concat!($($reaction_doc, "\n"),*),
                    from: $crate::__begin!($($begin)?),
                    on: &[$($crate::On {
                        pattern: $react_on,
                        run: |snapshot, event| $crate::dispatch::react(snapshot, event, $react),
                    }),*],
                }),*)?],
                on_deploy: $crate::__optional!($($crate::__handler!(
                    command $on_deploy, [$($deploy_doc),*]
                ))?),
            };
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::glue::Component<$app>;
            $crate::bindings::export!(Exported with_types_in $crate::bindings);
            $($crate::__export_projections!(Exported, $($projection)*);)?
            $($crate::__export_reactions!(Exported, $($reaction)*);)?
        };
    };
}

/// One entry of `queries` or `commands`.
#[doc(hidden)]
#[macro_export]
macro_rules! __handler {
    ($kind:ident $function:path, $doc:tt) => {
        $crate::__handler!($kind $function, $doc, ::core::stringify!($function))
    };
    (query $function:path, [$($doc:literal),*], $name:expr) => {
        $crate::Handler {
            name: $name,
            description: ::core::concat!($($doc, "\n"),*),
            run: |snapshot| $crate::dispatch::query(snapshot, $function),
            type_name: || ::core::any::type_name_of_val(&$function),
            input: |generator| $crate::dispatch::query_input(generator, $function),
            output: |generator| $crate::dispatch::query_output(generator, $function),
        }
    };
    (command $function:path, [$($doc:literal),*], $name:expr) => {
        $crate::Handler {
            name: $name,
            description: ::core::concat!($($doc, "\n"),*),
            run: |transaction| $crate::dispatch::command(transaction, $function),
            type_name: || ::core::any::type_name_of_val(&$function),
            input: |generator| $crate::dispatch::command_input(generator, $function),
            output: |generator| $crate::dispatch::command_output(generator, $function),
        }
    };
}

/// Where a new reaction begins.
#[doc(hidden)]
#[macro_export]
macro_rules! __begin {
    () => {
        $crate::Begin::Now
    };
    (now) => {
        $crate::Begin::Now
    };
    (start) => {
        $crate::Begin::Start
    };
}

/// Exports projections, if there are any: the server wants both or neither.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_projections {
    ($exported:ident,) => {};
    ($exported:ident, $($projection:ident)+) => {
        $crate::bindings::projecting::export_projections!(
            $exported with_types_in $crate::bindings::projecting
        );
    };
}

/// Exports reactions, if there are any.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_reactions {
    ($exported:ident,) => {};
    ($exported:ident, $($reaction:ident)+) => {
        $crate::bindings::reacting::export_reactions!(
            $exported with_types_in $crate::bindings::reacting
        );
    };
}

/// None or one.
#[doc(hidden)]
#[macro_export]
macro_rules! __optional {
    () => {
        ::core::option::Option::None
    };
    ($some:expr) => {
        ::core::option::Option::Some($some)
    };
}
