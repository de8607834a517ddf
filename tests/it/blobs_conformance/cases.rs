//! The cases that every store passes.

use std::sync::Arc;

use futures::future::join_all;
use katkit::blobs::{BlobError, BlobKey, Blobs};

pub type Store = Arc<dyn Blobs>;

pub fn key(text: &str) -> BlobKey {
    BlobKey::new(text).unwrap()
}

async fn keys(store: &Store, prefix: &str, after: Option<&str>) -> Vec<String> {
    let after = after.map(key);
    let listed = store.list(&key(prefix), after.as_ref()).await.unwrap();
    listed.into_iter().map(|listed| listed.key.to_string()).collect()
}

pub async fn a_blob_is_read_back_and_listed(store: Store) {
    let contents: [&[u8]; 4] = [b"", b"text", &[0, 255, 10, 13], &vec![7; 3_000_000]];
    for (n, content) in contents.into_iter().enumerate() {
        let key = key(&format!("dev/POST DEPLOY (1)/\u{1F980} %2F?#/{n}"));
        store.put(&key, content).await.unwrap();
        assert!(store.get(&key).await.unwrap().as_deref() == Some(content));
        assert_eq!(store.size(&key).await.unwrap(), Some(content.len() as u64));
    }
    for absent in ["dev", "dev/POST DEPLOY (1)", "dev/nothing", "nothing"] {
        assert_eq!(store.size(&key(absent)).await.unwrap(), None, "{absent}");
    }
    let listed = store.list(&key("dev"), None).await.unwrap();
    let sizes: Vec<_> = listed.iter().map(|listed| listed.size).collect();
    assert_eq!(sizes, [0, 4, 4, 3_000_000]);
    assert_eq!(listed[0].key, key("dev/POST DEPLOY (1)/\u{1F980} %2F?#/0"));
}

pub async fn a_bounded_read_returns_no_more_than_requested(store: Store) {
    let key = key("a/b");
    for size in [0, 5, 3_000_000] {
        let content = vec![7; size];
        store.put(&key, &content).await.unwrap();
        let most = u64::try_from(size).unwrap();
        assert!(store.get_within(&key, most).await.unwrap().as_deref() == Some(&content));
        let read = if size > 0 { store.get_within(&key, most - 1).await } else { continue };
        assert!(matches!(read, Err(BlobError::TooLarge { most: limit, .. }) if limit == most - 1));
    }
    assert_eq!(store.get_within(&self::key("a/nothing"), 0).await.unwrap(), None);
}

pub async fn a_blob_is_replaced_atomically(store: Store) {
    let key = key("a/b");
    for content in ["a long content", "short", ""] {
        store.put(&key, content.as_bytes()).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().unwrap(), content.as_bytes());
    }
    let listed = store.list(&self::key("a"), None).await.unwrap();
    assert_eq!(listed.iter().map(|listed| (&listed.key, listed.size)).collect::<Vec<_>>(), [(&key, 0)]);
}

/// By a single clock, possibly coarse: a later write is never older.
pub async fn a_listing_includes_the_time_of_each_write(store: Store) {
    let written = async |key: &str| {
        store.put(&self::key(key), b"text").await.unwrap();
        let listed = store.list(&self::key("a"), None).await.unwrap();
        let found = listed.into_iter().find(|listed| listed.key.as_str() == key).unwrap();
        found.modified.expect("each of these stores reports it")
    };
    let (first, second, third) = (written("a/z").await, written("a/b").await, written("a/m").await);
    assert!(first <= second && second <= third, "{first} {second} {third}");
    let again = written("a/z").await;
    assert!(again >= third, "a replaced blob has the time of its replacement: {again} {third}");
}

pub async fn create_never_replaces_a_blob(store: Store) {
    let key = key("a/b");
    store.create(&key, b"first").await.unwrap();
    match store.create(&key, b"second").await {
        Err(BlobError::Exists { key, .. }) => assert_eq!(key, "a/b"),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.get(&key).await.unwrap().unwrap(), b"first");
    store.put(&key, b"third").await.unwrap();
    assert!(matches!(store.create(&key, b"").await, Err(BlobError::Exists { .. })));
    store.remove(&key).await.unwrap();
    store.create(&key, b"again").await.unwrap();
}

pub async fn of_concurrent_creates_of_one_key_one_wins(store: Store) {
    for round in 0..20 {
        let key = key(&format!("a/{round}/claim"));
        let tasks = (0..16_u8).map(|n| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move { (n, store.create(&key, &[n; 1000]).await) })
        });
        let results: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).map(|(n, _)| *n).collect();
        assert_eq!(winners.len(), 1);
        let lost = |result: &Result<(), _>| matches!(result, Err(BlobError::Exists { .. }));
        assert_eq!(results.iter().filter(|(_, result)| lost(result)).count(), 15);
        assert_eq!(store.get(&key).await.unwrap().unwrap(), [winners[0]; 1000]);
    }
}

pub async fn a_file_is_stored_and_returned_unchanged(store: Store) {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    std::fs::write(&from, &content).unwrap();
    let key = key("a/big");
    store.put(&key, b"what was there before").await.unwrap();
    store.put_file(&key, &from).await.unwrap();
    assert_eq!(store.list(&self::key("a"), None).await.unwrap()[0].size, 5_000_000);
    std::fs::write(&from, "changed later").unwrap();
    store.get_file(&key, &to).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == content);

    let absent = store.put_file(&key, &directory.path().join("absent")).await.unwrap_err();
    assert_eq!(absent.to_string(), format!("`a/big` could not be written in {}", place(&store)));
    assert_eq!(store.list(&self::key("a"), None).await.unwrap()[0].size, 5_000_000);
}

fn place(store: &Store) -> String {
    store.url().trim_start_matches("file://").to_owned()
}

pub async fn an_existing_local_file_is_not_overwritten(store: Store) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine");
    std::fs::write(&file, "mine").unwrap();
    store.put(&key("a/b"), b"theirs").await.unwrap();
    assert!(matches!(store.get_file(&key("a/b"), &file).await, Err(BlobError::File { .. })));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

pub async fn a_missing_blob_reads_as_absent_and_can_be_removed(store: Store) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let absent = async |text: &str| {
        let key = key(text);
        assert_eq!(store.get(&key).await.unwrap(), None, "{text}");
        store.remove(&key).await.unwrap();
        match store.get_file(&key, &file).await {
            Err(BlobError::Missing { key, .. }) => assert_eq!(key, text),
            other => panic!("{other:?}"),
        }
        assert!(!file.exists());
    };
    for text in ["a", "a/b", "a/b/c/d", "x/y/z"] {
        absent(text).await;
        assert_eq!(keys(&store, text, None).await, [""; 0]);
    }
    // Nothing above, below or beside a blob either.
    store.put(&key("a/b/c"), b"there").await.unwrap();
    for text in ["a", "a/b", "a/b/c/d", "a/b/c/d/e", "a/b/cc"] {
        absent(text).await;
    }
    assert_eq!(store.get(&key("a/b/c")).await.unwrap().unwrap(), b"there");
    store.remove(&key("a/b/c")).await.unwrap();
    store.remove(&key("a/b/c")).await.unwrap();
    assert_eq!(keys(&store, "a", None).await, [""; 0]);
}

/// Names that a directory walk would visit in another order than the keys'.
const NAMES: [&str; 14] = [
    "p/a-b",
    "p/a",
    "p/a.b/c",
    "p/a0",
    "p/b/x/y",
    "p/b/x-y",
    "p/b/x.y/z",
    "p/b-c/d",
    "p/b!/d",
    "p/B",
    "p/\u{fc}/a",
    "p/\u{1F980}",
    "p/zz/.hidden",
    "p/zz/ blank",
];

pub async fn a_listing_is_sorted_by_the_bytes_of_the_keys(store: Store) {
    for name in NAMES {
        store.put(&key(name), b"").await.unwrap();
    }
    let mut sorted = NAMES.map(str::to_owned);
    sorted.sort();
    assert_eq!(keys(&store, "p", None).await, sorted);
}

pub async fn a_listing_can_start_after_any_key(store: Store) {
    for name in NAMES {
        store.put(&key(name), b"").await.unwrap();
    }
    let mut sorted = NAMES.map(str::to_owned);
    sorted.sort();
    let absent = ["a", "p", "p/a/b", "p/b", "p/b/x", "p/b/x/y/z", "p/b0", "p/zzz", "q"];
    for after in NAMES.into_iter().chain(absent) {
        let expected: Vec<_> = sorted.iter().filter(|name| name.as_str() > after).cloned().collect();
        assert_eq!(keys(&store, "p", Some(after)).await, expected, "after {after}");
    }
}

pub async fn a_prefix_matches_whole_segments(store: Store) {
    for name in ["dev/shop/log/1", "dev/shop-2/log/1", "dev/shop.log", "dev/sho", "de/v"] {
        store.put(&key(name), b"").await.unwrap();
    }
    assert_eq!(keys(&store, "dev/shop", None).await, ["dev/shop/log/1"]);
    assert_eq!(keys(&store, "dev/shop/log", None).await, ["dev/shop/log/1"]);
    assert_eq!(keys(&store, "dev/shop/log/1", None).await, [""; 0]);
    assert_eq!(keys(&store, "dev/shop/lo", None).await, [""; 0]);
    assert_eq!(keys(&store, "dev/sho", None).await, [""; 0]);
}

pub async fn a_reader_never_sees_half_a_blob(store: Store) {
    let key = key("a/status.json");
    store.put(&key, &vec![0; 100_000]).await.unwrap();
    let writer = {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            for n in 1..=250_u8 {
                store.put(&key, &vec![n; 100_000 + usize::from(n)]).await.unwrap();
            }
        })
    };
    let mut reads = 0;
    while !writer.is_finished() || reads == 0 {
        let content = store.get(&key).await.unwrap().unwrap();
        let n = content.len() - 100_000;
        assert!(content.iter().all(|byte| usize::from(*byte) == n), "read {n}");
        reads += 1;
    }
    writer.await.unwrap();
}

pub async fn concurrent_writers_and_removers_do_not_disturb_each_other(store: Store) {
    // All in the same few directories, which are created and removed with the blobs in them.
    let tasks = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..200 {
                let key = key(&format!("dev/{}/deep/er/{n}", round % 3));
                store.put(&key, b"here").await.unwrap();
                assert_eq!(store.get(&key).await.unwrap().unwrap(), b"here");
                store.list(&self::key("dev"), None).await.unwrap();
                store.remove(&key).await.unwrap();
                store.create(&key, b"again").await.unwrap();
                store.remove(&key).await.unwrap();
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(keys(&store, "dev", None).await, [""; 0]);
}

pub async fn no_key_is_a_prefix_of_another(store: Store) {
    store.put(&key("a/b"), b"blob").await.unwrap();
    for refused in ["a", "a/b/c", "a/b/c/d"] {
        let error = store.put(&key(refused), b"other").await.unwrap_err();
        assert!(matches!(error, BlobError::Unavailable { .. }), "{refused}: {error:?}");
        let error = store.create(&key(refused), b"other").await.unwrap_err();
        assert!(
            matches!(error, BlobError::Unavailable { .. } | BlobError::Exists { .. }),
            "{refused}: {error:?}"
        );
        assert_eq!(store.get(&key(refused)).await.unwrap(), None);
    }
    assert_eq!(keys(&store, "a", None).await, ["a/b"]);
}
