//! Failures specific to a bucket: lost answers, multipart uploads, missing buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use katkit::aws::AwsLocation;
use katkit::blobs::{BlobError, Blobs};

use super::cases::key;
use crate::engines::proxy::{Call, Fault, Proxy};
use crate::engines::{Account, BUCKET};

#[tokio::test]
async fn a_create_whose_answer_was_lost_recognizes_its_own_blob() {
    let (proxy, account) = (Proxy::start().await, Account::new().await);
    account.blobs().await;
    let store = account.through(&proxy.endpoint).await.blobs_again();
    let puts = AtomicU64::new(0);
    proxy.fault(move |name, _| {
        (name == "PUT" && puts.fetch_add(1, Ordering::Relaxed) == 0).then_some(Fault::LoseAnswer)
    });
    store.create(&key("a/claim"), b"mine").await.unwrap();
    assert_eq!(proxy.calls()["PUT"], 2);
    let error = store.create(&key("a/claim"), b"mine").await.unwrap_err();
    assert!(matches!(error, BlobError::Exists { .. }), "{error:?}");
}

#[tokio::test]
async fn throttling_of_one_call_in_five_goes_unnoticed() {
    let (proxy, account) = (Proxy::start().await, Account::new().await);
    account.blobs().await;
    let store = account.through(&proxy.endpoint).await.blobs_again();
    proxy.fault(|_, number| (number % 5 == 0).then_some(Fault::Throttle));
    for number in 0..20 {
        store.put(&key(&format!("a/{number:02}")), b"text").await.unwrap();
    }
    assert_eq!(store.list(&key("a"), None).await.unwrap().len(), 20);
    assert_eq!(store.get(&key("a/07")).await.unwrap().unwrap(), b"text");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_uploaded_in_parts_and_a_failed_upload_leaves_nothing() {
    let (proxy, account) = (Proxy::start().await, Account::new().await);
    let direct = account.blobs().await;
    let store = account.through(&proxy.endpoint).await.blobs_again();
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let content: Vec<u8> = (0..10_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&from, &content).unwrap();
    store.put_file(&key("a/large"), &from).await.unwrap();
    let calls = proxy.calls();
    assert_eq!((calls["PUT"], calls["POST"]), (3, 2), "three parts of at most 16 MiB, begun and completed");
    direct.get_file(&key("a/large"), &to).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == content);

    proxy.fault(|name, _| (name == "PUT").then_some(Fault::Refuse));
    let error = store.put_file(&key("a/failed"), &from).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(direct.get(&key("a/failed")).await.unwrap(), None);
    let client = account.aws.s3(&AwsLocation::default()).await.unwrap();
    let bucket = format!("{BUCKET}-{}", account.number);
    let open = client.list_multipart_uploads().bucket(bucket).send().await.unwrap();
    assert_eq!(open.uploads().len(), 0);
}

/// For a finished upload, S3 only says that there is none: the object shows whether it was completed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_no_longer_exists_succeeded_only_if_its_object_exists() {
    let (proxy, account) = (Proxy::start().await, Account::new().await);
    let direct = account.blobs().await;
    let store = account.through(&proxy.endpoint).await.blobs_again();
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("from");
    std::fs::write(&from, vec![b'x'; 20_000_000]).unwrap();
    let completes = |call: Call<'_>| call.name == "POST" && call.path.contains("uploadId=");
    let gone = Some(Fault::Error("NoSuchUpload", "The specified upload does not exist."));
    // The writer of artifacts may not list, so S3 never tells it that an object is missing.
    for denies in [false, true] {
        proxy.fault_of(move |call| match call.name {
            "HEAD" if denies => Some(Fault::Error("AccessDenied", "Access Denied")),
            _ => gone.filter(|_| completes(call)),
        });
        let error = store.put_file(&key("a/large"), &from).await.unwrap_err();
        let said = katkit::causes::in_one_line(&error);
        assert!(said.contains("could not be written") && said.contains("upload does not exist"), "{said}");
    }
    // The first answer is lost; for the second, the upload is over.
    let calls = AtomicU64::new(0);
    proxy.fault_of(move |call| {
        let number = completes(call).then(|| calls.fetch_add(1, Ordering::Relaxed))?;
        if number == 0 { Some(Fault::LoseAnswer) } else { gone }
    });
    store.put_file(&key("a/large"), &from).await.unwrap();
    assert_eq!(direct.size(&key("a/large")).await.unwrap(), Some(20_000_000));
}

#[tokio::test]
async fn a_missing_bucket_is_reported() {
    let store = Account::new().await.blobs_again();
    let error = store.put(&key("a/b"), b"").await.unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("s3://katkit-blobs-") && message.ends_with(" does not exist"), "{message}");
    assert!(error.hint().unwrap().contains("katkit bootstrap"));
}

/// S3's answer for identities that may not list the whole bucket: it does not reveal what is missing.
#[tokio::test]
async fn a_missing_object_is_distinguished_from_an_unreadable_one() {
    let (proxy, account) = (Proxy::start().await, Account::new().await);
    let direct = account.blobs().await;
    let store = account.through(&proxy.endpoint).await.blobs_again();
    // A name with the missing one as its prefix does not count.
    direct.put(&key("dev/status.json.old"), b"old").await.unwrap();
    direct.put(&key("dev/secret"), b"x").await.unwrap();
    let denied = Some(Fault::Error("AccessDenied", "Access Denied"));
    proxy.fault_of(move |call| {
        let reads = ["GET", "HEAD"].contains(&call.name) && !call.path.contains("list-type=2");
        denied.filter(|_| reads)
    });
    let directory = tempfile::tempdir().unwrap();
    let missing = key("dev/status.json");
    assert_eq!(store.get(&missing).await.unwrap(), None);
    assert_eq!(store.size(&missing).await.unwrap(), None);
    let error = store.get_file(&missing, &directory.path().join("to")).await.unwrap_err();
    assert!(matches!(error, BlobError::Missing { .. }), "{error:?}");
    for error in [store.get(&key("dev/secret")).await.err(), store.size(&key("dev/secret")).await.err()] {
        let said = katkit::causes::in_one_line(&error.unwrap());
        assert!(said.contains("access denied: `s3:GetObject`"), "{said}");
    }
    // Without the permission to list, nothing reveals that it is missing.
    proxy.fault_of(move |_| denied);
    let said = katkit::causes::in_one_line(&store.get(&missing).await.unwrap_err());
    assert!(said.contains("access denied: `s3:GetObject`"), "{said}");
}

#[tokio::test]
async fn anyone_with_the_link_can_read_the_blob() {
    let account = Account::new().await;
    let store = account.blobs().await;
    store.put(&key("a/report of #1?.txt"), b"all good").await.unwrap();
    let link = store.link(&key("a/report of #1?.txt"), Duration::from_mins(1)).await.unwrap().unwrap();
    let fetched = std::process::Command::new("curl").args(["-fsS", &link]).output().unwrap();
    assert_eq!(fetched.stdout, b"all good", "{fetched:?}");
}
