//! What every platform must do, run against each of them.
#![allow(
    clippy::unwrap_used,
    reason = "a test may fail by panicking; clippy sees only `#[test]` functions as such"
)]

mod cases;
#[cfg(feature = "docker")]
mod containers;
mod files;
mod fixture;
#[cfg(feature = "aws")]
mod services;

crate::conformance::on_every! {
    {
        a_manual_deployment_is_shown_and_taken_over
        a_deployment_is_recognized_as_known
        a_manual_change_is_seen
        a_problem_with_one_link_does_not_affect_others
        a_token_is_one_deployment
        a_deployment_whose_process_died_is_resumed_by_the_next
        a_deployment_that_never_started_is_not_found
        an_owner_without_its_lease_changes_nothing
        a_location_belongs_to_the_link_that_deployed_it
        a_renamed_link_keeps_its_deployment
        verifying_a_platform_changes_nothing
    };
    file = super::files::Files::new(),
    #[cfg(feature = "docker")]
    docker = super::containers::Containers::new(crate::engines::Host::Docker).await,
    #[cfg(feature = "docker")]
    podman = super::containers::Containers::new(crate::engines::Host::Podman).await,
    #[cfg(feature = "aws")]
    ecs = super::services::EcsServices::new().await,
}
