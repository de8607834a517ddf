//! Where the deployed services live.
//!
//! A platform says what runs, and rolls services to other images. What it does not do: decide what should run, or
//! change anything but images.
//!
//! Every place belongs to one link. What a link deployed bears its mark (a tag, a label, a file beside it), and a platform
//! neither shows nor changes what bears the mark of another. A place without a mark was made by people, and katkit takes it over. A
//! renamed link recognizes its old marks, and deploys under the new one.

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

use crate::domain::{Check, DeployOutcome, FormerName, Images, LinkId, Strategy, Token};
use crate::hints;

/// What to observe.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// Which link.
    pub link: &'a LinkId,
    /// The names that it had before: their marks are its own.
    pub formerly: &'a [FormerName],
    /// The roles whose services are the link's, as far as is known: those that were deployed, and those of the description
    /// at the wanted commit once that was read. Platforms that keep whole descriptions need none.
    pub roles: Vec<&'a str>,
    /// The image that a role has or is to have, where that is known: its repository tells which container is the role's.
    pub images: Cow<'a, Images>,
    /// The revision that katkit deployed last: where it still runs, nothing more is read.
    pub known: Option<&'a str>,
}

/// What runs for a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Exactly the revision that the caller knew.
    AsKnown,
    /// Nothing was ever deployed.
    Absent,
    /// Something runs.
    Running(Running),
}

/// What runs, in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The platform's name of this state of affairs. The same name means that nothing changed.
    pub revision: String,
    /// The image of every role.
    pub images: Images,
    /// The service description that was deployed, where the platform keeps it.
    pub description: Option<String>,
    /// What a deployment leaves as it is though one could expect otherwise, a sentence each.
    pub left: Vec<String>,
}

/// What to roll.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Makes issuing it twice harmless.
    pub token: Token,
    /// Which link.
    pub link: LinkId,
    /// The names that it had before: their marks are its own.
    pub formerly: Vec<FormerName>,
    /// The new image of every role that is rolled, in the file's order.
    pub images: Vec<(String, String)>,
    /// The whole new service description.
    pub description: String,
    /// The revision under which exactly these images ran before, if there is one on record.
    pub known: Option<String>,
    /// One role after the other, or together.
    pub strategy: Strategy,
    /// Seconds until it is given up as stuck.
    pub timeout: u64,
}

/// A deployment whose process died, as it is on record.
#[derive(Clone, Copy, Debug)]
pub struct InFlight<'a> {
    /// The same token.
    pub token: &'a Token,
    /// Which link.
    pub link: &'a LinkId,
    /// The names that it had before: their marks are its own.
    pub formerly: &'a [FormerName],
    /// The image of every role that is rolled.
    pub images: &'a Images,
    /// When it was intended, by the clock of the process that died: nothing that is much older is of this deployment.
    pub started: Timestamp,
    /// What [`Platform::upgrade`] returned, if that is on record.
    pub issued: Option<&'a str>,
    /// Seconds until it is given up as stuck.
    pub timeout: u64,
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: DeployOutcome,
    /// The platform's name of what runs now.
    pub revision: String,
}

/// Why a platform did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// What is there cannot be understood.
    #[error("what is deployed for `{link}` at {place} cannot be read: {what}")]
    Unreadable {
        /// Whose.
        link: LinkId,
        /// Where.
        place: String,
        /// What is wrong with it.
        what: String,
        /// What a person can do about it.
        hint: Option<&'static str>,
    },
    /// What is there cannot be rolled by katkit.
    #[error("`{link}`: {what}")]
    Unfit {
        /// Whose.
        link: LinkId,
        /// What is in the way.
        what: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
    /// Another link deploys there, and what it deployed is not written over.
    #[error("{place} belongs to `{by}`, so `{link}` is not deployed there")]
    Taken {
        /// Who is to be deployed.
        link: LinkId,
        /// Service or file.
        place: String,
        /// The link whose mark it bears.
        by: String,
        /// What a person can do about it.
        hint: String,
    },
    /// The platform did not answer, or could not be read: what was asked for may have taken effect all the same.
    #[error("{place} could not be {action}")]
    Unavailable {
        /// File, cluster or host.
        place: String,
        /// `read`, `written`.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whoever deploys lost the right to: the lease is another's, and what is left to do as well.
    #[error("another process has taken `{link}` over")]
    Overtaken {
        /// What.
        link: LinkId,
    },
    /// The platform said no, and did not do it.
    #[error("{place} could not be {action}")]
    Refused {
        /// File, cluster or host.
        place: String,
        /// `read`, `written`.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl PlatformError {
    /// What a person can do about it.
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

/// Whether a mark is a link's own: it names the link, as it is called now or as it was before.
fn is_own(mark: &str, link: &LinkId, formerly: &[FormerName]) -> bool {
    mark == link.to_string() || FormerName::names(formerly).any(|former| mark == former.to_string())
}

/// Whether whoever deploys still may. A deployment goes on for minutes, and its owner may sleep through the loss of its
/// lease: this is asked right before every change.
#[async_trait]
pub trait Mandate: fmt::Debug + Send + Sync {
    /// [`PlatformError::Overtaken`], or [`PlatformError::Unavailable`] where it cannot be found out. The answer is not old
    /// when this returns: nobody else can have taken the lease for some seconds to come.
    async fn check(&self) -> Result<(), PlatformError>;
}

/// The mandate of one who deploys without a record, and so without a lease that could be lost.
#[derive(Clone, Copy, Debug)]
pub struct Unchallenged;

#[async_trait]
impl Mandate for Unchallenged {
    async fn check(&self) -> Result<(), PlatformError> {
        Ok(())
    }
}

/// A platform.
#[async_trait]
pub trait Platform: fmt::Debug + Send + Sync {
    /// What runs for each target, in the given order. One target's trouble is not the others'.
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>>;

    /// Begins to roll; returns the platform's name of this deployment. The same token issues it once. `mandate` is asked
    /// last of all before the first change, which then takes effect within a lease's time or not at all.
    async fn upgrade(&self, upgrade: &Upgrade, mandate: &dyn Mandate) -> Result<String, PlatformError>;

    /// Whether a deployment that was begun goes on to its end though nobody watches it.
    fn goes_on_alone(&self) -> bool;

    /// How long a change may be on its way to the platform whose sender has died, or has given it up. Zero where it takes
    /// effect before its sender can die of anything.
    fn lands_within(&self) -> Duration {
        Duration::ZERO
    }

    /// Does what is left to do of *this* deployment, under `mandate`, and waits for its end.
    async fn watch(
        &self,
        upgrade: &Upgrade,
        deployment: &str,
        mandate: &dyn Mandate,
    ) -> Result<Ended, PlatformError>;

    /// Waits for the end of a deployment whose process died. `None` if it never took effect, or only in part, and will go
    /// no further by itself: then it is harmless to issue it again.
    async fn resume(&self, left: InFlight<'_>, mandate: &dyn Mandate)
    -> Result<Option<Ended>, PlatformError>;

    /// Whether a target could be rolled, as far as that shows without rolling it. Changes nothing.
    async fn verify(&self, target: &Target<'_>) -> Vec<Check>;
    /// Whether an image that services run, or are to run, is in its registry; `None` where no registry is asked. Changes
    /// nothing.
    async fn verify_image(&self, _image: &str) -> Option<Check> {
        None
    }
}
