//! Output for people and programs: one view per command, in text, JSON and Markdown.
//!
//! A view turns data into text. It never fetches, never changes anything, and never reads the clock or the environment:
//! the width of the terminal and whether it shows colours arrive as a [`Style`]. Text from repositories, fleets and
//! users (commit subjects, images, reasons) is untrusted: each view escapes it for its own notation before showing it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod artifacts;
mod audit;
mod calendar;
mod diagnosis;
mod diagnostics;
mod evidence;
mod findings;
#[cfg(test)]
mod fixture;
mod history;
mod json;
mod logs;
mod manifest;
mod moment;
mod peers;
mod pipeline;
mod plan;
mod progress;
mod prune;
mod rollback;
mod status;
mod summary;
mod terminal;
mod verification;
mod wait;
mod who_can;
mod why;
mod words;

pub use artifacts::{Artifact, ArtifactsJson, ArtifactsText};
pub use audit::{
    AuditEntryJson, AuditJson, AuditText, AuditVerificationJson, AuditVerificationText, CheckpointJson,
    CheckpointRefJson, ConsentJson, FlawJson,
};
pub use calendar::{
    Calendar, CalendarEntryJson, CalendarIcal, CalendarJson, CalendarText, EntryKindJson, FreezeByHand,
    FreezeByHandJson, HeldRelease, HeldReleaseJson, PolicyCalendar, PolicyCalendarJson, Replay, ReplayJson,
    ReplayText, SimulationJson, SimulationText,
};
pub use diagnosis::{DiagnosedJson, DiagnosisJson, DiagnosisText};
pub use diagnostics::{DiagnosticItem, DiagnosticPlace, DiagnosticsJson, DiagnosticsText, RelatedPlace};
pub use evidence::{CommitEvidence, CommitEvidenceJson, EvidenceJson, EvidenceText, StatementJson};
pub use findings::{CheckStatusJson, FindingJson};
pub use history::{
    CutJson, DeploymentsText, EventJson, HistoryCutJson, HistoryJson, HistoryText, LinksHistoryText,
    RecordedJson, ReleaseJson,
};
pub use json::{
    DeployOutcomeJson, DeployOutcomeKindJson, DeployedJson, Document, HolderJson, OnFailureJson, OutcomeJson,
    OutcomeKindJson, PhaseStatusJson, PurposeJson, QuarantineJson, RecordJson, RequestJson, RequestKindJson,
    RequestedJson, RunJson, RunOutcomeJson, RunReasonJson, SeverityJson, StepReasonJson, StrategyJson,
    schema,
};
pub use logs::{
    AwaitedRun, Cleaner, Decoder, FailedPhase, LogEvent, LogHeading, LogLine, RunEnding, RunningPhase,
    RunningText, Speakers, log_line, stamp,
};
pub use manifest::ManifestText;
pub use moment::{ago, day};
pub use peers::{PeerJson, PeersJson};
pub use pipeline::{
    CommitStateJson, LinkTests, LinkTestsJson, MissingJson, PipelineCommit, PipelineCommitJson, PipelineJson,
    PipelineLink, PipelineLinkJson, PipelineMarkdown, PipelineStage, PipelineStageJson, PipelineStatus,
    PipelineStatusJson, PipelineText, PlaceJson, SkippedJson, SoakingJson, StageSourceJson, TakeJson,
};
pub use plan::*;
pub use progress::{
    AlsoFailedJson, ApplyEvent, ApplyLine, FailureJson, LinkReportJson, LinkResultJson, ProgressText,
    SummaryJson, pace, short, time,
};
pub use prune::{
    AmountJson, DamagedJson, LinkPruningJson, LockedLinkJson, PruneJson, PruneResultJson, PrunedText,
    PruningText,
};
pub use rollback::{LinkRollbackTargetsJson, RollbackTargetJson, RollbackTargetsJson, RollbackTargetsText};
pub use status::{Damage, LinkState, LinkStateKind, LinkStatus, StatusJson, StatusText};
pub use summary::SummaryText;
pub use terminal::{Style, TextStyle, clip, hang, visible};
pub use verification::{VerificationJson, VerificationText, VerifiedJson};
pub use wait::{ArrivalJson, ArrivalStateJson, ArrivalsJson, ArrivalsText, WaitOutcomeJson};
pub use who_can::{
    ApprovalJson, ApproverJson, ApproverStateJson, RightHolderJson, RightJson, RuleJson, RuleStandings,
    WhoCan, WhoCanBy, WhoCanJson, WhoCanText,
};
pub use why::{CommitPlace, CommitStory, Tail, Why, WhyJson, WhyPipeline, WhyText};
