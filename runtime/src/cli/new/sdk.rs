//! Where a new project's SDK comes from, as its package manager writes it.

use std::path::{Path, PathBuf};

use super::templates::Language;
use crate::cli::Error;
use crate::cli::version::VERSION;

/// Where the SDKs are in the repository.
const IN_REPOSITORY: &str = "guest-sdk";

/// Where an SDK comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    /// A folder: that of one SDK, or the one that has them all.
    Folder(PathBuf),
    /// A git repository.
    Git(String),
    /// What was published.
    Version(String),
}

impl Default for Sdk {
    /// The one beside this program, if it lies where cargo puts it; else the published one.
    fn default() -> Self {
        let program = std::env::current_exe().and_then(|program| program.canonicalize());
        let beside = program.ok().and_then(|program| {
            // <repository>/target/<profile>/chancery
            let sdk = program.ancestors().nth(3)?.join(IN_REPOSITORY);
            sdk.join("rust/Cargo.toml").is_file().then_some(sdk)
        });
        beside.map_or_else(|| Self::Version(VERSION.to_owned()), Self::Folder)
    }
}

impl Sdk {
    /// What somebody wrote.
    pub(super) fn parse(text: &str) -> Self {
        let is_version = text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('/');
        match text.contains("://") || text.starts_with("git@") {
            true => Self::Git(text.to_owned()),
            false if is_version => Self::Version(text.to_owned()),
            false => Self::Folder(text.into()),
        }
    }

    /// The dependency, as it stands in the manifest of this language.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder has no such SDK.
    pub(super) fn dependency(&self, language: Language) -> Result<String, Error> {
        match (self, language) {
            (Self::Folder(folder), _) => Ok(in_folder(folder, language)?),
            (Self::Git(url), Language::Rust) => Ok(format!("{{ git = {} }}", quoted(url))),
            (Self::Git(url), Language::JavaScript) => {
                let begin = if url.starts_with("git") { "" } else { "git+" };
                Ok(quoted(&format!("{begin}{url}")))
            }
            (Self::Version(version), Language::Rust) => Ok(quoted(version)),
            (Self::Version(version), Language::JavaScript) => Ok(quoted(&format!("^{version}"))),
        }
    }
}

fn in_folder(folder: &Path, language: Language) -> Result<String, Error> {
    let (manifest, below) = match language {
        Language::Rust => ("Cargo.toml", "rust"),
        Language::JavaScript => ("package.json", "js"),
    };
    // The folder of all SDKs has the manifest of a workspace.
    let candidates = [folder.join(below), folder.to_owned()];
    let found = candidates.iter().find(|candidate| candidate.join(manifest).is_file());
    let found = found.ok_or_else(|| Error::Usage {
        message: format!(
            "{} has no SDK for this template: there is no {manifest} in it, nor in {below}/",
            folder.display()
        ),
    })?;
    let path = std::path::absolute(found).unwrap_or_else(|_| found.clone());
    let path = path.display().to_string();
    Ok(match language {
        Language::Rust => format!("{{ path = {} }}", quoted(&path)),
        Language::JavaScript => quoted(&format!("file:{path}")),
    })
}

/// A string of TOML and of JSON alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, language: Language) -> String {
        Sdk::parse(text).dependency(language).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_source_is_written_as_each_manifest_wants_it() {
        use Language::{JavaScript, Rust};
        insta::assert_snapshot!(of("0.2.0", Rust), @r#""0.2.0""#);
        insta::assert_snapshot!(of("0.2.0", JavaScript), @r#""^0.2.0""#);
        insta::assert_snapshot!(of("https://host/c.git", Rust), @r#"{ git = "https://host/c.git" }"#);
        insta::assert_snapshot!(of("https://host/c.git", JavaScript), @r#""git+https://host/c.git""#);
        insta::assert_snapshot!(of("git@host:c.git", JavaScript), @r#""git@host:c.git""#);
        insta::assert_snapshot!(of("./nowhere", Rust), @"./nowhere has no SDK for this template: there is no Cargo.toml in it, nor in rust/");
    }

    #[test]
    fn a_folder_may_be_that_of_one_sdk_or_of_all() {
        let all = tempfile::tempdir().expect("a directory");
        std::fs::write(all.path().join("Cargo.toml"), "[workspace]").expect("a file");
        std::fs::create_dir(all.path().join("rust")).expect("a directory");
        std::fs::write(all.path().join("rust/Cargo.toml"), "").expect("a file");
        for folder in [all.path().to_owned(), all.path().join("rust")] {
            let dependency = Sdk::Folder(folder).dependency(Language::Rust).expect("it is there");
            let wanted = format!("{{ path = \"{}/rust\" }}", all.path().display());
            assert_eq!(dependency, wanted);
        }
    }
}
