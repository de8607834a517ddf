//! A proxy in front of the emulator that counts calls and injects faults.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ENDPOINT;

/// A fault injected into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service's throttling error.
    Throttle,
    /// The call takes effect, and the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks before the call takes effect.
    Refuse,
    /// The call takes effect after this delay.
    Delay(Duration),
    /// A batch answered with all of its items unprocessed.
    Unprocessed,
    /// An error with this name and message.
    Error(&'static str, &'static str),
    /// DynamoDB's error for a concurrent write to the same item.
    Meet,
    /// S3's answer for a bucket in this region, when asked in another.
    Elsewhere(&'static str),
    /// An answer with this body.
    Answer(&'static str),
    /// The answer, with every occurrence of the first text replaced by the second.
    Instead(&'static str, &'static str),
    /// The call never arrives and is never answered: the caller waits until it is killed or times out.
    Hold,
    /// The call takes effect, and is never answered.
    HoldAnswer,
}

/// A call in flight.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// DynamoDB and ECS: the operation; S3: the method.
    pub name: &'a str,
    /// S3: the bucket and the key.
    pub path: &'a str,
    /// Number of calls before it.
    pub number: u64,
}

type Decide = dyn Fn(Call<'_>) -> Option<Fault> + Send + Sync;

/// A proxy on its own port. Ends with the runtime it was started in.
pub struct Proxy {
    pub endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    calls: Mutex<BTreeMap<String, u64>>,
    number: AtomicU64,
    held: AtomicU64,
    decide: Mutex<Box<Decide>>,
}

impl Proxy {
    /// A proxy that only counts.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    /// A proxy that containers reach as well.
    pub async fn start_for_containers() -> Self {
        Self::start_at(&super::bridge()).await
    }

    async fn start_at(address: &str) -> Self {
        super::up();
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            number: AtomicU64::new(0),
            held: AtomicU64::new(0),
            decide: Mutex::new(Box::new(|_| None)),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { shared.serve(client).await });
            }
        });
        Self { endpoint, shared }
    }

    /// From now on `decide` chooses the fault of each call, given its name and number.
    pub fn fault(&self, decide: impl Fn(&str, u64) -> Option<Fault> + Send + Sync + 'static) {
        self.fault_of(move |call| decide(call.name, call.number));
    }

    /// The same with the whole call.
    pub fn fault_of(&self, decide: impl Fn(Call<'_>) -> Option<Fault> + Send + Sync + 'static) {
        *self.shared.decide.lock().unwrap() = Box::new(decide);
    }

    /// Call counts by name. DynamoDB: by operation; S3: by method.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// Whether a call is being held.
    pub fn holds(&self) -> bool {
        self.shared.held.load(Ordering::Relaxed) > 0
    }

    /// Resets the counts.
    pub fn reset(&self) {
        self.shared.calls.lock().unwrap().clear();
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) {
        loop {
            let request = request(&mut client).await;
            let Some((name, path, bytes)) = request else { return };
            *self.calls.lock().unwrap().entry(name.clone()).or_default() += 1;
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let fault = self.decide.lock().unwrap()(Call { name: &name, path: &path, number });
            match fault {
                Some(Fault::Refuse) => return,
                Some(Fault::Throttle) => {
                    if client.write_all(throttled(&name).as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Error(kind, message)) => {
                    if client.write_all(refused(&name, kind, message).as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Meet) => {
                    if client.write_all(met(&name).as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Elsewhere(region)) => {
                    if client.write_all(elsewhere(&name, region).as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Answer(body)) => {
                    if client.write_all(answer("200 OK", body).as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Unprocessed) => {
                    if client.write_all(unprocessed(&bytes).as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
                Some(Fault::Hold) => self.hold().await,
                Some(Fault::LoseAnswer | Fault::Instead(..) | Fault::HoldAnswer) | None => {}
            }
            let mut answer = forward(&bytes).await;
            match fault {
                Some(Fault::HoldAnswer) => self.hold().await,
                Some(Fault::Instead(from, to)) => answer = instead(&answer, from, to),
                _ => {}
            }
            if fault == Some(Fault::LoseAnswer) || client.write_all(&answer).await.is_err() {
                return;
            }
            // The emulator was told to close the connection, and forwards that to the client.
            return;
        }
    }
}

impl Shared {
    async fn hold(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

/// One whole request, with its name and path.
async fn request(client: &mut TcpStream) -> Option<(String, String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let header = |name: &str| {
        let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    assert_eq!(header("transfer-encoding"), None, "not known to the proxy");
    while bytes.len() < head + length {
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let target = header("x-amz-target").and_then(|target| Some(target.rsplit_once('.')?.1.to_owned()));
    let name = target.unwrap_or_else(|| text.split(' ').next().unwrap_or_default().to_owned());
    // Inserted at the end of the first line, because the body may be anything.
    let end = text.find("\r\n")? + 2;
    let mut forwarded = bytes[..end].to_vec();
    forwarded.extend_from_slice(b"Connection: close\r\n");
    for line in text[end..].split_inclusive("\r\n").filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:") && !line.starts_with("expect:")
    }) {
        forwarded.extend_from_slice(line.as_bytes());
    }
    forwarded.extend_from_slice(&bytes[head..head + length]);
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    Some((name, path, forwarded))
}

async fn forward(request: &[u8]) -> Vec<u8> {
    let mut server = TcpStream::connect(ENDPOINT.trim_start_matches("http://")).await.unwrap();
    server.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer).await;
    answer
}

fn unprocessed(request: &[u8]) -> String {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let asked: serde_json::Value = serde_json::from_slice(&request[end..]).unwrap();
    let body = serde_json::json!({ "Responses": {}, "UnprocessedKeys": asked["RequestItems"] }).to_string();
    answer("200 OK", &body)
}

/// An answer with a replaced body.
fn instead(answer: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    self::answer("200 OK", &body.replace(from, to)).into_bytes()
}

/// An error in the service's own format.
fn refused(name: &str, kind: &str, message: &str) -> String {
    if is_s3(name) {
        let body = format!("<Error><Code>{kind}</Code><Message>{message}</Message></Error>");
        // The answer to HEAD has no body.
        let body = if name == "HEAD" { String::new() } else { body };
        return answer("403 Forbidden", &body);
    }
    answer("400 Bad Request", &serde_json::json!({ "__type": kind, "message": message }).to_string())
}

/// A cancelled transaction names the cause per item; the lease is the first item.
fn met(name: &str) -> String {
    let message = "Transaction is ongoing for the item";
    let body = if name == "TransactWriteItems" {
        serde_json::json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
            "CancellationReasons": [{ "Code": "TransactionConflict", "Message": message }, { "Code": "None" }],
        })
    } else {
        serde_json::json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
            "message": message,
        })
    };
    answer("400 Bad Request", &body.to_string())
}

/// S3 names the bucket's region in a header; the answer to HEAD has nothing else.
fn elsewhere(name: &str, region: &str) -> String {
    let body = "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed \
                using the specified endpoint.</Message></Error>";
    let body = if name == "HEAD" { "" } else { body };
    let length = body.len();
    format!(
        "HTTP/1.1 301 Moved Permanently\r\nContent-Type: application/xml\r\nx-amz-bucket-region: {region}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn is_s3(name: &str) -> bool {
    ["GET", "PUT", "POST", "HEAD", "DELETE"].contains(&name)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn throttled(name: &str) -> String {
    let (status, kind, body) = if is_s3(name) {
        let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
        ("503 Slow Down", "application/xml", body)
    } else {
        let body =
            r#"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Rate exceeded"}"#;
        ("400 Bad Request", "application/x-amz-json-1.0", body)
    };
    // The answer to HEAD has no body.
    let body = if name == "HEAD" { "" } else { body };
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
