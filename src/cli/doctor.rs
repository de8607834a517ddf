//! `katkit doctor`

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link};
use crate::app::App;
use crate::config::Config;
use crate::inventory::Targets;
use crate::views::{DiagnosisJson, DiagnosisText};

/// Check the record against what is, and say what mends it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit doctor       Everything: also what no link accounts for, and what dead processes left
  katkit doctor prod  Only the links of one tenant

Exits with 1 if something must be mended, and says which command mends it. Changes nothing.")]
pub(super) struct Arguments {
    /// Only these links: `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// What to write: text for people, or json (see `katkit schema doctor`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config).await?;
    for pattern in &arguments.patterns {
        let targets = Targets::matching(std::slice::from_ref(pattern))?;
        if !is_there(&app, &targets).await {
            return Err(link::unmatched(&app, pattern).await);
        }
    }
    let diagnosis = app.doctor(&Targets::matching(&arguments.patterns)?).await?;
    match arguments.format {
        Format::Text => output.show(DiagnosisText { diagnosis: &diagnosis, style: output.style() })?,
        Format::Json => output.json(&DiagnosisJson::new(&diagnosis))?,
    }
    output.calls(&app, global);
    Ok(if diagnosis.bad() == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Whether the manifest has such a link, or the record one that was not forgotten.
async fn is_there(app: &App, targets: &Targets) -> bool {
    if app.manifest().links().any(|(id, _, _)| targets.contain(&id)) {
        return true;
    }
    let Ok(survey) = app.state.survey().await else { return false };
    let heads = survey.heads.iter().filter(|(_, head)| !head.as_ref().is_ok_and(|head| head.forgotten));
    heads.map(|(id, _)| id).any(|id| targets.contain(id))
}
