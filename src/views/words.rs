//! Phrases that several views share.

use crate::domain::{Cancellation, RequestKind, RunOutcome};

/// A request, to follow `asked`. Not escaped yet.
pub(super) fn asked(ask: &RequestKind, why: Option<&str>) -> String {
    let asked = match ask {
        RequestKind::Retry { sha, phase } => format!("to retry {} from `{phase}`", sha.short()),
        RequestKind::Skip { sha, phase } => format!("to skip `{phase}` of {}", sha.short()),
        RequestKind::Waive { sha, phase } => format!("to waive `{phase}`, skipped for {}", sha.short()),
        RequestKind::Cancel { sha } => format!("to cancel the run for {}", sha.short()),
        RequestKind::Rollback { from, to } => format!("to roll back from {} to {}", from.short(), to.short()),
        RequestKind::Release { sha } => format!("to allow deploying {}", sha.short()),
        RequestKind::Pin { sha } => format!("to block rollbacks past {}", sha.short()),
        RequestKind::Unpin { sha } => format!("to unblock rollbacks past {}", sha.short()),
        RequestKind::Promote { sha } => format!("to promote {}", sha.short()),
        RequestKind::Test { sha } => format!("to test {}", sha.short()),
        RequestKind::Withdraw { id } => format!("to withdraw request {id}"),
    };
    match why {
        Some(why) => format!("{asked} ({why})"),
        None => asked,
    }
}

/// The outcome of a run, to follow its name. Not escaped yet.
pub(super) fn ended(outcome: RunOutcome, cancelled: Option<&Cancellation>) -> String {
    match (outcome, cancelled) {
        (RunOutcome::Succeeded, _) => "succeeded".to_owned(),
        (RunOutcome::Failed, _) => "failed".to_owned(),
        (RunOutcome::Cancelled, Some(cancelled)) => format!("was cancelled {}", cancelled.describe()),
        (RunOutcome::Cancelled, None) => "was cancelled".to_owned(),
        (RunOutcome::Superseded, _) => "was superseded by another commit".to_owned(),
    }
}

/// `1 entry`, `2 entries`
pub(super) fn counted(number: u64, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}
