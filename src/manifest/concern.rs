//! All of a manifest that concerns one link: what planning it, running its phases and deploying it go by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::model::{
    BlobsConfig, FleetConfig, Link, Manifest, PlatformConfig, Repo, SecretRef, StateConfig, Tenant,
};
use super::moved::Name;
use crate::domain::{FleetName, LinkId, Workflow};

/// What a manifest says of one link, wherever it says it. Two of them are equal where no change of the manifest concerns the
/// link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern<'m> {
    state: &'m StateConfig,
    blobs: &'m BlobsConfig,
    environment: &'m str,
    platform: &'m PlatformConfig,
    variables: &'m BTreeMap<String, String>,
    secrets: &'m BTreeMap<String, SecretRef>,
    link: &'m Link,
    repo: Option<&'m Repo>,
    workflow: Option<&'m Arc<Workflow>>,
    /// By name as well, which is on record with each attempt.
    fleet: (&'m str, Option<&'m FleetConfig>),
    /// Where it builds: in the same one, if the tenant names no other.
    build_fleet: (&'m str, Option<&'m FleetConfig>),
    /// Its former names in `moved`, or those of its tenant.
    was: Vec<&'m Name>,
}

impl Manifest {
    /// All that concerns a link; `None` if it is not in the manifest.
    pub fn concerning<'m>(&'m self, id: &'m LinkId) -> Option<Concern<'m>> {
        // Paths are joined with the directory, the cache can be made again, and the digest is that of everything.
        let Self {
            directory: _,
            state,
            blobs,
            cache: _,
            repos,
            workflows,
            fleets,
            tenants,
            moved,
            digest: _,
        } = self;
        // In which order tenants are worked on, and who is asked, changes nothing of what is planned.
        let Tenant {
            environment,
            fleet,
            build_fleet,
            platform,
            after: _,
            protected: _,
            variables,
            secrets,
            links,
        } = tenants.get(&id.tenant)?;
        let link = links.get(&id.link)?;
        let named = |name: &'m FleetName| (name.as_str(), fleets.get(name));
        Some(Concern {
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
            was: moved.to(id).map(|moved| &moved.from).collect(),
        })
    }
}

impl Manifest {
    /// The SHA-256 of all that concerns a link, the same in whatever directory the manifest is. Empty if the link is not in
    /// the manifest. Another version of katkit may give another digest.
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

/// The links that a change of the manifest concerns, those included that only one of the two has.
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
        links.shop = { repo = "shop", workflow = "standard", branch = "stable" }
    "#;

    /// The links that this change of the text concerns.
    fn change(from: &str, to: &str) -> String {
        assert!(BEFORE.contains(from), "{from}");
        let changed = concerned(&manifest(BEFORE), &manifest(&BEFORE.replace(from, to)));
        changed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_change_concerns_the_links_that_go_by_what_changed() {
        for (from, to, concerned) in [
            // What a link goes by without naming it.
            ("image = \"builder:1\"", "image = \"builder:2\"", "dev/api dev/shop"),
            ("1GiB", "2GiB", "dev/api dev/shop"),
            ("build-fleet = \"builders\"", "build-fleet = \"unused\"", "dev/api dev/shop"),
            ("build-fleet = \"builders\"", "", "dev/api dev/shop"),
            ("kind = \"process\"", "kind = \"docker\", image = \"x:1\"", "dev/api dev/shop prod/shop"),
            ("timeout = \"1m\"", "timeout = \"2m\"", "dev/shop prod/shop"),
            ("name = \"test\"", "name = \"lint\"", "dev/api"),
            ("acme/shop.git", "acme/store.git", "dev/shop prod/shop"),
            ("/srv/prod", "/srv/live", "prod/shop"),
            ("env:DEV_KEY", "env:KEY", "dev/api dev/shop"),
            ("REGION = \"north\"", "REGION = \"south\"", "dev/api dev/shop"),
            ("\"DEV\"", "\"TEST\"", "dev/api dev/shop"),
            ("/srv/state.db", "/srv/other.db", "dev/api dev/shop prod/shop"),
            ("/srv/blobs", "/srv/other", "dev/api dev/shop prod/shop"),
            // What its own table says.
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
            // What no link goes by.
            ("other:1", "other:2", ""),
            ("/srv/cache", "/var/cache", ""),
            ("version = 1", "version = 1 # reviewed", ""),
        ] {
            assert_eq!(change(from, to), concerned, "{from} -> {to}");
        }
    }
}
