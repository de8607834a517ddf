//! Failures specific to a directory: links, pipes, foreign names, empty directories, a root that disappears.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use katkit::blobs::{self, BlobError, Blobs, DirectoryBlobs};
use rustix::fs::inotify;
use tempfile::TempDir;

use super::cases::{Store, key};

fn store() -> (TempDir, PathBuf, Store) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("blobs");
    let store = Arc::new(DirectoryBlobs::new(root.clone()));
    (directory, root, store)
}

/// The error's chain on one line.
fn chain(error: &BlobError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

#[tokio::test]
async fn another_process_opens_the_store_by_its_url() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryBlobs::new(directory.path().join("blobs of # 100%"));
    store.put(&key("a/b"), b"content").await.unwrap();
    assert!(store.url().ends_with("/blobs%20of%20%23%20100%25"), "{}", store.url());
    let opened = blobs::open(&store.url()).unwrap();
    assert_eq!(opened.get(&key("a/b")).await.unwrap().unwrap(), b"content");
    assert_eq!(opened.url(), store.url());
}

#[tokio::test]
async fn an_unreachable_store_is_not_created_again() {
    let (directory, root, first) = store();
    first.put(&key("dev/one"), b"one").await.unwrap();
    let (begun, away) = (DirectoryBlobs::begun(root.clone()), directory.path().join("away"));
    fs::rename(&root, &away).unwrap();
    for error in [
        begun.put(&key("dev/two"), b"two").await.unwrap_err(),
        begun.create(&key("dev/two"), b"two").await.unwrap_err(),
        begun.put_file(&key("dev/two"), &away.join("dev/one")).await.unwrap_err(),
    ] {
        assert!(chain(&error).ends_with("the directory no longer exists"), "{}", chain(&error));
    }
    assert!(!root.exists());
    fs::rename(&away, &root).unwrap();
    begun.put(&key("dev/two"), b"two").await.unwrap();
    assert_eq!(first.list(&key("dev"), None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn no_symlink_is_followed_out_of_the_store() {
    let (directory, root, store) = store();
    let outside = directory.path().join("outside");
    fs::create_dir_all(outside.join("log")).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    store.put(&key("dev/blob"), b"").await.unwrap();
    symlink(outside.join("secret"), root.join("dev/file")).unwrap();
    symlink(&outside, root.join("dev/directory")).unwrap();

    assert_eq!(store.list(&key("dev"), None).await.unwrap().len(), 1);
    let not_followed = |name: &str, error: &BlobError| {
        assert!(
            chain(error).ends_with(&format!(": `{name}` is a symbolic link, which katkit does not follow")),
            "{error:?}"
        );
    };
    not_followed("file", &store.get(&key("dev/file")).await.unwrap_err());
    not_followed("directory", &store.get(&key("dev/directory/secret")).await.unwrap_err());
    not_followed("directory", &store.list(&key("dev/directory/log"), None).await.unwrap_err());
    not_followed("directory", &store.put(&key("dev/directory/new"), b"").await.unwrap_err());
    not_followed("directory", &store.create(&key("dev/directory/log/new"), b"").await.unwrap_err());
    not_followed("directory", &store.remove(&key("dev/directory/secret")).await.unwrap_err());
    let copy = directory.path().join("copy");
    not_followed("file", &store.get_file(&key("dev/file"), &copy).await.unwrap_err());
    assert!(!copy.exists());

    // A symbolic link in place of a blob is itself replaced or removed.
    store.put(&key("dev/file"), b"mine").await.unwrap();
    store.remove(&key("dev/directory")).await.unwrap();
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 2);
}

#[tokio::test]
async fn the_root_may_be_a_symlink() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("disk")).unwrap();
    symlink(directory.path().join("disk"), directory.path().join("blobs")).unwrap();
    let store = DirectoryBlobs::new(directory.path().join("blobs"));
    store.put(&key("a/b"), b"content").await.unwrap();
    assert_eq!(fs::read(directory.path().join("disk/a/b")).unwrap(), b"content");
}

#[tokio::test]
async fn a_path_that_is_not_a_blob_is_ignored() {
    let (_directory, root, store) = store();
    store.put(&key("dev/blob"), b"").await.unwrap();
    fs::create_dir(root.join("dev/empty")).unwrap();
    fs::write(root.join("dev/back\\slash"), "").unwrap();
    fs::write(root.join(Path::new(std::ffi::OsStr::from_bytes(b"dev/latin-\xfc"))), "").unwrap();
    let made = std::process::Command::new("mkfifo").arg(root.join("dev/pipe")).status().unwrap();
    assert!(made.success());
    let listed = store.list(&key("dev"), None).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.key.as_str()).collect::<Vec<_>>(), ["dev/blob"]);
    // Opening a device may have side effects: only regular files are opened.
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, root.join("dev/pipe"), inotify::WatchFlags::OPEN).unwrap();
    assert_eq!(store.get(&key("dev/pipe")).await.unwrap(), None);
    assert_eq!(store.size(&key("dev/pipe")).await.unwrap(), None);
    let opened = || rustix::io::read(&watch, &mut [0; 64]);
    assert_eq!(opened(), Err(rustix::io::Errno::AGAIN));
    fs::File::options().read(true).write(true).open(root.join("dev/pipe")).unwrap();
    assert!(opened().is_ok());
    assert_eq!(store.get(&key("dev/empty")).await.unwrap(), None);
}

#[tokio::test]
async fn directories_are_removed_with_their_last_blob() {
    let (_directory, root, store) = store();
    store.put(&key("dev/shop/log/1"), b"").await.unwrap();
    store.put(&key("dev/api/log/1"), b"").await.unwrap();
    store.remove(&key("dev/shop/log/1")).await.unwrap();
    assert!(!root.join("dev/shop").exists() && root.join("dev/api/log").exists());
    store.remove(&key("dev/api/log/1")).await.unwrap();
    assert!(!root.join("dev").exists() && root.exists());
}

#[tokio::test]
async fn a_deleted_store_starts_empty() {
    let (_directory, root, store) = store();
    store.put(&key("a/b"), b"").await.unwrap();
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(store.get(&key("a/b")).await.unwrap(), None);
    assert_eq!(store.list(&key("a"), None).await.unwrap(), []);
    store.put(&key("a/b"), b"again").await.unwrap();
    assert_eq!(store.get(&key("a/b")).await.unwrap().unwrap(), b"again");
}

#[tokio::test]
async fn a_root_that_is_a_file_is_an_error() {
    let (_directory, root, store) = store();
    fs::write(&root, "a file").unwrap();
    for error in
        [store.put(&key("a/b"), b"").await.unwrap_err(), store.create(&key("a/b"), b"").await.unwrap_err()]
    {
        assert_eq!(
            chain(&error),
            format!("`a/b` could not be written in {}: Not a directory (os error 20)", root.display())
        );
    }
    assert_eq!(fs::read(&root).unwrap(), b"a file");
}

#[tokio::test]
async fn only_old_temporary_files_are_swept() {
    let (_directory, root, _) = store();
    let store = DirectoryBlobs::new(root.clone());
    assert_eq!(store.sweep_temporary(Duration::ZERO).unwrap(), 0);
    store.put(&key("a/b"), b"").await.unwrap();
    store.create(&key("a/c"), b"").await.unwrap();
    let temporary = root.join(".temporary");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    fs::write(temporary.join("1-1-1"), "half").unwrap();
    assert_eq!(store.sweep_temporary(Duration::from_hours(1)).unwrap(), 0);
    assert_eq!(store.sweep_temporary(Duration::ZERO).unwrap(), 1);
    assert_eq!(store.list(&key("a"), None).await.unwrap().len(), 2);
}
