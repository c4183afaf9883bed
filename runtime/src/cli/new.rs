//! `chancery new`: a project to begin with, from a template.

mod sdk;
mod templates;

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::Output;
use super::{Error, shell};
use crate::value::Name;
use sdk::Sdk;
use templates::Template;

/// Creates a folder with an application, its tests and a README.
///
/// Nothing that is there is written over: the folder has to be empty, or not there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery new shop
  chancery new shop --template shop-ts
  chancery new apps/shop --template shop-rust --sdk ~/chancery/guest-sdk")]
pub(super) struct New {
    /// The folder; its last part is the module's name: 1 to 64 lower-case letters, digits
    /// and `-`, a letter first.
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// What to begin with.
    #[arg(long, value_enum, default_value_t = Template::Js)]
    template: Template,
    /// Where the SDK comes from: a folder with it, a version, for Rust the address of a git
    /// repository, for JavaScript a tarball; also CHANCERY_SDK [default: the repository that
    /// this program was built in, if it is run from there, else this version as published].
    #[arg(long, value_name = "SOURCE", env = "CHANCERY_SDK", hide_env = true)]
    sdk: Option<String>,
}

impl New {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<(), Error> {
        let name = self.name()?;
        check_empty(&self.folder)?;
        let sdk = match &self.sdk {
            Some(text) => Sdk::parse(text),
            None => Sdk::default(),
        };
        let is_unpublished = sdk == Sdk::Unpublished;
        // A lone script runs without it.
        if is_unpublished && self.template != Template::Js {
            let message = format!("{}; nothing was written", sdk::unpublished());
            return Err(Error::Usage { message });
        }
        let dependency = sdk.dependency(self.template.language())?;
        for (path, text) in self.template.files() {
            let path = self.folder.join(path);
            let text = text.replace("{{name}}", name.as_str()).replace("{{sdk}}", &dependency);
            let parent = path.parent().unwrap_or(&self.folder);
            std::fs::create_dir_all(parent).map_err(|error| Error::unwritable(parent, error))?;
            std::fs::write(&path, text).map_err(|error| Error::unwritable(&path, error))?;
        }
        self.tell(&name, is_unpublished.then(sdk::unpublished), output)
    }

    fn name(&self) -> Result<Name, Error> {
        let folder = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.parse().map_err(|invalid: crate::value::Invalid| Error::Usage {
            message: format!("the folder's name makes no name for the module: {invalid}"),
        })
    }

    fn tell(
        &self,
        name: &Name,
        note: Option<String>,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let next = self.template.next();
        let folder = self.folder.display().to_string();
        if output.for_programs() {
            let files: Vec<&str> = self.template.files().iter().map(|(path, _)| *path).collect();
            let document = serde_json::json!({
                "name": name.as_str(),
                "template": self.template.name(),
                "folder": folder,
                "files": files,
                "next": next,
                "note": note,
            });
            return Ok(output.document(document.to_string().as_bytes())?);
        }
        output.headline(&format!("created {folder}, from {}", self.template.name()))?;
        output.line(&format!("  cd {}", shell::word(&folder)))?;
        next.iter().try_for_each(|line| output.line(&format!("  {line}")))?;
        match note {
            Some(note) => Ok(output.line(&format!(
                "It runs as it is; its types for an editor and its tests with node need the SDK: \
                 {note}"
            ))?),
            None => Ok(()),
        }
    }
}

/// Files of others are never mixed with ours.
fn check_empty(folder: &Path) -> Result<(), Error> {
    let mut entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::File { path: folder.to_owned(), source }),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::Usage {
            message: format!(
                "{} is not empty; nothing was written. Name a folder that is not there yet",
                folder.display()
            ),
        }),
    }
}
