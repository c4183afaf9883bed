//! JSON Schemas of types that are written in TypeScript, as a module that scripts import.
//!
//! A package says which files have such types: `"chancery": { "schemas": "src/types.ts" }`.
//! What is made of one lies beside it, `src/types.schema.ts`, and belongs in the repository:
//! editors and compilers read it. It says what it was made of, and is made again only when
//! that has changed; so the generator is needed, and its second or two are spent, only then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::tool::{self, missing};
use super::{Error, absolute};
use crate::value::{Hash, Hasher};

/// What makes schemas: a package of the project's own, so that its version is too.
const GENERATOR: &str = "ts-json-schema-generator";
/// Has it make a module, in the root of the project.
const SCRIPT: &str = include_str!("schemas.mjs");
/// How often schemas are made of files that are changed meanwhile.
const TRIES: u32 = 5;
/// Raised when the same types make another module.
const FORM: u32 = 1;
/// What types are written in.
const TYPED: [&str; 3] = ["ts", "mts", "tsx"];
/// The end of the first line of what is made.
const MARK: &str = " by chancery. Edit that file; this one is made again when it changes.";

/// Files of a package that have types of which schemas are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Schemas {
    root: PathBuf,
    files: Vec<String>,
}

/// As a package names them.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`schemas` is the name of a file, or a list of such names")]
pub(super) enum Named {
    One(String),
    Many(Vec<String>),
}

/// The second line of what is made.
#[derive(Serialize, Deserialize)]
struct Header {
    form: u32,
    /// The files that the schemas follow from, as seen from the root.
    sources: Vec<String>,
    /// Of those files, and of what follows the header.
    sha256: String,
}

/// What the script says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Problems { problems: Vec<String> },
    Made { sources: Vec<Source>, made: Vec<Made> },
}

/// A file that schemas follow from, as it was read.
#[derive(Deserialize)]
struct Source {
    path: String,
    sha256: String,
}

#[derive(Deserialize)]
struct Made {
    file: String,
    text: String,
}

impl Schemas {
    /// Those that the package in this directory names.
    pub(super) fn new(root: &Path, named: Option<Named>) -> Self {
        let files = match named {
            None => Vec::new(),
            Some(Named::One(file)) => vec![file],
            Some(Named::Many(files)) => files,
        };
        Self { root: root.to_owned(), files }
    }

    /// Makes what is not as it would be made now. Whatever is as it was stays untouched.
    ///
    /// # Errors
    /// [`Error`]: what is missing and how to get it, or each type that makes no schema, with
    /// its place.
    pub(super) fn make(&self) -> Result<(), Error> {
        if self.files.iter().all(|file| self.is_current(file)) {
            return Ok(());
        }
        // Somebody may save while they are made; what is written is of what is there then.
        for _ in 0..TRIES {
            let (sources, made) = self.generate()?;
            if let Some(read) = self.read_as_it_was(&sources) {
                return self.write(&read, made);
            }
        }
        Err(self.broken("the files are changed faster than schemas are made of them".to_owned()))
    }

    fn write(&self, read: &[(String, Vec<u8>)], made: Vec<Made>) -> Result<(), Error> {
        for Made { file, text } in made {
            let sources = read.iter().map(|(path, _)| path.clone()).collect();
            let header = Header { form: FORM, sources, sha256: digest(read, &text).to_string() };
            let header = serde_json::to_string(&header).unwrap_or_default();
            let text = format!("// Made of {file}{MARK}\n// {header}\n\n{text}");
            write(&self.module(&file), &text)?;
        }
        Ok(())
    }

    /// `src/types.ts` makes `src/types.schema.ts`.
    fn module(&self, file: &str) -> PathBuf {
        let path = self.root.join(file);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "ts"));
        let stem = stem.strip_suffix(".d").unwrap_or(stem);
        let extension = if extension == "mts" { "mts" } else { "ts" };
        path.with_file_name(format!("{stem}.schema.{extension}"))
    }

    fn is_current(&self, file: &str) -> bool {
        let read = || {
            let text = fs::read_to_string(self.module(file)).ok()?;
            let (first, rest) = text.split_once('\n')?;
            let (second, rest) = rest.split_once('\n')?;
            let text = rest.strip_prefix('\n')?;
            let header: Header = serde_json::from_str(second.strip_prefix("// ")?).ok()?;
            let is_made = first == format!("// Made of {file}{MARK}") && header.form == FORM;
            let sha256 = digest(&self.read(&header.sources)?, text).to_string();
            Some(is_made && sha256 == header.sha256)
        };
        read() == Some(true)
    }

    /// What schemas follow from; none if something cannot be read.
    fn read(&self, sources: &[String]) -> Option<Vec<(String, Vec<u8>)>> {
        let read = |path: &String| Some((path.clone(), fs::read(self.root.join(path)).ok()?));
        sources.iter().map(read).collect()
    }

    /// The same, if it is still what the generator read.
    fn read_as_it_was(&self, sources: &[Source]) -> Option<Vec<(String, Vec<u8>)>> {
        let paths: Vec<_> = sources.iter().map(|source| source.path.clone()).collect();
        let read = self.read(&paths)?;
        // The compiler leaves out a mark of the byte order.
        let text = |bytes: &[u8]| Hash::of(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
        let is_same = |((_, bytes), source): (&(String, Vec<u8>), &Source)| {
            text(bytes).to_string() == source.sha256
        };
        read.iter().zip(sources).all(is_same).then_some(read)
    }

    /// What the modules follow from, and each of them.
    fn generate(&self) -> Result<(Vec<Source>, Vec<Made>), Error> {
        self.check_files()?;
        let what = format!("schemas are made of {}, which takes", self.files.join(" and "));
        let Some(node) = tool::on_path("node") else {
            let what = format!("{what} Node, and it is not installed");
            return Err(missing(&what, tool::add_node()));
        };
        if tool::package(&self.root, GENERATOR).is_none() {
            let what = format!("{what} {GENERATOR}, and it is not installed");
            return Err(missing(&what, &tool::in_root(&self.root, tool::ADD_GENERATOR)));
        }
        let mut command = Command::new(node);
        command
            .args(["--input-type=module", "--eval", SCRIPT, "--"])
            .args(&self.files)
            .current_dir(absolute(&self.root))
            .stdin(Stdio::null());
        let output = command.output().map_err(|error| self.broken(error.to_string()))?;
        match serde_json::from_slice(&output.stdout) {
            Ok(Told::Made { sources, made }) if output.status.success() => Ok((sources, made)),
            Ok(Told::Problems { problems }) => Err(self.broken(problems.join("\n"))),
            _ => Err(self.broken(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }

    fn check_files(&self) -> Result<(), Error> {
        for file in &self.files {
            let path = Path::new(file);
            let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
            let reason = match self.root.join(path).is_file() {
                true if TYPED.contains(&extension) => continue,
                true => "is no TypeScript",
                false => "is not there",
            };
            let reason = format!("its `chancery.schemas` names `{file}`, which {reason}");
            return Err(Error::nothing(&self.root.join("package.json"), &reason));
        }
        Ok(())
    }

    fn broken(&self, said: String) -> Error {
        let path = self.files.first().map(|file| self.root.join(file)).unwrap_or_default();
        Error::Broken { tool: GENERATOR, path, said }
    }
}

/// Of what schemas follow from, and of their text.
fn digest(read: &[(String, Vec<u8>)], text: &str) -> Hash {
    let mut hasher = Hasher::default();
    for (path, bytes) in read {
        hasher.add(format!("{path}\n{}\n", bytes.len()).as_bytes());
        hasher.add(bytes);
    }
    hasher.add(text.as_bytes());
    hasher.finish()
}

/// Whether a file was made here: what follows from an edit is no edit.
pub(in crate::cli) fn is_made(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let begins = |text: String| text.lines().next().is_some_and(|first| first.ends_with(MARK));
    name.contains(".schema.") && fs::read_to_string(path).is_ok_and(begins)
}

/// Writes a file whole or not at all, and not if it is so already.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.part"));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    written.map_err(|source| Error::Unwritable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas(root: &Path, files: &[&str]) -> Schemas {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        Schemas::new(root, Some(Named::Many(files)))
    }

    #[test]
    fn what_is_made_lies_beside_what_it_is_made_of() {
        let made = |file| schemas(Path::new("r"), &[file]).module(file).display().to_string();
        assert_eq!(made("src/types.ts"), "r/src/types.schema.ts");
        assert_eq!(made("types.mts"), "r/types.schema.mts");
        assert_eq!(made("api.d.ts"), "r/api.schema.ts");
    }

    /// Neither Node nor a generator is here.
    #[test]
    fn what_is_current_is_not_made_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::write(path("types.ts"), "export type A = string;").expect("a file");
        fs::write(path("money.ts"), "export type B = number;").expect("a file");
        let schemas = schemas(directory.path(), &["types.ts"]);
        assert!(!schemas.is_current("types.ts"), "it is not there");

        let (sources, text) = (vec!["types.ts".to_owned(), "money.ts".to_owned()], "the rest\n");
        let read = schemas.read(&sources).expect("they are there");
        let source = |text: &str| {
            let (path, sha256) = ("types.ts".to_owned(), Hash::of(text.as_bytes()).to_string());
            Source { path, sha256 }
        };
        let as_it_was = |text: &str| schemas.read_as_it_was(&[source(text)]).is_some();
        assert!(as_it_was("export type A = string;"));
        assert!(!as_it_was("export type A = number;"), "it was saved meanwhile");
        let sha256 = digest(&read, text).to_string();
        let header = serde_json::to_string(&Header { form: FORM, sources, sha256 }).expect("JSON");
        let whole = format!("// Made of types.ts{MARK}\n// {header}\n\n{text}");
        let is_current = |text: &str| {
            fs::write(path("types.schema.ts"), text).expect("a file");
            schemas.is_current("types.ts")
        };
        assert!(is_current(&whole));
        assert!(is_made(&path("types.schema.ts")) && !is_made(&path("types.ts")));
        schemas.make().expect("nothing has to be done");
        assert!(!is_current(&whole.replace("the rest", "edited")), "by hand");
        assert!(!is_current(&whole.replace("\"form\":1", "\"form\":0")), "of another program");
        assert!(is_current(&whole));
        fs::write(path("money.ts"), "export type B = string;").expect("a file");
        assert!(!is_current(&whole), "what it imports was changed");
        fs::remove_file(path("money.ts")).expect("a file");
        assert!(!is_current(&whole), "what it imports is gone");
    }
}
