//! Where a new project's SDK comes from, as its package manager writes it.

use std::path::{Path, PathBuf};

use super::templates::Language;
use crate::cli::Error;
use crate::cli::version::VERSION;

/// Where the SDKs are in the repository.
const IN_REPOSITORY: &str = "guest-sdk";
/// Whether those of this version are published: else no package manager finds them.
const IS_PUBLISHED: bool = false;
/// What tarballs end in.
const TARBALLS: [&str; 2] = [".tgz", ".tar.gz"];

/// Where an SDK comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    /// A folder: that of one SDK, or the one that has them all.
    Folder(PathBuf),
    /// A git repository.
    Git(String),
    /// What `npm pack` makes, by its address or path.
    Tarball(String),
    /// What was published.
    Version(String),
    /// That of this version, which is not published.
    Unpublished,
}

impl Default for Sdk {
    /// The one beside this program, if it lies where cargo puts it; else the published one.
    fn default() -> Self {
        let program = std::env::current_exe().and_then(|program| program.canonicalize());
        program.ok().and_then(|program| Self::beside(&program)).unwrap_or(match IS_PUBLISHED {
            true => Self::Version(VERSION.to_owned()),
            false => Self::Unpublished,
        })
    }
}

impl Sdk {
    /// That of the repository that a program was built in.
    fn beside(program: &Path) -> Option<Self> {
        // <repository>/target/<profile>/chancery
        let sdk = program.ancestors().nth(3)?.join(IN_REPOSITORY);
        sdk.join("rust/Cargo.toml").is_file().then_some(Self::Folder(sdk))
    }

    /// What somebody wrote.
    pub(super) fn parse(text: &str) -> Self {
        let is_version = text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('/');
        let is_tarball = TARBALLS.iter().any(|end| text.ends_with(end));
        match text.contains("://") || text.starts_with("git@") {
            _ if is_tarball => Self::Tarball(text.to_owned()),
            true => Self::Git(text.to_owned()),
            false if is_version => Self::Version(text.to_owned()),
            false => Self::Folder(text.into()),
        }
    }

    /// The dependency, as it stands in the manifest of this language.
    ///
    /// # Errors
    /// [`Error::Usage`] if it has no such SDK, or the language's tool cannot take it from
    /// there.
    pub(super) fn dependency(&self, language: Language) -> Result<String, Error> {
        match (self, language) {
            (Self::Folder(folder), _) => Ok(in_folder(folder, language)?),
            (Self::Git(url), Language::Rust) => Ok(format!("{{ git = {} }}", quoted(url))),
            // The root of the repository is no package, and npm looks nowhere else.
            (Self::Git(url), Language::JavaScript) => Err(Error::Usage {
                message: format!(
                    "npm cannot take the SDK from the repository {url}, where it is in a folder; \
                     say --sdk with guest-sdk of a clone, with a tarball that `npm pack` makes of \
                     guest-sdk/js (a path or an address that ends in .tgz), or with a version"
                ),
            }),
            (Self::Tarball(place), Language::JavaScript) => in_tarball(place),
            (Self::Tarball(place), Language::Rust) => Err(Error::Usage {
                message: format!(
                    "cargo cannot take the SDK from the tarball {place}; say --sdk with the folder \
                     that it unpacks to, with the address of a git repository, or with a version"
                ),
            }),
            (Self::Version(version), Language::Rust) => Ok(quoted(version)),
            (Self::Version(version), Language::JavaScript) => Ok(quoted(&format!("^{version}"))),
            (Self::Unpublished, Language::Rust) => Ok(quoted(VERSION)),
            (Self::Unpublished, Language::JavaScript) => Ok(quoted(&format!("^{VERSION}"))),
        }
    }
}

/// What there is to know of an SDK that is not published.
pub(super) fn unpublished() -> String {
    format!(
        "chancery-sdk {VERSION} is not published yet, so npm and cargo do not find it; --sdk says \
         where it is: guest-sdk of Chancery's repository"
    )
}

fn in_tarball(place: &str) -> Result<String, Error> {
    if place.contains("://") {
        return Ok(quoted(place));
    }
    let path = Path::new(place);
    if !path.is_file() {
        return Err(Error::Usage { message: format!("there is no tarball at {place}") });
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(quoted(&format!("file:{}", path.display())))
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
        let refused = of("https://host/c.git", JavaScript);
        insta::assert_snapshot!(refused, @"npm cannot take the SDK from the repository https://host/c.git, where it is in a folder; say --sdk with guest-sdk of a clone, with a tarball that `npm pack` makes of guest-sdk/js (a path or an address that ends in .tgz), or with a version");
        assert!(of("git@host:c.git", JavaScript).starts_with("npm cannot take"));
        insta::assert_snapshot!(of("https://host/sdk-0.1.0.tgz", JavaScript), @r#""https://host/sdk-0.1.0.tgz""#);
        insta::assert_snapshot!(of("./none.tgz", JavaScript), @"there is no tarball at ./none.tgz");
        insta::assert_snapshot!(of("https://host/sdk.tar.gz", Rust), @"cargo cannot take the SDK from the tarball https://host/sdk.tar.gz; say --sdk with the folder that it unpacks to, with the address of a git repository, or with a version");
        insta::assert_snapshot!(of("./nowhere", Rust), @"./nowhere has no SDK for this template: there is no Cargo.toml in it, nor in rust/");
    }

    #[test]
    fn a_tarball_is_taken_by_its_path() {
        let directory = tempfile::tempdir().expect("a directory");
        let tarball = directory.path().join("chancery-sdk-0.1.0.tgz");
        std::fs::write(&tarball, "").expect("a file");
        let place = tarball.display().to_string();
        assert_eq!(of(&place, Language::JavaScript), format!("\"file:{place}\""));
    }

    #[test]
    fn a_program_of_a_repository_takes_its_sdk() {
        let repository = tempfile::tempdir().expect("a directory");
        let program = repository.path().join("target/release/chancery");
        assert_eq!(Sdk::beside(&program), None, "an installed one has none");
        let sdk = repository.path().join("guest-sdk");
        std::fs::create_dir_all(sdk.join("rust")).expect("a directory");
        std::fs::write(sdk.join("rust/Cargo.toml"), "").expect("a file");
        assert_eq!(Sdk::beside(&program), Some(Sdk::Folder(sdk)));
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
