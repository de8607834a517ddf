//! What several views tell of, in the same words.

use crate::domain::{Ask, Cancellation, RunOutcome};

/// What somebody asked for, behind `asked`; not harmless yet.
pub(super) fn asked(ask: &Ask, why: Option<&str>) -> String {
    let asked = match ask {
        Ask::Retry { sha, phase } => format!("to run {} again from `{phase}`", sha.short()),
        Ask::Skip { sha, phase } => format!("to skip `{phase}` of {}", sha.short()),
        Ask::Cancel { sha } => format!("to cancel the run for {}", sha.short()),
        Ask::Rollback { from, to } => format!("to go back from {} to {}", from.short(), to.short()),
        Ask::Release { sha } => format!("to let {} be deployed", sha.short()),
        Ask::Withdraw { id } => format!("to withdraw request {id}"),
    };
    match why {
        Some(why) => format!("{asked} ({why})"),
        None => asked,
    }
}

/// How a run ended, behind its name. Not harmless yet.
pub(super) fn ended(outcome: RunOutcome, cancelled: Option<&Cancellation>) -> String {
    match (outcome, cancelled) {
        (RunOutcome::Succeeded, _) => "succeeded".to_owned(),
        (RunOutcome::Failed, _) => "failed".to_owned(),
        (RunOutcome::Cancelled, Some(cancelled)) => format!("was cancelled {}", cancelled.describe()),
        (RunOutcome::Cancelled, None) => "was cancelled".to_owned(),
        (RunOutcome::Superseded, _) => "was given up for another commit".to_owned(),
    }
}
