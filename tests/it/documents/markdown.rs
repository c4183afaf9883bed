//! What of a document can be done: the blocks that a reader types, changes or saves.

use std::mem::take;

/// One block of a document that is done.
#[derive(Debug)]
pub(super) enum Block {
    /// ```` ```console ````: what is typed, and what is said.
    Console(Console),
    /// ```` ```diff ````: a change that the reader makes in a file.
    Change(Change),
    /// ```` ```js shop.js ````, a language and a path: a file that the reader saves.
    File { path: String, text: String },
}

/// What happens in a terminal.
#[derive(Debug)]
pub(super) struct Console {
    /// ```` ```console dev ````: the terminal's name; empty for the one in which the
    /// reader works. In those with a name something runs and goes on running.
    pub(super) terminal: String,
    pub(super) steps: Vec<Step>,
}

/// What is typed, and what is said then.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) typed: Typed,
    /// The last line of the document that is typed, or the first of what is said if
    /// nothing is; from 1.
    pub(super) line: usize,
    /// What the document says that is said.
    pub(super) said: Vec<String>,
}

/// What a reader does at a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// Nothing: what runs there goes on saying things.
    Nothing,
    /// A command line, which may have several lines: those after `$ ` and `> `.
    Command(String),
    /// `^C` or `^Z`.
    Key(char),
}

/// What becomes of a file.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: String,
    /// What is there, and what is to be there.
    pub(super) hunks: Vec<(String, String)>,
}

/// The blocks of a text that are done, in order.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let inside: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| !is_fence(line)).collect();
        let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
        match (language, rest) {
            ("console", terminal) => {
                let steps = steps(&inside, n + 2);
                blocks.push(Block::Console(Console { terminal: terminal.to_owned(), steps }));
            }
            ("diff", _) => blocks.push(Block::Change(change(&inside))),
            (_, "") => {}
            (_, path) => {
                let text = inside.iter().flat_map(|line| [*line, "\n"]).collect();
                blocks.push(Block::File { path: path.to_owned(), text });
            }
        }
    }
    blocks
}

fn is_fence(line: &str) -> bool {
    line.trim() == "```"
}

/// What a block of a terminal says, whose first line is this one of the document.
fn steps(lines: &[&str], first: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in lines.iter().enumerate().map(|(n, text)| (first + n, *text)) {
        let typed = match text {
            "^C" => Some(Typed::Key('C')),
            "^Z" => Some(Typed::Key('Z')),
            _ => text.strip_prefix("$ ").map(|command| Typed::Command(command.to_owned())),
        };
        if let Some(typed) = typed {
            steps.push(Step { typed, line, said: Vec::new() });
            continue;
        }
        match (steps.last_mut(), text.strip_prefix("> ")) {
            (Some(Step { typed: Typed::Command(command), said, line: last }), Some(more))
                if said.is_empty() =>
            {
                command.push('\n');
                command.push_str(more);
                *last = line;
            }
            (Some(step), _) => step.said.push(text.to_owned()),
            (None, _) => {
                steps.push(Step { typed: Typed::Nothing, line, said: vec![text.to_owned()] });
            }
        }
    }
    // Empty lines between one step and the next are there for the eye.
    for step in &mut steps {
        while step.said.pop_if(|last| last.is_empty()).is_some() {}
    }
    steps
}

fn change(lines: &[&str]) -> Change {
    let mut path = String::new();
    let mut hunks = Vec::new();
    let (mut old, mut new) = (String::new(), String::new());
    for line in lines {
        if let Some(name) = line.strip_prefix("--- ") {
            name.clone_into(&mut path);
        } else if line.starts_with("@@") {
            hunks.push((take(&mut old), take(&mut new)));
        } else if !line.starts_with("+++ ") {
            let (kind, text) = line.split_at(line.len().min(1));
            if kind != "+" {
                old.push_str(text);
                old.push('\n');
            }
            if kind != "-" {
                new.push_str(text);
                new.push('\n');
            }
        }
    }
    hunks.push((old, new));
    hunks.retain(|(old, _)| !old.is_empty());
    Change { path, hunks }
}
