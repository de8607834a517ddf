//! Container labels: they identify a container to katkit and to users who inspect the engine.

use std::collections::HashMap;

use bollard::models::ContainerSummary;

use super::Settings;
use crate::domain::{LinkId, Token};
use crate::fleet::Launch;

/// The katkit it belongs to.
pub const OWNER: &str = crate::docker::OWNER;
/// Location of that katkit's logs.
pub const STORE: &str = crate::docker::STORE;
/// Name of the fleet in the manifest.
pub const FLEET: &str = "katkit.fleet";
/// Tenant that owns a cache.
pub const TENANT: &str = "katkit.tenant";
/// Path of a cache.
pub const CACHE: &str = "katkit.cache";
/// Token of the replica.
const TOKEN: &str = "katkit.token";
const LINK: &str = "katkit.link";
const RUN: &str = "katkit.run";
const PHASE: &str = "katkit.phase";
const ATTEMPT: &str = "katkit.attempt";
const REPLICA: &str = "katkit.replica";

/// The labels of a replica's container.
pub fn of(settings: &Settings, launch: &Launch) -> HashMap<String, String> {
    let pairs = [
        (OWNER, settings.owner.clone()),
        (STORE, settings.store.clone()),
        (FLEET, settings.name.clone()),
        (TOKEN, launch.token.to_string()),
        (LINK, launch.link.to_string()),
        (RUN, launch.run.to_string()),
        (PHASE, launch.phase.to_string()),
        (ATTEMPT, launch.attempt.to_string()),
        (REPLICA, launch.replica.to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Filter for all containers of a fleet.
pub fn filter(settings: &Settings) -> Vec<String> {
    vec![format!("{OWNER}={}", settings.owner), format!("{FLEET}={}", settings.name), TOKEN.to_owned()]
}

/// Filter for all containers of this katkit's fleets, including fleets that have since been renamed.
pub fn of_owner(settings: &Settings) -> Vec<String> {
    vec![format!("{OWNER}={}", settings.owner), TOKEN.to_owned()]
}

/// Whether the labels identify the replica with that token.
pub fn are_of(labels: &HashMap<String, String>, settings: &Settings, token: &Token) -> bool {
    let is = |name: &str, value: &str| labels.get(name).is_some_and(|found| found == value);
    is(OWNER, &settings.owner) && is(FLEET, &settings.name) && is(TOKEN, token.as_str())
}

/// The token and the link of a listed container.
pub fn read(container: &ContainerSummary) -> Option<(Token, Option<LinkId>)> {
    let labels = container.labels.as_ref()?;
    let link = labels.get(LINK).and_then(|link| link.parse().ok());
    Some((Token(labels.get(TOKEN)?.clone()), link))
}
