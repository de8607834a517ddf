//! Decides what must change. Never changes it.
//!
//! A plan is the difference between what the manifest asks for and what was last observed, with a reason for every
//! step it takes and every step it holds back. It leaves nothing to choose later: the steps of a link carry all that
//! their execution needs, down to the new text of the service description.
//!
//! Equal inputs give equal plans, and planning again after a plan was applied gives no steps. The time is an input, but
//! the plan depends on it only through the gate for deployments ([`gate()`]), which the policies close.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod approvals;
mod arrival;
mod artifacts;
mod claim;
mod compare;
mod contained;
mod debt;
mod deploy;
mod draft;
mod gate;
mod hold;
mod hold_reason;
mod hold_words;
mod input;
mod link;
mod moved;
mod pinning;
mod quarantine;
mod recover;
mod rejection;
mod requests;
mod review;
mod run_planning;
mod step;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::domain::LinkId;

pub use approvals::{ApprovalBasis, Lacking};
pub use arrival::{Arrival, Goal, arrival, is_repair, lasting, obstacle};
pub use artifacts::without_artifacts;
pub use compare::difference;
pub use contained::{Contained, PathChanges, WatchComparison, Watching, watching};
pub use debt::{Debt, debt, unreviewed_in};
pub use gate::{ClosedGate, Gates, PendingDeployment, gate, is_overridden};
pub use hold::{Hold, HoldScope};
pub use hold_reason::HoldReason;
pub use input::{
    CommitFacts, ForeignRollback, Holder, InPipeline, LinkInput, Observed, OrphanedService, PlanInput,
    PlannedTest, Problem, Taint,
};
pub use link::{needs_commit, needs_what_runs};
pub use moved::{Renamed, relocate, renames};
pub use pinning::{RegistryAnswers, deploys_next, images_to_deploy, judge, pinning};
pub use quarantine::{rejected, tainted_by};
pub use rejection::{Rejection, rejections};
pub use step::{CommitLine, DeployStep, ImageChange, LinkPlan, Plan, Step, StepReason};

/// What holds the tip of the branch until someone acts, at each link where tests of pull requests wait for it. One of
/// them may be the fix.
pub fn held_tips(input: &PlanInput<'_>) -> BTreeMap<LinkId, Hold> {
    let waits = |link: &&LinkInput| {
        let is_testing = link.pipeline.as_ref().is_some_and(|pipeline| pipeline.is_testing);
        is_testing
            && link.test.is_none()
            && link.held_tip.is_none()
            && link.requested_tests().next().is_some()
    };
    let waiting: Vec<_> = input.links.iter().filter(waits).collect();
    if waiting.is_empty() {
        return BTreeMap::new();
    }
    let planned = plan(input);
    let hold = |link: &LinkInput| {
        let planned = planned.links.iter().find(|planned| planned.link == link.id)?;
        lasting(planned).filter(|_| planned.steps.is_empty())
    };
    waiting.into_iter().filter_map(|link| Some((link.id.clone(), hold(link)?))).collect()
}

/// Decides what must happen so that every link runs the commit that the manifest wants.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let claims = claim::Claims::of(input);
    let links = input.links.iter().map(|link| (&link.id, link.head.settled_upgrades()));
    let gates = Gates::at(input.manifest, &input.consents, links, (input.now, input.unattended));
    let mut links = Vec::new();
    let mut up_to_date = 0;
    for link in &input.links {
        let planned = link::plan_link(input, link, &claims, &gates);
        if matches!(link.renamed.as_deref(), Some(Renamed::To(_))) && planned.is_empty() {
            // The plan of its new name covers it.
        } else if planned.is_empty() {
            up_to_date += 1;
        } else {
            let concern = input.manifest.fingerprint(&planned.link);
            links.push(LinkPlan { concern, ..planned });
        }
    }
    let sweeps = input.orphans.iter().filter(|orphan| !orphan.is_owned(&input.links)).cloned().collect();
    let (manifest, refresh_only) = (input.manifest.digest.clone(), input.refresh_only);
    Plan { version: Plan::VERSION, manifest, refresh_only, links, sweeps, up_to_date }
}
