//! What every fleet must do, run against each of them.
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
        a_service_that_ended_is_gone_without_a_cause_and_is_not_started_again
        a_stopped_service_ends
        a_missing_service_can_be_stopped_and_removed_again
        states_are_returned_in_the_requested_order
        removing_one_service_leaves_the_others
        a_waiting_caller_may_give_up
        another_process_finds_a_launched_service_and_ends_it
        another_katkit_does_not_see_the_services
        verifying_a_launch_starts_nothing
    };
    process = super::processes::Processes::new().await,
    #[cfg(feature = "docker")]
    docker = super::containers::Containers::new(crate::engines::Host::Docker).await,
    #[cfg(feature = "docker")]
    podman = super::containers::Containers::new(crate::engines::Host::Podman).await,
    #[cfg(feature = "aws")]
    ecs = super::tasks::EcsTasks::new().await,
}
