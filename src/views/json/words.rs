//! The words that the formats choose from, each made from the product's own.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    ActorKind, Ask, Assurance, DeployOutcome, DeployPurpose, Door, OnFailure, Outcome, PhaseStatus,
    RunOutcome, RunReason, Strategy,
};
use crate::manifest::Severity;
use crate::plan::Because;

/// Declares an enumeration of the format and how it is made from the product's own, so that neither can grow alone.
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
        /// A person.
        Person = ActorKind::Person,
        /// A CI job.
        Job = ActorKind::Job,
        /// The holder of an API token.
        Token = ActorKind::Token,
        /// katkit itself.
        System = ActorKind::System,
    }
    /// The interface that an actor used.
    DoorJson from Door {
        /// The command line.
        Cli = Door::Cli,
        /// The server's API.
        Api = Door::Api,
        /// The server's pages.
        Web = Door::Web,
        /// A webhook.
        Webhook = Door::Webhook(_),
        /// A schedule.
        Schedule = Door::Schedule,
    }
    /// How an actor's identity was verified.
    AssuranceJson from Assurance {
        /// Not verified: the process said so.
        Asserted = Assurance::Asserted,
        /// By AWS, from the signature of a call.
        Aws = Assurance::Aws,
        /// By the issuer of an OIDC token.
        Oidc = Assurance::Oidc,
    }
    /// Why a phase is run.
    BecauseJson from Because {
        /// It never ran for this commit.
        NeverRan = Because::NeverRan,
        /// A person asked for it, or a failure is tried again.
        Retry = Because::Retry,
        /// Its last attempt was lost.
        Lost = Because::Lost,
        /// Its last attempt was interrupted.
        Interrupted = Because::Interrupted,
        /// An attempt of a dead process is taken over.
        InFlight = Because::InFlight { attempt: _ },
    }
    /// What a deployment is for.
    PurposeJson from DeployPurpose {
        /// It is the deployment phase of a run.
        Upgrade = DeployPurpose::Upgrade,
        /// What runs is not what was deployed.
        Repair = DeployPurpose::Repair,
        /// Back to the last verified commit.
        Rollback = DeployPurpose::Rollback,
    }
    /// Why a run is started.
    RunReasonJson from RunReason {
        /// The commit never went through the workflow here.
        NewSha = RunReason::NewSha,
        /// It is done again.
        Retry = RunReason::Retry,
    }
    /// How a run ends.
    RunOutcomeJson from RunOutcome {
        /// Every phase succeeded or was skipped.
        Succeeded = RunOutcome::Succeeded,
        /// A phase failed.
        Failed = RunOutcome::Failed,
        /// A person ended it.
        Cancelled = RunOutcome::Cancelled,
        /// Another commit is wanted.
        Superseded = RunOutcome::Superseded,
    }
    /// In which order roles are rolled.
    StrategyJson from Strategy {
        /// One after the other.
        Ordered = Strategy::Ordered,
        /// All at once.
        Together = Strategy::Together,
    }
    /// What happens when a phase after the deployment fails.
    OnFailureJson from OnFailure {
        /// What was deployed stays.
        Hold = OnFailure::Hold,
        /// The last verified commit is deployed again.
        Rollback = OnFailure::Rollback,
    }
    /// What a person can ask for.
    AskJson from Ask {
        /// Run the workflow again from a phase on.
        Retry = Ask::Retry { sha: _, phase: _ },
        /// Count a phase as done.
        Skip = Ask::Skip { sha: _, phase: _ },
        /// End the run in progress.
        Cancel = Ask::Cancel { sha: _ },
        /// Deploy what was verified before.
        Rollback = Ask::Rollback { from: _, to: _ },
        /// Release a commit that was rolled back, or that contains a rolled-back commit.
        Release = Ask::Release { sha: _ },
        /// Take back a request that was not granted yet.
        Withdraw = Ask::Withdraw { id: _ },
    }
    /// Where a phase stands.
    PhaseStatusJson from PhaseStatus {
        /// Not begun, or to be done again.
        Pending = PhaseStatus::Pending,
        /// In progress.
        Running = PhaseStatus::Running,
        /// Done well.
        Succeeded = PhaseStatus::Succeeded,
        /// Its last attempt did not succeed.
        Failed = PhaseStatus::Failed,
        /// Left out.
        Skipped = PhaseStatus::Skipped,
        /// Ended before it was done.
        Cancelled = PhaseStatus::Cancelled,
    }
    /// How an attempt ended.
    OutcomeKindJson from Outcome {
        /// Every replica exited with 0.
        Succeeded = Outcome::Succeeded,
        /// The code of a replica said no.
        Failed = Outcome::Failed { exit_code: _, reason: _ },
        /// It took longer than the phase may.
        TimedOut = Outcome::TimedOut { after: _ },
        /// A person asked for it to end.
        Cancelled = Outcome::Cancelled,
        /// The service vanished or never started; that is tried again by itself.
        Lost = Outcome::Lost { cause: _, evidence: _ },
    }
    /// How a deployment ended.
    DeployOutcomeKindJson from DeployOutcome {
        /// Every role runs the image and is healthy.
        Deployed = DeployOutcome::Deployed,
        /// The platform went back to what ran before.
        RolledBack = DeployOutcome::RolledBack { reason: _ },
        /// Somebody else deployed over it.
        Superseded = DeployOutcome::Superseded { by: _ },
        /// It neither succeeded nor failed within its time.
        Stuck = DeployOutcome::Stuck { waiting_for: _ },
        /// The platform refused it.
        Failed = DeployOutcome::Failed { reason: _ },
        /// Its process died before it took effect; it is deployed again by itself.
        Lost = DeployOutcome::Lost { evidence: _ },
    }
    /// How bad a mistake in a manifest is.
    SeverityJson from Severity {
        /// Nothing can be planned.
        Error = Severity::Error,
        /// It is probably not what was meant.
        Warning = Severity::Warning,
    }
}
