//! What lies at a path, and how a module is made of it: a file that is one, a script, a
//! Rust crate, or a package with JavaScript or TypeScript.
//!
//! Nothing is guessed: what could be meant in two ways is refused, with both.

mod error;
mod inspect;
mod rust;
mod schemas;
mod script;
pub(super) mod tool;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(super) use error::Error;
pub(super) use inspect::Inspected;
pub(super) use schemas::is_made;

use crate::value::{Hash, Name};
use schemas::Schemas;

/// What a module can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Project {
    /// A module that is built already.
    Wasm(PathBuf),
    /// A script, with what it imports.
    Script(Script),
    /// A crate, or a workspace of them.
    Rust {
        /// Where its `Cargo.toml` is.
        root: PathBuf,
    },
}

/// JavaScript or TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// The directory that it belongs to.
    pub(super) root: PathBuf,
    /// The file that has the default export.
    pub(super) entry: PathBuf,
    /// What the module would be called.
    pub(super) name: String,
    /// What its package wants schemas of.
    schemas: Schemas,
}

/// A module that can be deployed.
#[derive(Debug)]
pub(super) struct Module {
    /// What it would be called; a name only if it looks like one.
    pub(super) name: String,
    /// Its file, or the one that it was made of if there is none.
    pub(super) file: PathBuf,
    /// What is uploaded.
    pub(super) bytes: Vec<u8>,
    /// In which language.
    pub(super) kind: Kind,
}

/// What is uploaded.
#[derive(Debug)]
pub(super) enum Kind {
    /// WebAssembly, and what was seen in it.
    Wasm(Inspected),
    /// One file of JavaScript.
    Script {
        /// Made of several files, or of TypeScript.
        bundled: bool,
    },
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    main: Option<String>,
    #[serde(default)]
    chancery: Wishes,
}

/// What a package says to nobody else.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wishes {
    #[serde(default)]
    schemas: Option<schemas::Named>,
}

impl Project {
    /// What lies at a path.
    ///
    /// # Errors
    /// [`Error`], which says what would be taken.
    pub(super) fn at(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::in_directory(path);
        }
        if !path.exists() {
            return Err(Error::nothing(path, "there is no such file or directory"));
        }
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        let root = path.parent().filter(|root| *root != Path::new("")).unwrap_or(Path::new("."));
        match (extension, path.file_name().and_then(|name| name.to_str())) {
            ("wasm", _) => Ok(Self::Wasm(path.to_owned())),
            (_, Some("Cargo.toml")) => Ok(Self::Rust { root: root.to_owned() }),
            (_, Some("package.json")) => Self::package(root),
            (extension, _) if script::EXTENSIONS.contains(&extension) => {
                let schemas = schemas_around(root)?;
                let (root, entry, name) = (root.to_owned(), path.to_owned(), stem(path));
                Ok(Self::Script(Script { root, entry, name, schemas }))
            }
            _ => Err(Error::nothing(path, "it is no .js, .ts or .wasm file and no project")),
        }
    }

    fn in_directory(root: &Path) -> Result<Self, Error> {
        let has = |name: &str| root.join(name).is_file();
        match (has("Cargo.toml"), has("package.json")) {
            (true, true) => {
                let reason = "it has a Cargo.toml and a package.json; name the one that is meant";
                Err(Error::nothing(root, reason))
            }
            (true, false) => Ok(Self::Rust { root: root.to_owned() }),
            (false, true) => Self::package(root),
            (false, false) => Self::lone_script(root),
        }
    }

    /// A package whose `main` is the module.
    fn package(root: &Path) -> Result<Self, Error> {
        let path = root.join("package.json");
        let package = Package::read(&path)?;
        let Some(main) = package.main else {
            let reason = "it has no `main`, which says what file is the module; add one, such as \
                          \"main\": \"shop.js\"";
            return Err(Error::nothing(&path, reason));
        };
        let entry = root.join(&main);
        if !entry.is_file() {
            return Err(Error::nothing(&path, &format!("its `main`, `{main}`, is not there")));
        }
        // `@scope/name` is a name within a scope.
        let name = package.name.as_deref().and_then(|name| name.rsplit('/').next());
        let name = name.map_or_else(|| stem(&entry), str::to_owned);
        let schemas = Schemas::new(root, package.chancery.schemas);
        Ok(Self::Script(Script { root: root.to_owned(), entry, name, schemas }))
    }

    /// A directory with one script and nothing else to go by.
    fn lone_script(root: &Path) -> Result<Self, Error> {
        let entries = std::fs::read_dir(root);
        let entries =
            entries.map_err(|source| Error::Unreadable { path: root.to_owned(), source })?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut scripts: Vec<PathBuf> = paths.filter(|path| script::is_module(path)).collect();
        scripts.sort();
        match scripts.as_slice() {
            [one] => Self::at(one),
            [] => Err(Error::nothing(
                root,
                "it has no Cargo.toml, no package.json and no script; `chancery new` begins one",
            )),
            _ => Err(Error::nothing(root, "it has several scripts; name the one that is meant")),
        }
    }

    /// The directory that it belongs to.
    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Wasm(path) => match path.parent() {
                Some(root) if root != Path::new("") => root,
                _ => Path::new("."),
            },
            Self::Script(script) => &script.root,
            Self::Rust { root } => root,
        }
    }

    /// What its module would be called, if that can be said before it is built.
    pub(super) fn module_name(&self) -> Option<String> {
        match self {
            Self::Wasm(path) => Some(stem(path)),
            Self::Script(script) => Some(script.name.clone()),
            Self::Rust { .. } => None,
        }
    }

    /// What it is written in, for people.
    pub(super) fn language(&self) -> &'static str {
        match self {
            Self::Wasm(_) => "WebAssembly",
            Self::Script(script) if script.is_typed() => "TypeScript",
            Self::Script(_) => "JavaScript",
            Self::Rust { .. } => "Rust",
        }
    }

    /// Builds every module that it has; one but for a workspace of crates.
    ///
    /// # Errors
    /// [`Error`]: the tool that is missing and how to get it, or what is broken.
    pub(super) fn build(&self) -> Result<Vec<Module>, Error> {
        match self {
            Self::Wasm(path) => Ok(vec![Module::wasm(path)?]),
            Self::Script(script) => Ok(vec![script.build()?]),
            Self::Rust { root } => rust::build(root),
        }
    }

    /// As [`Project::build`], of a project that has one module, or one of this name.
    ///
    /// # Errors
    /// As [`Project::build`], or if it has another number of modules.
    pub(super) fn build_one(&self, name: Option<&Name>) -> Result<Module, Error> {
        let mut modules = self.build()?;
        if modules.len() > 1 {
            let names: Vec<String> = modules.iter().map(|module| module.name.clone()).collect();
            modules.retain(|module| name.is_some_and(|name| name.as_str() == module.name));
            if modules.is_empty() {
                return Err(Error::several(self.root(), &names));
            }
        }
        modules.pop().ok_or_else(|| Error::nothing(self.root(), "it builds no module"))
    }
}

impl Module {
    /// A file that was built.
    fn wasm(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        let inspected = inspect::inspect(path, &bytes)?;
        Ok(Self { name: stem(path), file: path.to_owned(), bytes, kind: Kind::Wasm(inspected) })
    }

    /// The same as a component, if it is a script: made by the engine that is in this
    /// program, and so for any server that takes components.
    ///
    /// # Errors
    /// [`Error`], as the server would refuse the script.
    pub(super) fn into_component(self) -> Result<Self, Error> {
        let Some(file) = self.script_name() else {
            return Ok(self);
        };
        let bytes = inspect::component_of(&self.file, &file, &self.bytes)?;
        let inspected = inspect::inspect(&self.file, &bytes)?;
        Ok(Self { bytes, kind: Kind::Wasm(inspected), ..self })
    }

    /// The name that it is deployed under, unless somebody says another.
    ///
    /// # Errors
    /// [`Error`] if what it is called cannot be a name.
    pub(super) fn module_name(&self) -> Result<Name, Error> {
        self.name.parse().map_err(|invalid: crate::value::Invalid| {
            Error::nothing(
                &self.file,
                &format!("its name makes no name for the module: {invalid}; say --name"),
            )
        })
    }

    /// The media type of what is uploaded.
    pub(super) fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Wasm(_) => "application/wasm",
            Kind::Script { .. } => "text/javascript",
        }
    }

    /// What stacks are to call a script.
    pub(super) fn script_name(&self) -> Option<String> {
        match self.kind {
            Kind::Wasm(_) => None,
            Kind::Script { bundled: true } => Some(format!("{}.js", self.name)),
            Kind::Script { bundled: false } => {
                Some(self.file.file_name()?.to_string_lossy().into_owned())
            }
        }
    }

    /// SHA-256 of what is uploaded. Of WebAssembly it is the version's hash; that of a
    /// script is the server's to say, because it depends on the engine that it has.
    pub(super) fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }
}

impl Package {
    fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        serde_json::from_str(&text)
            .map_err(|error| Error::nothing(path, &format!("it is no package: {error}")))
    }
}

/// What the package around a script wants schemas of, so that the script is the same by
/// whatever name it is built.
fn schemas_around(root: &Path) -> Result<Schemas, Error> {
    let all = absolute(root);
    let package = all.ancestors().find(|directory| directory.join("package.json").is_file());
    let Some(package) = package else {
        return Ok(Schemas::default());
    };
    // Told as it was written, where that is possible.
    let root = if package == all { root } else { package };
    Ok(Schemas::new(root, Package::read(&root.join("package.json"))?.chancery.schemas))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The name that a file suggests: compilers write `_` where names have `-`.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.replace('_', "-")
}

#[cfg(test)]
mod tests;
