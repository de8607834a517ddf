//! What every blob store must do, run on each of them; and what only a directory can get wrong.
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
    what_was_put_is_read_back_and_listed
    no_more_is_read_than_was_asked_for
    a_blob_is_replaced_whole
    a_listing_tells_when_a_blob_was_written
    what_is_created_is_not_replaced
    of_many_who_create_one_key_one_wins
    a_file_goes_in_and_comes_out_unchanged
    a_file_that_exists_is_not_overwritten
    what_is_not_there_is_missing_and_removing_it_is_harmless
    a_listing_has_the_order_of_the_keys_bytes
    a_listing_goes_on_after_any_key
    a_prefix_ends_at_a_segments_end
    a_reader_never_sees_half_a_blob
    writers_and_removers_do_not_disturb_each_other;
    where_keys_are_paths
    no_blob_lies_under_another
}
