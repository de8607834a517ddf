//! `katkit audit verify`

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::Host;
use crate::audit::{Checkpoint, Report, VerifierKey};
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
  katkit audit verify evidence --key KEY --checkpoint 2026-11.note

`katkit audit key` prints the key. Exits with 1 if something is wrong.")]
pub(super) struct Arguments {
    /// An export; default: the record that the manifest names
    #[arg(value_name = "DIRECTORY")]
    export: Option<PathBuf>,
    /// A public key that signed the checkpoints, as `NAME+ID+KEY`; repeatable
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
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
    let keys = arguments.keys.iter().map(|text| key(text)).collect::<Result<Vec<_>, _>>()?;
    let kept = arguments.checkpoints.iter().map(|path| checkpoint(path, &keys));
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
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

fn key(text: &str) -> Result<VerifierKey, CommandError> {
    text.parse().map_err(|error| {
        let hint = "`katkit audit key` prints the key, where its private half is".to_owned();
        CommandError::usage(format!("`{text}` is not a public key: {error}"), hint)
    })
}

/// A checkpoint that was kept in a file. Its signature counts as well: a file is easily mistaken for another.
fn checkpoint(path: &Path, keys: &[VerifierKey]) -> Result<Checkpoint, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|source| CommandError::File {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    let invalid = |why: String| {
        let hint = "give a file with what `katkit audit checkpoint` printed, and the key that signed it";
        CommandError::refused(
            format!("{} does not count as a checkpoint: {why}", path.display()),
            hint.to_owned(),
        )
    };
    Checkpoint::open(&text, keys).map_err(invalid)
}
