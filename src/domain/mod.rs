//! katkit's terms as types that cannot hold a wrong value.
//!
//! Everything here is plain data: no I/O, no clock, nothing asynchronous. A value that exists is valid: parsing
//! refuses anything else, with an error that says what a valid one looks like. Every other module uses these
//! types, so a tenant can never be passed for a link.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod actor;
mod authorization;
mod barrier;
mod cancellation;
mod chain;
mod changes;
mod check;
mod consent;
mod digest;
mod event;
mod exit;
mod gate;
mod head;
mod ids;
mod images;
mod live_clock;
mod name;
mod outcome;
mod owner;
mod pattern;
mod phase;
mod phase_state;
mod prune;
mod quarantine;
mod rename;
mod request;
mod review;
pub(crate) mod seconds;
mod sha;
mod spec;
mod template;
mod test_merge;
mod text;

pub use actor::{Actor, ActorKind, Assurance, Door};
pub use authorization::{Authorization, GivenConsent};
pub use barrier::Barrier;
pub use cancellation::Cancellation;
pub use chain::{Entry, EntryDigest};
pub use changes::{Changes, Contributors};
pub use check::{Check, CheckResult};
pub use consent::{Consent, ConsentId, ConsentKind};
pub use digest::PlanDigest;
pub use event::{DeployPurpose, Event, RecordedEvent, RunPhase, RunReason};
pub use exit::{exit_code_meaning, signal_meaning};
pub use gate::GateName;
pub use head::{DeployState, Deployment, Evidence, Head, RunState};
pub use ids::{AttemptNumber, DeploymentName, Epoch, Generation, Handle, RequestId, RunId, Token};
pub use images::{DigestSource, ImageDigest, ImageDigests, Images, PhaseDigests, without_digest};
pub use live_clock::{LiveClock, Pause};
pub use name::{
    COMMITS, CalendarName, CheckName, FleetName, GroupName, LinkId, LinkName, NameError, PROBE, PersonName,
    PhaseName, PipelineName, PolicyName, RepoName, ReviewerName, RoleName, StageName, TenantName,
    WorkflowName,
};
pub use outcome::{DeployOutcome, LostCause, Outcome, RunOutcome};
pub use owner::{Lease, Owner};
pub use pattern::{BadPattern, LinkPatterns};
pub use phase::{
    Checkout, Deploy, Execution, OnFailure, Phase, PhaseKind, Placement, Strategy, Workflow, WorkflowError,
};
pub use phase_state::{AttemptState, PhaseState, PhaseStatus, Rollout};
pub(crate) use prune::removes;
pub use prune::{CutMark, HistoryCut, Pruned};
pub use quarantine::Quarantine;
pub use rename::FormerName;
pub use request::{Promotion, Request, RequestKind};
pub use review::{CheckOutcome, CommitReview};
pub use sha::{CommitSha, ShaError, TreeId};
pub use spec::{InputList, PhaseInput, PhaseSpec, ReplicaStatus, Source, Tag};
pub use template::{BadTemplate, NameTemplate};
pub use test_merge::{PassedTest, PullRequestTests, StartedTest, TestMerge};
pub use text::{abridged, enumerated, percent_decoded, percent_encoded, shortened};
