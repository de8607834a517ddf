//! The words that a plan's JSON chooses from, each made from the product's own.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Ask, DeployPurpose, OnFailure, RunOutcome, RunReason, Strategy};
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
        /// Back to what was good before.
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
        /// What was good before is deployed again.
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
        /// Deploy what was good before.
        Rollback = Ask::Rollback { from: _, to: _ },
        /// Let a quarantined commit be deployed again.
        Release = Ask::Release { sha: _ },
    }
}
