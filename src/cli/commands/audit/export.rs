//! `katkit audit export`

use std::path::PathBuf;

use clap::Args;

use crate::app::Host;
use crate::auditing::{self, Exported};
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::hang;

/// Write all journals and checkpoints to a directory, for an auditor
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit audit export evidence
  katkit audit verify evidence --key audit.key   On any machine")]
pub(super) struct Arguments {
    /// A directory that is empty or does not exist
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let directory = &arguments.directory;
    let Exported { entries, findings } = auditing::export(&*opened.estate.state, directory).await?;
    for finding in &findings {
        output.note(format_args!("not exported: {finding}"));
    }
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    let text = format!("Wrote {entries} to {}.", directory.display());
    output.show(hang("", 0, &text, output.style()))?;
    Ok(if findings.is_empty() { ExitStatus::Success } else { ExitStatus::Failure })
}
