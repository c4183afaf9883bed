//! Questions that look at every movie.

use std::collections::BTreeMap;

use chancery_sdk::{Rejection, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MOVIES;

/// Sums up the movies of each year.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ByYear {
    /// The first year; all if not given.
    pub from: Option<u16>,
    /// The last year; all if not given.
    pub to: Option<u16>,
}

/// The movies of a year.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct YearLine {
    /// The year.
    pub year: u16,
    /// How many movies were released.
    pub count: u64,
    /// The mean of the rated movies' ratings, each counted once.
    pub mean_rating: Option<f64>,
    /// What all earned worldwide, in US dollars.
    pub gross: u64,
}

/// A line for each year that has movies, in order.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn by_year(snapshot: &Snapshot, input: ByYear) -> Result<Vec<YearLine>, Rejection> {
    let years = input.from.unwrap_or(0)..=input.to.unwrap_or(u16::MAX);
    let mut lines: BTreeMap<u16, (YearLine, Mean)> = BTreeMap::new();
    for movie in MOVIES.scan(snapshot).values() {
        let Some(year) = movie.year.filter(|year| years.contains(year)) else {
            continue;
        };
        let (line, mean) = lines.entry(year).or_default();
        line.year = year;
        line.count += 1;
        line.gross += movie.gross.unwrap_or(0);
        mean.add(movie.rating_thousandths());
    }
    let lines = lines.into_values();
    Ok(lines.map(|(line, mean)| YearLine { mean_rating: mean.rating(), ..line }).collect())
}

/// Sums up the collection.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StatsOf {}

/// The collection in numbers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Stats {
    /// How many movies there are.
    pub movies: u64,
    /// How many of them somebody rated.
    pub rated: u64,
    /// How many have no title.
    pub untitled: u64,
    /// How many there are of each genre; those without one are left out.
    pub genres: BTreeMap<String, u64>,
    /// The earliest year of release.
    pub first_year: Option<u16>,
    /// The latest year of release.
    pub last_year: Option<u16>,
}

/// The collection in numbers.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn stats(snapshot: &Snapshot, StatsOf {}: StatsOf) -> Result<Stats, Rejection> {
    let mut stats = Stats::default();
    for movie in MOVIES.scan(snapshot).values() {
        stats.movies += 1;
        stats.rated += u64::from(movie.n_votes() > 0);
        stats.untitled += u64::from(movie.title.is_none());
        stats.last_year = stats.last_year.max(movie.year);
        stats.first_year = match (stats.first_year, movie.year) {
            (Some(first), Some(year)) => Some(first.min(year)),
            (first, year) => first.or(year),
        };
        if let Some(genre) = movie.genre {
            *stats.genres.entry(genre).or_default() += 1;
        }
    }
    Ok(stats)
}

/// A mean of ratings, in whole numbers until the end.
#[derive(Debug, Default)]
struct Mean {
    count: u32,
    sum_thousandths: u32,
}

impl Mean {
    fn add(&mut self, rating_thousandths: Option<u32>) {
        if let Some(rating_thousandths) = rating_thousandths {
            self.count += 1;
            self.sum_thousandths += rating_thousandths;
        }
    }

    /// To the third digit.
    fn rating(&self) -> Option<f64> {
        let mean = self.sum_thousandths.checked_div(self.count)?;
        Some(f64::from(mean) / 1_000.0)
    }
}
