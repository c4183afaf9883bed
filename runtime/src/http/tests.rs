//! The router as a service, over a real engine in a directory of its own. What
//! needs a deployed module is tested end to end in the `tests` package.

mod access;
mod apps;
mod codes;
mod commands;
mod gone;
mod headers;
mod limits;
mod readiness;
mod requests;
mod slow_disk;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value as Json;
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

use super::{Settings, router};
use crate::clock::Clock;
use crate::engine::{self, Engine};

/// A server without a socket, and with one app, `main`.
struct Api {
    router: Router,
    engine: Arc<Engine>,
    data: TempDir,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Api {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        Self::at(settings, Clock::system(), |_| ())
    }

    fn at(settings: Settings, clock: Clock, change: impl FnOnce(&mut engine::Settings)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut engine = engine::Settings::new(data.path().to_owned());
        // Each reserves address space, and tests run side by side.
        engine.wasm.instances_max = 8;
        change(&mut engine);
        let engine = Arc::new(Engine::open(engine, clock.clone()).unwrap());
        engine.create(&"main".parse().unwrap()).unwrap();
        let router = router(Arc::clone(&engine), settings, clock);
        Self { router, engine, data }
    }

    async fn send(&self, request: Request) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    /// An answer that is read as it comes.
    async fn open(&self, request: Request) -> Frames {
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Frames(response.into_body())
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(request("GET", path, &[], "")).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.send(request("DELETE", path, &[], "")).await
    }

    /// A `PUT` of a JSON body.
    async fn put(&self, path: &str, body: &str) -> Reply {
        self.send(request("PUT", path, &[JSON], body)).await
    }

    /// A command with a fresh id.
    async fn command(&self, body: &str) -> Reply {
        self.put(&fresh_command(), body).await
    }
}

/// What comes of an answer, piece by piece.
struct Frames(Body);

impl Frames {
    async fn next(&mut self) -> Option<String> {
        let frame = self.0.frame().await?.unwrap();
        frame.into_data().ok().map(|data| String::from_utf8_lossy(&data).into_owned())
    }
}

impl Reply {
    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is the problem with a code, in form and content.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Json {
        let body = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{body}");
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("/errors/{code}"));
        for member in ["title", "detail", "retry"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        }
        body
    }

    /// Checks that this is the problem with a code, and of a command that was
    /// not logged (I13).
    #[track_caller]
    fn not_logged(&self, status: u16, code: &str) -> Json {
        let body = self.problem(status, code);
        assert_eq!(body["outcome"], "not-logged", "{body}");
        body
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        "" => Body::empty(),
        body => Body::from(body.to_owned()),
    };
    request.body(body).unwrap()
}

fn fresh_command() -> String {
    format!("/v1/apps/main/commands/{}", Uuid::now_v7())
}
