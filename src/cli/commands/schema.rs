//! `katkit schema`

use clap::{Args, ValueEnum};

use crate::cli::ExitStatus;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::manifest;
use crate::views::{
    ApplyLine, ArrivalsJson, ArtifactsJson, AuditJson, AuditVerificationJson, CalendarJson, CheckpointJson,
    DiagnosisJson, DiagnosticsJson, EvidenceJson, HistoryJson, LogLine, PeersJson, PipelineJson, PlanJson,
    PruneJson, RollbackTargetsJson, SimulationJson, StatusJson, VerificationJson, WhoCanJson, WhyJson,
    schema,
};

/// Print the JSON Schema of the manifest or of a command's output
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit schema         For an editor that completes and checks katkit.toml
  katkit schema status  The output of `katkit status --format json`")]
pub(in crate::cli) struct Arguments {
    /// The manifest, `peers` for what phases get, or the command whose `--format json` output to describe
    #[arg(default_value = "manifest", hide_default_value = true)]
    of: DocumentKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DocumentKind {
    Manifest,
    Validate,
    Verify,
    Plan,
    Apply,
    Status,
    Why,
    Logs,
    Artifacts,
    History,
    Doctor,
    Prune,
    Rollback,
    Wait,
    Calendar,
    Simulate,
    Pipeline,
    WhoCan,
    Evidence,
    Audit,
    AuditVerify,
    AuditCheckpoint,
    Peers,
}

pub(in crate::cli) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    output.json(&match arguments.of {
        DocumentKind::Manifest => manifest::schema(),
        DocumentKind::Validate => schema::<DiagnosticsJson>(),
        DocumentKind::Verify => schema::<VerificationJson<'_>>(),
        DocumentKind::Plan => schema::<PlanJson<'_>>(),
        DocumentKind::Apply => schema::<ApplyLine<'_>>(),
        DocumentKind::Status => schema::<StatusJson<'_>>(),
        DocumentKind::Why => schema::<WhyJson<'_>>(),
        DocumentKind::Logs => schema::<LogLine<'_>>(),
        DocumentKind::Artifacts => schema::<ArtifactsJson<'_>>(),
        DocumentKind::History => schema::<HistoryJson<'_>>(),
        DocumentKind::Doctor => schema::<DiagnosisJson<'_>>(),
        DocumentKind::Prune => schema::<PruneJson<'_>>(),
        DocumentKind::Rollback => schema::<RollbackTargetsJson<'_>>(),
        DocumentKind::Calendar => schema::<CalendarJson<'_>>(),
        DocumentKind::Simulate => schema::<SimulationJson<'_>>(),
        DocumentKind::Pipeline => schema::<PipelineJson<'_>>(),
        DocumentKind::WhoCan => schema::<WhoCanJson<'_>>(),
        DocumentKind::Evidence => schema::<EvidenceJson<'_>>(),
        DocumentKind::Audit => schema::<AuditJson<'_>>(),
        DocumentKind::AuditVerify => schema::<AuditVerificationJson<'_>>(),
        DocumentKind::AuditCheckpoint => schema::<CheckpointJson<'_>>(),
        DocumentKind::Peers => schema::<PeersJson<'_>>(),
        DocumentKind::Wait => schema::<ArrivalsJson<'_>>(),
    })?;
    Ok(ExitStatus::Success)
}
