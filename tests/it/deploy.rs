//! Deployments: entries like any other, with their own ways to go wrong.

use chancery::engine::{Deployment, Error, Upload};
use chancery::record::Verdict;
use chancery::value::Hash;
use chancery_tests::rig::{code, name, outcome};
use chancery_tests::{Rig, block_on, guest, new_id};
use serde_json::json;

const SLOW_ITERATIONS: u64 = 200_000_000;

async fn upload(rig: &Rig, module: &str, guest_name: &str) -> Result<Deployment, Error> {
    rig.app.deploy(&name(module), Upload::Bytes(guest(guest_name).into())).await
}

async fn stocked() -> Rig {
    let rig = Rig::start();
    rig.deploy("shop", "shop").await;
    let lamp = json!({ "product": "lamp", "name": "Lamp", "quantity": 3 });
    rig.succeed("add-product", lamp).await;
    rig.succeed("buy-product", json!({ "product": "lamp" })).await;
    rig
}

#[test]
fn every_receipt_names_the_module_and_version_that_made_it() {
    block_on(async {
        let rig = stocked().await;
        let receipt = rig.command("buy-product", json!({ "product": "lamp" })).await;
        let outcome = outcome(&receipt);
        assert_eq!(outcome.module, Some(name("shop")));
        assert_eq!(outcome.module_hash, Some(Hash::of(&guest("shop"))));
    });
}

#[test]
fn on_deploy_migrates_the_rows_and_old_versions_stay() {
    block_on(async {
        let rig = stocked().await;
        let v1 = Hash::of(&guest("shop"));
        let deployment = rig.deploy("shop", "shop-v2").await;
        assert_eq!(deployment.plan.replaces, Some(v1.to_string()));
        assert_eq!(deployment.plan.tables.orphaned, ["orders"]);
        let row = rig.app.value(Default::default(), "stock", "lamp").await.unwrap().1;
        let row = chancery_tests::rig::json_of(&row);
        assert_eq!(row["quantity"], json!(2), "{row}");
        assert!(row.get("price_cents").is_some(), "{row}");

        let rig = rig.restart();
        let bought = rig.command("buy-product", json!({ "product": "lamp" })).await;
        assert_eq!(code(&bought), "succeeded");
        assert_eq!(outcome(&bought).module_hash, Some(Hash::of(&guest("shop-v2"))));
        let versions = rig.app.versions(&name("shop")).unwrap();
        assert_eq!(versions.iter().map(|v| v.sequence.0).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(rig.app.lane().modules().bytes(v1).unwrap(), guest("shop"));
    });
}

#[test]
fn an_on_deploy_command_that_refuses_deploys_nothing() {
    block_on(async {
        let rig = stocked().await;
        let deployment = upload(&rig, "shop", "shop-v2-refuse").await.unwrap();
        let receipt = deployment.receipt.unwrap();
        assert_eq!(code(&receipt), "cannot-migrate");
        assert!(outcome(&receipt).changes.is_empty());
        assert_eq!(rig.app.deployed("shop").unwrap().hash(), Hash::of(&guest("shop")));
        assert_eq!(
            code(&rig.command("buy-product", json!({ "product": "lamp" })).await),
            "succeeded"
        );
    });
}

#[test]
fn orphaned_tables_stay_readable_until_they_are_dropped() {
    block_on(async {
        let rig = stocked().await;
        rig.deploy("shop", "shop-v2").await;
        let orders = rig.rows("orders").await.unwrap();
        assert_eq!(orders.len(), 1);
        let in_use = rig.app.drop_table("stock").await.unwrap();
        assert_eq!(code(&in_use), "table-in-use");
        let dropped = rig.app.drop_table("orders").await.unwrap();
        assert_eq!(code(&dropped), "succeeded");
        let gone = rig.rows("orders").await.unwrap_err();
        assert!(matches!(gone, Error::UnknownTable { .. }), "{gone}");
        let rig = rig.restart();
        assert!(rig.app.drop_table("orders").await.is_err());
    });
}

#[test]
fn a_rollback_finds_its_tables_again() {
    block_on(async {
        let rig = stocked().await;
        rig.deploy("shop", "shop-v2").await;
        let back = Upload::Kept(Hash::of(&guest("shop")));
        let deployment = rig.app.deploy(&name("shop"), back).await.unwrap();
        assert_eq!(deployment.plan.tables.adopted, ["orders"]);
        assert_eq!(code(&deployment.receipt.unwrap()), "succeeded");
        let unknown = rig.app.deploy(&name("shop"), Upload::Kept(Hash::of(b"?"))).await;
        assert!(matches!(unknown.unwrap_err(), Error::Modules(_)));
    });
}

#[test]
fn the_same_version_again_is_no_entry() {
    block_on(async {
        let rig = stocked().await;
        let before = rig.sequence();
        let deployment = rig.deploy("shop", "shop").await;
        assert!(deployment.plan.unchanged && deployment.receipt.is_none());
        assert_eq!(rig.sequence(), before);
    });
}

#[test]
fn what_belongs_to_another_module_is_not_taken() {
    block_on(async {
        let rig = stocked().await;
        let before = rig.sequence();
        let Err(Error::Conflicts(conflicts)) = upload(&rig, "other", "shop").await else {
            panic!("it was deployed")
        };
        let text: String = conflicts.iter().map(|conflict| format!("{conflict}\n")).collect();
        for what in ["command `buy-product`", "query `stock-of`", "table `stock`"] {
            assert!(text.contains(what), "{what} in {text}");
        }
        assert_eq!(rig.sequence(), before, "nothing was logged");
        let plan = rig.app.plan(&name("shop"), Upload::Bytes(guest("shop-v2").into())).await;
        assert_eq!(plan.unwrap().plan.tables.orphaned, ["orders"]);
        assert_eq!(rig.sequence(), before, "a check logs nothing");
    });
}

#[test]
fn a_command_sequenced_before_its_module_went_is_told_so() {
    block_on(async {
        let rig = stocked().await;
        rig.deploy("probe", "probe").await;
        // While this runs, what follows is sequenced and waits.
        let slow = rig.request(new_id(), "spin", &json!({ "iterations": SLOW_ITERATIONS }));
        drop(rig.app.submit(slow).unwrap());
        let (app, last) = (rig.app.clone(), rig.app.lane().last_sequence());
        let removal = tokio::spawn(async move { app.remove("shop").await });
        while rig.app.lane().last_sequence() == last {
            tokio::task::yield_now().await;
        }
        let buy = rig.request(new_id(), "buy-product", &json!({ "product": "lamp" }));
        let buy = rig.app.submit(buy).expect("its module is still there to see");
        let receipt = rig.done(&buy).await;
        assert_eq!(code(&receipt), "unknown-command");
        assert!(matches!(outcome(&receipt).verdict, Verdict::Rejected(_)));
        assert_eq!(code(&removal.await.unwrap().unwrap()), "succeeded");
        let gone = rig.app.submit(rig.request(new_id(), "buy-product", &json!({})));
        assert!(matches!(gone.unwrap_err(), Error::UnknownCommand { .. }));
    });
}

#[test]
fn redeploying_under_load_loses_no_request() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("shop", "shop").await;
        let lamp = json!({ "product": "lamp", "name": "Lamp", "quantity": 1_000_000 });
        rig.succeed("add-product", lamp).await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (app, stopped) = (rig.app.clone(), stopped.clone());
                tokio::spawn(async move {
                    let mut bought = 0;
                    while !*stopped.borrow() {
                        let id = new_id();
                        let request = chancery::engine::CommandRequest {
                            id: chancery::value::CommandId::new(id).unwrap(),
                            name: "buy-product".into(),
                            input: r#"{"product":"lamp"}"#.into(),
                            basis: None,
                            unchanged: Vec::new(),
                            caller: None,
                            correlation_id: None,
                            causation_id: None,
                            metadata: "{}".into(),
                        };
                        let submitted = app.submit(request).expect("a place");
                        let progress = app.progress(&submitted, chancery_tests::rig::PATIENCE);
                        let chancery::engine::Progressed::Done(receipt) = progress.await.unwrap()
                        else {
                            panic!("not answered")
                        };
                        assert_eq!(code(&receipt), "succeeded");
                        bought += 1;
                    }
                    bought
                })
            })
            .collect();
        for (guest_name, expected) in
            [("shop-v2", "succeeded"), ("shop-v2-refuse", "cannot-migrate")]
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let deployment = upload(&rig, "shop", guest_name).await.unwrap();
            assert_eq!(code(&deployment.receipt.unwrap()), expected);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stop.send(true).unwrap();
        let mut bought = 0;
        for client in clients {
            bought += client.await.unwrap();
        }
        assert!(bought > 0);
        let receipts = rig.app.receipts(None, None, 1_000_000, usize::MAX).unwrap().receipts;
        let sold = receipts.iter().filter(|receipt| {
            receipt.outcome.as_ref().is_some_and(|outcome| {
                matches!(&receipt.entry.act, chancery::record::Act::Command(c) if c.name.as_str() == "buy-product")
                    && matches!(outcome.verdict, Verdict::Succeeded(_))
            })
        });
        assert_eq!(sold.count(), bought);
    });
}
