//! What the formats for programs have in common: how a document is written, how it is versioned and described, and the
//! things that more than one of them tells of.
//!
//! Every document, and every line of a stream of events, begins with its `format_version`, two numbers with a point
//! between them. The first rises when something is removed or changes its meaning, the second when something is added:
//! a reader refuses a first number that it does not know, and ignores keys and words that it does not know. What has no
//! value is null, never left out. Times are in RFC 3339, durations in seconds, commits in forty digits.
//!
//! The formats are declared here and beside the views, never by deriving them from the product's own types: neither the
//! record's form nor the words for people are bound to what programs rely on. [`schema()`] describes a format from the
//! doc comments of its declaration.

mod actor;
mod document;
mod outcome;
mod record;
mod request;
mod schema;
mod words;

pub use actor::ActorJson;
pub use document::Document;
pub use outcome::{DeployOutcomeJson, OutcomeJson};
pub use record::{DeployedJson, HolderJson, QuarantineJson, RecordJson, RunJson};
pub use request::{AskedJson, RequestJson};
pub use schema::schema;
pub use words::{
    ActorKindJson, AskJson, AssuranceJson, BecauseJson, DeployOutcomeKindJson, DoorJson, OnFailureJson,
    OutcomeKindJson, PhaseStatusJson, PurposeJson, RunOutcomeJson, RunReasonJson, SeverityJson, StrategyJson,
};

/// The version of this build, as documents name it.
pub(super) const KATKIT_VERSION: &str = env!("CARGO_PKG_VERSION");
