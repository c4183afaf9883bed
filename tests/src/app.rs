//! One app of a server, as its users' programs see it.

use serde_json::{Value as Json, json};

use crate::{Client, Reply, Uuid, guest, new_id, script};

/// An app over HTTP, through connections of its own.
#[derive(Debug, Clone)]
pub struct App {
    /// What it is reached with.
    pub client: Client,
    path: String,
}

impl App {
    /// The app of that name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, path: format!("/v1/apps/{name}") }
    }

    /// Deploys a guest under its own name.
    pub fn deploy(&self, module: &str) {
        let deployed = self.upload(module, &guest(module)).expect(200);
        assert_eq!(deployed["deployed"], json!(true), "{deployed}");
    }

    /// Deploys an example in JavaScript or TypeScript, by the name of its folder.
    pub fn deploy_script(&self, module: &str, example: &str) {
        let headers = [("content-type", "text/javascript")];
        let path = format!("/modules/{module}");
        let deployed = self.send("PUT", &path, &headers, &script(example)).expect(200);
        assert_eq!(deployed["deployed"], json!(true), "{deployed}");
    }

    /// Uploads a module.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn upload(&self, module: &str, bytes: &[u8]) -> Reply {
        let wasm = [("content-type", "application/wasm")];
        self.send("PUT", &format!("/modules/{module}"), &wasm, bytes)
    }

    /// Sends a request; the path is below the app's.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let path = format!("{}{path}", self.path);
        self.client.send(method, &path, headers, body).expect("an answer")
    }

    /// `GET` of what is below the app's path.
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], &[])
    }

    /// Submits a command with a new id and waits for its outcome.
    #[must_use]
    pub fn command(&self, name: &str, input: &Json) -> Reply {
        self.command_with(new_id(), name, input, &[])
    }

    /// As [`App::command`], with an id and more headers.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn command_with(
        &self,
        id: Uuid,
        name: &str,
        input: &Json,
        headers: &[(&str, &str)],
    ) -> Reply {
        self.try_command(id, name, input, headers).expect("an answer")
    }

    /// As [`App::command_with`], of a server that may be gone.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn try_command(
        &self,
        id: Uuid,
        name: &str,
        input: &Json,
        headers: &[(&str, &str)],
    ) -> Result<Reply, ureq::Error> {
        let body = json!({ "name": name, "input": input }).to_string();
        let path = format!("{}/commands/{id}", self.path);
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.client.send("PUT", &path, &headers, body.as_bytes())
    }

    /// Executes a command that succeeds, and gives its result.
    #[track_caller]
    pub fn succeed(&self, name: &str, input: &Json) -> Json {
        self.command(name, input).expect(200)["result"].take()
    }

    /// Asks a query with a JSON input.
    #[must_use]
    pub fn query(&self, name: &str, input: &Json) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send("POST", &format!("/queries/{name}"), &headers, input.to_string().as_bytes())
    }

    /// Asks a query that answers, and gives the answer.
    #[track_caller]
    #[must_use]
    pub fn ask(&self, name: &str, input: &Json) -> Json {
        self.query(name, input).expect(200)
    }

    /// The latest sequence that is visible.
    ///
    /// # Panics
    /// If the app cannot be shown.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.get("").expect(200)["sequence"].as_u64().expect("a number")
    }

    /// All receipts after a sequence, page by page, the oldest first.
    ///
    /// # Panics
    /// If a page cannot be had.
    #[must_use]
    pub fn receipts_after(&self, sequence: u64) -> Vec<Json> {
        let mut receipts = Vec::new();
        let mut next = String::new();
        loop {
            let mut page = self.get(&format!("/commands?limit=1000{next}")).expect(200);
            let Json::Array(commands) = page["commands"].take() else { panic!("{page}") };
            let wanted = commands.into_iter().take_while(|receipt| sequence_of(receipt) > sequence);
            receipts.extend(wanted);
            match page["next"].as_u64() {
                Some(before) if before > sequence + 1 => next = format!("&before={before}"),
                _ => break,
            }
        }
        receipts.reverse();
        receipts
    }
}

/// The sequence in a receipt.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn sequence_of(receipt: &Json) -> u64 {
    receipt["sequence"].as_u64().unwrap_or_else(|| panic!("{receipt}"))
}

/// Checks that sequences have no gap behind one that is known (I4).
///
/// # Panics
/// If they have.
#[track_caller]
pub fn assert_gapless(after: u64, receipts: &[Json]) {
    let sequences: Vec<u64> = receipts.iter().map(sequence_of).collect();
    let wanted: Vec<u64> = (after + 1..).take(receipts.len()).collect();
    assert_eq!(sequences, wanted);
}
