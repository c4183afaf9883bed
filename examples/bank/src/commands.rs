//! What moves money.

use std::num::NonZeroU64;

use chancery_sdk::{Rejection, Transaction, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::queries::AccountBalance;
use crate::{ACCOUNTS, Account, BALANCE_CENTS_MAX, unknown_account};

/// Opens an account with an initial balance.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OpenAccount {
    /// The account's number: any text.
    #[schemars(length(min = 1, max = 100))]
    pub account: String,
    /// Whose it is.
    pub owner: String,
    /// What it holds at first, in cents.
    #[schemars(range(min = 0, max = BALANCE_CENTS_MAX))]
    pub balance: u64,
}

/// Opens an account.
///
/// # Errors
///
/// `account-exists`, and `balance-too-large` if it is over [`BALANCE_CENTS_MAX`].
pub fn open_account(tx: &mut Transaction, input: OpenAccount) -> Result<AccountBalance, Rejection> {
    let OpenAccount { account, owner, balance } = input;
    if ACCOUNTS.contains(tx, &account) {
        return Err(reject("account-exists", format!("There is an account `{account}` already."))
            .with_details(&json!({ "account": account })));
    }
    let opened = Account { balance: checked(balance)?, owner };
    ACCOUNTS.put(tx, &account, &opened);
    Ok(AccountBalance { account, owner: opened.owner, balance })
}

/// Moves money from one account to another.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Transfer {
    /// The account that pays.
    pub from: String,
    /// The account that is paid.
    pub to: String,
    /// How much, in cents.
    pub amount: NonZeroU64,
}

/// Both balances after a transfer, in cents.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Transferred {
    /// What the account that paid holds now.
    pub from: u64,
    /// What the account that was paid holds now.
    pub to: u64,
}

/// Moves money; both balances change or neither does.
///
/// # Errors
///
/// `same-account`, `unknown-account`, `insufficient-funds`, and `balance-too-large`
/// if the receiver's would be over [`BALANCE_CENTS_MAX`].
pub fn transfer(tx: &mut Transaction, input: Transfer) -> Result<Transferred, Rejection> {
    let Transfer { from, to, amount } = input;
    if from == to {
        return Err(reject("same-account", "An account cannot pay itself."));
    }
    let mut payer = ACCOUNTS.get(tx, &from).ok_or_else(|| unknown_account(&from))?;
    let mut receiver = ACCOUNTS.get(tx, &to).ok_or_else(|| unknown_account(&to))?;

    let Some(rest) = payer.balance.checked_sub(amount.get()) else {
        return Err(reject(
            "insufficient-funds",
            format!("`{from}` does not hold {amount} cents."),
        )
        .with_details(&json!({ "account": from, "balance": payer.balance })));
    };
    payer.balance = rest;
    receiver.balance = checked(receiver.balance + amount.get())?;

    ACCOUNTS.put(tx, &from, &payer);
    ACCOUNTS.put(tx, &to, &receiver);
    Ok(Transferred { from: payer.balance, to: receiver.balance })
}

fn checked(balance: u64) -> Result<u64, Rejection> {
    if balance <= BALANCE_CENTS_MAX {
        Ok(balance)
    } else {
        Err(reject(
            "balance-too-large",
            format!("An account holds {BALANCE_CENTS_MAX} cents at most."),
        ))
    }
}
