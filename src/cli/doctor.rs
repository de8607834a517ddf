//! `katkit doctor`

use std::collections::BTreeSet;

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link};
use crate::app::App;
use crate::config::Config;
use crate::domain::LinkId;
use crate::inventory::Targets;
use crate::views::{DiagnosisJson, DiagnosisText};

/// Check the record against what is, and say what mends it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit doctor       Everything: also what no link accounts for, and what dead processes left
  katkit doctor prod  Only the links of one tenant

Exits with 1 if there is a problem, and says which command fixes it. Changes nothing.")]
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
    let app = global.look(config, output).await?;
    let targets = match arguments.patterns.as_slice() {
        [] => Targets::default(),
        patterns => link::targets(patterns, &known(&app).await, "link")?,
    };
    let diagnosis = app.doctor(&targets).await?;
    match arguments.format {
        Format::Text => output.show(DiagnosisText { diagnosis: &diagnosis, style: output.style() })?,
        Format::Json => output.json(&DiagnosisJson::new(&diagnosis))?,
    }
    output.calls(&app, global);
    Ok(if diagnosis.bad() == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}

/// The links of the manifest, and those of the record that were not forgotten.
async fn known(app: &App) -> BTreeSet<LinkId> {
    let mut known = link::of_manifest(app);
    // A record that cannot be read is what the doctor is there for, and says.
    if let Ok(survey) = app.state.survey().await {
        known.extend(survey.heads.into_iter().filter(|(_, head)| !head.forgotten).map(|(id, _)| id));
        known.extend(survey.damaged.into_keys());
    }
    known
}
