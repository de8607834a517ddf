//! Writers that die or fail halfway: killed by the system, out of space, denied write access.
//!
//! Each happens for real, in another process. Past a file size limit, the system kills the writer (`SIGXFSZ`). A full
//! disk and a read-only one are memory disks in the process's own mount namespace, and disappear with it.

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use katkit::blobs::{BlobError, Blobs, DirectoryBlobs};

use super::cases::key;

const ROOT: &str = "KATKIT_TEST_BLOBS";
const WORK: &str = "KATKIT_TEST_WORK";
const DONE: &str = "everything was as it should be";

/// Runs [`another_process`] through a shell that first runs `setup`, under `wrapper`.
fn run(wrapper: &[&str], setup: &str, root: &Path, work: &str) -> Output {
    let script = format!("{setup} && exec \"$@\"");
    let mut words = wrapper.to_vec();
    words.extend(["sh", "-c", &script, "sh"]);
    Command::new(words[0])
        .args(&words[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "blobs_conformance::deaths::another_process", "--ignored", "--nocapture"])
        .env(ROOT, root)
        .env(WORK, work)
        .output()
        .unwrap()
}

/// The same with a memory disk of 512 KiB mounted at the root.
fn run_on_small_disk(root: &Path, work: &str) -> Output {
    let as_root: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
    let own = [&["unshare", "--mount"], as_root].concat();
    run(&own, &format!("mount -t tmpfs -o size=512k tmpfs \"${ROOT}\""), root, work)
}

fn assert_done(output: &Output) {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains(DONE), "{}\n{text}", output.status);
}

fn leftovers(root: &Path) -> usize {
    fs::read_dir(root.join(".temporary")).unwrap().count()
}

#[tokio::test]
#[ignore = "not a test, but the other process of the tests beside it"]
async fn another_process() {
    let (Some(root), Ok(work)) = (std::env::var_os(ROOT), std::env::var(WORK)) else { return };
    let store = DirectoryBlobs::new(root.clone().into());
    let root = Path::new(&root);
    match work.as_str() {
        "put" => store.put(&key("a/b"), &vec![1; 1_000_000]).await.unwrap(),
        "put_file" => store.put_file(&key("a/b"), &root.join("../big")).await.unwrap(),
        "fail" => fail(root, &store).await,
        "fill" => fill(root, &store).await,
        "read-only" => read_only(root, &store).await,
        other => panic!("{other}"),
    }
    println!("{DONE}");
}

#[tokio::test]
async fn a_writer_killed_halfway_leaves_no_half_blob() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("blobs");
    fs::write(directory.path().join("big"), vec![1; 1_000_000]).unwrap();
    let store = DirectoryBlobs::new(root.clone());
    store.put(&key("a/b"), b"before").await.unwrap();
    for (n, work) in ["put", "put_file"].into_iter().enumerate() {
        let output = run(&[], "ulimit -c 0 && ulimit -f 64", &root, work);
        let killed = rustix::process::Signal::XFSZ.as_raw();
        assert_eq!(output.status.signal(), Some(killed), "{output:?}");
        assert_eq!(store.get(&key("a/b")).await.unwrap().unwrap(), b"before");
        assert_eq!(store.list(&key("a"), None).await.unwrap().len(), 1);
        assert_eq!(leftovers(&root), n + 1);
    }
    assert_eq!(store.sweep_temporary(Duration::from_hours(1)).unwrap(), 0);
    assert_eq!(store.sweep_temporary(Duration::ZERO).unwrap(), 2);
    assert_eq!(store.get(&key("a/b")).await.unwrap().unwrap(), b"before");
}

#[test]
fn a_write_that_fails_halfway_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("big"), vec![1; 1_000_000]).unwrap();
    assert_done(&run(&[], "trap '' XFSZ && ulimit -f 64", &directory.path().join("blobs"), "fail"));
}

async fn fail(root: &Path, store: &DirectoryBlobs) {
    store.put(&key("a/b"), b"before").await.unwrap();
    let results = [
        store.put(&key("a/b"), &vec![1; 1_000_000]).await,
        store.create(&key("a/c"), &vec![1; 1_000_000]).await,
        store.put_file(&key("a/d"), &root.join("../big")).await,
    ];
    for result in results {
        let error = result.unwrap_err();
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::FileTooLarge), "{error:?}");
        assert_eq!(leftovers(root), 0);
    }
    assert_eq!(store.get(&key("a/b")).await.unwrap().unwrap(), b"before");
    assert_eq!(store.list(&key("a"), None).await.unwrap().len(), 1);
}

#[test]
fn a_full_disk_is_reported_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    assert_done(&run_on_small_disk(directory.path(), "fill"));
}

async fn fill(root: &Path, store: &DirectoryBlobs) {
    let big = tempfile::tempdir().unwrap();
    fs::write(big.path().join("file"), vec![1; 1_000_000]).unwrap();
    store.put(&key("a/b"), &vec![7; 200_000]).await.unwrap();
    let results = [
        store.put(&key("a/b"), &vec![1; 1_000_000]).await,
        store.create(&key("a/c"), &vec![1; 1_000_000]).await,
        store.put_file(&key("a/d"), &big.path().join("file")).await,
    ];
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, BlobError::Full { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("{} is full", root.display()));
        assert_eq!(leftovers(root), 0);
    }
    assert_eq!(store.get(&key("a/b")).await.unwrap().unwrap(), vec![7; 200_000]);

    // Nor is half of a blob left at the destination of a copy.
    store.put(&key("a/c"), &vec![7; 200_000]).await.unwrap();
    let copy = root.join("copy");
    let error = store.get_file(&key("a/b"), &copy).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{} could not be written", copy.display()));
    assert!(!copy.exists());

    // Freed space is usable again.
    store.remove(&key("a/c")).await.unwrap();
    store.put(&key("a/c"), &vec![7; 200_000]).await.unwrap();
}

#[test]
fn a_read_only_store_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    assert_done(&run_on_small_disk(directory.path(), "read-only"));
}

async fn read_only(root: &Path, store: &DirectoryBlobs) {
    store.put(&key("a/b"), b"content").await.unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(root).status().unwrap();
    assert!(remounted.success());
    let store: Arc<dyn Blobs> = Arc::new(store.clone());
    let results = [
        store.put(&key("a/b"), b"").await,
        store.create(&key("a/c"), b"").await,
        store.create(&key("x/y"), b"").await,
        store.remove(&key("a/b")).await,
    ];
    for result in results {
        let error = result.unwrap_err();
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::ReadOnlyFilesystem), "{error:?}");
    }
    assert_eq!(store.get(&key("a/b")).await.unwrap().unwrap(), b"content");
    assert_eq!(store.list(&key("a"), None).await.unwrap().len(), 1);
}
