//! What a proposed manifest may reach: no more than the manifest that it is to replace.
//!
//! Whoever plans a pull request does so with their own credentials and on their own machine. So where things are kept
//! comes from the manifest as it was before, and of places beyond that (hosts, Docker Engines, endpoints, paths) a proposal
//! may only use those that the manifest before it names as well.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::model::{
    DockerConfig, EcsCluster, EcsConfig, FleetConfig, FleetKind, Manifest, PlatformConfig, Repo, SecretRef,
    Tenant,
};

/// A proposed manifest that reaches nothing new.
#[derive(Debug)]
pub struct Bounded {
    /// The proposal, with the places of the manifest before it.
    pub manifest: Manifest,
    /// The tables whose changes have no effect before the proposal is accepted.
    pub ignored: Vec<&'static str>,
}

/// Something that a proposed manifest reaches for and the one before it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The key that names it.
    pub key: String,
    /// What it names.
    pub what: String,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Everything beyond the manifest itself that it names.
#[derive(Debug, Default)]
struct Named<'m> {
    /// Scheme, and user, host and port of repositories.
    hosts: BTreeSet<(&'m str, &'m str)>,
    /// Repositories on this machine.
    repositories: BTreeSet<&'m str>,
    /// Docker Engines; `None`: that of the environment.
    engines: BTreeSet<Option<&'m str>>,
    /// Where services of AWS are that are not AWS's own.
    endpoints: BTreeSet<&'m str>,
    /// Directories of services, programs that are put into containers, and secrets.
    paths: BTreeSet<&'m Path>,
}

/// Takes the places where things are kept from `base`, and refuses what `proposal` reaches beyond it.
pub fn bounded(proposal: &Manifest, base: &Manifest) -> Result<Bounded, Vec<Reach>> {
    let mut named = Named::default();
    visit(base, &mut |_, place| named.insert(place));
    let mut beyond = Vec::new();
    visit(proposal, &mut |key, place| {
        if !named.allows(place) {
            beyond.push(Reach { key, what: place.to_string() });
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

/// A place that a manifest names.
#[derive(Clone, Copy, Debug)]
enum Place<'m> {
    Host(&'m str, &'m str),
    Repository(&'m str),
    Engine(Option<&'m str>),
    Endpoint(&'m str),
    Path(&'static str, &'m Path),
}

impl fmt::Display for Place<'_> {
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
    fn insert(&mut self, place: Place<'m>) {
        match place {
            Place::Host(scheme, host) => drop(self.hosts.insert((scheme, host))),
            Place::Repository(path) => drop(self.repositories.insert(path)),
            Place::Engine(host) => drop(self.engines.insert(host)),
            Place::Endpoint(url) => drop(self.endpoints.insert(url)),
            Place::Path(_, path) => drop(self.paths.insert(path)),
        }
    }

    fn allows(&self, place: Place<'_>) -> bool {
        match place {
            Place::Host(scheme, host) => self.hosts.contains(&(scheme, host)),
            Place::Repository(path) => self.repositories.contains(path),
            Place::Engine(host) => self.engines.contains(&host),
            Place::Endpoint(url) => self.endpoints.contains(url),
            Place::Path(_, path) => self.paths.contains(path),
        }
    }
}

/// Shows `see` every place beyond the manifest, with the key that names it. `[state]`, `[blobs]` and `[cache]` are left out:
/// they are taken from the manifest before, whatever a proposal says.
fn visit<'m>(manifest: &'m Manifest, see: &mut dyn FnMut(String, Place<'m>)) {
    let Manifest {
        directory,
        state: _,
        blobs: _,
        cache: _,
        repos,
        workflows: _,
        fleets,
        tenants,
        // Names of this very record, which a plan changes nothing of.
        moved: _,
        digest: _,
    } = manifest;
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
            variables: _,
            secrets,
            links: _,
        } = tenant;
        let key = format!("tenants.{name}");
        match platform {
            PlatformConfig::File { path } if *path == usual(directory, name.as_str()) => {}
            PlatformConfig::File { path } => {
                see(format!("{key}.platform.path"), Place::Path("directory", path));
            }
            PlatformConfig::Docker { host, network: _, settle: _ } => {
                see(format!("{key}.platform.host"), Place::Engine(host.as_deref()));
            }
            PlatformConfig::Ecs { cluster, service_name: _ } => {
                visit_cluster(&format!("{key}.platform"), cluster, see);
            }
        }
        for (variable, secret) in secrets {
            match secret {
                SecretRef::File(path) => {
                    see(format!("{key}.secrets.{variable}"), Place::Path("file", path));
                }
                SecretRef::Environment(_) | SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => {}
            }
        }
    }
}

fn visit_fleet<'m>(key: &str, fleet: &'m FleetConfig, see: &mut dyn FnMut(String, Place<'m>)) {
    let FleetConfig { kind, docker_socket: _, caches: _, image: _, cpu: _, memory: _, env: _, docker, ecs } =
        fleet;
    let DockerConfig { host, network: _, agent } = docker;
    if *kind == FleetKind::Docker {
        see(format!("{key}.host"), Place::Engine(host.as_deref()));
    }
    if let Some(path) = agent {
        see(format!("{key}.agent"), Place::Path("program", path));
    }
    if let Some(EcsConfig { cluster, .. }) = ecs {
        visit_cluster(key, cluster, see);
    }
}

fn visit_cluster<'m>(key: &str, cluster: &'m EcsCluster, see: &mut dyn FnMut(String, Place<'m>)) {
    let EcsCluster { name: _, region: _, endpoint } = cluster;
    if let Some(url) = endpoint {
        see(format!("{key}.endpoint"), Place::Endpoint(url));
    }
}

/// Where the services of a tenant are whose manifest does not say.
fn usual(directory: &Path, tenant: &str) -> PathBuf {
    directory.join(".katkit").join("platform").join(tenant)
}

/// Where a repository is, by the rules by which the manifest took it for one.
fn repository(url: &str) -> Place<'_> {
    match url.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => Place::Repository(url),
        Some((scheme, rest)) => Place::Host(scheme, rest.split('/').next().unwrap_or_default()),
        None => match url.split_once(':').filter(|(host, _)| !host.contains('/')) {
            // Brackets hold an address with colons or a port: where the host ends is for ssh to say.
            Some(_) if url.contains(['[', ']']) => Place::Host("ssh", url),
            Some((host, _)) => Place::Host("ssh", host),
            None => Place::Repository(url),
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

    /// What a manifest with these lines in place of some of the base reaches for.
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
    fn a_proposal_reaches_nothing_that_the_manifest_before_it_does_not_name() {
        for (from, to, said) in [
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
            assert_eq!(reaches(&[(from, to)]), [said], "{from} → {to}");
        }
    }

    #[test]
    fn another_repository_on_a_known_host_and_a_new_tenant_are_planned() {
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
    fn a_directory_of_services_is_the_usual_one_or_a_known_one() {
        let platform = r#"platform = { kind = "ecs", cluster = "dev", endpoint = "https://ecs.example" }"#;
        let said = "tenants.dev.platform.path: the directory `/home/ana`";
        assert_eq!(reaches(&[(platform, r#"platform = { kind = "file", path = "/home/ana" }"#)]), [said]);
        assert!(reaches(&[(platform, r#"platform = { kind = "file" }"#)]).is_empty());
        let said = "tenants.dev.platform.host: this machine's Docker Engine";
        assert_eq!(reaches(&[(platform, r#"platform = { kind = "docker" }"#)]), [said]);
    }

    #[test]
    fn where_things_are_kept_is_said_by_the_manifest_before() {
        let proposal = BASE.replace("/srv/state.db", "/home/ana/other.db") + "\n[cache]\npath = \"/c\"\n";
        let Bounded { manifest: bounded, ignored } = bounded(&manifest(&proposal), &manifest(BASE)).unwrap();
        assert_eq!(ignored, ["[state]", "[cache]"]);
        assert_eq!(bounded.state, manifest(BASE).state);
        assert_eq!(bounded.cache, CacheConfig::Users);
    }
}
