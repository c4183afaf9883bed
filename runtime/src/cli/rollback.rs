//! `chancery rollback`: puts a module back to a version that was deployed before.

use clap::Args;
use http::Method;
use serde::Deserialize;

use super::client::Client;
use super::output::Output;
use super::receipt::{Receipt, short};
use super::{Error, deploy};

/// Hashes may be shortened to so many digits; fewer are too likely to be two.
const DIGITS_MIN: usize = 4;

/// Puts a module back to the version that was in place before this one.
///
/// It is a deployment like any other: an entry, with the same checks, and nothing that
/// commands did is undone. Doing it again goes back to where it began.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery rollback --check
  chancery rollback shop
  chancery rollback shop --to 6ca13d52")]
pub(super) struct Rollback {
    /// The module [default: the only one of the app].
    module: Option<String>,
    /// The version to go back to: its hash, or the first digits of it, 4 at least;
    /// `chancery modules show <name>` lists them [default: the one that was in place
    /// before].
    #[arg(long, value_name = "HASH")]
    to: Option<String>,
    /// Only shows what would change.
    #[arg(long)]
    check: bool,
}

#[derive(Deserialize)]
struct List {
    modules: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

#[derive(Deserialize)]
struct Shown {
    name: String,
    hash: String,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    hash: String,
}

impl Rollback {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let name = match &self.module {
            Some(name) => name.clone(),
            None => only_one(client)?,
        };
        let (shown, _) = client.read::<Shown>(client.request(Method::GET, &["modules", &name]))?;
        let to = match &self.to {
            Some(digits) => shown.version(digits)?,
            None => shown.before()?,
        };
        let (deployed, answer) = deploy::kept(client, &shown.name, &to, self.check)?;
        if output.for_programs() {
            output.document(&answer.body)?;
        }
        if let Some(refusal) = deployed.receipt.as_ref().and_then(Receipt::refusal) {
            return Err(refusal);
        }
        if !output.for_programs() {
            output.headline(&self.headline(&shown, &to, deployed.receipt.as_ref()))?;
            deployed.plan.write(output)?;
        }
        Ok(())
    }

    fn headline(&self, shown: &Shown, to: &str, receipt: Option<&Receipt>) -> String {
        let (name, to) = (&shown.name, short(to));
        match receipt {
            _ if self.check => format!("{name} can go back to {to}; nothing was done"),
            None => format!("{name} {to} is in place already; nothing to do"),
            Some(receipt) if receipt.is_settled() => {
                format!("rolled back {name} to {to} as entry {}", receipt.sequence)
            }
            Some(receipt) => {
                let entry = receipt.sequence;
                format!("{name} to {to} is logged as entry {entry}; its turn has not come")
            }
        }
    }
}

fn only_one(client: &Client) -> Result<String, Error> {
    let (list, _) = client.read::<List>(client.request(Method::GET, &["modules"]))?;
    let names: Vec<String> = list.modules.into_iter().map(|module| module.name).collect();
    let message = match names.as_slice() {
        [one] => return Ok(one.clone()),
        [] => "the app has no module that could be rolled back".to_owned(),
        _ => format!("say which module: {}", names.join(", ")),
    };
    Err(Error::Usage { message })
}

impl Shown {
    /// The last version that is not the one in place.
    fn before(&self) -> Result<String, Error> {
        let mut latest_first = self.versions.iter().rev().map(|version| &version.hash);
        let before = latest_first.find(|hash| **hash != self.hash);
        before.cloned().ok_or_else(|| Error::Usage {
            message: format!("`{}` has had one version only; there is none before it", self.name),
        })
    }

    /// The one version whose hash begins so.
    fn version(&self, digits: &str) -> Result<String, Error> {
        let digits = digits.trim_end_matches('…').to_ascii_lowercase();
        if digits.len() < DIGITS_MIN {
            let message = format!("`{digits}` is too short; give {DIGITS_MIN} digits at least");
            return Err(Error::Usage { message });
        }
        let mut found: Vec<&String> = Vec::new();
        for Version { hash } in &self.versions {
            if hash.starts_with(&digits) && !found.contains(&hash) {
                found.push(hash);
            }
        }
        let name = &self.name;
        let message = match found.as_slice() {
            [one] => return Ok((*one).clone()),
            [] => format!(
                "no version of `{name}` begins with `{digits}`; `chancery modules show {name}` \
                 lists them"
            ),
            _ => format!("{} versions of `{name}` begin with `{digits}`", found.len()),
        };
        Err(Error::Usage { message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(in_place: &str, versions: &[&str]) -> Shown {
        let versions = versions.iter().map(|hash| Version { hash: (*hash).to_owned() });
        Shown { name: "shop".into(), hash: in_place.into(), versions: versions.collect() }
    }

    fn told(found: Result<String, Error>) -> String {
        found.unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_version_before_is_the_last_one_that_is_another() {
        assert_eq!(told(shown("b", &["a", "b"]).before()), "a");
        assert_eq!(told(shown("a", &["a", "b", "a"]).before()), "b");
        insta::assert_snapshot!(told(shown("a", &["a", "a"]).before()), @"`shop` has had one version only; there is none before it");
    }

    #[test]
    fn a_version_is_found_by_its_first_digits() {
        let shown = shown("abcd12", &["abcd12", "abcd34", "ef0000", "abcd12"]);
        assert_eq!(told(shown.version("ABCD1")), "abcd12");
        assert_eq!(told(shown.version("ef0000")), "ef0000");
        insta::assert_snapshot!(told(shown.version("abc")), @"`abc` is too short; give 4 digits at least");
        insta::assert_snapshot!(told(shown.version("abcd")), @"2 versions of `shop` begin with `abcd`");
        insta::assert_snapshot!(told(shown.version("00000")), @"no version of `shop` begins with `00000`; `chancery modules show shop` lists them");
    }
}
