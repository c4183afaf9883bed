//! JSON laid out for people without being parsed: order of members and digits of
//! numbers stay as they were sent.

/// A document over several lines, two spaces a level. What is not JSON comes out
/// in some form, but comes out.
pub(super) fn indented(text: &str) -> String {
    let mut layout = Layout::default();
    for c in text.chars() {
        layout.take(c);
    }
    layout.out
}

/// A document on one line.
pub(super) fn compact(text: &str) -> String {
    let mut string = InString::default();
    let keep = |c: &char| string.take(*c) || !c.is_ascii_whitespace();
    text.chars().filter(keep).collect()
}

/// Whether the character at hand is part of a string.
#[derive(Default)]
struct InString {
    inside: bool,
    escaped: bool,
}

impl InString {
    fn take(&mut self, c: char) -> bool {
        if !self.inside {
            self.inside = c == '"';
            return self.inside;
        }
        match c {
            _ if self.escaped => self.escaped = false,
            '\\' => self.escaped = true,
            '"' => self.inside = false,
            _ => {}
        }
        true
    }
}

#[derive(Default)]
struct Layout {
    out: String,
    string: InString,
    depth: usize,
    /// An opening bracket that nothing has followed yet: `{}` stays on one line.
    opened: bool,
}

impl Layout {
    fn take(&mut self, c: char) {
        if self.string.take(c) {
            self.begin();
            return self.out.push(c);
        }
        match c {
            '{' | '[' => {
                self.begin();
                self.out.push(c);
                self.depth += 1;
                self.opened = true;
            }
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                if !std::mem::take(&mut self.opened) {
                    self.new_line();
                }
                self.out.push(c);
            }
            ',' => {
                self.out.push(c);
                self.new_line();
            }
            ':' => self.out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                self.begin();
                self.out.push(c);
            }
        }
    }

    /// A bracket turns out to hold something.
    fn begin(&mut self) {
        if std::mem::take(&mut self.opened) {
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_changes_nothing_but_whitespace() {
        let text = r#"{"b":[1.50,2e3,[]],"a":{},"s":"x, \"{y}\" \\","n":null}"#;
        insta::assert_snapshot!(indented(text), @r#"
        {
          "b": [
            1.50,
            2e3,
            []
          ],
          "a": {},
          "s": "x, \"{y}\" \\",
          "n": null
        }
        "#);
        assert_eq!(compact(&indented(text)), text);
        assert_eq!(indented("12"), "12");
    }

    #[test]
    fn what_is_not_json_comes_out_all_the_same() {
        assert_eq!(indented("]]}\"open"), "\n]\n]\n}\"open");
        assert_eq!(compact("a b"), "ab");
    }
}
