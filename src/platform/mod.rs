//! Platforms run the deployed services.
//!
//! A platform reports what is running and rolls services to other images. It never decides what should run, and never
//! changes anything but images.
//!
//! Every service or file belongs to one link. What a link deployed carries its mark (a tag, a label, a file beside it),
//! and a platform neither shows nor changes anything with another link's mark. Anything without a mark was created by
//! hand, and katkit takes it over. A renamed link recognizes its old marks and deploys under the new one.

#[cfg(feature = "docker")]
pub mod docker;
#[cfg(feature = "aws")]
pub mod ecs;
mod file;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

#[cfg(feature = "docker")]
pub use docker::DockerPlatform;
#[cfg(feature = "aws")]
pub use ecs::EcsPlatform;
pub use file::{FilePlatform, ReadImages};

use crate::domain::{Check, DeployOutcome, DeploymentName, FormerName, Images, LinkId, Strategy, Token};
use crate::hints;

/// A hundred years: the most that is added to an instant, since [`Upgrade::timeout`] may be any number of seconds, and
/// adding too many panics.
#[cfg(any(feature = "aws", feature = "docker"))]
const LONGEST_TIMEOUT: Duration = Duration::from_hours(100 * 365 * 24);

/// A link to observe.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// Link whose services are observed.
    pub link: &'a LinkId,
    /// Former names of the link; their marks count as its own.
    pub formerly: &'a [FormerName],
    /// Known roles of the link: those deployed before, plus those of the description at the wanted commit once that was
    /// read. Platforms that store whole descriptions need none.
    pub roles: Vec<&'a str>,
    /// Current or wanted image of each role, if known: its repository identifies the role's container.
    pub images: Cow<'a, Images>,
    /// Revision that katkit deployed last: if it still runs, nothing more is read.
    pub known: Option<&'a str>,
}

/// What a link is running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Exactly the revision known to the caller.
    AsKnown,
    /// Nothing has been deployed yet.
    Absent,
    /// Something is running.
    Running(Running),
}

/// The details of what is running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Platform identifier of this state. An equal identifier means nothing changed.
    pub revision: String,
    /// Image of every role.
    pub images: Images,
    /// Deployed service description, if the platform stores it.
    pub description: Option<String>,
    /// One sentence for each thing that a deployment unexpectedly leaves unchanged.
    pub left: Vec<String>,
}

/// A deployment to perform.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Idempotency token: issuing it twice is harmless.
    pub token: Token,
    /// Link to deploy.
    pub link: LinkId,
    /// Former names of the link; their marks count as its own.
    pub formerly: Vec<FormerName>,
    /// New image of every role to roll, in file order.
    pub images: Vec<(String, String)>,
    /// Complete new service description.
    pub description: String,
    /// Revision under which exactly these images ran before, if one is recorded.
    pub known: Option<String>,
    /// Roll the roles one after the other, or all together.
    pub strategy: Strategy,
    /// Time until the deployment counts as stuck.
    pub timeout: Duration,
}

/// A recorded deployment whose process died.
#[derive(Clone, Copy, Debug)]
pub struct InFlight<'a> {
    /// Token of the original [`Upgrade`].
    pub token: &'a Token,
    /// Link that is deployed.
    pub link: &'a LinkId,
    /// Former names of the link; their marks count as its own.
    pub formerly: &'a [FormerName],
    /// Image of every rolled role.
    pub images: &'a Images,
    /// Time of its intent, by the dead process's clock: nothing much older belongs to this deployment.
    pub started: Timestamp,
    /// Return value of [`Platform::upgrade`], if recorded.
    pub issued: Option<&'a DeploymentName>,
    /// Time until the deployment counts as stuck.
    pub timeout: Duration,
}

/// The end of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollEnd {
    /// Outcome of the deployment.
    pub outcome: DeployOutcome,
    /// Platform identifier of what is running now.
    pub revision: String,
}

/// Why a platform operation failed.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The deployed state cannot be parsed.
    #[error("the deployment of `{link}` at {place} cannot be read: {what}")]
    Unreadable {
        /// Link it belongs to.
        link: LinkId,
        /// File or service.
        place: String,
        /// Description of the problem.
        what: String,
        /// What the user can do about it.
        hint: Option<&'static str>,
    },
    /// katkit cannot roll what is there.
    #[error("`{link}`: {what}")]
    Unfit {
        /// Link it belongs to.
        link: LinkId,
        /// Description of the problem.
        what: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// Another link deploys there; its deployment is never overwritten.
    #[error("{place} belongs to `{by}`, so `{link}` is not deployed there")]
    Taken {
        /// Link that was to be deployed.
        link: LinkId,
        /// Service or file.
        place: String,
        /// Link whose mark it carries.
        by: String,
        /// What the user can do about it.
        hint: String,
    },
    /// The platform did not answer or could not be read. The request may have taken effect all the same.
    #[error("{place} could not be {action}")]
    Unavailable {
        /// File, cluster or host.
        place: String,
        /// Failed action, such as `read` or `written`.
        action: &'static str,
        /// Underlying error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The deploying process lost its lease; the new holder finishes the work.
    #[error("another process has taken over `{link}`")]
    Overtaken {
        /// Link that was taken over.
        link: LinkId,
    },
    /// The platform refused the request and did nothing.
    #[error("{place} could not be {action}")]
    Refused {
        /// File, cluster or host.
        place: String,
        /// Failed action, such as `read` or `written`.
        action: &'static str,
        /// Underlying error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl PlatformError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Overtaken { .. } => None,
            Self::Unreadable { hint, .. } => hint.map(str::to_owned),
            Self::Unfit { hint, .. } => hint.clone(),
            Self::Taken { hint, .. } => Some(hint.clone()),
            Self::Unavailable { source, .. } | Self::Refused { source, .. } => hints::of(&**source),
        }
    }
}

/// Whether the mark names this link, by its current or a former name.
fn is_own(mark: &str, link: &LinkId, formerly: &[FormerName]) -> bool {
    mark == link.to_string() || FormerName::names(formerly).any(|former| mark == former.to_string())
}

/// Confirms the right to deploy. A deployment takes minutes, and its process may be suspended while its lease expires,
/// so this is called right before every change.
#[async_trait]
pub trait FencingCheck: fmt::Debug + Send + Sync {
    /// Fails with [`PlatformError::Overtaken`], or with [`PlatformError::Unavailable`] if the lease cannot be checked.
    /// A success is fresh when this returns: nobody else can hold the lease for the next few seconds.
    async fn check(&self) -> Result<(), PlatformError>;
}

/// Always succeeds: for deployments without a record, and so without a lease to lose.
#[derive(Clone, Copy, Debug)]
pub struct NoFencing;

#[async_trait]
impl FencingCheck for NoFencing {
    async fn check(&self) -> Result<(), PlatformError> {
        Ok(())
    }
}

/// Reports what is running and rolls services to other images.
#[async_trait]
pub trait Platform: fmt::Debug + Send + Sync {
    /// What each target is running, in the order of `targets`. An error for one target does not affect the others.
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>>;

    /// Starts a deployment and returns the platform's name for it. Issues it only once per token. Calls `fencing` last
    /// before the first change, which then takes effect within a lease's duration or not at all.
    async fn upgrade(
        &self,
        upgrade: &Upgrade,
        fencing: &dyn FencingCheck,
    ) -> Result<DeploymentName, PlatformError>;

    /// Whether a deployment in progress completes even if no process is watching it.
    fn goes_on_alone(&self) -> bool;

    /// How long a change may still take effect after its sender died or gave up. Zero if it takes effect at once.
    fn lands_within(&self) -> Duration {
        Duration::ZERO
    }

    /// Performs the remaining steps of *this* deployment under `fencing`, and waits for its end.
    async fn watch(
        &self,
        upgrade: &Upgrade,
        deployment: &DeploymentName,
        fencing: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError>;

    /// Waits for the end of a deployment whose process died. `None` if it never took effect, or only in part, and will
    /// not progress on its own: issuing it again is then harmless.
    async fn resume(
        &self,
        left: InFlight<'_>,
        fencing: &dyn FencingCheck,
    ) -> Result<Option<RollEnd>, PlatformError>;

    /// Checks whether a target could be rolled, without rolling it. Changes nothing.
    async fn verify(&self, target: &Target<'_>) -> Vec<Check>;
    /// Checks that an image, running or wanted, is in its registry; `None` if the platform queries no registry. Changes
    /// nothing.
    async fn verify_image(&self, _image: &str) -> Option<Check> {
        None
    }
}
