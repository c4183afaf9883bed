//! The codes of problems: what each means in a line, and what to do about it.
//!
//! A code is never changed or given another meaning. `docs/errors.md` has a
//! paragraph for each; a test holds the two together.

use http::StatusCode;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// For programs.
    pub code: &'static str,
    /// The status that answers have.
    pub status: StatusCode,
    /// Whether and how to try again.
    pub retry: Retry,
    /// For people, the same in every answer.
    pub title: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// Whether and how to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Send the same again, a command with the same id: it never runs twice.
    SameId,
    /// The same id will never give another answer; a new one may.
    NewId,
    /// It will be refused again until something is changed.
    No,
    /// The same request may succeed later.
    Later,
}

impl Retry {
    /// The word for it in problems.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameId => "same-id",
            Self::NewId => "new-id",
            Self::No => "no",
            Self::Later => "later",
        }
    }
}

macro_rules! codes {
    ($($name:ident: $code:literal $status:ident $retry:ident $title:literal $advice:literal)*) => {
        $(pub(super) const $name: Code = Code {
            code: $code,
            status: StatusCode::$status,
            retry: Retry::$retry,
            title: $title,
            advice: $advice,
        };)*

        /// Every code there is, in the order of `docs/errors.md`.
        pub(super) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    // How the request is written.
    UNKNOWN_ROUTE: "unknown-route" NOT_FOUND No
        "Nothing is at this path" "compare the path with the table of routes"
    METHOD_NOT_ALLOWED: "method-not-allowed" METHOD_NOT_ALLOWED No
        "The path does not take this method" "use a method that the `Allow` header names"
    INVALID_REQUEST: "invalid-request" BAD_REQUEST No
        "A part of the request cannot be read" "correct the part that `detail` names"
    INVALID_NAME: "invalid-name" BAD_REQUEST No
        "This cannot be a name" "use 1 to 64 of `a-z`, `0-9` and `-`, beginning with a letter"
    INVALID_ID: "invalid-id" BAD_REQUEST No
        "This cannot be the id of a command" "make a UUID of version 7"
    URI_TOO_LONG: "uri-too-long" URI_TOO_LONG No
        "The path and query are too long" "send the input of a query as a body"
    UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE No
        "The body is of a type that is not taken here" "send the `Content-Type` that `detail` names"
    NOT_JSON: "not-json" BAD_REQUEST No
        "The text is not JSON" "look at the byte that `offset` counts to"
    BODY_TOO_LARGE: "body-too-large" PAYLOAD_TOO_LARGE No
        "The body is too large" "send less, or in several requests"
    BODY_TIMEOUT: "body-timeout" REQUEST_TIMEOUT SameId
        "The body did not arrive in time" "send it again"
    INVALID_INPUT: "invalid-input" UNPROCESSABLE_ENTITY No
        "The input does not fit the handler's schema" "correct the places listed under `errors`"
    ORIGIN_NOT_ALLOWED: "origin-not-allowed" FORBIDDEN No
        "Pages of this origin may not use the server" "have the origin added to `cors-origins`"
    HOST_NOT_ALLOWED: "host-not-allowed" FORBIDDEN No
        "The server does not go by this name" "use localhost, or have the name added to `hosts`"

    // What is not there.
    UNKNOWN_APP: "unknown-app" NOT_FOUND No
        "There is no such app" "create it with `PUT`, or use the `suggestion`"
    UNKNOWN_MODULE: "unknown-module" NOT_FOUND No
        "The app has no such module" "deploy it, or use the `suggestion`"
    UNKNOWN_VERSION: "unknown-version" NOT_FOUND No
        "This version was never uploaded to the app" "choose one of the module's `versions`, or upload it"
    UNKNOWN_QUERY: "unknown-query" NOT_FOUND No
        "The app has no such query" "deploy a module that has it, or use the `suggestion`"
    UNKNOWN_COMMAND: "unknown-command" NOT_FOUND No
        "The app has no such command" "deploy a module that has it, or use the `suggestion`"
    UNKNOWN_PROJECTION: "unknown-projection" NOT_FOUND No
        "The app has no such projection" "deploy a module that declares it, or use the `suggestion`"
    UNKNOWN_TABLE: "unknown-table" NOT_FOUND No
        "The app has no such table" "list the tables, or use the `suggestion`"
    UNKNOWN_KEY: "unknown-key" NOT_FOUND No
        "The table has no such key" "look at another key, or at a later sequence"
    UNKNOWN_EVENT: "unknown-event" NOT_FOUND No
        "There is no such event" "ask for one from `first` to `last`"
    UNKNOWN_CONSUMER: "unknown-consumer" NOT_FOUND No
        "The app has no such consumer" "create it with `PUT`, or use the `suggestion`"
    UNKNOWN_WEBHOOK: "unknown-webhook" NOT_FOUND No
        "The app has no such webhook" "create it with `PUT`, or use the `suggestion`"
    UNKNOWN_TRACE: "unknown-trace" NOT_FOUND No
        "Nothing has this correlation id" "ask for the id of the command that began the chain, or its `correlation_id`"
    UNKNOWN_RECEIPT: "unknown-receipt" NOT_FOUND No
        "No command with this id is known" "submit the command if it has not been submitted"
    UNKNOWN_TIMER: "unknown-timer" NOT_FOUND No
        "No timer with this id is waiting" "ask for the command with this id: it tells whether the timer has fired"
    UNKNOWN_REACTION: "unknown-reaction" NOT_FOUND No
        "The app has no such reaction" "list the reactions, or use the `suggestion`"
    UNKNOWN_DEAD_LETTER: "unknown-dead-letter" NOT_FOUND No
        "There is no such dead letter" "list the dead letters"
    RECEIPT_GONE: "receipt-gone" GONE No
        "The receipt is not kept any more" "look at the state: it was executed; do not submit it again"

    // Ids and sequences.
    ID_REUSED: "id-reused" UNPROCESSABLE_ENTITY NewId
        "The id belongs to another command" "make a new id for each new command"
    ID_EXPIRED: "id-expired" UNPROCESSABLE_ENTITY NewId
        "The id is too old to be told from a duplicate" "look at the state; submit with a new id if it was not done"
    ID_AHEAD: "id-ahead" UNPROCESSABLE_ENTITY NewId
        "The time in the id is ahead of the server's" "set the clock of the client, and make a new id"
    BASIS_AHEAD: "basis-ahead" UNPROCESSABLE_ENTITY No
        "The basis has not happened yet" "send the sequence that was read, from the same app and history"
    SEQUENCE_AHEAD: "sequence-ahead" UNPROCESSABLE_ENTITY No
        "The sequence has not been given out" "ask for a sequence that a receipt or an answer gave"
    SEQUENCE_GONE: "sequence-gone" GONE No
        "The past state is no longer held" "read the latest state, or one not older than `oldest`"
    NOT_VISIBLE: "not-visible" SERVICE_UNAVAILABLE Later
        "The sequence is logged and not yet visible" "ask again in a moment"
    EVENT_AHEAD: "event-ahead" UNPROCESSABLE_ENTITY No
        "The event has not been emitted" "ask for events after one that was read, from the same app and history"
    EVENTS_GONE: "events-gone" GONE No
        "The events are not kept any more" "go on with `after` one below `first`, and count what is before as missed"
    HISTORY_CHANGED: "history-changed" GONE No
        "The app has another history" "forget all sequences of the old history, and read anew"

    NOT_ERASABLE: "not-erasable" CONFLICT No
        "Only commands can be erased" "send the id of a command"

    REACTION_IN_USE: "reaction-in-use" CONFLICT No
        "A module declares the reaction" "deploy the module without it, or remove the module"
    LETTER_WAITS: "letter-waits" CONFLICT No
        "The event waits behind a dead letter" "retry or drop the one before it"

    ADHOC_OFF: "adhoc-off" FORBIDDEN No
        "Ad-hoc queries are switched off" "ask the operator for `adhoc = true`, or deploy a query"

    // Modules and apps.
    UPLOAD_TOO_LARGE: "upload-too-large" PAYLOAD_TOO_LARGE No
        "The module is too large" "build it optimised for size, without debug information"
    NOT_WASM: "not-wasm" UNPROCESSABLE_ENTITY No
        "The upload is not WebAssembly" "upload the file that the build wrote"
    INVALID_WASM: "invalid-wasm" UNPROCESSABLE_ENTITY No
        "The WebAssembly is damaged, or uses what is not offered" "build it again, with the flags that `detail` names"
    NO_CONTRACT: "no-contract" UNPROCESSABLE_ENTITY No
        "The core module was not built against the contract" "build it with the SDK"
    COMPONENTIZE_FAILED: "componentize-failed" UNPROCESSABLE_ENTITY No
        "The core module does not become a component" "build it with the SDK of this server's version"
    WRONG_CONTRACT: "wrong-contract" UNPROCESSABLE_ENTITY No
        "The module was built for another contract" "build it with the SDK of this server's version"
    FOREIGN_IMPORTS: "foreign-imports" UNPROCESSABLE_ENTITY No
        "The module imports what is not offered" "build it without what `detail` names"
    NO_MANIFEST: "no-manifest" UNPROCESSABLE_ENTITY No
        "The module does not describe itself" "export `chancery:app/manifest`"
    TOO_COMPLEX: "too-complex" UNPROCESSABLE_ENTITY No
        "The module has more of something than it may" "split it in several modules"
    COMPILE_FAILED: "compile-failed" UNPROCESSABLE_ENTITY No
        "The module does not compile" "report it, with the module, if the SDK built it"
    DESCRIBE_FAILED: "describe-failed" UNPROCESSABLE_ENTITY No
        "The module could not describe itself" "start it in a test, and mend what traps or loops"
    INVALID_MANIFEST: "invalid-manifest" UNPROCESSABLE_ENTITY No
        "The manifest is invalid" "correct the member that `detail` names"
    NOT_JAVASCRIPT: "not-javascript" UNPROCESSABLE_ENTITY No
        "The upload is not JavaScript as text" "send one file of JavaScript, in UTF-8"
    SYNTAX_ERROR: "syntax-error" UNPROCESSABLE_ENTITY No
        "The script is not valid JavaScript" "correct the line that `detail` names"
    SCRIPT_FAILED: "script-failed" UNPROCESSABLE_ENTITY No
        "The script threw when it was evaluated" "correct the line that `detail` names"
    NO_APP: "no-app" UNPROCESSABLE_ENTITY No
        "The script exports no app" "write `export default app({ … })`, with `app` from `chancery-sdk`"
    UNSUPPORTED_IMPORT: "unsupported-import" UNPROCESSABLE_ENTITY No
        "The script imports what is not there" "bundle it first: `chancery deploy` and `chancery build` do"
    NO_BASE: "no-base" UNPROCESSABLE_ENTITY No
        "What the script ran in is gone" "restore the file that `detail` names, or deploy the script again"
    HOST: "host" SERVICE_UNAVAILABLE Later
        "The server could not check the module now" "upload it again later"
    MODULE_CONFLICT: "module-conflict" CONFLICT No
        "The module cannot be beside the others" "rename, remove or adopt what `detail` names"
    TOO_MANY_APPS: "too-many-apps" CONFLICT No
        "The server has as many apps as it may have" "use another server"
    TOO_MANY_CONSUMERS: "too-many-consumers" CONFLICT No
        "The app has as many consumers as it may have" "remove one that is not needed"
    TOO_MANY_WEBHOOKS: "too-many-webhooks" CONFLICT No
        "The app has as many webhooks as it may have" "remove one that is not needed"
    TARGET_NOT_ALLOWED: "target-not-allowed" FORBIDDEN No
        "The operator of the server does not allow this target" "have it added to `webhook-targets`"
    BACKUP_EXISTS: "backup-exists" CONFLICT No
        "There is a backup of this name" "choose another name, or none"

    // What handlers say. These stand in `type`; `code` is the handler's own.
    REJECTED: "rejected" CONFLICT NewId
        "Executed and rejected" "act on `code`, which the handler chose"
    FAILED: "failed" INTERNAL_SERVER_ERROR NewId
        "Executed and failed" "mend the handler that `module` and `module_hash` name"
    QUERY_REJECTED: "query-rejected" CONFLICT No
        "The query was rejected" "act on `code`, which the handler chose"
    QUERY_FAILED: "query-failed" INTERNAL_SERVER_ERROR No
        "The query failed" "mend the handler, or ask for less"

    // What passes.
    INBOX_FULL: "inbox-full" SERVICE_UNAVAILABLE SameId
        "Too many commands are waiting" "send it again after `Retry-After`"
    BUSY: "busy" SERVICE_UNAVAILABLE Later
        "Too much is being done at one time" "try again after `Retry-After`"
    RECOVERING: "recovering" SERVICE_UNAVAILABLE SameId
        "The log is being recovered" "send it again with the same id"
    OPENING: "opening" SERVICE_UNAVAILABLE SameId
        "The app is being read from disk" "send it again after `Retry-After`"
    DISK_LOW: "disk-low" SERVICE_UNAVAILABLE SameId
        "The disk is nearly full" "free some space; it recovers by itself"
    SHUTTING_DOWN: "shutting-down" SERVICE_UNAVAILABLE SameId
        "The server is shutting down" "send it again with the same id when it is back"
    NOT_READY: "not-ready" SERVICE_UNAVAILABLE Later
        "Not every app takes commands" "look at `apps`; wait, or see `lane-stopped`"
    NOT_LOGGED: "not-logged" SERVICE_UNAVAILABLE SameId
        "The command was not logged" "send it again with the same id"
    OUTCOME_UNKNOWN: "outcome-unknown" SERVICE_UNAVAILABLE SameId
        "Whether the command was logged is not known" "send it again with the same id"

    // What needs whoever runs the server.
    LANE_STOPPED: "lane-stopped" SERVICE_UNAVAILABLE Later
        "The app takes no commands" "read the server's log, mend the cause, start the server again"
    STORAGE: "storage" INTERNAL_SERVER_ERROR Later
        "The disk failed" "read the server's log; run `chancery serve --check`"
    INTERNAL: "internal" INTERNAL_SERVER_ERROR Later
        "The server failed" "report it, with what the server's log says"
}

/// A code by its text.
pub(super) fn find(code: &str) -> Option<&'static Code> {
    ALL.iter().find(|known| known.code == code)
}
