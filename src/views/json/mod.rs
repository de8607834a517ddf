//! The shared parts of the JSON formats: writing, versioning and describing a document, and the types that several
//! formats use.
//!
//! Every document, and every line of an event stream, begins with its `format_version`: two numbers separated by a dot.
//! The first rises when something is removed or changes meaning, the second when something is added. Readers refuse a
//! first number they do not know, and ignore unknown keys and words. Absent values are null, never left out. Times are
//! RFC 3339, durations are seconds, commits are full 40-digit ids.
//!
//! The formats are declared here and beside the views, never derived from domain types, so the record and the text for
//! people can change without breaking programs. [`schema()`] describes a format by the doc comments of its declaration.

mod actor;
mod authorization;
mod document;
mod outcome;
mod record;
mod request;
mod schema;
mod test_merge;
mod words;

pub use actor::ActorJson;
pub use authorization::AuthorizationJson;
pub use document::Document;
pub use outcome::{DeployOutcomeJson, OutcomeJson};
pub use record::{DeployedJson, HolderJson, QuarantineJson, RecordJson, RunJson};
pub use request::{RequestJson, RequestedJson};
pub use schema::schema;
pub use test_merge::{StartedTestJson, TestMergeJson};
pub use words::{
    ActorKindJson, AssuranceJson, DeployOutcomeKindJson, DoorJson, OnFailureJson, OutcomeKindJson,
    PhaseStatusJson, PurposeJson, RequestKindJson, RunOutcomeJson, RunReasonJson, SeverityJson,
    StepReasonJson, StrategyJson,
};

/// The version of this build, as written to documents.
pub(super) const KATKIT_VERSION: &str = env!("CARGO_PKG_VERSION");
