//! `katkit doctor`

use std::collections::BTreeSet;

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::LinkId;
use crate::estate::Estate;
use crate::inventory::Targets;
use crate::views::{DiagnosisJson, DiagnosisText};

/// Check the record against reality, and suggest fixes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit doctor       All links, orphans, and leftovers of dead processes
  katkit doctor prod  Only the links of one tenant

Changes nothing. Exits with 1 if there is a problem, and names the command that
fixes it.")]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Output format: text, or json (schema: `katkit schema doctor`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let targets = match arguments.patterns.as_slice() {
        [] => Targets::default(),
        patterns => link::targets(patterns, &known(estate).await, "link")?,
    };
    let diagnosis = opened.doctor(&targets).await?;
    match arguments.format {
        Format::Text => output.show(DiagnosisText { diagnosis: &diagnosis, style: output.style() })?,
        Format::Json => output.json(&DiagnosisJson::new(&diagnosis))?,
    }
    output.calls(host, global.verbose);
    Ok(if diagnosis.problems() == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}

/// The links in the manifest, and those on record that are not forgotten.
async fn known(estate: &Estate) -> BTreeSet<LinkId> {
    let mut known = link::of_manifest(estate);
    // An unreadable record is no error here: the diagnosis reports it.
    if let Ok(survey) = estate.state.survey().await {
        known.extend(survey.heads.into_iter().filter(|(_, head)| !head.forgotten).map(|(id, _)| id));
        known.extend(survey.damaged.into_keys());
    }
    known
}
