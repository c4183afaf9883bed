//! The templates, as they are in `runtime/templates/`. `{{name}}` and `{{sdk}}` are filled
//! in; two files have other names there, so that no tool takes them for its own.

use clap::ValueEnum;

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Template {
    /// A shop in JavaScript; needs no tool at all.
    #[value(name = "shop-js")]
    Js,
    /// The same in TypeScript; needs Node and npm.
    #[value(name = "shop-ts")]
    Ts,
    /// The same in Rust; needs cargo and the target wasm32-unknown-unknown.
    #[value(name = "shop-rust")]
    Rust,
}

/// In what a template is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// With cargo.
    Rust,
    /// Or TypeScript, with npm.
    JavaScript,
}

/// Where a file goes, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($template:literal: $($path:literal $(from $name:literal)?),* $(,)?) => {
        &[$((
            $path,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/templates/", $template, "/", files!(@ $path $($name)?)
            )),
        )),*]
    };
    (@ $path:literal) => { $path };
    (@ $path:literal $name:literal) => { $name };
}

const SHOP_RUST: &[File] = files!("shop-rust":
    "Cargo.toml" from "Cargo.toml.in",
    ".gitignore" from "gitignore",
    "README.md",
    "src/lib.rs",
    "src/tests.rs",
    "tests/shop.test.json",
);

const SHOP_JS: &[File] = files!("shop-js":
    "package.json" from "package.json.in",
    ".gitignore" from "gitignore",
    "README.md",
    "shop.js",
    "tests/shop.test.js",
    "tests/shop.test.json",
);

const SHOP_TS: &[File] = files!("shop-ts":
    "package.json" from "package.json.in",
    ".gitignore" from "gitignore",
    "README.md",
    "tsconfig.json",
    "src/shop.ts",
    "src/stock.ts",
    "src/types.schema.ts",
    "src/types.ts",
    "tests/shop.test.json",
);

impl Template {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Js => "shop-js",
            Self::Ts => "shop-ts",
            Self::Rust => "shop-rust",
        }
    }

    pub(super) fn language(self) -> Language {
        match self {
            Self::Js | Self::Ts => Language::JavaScript,
            Self::Rust => Language::Rust,
        }
    }

    /// Its files.
    pub(super) fn files(self) -> &'static [File] {
        match self {
            Self::Js => SHOP_JS,
            Self::Ts => SHOP_TS,
            Self::Rust => SHOP_RUST,
        }
    }

    /// What to type next, in the folder.
    pub(super) fn next(self) -> &'static [&'static str] {
        match self {
            Self::Js | Self::Rust => &["chancery dev"],
            Self::Ts => &["npm install", "chancery dev"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_template_is_in_it() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for template in Template::value_variants() {
            let folder = root.join(template.name());
            let mut waiting = vec![folder.clone()];
            let mut number = 0;
            while let Some(directory) = waiting.pop() {
                for entry in std::fs::read_dir(&directory).expect("a directory") {
                    let path = entry.expect("an entry").path();
                    match path.is_dir() {
                        true => waiting.push(path),
                        false => number += 1,
                    }
                }
            }
            assert_eq!(number, template.files().len(), "{}", folder.display());
        }
    }
}
