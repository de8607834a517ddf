//! `katkit verify`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::inventory::Scope;
use crate::views::{VerificationJson, VerificationText};

/// Check everything the links depend on
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Output format: text, or json (schema: `katkit schema verify`)
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
    let targets = link::in_manifest(estate, &arguments.patterns)?;
    let scope = Scope { targets, ..Scope::default() };
    let verification = opened.verify(&scope).await?;
    match arguments.format {
        Format::Text => {
            output.show(VerificationText { verification: &verification, style: output.style() })?
        }
        Format::Json => output.json(&VerificationJson::new(&verification))?,
    }
    output.calls(host, global.verbose);
    Ok(if verification.problems() == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}
