//! Every part of a manifest that affects one link: its planning, its phases and its deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::model::{BlobsConfig, FleetConfig, Link, Manifest, PlatformConfig, Repo, StateConfig, Tenant};
use super::moves::Name;
use super::secret_ref::SecretRef;
use crate::domain::{FleetName, LinkId, PolicyName, Workflow};
use crate::pipeline::Pipeline;
use crate::policy::Policy;

/// The settings of one link, from anywhere in the manifest. They are equal for two manifests if the changes between
/// them do not affect the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings<'m> {
    state: &'m StateConfig,
    blobs: &'m BlobsConfig,
    environment: &'m str,
    platform: &'m PlatformConfig,
    variables: &'m BTreeMap<String, String>,
    secrets: &'m BTreeMap<String, SecretRef>,
    link: &'m Link,
    repo: Option<&'m Repo>,
    workflow: Option<&'m Arc<Workflow>>,
    /// With its name, which each attempt records.
    fleet: (&'m str, Option<&'m FleetConfig>),
    /// The fleet for builds; `fleet` if the tenant names no other.
    build_fleet: (&'m str, Option<&'m FleetConfig>),
    /// With its name, which holds tell.
    policy: Option<(&'m PolicyName, &'m Policy)>,
    /// Its name and the pin are in `link`.
    pipeline: Option<&'m Pipeline>,
    /// Its former names in `moved`, or those of its tenant.
    was: Vec<&'m Name>,
}

impl Manifest {
    /// The settings that affect a link; `None` if it is not in the manifest.
    pub fn concerning<'m>(&'m self, id: &'m LinkId) -> Option<LinkSettings<'m>> {
        // The directory is part of every path, the cache is disposable, and the digest covers the whole manifest.
        let Self {
            directory: _,
            state,
            blobs,
            cache: _,
            repos,
            workflows,
            fleets,
            policies: _,
            access: _,
            audit: _,
            pipelines: _,
            tenants,
            moved,
            digest: _,
        } = self;
        // The order of tenants and the confirmation prompt do not affect the plan of a link.
        let Tenant {
            environment,
            fleet,
            build_fleet,
            platform,
            after: _,
            protected: _,
            policy: _,
            variables,
            secrets,
            links,
        } = tenants.get(&id.tenant)?;
        let link = links.get(&id.link)?;
        let named = |name: &'m FleetName| (name.as_str(), fleets.get(name));
        Some(LinkSettings {
            state,
            blobs,
            environment,
            platform,
            variables,
            secrets,
            link,
            repo: repos.get(&link.repo),
            workflow: link.workflow.as_ref().and_then(|name| workflows.get(name)),
            fleet: named(fleet),
            build_fleet: named(build_fleet.as_ref().unwrap_or(fleet)),
            policy: self.policy_of(id),
            pipeline: self.pipeline_of(id).map(|(_, pipeline, _)| pipeline),
            was: moved.to(id).map(|moved| &moved.from).collect(),
        })
    }
}

impl Manifest {
    /// The SHA-256 of the settings that affect a link, independent of the manifest's directory. Empty if the link is
    /// not in the manifest. May differ between versions of katkit.
    pub fn fingerprint(&self, id: &LinkId) -> String {
        let Some(concern) = self.concerning(id) else { return String::new() };
        let text = format!("{concern:?}");
        let text = match self.directory.to_str() {
            Some(directory) if directory.len() > 1 => text.replace(directory, "."),
            _ => text,
        };
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The links that a change of the manifest affects, including links that only one of the two has.
pub fn concerned(before: &Manifest, now: &Manifest) -> BTreeSet<LinkId> {
    let ids = before.links().chain(now.links()).map(|(id, _, _)| id);
    ids.filter(|id| before.concerning(id) != now.concerning(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::one_file;

    fn manifest(text: &str) -> Manifest {
        one_file::loaded(text).manifest
    }

    const BEFORE: &str = r#"
        version = 1
        state.path = "/srv/state.db"
        blobs.url = "/srv/blobs"
        cache.path = "/srv/cache"
        [repos]
        shop = { url = "https://git.example/acme/shop.git" }
        api = { url = "https://git.example/acme/api.git" }
        [workflows]
        standard.phases = [{ name = "build", order = 0, fleet = "build", timeout = "1m" }]
        short.phases = [{ name = "test", order = 0 }]
        [policies]
        careful.freeze = [{ start = "fri 16:00", end = "mon 08:00", zone = "UTC" }]
        [fleets]
        local = { kind = "process" }
        builders = { kind = "docker", image = "builder:1", memory = "1GiB" }
        unused = { kind = "docker", image = "other:1" }
        [tenants.dev]
        environment = "DEV"
        fleet = "local"
        build-fleet = "builders"
        platform = { kind = "file", path = "/srv/dev" }
        variables = { REGION = "north" }
        secrets = { KEY = "env:DEV_KEY" }
        links.api = { repo = "api", workflow = "short", branch = "main" }
        links.shop = { repo = "shop", workflow = "standard", branch = "main", variables = { SIZE = "1" } }
        [tenants.prod]
        environment = "PROD"
        fleet = "local"
        platform = { kind = "file", path = "/srv/prod" }
        policy = "careful"
        links.shop = { repo = "shop", workflow = "standard", branch = "stable" }
    "#;

    /// The links that this change of the text affects.
    fn change(from: &str, to: &str) -> String {
        assert!(BEFORE.contains(from), "{from}");
        let changed = concerned(&manifest(BEFORE), &manifest(&BEFORE.replace(from, to)));
        changed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_change_affects_the_links_that_use_what_changed() {
        for (from, to, concerned) in [
            // Settings that a link uses without naming them.
            ("image = \"builder:1\"", "image = \"builder:2\"", "dev/api dev/shop"),
            ("1GiB", "2GiB", "dev/api dev/shop"),
            ("build-fleet = \"builders\"", "build-fleet = \"unused\"", "dev/api dev/shop"),
            ("build-fleet = \"builders\"", "", "dev/api dev/shop"),
            ("kind = \"process\"", "kind = \"docker\", image = \"x:1\"", "dev/api dev/shop prod/shop"),
            ("timeout = \"1m\"", "timeout = \"2m\"", "dev/shop prod/shop"),
            ("name = \"test\"", "name = \"lint\"", "dev/api"),
            ("acme/shop.git", "acme/store.git", "dev/shop prod/shop"),
            ("/srv/prod", "/srv/live", "prod/shop"),
            ("mon 08:00", "mon 09:00", "prod/shop"),
            ("zone = \"UTC\"", "zone = \"Europe/Berlin\"", "prod/shop"),
            ("env:DEV_KEY", "env:KEY", "dev/api dev/shop"),
            ("REGION = \"north\"", "REGION = \"south\"", "dev/api dev/shop"),
            ("\"DEV\"", "\"TEST\"", "dev/api dev/shop"),
            ("/srv/state.db", "/srv/other.db", "dev/api dev/shop prod/shop"),
            ("/srv/blobs", "/srv/other", "dev/api dev/shop prod/shop"),
            // Settings in its own table.
            ("SIZE = \"1\"", "SIZE = \"2\"", "dev/shop"),
            ("\"stable\"", "\"main\"", "prod/shop"),
            ("[tenants.prod]", "[tenants.live]", "live/shop prod/shop"),
            ("links.api", "links.gate", "dev/api dev/gate"),
            (
                "version = 1",
                "version = 1\n        moved = [{ from = \"test\", to = \"dev\" }]",
                "dev/api dev/shop",
            ),
            (
                "version = 1",
                "version = 1\n        moved = [{ from = \"test/web\", to = \"dev/shop\" }]",
                "dev/shop",
            ),
            // Settings that no link uses.
            ("other:1", "other:2", ""),
            ("/srv/cache", "/var/cache", ""),
            ("version = 1", "version = 1 # reviewed", ""),
        ] {
            assert_eq!(change(from, to), concerned, "{from} -> {to}");
        }
    }
}
