//! The events of a journal as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, DigestSource, Event, Handle, ImageDigests, Images, PlanDigest, Token};
use crate::views::json::{ActorJson, AuthorizationJson, StartedTestJson};
use crate::views::{
    DeployOutcomeJson, OutcomeJson, PurposeJson, RequestedJson, RunOutcomeJson, RunPhaseJson, RunReasonJson,
};

/// One event of a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventJson<'a> {
    /// A run of the workflow started for a commit.
    RunStarted {
        /// The id of the new run.
        run: &'a str,
        /// The commit the run is for.
        sha: &'a str,
        /// Why the run started.
        reason: RunReasonJson,
        /// The phases of the run, ascending by order.
        phases: Vec<RunPhaseJson<'a>>,
        /// A digest of the workflow; changes when the workflow does.
        workflow: &'a str,
        /// Who let it through; null if nobody had to: its policy asks nobody, or its commit was live already.
        authorization: Option<AuthorizationJson<'a>>,
        /// The digest of the saved plan the step came from; null if no saved plan was applied.
        saved_plan: Option<&'a str>,
        /// The granted request for a test of a pull request; null if the run is no test.
        test: Option<StartedTestJson<'a>>,
    },
    /// A request was granted.
    Requested {
        /// What was requested.
        #[serde(flatten)]
        asked: RequestedJson<'a>,
        /// The name of the requester.
        from: &'a str,
        /// The requester, and how their identity was verified.
        requester: ActorJson<'a>,
    },
    /// A request was refused for good.
    Refused {
        /// What was requested.
        #[serde(flatten)]
        asked: RequestedJson<'a>,
        /// The name of the requester.
        from: &'a str,
        /// The requester, and how their identity was verified.
        requester: ActorJson<'a>,
        /// Why it was refused.
        reason: &'a str,
    },
    /// A request was withdrawn before it was granted.
    Withdrawn {
        /// What was requested, and why it was withdrawn.
        #[serde(flatten)]
        asked: RequestedJson<'a>,
        /// The name of the requester.
        from: &'a str,
        /// The requester, and how their identity was verified.
        requester: ActorJson<'a>,
        /// The name of the actor who withdrew it.
        withdrawn_by: &'a str,
        /// The actor who withdrew it, and how their identity was verified.
        withdrawer: ActorJson<'a>,
    },
    /// A phase counts as done because the manifest skips it.
    PhaseSkipped {
        /// The skipped phase.
        phase: &'a str,
    },
    /// The manifest no longer skips the phase.
    PhaseRestored {
        /// The phase that was skipped.
        phase: &'a str,
    },
    /// The commit was verified here: a rollback may deploy it.
    Verified {
        /// The run in which every phase succeeded or was skipped by the manifest.
        run: &'a str,
        /// The verified commit.
        sha: &'a str,
        /// The token of the live deployment; null if the workflow deploys nothing.
        deployment: Option<&'a str>,
    },
    /// The lease of a dead process was taken over.
    TakenOver {
        /// A description of the process that held it.
        from: &'a str,
    },
    /// A user revoked the lease of a process that held it.
    Unlocked {
        /// A description of the process that held it.
        from: &'a str,
        /// The reason the user gave; null if none.
        why: Option<&'a str>,
    },
    /// An attempt is about to be launched.
    AttemptIntended {
        /// The phase that will be attempted.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The token of the attempt; makes launching it twice harmless.
        token: &'a str,
        /// The number of replicas.
        replicas: u32,
        /// The name of the fleet it runs in.
        fleet: &'a str,
        /// The digest of the saved plan the step came from; null if no saved plan was applied.
        saved_plan: Option<&'a str>,
    },
    /// The fleet accepted every replica of the attempt.
    AttemptLaunched {
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt.
        attempt: u32,
        /// The fleet's handle of each replica.
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
    /// The attempt's service is gone from the fleet.
    ServiceRemoved {
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt.
        attempt: u32,
    },
    /// The digests of images became known.
    ImagesRecorded {
        /// The phase that built them, or after which they were found; the deployment, if they were found before it.
        phase: &'a str,
        /// Where the digests come from.
        source: DigestSourceJson,
        /// The digest of each image, by its name with the tag.
        #[schemars(with = "BTreeMap<String, String>")]
        images: &'a ImageDigests,
    },
    /// A deployment is about to be issued.
    DeployIntended {
        /// The token of the deployment; makes issuing it twice harmless.
        token: &'a str,
        /// The purpose of the deployment.
        reason: PurposeJson,
        /// The commit that will be deployed.
        sha: &'a str,
        /// The image of every rolled role.
        #[schemars(with = "BTreeMap<String, String>")]
        images: &'a Images,
        /// The commit that it brings and that must not be undone; null if there is none.
        barrier: Option<&'a str>,
        /// Who let it through; null if nobody had to: its policy asks nobody, or its commit was live already.
        authorization: Option<AuthorizationJson<'a>>,
        /// The digest of the saved plan the step came from; null if no saved plan was applied.
        saved_plan: Option<&'a str>,
    },
    /// The platform accepted the deployment.
    DeployIssued {
        /// The token of the deployment.
        token: &'a str,
        /// The platform's id of the deployment.
        deployment: &'a str,
    },
    /// The deployment is over.
    DeployEnded {
        /// The token of the deployment.
        token: &'a str,
        /// How the deployment ended.
        outcome: DeployOutcomeJson,
        /// The platform's id of the running revision; may be empty.
        revision: &'a str,
    },
    /// The run is over.
    RunEnded {
        /// The id of the run.
        run: &'a str,
        /// How the run ended.
        outcome: RunOutcomeJson,
        /// Why katkit itself cancelled it; null otherwise.
        because: Option<&'a str>,
    },
    /// An orphaned service of the link, belonging to no recorded attempt, was removed.
    ServiceSwept {
        /// The name of the fleet it ran in.
        fleet: &'a str,
        /// Its handle in that fleet.
        handle: &'a str,
        /// The token it was launched with.
        token: &'a str,
    },
    /// A running service that katkit did not deploy was adopted.
    Adopted {
        /// The commit in its images.
        sha: &'a str,
        /// The image of every role.
        #[schemars(with = "BTreeMap<String, String>")]
        images: &'a Images,
        /// The platform's id of the running revision.
        revision: &'a str,
    },
    /// A commit must not be deployed here again until a user allows it.
    Quarantined {
        /// The commit that was quarantined.
        sha: &'a str,
        /// The reason.
        why: &'a str,
        /// The commit that is restored; null if none.
        restored: Option<&'a str>,
        /// Whether commits that contain it are quarantined too.
        with_descendants: bool,
    },
    /// The link left the manifest. Running services were left alone.
    Forgotten,
    /// The link was renamed in the manifest: the record of its old name continues here.
    MovedFrom {
        /// The old name of the link.
        from: String,
        /// The SHA-256 of the moved record.
        record: &'a str,
    },
    /// The link was renamed in the manifest: this record continues under the new name.
    MovedTo {
        /// The new name of the link.
        to: String,
        /// The SHA-256 of the moved record.
        record: &'a str,
    },
    /// Blobs of old attempts were removed, and possibly the beginning of the journal.
    Pruned {
        /// Blobs written before this time were removed.
        blobs_before: String,
        /// The commits whose blobs were kept.
        keeps: Vec<&'a str>,
        /// The pruned part of the journal; null if none was pruned.
        history: Option<CutJson<'a>>,
    },
}

/// The pruned part of a journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CutJson<'a> {
    /// The generation of the last pruned event.
    pub through: u64,
    /// The SHA-256 of the pruned events.
    pub record: &'a str,
}

/// Where the digest of an image comes from.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DigestSourceJson {
    /// The phase that built the image listed it.
    Phase,
    /// The image's registry reported it.
    Registry,
}

impl<'a> From<&'a Event> for EventJson<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::RunStarted { run, sha, reason, phases, workflow, test, authorization, saved_plan } => {
                Self::RunStarted {
                    run: run.as_str(),
                    sha: sha.as_str(),
                    reason: reason.into(),
                    phases: phases.iter().map(RunPhaseJson::from).collect(),
                    workflow,
                    authorization: authorization.as_deref().map(AuthorizationJson::from),
                    saved_plan: saved_plan.as_ref().map(PlanDigest::as_str),
                    test: test.as_deref().map(StartedTestJson::from),
                }
            }
            Event::Requested { ask, from, why } => {
                let asked = RequestedJson::of(ask, why.as_deref());
                Self::Requested { asked, from: &from.name, requester: from.into() }
            }
            Event::Refused { ask, from, why, because: reason } => {
                let asked = RequestedJson::of(ask, why.as_deref());
                Self::Refused { asked, from: &from.name, requester: from.into(), reason }
            }
            Event::Withdrawn { ask, from, withdrawn_by, why } => Self::Withdrawn {
                asked: RequestedJson::of(ask, why.as_deref()),
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
                    fleet: fleet.as_str(),
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
            Event::ImagesRecorded { phase, source, images } => Self::ImagesRecorded {
                phase: phase.as_str(),
                source: match source {
                    DigestSource::Phase => DigestSourceJson::Phase,
                    DigestSource::Registry => DigestSourceJson::Registry,
                },
                images,
            },
            Event::DeployIntended { token, purpose, sha, images, barrier, authorization, saved_plan } => {
                Self::DeployIntended {
                    token: token.as_str(),
                    reason: purpose.into(),
                    sha: sha.as_str(),
                    images,
                    barrier: barrier.as_ref().map(CommitSha::as_str),
                    authorization: authorization.as_deref().map(AuthorizationJson::from),
                    saved_plan: saved_plan.as_ref().map(PlanDigest::as_str),
                }
            }
            Event::DeployIssued { token, deployment } => {
                Self::DeployIssued { token: token.as_str(), deployment: deployment.as_str() }
            }
            Event::DeployEnded { token, outcome, revision } => {
                Self::DeployEnded { token: token.as_str(), outcome: outcome.into(), revision }
            }
            Event::RunEnded { run, outcome, because } => {
                Self::RunEnded { run: run.as_str(), outcome: outcome.into(), because: because.as_deref() }
            }
            Event::ServiceSwept { fleet, handle, token } => {
                Self::ServiceSwept { fleet: fleet.as_str(), handle: handle.as_str(), token: token.as_str() }
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
