//! The connection of one call: opened for it, and closed when the response exceeds its size limit.
//!
//! The limit applies to bytes read from the connection, because the client has no hook above that: it buffers responses
//! as a whole, or line by line, before it returns them.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bollard::errors::Error;
use bollard::{BollardRequest, body_full};
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// The default TCP port.
const PORT: u16 = 80;

/// The address of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Socket(PathBuf),
    /// Host and port.
    Tcp(String),
}

impl Address {
    /// Parses `unix://…` or `tcp://…`.
    pub fn parse(host: &str) -> Result<Self, Error> {
        if let Some(path) = host.strip_prefix("unix://") {
            return Ok(Self::Socket(path.into()));
        }
        let unknown = || Error::UnsupportedURISchemeError { uri: host.to_owned() };
        let rest = host.strip_prefix("tcp://").ok_or_else(unknown)?;
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| unknown())?;
        let name = uri.host().ok_or_else(unknown)?;
        Ok(Self::Tcp(format!("{name}:{}", uri.port_u16().unwrap_or(PORT))))
    }

    /// The base URL of requests.
    pub fn url(&self) -> String {
        match self {
            Self::Socket(_) => "http://docker".to_owned(),
            Self::Tcp(address) => format!("http://{address}"),
        }
    }
}

/// Counts down how much of a response may still be read.
#[derive(Debug)]
pub struct Meter {
    most: u64,
    left: AtomicU64,
    exceeded: AtomicBool,
}

impl Meter {
    /// Allows `most` bytes.
    pub fn new(most: u64) -> Self {
        Self { most, left: AtomicU64::new(most), exceeded: AtomicBool::new(false) }
    }

    /// Starts over, for the next message of a stream.
    pub fn reset(&self) {
        self.left.store(self.most, Ordering::Relaxed);
    }

    /// Whether more bytes arrived than allowed.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        match self.left.load(Ordering::Relaxed).checked_sub(bytes as u64) {
            Some(left) => {
                self.left.store(left, Ordering::Relaxed);
                Ok(())
            }
            None => {
                self.exceeded.store(true, Ordering::Relaxed);
                Err(io::Error::other("the response is too large"))
            }
        }
    }
}

/// Sends a request on a new connection.
pub async fn exchange(
    address: Address,
    meter: Arc<Meter>,
    request: BollardRequest,
) -> Result<Response<Incoming>, Error> {
    match address {
        Address::Socket(path) => send(UnixStream::connect(path).await?, meter, request).await,
        Address::Tcp(address) => send(TcpStream::connect(address).await?, meter, request).await,
    }
}

/// GETs a path with its query, and returns the whole response.
pub async fn get(address: Address, meter: Arc<Meter>, path: &str) -> Result<Bytes, Error> {
    let request = hyper::Request::builder().uri(address.url() + path).body(body_full(Bytes::new()))?;
    let response = exchange(address, meter, request).await?;
    let status = response.status();
    let (mut body, mut all) = (response.into_body(), Vec::new());
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            all.extend(data);
        }
    }
    if status.is_success() {
        return Ok(all.into());
    }
    Err(Error::DockerResponseServerError { status_code: status.as_u16(), message: message(&all) })
}

/// The `message` of an error response, or else its whole body.
fn message(answer: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    let message = parsed.as_ref().and_then(|parsed| parsed.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(answer).into_owned(), str::to_owned)
}

async fn send<S>(
    stream: S,
    meter: Arc<Meter>,
    mut request: BollardRequest,
) -> Result<Response<Incoming>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(Metered { stream, meter })).await?;
    // Ends with the response, or when the caller drops it.
    tokio::spawn(connection.with_upgrades());
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    Ok(sender.send_request(request).await?)
}

/// A connection that fails when the meter is exceeded.
struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.meter.count(buffer.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_port() {
        assert_eq!(Address::parse("unix:///run/x.sock").unwrap(), Address::Socket("/run/x.sock".into()));
        for (host, address) in [
            ("tcp://localhost:2375", "localhost:2375"),
            ("tcp://localhost", "localhost:80"),
            ("tcp://[::1]:2375", "[::1]:2375"),
            ("tcp://10.0.0.1:2375/", "10.0.0.1:2375"),
        ] {
            assert_eq!(Address::parse(host).unwrap(), Address::Tcp(address.to_owned()), "{host}");
        }
        for host in ["ssh://a", "tcp://", "tcp://a b", ""] {
            assert!(Address::parse(host).is_err(), "{host}");
        }
    }
}
