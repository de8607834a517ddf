//! `katkit schema`

use clap::{Args, ValueEnum};

use super::ExitStatus;
use super::error::CommandError;
use super::output::Output;
use crate::manifest;
use crate::views::{
    ApplyLine, ArrivalsJson, ArtifactsJson, DiagnosisJson, DiagnosticsJson, HistoryJson, LogLine, PlanJson,
    PruneJson, StatusJson, VerificationJson, WaysBackJson, WhyJson, schema,
};

/// Print the JSON Schema of the manifest, or of an output
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit schema         For an editor, which completes and checks katkit.toml
  katkit schema status  What `katkit status --format json` writes")]
pub(super) struct Arguments {
    /// Of the manifest, or of what this command writes with `--format json`
    #[arg(default_value = "manifest", hide_default_value = true)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
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
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    output.json(&match arguments.of {
        Of::Manifest => manifest::schema(),
        Of::Validate => schema::<DiagnosticsJson>(),
        Of::Verify => schema::<VerificationJson<'_>>(),
        Of::Plan => schema::<PlanJson<'_>>(),
        Of::Apply => schema::<ApplyLine<'_>>(),
        Of::Status => schema::<StatusJson<'_>>(),
        Of::Why => schema::<WhyJson<'_>>(),
        Of::Logs => schema::<LogLine<'_>>(),
        Of::Artifacts => schema::<ArtifactsJson<'_>>(),
        Of::History => schema::<HistoryJson<'_>>(),
        Of::Doctor => schema::<DiagnosisJson<'_>>(),
        Of::Prune => schema::<PruneJson<'_>>(),
        Of::Rollback => schema::<WaysBackJson<'_>>(),
        Of::Wait => schema::<ArrivalsJson<'_>>(),
    })?;
    Ok(ExitStatus::Success)
}
