//! What can be asked.

use chancery_sdk::{Rejection, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ACCOUNTS, unknown_account};

/// Says what an account holds.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Balance {
    /// The account's number.
    pub account: String,
}

/// An account as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountBalance {
    /// The account's number.
    pub account: String,
    /// Whose it is.
    pub owner: String,
    /// What it holds, in cents.
    pub balance: u64,
}

/// What an account holds.
///
/// # Errors
///
/// `unknown-account`.
pub fn balance(snapshot: &Snapshot, input: Balance) -> Result<AccountBalance, Rejection> {
    let account = input.account;
    let found = ACCOUNTS.get(snapshot, &account).ok_or_else(|| unknown_account(&account))?;
    Ok(AccountBalance { account, owner: found.owner, balance: found.balance })
}

/// Adds up all accounts.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TotalOf {}

/// What the bank holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Total {
    /// The sum of all balances, in cents.
    pub total: u64,
    /// How many accounts there are.
    pub accounts: u64,
}

/// The sum of all balances, by looking at every account.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn total(snapshot: &Snapshot, TotalOf {}: TotalOf) -> Result<Total, Rejection> {
    let mut sum = Total { total: 0, accounts: 0 };
    for account in ACCOUNTS.scan(snapshot).values() {
        sum.total += account.balance;
        sum.accounts += 1;
    }
    Ok(sum)
}
