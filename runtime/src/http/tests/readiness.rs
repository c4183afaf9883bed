//! What is answered while apps are opened, and what is told of damage.

use std::sync::Arc;

use super::super::{Settings, router};
use super::{Api, fresh_command};
use crate::checkpoint::AtOnce;
use crate::clock::Clock;
use crate::engine::{self, Engine};
use crate::value::Hash;

#[tokio::test]
async fn an_app_that_is_being_opened_says_so() {
    let Api { engine, data, router: before } = Api::new();
    engine.close(std::time::Duration::from_secs(10));
    drop((engine, before));
    let mut settings = engine::Settings::new(data.path().to_owned());
    settings.wasm.instances_max = 8;
    // Taken, and nothing opened yet.
    let engine = Arc::new(Engine::new(settings, Clock::system()).unwrap());
    let router = router(Arc::clone(&engine), Settings::default(), Clock::system());
    let api = Api { router, engine, data };
    for path in ["", "/commands", "/tables", "/modules"] {
        let reply = api.get(&format!("/v1/apps/main{path}")).await;
        reply.problem(503, "opening");
        assert_ne!(reply.header("retry-after"), "", "{path}");
    }
    let command = api.put(&fresh_command(), r#"{"name":"buy"}"#).await.problem(503, "opening");
    assert_eq!(command["outcome"], "unknown", "it may have been sent before: {command}");
    api.get("/v1/apps/other").await.problem(404, "unknown-app");
    let ready = api.get("/readyz").await.problem(503, "not-ready");
    assert_eq!(ready["apps"][0]["lane"], "opening", "{ready}");
    assert_eq!(ready["apps"][0]["percent"], 0, "{ready}");
    assert_eq!(api.get("/healthz").await.status, 200);
    api.engine.recover().unwrap();
    assert_eq!(api.get("/v1/apps/main").await.status, 200);
    assert_eq!(api.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn damage_is_told_by_readyz_and_by_the_app() {
    let api = Api::new();
    assert!(api.get("/readyz").await.json()["apps"][0].get("damage").is_none());
    let module = format!("apps/main/modules/{}.wasm", Hash::of(b"what it was"));
    std::fs::write(api.data.path().join(module), "what it is").unwrap();
    let app = api.engine.app("main").unwrap();
    let told = app.keeper().scrub_all(&mut AtOnce);
    assert_eq!(told.len(), 1, "{told:?}");
    let ready = api.get("/readyz").await;
    assert_eq!(ready.status, 200, "it is served all the same");
    assert_eq!(ready.json()["apps"][0]["damage"][0], told[0], "{}", ready.json());
}
