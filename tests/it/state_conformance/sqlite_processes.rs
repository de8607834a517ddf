//! Several processes on one file, and one that is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use katkit::domain::{Epoch, Lease};
use katkit::state::{SqliteState, StateError};

use super::fixture::{LEASE, Store, append, generation, lease, link, owner};

const FILE: &str = "KATKIT_TEST_STATE";
const WORK: &str = "KATKIT_TEST_WORK";

/// Runs [`another_process`] in another process.
fn spawn(path: &Path, work: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "state_conformance::sqlite_processes::another_process", "--ignored", "--nocapture"])
        .env(FILE, path)
        .env(WORK, work)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Appends until a hundred events of the link are its own, concurrently with other writers.
async fn share(state: &Store) {
    let shop = link("dev/shop");
    let mut own = 0;
    while own < 100 {
        // Not `generation`, which compares two reads between which another process may write.
        let now = state.heads(None).await.unwrap().first().map_or(0, |(_, head)| head.generation.0);
        match append(state, &shop, now, Epoch(1)).await {
            Ok(()) => own += 1,
            Err(StateError::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "not a test, but the other process of the tests beside it"]
async fn another_process() {
    let (Some(path), Ok(work)) = (std::env::var_os(FILE), std::env::var(WORK)) else { return };
    let state: Store = Arc::new(SqliteState::open(Path::new(&path)).unwrap());
    if work == "share" {
        return share(&state).await;
    }
    let writers = (0..4).map(|n| {
        let state = state.clone();
        tokio::spawn(async move {
            let link = link(&format!("dev/link-{n}"));
            let seen = state.leases(Some(std::slice::from_ref(&link))).await.unwrap().pop();
            let seen = seen.map(|(_, lease)| lease);
            let epoch = state.acquire(&link, &owner("writer"), LEASE, seen.as_ref()).await.unwrap().epoch;
            for now in generation(&state, &link).await.. {
                append(&state, &link, now, epoch).await.unwrap();
                say(&format!("wrote {n} {}", now + 1));
            }
        })
    });
    futures::future::join_all(writers).await;
}

fn say(line: &str) {
    // One write, so that lines of concurrent tasks stay whole.
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_one_journal_without_losing_an_event() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let state: Store = Arc::new(SqliteState::open(&path).unwrap());
    let shop = link("dev/shop");
    assert_eq!(lease(&state, &shop).await, Epoch(1));
    let other = spawn(&path, "share");
    // The other process has begun once its first write appears, so both write at once.
    while state.heads(None).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    share(&state).await;
    let output = tokio::task::spawn_blocking(|| other.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(generation(&state, &shop).await, 200);
}

#[tokio::test]
async fn many_processes_can_open_a_new_file_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| SqliteState::open(&path).unwrap());
        }
    });
    let state: Store = Arc::new(SqliteState::open(&path).unwrap());
    assert_eq!(lease(&state, &link("dev/shop")).await, Epoch(1));
}

#[tokio::test]
async fn a_killed_writer_loses_no_acknowledged_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    for round in 1..=4 {
        let mut writer = spawn(&path, "write");
        let mut promised = [0_u64; 4];
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut note = |line: &str| {
            let mut words = line.split(' ');
            if words.next() == Some("wrote") {
                let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
                if let (Some(n), Some(generation)) = (number(), number()) {
                    promised[n] = generation as u64;
                    return true;
                }
            }
            false
        };
        let mut written = 0;
        while written < 40 {
            written += usize::from(note(&lines.next().unwrap().unwrap()));
        }
        writer.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            note(&line);
        }
        writer.wait().unwrap();

        let state: Store = Arc::new(SqliteState::open(&path).unwrap());
        for (n, promised) in promised.into_iter().enumerate() {
            let link = link(&format!("dev/link-{n}"));
            let found = generation(&state, &link).await;
            assert!(promised <= found && found <= promised + 1, "{link}: {found}, was told {promised}");
            let (_, dead) = state.leases(Some(&[link])).await.unwrap().remove(0);
            assert_eq!(dead, Lease { epoch: Epoch(round), owner: Some(owner("writer")), ..dead.clone() });
        }
    }
}
