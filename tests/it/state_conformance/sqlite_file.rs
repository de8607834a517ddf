//! Failures specific to a file: locked, newer, damaged, another program's.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use katkit::state::{Links, SqliteState, StateError};
use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{LEASE, Store, append, generation, lease, link, owner};

/// A store with `dev/shop` at generation 3, closed again.
async fn written() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/.katkit/state.db");
    let state: Store = Arc::new(SqliteState::open(&path).unwrap());
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    for expected in 0..3 {
        append(&state, &shop, expected, epoch).await.unwrap();
    }
    (directory, path)
}

fn damage(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// The error of opening or reading the file; also checks that the file is left unchanged.
async fn refusal(path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let error = match SqliteState::open(path) {
        Err(error) => error,
        Ok(state) => {
            let heads = state.heads(None).await.map(drop);
            heads.and(state.journal(&link("dev/shop"), None, 10).await.map(drop)).unwrap_err()
        }
    };
    assert!(matches!(error, StateError::Corrupt { .. }), "{error:?}");
    assert!(error.hint().is_some() && !error.is_retryable());
    assert!(std::fs::read(path).unwrap() == before, "the file was changed");
    error.to_string().replace(&path.display().to_string(), "state.db")
}

#[tokio::test]
async fn a_reopened_file_has_everything_that_was_written() {
    let (_directory, path) = written().await;
    let state: Store = Arc::new(SqliteState::open(&path).unwrap());
    assert_eq!(generation(&state, &link("dev/shop")).await, 3);
    assert_eq!(state.place(), path.display().to_string());
}

#[tokio::test]
async fn only_its_user_can_access_the_file() {
    let (_directory, path) = written().await;
    let _open = SqliteState::open(&path).unwrap();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn a_writer_waits_for_another_no_longer_than_its_time_out() {
    let (_directory, path) = written().await;
    let patience = Duration::from_millis(60);
    let state: Store = Arc::new(SqliteState::open_with_patience(&path, patience).unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();

    let begun = Instant::now();
    let error = lease_of(&state, "dev/api").await.unwrap_err();
    assert!(begun.elapsed() >= patience);
    assert!(matches!(error, StateError::Locked { .. }) && error.is_retryable(), "{error:?}");
    assert_eq!(error.to_string(), format!("the state at {} is locked by another process", path.display()));
    // A reader, even on first use, waits for nobody.
    assert_eq!(generation(&state, &link("dev/shop")).await, 3);
    let plan: Store = Arc::new(SqliteState::open_with_patience(&path, patience).unwrap());
    assert_eq!(generation(&plan, &link("dev/shop")).await, 3);

    other.execute_batch("COMMIT").unwrap();
    lease_of(&state, "dev/api").await.unwrap();
}

async fn lease_of(state: &Store, id: &str) -> Result<(), StateError> {
    state.acquire(&link(id), &owner("ann"), LEASE, None).await.map(drop)
}

#[tokio::test]
async fn a_new_file_locked_by_another_process_is_reported_as_locked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = SqliteState::open_with_patience(&path, Duration::from_millis(30)).unwrap_err();
    assert!(matches!(error, StateError::Locked { .. }), "{error:?}");
    other.execute_batch("COMMIT").unwrap();
    SqliteState::open(&path).unwrap();
}

#[tokio::test]
async fn a_refused_write_does_no_harm_to_others_in_its_transaction() {
    let (_directory, path) = written().await;
    let state: Store = Arc::new(SqliteState::open(&path).unwrap());
    let links: Vec<_> = (0..40).map(|n| link(&format!("dev/link-{n}"))).collect();
    let mut epochs = Vec::new();
    for link in &links {
        epochs.push(lease(&state, link).await);
    }
    // While the file is locked, writes queue up; every second one is stale.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes: Vec<_> =
        (0..40).map(|n| Box::pin(append(&state, &links[n], n as u64 % 2, epochs[n]))).collect();
    for write in &mut writes {
        assert!(futures::poll!(write).is_pending());
    }
    other.execute_batch("ROLLBACK").unwrap();
    for (n, result) in join_all(writes).await.into_iter().enumerate() {
        match result {
            Ok(()) => assert_eq!(n % 2, 0),
            Err(error) => assert!(n % 2 == 1 && matches!(error, StateError::Conflict { .. }), "{error:?}"),
        }
        assert_eq!(generation(&state, &links[n]).await, 1 - n as u64 % 2);
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let (_directory, path) = written().await;
    damage(&path, "PRAGMA user_version = 7; CREATE TABLE novelty (x)");
    let before = std::fs::read(&path).unwrap();
    let error = SqliteState::open(&path).unwrap_err();
    assert!(matches!(error, StateError::Newer { found: 7, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the state at {} has schema version 7; this build supports up to 5", path.display())
    );
    assert!(std::fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    for content in [b"{\"not\": \"a database\"}\n".repeat(500), vec![0xa5; 100_000], b"a note\n".to_vec()] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(refusal(&path).await, "the state at state.db is damaged: it is not an SQLite database");
    }
}

#[tokio::test]
async fn a_truncated_file_is_refused_and_left_alone() {
    let (_directory, path) = written().await;
    let whole = std::fs::read(&path).unwrap();
    for kept in [whole.len() / 2, whole.len() - 4096, 5000, 4096] {
        std::fs::write(&path, &whole[..kept]).unwrap();
        assert_eq!(
            refusal(&path).await,
            "the state at state.db is damaged: database disk image is malformed",
            "{kept} of {} bytes",
            whole.len()
        );
    }
}

#[tokio::test]
async fn a_file_with_overwritten_bytes_is_refused_and_left_alone() {
    let (_directory, path) = written().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    assert!(refusal(&path).await.starts_with("the state at state.db is damaged: "));
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    damage(&path, "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
    assert_eq!(
        refusal(&path).await,
        "the state at state.db is damaged: it is another program's SQLite database (application id 0x0)"
    );
    damage(&path, "PRAGMA application_id = 0x0f055112");
    assert_eq!(
        refusal(&path).await,
        "the state at state.db is damaged: it is another program's SQLite database (application id 0xf055112)"
    );
}

#[tokio::test]
async fn damage_in_a_row_names_the_link() {
    let cases = [
        ("UPDATE link SET head = '{\"generation\":3,'", "its head cannot be parsed: EOF while parsing"),
        ("UPDATE link SET head = '{\"generation\":2}'", "its head is of generation 2, its row of 3"),
        ("DELETE FROM event WHERE generation = 2", "its journal has a gap between 1 and 3"),
        ("UPDATE event SET event = '{\"event\":'", "event 3 of its journal cannot be parsed"),
        ("UPDATE event SET at = 'yesterday'", "`yesterday` is not a time"),
    ];
    for (sql, sentence) in cases {
        let (_directory, path) = written().await;
        damage(&path, sql);
        let refused = refusal(&path).await;
        let expected = format!("the state at state.db, link `dev/shop` is damaged: {sentence}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[tokio::test]
async fn a_foreign_row_or_table_is_named() {
    for (sql, sentence) in [
        ("UPDATE link SET tenant = '../etc'", "a row does not name a link: `../etc` contains '.'"),
        ("DROP TABLE link", "no such table: link"),
    ] {
        let (_directory, path) = written().await;
        damage(&path, sql);
        let refused = refusal(&path).await;
        assert!(refused.starts_with(&format!("the state at state.db is damaged: {sentence}")), "{refused}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_a_file_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    for path in [directory.path().to_owned(), directory.path().join("file/state.db")] {
        let error = SqliteState::open(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("the state at {} could not be opened", path.display()));
        assert!(std::error::Error::source(&error).is_some());
    }
}
