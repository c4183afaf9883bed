//! One target, over HTTP/1.1: a connection that is kept while there is something to
//! send, to an address that was checked after the name was looked up.
//!
//! No redirect is followed, no proxy used, no cookie kept: an event goes to the address
//! that somebody has put, or nowhere.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;

use super::failed;
use crate::engine::App;
use crate::engine::webhooks::{Address, Failed, Host, Parcel};
use crate::http as shapes;
use crate::value::{Name, chain_of};

/// Events that are sent on one connection: where a name leads is looked up again after
/// so many.
const EXCHANGES_MAX: usize = 1_000;
/// Of an answer's body, which nobody reads, so many bytes are waited for, so that the
/// connection can be kept.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// And for so long.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How much of a redirect's address is shown.
const LOCATION_CHARS_MAX: usize = 200;

/// The target of one webhook.
#[derive(Debug)]
pub(super) struct Target {
    app: Arc<App>,
    webhook: Name,
    lookups: Arc<Semaphore>,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    to: Arc<Address>,
    requests: SendRequest<Full<Bytes>>,
    exchanges: usize,
    driver: AbortHandle,
}

type Answer = http::Response<Incoming>;

impl Target {
    pub(super) fn new(app: &Arc<App>, webhook: &Name, lookups: Arc<Semaphore>) -> Self {
        Self { app: Arc::clone(app), webhook: webhook.clone(), lookups, connection: None }
    }

    /// Whether a connection is kept.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Closes it.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    /// Sends an event, and waits for the word that it has arrived.
    pub(super) async fn send(&mut self, parcel: &Parcel) -> Result<(), Failed> {
        let request = self.request(parcel)?;
        // Before the time begins: it says nothing against this target that the names of
        // others take long.
        let place = match self.has_to_look_up(&parcel.to) {
            true => Arc::clone(&self.lookups).acquire_owned().await.ok(),
            false => None,
        };
        let time = self.app.webhook_settings().timeout;
        let exchange = timeout(time, self.exchange(&parcel.to, request, place)).await;
        let Ok(exchange) = exchange else {
            return Err(failed("timed-out", format!("it did not answer within {time:?}")));
        };
        let (connection, answer) = exchange?;
        let (head, body) = answer.into_parts();
        // The status is the answer: a body that does not end costs the connection only.
        if let Ok(true) = timeout(ANSWER_WAIT, is_read(body)).await {
            self.connection = Some(connection);
        }
        judge(head.status, &head.headers)
    }

    fn request(&self, parcel: &Parcel) -> Result<Request<Full<Bytes>>, Failed> {
        let Parcel { event, to, .. } = parcel;
        let request = Request::post(to.path.as_str())
            .header(HOST, to.authority())
            .header(USER_AGENT, concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("idempotency-key", event.id.to_string())
            .header("chancery-app", self.app.name().as_str())
            .header("chancery-webhook", self.webhook.as_str())
            .header("chancery-history", self.app.snapshots().history().to_string())
            .header("chancery-event-position", event.position.0)
            .body(Full::new(shapes::cloud_event(&self.app, event).into()));
        request.map_err(|error| failed("broken", chain_of(&error)))
    }

    /// The answer, and the connection that it came on, which is not kept if this is
    /// given up.
    async fn exchange(
        &mut self,
        to: &Arc<Address>,
        request: Request<Full<Bytes>>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(Connection, Answer), Failed> {
        let kept = self.connection.take();
        if let Some(mut kept) = kept.filter(|kept| kept.is_of_use(to)) {
            // Targets close connections when they like. Nothing is said against this one
            // unless a new connection fails as well.
            if let Ok(answer) = kept.ask(request.clone()).await {
                return Ok((kept, answer));
            }
        }
        let mut new = self.connect(to, place).await?;
        match new.ask(request).await {
            Ok(answer) => Ok((new, answer)),
            Err(error) => {
                let reason = format!("the connection broke off: {}", chain_of(&error));
                Err(failed("broken", reason))
            }
        }
    }

    fn has_to_look_up(&self, to: &Address) -> bool {
        let is_connected = self.connection.as_ref().is_some_and(|kept| kept.is_of_use(to));
        matches!(to.host, Host::Name(_)) && !is_connected
    }

    async fn connect(
        &self,
        to: &Arc<Address>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Connection, Failed> {
        let settings = self.app.webhook_settings();
        let addresses = self.look_up(to, place).await?;
        for address in &addresses {
            let checked = settings.targets.check_resolved(to, *address);
            checked.map_err(|error| failed("target-not-allowed", error.to_string()))?;
        }
        let mut refused = failed("unreachable", format!("{} leads nowhere", to.host));
        let each = settings.timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        for address in addresses {
            // To what was checked, and not to the name, which may lead elsewhere by now.
            let address = SocketAddr::new(address, to.port);
            let reason = match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Connection::over(stream, to).await,
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "no answer".to_owned(),
            };
            refused = failed("unreachable", format!("cannot connect to {address}: {reason}"));
        }
        Err(refused)
    }

    /// Where a host leads.
    async fn look_up(
        &self,
        to: &Address,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Vec<IpAddr>, Failed> {
        let name = match &to.host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name.clone(),
        };
        let place = match place {
            Some(place) => Some(place),
            // A connection broke off that was thought to be of use.
            None => Arc::clone(&self.lookups).acquire_owned().await.ok(),
        };
        let port = to.port;
        let found = spawn_blocking(move || {
            let _place = place;
            let found = (name.as_str(), port).to_socket_addrs()?;
            Ok::<_, std::io::Error>(found.map(|address| address.ip()).collect())
        });
        let reason = match found.await {
            Ok(Ok(addresses)) => return Ok(addresses),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(failed("unreachable", format!("cannot look up {}: {reason}", to.host)))
    }
}

impl Connection {
    async fn over(stream: TcpStream, to: &Arc<Address>) -> Result<Self, Failed> {
        // An event is sent at once, however small; without, it is only later.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection waits before it sends");
        }
        let made = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream));
        let (requests, driver) = made.await.map_err(|error| failed("broken", chain_of(&error)))?;
        // What goes wrong here the next request is told.
        let driver = tokio::spawn(async { driver.await.unwrap_or_default() }).abort_handle();
        Ok(Self { to: Arc::clone(to), requests, exchanges: 0, driver })
    }

    fn is_of_use(&self, to: &Address) -> bool {
        *self.to == *to && self.exchanges < EXCHANGES_MAX && !self.requests.is_closed()
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        self.exchanges += 1;
        self.requests.ready().await?;
        self.requests.send_request(request).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Whether a body was read to its end.
async fn is_read(mut body: Incoming) -> bool {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > ANSWER_BYTES_MAX {
            return false;
        }
    }
    true
}

/// Whether an answer says that the event has arrived.
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), Failed> {
    if status.is_success() {
        return Ok(());
    }
    let mut reason = format!("it answered {status}");
    if status.is_redirection() {
        let to = headers.get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let to: String = String::from_utf8_lossy(to).chars().take(LOCATION_CHARS_MAX).collect();
        let to = to.escape_debug();
        reason = format!("{reason}, to `{to}`; redirects are not followed: put the address itself");
    }
    let asks = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds = headers.get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.trim().parse().ok());
    let retry_after = seconds.filter(|_| asks).map(Duration::from_secs);
    Err(Failed { code: "refused", reason, retry_after })
}
