//! TypeScript types, and how they are written.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value as Json;

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// Any value there is.
    Unknown,
    /// No value.
    Never,
    /// A keyword or a literal.
    Word(String),
    /// One that is declared under a name.
    Named(String),
    /// Any number of the same.
    Array(Box<Self>),
    /// One after another, and then any number of the rest, if there is one.
    Tuple {
        /// The first ones.
        items: Vec<Self>,
        /// How many of them must be there.
        required: usize,
        /// What may follow.
        rest: Option<Box<Self>>,
    },
    /// Members, and what others may be, if there may be others.
    Object(Vec<Member>, Option<Box<Self>>),
    /// One of these.
    Union(Vec<Self>),
    /// All of these at once.
    Both(Vec<Self>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    /// What it is called.
    pub(super) name: String,
    /// Whether it may be left out.
    pub(super) optional: bool,
    /// What people are told of it.
    pub(super) about: String,
    /// What it is.
    pub(super) of: Type,
}

impl Type {
    /// A keyword.
    pub(super) fn word(word: &str) -> Self {
        Self::Word(word.to_owned())
    }

    /// The type of which a value is the only one.
    pub(super) fn literal(value: &Json) -> Self {
        match value {
            Json::Array(values) => {
                let items: Vec<Self> = values.iter().map(Self::literal).collect();
                Self::Tuple { required: items.len(), items, rest: None }
            }
            Json::Object(members) => {
                let member = |(name, value): (&String, &Json)| Member {
                    name: name.clone(),
                    optional: false,
                    about: String::new(),
                    of: Self::literal(value),
                };
                Self::Object(members.iter().map(member).collect(), None)
            }
            plain => Self::Word(plain.to_string()),
        }
    }

    /// One of some: each once, and nothing else if one of them is anything.
    pub(super) fn union(of: impl IntoIterator<Item = Self>) -> Self {
        let mut some = Vec::new();
        for one in of {
            match one {
                Self::Unknown => return Self::Unknown,
                Self::Never => {}
                Self::Union(inner) => inner.into_iter().for_each(|one| add(&mut some, one)),
                one => add(&mut some, one),
            }
        }
        only(some, Self::Never, Self::Union)
    }

    /// All of some: each once, without those that say nothing.
    pub(super) fn both(of: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for one in of {
            match one {
                Self::Never => return Self::Never,
                Self::Unknown => {}
                Self::Both(inner) => inner.into_iter().for_each(|one| add(&mut all, one)),
                one => add(&mut all, one),
            }
        }
        only(all, Self::Unknown, Self::Both)
    }

    /// The names that it is made of without an object or array in between: a type that
    /// leads to itself this way would be nothing.
    pub(super) fn direct(&self) -> BTreeSet<&str> {
        match self {
            Self::Named(name) => BTreeSet::from([name.as_str()]),
            Self::Union(some) | Self::Both(some) => some.iter().flat_map(Self::direct).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// The text of it; lines after the first are indented.
    pub(super) fn text(&self, indent: usize) -> String {
        match self {
            Self::Unknown => "unknown".to_owned(),
            Self::Never => "never".to_owned(),
            Self::Word(text) | Self::Named(text) => text.clone(),
            Self::Array(of) => format!("{}[]", of.atom(indent)),
            Self::Tuple { items, required, rest } => {
                let items = items.iter().enumerate().map(|(n, item)| match n < *required {
                    true => item.text(indent),
                    false => format!("{}?", item.atom(indent)),
                });
                let rest = rest.iter().map(|rest| format!("...{}[]", rest.atom(indent)));
                format!("[{}]", items.chain(rest).collect::<Vec<_>>().join(", "))
            }
            Self::Object(members, others) => object(members, others.as_deref(), indent),
            Self::Union(some) => joined(some, " | ", indent),
            Self::Both(all) => joined(all, " & ", indent),
        }
    }

    /// The text of it where it is a part of something else.
    fn atom(&self, indent: usize) -> String {
        match self {
            Self::Union(_) | Self::Both(_) => format!("({})", self.text(indent)),
            other => other.text(indent),
        }
    }
}

/// A comment for people, in lines of its own; nothing if there is nothing to say.
pub(super) fn comment(about: &str, indent: usize) -> String {
    let about = about.replace("*/", "*\\/");
    let lines: Vec<&str> = about.trim().lines().map(str::trim_end).collect();
    let space = " ".repeat(indent);
    match lines.as_slice() {
        [] => String::new(),
        [line] => format!("{space}/** {line} */\n"),
        lines => {
            let mut text = format!("{space}/**\n");
            for line in lines {
                let line = format!("{space} * {line}");
                // Writing to a string does not fail.
                writeln!(text, "{}", line.trim_end()).unwrap_or_default();
            }
            text + &format!("{space} */\n")
        }
    }
}

/// A name as that of a member.
pub(super) fn key(name: &str) -> String {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    let goes_on = |c: char| begins(c) || c.is_ascii_digit();
    match name.starts_with(begins) && name.chars().all(goes_on) {
        true => name.to_owned(),
        false => Json::from(name).to_string(),
    }
}

fn add(to: &mut Vec<Type>, one: Type) {
    if !to.contains(&one) {
        to.push(one);
    }
}

fn only(mut all: Vec<Type>, none: Type, some: fn(Vec<Type>) -> Type) -> Type {
    match all.len() {
        0 => none,
        1 => all.remove(0),
        _ => some(all),
    }
}

fn joined(all: &[Type], between: &str, indent: usize) -> String {
    all.iter().map(|one| one.atom(indent)).collect::<Vec<_>>().join(between)
}

fn object(members: &[Member], others: Option<&Type>, indent: usize) -> String {
    let inner = indent + 2;
    let space = " ".repeat(inner);
    let mut text = "{\n".to_owned();
    for Member { name, optional, about, of } in members {
        let mark = if *optional { "?" } else { "" };
        text.push_str(&comment(about, inner));
        text.push_str(&format!("{space}{}{mark}: {};\n", key(name), of.text(inner)));
    }
    match (others, members) {
        (Some(others), []) => return format!("{{ [key: string]: {} }}", others.text(indent)),
        (Some(others), _) => {
            text.push_str(&format!("{space}[key: string]: {};\n", others.text(inner)));
        }
        (None, []) => return "{}".to_owned(),
        (None, _) => {}
    }
    text + &" ".repeat(indent) + "}"
}
