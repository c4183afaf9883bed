//! What an upload that is not WebAssembly looks like: people send the wrong file
//! more often than a broken one.

use crate::wasm::Refused;

const MAGIC: &[u8] = b"\0asm";
const BUILD: &str = "upload the `.wasm` file your build made";

/// Begins of files, what they are called, and what to do instead.
const KINDS: [(&[u8], &str, &str); 8] = [
    (b"\x1f\x8b", "gzip", "upload it uncompressed"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it and upload the `.wasm` file in it"),
    (b"\x28\xb5\x2f\xfd", "zstd", "upload it uncompressed"),
    (b"\x7fELF", "a native program (ELF)", "build for wasm32-unknown-unknown"),
    (b"\xcf\xfa\xed\xfe", "a native program (Mach-O)", "build for wasm32-unknown-unknown"),
    (b"MZ", "a native program (PE)", "build for wasm32-unknown-unknown"),
    (b"!<arch>\n", "a static library", "build a `cdylib`"),
    (b"%PDF", "a PDF", BUILD),
];

/// Begins of texts, after white space, in lower case.
const TEXTS: [(&str, &str, &str); 6] = [
    ("<", "HTML or XML", BUILD),
    ("(module", "WebAssembly text", "convert it with `wasm-tools parse`"),
    ("(component", "WebAssembly text", "convert it with `wasm-tools parse`"),
    ("package ", "WIT", BUILD),
    ("{", "JSON", BUILD),
    ("[", "JSON or TOML", BUILD),
];

const JAVASCRIPT: [&str; 9] =
    ["import ", "export ", "const ", "let ", "var ", "function", "class ", "//", "/*"];

/// How much of a file is looked at, in bytes.
const HEAD_BYTES: usize = 512;

/// Refuses what does not begin as WebAssembly does.
pub(super) fn check(upload: &[u8]) -> Result<(), Refused> {
    if upload.starts_with(MAGIC) {
        return Ok(());
    }
    let (found, fix) = describe(upload);
    Err(Refused::NotWasm { found, fix })
}

fn describe(upload: &[u8]) -> (String, &'static str) {
    if upload.is_empty() {
        return ("nothing: 0 bytes".into(), BUILD);
    }
    if MAGIC.starts_with(upload) {
        return ("the first bytes of a module, cut off".into(), "upload the whole file");
    }
    for (begin, what, fix) in KINDS {
        if upload.starts_with(begin) {
            return (what.into(), fix);
        }
    }
    let head = upload.get(..HEAD_BYTES).unwrap_or(upload);
    match text(head) {
        Some(text) => describe_text(text),
        None => (format!("something that begins with the bytes {}", hex(head)), BUILD),
    }
}

fn describe_text(text: &str) -> (String, &'static str) {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let text = text.to_ascii_lowercase();
    for (begin, what, fix) in TEXTS {
        if text.starts_with(begin) {
            return (what.into(), fix);
        }
    }
    if JAVASCRIPT.iter().any(|begin| text.starts_with(begin)) {
        let fix = "send it as `text/javascript`";
        return ("JavaScript text".into(), fix);
    }
    let begin: String = text.chars().take(20).collect();
    (format!("text that begins with {begin:?}"), BUILD)
}

/// The bytes as text, if they are that; the last character may be cut in two.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let is_plain = |c: char| !c.is_control() || c.is_whitespace();
    text.chars().all(is_plain).then_some(text)
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}
