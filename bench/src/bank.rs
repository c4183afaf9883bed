//! The example `bank` on a server: opened, asked, and checked at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail, ensure};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::load::{self, Ask, Until};
use crate::server::Server;
use crate::wire::{Connection, Reply, request};

/// What each account holds at first, in cents: enough for any run.
const BALANCE: u64 = 1_000_000;
/// Connections that open the accounts.
const OPENERS: usize = 64;

/// A bank with its accounts open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bank {
    accounts: usize,
}

impl Bank {
    /// Deploys the module and opens the accounts.
    pub(crate) fn open(server: &Server, accounts: usize) -> anyhow::Result<Self> {
        let module = chancery_tests::guest("bank");
        let deploy =
            request("PUT", "/v1/apps/main/modules/bank", "application/wasm", module.as_slice());
        json_of(server, &deploy)?;
        let next = Arc::new(AtomicUsize::new(0));
        let opening = |_| Opening { next: Arc::clone(&next), request: Vec::new() };
        let all = Until::Requests(u64::try_from(accounts)?);
        let opened = load::turn(server, OPENERS, all, opening)?;
        ensure!(opened.requests == accounts as u64, "not every account was opened");
        let bank = Self { accounts };
        bank.check_total(server)?;
        Ok(bank)
    }

    /// Whether no money was made or lost, and no account.
    pub(crate) fn check_total(&self, server: &Server) -> anyhow::Result<()> {
        let total = json_of(server, &get("/v1/apps/main/queries/total"))?;
        let expected =
            json!({ "total": BALANCE * self.accounts as u64, "accounts": self.accounts });
        ensure!(total == expected, "the bank holds {total}, not {expected}");
        Ok(())
    }

    /// One account's balance after another, each in a fresh instance. Only as long
    /// as nothing was transferred.
    pub(crate) fn balances(&self, connection: usize) -> impl Ask + use<> {
        // Apart from the others', and odd, so that all accounts are visited.
        let next = connection * 7919;
        Balances { next, accounts: self.accounts, request: Vec::new(), expected: String::new() }
    }

    /// A cent from one random account to another, again and again.
    pub(crate) fn transfers(&self) -> impl Ask + use<> {
        Transfers { accounts: self.accounts, request: Vec::new() }
    }
}

/// The bare route.
pub(crate) fn bare() -> impl Ask {
    Bare(get(crate::serve::BARE))
}

/// The sequence of the latest published state.
pub(crate) fn sequence(server: &Server) -> anyhow::Result<u64> {
    let app = json_of(server, &get("/v1/apps/main"))?;
    app["sequence"].as_u64().context("an app has a sequence")
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, "", b"")
}

fn json_of(server: &Server, request: &[u8]) -> anyhow::Result<Json> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(server.address()).await?;
        let reply = connection.exchange(request).await?;
        expect_ok(&reply)?;
        Ok(serde_json::from_slice(reply.body)?)
    })
}

fn expect_ok(reply: &Reply<'_>) -> anyhow::Result<()> {
    match reply.status {
        200 => Ok(()),
        status => bail!("{status}: {}", String::from_utf8_lossy(reply.body)),
    }
}

fn name(account: usize) -> String {
    format!("a{account:05}")
}

fn put_command(command: &str, input: &Json) -> Vec<u8> {
    let path = format!("/v1/apps/main/commands/{}", Uuid::now_v7());
    let body = json!({ "name": command, "input": input }).to_string();
    request("PUT", &path, "application/json", body.as_bytes())
}

struct Opening {
    /// Shared by all that open: each account once.
    next: Arc<AtomicUsize>,
    request: Vec<u8>,
}

impl Ask for Opening {
    fn next(&mut self) -> &[u8] {
        let account = name(self.next.fetch_add(1, Ordering::Relaxed));
        let owner = format!("owner of {account}");
        let input = json!({ "account": account, "owner": owner, "balance": BALANCE });
        self.request = put_command("open-account", &input);
        &self.request
    }

    fn check(&self, reply: &Reply<'_>) -> anyhow::Result<()> {
        expect_ok(reply)
    }
}

struct Balances {
    next: usize,
    accounts: usize,
    request: Vec<u8>,
    expected: String,
}

impl Ask for Balances {
    fn next(&mut self) -> &[u8] {
        let account = name(self.next % self.accounts);
        self.next += 1;
        let input = format!("%7B%22account%22:%22{account}%22%7D");
        self.request = get(&format!("/v1/apps/main/queries/balance?input={input}"));
        self.expected = format!(
            r#"{{"account":"{account}","owner":"owner of {account}","balance":{BALANCE}}}"#
        );
        &self.request
    }

    fn check(&self, reply: &Reply<'_>) -> anyhow::Result<()> {
        expect_ok(reply)?;
        let body = String::from_utf8_lossy(reply.body);
        ensure!(body == self.expected, "{body}, not {}", self.expected);
        Ok(())
    }
}

struct Transfers {
    accounts: usize,
    request: Vec<u8>,
}

impl Ask for Transfers {
    fn next(&mut self) -> &[u8] {
        let from = rand::random_range(0..self.accounts);
        let to = (from + rand::random_range(1..self.accounts)) % self.accounts;
        let input = json!({ "from": name(from), "to": name(to), "amount": 1 });
        self.request = put_command("transfer", &input);
        &self.request
    }

    fn check(&self, reply: &Reply<'_>) -> anyhow::Result<()> {
        expect_ok(reply)
    }
}

struct Bare(Vec<u8>);

impl Ask for Bare {
    fn next(&mut self) -> &[u8] {
        &self.0
    }

    fn check(&self, reply: &Reply<'_>) -> anyhow::Result<()> {
        expect_ok(reply)
    }
}
