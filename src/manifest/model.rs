//! A checked manifest: every name resolves and every value is valid.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::moves::Moves;
use super::secret_ref::SecretRef;
use crate::access::Access;
use crate::domain::{
    CommitSha, FleetName, LinkId, LinkName, NameTemplate, PhaseName, PipelineName, Placement, PolicyName,
    RepoName, TenantName, Workflow, WorkflowName,
};
use crate::pipeline::Pipeline;
use crate::policy::Policy;

/// The manifest and its includes, checked and combined.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The directory of the root file. Absolute when the root file's path was.
    pub directory: PathBuf,
    /// The store of the record.
    pub state: StateConfig,
    /// The store of packs, logs and artifacts.
    pub blobs: BlobsConfig,
    /// The directory for repository mirrors and other data that can be rebuilt.
    pub cache: CacheConfig,
    /// The linked repositories.
    pub repos: BTreeMap<RepoName, Repo>,
    /// The workflows defined in the manifest.
    pub workflows: BTreeMap<WorkflowName, Arc<Workflow>>,
    /// Where phases can run.
    pub fleets: BTreeMap<FleetName, FleetConfig>,
    /// The conditions that deployments must meet.
    pub policies: BTreeMap<PolicyName, Arc<Policy>>,
    /// Who people are.
    pub access: Access,
    /// What signs checkpoints; `None` if nothing does.
    pub audit: Option<AuditConfig>,
    /// How commits travel from stage to stage.
    pub pipelines: BTreeMap<PipelineName, Arc<Pipeline>>,
    /// The environments.
    pub tenants: BTreeMap<TenantName, Tenant>,
    /// Renamed tenants and links.
    pub moved: Moves,
    /// Changes with the text of the root file or of any include: 64 hex digits.
    pub digest: String,
}

/// What signs checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// The name of the log and of its key.
    pub origin: String,
    /// The private key: in the environment or in a file.
    pub signing_key: SecretRef,
}

/// The store of the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateConfig {
    /// In a file.
    Sqlite {
        /// Already joined with the manifest's directory.
        path: PathBuf,
        /// How long to wait while another process has the file locked; `None`: the store's default.
        patience: Option<Duration>,
    },
    /// In a table.
    Dynamodb {
        /// Its name.
        table: String,
        /// Its region; `None`: from the environment.
        region: Option<String>,
        /// An endpoint to use instead of AWS's.
        endpoint: Option<String>,
    },
}

/// The store of packs, logs and artifacts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlobsConfig {
    /// In a directory, already joined with the manifest's directory.
    Directory(PathBuf),
    /// In a bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// The prefix of every key; may be empty, and has no slash at either end.
        prefix: String,
        /// Its region; `None`: from the environment.
        region: Option<String>,
        /// An endpoint to use instead of AWS's.
        endpoint: Option<String>,
    },
}

/// The directory for data that can be rebuilt.
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FleetConfig {
    /// Its backend.
    pub kind: FleetKind,
    /// Whether phases get the host's docker socket.
    pub docker_socket: bool,
    /// Paths inside a phase that are kept between the phases of one tenant on the same host.
    pub caches: Vec<String>,
    /// Default builder image of phases.
    pub image: Option<String>,
    /// Default processor time of phases, in thousandths of a core.
    pub cpu: Option<u32>,
    /// Default memory of phases, in MiB.
    pub memory: Option<u32>,
    /// Variables of every container.
    pub env: BTreeMap<String, String>,
    /// Settings for fleets of kind `docker`.
    pub docker: DockerConfig,
    /// Settings for fleets of kind `ecs`, which always have them.
    pub ecs: Option<EcsConfig>,
}

/// Settings of a fleet of containers, in addition to those of every fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DockerConfig {
    /// The engine; `None`: from the environment, or the local one.
    pub host: Option<String>,
    /// The network of phases.
    pub network: Option<String>,
    /// Another build of katkit to copy into containers; already joined with the directory of its manifest file.
    pub agent: Option<PathBuf>,
}

/// Settings of a fleet of ECS tasks, in addition to those of every fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcsConfig {
    /// The cluster that runs its tasks.
    pub cluster: EcsCluster,
    /// The capacity that its tasks use.
    pub capacity: EcsCapacity,
    /// May be empty on EC2.
    pub subnets: Vec<String>,
    /// If empty, tasks get the network's default group.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public address.
    pub assign_public_ip: bool,
    /// The ARN of the role of the agent and of the code.
    pub task_role: Option<String>,
    /// The ARN of the role that ECS itself uses.
    pub execution_role: Option<String>,
    /// The `CloudWatch` log group for the agent's own output.
    pub log_group: Option<String>,
}

/// An ECS cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcsCluster {
    /// Its name or its ARN.
    pub name: String,
    /// Its region; `None`: from the environment.
    pub region: Option<String>,
    /// An endpoint to use instead of AWS's.
    pub endpoint: Option<String>,
}

/// The capacity that ECS tasks run on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EcsCapacity {
    /// Serverless capacity from AWS.
    Fargate,
    /// Instances of the cluster.
    Ec2,
    /// Capacity providers of the cluster.
    Providers(Vec<String>),
}

/// The backend of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Its display name, passed to phases as `ENV`.
    pub environment: String,
    /// The fleet that runs its phases.
    pub fleet: FleetName,
    /// The fleet for phases with `fleet = "build"`; `None`: `fleet`.
    pub build_fleet: Option<FleetName>,
    /// The platform that runs its services.
    pub platform: PlatformConfig,
    /// The tenants that one `apply` works on before this one. Free of cycles.
    pub after: BTreeSet<TenantName>,
    /// Whether `apply` asks for the tenant's name before it changes anything.
    pub protected: bool,
    /// The conditions that its deployments must meet, a key of [`Manifest::policies`].
    pub policy: Option<PolicyName>,
    /// Passed to every phase.
    pub variables: BTreeMap<String, String>,
    /// Passed to every phase by value, and never stored.
    pub secrets: BTreeMap<String, SecretRef>,
    /// The links of this tenant.
    pub links: BTreeMap<LinkName, Link>,
}

impl Tenant {
    /// The fleet that runs phases with this placement.
    pub fn fleet_for(&self, placement: Placement) -> &FleetName {
        match placement {
            Placement::Tenant => &self.fleet,
            Placement::Build => self.build_fleet.as_ref().unwrap_or(&self.fleet),
        }
    }

    /// The ARNs of its secrets in AWS, by name. Only a fleet in AWS reads their values; katkit itself never does.
    pub fn secret_arns(&self) -> BTreeMap<String, String> {
        let arn = |(name, from): (&String, &SecretRef)| Some((name.clone(), from.arn()?.to_owned()));
        self.secrets.iter().filter_map(arn).collect()
    }
}

/// The platform of a tenant's services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlatformConfig {
    /// As files, one service description per link.
    File {
        /// Directory, already joined with the manifest's.
        path: PathBuf,
    },
    /// As containers.
    Docker {
        /// The engine; `None`: from the environment, or the local one.
        host: Option<String>,
        /// The network of newly created containers.
        network: Option<String>,
        /// How long a container without a health check must run before it counts as healthy.
        settle: Duration,
    },
    /// As ECS services.
    Ecs {
        /// The cluster of the services.
        cluster: EcsCluster,
        /// The template for service names, like `{tenant}-{role}`; `None`: the role's name.
        service_name: Option<NameTemplate>,
    },
}

impl PlatformConfig {
    /// Describes where a role of a link is deployed. Links that deploy to the same location get the same text. `None`
    /// if no two links can share a location.
    pub fn place(&self, link: &LinkId, role: &str) -> Option<String> {
        match self {
            Self::File { path } => {
                Some(format!("the file `{}`", path.join(format!("{}.json", link.link)).display()))
            }
            // Containers are identified by tenant, link and role.
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

/// A folder of a repository, linked to a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The repository, a key of [`Manifest::repos`].
    pub repo: RepoName,
    /// The folder, normalized: segments joined by `/`, none of them `.` or `..`; empty for the root.
    pub folder: String,
    /// The workflow; `None`: from the repository's `katkitconfig.js` at the sha, by environment.
    pub workflow: Option<WorkflowName>,
    /// The commit that should run.
    pub want: Wanted,
    /// Folders and files besides the link's folder whose changes matter, normalized like it. `None`: every commit
    /// matters.
    pub watch: Option<Vec<String>>,
    /// Phases to skip.
    pub skip: Vec<PhaseName>,
    /// Passed to the link's phases.
    pub variables: BTreeMap<String, String>,
}

/// The commit that should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This commit.
    Sha(CommitSha),
    /// The tip of this branch, at the time of planning.
    Branch(String),
    /// The commit that a pipeline chooses.
    Pipeline {
        /// A key of [`Manifest::pipelines`]. One of its stages has the link.
        name: PipelineName,
        /// The commit to stay at.
        pin: Option<Pin>,
    },
}

/// The commit that a link of a pipeline stays at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The commit.
    pub sha: CommitSha,
    /// The reason.
    pub why: String,
}

impl Wanted {
    /// The commit, if the manifest names it.
    pub fn sha(&self) -> Option<&CommitSha> {
        match self {
            Self::Sha(sha) => Some(sha),
            Self::Branch(_) | Self::Pipeline { .. } => None,
        }
    }
}

impl Manifest {
    /// Every link, ordered by id.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &Tenant, &Link)> {
        self.tenants.iter().flat_map(|(name, tenant)| {
            tenant.links.iter().map(move |(link, it)| (LinkId::new(name.clone(), link.clone()), tenant, it))
        })
    }

    /// The link with this id, and its tenant.
    pub fn link(&self, id: &LinkId) -> Option<(&Tenant, &Link)> {
        let tenant = self.tenants.get(&id.tenant)?;
        Some((tenant, tenant.links.get(&id.link)?))
    }

    /// The policy that a link's deployments must meet, if there is one.
    pub fn policy_of(&self, link: &LinkId) -> Option<(&PolicyName, &Policy)> {
        let name = self.tenants.get(&link.tenant)?.policy.as_ref()?;
        Some((name, self.policies.get(name)?))
    }

    /// The workflow that the manifest gives a link. `None` if the link is unknown or its commits bring their own
    /// workflow.
    pub fn workflow_of(&self, link: &LinkId) -> Option<&Workflow> {
        let (_, link) = self.link(link)?;
        self.workflows.get(link.workflow.as_ref()?).map(AsRef::as_ref)
    }
}
