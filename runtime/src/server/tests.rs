//! Over a socket: the accept loop, its limits, and its end.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{Drained, Server, Settings, accept, check, runtime};
use crate::clock::Clock;
use crate::{engine, http};

fn settings(data: &tempfile::TempDir) -> Settings {
    let mut engine = engine::Settings::new(data.path().to_owned());
    engine.wasm.instances_max = 8;
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        engine,
        http: http::Settings::default(),
        drain_max: Duration::from_secs(10),
        default_app: "main".parse().unwrap(),
    }
}

async fn connect(address: std::net::SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Everything until the server closes the connection.
async fn read_to_end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

const LAST: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const FIRST: &str = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn serves_pipelined_requests_and_drains() {
    let data = tempfile::tempdir().unwrap();
    let settings = settings(&data);
    runtime(&settings).unwrap().block_on(async {
        let server = Server::start(settings.clone(), Clock::system()).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async { drop(stopped.await) }));

        let mut stream = connect(address).await;
        write(&mut stream, &format!("{FIRST}{LAST}")).await;
        let answers = read_to_end(stream).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
        assert!(answers.contains(r#""name":"main""#), "{answers}");

        // Accepted and idle: one that still waits to be accepted is reset.
        let mut idle = connect(address).await;
        write(&mut idle, FIRST).await;
        assert!(idle.read(&mut [0; 4096]).await.unwrap() > 0);
        stop.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), Drained::Whole);
        assert_eq!(read_to_end(idle).await, "");
        assert!(TcpStream::connect(address).await.is_err());
    });
    let summary = check(&settings, Clock::system()).unwrap();
    let names: Vec<_> = summary.apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["main"]);
}

#[test]
fn two_servers_do_not_share_a_directory_or_an_address() {
    let data = tempfile::tempdir().unwrap();
    let first = settings(&data);
    runtime(&first).unwrap().block_on(async {
        let server = Server::start(first.clone(), Clock::system()).await.unwrap();
        let in_use = check(&first, Clock::system()).unwrap_err();
        assert!(matches!(in_use, super::Error::Engine(engine::Error::InUse { .. })), "{in_use}");
        let other = tempfile::tempdir().unwrap();
        let second = Settings { listen: server.address(), ..settings(&other) };
        let refused = Server::start(second, Clock::system()).await.unwrap_err();
        assert!(matches!(refused, super::Error::Listen { .. }), "{refused}");
    });
}

/// What a query that runs until its deadline does to its thread.
async fn block() -> &'static str {
    std::thread::sleep(Duration::from_secs(1));
    "done"
}

#[test]
fn i10_requests_that_block_their_threads_do_not_hold_up_others() {
    let data = tempfile::tempdir().unwrap();
    let mut settings = settings(&data);
    settings.engine.queries_max = 3;
    runtime(&settings).unwrap().block_on(async {
        let listener = TcpListener::bind(settings.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/block", get(block));
        let router = router.route("/healthz", get(async || "ok"));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = accept::serve(listener, router, async { drop(stopped.await) });
        let serving = tokio::spawn(served);

        let clock = Clock::system();
        let mut blocked = Vec::new();
        for _ in 0..settings.engine.queries_max {
            let mut stream = connect(address).await;
            write(&mut stream, "GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            blocked.push(stream);
            let asked = clock.elapsed();
            let mut stream = connect(address).await;
            write(&mut stream, LAST).await;
            assert!(read_to_end(stream).await.ends_with("ok"));
            let took = clock.elapsed() - asked;
            assert!(took < Duration::from_millis(500), "{took:?}");
        }
        // They are answered although the server has been told to stop.
        stop.send(()).unwrap();
        let mut connections = serving.await.unwrap().unwrap();
        connections.ended().await;
        for stream in blocked {
            assert!(read_to_end(stream).await.ends_with("done"));
        }
    });
}
