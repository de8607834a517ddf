//! A malicious or broken endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_credential_types::Credentials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ecs::{Cluster, Listed};
use super::limits::Limits;
use super::*;

/// How the endpoint responds.
#[derive(Clone, Copy)]
enum Answer {
    /// The same status and body to every request.
    Of(u16, &'static str),
    /// An endless response.
    Endless,
    /// An endless response, one byte at a time.
    Slow,
}

/// The URL of a new endpoint and its request count.
async fn answering(answer: Answer) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<AtomicU64>::default();
    let counting = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counting = Arc::clone(&counting);
            tokio::spawn(async move {
                // The client may hang up.
                let _ = serve(client, answer, &counting).await;
            });
        }
    });
    (url, asked)
}

async fn serve(mut client: TcpStream, answer: Answer, asked: &AtomicU64) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let chunked =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    match answer {
        Answer::Of(status, body) => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            client.write_all((head + body).as_bytes()).await?;
            // Drain the request, or the client's system may drop the response.
            let mut rest = [0; 1024];
            client.shutdown().await?;
            while client.read(&mut rest).await? > 0 {}
        }
        Answer::Endless => {
            client.write_all(chunked).await?;
            loop {
                client.write_all(b"10\r\n                \r\n").await?;
            }
        }
        Answer::Slow => {
            client.write_all(chunked).await?;
            loop {
                client.write_all(b"1\r\n \r\n").await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    Ok(())
}

async fn aws_at(url: &str, limits: Limits) -> Aws {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .region(Region::from_static("eu-central-1"))
        .endpoint_url(url);
    Aws::within(loader, limits).await
}

async fn list(url: &str, limits: Limits) -> Arc<AwsError> {
    let cluster = Cluster::new(aws_at(url, limits).await, AwsLocation::default(), "main".to_owned());
    let which = Listed::StartedBy("katkit-x");
    cluster.list_tasks(which, aws_sdk_ecs::types::DesiredStatus::Running).await.unwrap_err()
}

const SMALL: Limits = Limits { bytes: 1 << 20, time: Duration::from_mins(5) };

#[tokio::test]
async fn an_endless_response_fails_at_its_size_limit_without_a_retry() {
    let (url, asked) = answering(Answer::Endless).await;
    let error = list(&url, SMALL).await;
    let text = error.to_string();
    assert_eq!(text, "the AWS response to `ecs:ListTasks` on cluster `main` is larger than 1 MiB");
    assert!(!error.is_retryable() && error.hint().unwrap().contains("endpoint"));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_trickling_response_fails_at_its_deadline() {
    let (url, _) = answering(Answer::Slow).await;
    let text = list(&url, Limits { time: Duration::from_millis(300), ..SMALL }).await.to_string();
    assert!(text.starts_with("AWS did not answer `ecs:ListTasks` on cluster `main`: "), "{text}");
    assert!(text.contains("300ms"), "{text}");
}

#[tokio::test]
async fn a_repeated_page_token_fails_the_listing() {
    let (url, asked) = answering(Answer::Of(200, r#"{"taskArns":[],"nextToken":"again"}"#)).await;
    let text = list(&url, SMALL).await.to_string();
    assert!(text.ends_with("leads from page 2 back to an earlier one"), "{text}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_long_message_of_an_endpoint_is_cut() {
    let body = format!(r#"{{"__type":"ClientException","message":"{}"}}"#, "M".repeat(10_000));
    let (url, _) = answering(Answer::Of(400, body.leak())).await;
    let text = list(&url, SMALL).await.to_string();
    assert!(text.len() < 4400 && text.ends_with("… (5904 more bytes were cut)"), "{text}");
}
