//! Whether a text is one JSON document.
//!
//! The server stores JSON as the text it was given and never builds a tree; it
//! only makes sure that whoever reads the text can.

use serde::de::IgnoredAny;

use super::refusal::Refusal;

/// How deep arrays and objects may be nested: as deep as `serde_json` reads
/// without being told otherwise, so that a handler in Rust can read whatever
/// was stored by one in another language.
pub(super) const JSON_DEPTH_MAX: usize = 127;

/// Checks that a text is one JSON document (RFC 8259), not nested too deeply.
///
/// # Errors
/// [`Refusal::InvalidJson`] or [`Refusal::JsonTooDeep`], with the byte offset.
pub fn check_json(text: &str) -> Result<(), Refusal> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let offset =
            if error.is_eof() { text.len() } else { offset_of(text, error.line(), error.column()) };
        let message = error.to_string();
        // The parser's own place is in lines and columns, which a one-line
        // document has no use for.
        let reason = message.split(" at line ").next().unwrap_or_default().to_owned();
        return Err(Refusal::InvalidJson { offset, reason });
    }
    check_depth(text)
}

/// The byte at a line and column, both counted from 1 as the parser does.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let lines_before = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines_before.map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

/// Bounds the nesting of a well-formed document. The parser passes over nested
/// values without recursion, and so without a bound of its own.
fn check_depth(text: &str) -> Result<(), Refusal> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Err(Refusal::JsonTooDeep { offset });
                }
            }
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    Ok(())
}
