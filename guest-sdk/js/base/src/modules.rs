//! What scripts may import: the SDK, whose modules are part of this component.

use std::cell::RefCell;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module, Result};

/// What scripts call the SDK, and the folder that its modules are in.
const SDK: &str = "chancery-sdk";

macro_rules! modules {
    ($($path:literal),* $(,)?) => {
        const MODULES: &[(&str, &str)] = &[$(
            (concat!("chancery-sdk/", $path), include_str!(concat!("../../src/", $path))),
        )*];
    };
}

modules! {
    "app.js",
    "bytes.js",
    "calls.js",
    "engine/clone.js",
    "engine/console.js",
    "engine/crypto.js",
    "engine/glue.js",
    "engine/harden.js",
    "engine/host.js",
    "engine/inspect.js",
    "engine/prelude.js",
    "engine/random.js",
    "engine/report.js",
    "engine/text.js",
    "index.js",
    "json.js",
    "key.js",
    "manifest.js",
    "names.js",
    "range.js",
    "reject.js",
    "scan.js",
    "state.js",
    "table.js",
}

thread_local! {
    static REFUSED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The import that was refused last, if one was since this was asked.
pub(crate) fn take_refused() -> Option<String> {
    REFUSED.take()
}

/// Finds the SDK's modules, and those by their paths from one another.
pub(crate) struct Sdk;

impl Resolver for Sdk {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        let is_own = base.starts_with("chancery-sdk/");
        let path = match name {
            SDK => Some(format!("{SDK}/index.js")),
            name if is_own => relative(base, name),
            _ => None,
        };
        path.ok_or_else(|| {
            REFUSED.set(Some(name.to_owned()));
            Error::new_resolving(base, name)
        })
    }
}

impl Loader for Sdk {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        declare(ctx, name)
    }
}

/// Compiles a module of the SDK.
pub(crate) fn declare<'js>(ctx: &Ctx<'js>, name: &str) -> Result<Module<'js, Declared>> {
    let module = MODULES.iter().find(|(path, _)| *path == name);
    let (_, source) = module.ok_or_else(|| Error::new_loading(name))?;
    Module::declare(ctx.clone(), name, *source)
}

/// `./x.js` and `../x.js`, from a module of the SDK.
fn relative(base: &str, name: &str) -> Option<String> {
    let mut folder = base.rsplit_once('/')?.0;
    let mut rest = name;
    if let Some(beside) = rest.strip_prefix("./") {
        rest = beside;
    }
    while let Some(above) = rest.strip_prefix("../") {
        folder = folder.rsplit_once('/')?.0;
        rest = above;
    }
    Some(format!("{folder}/{rest}"))
}
