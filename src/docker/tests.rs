//! A malicious or broken engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;

/// The response to a call.
enum Answer {
    Of(u16, String),
    /// These bytes, repeated forever.
    Endless(&'static [u8]),
    /// One byte at a time, forever.
    Slow,
}

/// An engine with scripted responses, and the paths requested from it.
struct Fake {
    engine: Engine,
    asked: Arc<Mutex<Vec<String>>>,
    _directory: TempDir,
}

impl Fake {
    async fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::of(r#"{"ApiVersion":"1.44","Arch":"amd64"}"#, answer).await
    }

    /// The same with another version response.
    async fn of(version: &'static str, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let answer = move |line: &str| match line.contains("/version ") {
            true => Answer::Of(200, version.to_owned()),
            false => answer(line),
        };
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (asked, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answer));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    // The client may hang up.
                    let _ = serve(client, &seen, &*answer).await;
                });
            }
        });
        let mut engine = Engine::new(Some(format!("unix://{}", path.display())), Credentials::default());
        engine.architecture().await.unwrap();
        engine.limits.bytes = 64 << 10;
        asked.lock().unwrap().clear();
        Self { engine, asked, _directory: directory }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut client: UnixStream,
    seen: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
    let answer = answer(&line);
    let chunked = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    match answer {
        Answer::Of(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
            client.write_all((head + &body).as_bytes()).await?;
        }
        Answer::Endless(bytes) => {
            client.write_all(chunked).await?;
            loop {
                client.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
                client.write_all(bytes).await?;
                client.write_all(b"\r\n").await?;
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

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The error as the user sees it, without the engine's address.
fn said<T>(result: Result<T, EngineError>) -> String {
    let Err(error) = result else { panic!("the response was accepted") };
    assert!(matches!(error, EngineError::Refused { .. }) || error.hint().is_some());
    let text = causes::in_one_line(&error);
    match text.split_once(" at unix://").and_then(|(before, rest)| Some((before, rest.split_once(' ')?.1))) {
        Some((before, after)) => format!("{before} {after}"),
        None => text,
    }
}

#[tokio::test]
async fn an_endless_response_fails_at_its_size_limit() {
    let fake = Fake::answering(|_| Answer::Endless(&[b' '; 1024])).await;
    assert_eq!(
        said(fake.engine.containers(Vec::new()).await),
        "the response of the Docker Engine to `list containers` is larger than 64 KiB"
    );
    let pulled = said(fake.engine.pull("acme/web:1").await);
    assert_eq!(pulled, "the response of the Docker Engine to `pull an image` is larger than 256 KiB");
}

#[tokio::test]
async fn a_trickling_response_fails_at_its_deadline() {
    let mut fake = Fake::answering(|_| Answer::Slow).await;
    fake.engine.limits.time = Duration::from_millis(50);
    assert_eq!(
        said(fake.engine.inspect(ID).await),
        "the response of the Docker Engine to `inspect a container` took longer than 50ms"
    );
}

#[tokio::test]
async fn a_long_message_of_an_engine_is_cut_with_the_remaining_size() {
    let long = "M".repeat(10_000);
    let fake = Fake::answering(move |line| match line.contains("/images/") {
        true => Answer::Of(500, format!(r#"{{"message":"{long}"}}"#)),
        // The parser quotes a string that should be a number.
        false => Answer::Of(200, format!(r#"{{"Id":"{ID}","RestartCount":"{long}"}}"#)),
    })
    .await;
    let cut = format!("{}… (5904 more bytes were cut)", "M".repeat(4096));
    assert_eq!(said(fake.engine.image("web:1").await), cut);
    let text = said(fake.engine.inspect(ID).await);
    assert!(text.len() < 4300 && text.ends_with("more bytes were cut)"), "{text}");
}

#[tokio::test]
async fn a_call_in_which_podman_panics_is_retried() {
    const PODMAN: &str = r#"{"ApiVersion":"1.41","Arch":"amd64",
        "Components":[{"Name":"Podman Engine","Version":"4.3.1","Details":{"APIVersion":"4.3.1"}}]}"#;
    let answers = Mutex::new(HashMap::<String, usize>::new());
    let fake = Fake::of(PODMAN, move |line| {
        let mut answers = answers.lock().unwrap();
        let times = answers.entry(line.to_owned()).or_default();
        *times += 1;
        match times {
            1 => Answer::Of(500, r#"{"message":"runtime error: nil pointer"}"#.to_owned()),
            _ => Answer::Of(200, r#"{"Id":"sha256:1"}"#.to_owned()),
        }
    })
    .await;
    assert!(fake.engine.image("web:1").await.unwrap().is_some());
    assert_eq!(fake.asked().len(), 4);
}

#[tokio::test]
async fn the_last_lines_of_a_container_are_limited() {
    let line = b"\x01\x00\x00\x00\x00\x00\x00\x08printed\n";
    let fake = Fake::answering(|_| Answer::Endless(line)).await;
    let words = fake.engine.last_lines(ID).await;
    assert!(words.starts_with("printed; printed"), "{words}");
    assert_eq!(words.len(), 1000);
}

#[tokio::test]
async fn an_id_in_a_response_never_addresses_another_path() {
    let fake = Fake::answering(|line| match line.contains("/json?") {
        true => Answer::Of(200, r#"[{"Id":"/../../../images/prune?","Names":["/x"]}]"#.to_owned()),
        false => Answer::Of(201, r#"{"Id":"../../x","Warnings":[]}"#.to_owned()),
    })
    .await;
    let sentence = "the response of the Docker Engine to";
    assert_eq!(
        said(fake.engine.containers(Vec::new()).await),
        format!("{sentence} `list containers` has `/../../../images/prune?` as the id of a container")
    );
    assert_eq!(
        said(fake.engine.create("katkit-x", ContainerCreateBody::default()).await),
        format!("{sentence} `create a container` has `../../x` as the id of a container")
    );
    assert_eq!(fake.asked().len(), 2);
    let foreign = "katkit-a-../../x";
    for asked in [
        fake.engine.remove(foreign, &[], true).await,
        fake.engine.signal(foreign, "SIGTERM").await,
        fake.engine.wait(foreign).await,
    ] {
        assert_eq!(said(asked), format!("`{foreign}` is not the name of a katkit container"));
    }
    assert_eq!(said(fake.engine.image("../x").await), "`../x` is not a valid name for an image");
    assert_eq!(fake.engine.last_lines(foreign).await, "");
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn only_a_container_with_the_label_is_listed_and_removed() {
    let fake = Fake::answering(|line| {
        let container = format!(r#"{{"Id":"{ID}","Labels":{{"a":"2"}}}}"#);
        match line {
            line if line.starts_with("DELETE") => Answer::Of(204, String::new()),
            line if line.contains("/containers/json") => Answer::Of(200, format!("[{container}]")),
            _ => Answer::Of(200, format!(r#"{{"Id":"{ID}","Config":{{"Labels":{{"a":"2"}}}}}}"#)),
        }
    })
    .await;
    let (wrong, right) = (vec!["a=1".to_owned()], vec!["a".to_owned(), "a=2".to_owned()]);
    assert_eq!(
        said(fake.engine.containers(wrong.clone()).await),
        "the response of the Docker Engine to `list containers` has a container without the label `a=1`"
    );
    assert_eq!(fake.engine.containers(right.clone()).await.unwrap().len(), 1);
    let text = said(fake.engine.remove(ID, &wrong, true).await);
    assert_eq!(text, format!("the container `{ID}` has no label `a=1` and is not removed"));
    assert!(!fake.asked().iter().any(|line| line.starts_with("DELETE")));
    fake.engine.remove(ID, &right, true).await.unwrap();
    assert!(fake.asked().iter().any(|line| line.starts_with("DELETE")));
}
