//! The events of a journal as programs read them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, Event, Handle, Images, PlanDigest, Token};
use crate::views::json::ActorJson;
use crate::views::{
    AskedJson, DeployOutcomeJson, OutcomeJson, PurposeJson, RunOutcomeJson, RunPhaseJson, RunReasonJson,
};

/// One move of a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventJson<'a> {
    /// The link begins to go through its workflow for a commit.
    RunStarted {
        /// The id of the new run.
        run: &'a str,
        /// The commit that the run is for.
        sha: &'a str,
        /// Why the run was started.
        because: RunReasonJson,
        /// Its phases, ascending by order.
        phases: Vec<RunPhaseJson<'a>>,
        /// A digest of the workflow, which changes when the workflow does.
        workflow: &'a str,
        /// The digest of the saved plan that it was a step of; null where none was applied.
        saved_plan: Option<&'a str>,
    },
    /// A request was granted.
    Requested {
        /// What was asked for.
        #[serde(flatten)]
        asked: AskedJson<'a>,
        /// The name of the actor who asked.
        from: &'a str,
        /// The actor who asked, and how their identity was verified.
        requester: ActorJson<'a>,
    },
    /// A request was not granted, and never will be.
    Refused {
        /// What was asked for.
        #[serde(flatten)]
        asked: AskedJson<'a>,
        /// The name of the actor who asked.
        from: &'a str,
        /// The actor who asked, and how their identity was verified.
        requester: ActorJson<'a>,
        /// Why it was not granted.
        because: &'a str,
    },
    /// A request was taken back before it was granted.
    Withdrawn {
        /// What was asked for, and why it was taken back.
        #[serde(flatten)]
        asked: AskedJson<'a>,
        /// The name of the actor who asked.
        from: &'a str,
        /// The actor who asked, and how their identity was verified.
        requester: ActorJson<'a>,
        /// The name of the actor who took it back.
        withdrawn_by: &'a str,
        /// The actor who took it back, and how their identity was verified.
        withdrawer: ActorJson<'a>,
    },
    /// A phase counts as done because the manifest says `skip`.
    PhaseSkipped {
        /// The skipped phase.
        phase: &'a str,
    },
    /// The manifest does not skip the phase any more.
    PhaseRestored {
        /// The phase that was skipped.
        phase: &'a str,
    },
    /// The commit is good here: a rollback may go back to it.
    Verified {
        /// The run that ended with every phase succeeded or skipped by the manifest.
        run: &'a str,
        /// The verified commit.
        sha: &'a str,
        /// The token of the deployment that is live; null where the workflow deploys nothing.
        deployment: Option<&'a str>,
    },
    /// The lease of a process that was gone was taken over.
    TakenOver {
        /// The process that held it, in words.
        from: &'a str,
    },
    /// A person took the lease away from a process that held it.
    Unlocked {
        /// The process that held it, in words.
        from: &'a str,
        /// The reason, in the words of the person.
        why: Option<&'a str>,
    },
    /// An attempt is about to be launched.
    AttemptIntended {
        /// The phase that will be attempted.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The token of the attempt, which makes launching it twice harmless.
        token: &'a str,
        /// How many replicas run.
        replicas: u32,
        /// The name of the fleet that it runs in.
        fleet: &'a str,
        /// The digest of the saved plan that it was a step of; null where none was applied.
        saved_plan: Option<&'a str>,
    },
    /// Every replica of the attempt was accepted by the fleet.
    AttemptLaunched {
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt.
        attempt: u32,
        /// How the fleet finds each replica.
        handles: Vec<&'a str>,
    },
    /// The attempt is over.
    AttemptEnded {
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt.
        attempt: u32,
        /// How the attempt ended.
        outcome: OutcomeJson,
    },
    /// Nothing of the attempt's service is left in the fleet.
    ServiceRemoved {
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt.
        attempt: u32,
    },
    /// A deployment is about to be issued.
    DeployIntended {
        /// The token of the deployment, which makes issuing it twice harmless.
        token: &'a str,
        /// What the deployment is for.
        because: PurposeJson,
        /// The commit that will be deployed.
        sha: &'a str,
        /// The image of every role that is rolled.
        #[schemars(with = "BTreeMap<String, String>")]
        images: &'a Images,
        /// The digest of the saved plan that it was a step of; null where none was applied.
        saved_plan: Option<&'a str>,
    },
    /// The platform accepted the deployment.
    DeployIssued {
        /// The token of the deployment.
        token: &'a str,
        /// The platform's name of the deployment.
        deployment: &'a str,
    },
    /// The deployment is over.
    DeployEnded {
        /// The token of the deployment.
        token: &'a str,
        /// How the deployment ended.
        outcome: DeployOutcomeJson,
        /// The platform's name of what runs now; perhaps empty.
        revision: &'a str,
    },
    /// The run is over.
    RunEnded {
        /// The id of the run.
        run: &'a str,
        /// How the run ended.
        outcome: RunOutcomeJson,
    },
    /// A service of the link that no attempt on record accounts for was removed.
    ServiceSwept {
        /// The name of the fleet that it was in.
        fleet: &'a str,
        /// How that fleet found it.
        handle: &'a str,
        /// The token that it was launched with.
        token: &'a str,
    },
    /// A running service that was not deployed from here was taken as it is.
    Adopted {
        /// The commit in its images.
        sha: &'a str,
        /// The image of every role.
        #[schemars(with = "BTreeMap<String, String>")]
        images: &'a Images,
        /// The platform's name of what runs.
        revision: &'a str,
    },
    /// A commit must not be deployed here again until a person says so.
    Quarantined {
        /// The commit that was quarantined.
        sha: &'a str,
        /// The reason, in words.
        why: &'a str,
        /// The commit that is restored.
        restored: Option<&'a str>,
        /// Whether commits that contain it are held, too.
        with_descendants: bool,
    },
    /// The link left the manifest. What runs was left alone.
    Forgotten,
    /// The link was renamed in the manifest: the record of its old name continues here.
    MovedFrom {
        /// The old name of the link.
        from: String,
        /// The SHA-256 of what was moved.
        record: &'a str,
    },
    /// The link was renamed in the manifest: this record continues under the new name.
    MovedTo {
        /// The new name of the link.
        to: String,
        /// The SHA-256 of what was moved.
        record: &'a str,
    },
    /// What old attempts left was removed, and perhaps the beginning of the journal.
    Pruned {
        /// Blobs that were written before this time were removed.
        blobs_before: String,
        /// The commits whose blobs were kept.
        keeps: Vec<&'a str>,
        /// What was cut off the journal; null: nothing.
        history: Option<CutJson<'a>>,
    },
}

/// What was cut off a journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CutJson<'a> {
    /// The last event that was cut.
    pub through: u64,
    /// The SHA-256 of the events that were cut.
    pub record: &'a str,
}

impl<'a> From<&'a Event> for EventJson<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::RunStarted { run, sha, reason, phases, workflow, saved_plan } => Self::RunStarted {
                run: run.as_str(),
                sha: sha.as_str(),
                because: reason.into(),
                phases: phases.iter().map(RunPhaseJson::from).collect(),
                workflow,
                saved_plan: saved_plan.as_ref().map(PlanDigest::as_str),
            },
            Event::Requested { ask, from, why } => {
                let asked = AskedJson::of(ask, why.as_deref());
                Self::Requested { asked, from: &from.name, requester: from.into() }
            }
            Event::Refused { ask, from, why, because } => {
                let asked = AskedJson::of(ask, why.as_deref());
                Self::Refused { asked, from: &from.name, requester: from.into(), because }
            }
            Event::Withdrawn { ask, from, withdrawn_by, why } => Self::Withdrawn {
                asked: AskedJson::of(ask, why.as_deref()),
                from: &from.name,
                requester: from.into(),
                withdrawn_by: &withdrawn_by.name,
                withdrawer: withdrawn_by.into(),
            },
            Event::PhaseSkipped { phase } => Self::PhaseSkipped { phase: phase.as_str() },
            Event::PhaseRestored { phase } => Self::PhaseRestored { phase: phase.as_str() },
            Event::Verified { run, sha, deployment } => Self::Verified {
                run: run.as_str(),
                sha: sha.as_str(),
                deployment: deployment.as_ref().map(Token::as_str),
            },
            Event::TakenOver { from } => Self::TakenOver { from },
            Event::Unlocked { from, why } => Self::Unlocked { from, why: why.as_deref() },
            Event::AttemptIntended { phase, attempt, token, replicas, fleet, saved_plan } => {
                Self::AttemptIntended {
                    phase: phase.as_str(),
                    attempt: attempt.0,
                    token: token.as_str(),
                    replicas: *replicas,
                    fleet,
                    saved_plan: saved_plan.as_ref().map(PlanDigest::as_str),
                }
            }
            Event::AttemptLaunched { phase, attempt, handles } => Self::AttemptLaunched {
                phase: phase.as_str(),
                attempt: attempt.0,
                handles: handles.iter().map(Handle::as_str).collect(),
            },
            Event::AttemptEnded { phase, attempt, outcome } => {
                Self::AttemptEnded { phase: phase.as_str(), attempt: attempt.0, outcome: outcome.into() }
            }
            Event::ServiceRemoved { phase, attempt } => {
                Self::ServiceRemoved { phase: phase.as_str(), attempt: attempt.0 }
            }
            Event::DeployIntended { token, purpose, sha, images, saved_plan } => Self::DeployIntended {
                token: token.as_str(),
                because: purpose.into(),
                sha: sha.as_str(),
                images,
                saved_plan: saved_plan.as_ref().map(PlanDigest::as_str),
            },
            Event::DeployIssued { token, deployment } => {
                Self::DeployIssued { token: token.as_str(), deployment }
            }
            Event::DeployEnded { token, outcome, revision } => {
                Self::DeployEnded { token: token.as_str(), outcome: outcome.into(), revision }
            }
            Event::RunEnded { run, outcome } => Self::RunEnded { run: run.as_str(), outcome: outcome.into() },
            Event::ServiceSwept { fleet, handle, token } => {
                Self::ServiceSwept { fleet, handle: handle.as_str(), token: token.as_str() }
            }
            Event::Adopted { sha, images, revision } => Self::Adopted { sha: sha.as_str(), images, revision },
            Event::Quarantined { sha, why, good, alone } => {
                let restored = good.as_ref().map(CommitSha::as_str);
                Self::Quarantined { sha: sha.as_str(), why, restored, with_descendants: !alone }
            }
            Event::Forgotten => Self::Forgotten,
            Event::MovedFrom { from, record } => Self::MovedFrom { from: from.to_string(), record },
            Event::MovedTo { to, record } => Self::MovedTo { to: to.to_string(), record },
            Event::Pruned { blobs_before, keeps, history } => Self::Pruned {
                blobs_before: blobs_before.to_string(),
                keeps: keeps.iter().map(CommitSha::as_str).collect(),
                history: history
                    .as_ref()
                    .map(|cut| CutJson { through: cut.through().0, record: &cut.record }),
            },
        }
    }
}
