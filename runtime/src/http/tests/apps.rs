//! Apps, what is in a new one, and health.

use serde_json::json;

use super::{Api, JSON, request};

#[tokio::test]
async fn apps_are_created_once_and_listed() {
    let api = Api::new();
    let created = api.put("/v1/apps/shop", "").await;
    assert_eq!(created.status, 201);
    let app = created.json();
    assert_eq!((&app["name"], &app["sequence"]), (&json!("shop"), &json!(0)));
    assert_eq!(app["modules"], json!([]));
    assert_eq!(created.header("chancery-history"), app["history"].as_str().unwrap());
    assert_eq!(created.header("chancery-sequence"), "0");

    let again = api.put("/v1/apps/shop", "").await;
    assert_eq!((again.status.as_u16(), again.json()), (200, app.clone()));
    assert_eq!(api.get("/v1/apps/shop").await.json(), app);
    let all = api.get("/v1/apps").await.json();
    let names: Vec<_> = all["apps"].as_array().unwrap().iter().map(|app| &app["name"]).collect();
    assert_eq!(names, ["main", "shop"]);
}

#[tokio::test]
async fn names_are_checked_and_near_ones_suggested() {
    let api = Api::new();
    for name in ["Shop", "1shop", "a_b", "a.b", "%C3%A4", &"a".repeat(65)] {
        api.put(&format!("/v1/apps/{name}"), "").await.problem(400, "invalid-name");
    }
    let problem = api.get("/v1/apps/mian").await.problem(404, "unknown-app");
    assert_eq!(problem["suggestion"], "main");
    let problem = api.get("/v1/apps/zzz/tables").await.problem(404, "unknown-app");
    assert_eq!(problem.get("suggestion"), None);
}

#[tokio::test]
async fn a_new_app_has_nothing_in_it_and_says_so() {
    let api = Api::new();
    let base = "/v1/apps/main";
    assert_eq!(api.get(&format!("{base}/modules")).await.json(), json!({"modules": []}));
    let tables = api.get(&format!("{base}/tables")).await;
    assert_eq!(tables.json(), json!({"sequence": 0, "tables": []}));
    assert_eq!(tables.header("chancery-sequence"), "0");
    let commands = api.get(&format!("{base}/commands")).await;
    assert_eq!(commands.json(), json!({"commands": [], "next": null}));

    api.get(&format!("{base}/modules/m")).await.problem(404, "unknown-module");
    api.get(&format!("{base}/tables/t")).await.problem(404, "unknown-table");
    api.get(&format!("{base}/tables/$modules")).await.problem(404, "unknown-table");
    api.get(&format!("{base}/tables/t/a/b")).await.problem(404, "unknown-table");
    api.get(&format!("{base}/queries/q")).await.problem(404, "unknown-query");
    let removed = api.delete(&format!("{base}/modules/m")).await;
    removed.not_logged(404, "unknown-module");
    let dropped = api.delete(&format!("{base}/tables/t")).await;
    dropped.not_logged(404, "unknown-table");
    for method in ["POST", "QUERY"] {
        let asked = request(method, &format!("{base}/queries/q"), &[JSON], "{}");
        api.send(asked).await.problem(404, "unknown-query");
    }
}

#[tokio::test]
async fn health_is_of_the_process_and_readiness_of_its_apps() {
    let api = Api::new();
    let alive = api.get("/healthz").await;
    assert_eq!((alive.status.as_u16(), alive.json()), (200, json!({"status": "ok"})));
    let ready = json!({
        "status": "ready",
        "apps": [{"name": "main", "sequence": 0, "lane": "running"}],
    });
    assert_eq!(api.get("/readyz").await.json(), ready);

    api.engine.close(std::time::Duration::from_secs(1));
    assert_eq!(api.get("/healthz").await.status, 200);
    let problem = api.get("/readyz").await.problem(503, "not-ready");
    assert_ne!(problem["apps"][0]["lane"], "running");
    assert_eq!(problem["retry"], "later");
}
