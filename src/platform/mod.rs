//! Where the deployed services live.
//!
//! A platform says what runs, and rolls services to other images. What it does not do: decide what should run, or
//! change anything but images.

mod file;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

pub use file::{FilePlatform, ReadImages};

use crate::domain::{DeployOutcome, LinkId, Strategy, Token};

/// What to observe.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Which link.
    pub link: &'a LinkId,
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
    pub images: BTreeMap<String, String>,
    /// The service description that was deployed, where the platform keeps it.
    pub description: Option<String>,
}

/// What to roll.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Makes issuing it twice harmless.
    pub token: Token,
    /// Which link.
    pub link: LinkId,
    /// The new image of every role that is rolled, in the file's order.
    pub images: Vec<(String, String)>,
    /// The whole new service description.
    pub description: String,
    /// One role after the other, or together.
    pub strategy: Strategy,
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
    },
    /// The platform cannot be reached, read or written.
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
}

/// A platform.
#[async_trait]
pub trait Platform: fmt::Debug + Send + Sync {
    /// What runs for each target, in the given order. One target's trouble is not the others'.
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>>;

    /// Begins to roll; returns the platform's name of this deployment. The same token issues it once.
    async fn upgrade(&self, upgrade: &Upgrade) -> Result<String, PlatformError>;

    /// Waits for the end of *this* deployment.
    async fn watch(&self, upgrade: &Upgrade, deployment: &str) -> Result<Ended, PlatformError>;
}
