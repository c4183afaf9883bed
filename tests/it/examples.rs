//! The examples as their users see them: the real binary, over HTTP.

use chancery_tests::{App, Reply, Server, movies};
use serde_json::{Value as Json, json};

/// The code of a handler's refusal, and what it says of it.
#[track_caller]
fn rejected(reply: &Reply, code: &str) -> Json {
    let mut problem = reply.expect(409);
    assert_eq!(problem["code"], json!(code), "{problem}");
    problem["details"].take()
}

#[test]
fn shop_sells_the_last_item_once() {
    let server = Server::start();
    let shop = server.app();
    shop.deploy("shop");
    let lamps = json!({ "product": "lamp", "name": "Lamp", "quantity": 2 });
    assert_eq!(shop.succeed("add-product", &lamps), json!({ "name": "Lamp", "left": 2 }));

    let buy = |buyer| shop.command("buy-product", &json!({ "product": "lamp", "buyer": buyer }));
    let first = buy("ada").expect(200);
    assert_eq!(first["result"]["left"], json!(1));
    assert_eq!(first["events"][0]["type"], json!("order.placed"));
    assert_eq!(first["events"][0]["subject"], json!("product/lamp"));
    let second = buy("bob").expect(200);
    assert_eq!(rejected(&buy("cy"), "out-of-stock"), json!({ "product": "lamp" }));
    let none = shop.command("buy-product", &json!({ "product": "chair" }));
    assert_eq!(rejected(&none, "unknown-product"), json!({ "product": "chair" }));

    let (shop, product) = (server.kill_and_restart(), json!({ "product": "lamp" }));
    let shop = shop.app();
    assert_eq!(shop.ask("stock-of", &product), json!({ "name": "Lamp", "left": 0 }));
    let line = |receipt: &Json, buyer| {
        let (order, sequence) = (&receipt["result"]["order"], &receipt["sequence"]);
        json!({ "order": order, "buyer": buyer, "sequence": sequence })
    };
    let latest_first = json!([line(&second, "bob"), line(&first, "ada")]);
    assert_eq!(shop.ask("orders-of", &product), latest_first);
    rejected(&shop.query("stock-of", &json!({ "product": "chair" })), "unknown-product");
}

#[test]
fn bank_keeps_its_total_whatever_is_transferred() {
    let server = Server::start();
    let bank = server.app();
    bank.deploy("bank");
    let open = |account, balance| {
        let owner = format!("owner of {account}");
        bank.command(
            "open-account",
            &json!({ "account": account, "owner": owner, "balance": balance }),
        )
    };
    for (account, balance) in [("a", 1_000), ("b", 500), ("rich", 1_000_000_000_000_u64)] {
        let opened = open(account, balance).expect(200);
        assert_eq!(opened["result"]["balance"], json!(balance));
    }
    let total = json!({ "total": 1_000_000_001_500_u64, "accounts": 3 });
    assert_eq!(bank.ask("total", &json!({})), total);

    let transfer = |from, to, amount: u64| {
        bank.command("transfer", &json!({ "from": from, "to": to, "amount": amount }))
    };
    let moved = transfer("a", "b", 300).expect(200);
    assert_eq!(moved["result"], json!({ "from": 700, "to": 800 }));
    let short = rejected(&transfer("a", "b", 701), "insufficient-funds");
    assert_eq!(short, json!({ "account": "a", "balance": 700 }));
    rejected(&transfer("a", "a", 1), "same-account");
    rejected(&transfer("a", "nobody", 1), "unknown-account");
    rejected(&transfer("a", "rich", 1), "balance-too-large");
    rejected(&open("a", 1), "account-exists");
    let owned = bank.query("balance", &json!({ "account": "nobody" }));
    rejected(&owned, "unknown-account");

    let server = server.kill_and_restart();
    let bank = server.app();
    assert_eq!(bank.ask("total", &json!({})), total);
    let account = json!({ "account": "b", "owner": "owner of b", "balance": 800 });
    assert_eq!(bank.ask("balance", &json!({ "account": "b" })), account);
}

#[test]
fn movies_answers_over_all_records_and_again_after_a_restart() {
    let records = movies();
    assert_eq!(records.len(), 3_201);
    let server = Server::start();
    let app = server.app();
    app.deploy("movies");
    let mut loaded = 0;
    for some in records.chunks(200) {
        let counts = app.succeed("load-movies", &json!({ "movies": some }));
        loaded += counts["loaded"].as_u64().unwrap();
    }
    assert_eq!(loaded, 3_201, "each is a movie of its own");
    let again = app.succeed("load-movies", &json!({ "movies": &records[..200] }));
    assert_eq!((&again["loaded"], &again["replaced"]), (&json!(0), &json!(200)));
    answers_over_all_records(&app, &records);
    let server = server.kill_and_restart();
    answers_over_all_records(&server.app(), &records);

    let app = server.app();
    let before = app.ask("movie", &json!({ "key": "1941-1979" }))["votes"].as_u64();
    let rated = app.succeed("rate-movie", &json!({ "key": "1941-1979", "rating": 10 }));
    assert_eq!(rated["votes"].as_u64(), before.map(|votes| votes + 1));
    let unknown = app.command("rate-movie", &json!({ "key": "1941", "rating": 10 }));
    assert_eq!(rejected(&unknown, "unknown-movie"), json!({ "key": "1941" }));
    assert_eq!(app.command("rate-movie", &json!({ "key": "x", "rating": 11 })).status, 422);
}

fn answers_over_all_records(app: &App, records: &[Json]) {
    // A title that is a number.
    let movie = app.ask("movie", &json!({ "key": "1941-1979" }));
    assert_eq!(
        movie,
        json!({
            "key": "1941-1979", "title": "1941", "year": 1979, "genre": "Comedy",
            "rating": 5.6, "votes": 13_364, "released": "1979-12-14",
            "director": "Steven Spielberg", "gross": 94_875_000,
        })
    );
    rejected(&app.query("movie", &json!({ "key": "1941" })), "unknown-movie");

    let of_genre = |genre: &str| {
        let found = records.iter().filter(|record| record["Major Genre"] == json!(genre));
        found.count() as u64
    };
    for genre in ["Western", "Drama", "Thriller/Suspense", "Concert/Performance", "None such"] {
        let (total, keys) = keys_of_genre(app, genre);
        assert_eq!((total, keys.len() as u64), (of_genre(genre), of_genre(genre)), "{genre}");
        assert!(keys.is_sorted_by(|one, next| one < next), "{genre}: each once, in order");
    }

    let best = app.ask("top-rated", &json!({ "limit": 50 }));
    let ratings: Vec<f64> = lines(&best).map(|line| line["rating"].as_f64().unwrap()).collect();
    assert_eq!((ratings.len(), ratings[0], ratings[2]), (50, 9.2, 9.1));
    assert!(ratings.is_sorted_by(|one, next| one >= next), "{ratings:?}");
    let best_drama = app.ask("top-rated", &json!({ "limit": 1, "genre": "Drama" }));
    assert_eq!(best_drama[0]["key"], json!("the-shawshank-redemption-1994"));

    let years = app.ask("by-year", &json!({}));
    let count = |lines: &Json| -> u64 {
        self::lines(lines).map(|line| line["count"].as_u64().unwrap()).sum()
    };
    let undated = records.iter().filter(|record| record["Release Date"].is_null()).count() as u64;
    assert_eq!(count(&years) + undated, 3_201);
    let few = app.ask("by-year", &json!({ "from": 1994, "to": 1995 }));
    assert_eq!(
        (&few[0]["year"], &few[1]["year"], few.as_array().unwrap().len()),
        (&json!(1994), &json!(1995), 2)
    );

    let stats = app.ask("stats", &json!({}));
    assert_eq!((&stats["movies"], &stats["genres"]["Western"]), (&json!(3_201), &json!(36)));
}

/// All keys of a genre, page by page, and how many the app says there are.
fn keys_of_genre(app: &App, genre: &str) -> (u64, Vec<String>) {
    let mut keys = Vec::new();
    let mut after = Json::Null;
    loop {
        let page = app.ask("by-genre", &json!({ "genre": genre, "limit": 200, "after": after }));
        keys.extend(lines(&page["movies"]).map(|line| line["key"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
        if after.is_null() {
            return (page["total"].as_u64().unwrap(), keys);
        }
    }
}

fn lines(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().unwrap_or_else(|| panic!("{list}")).iter()
}
