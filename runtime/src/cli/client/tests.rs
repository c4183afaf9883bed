//! A server that answers what it is told to, over a real socket.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;
use crate::config::{ServerUrl, Text};

/// A server that answers one request and ends with what it was sent. No answer
/// closes the connection once the request has been read.
pub(in crate::cli) fn answering(answer: impl Into<String>) -> (String, JoinHandle<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let request = whole_request(&mut stream);
        stream.write_all(answer.as_bytes()).expect("an answer");
        request
    });
    (server, serving)
}

/// What a client makes of an answer, and what it sent.
fn exchange(answer: &str, request: Request<'_>) -> (Result<Answer, crate::cli::Error>, String) {
    let (server, serving) = answering(answer);
    let answered = client(&server).send(request);
    (answered, serving.join().expect("a request"))
}

/// Head and body, which may come in pieces.
fn whole_request(stream: &mut impl Read) -> String {
    let mut text = String::new();
    let mut piece = [0; 1024];
    loop {
        let length = stream.read(&mut piece).expect("a piece");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let announced = head.to_lowercase().split_once("content-length: ").map(|(_, rest)| {
            rest.lines().next().and_then(|digits| digits.parse().ok()).expect("a length")
        });
        if body.len() >= announced.unwrap_or(0) {
            return text;
        }
    }
}

/// A client of the app `shop`.
pub(in crate::cli) fn client(server: &str) -> Client {
    let server = ServerUrl::parse(server).expect("an address");
    Client::new(config::Client { server, app: "shop".parse().expect("a name") })
}

fn rendered(answered: Result<Answer, crate::cli::Error>) -> String {
    told(&answered.expect_err("no answer"))
}

/// What a person sees of an error, and the exit code. Ports differ in each run.
pub(in crate::cli) fn told(error: &crate::cli::Error) -> String {
    let mut stripped = anstream::StripStream::new(Vec::new());
    error.write(&mut stripped).expect("a vector takes everything");
    let text = String::from_utf8(stripped.into_inner()).expect("text");
    let Some((before, rest)) = text.split_once("127.0.0.1:") else {
        return format!("{text}exit {}", error.exit() as u8);
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}127.0.0.1:PORT{rest}exit {}", error.exit() as u8)
}

#[test]
fn names_keys_and_parameters_arrive_as_they_are() {
    let request = client("http://127.0.0.1:1")
        .request(Method::GET, &["tables", "films", "drama/été 100%"])
        .query("prefix", Some("a&b"))
        .query("after", None::<String>);
    let (answered, sent) = exchange("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", request);
    assert_eq!(answered.expect("an answer").body, b"{}");
    let line = sent.lines().next().expect("a request line");
    insta::assert_snapshot!(line, @"GET /v1/apps/shop/tables/films/drama%2F%C3%A9t%C3%A9%20100%25?prefix=a%26b HTTP/1.1");
}

#[test]
fn a_body_is_sent_with_its_type() {
    let request = Request::new(Method::PUT, &["x"]).body("application/json", b"{\"a\":1}");
    let (_, sent) = exchange("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", request);
    let sent = sent.to_lowercase();
    assert!(sent.contains("content-type: application/json\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n{\"a\":1}"), "{sent}");
}

#[test]
fn a_request_without_a_body_says_so() {
    for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let (_, sent) = exchange(answer, Request::new(method, &["x"]));
        let sent = sent.to_lowercase();
        assert!(!sent.contains("transfer-encoding"), "{sent}");
    }
}

#[test]
fn a_server_that_is_not_there_got_nothing() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one");
    let answered = client(&format!("http://{port}")).send(Request::new(Method::PUT, &["x"]));
    insta::assert_snapshot!(rendered(answered), @r"
        error: cannot reach the server at http://127.0.0.1:PORT: Connection refused (os error 111)   (unreachable)
          nothing was sent
          `chancery serve` starts a server, `chancery dev` one for a project; --server names another
        exit 4
        ");
}

#[test]
fn a_connection_that_breaks_leaves_a_change_in_doubt() {
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        let (answered, _) = exchange("", Request::new(method, &["x"]));
        insta::allow_duplicates!(insta::assert_snapshot!(rendered(answered), @r"
        error: no answer from http://127.0.0.1:PORT: the connection was closed   (no-answer)
          whether it was done is not known; look before you try again
        exit 4
        "));
    }
    let (answered, _) = exchange("", Request::new(Method::POST, &["x"]).changing_nothing());
    insta::assert_snapshot!(rendered(answered), @r"
        error: no answer from http://127.0.0.1:PORT: the connection was closed   (no-answer)
          nothing was changed; try again
        exit 4
        ");
}

#[test]
fn an_answer_cut_short_is_no_answer() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{";
    let (answered, _) = exchange(cut, Request::new(Method::PUT, &["x"]));
    insta::assert_snapshot!(rendered(answered), @r"
        error: no answer from http://127.0.0.1:PORT: the connection was closed   (no-answer)
          whether it was done is not known; look before you try again
        exit 4
        ");
}

#[test]
fn answers_of_other_programs_are_odd_and_shown() {
    let page = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 16\r\n\r\n<h1>\u{1b}[2JOops</h1";
    let (answered, _) = exchange(page, Request::new(Method::GET, &["x"]));
    insta::assert_snapshot!(rendered(answered), @r"
        error: the answer from http://127.0.0.1:PORT cannot be understood (status 502): <h1>\u{1b}[2JOops</h1   (odd-answer)
          is this a Chancery server of the same version?
        exit 3
        ");
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (answered, _) = exchange(moved, Request::new(Method::GET, &["x"]));
    insta::assert_snapshot!(rendered(answered), @r"
        error: the answer from http://127.0.0.1:PORT cannot be understood (status 302): it is empty   (odd-answer)
          is this a Chancery server of the same version?
        exit 3
        ");
    let (answered, _) = exchange("SSH-2.0-OpenSSH_9.9\r\n", Request::new(Method::GET, &["x"]));
    insta::assert_snapshot!(rendered(answered), @r"
        error: no answer from http://127.0.0.1:PORT: protocol: http parse fail: invalid HTTP version   (no-answer)
          nothing was changed; try again
        exit 4
        ");
}

#[test]
fn a_problem_is_told_with_when_to_come_back() {
    let busy = "HTTP/1.1 503 Unavailable\r\nretry-after: 7\r\ncontent-length: 74\r\n\r\n\
                {\"title\":\"Busy\",\"code\":\"busy\",\"retry\":\"later\",\"detail\":\"too many queries\"}";
    let (answered, _) = exchange(busy, Request::new(Method::GET, &["x"]));
    insta::assert_snapshot!(rendered(answered), @r"
        error: too many queries   (busy)
          try again in 7 seconds
        exit 3
        ");
}
