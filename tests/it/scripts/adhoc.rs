//! Questions that are scripts themselves.

use chancery_tests::{App, Reply, Server};
use serde_json::{Value as Json, json};

use super::{COUNTER, deploy, server};

fn ask(app: &App, script: &str) -> Reply {
    let headers = [("content-type", "text/javascript")];
    app.send("POST", "/adhoc", &headers, script.as_bytes())
}

fn counted(server: &Server) -> App {
    let app = server.app();
    deploy(&app, "counter", COUNTER);
    for (name, by) in [("a", 1), ("b", 2), ("c", 3)] {
        app.succeed("add", &json!({ "name": name, "by": by }));
    }
    app
}

#[test]
fn an_expression_or_a_body_reads_every_table() {
    let server = server();
    let app = counted(&server);
    let sum = "[...table('counts').scan()].reduce((sum, [, n]) => sum + n, 0)";
    assert_eq!(ask(&app, sum).expect(200), json!(6));
    let body = "const big = [];\nfor (const [name, n] of table('counts').scan()) {\n  \
                if (n > input.above) big.push(name);\n}\nreturn big;";
    let headers = [("content-type", "application/json")];
    let request = json!({ "script": body, "input": { "above": 1 } }).to_string();
    let answer = app.send("POST", "/adhoc", &headers, request.as_bytes());
    assert_eq!(answer.expect(200), json!(["b", "c"]));
    assert_eq!(ask(&app, "table('counts').get('b')").expect(200), json!(2));
}

#[test]
fn it_changes_nothing_and_says_what_is_wrong() {
    let server = server();
    let app = counted(&server);
    let before = app.sequence();
    let wrong = ask(&app, "table('counts').put('a', 9)");
    assert!(wrong.status >= 400, "{wrong:?}");
    let wrong = ask(&app, "1 +* 2");
    assert_eq!((wrong.status, wrong.code().as_str()), (409, "syntax-error"));
    let wrong = ask(&app, "nothing.here");
    let detail = wrong.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(wrong.status >= 400 && detail.contains("nothing"), "{wrong:?}");
    let wrong = ask(&app, "while (true) {}");
    assert_eq!(wrong.code(), "deadline", "{wrong:?}");
    assert_eq!(app.sequence(), before);
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(1));
}

#[test]
fn the_command_line_asks_and_the_operator_may_switch_it_off() {
    let server = server();
    let _app = counted(&server);
    let (code, said) = server.cli(&["query", "--js", "table('counts').get(input.name)", "name=c"]);
    assert_eq!((code, said.lines().next()), (0, Some("3")), "{said}");
    let server = Server::with(&["--adhoc", "false"]);
    let refused = ask(&server.app(), "1");
    assert_eq!((refused.status, refused.code().as_str()), (403, "adhoc-off"));
    let detail: Json = refused.json()["detail"].clone();
    assert!(detail.as_str().unwrap_or_default().contains("adhoc = true"), "{detail}");
}
