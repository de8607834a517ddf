//! `katkit audit verify`

use std::path::PathBuf;

use clap::Args;

use super::{kept, keys_of};
use crate::app::Host;
use crate::audit::Report;
use crate::auditing;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::{AuditVerificationJson, AuditVerificationText};

/// Check that nothing on record, or in an export, was changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit audit verify                      Check the chain of every journal
  katkit audit verify evidence --key audit.key --checkpoint 2026-11.note

Exits with 1 if something is wrong.")]
pub(super) struct Arguments {
    /// An export; default: the record that the manifest names
    #[arg(value_name = "DIRECTORY")]
    export: Option<PathBuf>,
    /// A file with what `katkit audit key` printed, a key per line; repeatable
    #[arg(long = "key", value_name = "FILE", allow_hyphen_values = true)]
    keys: Vec<PathBuf>,
    /// A checkpoint that you kept elsewhere; repeatable
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Output format: text, or json (schema: `katkit schema audit-verify`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let keys = arguments.keys.iter().map(|path| keys_of(path)).collect::<Result<Vec<_>, _>>()?.concat();
    let kept = arguments.checkpoints.iter().map(|path| kept(path, &keys)).collect::<Result<Vec<_>, _>>()?;
    let report = match &arguments.export {
        Some(directory) => auditing::verify_export(directory, &keys, kept)?,
        None => {
            let opened = global.look(host, output).await?;
            auditing::verify(&*opened.estate.state, &keys, kept).await?
        }
    };
    show(&report, arguments.format, output)?;
    Ok(if report.findings.is_empty() { ExitStatus::Success } else { ExitStatus::Failure })
}

fn show(report: &Report, format: Format, output: &mut Output) -> Result<(), CommandError> {
    match format {
        Format::Text => output.show(AuditVerificationText { report, style: output.style() }),
        Format::Json => output.json(&AuditVerificationJson::of(report)),
    }
}
