//! Keeps a proposed manifest from reaching more than the manifest it replaces.
//!
//! A pull request is planned on the planner's machine, with the planner's credentials. So storage settings come from
//! the base manifest, and a proposal may use only those outside resources (hosts, Docker Engines, endpoints, paths)
//! that the base names as well.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::model::{
    AuditConfig, DockerConfig, EcsCluster, EcsConfig, FleetConfig, FleetKind, Manifest, PlatformConfig, Repo,
    Tenant,
};
use super::secret_ref::SecretRef;

/// A proposed manifest that reaches nothing new.
#[derive(Debug)]
pub struct Bounded {
    /// The proposal, with the storage settings of the base.
    pub manifest: Manifest,
    /// The tables whose changes have no effect until the proposal is accepted.
    pub ignored: Vec<&'static str>,
}

/// A resource that the proposal names and the base does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResource {
    /// The key that names it.
    pub key: String,
    /// The resource, as text.
    pub what: String,
}

impl fmt::Display for NewResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Every outside resource that a manifest names.
#[derive(Debug, Default)]
struct Named<'m> {
    /// Scheme, and user, host and port of repositories.
    hosts: BTreeSet<(&'m str, &'m str)>,
    /// Repositories on this machine.
    repositories: BTreeSet<&'m str>,
    /// Docker Engines; `None`: the one from the environment.
    engines: BTreeSet<Option<&'m str>>,
    /// Endpoints that replace those of AWS.
    endpoints: BTreeSet<&'m str>,
    /// Service directories, programs copied into containers, and secret files.
    paths: BTreeSet<&'m Path>,
}

/// Takes the storage settings from `base`, and refuses a `proposal` that names resources `base` does not.
pub fn bounded(proposal: &Manifest, base: &Manifest) -> Result<Bounded, Vec<NewResource>> {
    let mut named = Named::default();
    visit(base, &mut |_, place| named.insert(place));
    let mut beyond = Vec::new();
    visit(proposal, &mut |key, place| {
        if !named.allows(place) {
            beyond.push(NewResource { key, what: place.to_string() });
        }
    });
    if !beyond.is_empty() {
        return Err(beyond);
    }
    let changes = [
        ("[state]", proposal.state != base.state),
        ("[blobs]", proposal.blobs != base.blobs),
        ("[cache]", proposal.cache != base.cache),
    ];
    let ignored = changes.into_iter().filter_map(|(table, changed)| changed.then_some(table)).collect();
    let (state, blobs, cache) = (base.state.clone(), base.blobs.clone(), base.cache.clone());
    Ok(Bounded { manifest: Manifest { state, blobs, cache, ..proposal.clone() }, ignored })
}

/// An outside resource that a manifest names.
#[derive(Clone, Copy, Debug)]
enum Resource<'m> {
    Host(&'m str, &'m str),
    Repository(&'m str),
    Engine(Option<&'m str>),
    Endpoint(&'m str),
    Path(&'static str, &'m Path),
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host("ssh", host) => write!(f, "the host `{host}`"),
            Self::Host(scheme, host) => write!(f, "the host `{scheme}://{host}`"),
            Self::Repository(path) => write!(f, "the repository `{path}` on this machine"),
            Self::Engine(None) => f.write_str("this machine's Docker Engine"),
            Self::Engine(Some(host)) => write!(f, "the Docker Engine `{host}`"),
            Self::Endpoint(url) => write!(f, "the endpoint `{url}`"),
            Self::Path(what, path) => write!(f, "the {what} `{}`", path.display()),
        }
    }
}

impl<'m> Named<'m> {
    fn insert(&mut self, place: Resource<'m>) {
        match place {
            Resource::Host(scheme, host) => drop(self.hosts.insert((scheme, host))),
            Resource::Repository(path) => drop(self.repositories.insert(path)),
            Resource::Engine(host) => drop(self.engines.insert(host)),
            Resource::Endpoint(url) => drop(self.endpoints.insert(url)),
            Resource::Path(_, path) => drop(self.paths.insert(path)),
        }
    }

    fn allows(&self, place: Resource<'_>) -> bool {
        match place {
            Resource::Host(scheme, host) => self.hosts.contains(&(scheme, host)),
            Resource::Repository(path) => self.repositories.contains(path),
            Resource::Engine(host) => self.engines.contains(&host),
            Resource::Endpoint(url) => self.endpoints.contains(url),
            Resource::Path(_, path) => self.paths.contains(path),
        }
    }
}

/// Calls `see` for every outside resource, with the key that names it. Skips `[state]`, `[blobs]` and `[cache]`, which
/// always come from the base.
fn visit<'m>(manifest: &'m Manifest, see: &mut dyn FnMut(String, Resource<'m>)) {
    let Manifest {
        directory,
        state: _,
        blobs: _,
        cache: _,
        repos,
        workflows: _,
        fleets,
        policies: _,
        access: _,
        audit,
        pipelines: _,
        tenants,
        // Names in the base's own record, which planning does not change.
        moved: _,
        digest: _,
    } = manifest;
    if let Some(AuditConfig { origin: _, signing_key: SecretRef::File(path) }) = audit {
        see("audit.signing-key".to_owned(), Resource::Path("file", path));
    }
    for (name, Repo { url, branch: _ }) in repos {
        see(format!("repos.{name}.url"), repository(url));
    }
    for (name, fleet) in fleets {
        visit_fleet(&format!("fleets.{name}"), fleet, see);
    }
    for (name, tenant) in tenants {
        let Tenant {
            environment: _,
            fleet: _,
            build_fleet: _,
            platform,
            after: _,
            protected: _,
            policy: _,
            variables: _,
            secrets,
            links: _,
        } = tenant;
        let key = format!("tenants.{name}");
        match platform {
            PlatformConfig::File { path } if *path == default_path(directory, name.as_str()) => {}
            PlatformConfig::File { path } => {
                see(format!("{key}.platform.path"), Resource::Path("directory", path));
            }
            PlatformConfig::Docker { host, network: _, settle: _ } => {
                see(format!("{key}.platform.host"), Resource::Engine(host.as_deref()));
            }
            PlatformConfig::Ecs { cluster, service_name: _ } => {
                visit_cluster(&format!("{key}.platform"), cluster, see);
            }
        }
        for (variable, secret) in secrets {
            match secret {
                SecretRef::File(path) => {
                    see(format!("{key}.secrets.{variable}"), Resource::Path("file", path));
                }
                SecretRef::Environment(_) | SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => {}
            }
        }
    }
}

fn visit_fleet<'m>(key: &str, fleet: &'m FleetConfig, see: &mut dyn FnMut(String, Resource<'m>)) {
    let FleetConfig { kind, docker_socket: _, caches: _, image: _, cpu: _, memory: _, env: _, docker, ecs } =
        fleet;
    let DockerConfig { host, network: _, agent } = docker;
    if *kind == FleetKind::Docker {
        see(format!("{key}.host"), Resource::Engine(host.as_deref()));
    }
    if let Some(path) = agent {
        see(format!("{key}.agent"), Resource::Path("program", path));
    }
    if let Some(EcsConfig { cluster, .. }) = ecs {
        visit_cluster(key, cluster, see);
    }
}

fn visit_cluster<'m>(key: &str, cluster: &'m EcsCluster, see: &mut dyn FnMut(String, Resource<'m>)) {
    let EcsCluster { name: _, region: _, endpoint } = cluster;
    if let Some(url) = endpoint {
        see(format!("{key}.endpoint"), Resource::Endpoint(url));
    }
}

/// The default service directory of a tenant.
fn default_path(directory: &Path, tenant: &str) -> PathBuf {
    directory.join(".katkit").join("platform").join(tenant)
}

/// The resource behind a repository URL, by the same rules that accepted the URL.
fn repository(url: &str) -> Resource<'_> {
    match url.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => Resource::Repository(url),
        Some((scheme, rest)) => Resource::Host(scheme, rest.split('/').next().unwrap_or_default()),
        None => match url.split_once(':').filter(|(host, _)| !host.contains('/')) {
            // Brackets hold an address with colons or a port: only ssh knows where the host ends.
            Some(_) if url.contains(['[', ']']) => Resource::Host("ssh", url),
            Some((host, _)) => Resource::Host("ssh", host),
            None => Resource::Repository(url),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{CacheConfig, one_file};

    fn manifest(text: &str) -> Manifest {
        one_file::loaded(&format!("version = 1\n{text}")).manifest
    }

    const BASE: &str = r#"
        [state]
        path = "/srv/state.db"
        [repos]
        shop = { url = "https://git.example/acme/shop.git" }
        tools = { url = "git@git.example:acme/tools.git" }
        here = { url = "/srv/here" }
        [fleets]
        local = { kind = "process" }
        builders = { kind = "docker", host = "tcp://builders:2375", agent = "/opt/katkit" }
        [tenants.dev]
        fleet = "local"
        platform = { kind = "ecs", cluster = "dev", endpoint = "https://ecs.example" }
        secrets = { KEY = "file:/run/key" }
    "#;

    /// The new resources of the base with these replacements.
    fn reaches(changes: &[(&str, &str)]) -> Vec<String> {
        let mut text = BASE.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let reached = bounded(&manifest(&text), &manifest(BASE)).err().unwrap_or_default();
        reached.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_proposal_reaches_nothing_that_its_base_does_not_name() {
        for (from, to, expected) in [
            (
                "https://git.example/acme/shop",
                "https://other.example/acme/shop",
                "repos.shop.url: the host `https://other.example`",
            ),
            ("https://git.example", "http://git.example", "repos.shop.url: the host `http://git.example`"),
            ("git@git.example", "root@git.example", "repos.tools.url: the host `root@git.example`"),
            (
                "git@git.example:acme/tools",
                "git@[::1]:acme/tools",
                "repos.tools.url: the host `git@[::1]:acme/tools.git`",
            ),
            ("/srv/here", "/srv/there", "repos.here.url: the repository `/srv/there` on this machine"),
            ("/srv/here", "file:///srv", "repos.here.url: the repository `file:///srv` on this machine"),
            (
                "tcp://builders:2375",
                "unix:///run/docker.sock",
                "fleets.builders.host: the Docker Engine `unix:///run/docker.sock`",
            ),
            ("/opt/katkit", "/tmp/katkit", "fleets.builders.agent: the program `/tmp/katkit`"),
            (
                "https://ecs.example",
                "https://elsewhere.example",
                "tenants.dev.platform.endpoint: the endpoint `https://elsewhere.example`",
            ),
            ("/run/key", "/etc/shadow", "tenants.dev.secrets.KEY: the file `/etc/shadow`"),
        ] {
            assert_eq!(reaches(&[(from, to)]), [expected], "{from} → {to}");
        }
    }

    #[test]
    fn another_repository_on_a_known_host_and_a_new_tenant_are_allowed() {
        assert!(reaches(&[("acme/shop", "acme/cart"), ("acme/tools", "acme/gear")]).is_empty());
        assert!(reaches(&[("[tenants.dev]", "[tenants.new]\nfleet = \"local\"\n[tenants.dev]")]).is_empty());
        assert!(
            reaches(&[(
                "kind = \"ecs\", cluster = \"dev\", endpoint = \"https://ecs.example\"",
                "kind = \"ecs\", cluster = \"prod\""
            )])
            .is_empty()
        );
    }

    #[test]
    fn a_service_directory_is_the_default_or_a_known_one() {
        let platform = r#"platform = { kind = "ecs", cluster = "dev", endpoint = "https://ecs.example" }"#;
        let new = "tenants.dev.platform.path: the directory `/home/ana`";
        assert_eq!(reaches(&[(platform, r#"platform = { kind = "file", path = "/home/ana" }"#)]), [new]);
        assert!(reaches(&[(platform, r#"platform = { kind = "file" }"#)]).is_empty());
        let new = "tenants.dev.platform.host: this machine's Docker Engine";
        assert_eq!(reaches(&[(platform, r#"platform = { kind = "docker" }"#)]), [new]);
    }

    #[test]
    fn storage_settings_come_from_the_base() {
        let proposal = BASE.replace("/srv/state.db", "/home/ana/other.db") + "\n[cache]\npath = \"/c\"\n";
        let Bounded { manifest: bounded, ignored } = bounded(&manifest(&proposal), &manifest(BASE)).unwrap();
        assert_eq!(ignored, ["[state]", "[cache]"]);
        assert_eq!(bounded.state, manifest(BASE).state);
        assert_eq!(bounded.cache, CacheConfig::Users);
    }
}
