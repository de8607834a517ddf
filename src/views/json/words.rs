//! The enumerations of the JSON formats, each converted from a domain type.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    ActorKind, Assurance, DeployOutcome, DeployPurpose, Door, OnFailure, Outcome, PhaseStatus, RequestKind,
    RunOutcome, RunReason, Strategy,
};
use crate::manifest::Severity;
use crate::plan::StepReason;

/// Declares an enumeration of the format with its conversion from the domain type, so that neither can grow alone.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident from $source:ident { $($(#[$each:meta])* $word:ident = $pattern:pat,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$each])* $word,)*
        }

        impl From<&$source> for $name {
            fn from(source: &$source) -> Self {
                match source {
                    $($pattern => Self::$word,)*
                }
            }
        }
    )*};
}

words! {
    /// The kind of an actor.
    ActorKindJson from ActorKind {
        /// A human user.
        Person = ActorKind::Person,
        /// A CI job.
        Job = ActorKind::Job,
        /// An API token.
        Token = ActorKind::Token,
        /// katkit itself.
        System = ActorKind::System,
    }
    /// The interface an actor used.
    DoorJson from Door {
        /// The command line.
        Cli = Door::Cli,
        /// The server's API.
        Api = Door::Api,
        /// The server's web pages.
        Web = Door::Web,
        /// A webhook.
        Webhook = Door::Webhook(_),
        /// A schedule.
        Schedule = Door::Schedule,
    }
    /// How an actor's identity was verified.
    AssuranceJson from Assurance {
        /// Not verified: claimed by the process itself.
        Asserted = Assurance::Asserted,
        /// Verified by AWS, from the signature of a call.
        Aws = Assurance::Aws,
        /// Verified by the issuer of an OIDC token.
        Oidc = Assurance::Oidc,
    }
    /// Why a phase runs.
    StepReasonJson from StepReason {
        /// The phase has not run for this commit.
        NotRunYet = StepReason::NotRunYet,
        /// A retry was requested, or a failed attempt is retried.
        Retry = StepReason::Retry,
        /// The last attempt was lost.
        Lost = StepReason::Lost,
        /// The last attempt was interrupted.
        Interrupted = StepReason::Interrupted,
        /// An attempt in flight is taken over from a dead process.
        InFlight = StepReason::InFlight { attempt: _ },
    }
    /// The purpose of a deployment.
    PurposeJson from DeployPurpose {
        /// The deployment phase of a run.
        Upgrade = DeployPurpose::Upgrade,
        /// Drift: something other than the deployed commit is running.
        Repair = DeployPurpose::Repair,
        /// A rollback to the last verified commit.
        Rollback = DeployPurpose::Rollback,
    }
    /// Why a run starts.
    RunReasonJson from RunReason {
        /// The commit has not run through the workflow here.
        NewSha = RunReason::NewSha,
        /// The workflow runs again for the same commit.
        Retry = RunReason::Retry,
    }
    /// The outcome of a run.
    RunOutcomeJson from RunOutcome {
        /// Every phase succeeded or was skipped.
        Succeeded = RunOutcome::Succeeded,
        /// A phase failed.
        Failed = RunOutcome::Failed,
        /// Cancelled on request.
        Cancelled = RunOutcome::Cancelled,
        /// Another commit became the wanted one.
        Superseded = RunOutcome::Superseded,
    }
    /// The order in which roles are rolled.
    StrategyJson from Strategy {
        /// One after the other.
        Ordered = Strategy::Ordered,
        /// All at once.
        Together = Strategy::Together,
    }
    /// What happens when a phase after the deployment fails.
    OnFailureJson from OnFailure {
        /// The deployed commit stays.
        Hold = OnFailure::Hold,
        /// The last verified commit is deployed again.
        Rollback = OnFailure::Rollback,
    }
    /// The kind of a request.
    RequestKindJson from RequestKind {
        /// Rerun the workflow from a phase onwards.
        Retry = RequestKind::Retry { sha: _, phase: _ },
        /// Count a phase as done.
        Skip = RequestKind::Skip { sha: _, phase: _ },
        /// Count a phase that was skipped on request as success.
        Waive = RequestKind::Waive { sha: _, phase: _ },
        /// Cancel the run in progress.
        Cancel = RequestKind::Cancel { sha: _ },
        /// Deploy a commit that was verified before.
        Rollback = RequestKind::Rollback { from: _, to: _ },
        /// Allow deploying a commit that was rolled back, or that contains a rolled-back commit.
        Release = RequestKind::Release { sha: _ },
        /// Block rollbacks past a commit.
        Pin = RequestKind::Pin { sha: _ },
        /// Unblock rollbacks past a commit.
        Unpin = RequestKind::Unpin { sha: _ },
        /// Run a commit next, whichever one the pipeline would choose.
        Promote = RequestKind::Promote { sha: _ },
        /// Test the head of a pull request, merged into the branch.
        Test = RequestKind::Test { sha: _ },
        /// Withdraw a request that was not granted yet.
        Withdraw = RequestKind::Withdraw { id: _ },
    }
    /// The state of a phase.
    PhaseStatusJson from PhaseStatus {
        /// Not started, or to be run again.
        Pending = PhaseStatus::Pending,
        /// In progress.
        Running = PhaseStatus::Running,
        /// Succeeded.
        Succeeded = PhaseStatus::Succeeded,
        /// The last attempt did not succeed.
        Failed = PhaseStatus::Failed,
        /// Skipped by the manifest or on request.
        Skipped = PhaseStatus::Skipped,
        /// Cancelled before it finished.
        Cancelled = PhaseStatus::Cancelled,
    }
    /// The outcome of an attempt.
    OutcomeKindJson from Outcome {
        /// Every replica exited with 0.
        Succeeded = Outcome::Succeeded,
        /// The code of a replica failed.
        Failed = Outcome::Failed { exit_code: _, reason: _ },
        /// The attempt exceeded the timeout of its phase.
        TimedOut = Outcome::TimedOut { after: _ },
        /// Stopped by Ctrl-C or a cancelled run.
        Cancelled = Outcome::Cancelled,
        /// The service vanished or never started; katkit retries automatically.
        Lost = Outcome::Lost { cause: _, evidence: _ },
    }
    /// The outcome of a deployment.
    DeployOutcomeKindJson from DeployOutcome {
        /// Every role runs the image and is healthy.
        Deployed = DeployOutcome::Deployed,
        /// The platform rolled back to the previous revision.
        RolledBack = DeployOutcome::RolledBack { reason: _ },
        /// Another deployment replaced it.
        Superseded = DeployOutcome::Superseded { by: _ },
        /// It neither succeeded nor failed before its timeout.
        Stuck = DeployOutcome::Stuck { waiting_for: _ },
        /// The platform rejected it.
        Failed = DeployOutcome::Failed { reason: _ },
        /// Its process died before it took effect; katkit deploys again automatically.
        Lost = DeployOutcome::Lost { evidence: _ },
    }
    /// The severity of a manifest diagnostic.
    SeverityJson from Severity {
        /// No plan is possible.
        Error = Severity::Error,
        /// Probably not what was intended.
        Warning = Severity::Warning,
    }
}
