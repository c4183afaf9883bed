//! What bad input gets: a clear problem, nothing logged, the server unharmed.
//!
//! Every refusal is checked for what each must say (I13): what was wrong, what
//! has become of the command, and whether to try again. Every test ends with a
//! command and a query that work.

mod bodies;
mod handlers;
mod ids;
mod inbox;
mod names;
mod uploads;

use chancery_tests::{App, Reply, Server};
use serde_json::{Value as Json, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A server with the guest `probe`, to which bad things are done.
struct Site {
    server: Server,
    app: App,
}

impl Site {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        let server = Server::with(arguments);
        let app = server.app();
        app.deploy("probe");
        Self { server, app }
    }

    /// The problem that a request is refused with. Nothing is logged for it.
    #[track_caller]
    fn refusal(&self, ask: impl FnOnce(&App) -> Reply, status: u16, code: &str) -> Json {
        let before = self.app.sequence();
        let reply = ask(&self.app);
        assert_eq!(self.app.sequence(), before, "nothing is logged: {reply:?}");
        let problem = problem(&reply, status, code);
        let outcome = &problem["outcome"];
        assert!(outcome.is_null() || outcome == "not-logged", "{problem}");
        problem
    }

    /// As [`Site::refusal`], of something that would have been an entry: the
    /// problem says that it is none.
    #[track_caller]
    fn not_logged(&self, ask: impl FnOnce(&App) -> Reply, status: u16, code: &str) -> Json {
        let problem = self.refusal(ask, status, code);
        assert_eq!(problem["outcome"], json!("not-logged"), "{problem}");
        problem
    }

    /// Whatever was done: the next command and query work.
    #[track_caller]
    fn assert_unharmed(&self) {
        let client = self.server.client();
        assert_eq!(client.get("/healthz").expect(200), json!({ "status": "ok" }));
        assert_eq!(client.get("/readyz").expect(200)["status"], json!("ready"));
        let before = self.app.ask("sum", &json!({})).as_u64().expect("a sum");
        self.app.succeed("add", &json!({ "key": "unharmed", "amount": 1 }));
        assert_eq!(self.app.ask("sum", &json!({})), json!(before + 1));
    }
}

/// A problem that says all that every problem says.
#[track_caller]
fn problem(reply: &Reply, status: u16, code: &str) -> Json {
    let problem = reply.expect(status);
    assert_eq!(problem["code"], json!(code), "{problem}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem["status"], json!(status));
    let text =
        |member: &str| problem[member].as_str().unwrap_or_else(|| panic!("{member}: {problem}"));
    assert!(text("type").starts_with("/errors/"), "{problem}");
    assert!(!text("title").is_empty() && !text("detail").is_empty(), "{problem}");
    assert!(["same-id", "new-id", "no", "later"].contains(&text("retry")), "{problem}");
    if let Some(outcome) = problem["outcome"].as_str() {
        assert!(["not-logged", "logged", "executed", "unknown"].contains(&outcome), "{problem}");
    }
    problem
}

/// Checks that a problem's text names what its reader needs.
#[track_caller]
fn assert_names(problem: &Json, words: &[&str]) {
    let detail = problem["detail"].as_str().expect("a text");
    for word in words {
        assert!(detail.contains(word), "`{word}` is not in: {detail}");
    }
}
