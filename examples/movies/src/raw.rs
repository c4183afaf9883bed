//! Records as they are published, and what is made of them.
//!
//! Titles are numbers or missing (`1776`, `null`) or end in their article
//! (`Charge of the Light Brigade, The`). Dates had years of two digits once, and
//! whoever completed them put all of them below 47 into this century.

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Movie, Votes};

/// The last year in which a movie of the data set was released. A later one is a
/// year of two digits in the wrong century: 2046 was 1946.
const LAST_YEAR: u16 = 2011;

/// More votes than this are a mistake in the record; sums stay far below 2^53.
const VOTES_MAX: u64 = 1_000_000_000;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A record of `movies.json`. Members that are not named here are ignored.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RawMovie {
    /// Text, or a number that a spreadsheet made of it.
    #[serde(rename = "Title")]
    pub title: Option<Title>,
    /// Such as `Jun 12 1998`.
    #[serde(rename = "Release Date")]
    pub release_date: Option<String>,
    /// Such as `Drama`.
    #[serde(rename = "Major Genre")]
    pub genre: Option<String>,
    /// Who directed it.
    #[serde(rename = "Director")]
    pub director: Option<String>,
    /// What it earned worldwide, in US dollars.
    #[serde(rename = "Worldwide Gross")]
    pub gross: Option<u64>,
    /// The mean of the ratings, from 0 to 10.
    #[serde(rename = "IMDB Rating")]
    #[schemars(range(min = 0, max = 10))]
    pub rating: Option<f64>,
    /// How many there are.
    #[serde(rename = "IMDB Votes")]
    pub votes: Option<u64>,
}

/// A title, as found.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Title {
    /// As it should be.
    Text(String),
    /// Such as 1941.
    Number(i64),
}

impl RawMovie {
    /// The movie, and whether something had to be put right.
    pub fn tidy(self) -> (Movie, bool) {
        let (title, is_title_mended) = tidy_title(self.title);
        let date = self.release_date.as_deref().and_then(Date::parse);
        let is_date_mended = date.as_ref().is_some_and(|date| date.is_mended);
        let is_date_lost = self.release_date.is_some() && date.is_none();
        let imported = votes(self.rating, self.votes);
        let movie = Movie {
            title,
            year: date.as_ref().map(|date| date.year),
            released: date.map(|date| date.text),
            genre: text(self.genre),
            director: text(self.director),
            gross: self.gross,
            imported,
            added: Votes::default(),
        };
        (movie, is_title_mended || is_date_mended || is_date_lost)
    }
}

fn tidy_title(title: Option<Title>) -> (Option<String>, bool) {
    let written = match title {
        None => return (None, true),
        Some(Title::Number(number)) => return (Some(number.to_string()), true),
        Some(Title::Text(written)) => written,
    };
    let title = written.split_whitespace().collect::<Vec<_>>().join(" ");
    for article in ["The", "A", "An"] {
        if let Some(rest) = title.strip_suffix(article).and_then(|rest| rest.strip_suffix(", ")) {
            return (Some(format!("{article} {rest}")), true);
        }
    }
    let is_mended = title != written;
    (Some(title).filter(|title| !title.is_empty()), is_mended)
}

/// Texts of nothing but spaces are as good as none.
fn text(text: Option<String>) -> Option<String> {
    let text = text?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 to 10,000 before"
)]
fn votes(rating: Option<f64>, n_votes: Option<u64>) -> Votes {
    match (rating, n_votes) {
        (Some(rating), Some(n_votes)) if rating.is_finite() => {
            let n_votes = n_votes.min(VOTES_MAX);
            let thousandths = (rating * 1_000.0).round().clamp(0.0, 10_000.0) as u64;
            Votes { n_votes, sum_thousandths: thousandths * n_votes }
        }
        // A rating that nobody gave, or votes for nothing.
        _ => Votes::default(),
    }
}

/// A date of release, as much of it as can be read.
#[derive(Debug, PartialEq, Eq)]
struct Date {
    year: u16,
    text: String,
    is_mended: bool,
}

impl Date {
    /// Reads `Jun 12 1998`, `12-Jun-98`, `1998-06-12`, `Jun 1998` and `1998`. A day
    /// that its month does not have is dropped, and so is a month without a name.
    fn parse(written: &str) -> Option<Self> {
        let words: Vec<&str> = written
            .split(|character: char| !character.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let is_iso = words.first().is_some_and(|first| first.len() == 4 && is_number(first));
        let year_word = if is_iso { words.first() } else { words.last() };
        let (year, is_mended) = century(year_word?)?;
        let month = if is_iso {
            words.get(1).and_then(|word| word.parse().ok()).filter(|month| (1..=12).contains(month))
        } else {
            words.iter().find_map(|word| month(word))
        };
        let is_day = |word: &&&str| word.len() <= 2 && is_number(word);
        let day = if is_iso {
            words.get(2).and_then(|word| word.parse().ok())
        } else {
            let before_year = words.get(..words.len() - 1)?;
            before_year.iter().find(is_day).and_then(|word| word.parse().ok())
        };
        let text = match (month, day) {
            (Some(month), Some(day)) if (1..=days(year, month)).contains(&day) => {
                format!("{year:04}-{month:02}-{day:02}")
            }
            (Some(month), _) => format!("{year:04}-{month:02}"),
            (None, _) => format!("{year:04}"),
        };
        Some(Self { year, text, is_mended })
    }
}

/// The year that was meant, and whether it was not the one written.
fn century(word: &str) -> Option<(u16, bool)> {
    let year: u16 = word.parse().ok()?;
    match word.len() {
        // Two digits: the latest such year that is not after the last one.
        2 if 2000 + year > LAST_YEAR => Some((1900 + year, true)),
        2 => Some((2000 + year, true)),
        4 if year > LAST_YEAR && year < 2100 => Some((year - 100, true)),
        4 => Some((year, false)),
        _ => None,
    }
}

fn month(word: &str) -> Option<u8> {
    let beginning = word.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|month| *month == beginning)?;
    u8::try_from(index + 1).ok()
}

fn days(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
