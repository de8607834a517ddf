//! What every state store must do, run against each of them; and failures specific to a file.
#![allow(
    clippy::unwrap_used,
    reason = "a test may fail by panicking; clippy sees only `#[test]` functions as such"
)]

mod checkpoints;
mod consents;
mod dynamodb_faults;
mod dynamodb_table;
mod fixture;
mod leases;
mod links;
mod prunes;
mod renames;
mod requests;
mod sqlite_file;
mod sqlite_processes;

macro_rules! on_every_store {
    ($($module:ident { $($case:ident)* })*) => {
        mod memory {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    super::$module::$case(std::sync::Arc::new(katkit::state::MemoryState::new())).await;
                }
            )*)*
        }
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let directory = tempfile::tempdir().unwrap();
                    let state = katkit::state::SqliteState::open(&directory.path().join("state.db")).unwrap();
                    super::$module::$case(std::sync::Arc::new(state)).await;
                }
            )*)*
        }
        mod dynamodb {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    super::$module::$case(std::sync::Arc::new(crate::engines::Account::new().await.state().await)).await;
                }
            )*)*
        }
    };
}

on_every_store! {
    links {
        a_link_that_was_never_written_has_no_head_and_no_journal
        written_events_and_heads_are_read_back_unchanged
        an_append_from_another_generation_changes_nothing
        an_append_under_another_epoch_changes_nothing
        an_append_without_a_lease_is_refused
        a_lost_lease_is_reported_before_a_conflict
        events_that_leave_a_gap_are_refused
        of_racing_appends_exactly_one_wins
        concurrent_writes_to_links_do_not_disturb_each_other
        a_journal_is_read_in_pages_from_its_end
        heads_are_listed_once_each_in_order_of_their_ids
        a_thousand_links_are_read_at_once
        a_record_has_one_name
    }
    leases {
        an_epoch_rises_with_each_owner
        of_concurrent_requests_for_a_free_lease_one_wins
        a_lease_holder_cannot_acquire_its_lease_again
        an_unchanged_lease_can_be_taken_over
        a_renewed_lease_cannot_be_taken_over
        of_many_observers_of_a_dead_owner_one_takes_over
        a_released_epoch_neither_writes_nor_renews
        a_former_owner_does_not_release_its_successors_lease
        a_broken_lease_is_free_and_its_owner_cannot_write
        a_lease_that_never_existed_is_not_broken
        leases_are_listed_in_order_of_their_ids
    }
    checkpoints {
        checkpoints_are_kept_in_order_of_their_numbers
        of_racing_checkpoints_of_one_number_one_is_added
        adding_the_same_checkpoint_again_is_harmless
    }
    renames {
        a_link_keeps_its_history_under_another_name
        a_link_renamed_again_and_back_keeps_its_history
        an_earlier_record_of_the_new_name_is_not_part_of_the_history
        requests_move_with_a_renamed_link
        a_refused_rename_changes_nothing
    }
    prunes {
        a_journal_begins_where_it_was_cut
        events_are_removed_only_after_an_event_records_the_cut
        cut_events_that_still_exist_do_not_appear_in_pages
    }
    requests {
        requests_keep_the_order_in_which_they_were_recorded
        concurrent_requests_get_different_ids
        an_append_consumes_its_requests
        a_failed_append_consumes_nothing
        a_missing_request_does_not_fail_an_append
        a_request_id_is_never_reused
    }
    consents {
        a_record_without_consents_has_none
        consents_are_numbered_and_read_back_unchanged
        an_ended_consent_stays_in_the_journal
        evidence_is_found_by_its_commit_and_does_not_stand
        withdrawn_evidence_stays_in_the_journal_alone
        evidence_for_many_commits_is_found_at_once
        concurrent_evidence_for_one_commit_is_kept
        the_journal_of_consents_is_read_in_pages_from_its_end
        concurrent_consents_get_different_numbers
        an_append_that_does_not_know_the_last_consent_changes_nothing
        a_conflict_is_reported_before_a_new_consent
    }
}
