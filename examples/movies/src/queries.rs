//! What can be asked: by key, by genre, ranked, and summed up.

mod sums;

use chancery_sdk::{Rejection, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use sums::{ByYear, Stats, StatsOf, YearLine, by_year, stats};

use crate::{ANY_GENRE, BY_GENRE, BY_RATING, MOVIES, Movie, unknown_movie};

/// Shows a movie.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MovieByKey {
    /// The movie's key, such as `gone-with-the-wind-1939`.
    pub key: String,
}

/// A movie as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MovieView {
    /// Where it is found.
    #[serde(flatten)]
    pub line: MovieLine,
    /// When it was released, such as `1954-08-01`.
    pub released: Option<String>,
    /// Who directed it.
    pub director: Option<String>,
    /// What it earned worldwide, in US dollars.
    pub gross: Option<u64>,
}

/// A movie in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MovieLine {
    /// The movie's key.
    pub key: String,
    /// None if the record has none.
    pub title: Option<String>,
    /// The year of release.
    pub year: Option<u16>,
    /// Such as `Drama`.
    pub genre: Option<String>,
    /// The mean rating, from 0 to 10.
    pub rating: Option<f64>,
    /// How many rated it.
    pub votes: u64,
}

impl MovieLine {
    fn new((key, movie): (String, Movie)) -> Self {
        let (rating, votes) = (movie.rating(), movie.n_votes());
        Self { key, title: movie.title, year: movie.year, genre: movie.genre, rating, votes }
    }
}

/// A movie by its key.
///
/// # Errors
///
/// `unknown-movie`.
pub fn movie(snapshot: &Snapshot, input: MovieByKey) -> Result<MovieView, Rejection> {
    let key = input.key;
    let movie = MOVIES.get(snapshot, &key).ok_or_else(|| unknown_movie(&key))?;
    let (released, director) = (movie.released.clone(), movie.director.clone());
    let gross = movie.gross;
    Ok(MovieView { line: MovieLine::new((key, movie)), released, director, gross })
}

/// Lists the movies of a genre in the order of their keys.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ByGenre {
    /// Such as `Western`.
    pub genre: String,
    /// How many at most; 20 if not given.
    #[schemars(range(min = 1, max = 1_000))]
    pub limit: Option<u16>,
    /// The key after which to go on: `next` of the page before.
    pub after: Option<String>,
}

/// Some movies of a genre.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GenrePage {
    /// How many movies the genre has.
    pub total: u64,
    /// The movies of this page.
    pub movies: Vec<MovieLine>,
    /// Given as `after`, it leads to the next page; none on the last.
    pub next: Option<String>,
}

/// A page of the movies of a genre.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn by_genre(snapshot: &Snapshot, input: ByGenre) -> Result<GenrePage, Rejection> {
    let ByGenre { genre, limit, after } = input;
    let limit = usize::from(limit.unwrap_or(20));
    let mut scan = MOVIES.by(&BY_GENRE, snapshot).key(&genre);
    if let Some(after) = after {
        scan = scan.after(&genre, &after);
    }
    let mut rows = scan.rows();
    let movies: Vec<_> = rows.by_ref().take(limit).map(MovieLine::new).collect();
    let has_more = rows.next().is_some();
    let next = movies.last().filter(|_| has_more).map(|movie| movie.key.clone());
    Ok(GenrePage { total: MOVIES.by(&BY_GENRE, snapshot).key(&genre).count(), movies, next })
}

/// Lists the best rated movies, the best one first.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TopRated {
    /// How many at most; 10 if not given.
    #[schemars(range(min = 1, max = 1_000))]
    pub limit: Option<u16>,
    /// Only of this genre.
    pub genre: Option<String>,
    /// Only with at least this many votes; 1,000 if not given.
    pub min_votes: Option<u64>,
}

/// The best rated movies.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn top_rated(snapshot: &Snapshot, input: TopRated) -> Result<Vec<MovieLine>, Rejection> {
    let TopRated { limit, genre, min_votes } = input;
    let limit = usize::from(limit.unwrap_or(10));
    let min_votes = min_votes.unwrap_or(1_000);
    let shelf = genre.as_deref().unwrap_or(ANY_GENRE);
    let ranked = MOVIES.by(&BY_RATING, snapshot).prefix(&(shelf,)).descending();
    let trusted = ranked.rows().filter(|(_, movie)| movie.n_votes() >= min_votes);
    Ok(trusted.take(limit).map(MovieLine::new).collect())
}
