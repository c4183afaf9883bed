//! A bank: accounts, and transfers that move money without making or losing any.
//!
//! Amounts are whole cents. A transfer reads both balances, checks them and
//! writes both; nothing runs in between, and readers see both writes or neither.

mod account;
mod commands;
mod queries;
#[cfg(test)]
mod tests;

use chancery_sdk::{BytesTable, Rejection, app, reject};

pub use account::Account;
pub use commands::{OpenAccount, Transfer, Transferred, open_account, transfer};
pub use queries::{AccountBalance, Balance, Total, TotalOf, balance, total};

app! {
    /// A bank whose total changes only when an account is opened.
    pub struct Bank;

    tables {
        /// Accounts, as packed bytes: 8 of the balance, then the owner's name.
        ACCOUNTS,
    }
    queries { balance, total }
    commands { open_account, transfer }
}

/// Accounts by their number.
///
/// Packed, since `total` reads them all and parsing JSON would be most of its work.
pub const ACCOUNTS: BytesTable<String, Account> = BytesTable::new("accounts");

/// The most an account holds: ten thousand million units of 100 cents. Ten
/// million such accounts still have a total that fits a `u64`.
pub const BALANCE_CENTS_MAX: u64 = 1_000_000_000_000;

fn unknown_account(account: &str) -> Rejection {
    reject("unknown-account", format!("There is no account `{account}`."))
        .with_details(&serde_json::json!({ "account": account }))
}
