//! The output of `audit`.

mod json;
mod search;
mod verification;

pub use json::{
    AuditEntryJson, AuditJson, AuditVerificationJson, CheckpointJson, CheckpointRefJson, ConsentJson,
    FlawJson,
};
pub use search::AuditText;
pub use verification::AuditVerificationText;
