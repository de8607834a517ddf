//! A manifest that was checked: every name resolves, every value is of its type, nothing is left to doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::moved::Moves;
use crate::domain::{
    CommitSha, FleetName, LinkId, LinkName, NameTemplate, PhaseName, RepoName, TenantName, Workflow,
    WorkflowName,
};

/// What the manifest and its includes ask for.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The directory of the root file. Absolute when the root file's path was.
    pub directory: PathBuf,
    /// Where the record is kept.
    pub state: StateConfig,
    /// Where packs, logs and artifacts are kept.
    pub blobs: BlobsConfig,
    /// Where mirrors of repositories and other things that can be made again are kept.
    pub cache: CacheConfig,
    /// The linked repositories.
    pub repos: BTreeMap<RepoName, Repo>,
    /// The workflows that are kept in the manifest.
    pub workflows: BTreeMap<WorkflowName, Arc<Workflow>>,
    /// Where phases can run.
    pub fleets: BTreeMap<FleetName, FleetConfig>,
    /// The environments.
    pub tenants: BTreeMap<TenantName, Tenant>,
    /// What has another name now.
    pub moved: Moves,
    /// Changes when the text of the root file or of an include does: 64 hex digits.
    pub digest: String,
}

/// Where the record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateConfig {
    /// In a file.
    Sqlite {
        /// Already joined with the manifest's directory.
        path: PathBuf,
        /// How many seconds are waited for another process that has the file locked; `None`: as the store thinks best.
        patience: Option<u64>,
    },
    /// In a table.
    Dynamodb {
        /// Its name.
        table: String,
        /// Its region; `None`: that of the environment.
        region: Option<String>,
        /// Another endpoint than AWS's own.
        endpoint: Option<String>,
    },
}

/// Where packs, logs and artifacts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobsConfig {
    /// In a directory, already joined with the manifest's directory.
    Directory(PathBuf),
    /// In a bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// What every key begins with; perhaps empty, and without a slash at either end.
        prefix: String,
        /// Its region; `None`: that of the environment.
        region: Option<String>,
        /// Another endpoint than AWS's own.
        endpoint: Option<String>,
    },
}

/// Where things are kept that can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheConfig {
    /// In the cache directory of the user who runs katkit.
    Users,
    /// In a directory, already joined with the manifest's directory.
    Directory(PathBuf),
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// As `git` understands it; a relative local path is already joined with the directory of its manifest file.
    pub url: String,
    /// The home branch.
    pub branch: String,
}

/// A fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetConfig {
    /// What it is made of.
    pub kind: FleetKind,
    /// Mount the host's docker socket.
    pub docker_socket: bool,
    /// Paths inside a phase that are kept between the phases of one tenant on the same host.
    pub caches: Vec<String>,
    /// Builder image where a phase names none.
    pub image: Option<String>,
    /// Processor time where a phase names none, in thousandths of a core.
    pub cpu: Option<u32>,
    /// Memory where a phase names none, in MiB.
    pub memory: Option<u32>,
    /// Variables of every container.
    pub env: BTreeMap<String, String>,
    /// What only a fleet of kind `docker` has.
    pub docker: DockerConfig,
    /// What only a fleet of kind `ecs` has, and every one of them.
    pub ecs: Option<EcsConfig>,
}

/// What a fleet of containers is told beside what every fleet is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerConfig {
    /// The engine; `None`: that of the environment, or the local one.
    pub host: Option<String>,
    /// The network of phases.
    pub network: Option<String>,
    /// Another build of katkit to be put into containers; already joined with the directory of its manifest file.
    pub agent: Option<PathBuf>,
}

/// What a fleet of ECS tasks is told beside what every fleet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsConfig {
    /// Where.
    pub cluster: EcsCluster,
    /// On what its tasks run.
    pub capacity: EcsCapacity,
    /// Perhaps none, on EC2.
    pub subnets: Vec<String>,
    /// Perhaps none: that of the network.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public address.
    pub assign_public_ip: bool,
    /// The ARN of the role of the agent and of the code.
    pub task_role: Option<String>,
    /// The ARN of the role in whose name ECS itself acts.
    pub execution_role: Option<String>,
    /// Of the agent's own output.
    pub log_group: Option<String>,
}

/// A cluster of ECS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcsCluster {
    /// Its name or its ARN.
    pub name: String,
    /// Its region; `None`: that of the environment.
    pub region: Option<String>,
    /// Another endpoint than AWS's own.
    pub endpoint: Option<String>,
}

/// On what tasks run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcsCapacity {
    /// Machines of AWS.
    Fargate,
    /// Instances of the cluster.
    Ec2,
    /// Capacity providers of the cluster.
    Providers(Vec<String>),
}

/// What a fleet is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetKind {
    /// Local processes.
    Process,
    /// Containers.
    Docker,
    /// ECS tasks.
    Ecs,
}

/// An environment.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its human name, given to phases as `ENV`.
    pub environment: String,
    /// Where its phases run.
    pub fleet: FleetName,
    /// Where phases run that need not run in the tenant; `None`: in `fleet` as well.
    pub build_fleet: Option<FleetName>,
    /// Where its services live.
    pub platform: PlatformConfig,
    /// The tenants that one `apply` works on before this one. Following them from any tenant comes to an end.
    pub after: BTreeSet<TenantName>,
    /// Whether an `apply` asks for the tenant's name first.
    pub protected: bool,
    /// Given to every phase.
    pub variables: BTreeMap<String, String>,
    /// Given to every phase by value, and kept nowhere.
    pub secrets: BTreeMap<String, SecretRef>,
    /// What is linked to it.
    pub links: BTreeMap<LinkName, Link>,
}

/// Where services live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlatformConfig {
    /// As files, one service description per link.
    File {
        /// Directory, already joined with the manifest's.
        path: PathBuf,
    },
    /// As containers.
    Docker {
        /// The engine; `None`: that of the environment, or the local one.
        host: Option<String>,
        /// The network in which containers are created that do not exist yet.
        network: Option<String>,
        /// Seconds that a container without a health check must run before it counts as healthy.
        settle: u64,
    },
    /// As ECS services.
    Ecs {
        /// Where.
        cluster: EcsCluster,
        /// How services are named after roles, like `{tenant}-{role}`; `None`: as the roles are.
        service_name: Option<NameTemplate>,
    },
}

impl PlatformConfig {
    /// Where a role of a link is deployed, in words that are the same for all links that are deployed there. `None` where no two
    /// links of a manifest can have the same place.
    pub fn place(&self, link: &LinkId, role: &str) -> Option<String> {
        match self {
            Self::File { path } => {
                Some(format!("the file `{}`", path.join(format!("{}.json", link.link)).display()))
            }
            // Containers are known by tenant, link and role.
            Self::Docker { .. } => None,
            Self::Ecs { cluster, service_name } => {
                let EcsCluster { name, region, endpoint } = cluster;
                let service = service_name.clone().unwrap_or_default().service(link, role);
                // `arn:aws:ecs:REGION:ACCOUNT:cluster/NAME`
                let (arn, name) = name.rsplit_once('/').unwrap_or(("", name));
                let region = region.as_deref().or_else(|| arn.split(':').nth(3));
                let region = region.map(|region| format!(" in {region}")).unwrap_or_default();
                let endpoint =
                    endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
                Some(format!("the service `{service}` in the cluster `{name}`{region}{endpoint}"))
            }
        }
    }
}

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: in a variable of katkit's own environment.
    Environment(String),
    /// `file:PATH`: the content of a file without its last line break; already joined with the manifest's directory.
    File(PathBuf),
    /// `arn:aws:secretsmanager:…`
    SecretsManager(String),
    /// `arn:aws:ssm:…`
    ParameterStore(String),
}

impl SecretRef {
    /// Its ARN, where it is kept in AWS.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::SecretsManager(arn) | Self::ParameterStore(arn) => Some(arn),
            Self::Environment(_) | Self::File(_) => None,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SecretsManager(arn) | Self::ParameterStore(arn) => f.write_str(arn),
        }
    }
}

/// A repository, and a folder in it, linked to a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which repository.
    pub repo: RepoName,
    /// The folder, normalized: segments joined by `/`, none of them `.` or `..`; empty for the root.
    pub folder: String,
    /// Which workflow; `None`: the repository's `katkitconfig.js` at the sha, by environment.
    pub workflow: Option<WorkflowName>,
    /// Which commit should run.
    pub want: Want,
    /// Folders and files beside the link's folder whose changes matter, normalized like it. `None`: every commit matters.
    pub watch: Option<Vec<String>>,
    /// Phases that are left out.
    pub skip: Vec<PhaseName>,
    /// Given to the link's phases.
    pub variables: BTreeMap<String, String>,
}

/// Which commit should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// This one.
    Sha(CommitSha),
    /// The tip of this branch, whenever a plan is made.
    Branch(String),
}

impl Want {
    /// The commit, where it is named itself.
    pub fn sha(&self) -> Option<&CommitSha> {
        match self {
            Self::Sha(sha) => Some(sha),
            Self::Branch(_) => None,
        }
    }
}

impl Manifest {
    /// Every link, in the order of the ids.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &Tenant, &Link)> {
        self.tenants.iter().flat_map(|(name, tenant)| {
            tenant.links.iter().map(move |(link, it)| (LinkId::new(name.clone(), link.clone()), tenant, it))
        })
    }

    /// The link of that id, with its tenant.
    pub fn link(&self, id: &LinkId) -> Option<(&Tenant, &Link)> {
        let tenant = self.tenants.get(&id.tenant)?;
        Some((tenant, tenant.links.get(&id.link)?))
    }
}
