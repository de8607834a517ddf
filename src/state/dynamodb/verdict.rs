//! What the end of a transaction means.

use aws_sdk_dynamodb::types::CancellationReason;

use crate::aws::AwsError;
use crate::state::StateError;

use super::table::Table;

/// The call's name in errors. IAM has no such action; AWS names the missing actions itself.
pub const CALL: &str = "dynamodb:TransactWriteItems";

/// Another transaction is in the way.
pub fn locked(table: &Table) -> StateError {
    StateError::Locked { place: table.place() }
}

/// What a cancelled transaction means.
pub enum Verdict {
    /// It already landed: this was a repetition.
    Landed,
    /// It changed nothing, and will not if it is sent again.
    Refused(StateError),
    /// Retry: another transaction was in the way, or the table is busy. Holds the error to report if that lasts.
    Again(StateError),
}

/// The verdict on a transaction that was cancelled for reasons other than its conditions.
pub fn not_made(table: &Table, reasons: &[CancellationReason]) -> Verdict {
    let Some(reason) = reasons.iter().find(|reason| reason.code().is_some_and(|code| code != "None")) else {
        return Verdict::Again(locked(table));
    };
    let (code, message) = (reason.code().unwrap_or_default(), reason.message().unwrap_or_default());
    let resource = format!("table {}", table.name());
    match code {
        "TransactionConflict" => Verdict::Again(locked(table)),
        "ThrottlingError" | "ProvisionedThroughputExceeded" => {
            Verdict::Again(table.unavailable("written", AwsError::Throttled { action: CALL, resource }))
        }
        _ => {
            let source = AwsError::Refused {
                action: CALL,
                resource,
                code: code.to_owned(),
                message: if message.is_empty() { code.to_owned() } else { message.to_owned() },
                passing: false,
            };
            Verdict::Refused(table.unavailable("written", source))
        }
    }
}
