//! What every blob store must do, run against each of them; and failures specific to a directory.
#![allow(
    clippy::unwrap_used,
    reason = "a test may fail by panicking; clippy sees only `#[test]` functions as such"
)]

mod cases;
mod deaths;
mod directory;
mod s3_bucket;

macro_rules! on_every_store {
    ($($case:ident)*; where_keys_are_paths $($path_case:ident)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    super::cases::$case(std::sync::Arc::new(katkit::blobs::MemoryBlobs::new())).await;
                }
            )*
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $path_case() {
                    super::cases::$path_case(std::sync::Arc::new(katkit::blobs::MemoryBlobs::new())).await;
                }
            )*
        }
        mod files {
            async fn run<F: Future<Output = ()>>(case: impl FnOnce(super::cases::Store) -> F) {
                let directory = tempfile::tempdir().unwrap();
                let store = katkit::blobs::DirectoryBlobs::new(directory.path().join("not/yet/there"));
                case(std::sync::Arc::new(store)).await;
            }
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    run(super::cases::$case).await;
                }
            )*
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $path_case() {
                    run(super::cases::$path_case).await;
                }
            )*
        }
        mod s3 {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let store = crate::engines::Account::new().await.blobs().await;
                    super::cases::$case(std::sync::Arc::new(store)).await;
                }
            )*
        }
    };
}

on_every_store! {
    a_blob_is_read_back_and_listed
    a_bounded_read_returns_no_more_than_requested
    a_blob_is_replaced_atomically
    a_listing_includes_the_time_of_each_write
    create_never_replaces_a_blob
    of_concurrent_creates_of_one_key_one_wins
    a_file_is_stored_and_returned_unchanged
    an_existing_local_file_is_not_overwritten
    a_missing_blob_reads_as_absent_and_can_be_removed
    a_listing_is_sorted_by_the_bytes_of_the_keys
    a_listing_can_start_after_any_key
    a_prefix_matches_whole_segments
    a_reader_never_sees_half_a_blob
    concurrent_writers_and_removers_do_not_disturb_each_other;
    where_keys_are_paths
    no_key_is_a_prefix_of_another
}
