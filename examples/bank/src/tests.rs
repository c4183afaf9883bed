//! The bank's promises.

use std::num::NonZeroU64;

use chancery_sdk::testing::{Given, given};
use proptest::prelude::*;
use serde_json::json;

use super::{
    ACCOUNTS, Account, BALANCE_CENTS_MAX, Bank, Total, TotalOf, Transfer, total, transfer,
};

fn account(balance: u64) -> Account {
    Account { balance, owner: "somebody".to_owned() }
}

fn ann_and_bob(ann: u64, bob: u64) -> Given {
    given::<Bank>().row(&ACCOUNTS, "ann", &account(ann)).row(&ACCOUNTS, "bob", &account(bob))
}

fn pay(from: &str, to: &str, amount: u64) -> Transfer {
    let amount = NonZeroU64::new(amount).expect("tests transfer something");
    Transfer { from: from.to_owned(), to: to.to_owned(), amount }
}

#[test]
fn a_transfer_changes_both_balances() {
    ann_and_bob(100, 5)
        .when(transfer, pay("ann", "bob", 30))
        .then_row(&ACCOUNTS, "ann", &account(70))
        .then_row(&ACCOUNTS, "bob", &account(35))
        .then_query(total, TotalOf {}, &Total { total: 105, accounts: 2 });
}

#[test]
fn a_refused_transfer_changes_nothing() {
    let cases = [
        (pay("ann", "bob", 101), "insufficient-funds"),
        (pay("ann", "cid", 1), "unknown-account"),
        (pay("cid", "ann", 1), "unknown-account"),
        (pay("ann", "ann", 1), "same-account"),
        (pay("bob", "ann", BALANCE_CENTS_MAX - 50), "balance-too-large"),
    ];
    for (transfer_input, code) in cases {
        ann_and_bob(100, BALANCE_CENTS_MAX)
            .when(transfer, transfer_input)
            .then_rejected(code)
            .then_unchanged();
    }
}

#[test]
fn nothing_cannot_be_transferred() {
    ann_and_bob(1, 1)
        .when_named("transfer", &json!({ "from": "ann", "to": "bob", "amount": 0 }))
        .then_rejected("invalid-input")
        .then_unchanged();
}

#[test]
fn an_account_is_opened_once() {
    let ann = json!({ "account": "ann", "owner": "Ann", "balance": 1_000 });
    given::<Bank>()
        .when_named("open-account", &ann)
        .then_ok(&ann)
        .when_named("open-account", &ann)
        .then_rejected("account-exists")
        .then_unchanged();
}

proptest! {
    #[test]
    fn the_total_never_changes(
        transfers in prop::collection::vec((0..4_u8, 0..4_u8, 1..200_u64), 0..40),
    ) {
        let names = ["ann", "bob", "cid", "dan"];
        let mut given = given::<Bank>();
        for name in names {
            given = given.row(&ACCOUNTS, name, &account(100));
        }
        for (from, to, amount) in transfers {
            let (from, to) = (names[usize::from(from)], names[usize::from(to)]);
            given = given.when(transfer, pay(from, to, amount)).given();
            let sum = given.query(total, TotalOf {}).expect("a total can always be asked for");
            prop_assert_eq!((sum.total, sum.accounts), (400, 4));
        }
    }
}
