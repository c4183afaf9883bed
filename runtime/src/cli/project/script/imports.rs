//! What a script imports, found without a tool and without understanding the rest of it.
//!
//! The text is taken apart into words, strings and marks, as far as it takes to know what
//! is code: comments, strings, templates and regular expressions are not. Whether a `/`
//! divides or begins a regular expression depends on what stands before it, and in a few
//! odd places on more than is looked at here; what is mistaken then ends with its line.

/// Words after which an expression begins, and so may a regular expression.
const BEFORE_EXPRESSIONS: [&str; 15] = [
    "return",
    "typeof",
    "case",
    "do",
    "else",
    "in",
    "instanceof",
    "new",
    "of",
    "void",
    "delete",
    "throw",
    "yield",
    "await",
    "extends",
];
/// Words whose parentheses are followed by a statement, not by an operator.
const BEFORE_STATEMENTS: [&str; 4] = ["if", "while", "for", "with"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A name, a keyword, or a number.
    Word(&'a str),
    /// What is between quotes, as it is written.
    Text(&'a str),
    /// A template with something filled in, of which no more is known.
    Template,
    Regex,
    Mark(char),
    /// `...`, `++` and `--`, which their characters one by one are not.
    Spread,
    Step,
}

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// A parenthesis, and whether a statement follows it.
    Parenthesis {
        is_head: bool,
    },
    Bracket,
    /// A brace, and whether it is that of an object.
    Brace {
        is_object: bool,
    },
    /// What is filled into a template.
    Filling,
}

/// The modules that a script imports, each as often as it does so, in their order: of
/// `import` and `export … from`, and of `import()` with one text.
pub(super) fn imports(source: &str) -> Vec<&str> {
    let tokens = Lexer::new(source).tokens();
    let at = |index: usize| tokens.get(index).copied();
    let mut found = Vec::new();
    for (index, token) in tokens.iter().copied().enumerate() {
        // What follows a dot is the name of a member.
        if index.checked_sub(1).and_then(at) == Some(Token::Mark('.')) {
            continue;
        }
        let (next, rest) = (at(index + 1), tokens.get(index + 1..).unwrap_or_default());
        found.extend(match (token, next) {
            (Token::Word("import"), Some(Token::Text(module))) => Some(module),
            (Token::Word("import"), Some(Token::Mark('('))) => match (at(index + 2), at(index + 3))
            {
                (Some(Token::Text(module)), Some(Token::Mark(')' | ','))) => Some(module),
                _ => None,
            },
            (Token::Word("import"), Some(Token::Word(_) | Token::Mark('{' | '*'))) => origin(rest),
            (Token::Word("export"), Some(Token::Mark('{' | '*'))) => origin(rest),
            _ => None,
        });
    }
    found
}

/// Where the names come from that a declaration begins with.
fn origin<'a>(tokens: &[Token<'a>]) -> Option<&'a str> {
    let mut is_closed = false;
    for pair in tokens.windows(2) {
        match (*pair.first()?, *pair.get(1)?) {
            (Token::Word("from"), Token::Text(module)) => return Some(module),
            // Another statement.
            _ if is_closed => return None,
            (Token::Mark('}'), _) => is_closed = true,
            (Token::Word(_) | Token::Text(_) | Token::Mark('{' | ',' | '*'), _) => {}
            _ => return None,
        }
    }
    None
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
    open: Vec<Open>,
    /// What was closed by the last token, if it closed something.
    closed: Option<Open>,
}

impl<'a> Lexer<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, at: 0, tokens: Vec::new(), open: Vec::new(), closed: None }
    }

    fn tokens(mut self) -> Vec<Token<'a>> {
        if self.source.starts_with("#!") {
            self.skip_line();
        }
        while let Some(next) = self.rest().chars().next() {
            let begin = self.at;
            self.at += next.len_utf8();
            match next {
                _ if next.is_whitespace() => {}
                '/' if self.rest().starts_with('/') => self.skip_line(),
                '/' if self.rest().starts_with('*') => self.skip_past(1, "*/"),
                '/' => self.slash(),
                '"' | '\'' => self.text(next),
                '`' => self.template(begin + 1, true),
                _ if is_of_word(next) => {
                    let length = self.rest().find(|c| !is_of_word(c));
                    self.at = length.map_or(self.source.len(), |length| self.at + length);
                    self.push(Token::Word(self.source.get(begin..self.at).unwrap_or_default()));
                }
                '.' if self.rest().starts_with("..") => {
                    self.at += 2;
                    self.push(Token::Spread);
                }
                '+' | '-' if self.rest().starts_with(next) => {
                    self.at += 1;
                    self.push(Token::Step);
                }
                _ => self.mark(next),
            }
        }
        self.tokens
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token<'a>) {
        self.tokens.push(token);
        self.closed = None;
    }

    fn skip_line(&mut self) {
        let length = self.rest().find(['\n', '\u{2028}', '\u{2029}']);
        self.at = length.map_or(self.source.len(), |length| self.at + length);
    }

    fn skip_past(&mut self, from: usize, end: &str) {
        self.at += from;
        let length = self.rest().find(end);
        self.at = length.map_or(self.source.len(), |length| self.at + length + end.len());
    }

    fn text(&mut self, quote: char) {
        let begin = self.at;
        let mut is_escaped = false;
        for (index, c) in self.rest().char_indices() {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                // One that does not end is wrong, or was none.
                _ if c == quote || c == '\n' => {
                    self.at = begin + index + 1;
                    let text = self.source.get(begin..begin + index);
                    return self.push(Token::Text(text.unwrap_or_default()));
                }
                _ => {}
            }
        }
        self.at = self.source.len();
    }

    /// A template from behind its quote, or from behind something that was filled in.
    fn template(&mut self, begin: usize, is_whole: bool) {
        self.at = begin;
        let mut before = ' ';
        for (index, c) in self.rest().char_indices() {
            let end = begin + index;
            // What is escaped means nothing, not even to what follows.
            let c = if before == '\\' { ' ' } else { c };
            match c {
                '`' => {
                    self.at = end + 1;
                    let text = self.source.get(begin..end).unwrap_or_default();
                    return self.push(if is_whole { Token::Text(text) } else { Token::Template });
                }
                '{' if before == '$' => {
                    self.at = end + 1;
                    self.open.push(Open::Filling);
                    // An expression begins.
                    return self.push(Token::Mark('('));
                }
                _ => {}
            }
            before = c;
        }
        self.at = self.source.len();
    }

    fn mark(&mut self, mark: char) {
        let mut closed = None;
        match mark {
            '(' => {
                let is_head = self.follows_one_of(&BEFORE_STATEMENTS);
                self.open.push(Open::Parenthesis { is_head });
            }
            '[' => self.open.push(Open::Bracket),
            '{' => {
                let is_object = self.begins_object();
                self.open.push(Open::Brace { is_object });
            }
            ')' | ']' => closed = self.open.pop(),
            '}' => {
                closed = self.open.pop();
                if closed == Some(Open::Filling) {
                    return self.template(self.at, false);
                }
            }
            _ => {}
        }
        self.push(Token::Mark(mark));
        self.closed = closed;
    }

    /// A `/` that begins no comment.
    fn slash(&mut self) {
        match self.regex_end().filter(|_| self.begins_expression()) {
            Some(end) => {
                self.at = end;
                self.push(Token::Regex);
            }
            None => self.push(Token::Mark('/')),
        }
    }

    /// Where a regular expression would end that begins here; on this line, if it is one.
    fn regex_end(&self) -> Option<usize> {
        let (mut is_escaped, mut is_in_class) = (false, false);
        for (index, c) in self.rest().char_indices() {
            match c {
                '\n' => return None,
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '[' => is_in_class = true,
                ']' => is_in_class = false,
                '/' if !is_in_class => return Some(self.at + index + 1),
                _ => {}
            }
        }
        None
    }

    /// Whether an expression may begin here, as against an operator.
    fn begins_expression(&self) -> bool {
        match self.tokens.last() {
            None | Some(Token::Spread) => true,
            Some(Token::Word(_)) => self.follows_one_of(&BEFORE_EXPRESSIONS),
            Some(Token::Text(_) | Token::Template | Token::Regex | Token::Step) => false,
            Some(Token::Mark(')')) => self.closed == Some(Open::Parenthesis { is_head: true }),
            Some(Token::Mark(']')) => false,
            Some(Token::Mark('}')) => self.closed != Some(Open::Brace { is_object: true }),
            Some(Token::Mark(_)) => true,
        }
    }

    /// Whether a brace here is that of an object, as against a block or a body.
    fn begins_object(&self) -> bool {
        match self.tokens.last() {
            Some(Token::Word(_)) => self.follows_one_of(&["return", "throw", "yield", "of", "in"]),
            Some(Token::Mark('>')) => {
                !matches!(self.tokens.iter().nth_back(1), Some(Token::Mark('=')))
            }
            Some(Token::Mark(mark)) => !")};{".contains(*mark),
            Some(Token::Spread) => true,
            _ => false,
        }
    }

    /// Whether the last token is one of these words, and not the name of a member.
    fn follows_one_of(&self, words: &[&str]) -> bool {
        let mut last = self.tokens.iter().rev();
        let is_word = matches!(last.next(), Some(Token::Word(word)) if words.contains(word));
        is_word && last.next() != Some(&Token::Mark('.'))
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_$#\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_however_they_are_written() {
        let source = r##"#!/usr/bin/env node "./bang.js"
import { app, reject } from "chancery-sdk";
import {
  one,
}
from
  './one.js';
import "./side-effect.js"
import a from "a"; import b, { c as d, "e f" as g } from 'b';import*as h from"h"
import /* why */ i /* "not.js" */ from // here
  "i";
import from from "from";
import { from, as } from "names" with { type: "json" };
export * from "two"; export * as j from "three";
export { k, default } from "four"
export { l }
import json from "./data.json" with { type: "json" };
const m = await import("./lazy.js"), n = import ( `./template.js` , { with: {} });
if (m) import('./in-a-branch.js').then(() => import("./nested.js"));
"##;
        let wanted = [
            "chancery-sdk",
            "./one.js",
            "./side-effect.js",
            "a",
            "b",
            "h",
            "i",
            "from",
            "names",
            "two",
            "three",
            "four",
            "./data.json",
            "./lazy.js",
            "./template.js",
            "./in-a-branch.js",
            "./nested.js",
        ];
        assert_eq!(imports(source), wanted);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let source = r##"
import { app } from "chancery-sdk";
// import "./comment.js"
/* import "./comment.js";
   import b from "./comment.js" */
const text = "import './string.js'", other = 'import("./string.js") \' import "./string.js"';
const template = `import "./template.js" ${"import './filling.js'"} import('./template.js')
import "./template.js"`;
const deep = `${{ a: `${`import "./deep.js"`}` }.a} import "./deep.js"`;
const regex = /import ".\/regex.js"/, classes = /[/"]import "x"/g;
if (text) /import("x")/.test(text);
const half = text.length / 2, quoted = "'" / 2 / '"';
const from = "no import";
export const greeting = "from here", of = { from: "x" }, b = { import: "y", export: 1 };
meta(import.meta.url, of.import("./member.js"), of?.import("./member.js"));
class C { import() { return this.from; } #import = 1; static import = "x" }
export { greeting as from };
const computed = import("./" + text), also = import(text);
export default app({ from: "x" });
a = b
/hi/g.exec(c).map(d);
x = y++ / 2; "import './after.js'"; z = (1) / 2 + "/ import './after.js'";
"##;
        assert_eq!(imports(source), ["chancery-sdk"]);
    }

    #[test]
    fn what_follows_a_slash_is_still_read() {
        for before in [
            "const a = b / c; const d = e / f;",
            "const a = [1] / 2, b = c() / 2;",
            "function f() { return /[`'\"/]/ }",
            "if (a) /`/.test(a);",
            "const a = { b: 1 } / 2; `",
            "for (const a of /'/[Symbol.split](b)) {} /`/.test(a);",
            "function f() {} /`/.test(a)",
            "x = `\\${` + a; y = '\\'' + \"'\";",
            "x = a++ / b; y = c-- / d; `",
            "x = ok ? /`/ : /'/;",
            "x = `${a / b} ${/`/.source}`; /* ` */",
            "const broken = 'no end",
            "a.return / 2; b.if (c) / 2; `",
        ] {
            // Those that end in a quote open a template, which is to hide what follows.
            let hides = before.ends_with('`');
            let source = format!("{before}\nimport \"./found.js\";\n");
            let found = imports(&source);
            assert_eq!(found.is_empty(), hides, "{before}");
        }
    }

    #[test]
    fn what_is_no_script_ends() {
        for source in [
            "",
            "`",
            "'",
            "/",
            "/*",
            "${",
            "}}}",
            "import",
            "import {",
            "`${`${",
            "\\",
            "é\u{2028}`",
        ] {
            assert!(imports(source).is_empty(), "{source}");
        }
    }
}
