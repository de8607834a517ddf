//! The phases that are running according to the record.

use jiff::Timestamp;

use crate::domain::{Head, LinkId, PhaseName, PhaseStatus};

/// A running phase of a link, or its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivePhase {
    /// The link.
    pub link: LinkId,
    /// The phase.
    pub name: PhaseName,
    /// Whether it is the deployment.
    pub is_deployment: bool,
    /// When its attempt or deployment was intended.
    pub started: Timestamp,
}

impl ActivePhase {
    /// The phases of a link that began and have not ended, whether or not a process is working on them.
    pub fn of<'a>(link: &'a LinkId, head: &'a Head) -> impl Iterator<Item = Self> + 'a {
        let phases = head.open_run().into_iter().flat_map(|run| &run.phases);
        let running = phases.filter(|phase| phase.status == PhaseStatus::Running);
        running.filter_map(|phase| {
            let (link, name, is_deployment) = (link.clone(), phase.name.clone(), phase.deployment);
            Some(Self { link, name, is_deployment, started: phase.began()? })
        })
    }
}
