//! What every platform must do, run on each of them.
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
        what_people_made_is_shown_and_taken_over
        what_was_deployed_is_known_again
        what_people_change_is_seen
        one_links_trouble_is_not_anothers
        a_token_is_one_deployment
        a_deployment_whose_process_died_is_found_by_the_next
        a_deployment_that_never_began_is_not_found
        whoever_lost_the_lease_changes_nothing
        a_place_belongs_to_the_link_that_deployed_it
        what_a_link_deployed_is_its_own_under_another_name
        looking_whether_it_could_be_rolled_changes_nothing
    };
    file = super::files::Files::new(),
    #[cfg(feature = "docker")]
    docker = super::containers::Containers::new(crate::engines::Host::Docker).await,
    #[cfg(feature = "docker")]
    podman = super::containers::Containers::new(crate::engines::Host::Podman).await,
    #[cfg(feature = "aws")]
    ecs = super::services::EcsServices::new().await,
}
