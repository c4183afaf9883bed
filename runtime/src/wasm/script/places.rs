//! Places in a bundle, told as those in the files that it was made from.
//!
//! Bundlers write a source map (ECMA-426) at the end of what they make. The server takes
//! it off before the script is evaluated, and looks places up in it when something is
//! reported. One that cannot be read is as good as none.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oxc_sourcemap::SourceMap;
use wasmparser::{Parser, Payload};

/// How a map within the file begins, on a line of its own.
const COMMENT: &str = "\n//# sourceMappingURL=";

/// The custom section of a component made of a script that has its map: the file's name,
/// a line break, and the map as it stood in the script.
const SECTION: &str = "chancery-places";

/// A map as text, in bytes. Several times as much is kept of it while the module is.
const MAP_BYTES_MAX: usize = 8 << 20;
/// The name of a source, in bytes: one that is longer is not shown.
const SOURCE_BYTES_MAX: usize = 512;
/// A text that names places, in bytes; what is longer ends there.
const NAMED_BYTES_MAX: usize = 8 << 10;

/// Where a script comes from.
pub(in crate::wasm) struct Places {
    /// What stacks call the script.
    file: String,
    map: SourceMap<'static>,
}

/// A place in a file that somebody wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    /// Counted from 1, as the column.
    pub(super) line: u32,
    pub(super) column: u32,
    /// Which of the sources it is.
    source: u32,
}

/// A script without its map, and the map.
pub(super) fn split(source: &str) -> (&str, Option<&str>) {
    match source.rsplit_once(COMMENT) {
        // What follows further down is code, and this a text within it.
        Some((code, url)) if !url.trim_end().contains('\n') => (code, Some(url.trim_end())),
        _ => (source, None),
    }
}

/// A component with the map of the script that it was made of, if that has one.
pub(in crate::wasm) fn carrying(mut component: Vec<u8>, file: &str, source: &str) -> Vec<u8> {
    if let Some(url) = split(source).1 {
        let data = format!("{file}\n{url}");
        let mut section = Vec::new();
        write_length(SECTION.len(), &mut section);
        section.extend([SECTION.as_bytes(), data.as_bytes()].concat());
        component.push(0);
        write_length(section.len(), &mut component);
        component.extend(section);
    }
    component
}

/// A length as WebAssembly has it (LEB128).
fn write_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(length % 128).unwrap_or_default();
        length /= 128;
        match length {
            0 => return out.push(low),
            _ => out.push(low | 128),
        }
    }
}

impl Places {
    /// What a component carries.
    pub(in crate::wasm) fn carried(component: &[u8]) -> Option<Self> {
        let payloads = Parser::new(0).parse_all(component);
        let mut sections = payloads.filter_map(|payload| match payload.ok()? {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
            _ => None,
        });
        let (file, url) = std::str::from_utf8(sections.next()?).ok()?.split_once('\n')?;
        Self::read(file, url)
    }

    /// Reads the map of a script that is called `file`.
    pub(super) fn read(file: &str, url: &str) -> Option<Self> {
        let (kind, data) = url.split_once(',')?;
        let is_json = kind.starts_with("data:application/json") && kind.ends_with(";base64");
        if !is_json || data.len() > MAP_BYTES_MAX || file.is_empty() {
            return None;
        }
        let text = String::from_utf8(BASE64.decode(data).ok()?).ok()?;
        let map = SourceMap::from_json_string(&text).ok()?.into_owned();
        Some(Self { file: file.to_owned(), map })
    }

    /// What is at a place of the script; lines and columns count from 1.
    pub(super) fn find(&self, line: u32, column: u32) -> Option<Place<'_>> {
        let wanted = (line.checked_sub(1)?, column.saturating_sub(1));
        // Tokens are in the order of the script: the last one that begins at the place or
        // before it, on the same line.
        let at = |index: u32| {
            self.map.get_token(index).map(|token| (token.get_dst_line(), token.get_dst_col()))
        };
        let (mut from, mut to) = (0, u32::try_from(self.map.get_tokens().len()).ok()?);
        while from < to {
            let middle = from.midpoint(to);
            match at(middle) <= Some(wanted) {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        let token = self.map.get_token(from.checked_sub(1)?)?;
        let source = token.get_source_id()?;
        let file = self.map.get_source(source).filter(|file| file.len() <= SOURCE_BYTES_MAX)?;
        (token.get_dst_line() == wanted.0).then_some(Place {
            file,
            line: token.get_src_line().saturating_add(1),
            column: token.get_src_col().saturating_add(1),
            source,
        })
    }

    /// The text of a place's line, if the map has it.
    pub(super) fn line(&self, place: &Place<'_>) -> Option<&str> {
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        self.map.get_source_content(place.source)?.lines().nth(index)
    }

    /// A text with each place of the script in it, such as `main.js:12:7`, replaced by the
    /// one that it comes from.
    pub(in crate::wasm) fn name_in(&self, text: &str) -> String {
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while named.len() < NAMED_BYTES_MAX
            && let Some((before, after)) = rest.split_once(&*self.file)
        {
            named.push_str(before);
            rest = after;
            match place_at(after)
                .and_then(|(line, column, rest)| self.find(line, column).map(|place| (place, rest)))
            {
                Some((Place { file, line, column, .. }, after)) => {
                    named.push_str(&format!("{file}:{line}:{column}"));
                    rest = after;
                }
                None => named.push_str(&self.file),
            }
        }
        named.push_str(rest);
        named
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("file", &self.file).finish_non_exhaustive()
    }
}

/// `:12:7` at the beginning of a text, and what follows it.
fn place_at(text: &str) -> Option<(u32, u32, &str)> {
    let (line, rest) = number_at(text.strip_prefix(':')?)?;
    let (column, rest) = number_at(rest.strip_prefix(':')?)?;
    Some((line, column, rest))
}

fn number_at(text: &str) -> Option<(u32, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}
