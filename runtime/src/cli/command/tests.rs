//! What a person sees of a command, whatever becomes of it.

use clap::Parser;

use super::*;
use crate::cli::client::tests::{answering, client, told};
use crate::cli::output::Audience;

const ID: &str = "01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    command: Command,
}

/// Runs a command line against a server that gives one answer: what is printed, and
/// what the server was sent.
fn run(line: &[&str], answer: String) -> (String, String) {
    let line = Line::parse_from(std::iter::once(&"command").chain(line));
    let (server, serving) = answering(answer);
    let flags = vec!["--app".to_owned(), "shop".to_owned()];
    let context = Context { client: client(&server), flags };
    let mut stdout = anstream::StripStream::new(Vec::new());
    let mut output = Output::new(&mut stdout, Audience::People);
    let ran = line.command.run(&context, &mut output);
    let printed = String::from_utf8(stdout.into_inner()).expect("text");
    let error = ran.err().map(|error| told(&error)).unwrap_or_default();
    (printed + &error, serving.join().expect("a request"))
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn receipt(status: &str) -> String {
    format!(
        r#"{{"id":"{ID}","sequence":12,"kind":"command","name":"buy","status":"{status}",
        "accepted_at":"2026-11-21T04:17:07.123Z","module":"shop",
        "module_hash":"6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090",
        "result":{{ "left": 3 }},"events":[{{"position":4,"id":"{ID}","type":"product.bought",
        "subject":"product/lamp","data":{{"count":1}}}}],"changes":2,"elapsed_us":1234}}"#
    )
}

#[test]
fn a_receipt_is_told_line_by_line() {
    let (printed, sent) = run(&["buy", "a=1", "--id", ID], answer(200, "", &receipt("succeeded")));
    insta::assert_snapshot!(printed, @r#"
        id         01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1
        entry      12, command buy
        status     succeeded
        accepted   2026-11-21T04:17:07.123Z
        module     shop 6ca13d52ca70
        result     {"left":3}
        event      product.bought  product/lamp  {"count":1}
        changes    2 rows
        took       1.2 ms
        "#);
    assert!(sent.starts_with(&format!("PUT /v1/apps/shop/commands/{ID} ")), "{sent}");
    assert!(sent.ends_with(r#"{"name":"buy","input":{"a":1}}"#), "{sent}");
}

#[test]
fn a_replay_is_told() {
    let replayed = answer(200, "idempotent-replayed: true\r\n", &receipt("succeeded"));
    let (printed, _) = run(&["buy", "--id", ID], replayed);
    assert!(printed.contains("submitted before"), "{printed}");
}

#[test]
fn what_is_only_logged_says_how_to_learn_the_outcome() {
    let accepted = format!(
        r#"{{"id":"{ID}","sequence":12,"kind":"command","name":"buy","status":"accepted"}}"#
    );
    let (printed, sent) = run(&["buy", "--id", ID, "--no-wait"], answer(202, "", &accepted));
    insta::assert_snapshot!(printed, @r"
        id         01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1
        entry      12, command buy
        status     accepted
        logged; `chancery commands 01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1 --wait 60 --app shop` tells the outcome
        ");
    assert!(sent.contains("prefer: respond-async\r\n"), "{sent}");
}

#[test]
fn a_refusal_is_the_applications_word() {
    let problem = r#"{"type":"/errors/rejected","title":"Executed and rejected","status":409,
        "detail":"product `lamp` is out of stock","code":"out-of-stock","outcome":"executed",
        "retry":"new-id","sequence":12}"#;
    let (printed, _) = run(&["buy", "--id", ID], answer(409, "", problem));
    insta::assert_snapshot!(printed, @r"
        id         01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1
        error: product `lamp` is out of stock   (out-of-stock)
          nothing changed; entry 12 records the refusal
          when the reason is gone, send it again; it gets a new id
        exit 1
        ");
}

#[test]
fn a_lost_answer_gives_the_command_line_that_finds_out() {
    let (printed, sent) = run(&["buy", "note=it's", "--basis", "7", "--id", ID], String::new());
    insta::assert_snapshot!(printed, @r"
        id         01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1
        error: no answer from http://127.0.0.1:PORT: the connection was closed   (no-answer)
          whether the command was logged is not known
          send it again with the same id; it cannot take effect twice:
            chancery command buy 'note=it'\''s' --id 01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1 --basis 7 --app shop
        exit 4
        ");
    assert!(sent.contains(r#""basis":7"#), "{sent}");
}

#[test]
fn an_id_is_made_and_told_before_anything_is_sent() {
    let (printed, sent) = run(&["buy"], String::new());
    let id = printed.lines().next().and_then(|line| line.split_whitespace().nth(1)).expect("an id");
    id.parse::<CommandId>().expect("of an acceptable version");
    assert!(sent.starts_with(&format!("PUT /v1/apps/shop/commands/{id} ")), "{sent}");
    assert!(printed.contains(&format!("--id {id}")), "{printed}");
}

#[test]
fn a_dry_run_shows_what_would_become_of_what() {
    let tried = r#"{"dry_run":true,"on":11,"status":"succeeded","result":null,
        "events":[{"type":"product.bought"}],"changes":[
        {"table":"products","key":"lamp","value":{"stock": 3}},
        {"table":"products","key":"rug","deleted":true}]}"#;
    let (printed, sent) = run(&["buy", "--dry-run"], answer(200, "", tried));
    insta::assert_snapshot!(printed, @r#"
        tried on entry 11; nothing was kept
        status     succeeded
        event      product.bought
        TABLE     KEY   BECOMES
        products  lamp  {"stock":3}
        products  rug   (deleted)
        "#);
    assert!(sent.contains("prefer: dry-run\r\n"), "{sent}");
}

#[test]
fn a_dry_run_whose_answer_is_lost_leaves_nothing_in_doubt() {
    let (printed, _) = run(&["buy", "--dry-run"], String::new());
    insta::assert_snapshot!(printed, @r"
        error: no answer from http://127.0.0.1:PORT: the connection was closed   (no-answer)
          nothing was changed; try again
        exit 4
        ");
}
