//! What every state store must do, run on each of them; and what only a file can get wrong.
#![allow(
    clippy::unwrap_used,
    reason = "a test may fail by panicking; clippy sees only `#[test]` functions as such"
)]

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
        what_is_written_is_read_back_unchanged
        an_append_from_another_generation_changes_nothing
        an_append_under_another_epoch_changes_nothing
        an_append_without_a_lease_is_refused
        a_writer_that_lost_the_lease_hears_of_that_first
        events_that_leave_a_gap_are_refused
        of_racing_appends_exactly_one_wins
        links_written_at_once_do_not_disturb_each_other
        a_journal_is_read_in_pages_from_its_end
        heads_come_once_each_in_the_order_of_their_ids
        a_thousand_links_are_read_at_once
        a_record_has_one_name
    }
    leases {
        an_epoch_rises_with_each_owner
        of_many_who_want_a_free_lease_one_gets_it
        whoever_holds_a_lease_does_not_get_it_again
        a_lease_that_did_not_change_can_be_taken_over
        a_lease_that_was_renewed_cannot_be_taken_over
        of_many_who_saw_the_same_dead_owner_one_takes_over
        an_epoch_that_was_released_neither_writes_nor_renews
        a_former_owner_does_not_release_its_successors_lease
        a_broken_lease_is_free_and_its_owner_cannot_write
        a_lease_that_nobody_ever_had_is_not_broken
        leases_come_in_the_order_of_their_ids
    }
    renames {
        a_link_keeps_its_history_under_another_name
        a_link_that_is_renamed_again_and_back_keeps_its_history
        what_was_written_under_the_new_name_before_is_no_part_of_the_history
        requests_go_with_a_renamed_link
        a_rename_that_is_refused_changes_nothing
    }
    prunes {
        a_journal_begins_where_it_was_cut
        nothing_is_removed_that_no_event_says
        what_is_cut_and_still_there_is_no_part_of_a_journal_that_is_read_in_pages
    }
    requests {
        requests_keep_the_order_in_which_they_were_recorded
        requests_recorded_at_once_get_different_ids
        an_append_consumes_its_requests
        an_append_that_fails_consumes_nothing
        a_request_that_is_gone_is_no_obstacle
        the_id_of_a_request_is_never_given_again
    }
}
