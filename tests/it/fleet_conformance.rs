//! What every fleet must do, run on each of them.
#![allow(
    clippy::unwrap_used,
    reason = "a test may fail by panicking; clippy sees only `#[test]` functions as such"
)]

mod cases;
#[cfg(feature = "docker")]
mod containers;
mod fixture;
mod processes;
#[cfg(feature = "aws")]
mod tasks;

crate::conformance::on_every! {
    {
        a_token_is_one_service_whoever_launches_it
        a_service_is_listed_until_it_is_removed
        what_ended_by_itself_is_gone_without_a_cause_and_is_not_started_again
        a_service_that_is_asked_to_end_ends
        what_is_gone_can_be_stopped_and_removed_again
        states_come_in_the_order_in_which_they_were_asked_for
        removing_one_service_leaves_the_others
        whoever_waits_may_stop_waiting
        another_process_finds_what_was_launched_and_ends_it
        another_katkit_sees_nothing_of_it
        looking_whether_phases_could_run_starts_nothing
    };
    process = super::processes::Processes::new().await,
    #[cfg(feature = "docker")]
    docker = super::containers::Containers::new(crate::engines::Host::Docker).await,
    #[cfg(feature = "docker")]
    podman = super::containers::Containers::new(crate::engines::Host::Podman).await,
    #[cfg(feature = "aws")]
    ecs = super::tasks::EcsTasks::new().await,
}
