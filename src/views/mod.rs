//! What people and programs see: one view per command, in text, JSON and Markdown.
//!
//! A view is given data and turns it into text. It never fetches, never changes anything, and never looks at the clock
//! or the environment: whether there is a terminal, how wide it is and whether it shows colours comes as a [`Style`].
//! What comes from repositories, fleets and people (commit subjects, images, reasons) is written by strangers: each view
//! makes it harmless in its own way before showing it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod artifacts;
mod diagnosis;
mod diagnostics;
#[cfg(test)]
mod fixture;
mod history;
mod json;
mod logs;
mod manifest;
mod moment;
mod plan;
mod progress;
mod prune;
mod rollback;
mod status;
mod summary;
mod terminal;
mod verification;
mod wait;
mod why;
mod words;

pub use artifacts::{Artifact, ArtifactsJson, ArtifactsText};
pub use diagnosis::{DiagnosedJson, DiagnosisJson, DiagnosisText, FindingJson, FoundJson};
pub use diagnostics::{DiagnosticItem, DiagnosticPlace, DiagnosticsJson, DiagnosticsText, RelatedPlace};
pub use history::{
    CutJson, DeploymentsText, EventJson, HistoryCutJson, HistoryJson, HistoryText, LinksHistoryText,
    RecordedJson, ReleaseJson,
};
pub use json::{
    AskJson, AskedJson, BecauseJson, DeployOutcomeJson, DeployOutcomeKindJson, DeployedJson, Document,
    HolderJson, OnFailureJson, OutcomeJson, OutcomeKindJson, PhaseStatusJson, PurposeJson, QuarantineJson,
    RecordJson, RequestJson, RunJson, RunOutcomeJson, RunReasonJson, SeverityJson, StrategyJson, schema,
};
pub use logs::{
    AwaitedRun, Cleaner, Decoder, FailedPhase, LogEvent, LogHeading, LogLine, RunEnding, RunningPhase,
    RunningText, Speakers, log_line, stamp,
};
pub use manifest::ManifestText;
pub use moment::{ago, day};
pub use plan::*;
pub use progress::{
    AlsoFailedJson, ApplyEvent, ApplyLine, FailureJson, LinkReportJson, LinkResultJson, ProgressText,
    SummaryJson, pace, short, time,
};
pub use prune::{
    AmountJson, DamagedJson, LinkPruningJson, PruneJson, PruneResultJson, PrunedText, PruningText,
    WorkedOnJson,
};
pub use rollback::{WayBackJson, WaysBackJson, WaysBackOfLinkJson, WaysBackText};
pub use status::{Damage, LinkStatus, Standing, StandingKind, StatusJson, StatusText};
pub use summary::SummaryText;
pub use terminal::{Ink, Style, clip, hang, visible};
pub use verification::{VerificationJson, VerificationText, VerifiedJson};
pub use wait::{ArrivalJson, ArrivalStateJson, ArrivalsJson, ArrivalsText, WaitOutcomeJson};
pub use why::{Story, Tail, Why, WhyJson, WhyText};
