//! Real data: 3,201 movies are loaded by commands and read in four ways. What the
//! server answers is held against what this program finds in the file itself.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use super::client::{Client, number, text};
use super::screen::{Screen, ms, thousands};

/// How many records there are.
pub(super) const MOVIES: u64 = 3201;
/// How many go into one command; a body has room for some thousands.
const BATCH: usize = 100;
/// Fewer votes than this say little.
const VOTES_MIN: u64 = 100_000;

pub(super) fn show(screen: &Screen, client: &Client, file: &Path) -> Result<()> {
    let records: Vec<Json> = serde_json::from_slice(&std::fs::read(file)?)?;
    screen.section("movies: 3,201 records of the real world, loaded by commands");
    load(screen, client, &records)?;
    by_key(screen, client, &records)?;
    by_genre(screen, client, &records)?;
    top_rated(screen, client, &records)?;
    by_year(screen, client, &records)
}

fn load(screen: &Screen, client: &Client, records: &[Json]) -> Result<()> {
    screen.sent(
        "",
        r#"PUT /v1/apps/movies/commands/<id> {"name":"load-movies","input":{"movies":[…]}}"#,
    );
    let (started, batches) = (Instant::now(), records.chunks(BATCH));
    let (n_commands, bar) = (batches.len(), screen.progress(records.len() as u64, "movies"));
    let (mut loaded, mut normalised) = (0, 0);
    for batch in batches {
        let result = client.succeed("movies", "load-movies", json!({ "movies": batch }))?;
        loaded += number(&result, "loaded")?;
        normalised += number(&result, "normalised")?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let took = ms(started.elapsed());
    screen.came("", 200, &format!("{n_commands} commands of up to {BATCH} records in {took}"));
    screen.field("put right", format!("{} titles and dates", thousands(normalised)));
    let stats = client.query("movies", "stats", &json!({}))?;
    screen.claim(
        "all 3,201 movies are there",
        &(loaded, number(&stats, "movies")?),
        &(MOVIES, MOVIES),
    )
}

fn by_key(screen: &Screen, client: &Client, records: &[Json]) -> Result<()> {
    screen.blank();
    let title = "Gone with the Wind";
    let input = json!({ "key": "gone-with-the-wind-1939" });
    let movie = ask(screen, client, "movie", &input)?;
    let members = ["title", "released", "director", "rating", "votes"];
    screen.table(&members, &[members.map(|member| cell(&movie, member)).to_vec()]);
    let record = records.iter().find(|record| text(record, "Title") == title);
    let date = text(record.context("no such record")?, "Release Date");
    let claim = format!("it is found by its key; the file's date, {date}, was put right");
    let found = (text(&movie, "title"), text(&movie, "released"), date);
    screen.claim(&claim, &found, &(title, "1939-12-15", "Dec 15 2039"))
}

fn by_genre(screen: &Screen, client: &Client, records: &[Json]) -> Result<()> {
    screen.blank();
    let page = ask(screen, client, "by-genre", &json!({ "genre": "Western", "limit": 3 }))?;
    let rows = rows(page.get("movies"), &["key", "title", "year", "rating"])?;
    screen.table(&["key", "title", "year", "rating"], &rows);
    let in_file = records.iter().filter(|record| text(record, "Major Genre") == "Western");
    let (found, due) = (number(&page, "total")?, in_file.count() as u64);
    screen.claim(&format!("the index has {found} Westerns, as the file does"), &found, &due)
}

fn top_rated(screen: &Screen, client: &Client, records: &[Json]) -> Result<()> {
    screen.blank();
    let input = json!({ "limit": 5, "min_votes": VOTES_MIN });
    let best = ask(screen, client, "top-rated", &input)?;
    let rows = rows(Some(&best), &["rating", "votes", "title", "year"])?;
    screen.table(&["rating", "votes", "title", "year"], &rows);
    let is_trusted = |record: &&Json| {
        record.get("IMDB Votes").and_then(Json::as_u64).is_some_and(|votes| votes >= VOTES_MIN)
    };
    let trusted = records.iter().filter(is_trusted);
    let mut due: Vec<f64> =
        trusted.filter_map(|record| record.get("IMDB Rating")?.as_f64()).collect();
    due.sort_by(|one, other| other.total_cmp(one));
    due.truncate(5);
    let best = best.as_array().into_iter().flatten();
    let found: Vec<f64> = best.filter_map(|movie| movie.get("rating")?.as_f64()).collect();
    screen.claim("no movie of the file with as many votes is rated higher", &found, &due)
}

fn by_year(screen: &Screen, client: &Client, records: &[Json]) -> Result<()> {
    screen.blank();
    let years = ask(screen, client, "by-year", &json!({ "from": 1994, "to": 1999 }))?;
    let titles = ["year", "count", "mean_rating", "gross"];
    screen.table(&titles, &rows(Some(&years), &titles)?);
    let due: Vec<(u64, u64)> = (1994..=1999).map(|year| of_year(records, year)).collect();
    let years = years.as_array().into_iter().flatten();
    let found = years.map(|line| Ok((number(line, "count")?, number(line, "gross")?)));
    let found: Vec<(u64, u64)> = found.collect::<Result<_>>()?;
    screen.claim("numbers and sums are those of the file", &found, &due)
}

/// How many movies the file has of a year, and what they earned. All dates of these
/// years end in the year.
fn of_year(records: &[Json], year: u64) -> (u64, u64) {
    let year = year.to_string();
    let of_year = |record: &&Json| text(record, "Release Date").ends_with(&year);
    let movies = records.iter().filter(of_year);
    let gross = |record: &Json| record.get("Worldwide Gross").and_then(Json::as_u64).unwrap_or(0);
    movies.fold((0, 0), |(count, sum), record| (count + 1, sum + gross(record)))
}

fn ask(screen: &Screen, client: &Client, query: &str, input: &Json) -> Result<Json> {
    screen.sent("", &format!("POST /v1/apps/movies/queries/{query} {input}"));
    let started = Instant::now();
    let answer = client.query("movies", query, input)?;
    screen.came("", 200, &format!("in {:.1} ms", started.elapsed().as_secs_f64() * 1_000.0));
    Ok(answer)
}

fn rows(lines: Option<&Json>, members: &[&str]) -> Result<Vec<Vec<String>>> {
    let lines = lines.and_then(Json::as_array).context("a list was expected")?;
    let row = |line: &Json| members.iter().map(|member| cell(line, member)).collect();
    Ok(lines.iter().map(row).collect())
}

fn cell(line: &Json, member: &str) -> String {
    match line.get(member) {
        None | Some(Json::Null) => "-".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) if member != "year" && number.is_u64() => {
            thousands(number.as_u64().unwrap_or_default())
        }
        Some(other) => other.to_string(),
    }
}
