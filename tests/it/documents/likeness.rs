//! Whether what was said is what the document says, after what differs by nature is the
//! same: ids, times, durations, hashes, and how wide a column is for them.

use chancery_tests::Uuid;

/// A line that stands for any number of lines.
const LEFT_OUT: &str = "...";
/// What durations are told in.
const UNITS: [&str; 5] = ["µs", "ms", "s", "min", "h"];

/// How many of the lines that were said are those of the document, from the first; none if
/// they are others, or are still to come.
pub(super) fn matched(document: &[String], said: &[String]) -> Option<usize> {
    let Some((first, rest)) = document.split_first() else { return Some(0) };
    if is_about_jobs(first) {
        return matched(rest, said);
    }
    if first == LEFT_OUT {
        let mut tails = (0..=said.len()).filter_map(|n| Some(n + matched(rest, said.get(n..)?)?));
        return if rest.is_empty() { Some(said.len()) } else { tails.next() };
    }
    let (next, others) = said.split_first()?;
    (normal(first) == normal(next)).then(|| matched(rest, others).map(|n| n + 1))?
}

/// Whether all that was said is what the document says.
pub(super) fn is_all(document: &[String], said: &[String]) -> bool {
    matched(document, said) == Some(said.len())
}

/// Whether bash tells of a job, which it does when it comes to it.
pub(super) fn is_about_jobs(line: &str) -> bool {
    line.starts_with("[1]")
}

/// The ids and hashes of a document and those that were said in their stead: what a reader
/// copies from the screen.
pub(super) fn copied(document: &[String], said: &[String]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut said = said.iter();
    for line in document.iter().filter(|line| *line != LEFT_OUT) {
        let shape = normal(line);
        let Some(other) = said.find(|other| normal(other) == shape) else { continue };
        let both = ids(line).zip(ids(other)).filter(|(one, other)| one != other);
        pairs.extend(both.map(|(one, other)| (one.to_owned(), other.to_owned())));
    }
    pairs
}

/// The ids and hashes in a line.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c| !is_word(c)).map(|word| word.trim_end_matches(['.', ':']));
    words.filter(|word| matches!(kind(word), Some("<id>" | "<hash>")))
}

/// A line without what differs from run to run.
fn normal(line: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        match (part, parts.last().map(String::as_str)) {
            (" ", Some(" ")) => {}
            (part, _) => parts.push(kind(part).map_or_else(|| part.to_owned(), str::to_owned)),
        }
        durations(&mut parts);
    }
    parts.concat()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | ':' | 'µ')
}

/// What a word is, if it differs by nature.
fn kind(word: &str) -> Option<&'static str> {
    // The end of a sentence is no part of it.
    let word = word.trim_end_matches(['.', ':']);
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    if word.len() == 36 && Uuid::try_parse(word).is_ok() {
        return Some("<id>");
    }
    if shape == "99:99:99" || shape.starts_with("9999-99-99T99:99:99") {
        return Some("<time>");
    }
    let is_hash = matches!(word.len(), 12 | 64) && word.chars().all(is_hex);
    (is_hash && shape.contains('9')).then_some("<hash>")
}

/// Makes a number with a unit of time, if the last parts are one, a duration.
fn durations(parts: &mut Vec<String>) {
    let [.., number, space, unit] = parts.as_slice() else { return };
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_number && space == " " && UNITS.contains(&unit.trim_end_matches('.')) {
        parts.truncate(parts.len() - 3);
        parts.push("<duration>".to_owned());
    }
}

#[test]
fn what_differs_by_nature_is_alike_and_nothing_else_is() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let is = |document: &str, said: &str| is_all(&lines(document), &lines(said));
    assert!(is(
        "05:04:25   2 shop 4c9c6acbb3ae in 6440 ms, id 01a201a4-298b-7548-9210-deb6b7bc2b7c.",
        "17:00:01   2 shop 000000000000 in 1 µs, id 01a201a4-29ae-7104-a487-3ea46669b8e6."
    ));
    assert!(is("at 2026-11-22T05:04:25.489Z", "at 2027-01-01T00:00:00Z"));
    assert!(!is("entry 2", "entry 3") && !is("took 2 ms", "took long") && !is("2 rows", "3 rows"));
    assert!(is("a\n...\nd", "a\nb\nc\nd") && is("a\n...", "a\nb") && is("a\n...", "a"));
    assert!(!is("a\n...\nd", "a\nb") && !is("a", "a\nb") && !is("a\nb", "a") && !is("", "a"));
    assert_eq!(matched(&lines("a"), &lines("a\nb")), Some(1), "the rest is for what follows");
}
