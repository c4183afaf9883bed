//! Why an upload does not become a module, in words for whoever uploaded it.

use super::manifest::CONTRACT;
use super::script::{ScriptError, ScriptErrorKind};
use crate::value::Hash;

/// Why an upload was refused. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The file is larger than the server takes.
    #[error("the upload has {bytes} bytes; the limit is {bytes_max}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// `Settings::upload_bytes_max`.
        bytes_max: usize,
    },
    /// The file is not WebAssembly at all.
    #[error("this is not WebAssembly but {found}; {fix}")]
    NotWasm {
        /// What it looks like.
        found: String,
        /// What to do.
        fix: &'static str,
    },
    /// It begins as WebAssembly and goes wrong somewhere.
    #[error("invalid WebAssembly at byte {offset}: {reason}")]
    InvalidWasm {
        /// Where.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// A core module that was not built against the contract.
    #[error("{0}")]
    NoContract(String),
    /// A core module that cannot be made into a component.
    #[error("the core module does not become a component: {0}")]
    ComponentizeFailed(String),
    /// Built against another version of the contract.
    #[error("{0}")]
    WrongContract(String),
    /// It wants something the server does not offer.
    #[error(
        "the module imports {}, and only `chancery:app` is offered; {fix}",
        list(.imports)
    )]
    ForeignImports {
        /// All of them.
        imports: Vec<String>,
        /// What to do.
        fix: String,
    },
    /// There is no `manifest` to call.
    #[error(
        "the component does not export `chancery:app/manifest`; export it, \
         with a function `describe` that returns the manifest as JSON"
    )]
    NoManifest,
    /// It has more of something than a module may have.
    #[error("the module has {found} {what}; the limit is {max}")]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// The compiler would not have it.
    #[error("the module does not compile: {0}")]
    CompileFailed(String),
    /// It could not be started, or `describe` did not return.
    #[error("the module could not describe itself: {0}")]
    DescribeFailed(String),
    /// `describe` returned something else than a manifest.
    #[error("invalid manifest{}: {reason}", at(.path))]
    InvalidManifest {
        /// Which member, such as `queries.stock-of.input`; empty for the whole.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was sent as JavaScript and is not text, or its name is not that of a file.
    #[error("{reason}")]
    NotJavaScript {
        /// What is wrong.
        reason: String,
    },
    /// A script that does not become a module.
    #[error("{0}")]
    Script(Box<ScriptError>),
    /// The base of a script is not there: neither the server's own nor among the modules.
    #[error(
        "the script was accepted with the base {hash}, {problem}; restore that file, or deploy \
         the script again"
    )]
    NoBase {
        /// Which.
        hash: Hash,
        /// What is the matter with it, as a clause.
        problem: String,
    },
    /// Nothing is wrong with the upload: the server could not check it now.
    #[error("the server could not check the module: {0}")]
    Host(String),
}

impl Refused {
    /// For programs, and never changed.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "upload-too-large",
            Self::NotWasm { .. } => "not-wasm",
            Self::InvalidWasm { .. } => "invalid-wasm",
            Self::NoContract(_) => "no-contract",
            Self::ComponentizeFailed(_) => "componentize-failed",
            Self::WrongContract(_) => "wrong-contract",
            Self::ForeignImports { .. } => "foreign-imports",
            Self::NoManifest => "no-manifest",
            Self::TooComplex { .. } => "too-complex",
            Self::CompileFailed(_) => "compile-failed",
            Self::DescribeFailed(_) => "describe-failed",
            Self::InvalidManifest { .. } => "invalid-manifest",
            Self::NotJavaScript { .. } => "not-javascript",
            Self::Script(error) => match error.kind {
                ScriptErrorKind::Syntax => "syntax-error",
                ScriptErrorKind::Threw => "script-failed",
                ScriptErrorKind::NoApp => "no-app",
                ScriptErrorKind::UnsupportedImport => "unsupported-import",
            },
            Self::NoBase { .. } => "no-base",
            Self::Host(_) => "host",
        }
    }

    /// Whether the same upload may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Host(_))
    }
}

impl Refused {
    /// For whoever has no other bases than the server's own.
    pub(super) fn no_base<T>(hash: Hash) -> Result<T, Self> {
        Err(Self::NoBase { hash, problem: "which is not the one of this server".to_owned() })
    }

    pub(super) fn unlike(error: &wasmtime::Error) -> Self {
        Self::WrongContract(format!(
            "the module does not fit version {CONTRACT} of the contract: {error:#}; build it \
             with the SDK of this server's version"
        ))
    }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn at(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!(" at `{path}`"),
    }
}
