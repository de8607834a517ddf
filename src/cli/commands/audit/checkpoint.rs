//! `katkit audit checkpoint`

use std::path::PathBuf;

use clap::Args;

use super::kept;
use crate::app::Host;
use crate::audit::Checkpoint;
use crate::auditing::{self, NewCheckpoint};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global};
use crate::cli::commands::signing::signing_key;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::CheckpointJson;

/// Sign what is on record, and print the signed note
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit audit checkpoint | aws s3 cp - s3://kept-elsewhere/2026-11-30.note

Without a change since the last checkpoint, prints the last checkpoint's note again.")]
pub(super) struct Arguments {
    /// A checkpoint that you kept: signs only a record that still has all that it covers; repeatable
    #[arg(long, value_name = "FILE")]
    after: Vec<PathBuf>,
    /// Output format: text, or json (schema: `katkit schema audit-checkpoint`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let key = signing_key(&opened, "checkpoints").await?;
    let keys = [key.verifier().clone()];
    let kept = arguments.after.iter().map(|path| kept(path, &keys)).collect::<Result<Vec<_>, _>>()?;
    let estate = &*opened.estate;
    let made = auditing::checkpoint(&*estate.state, &*estate.clock, &opened.actor, &key, &kept).await?;
    let NewCheckpoint { number, journals, note, findings } = made;
    let Some(note) = note else {
        return Err(CommandError::refused("nothing is on record yet, so there is nothing to sign", None));
    };
    for finding in &findings {
        output.note(format_args!("not covered: {finding}"));
    }
    match arguments.format {
        Format::Json => {
            let is_ours = Checkpoint::open(&note, &keys).is_ok();
            let key = is_ours.then(|| key.verifier().to_string());
            output.json(&CheckpointJson::of((number, journals), &note, key, &findings))?;
        }
        Format::Text => {
            output.note(match journals {
                0 => format!("nothing changed since checkpoint {number}"),
                1 => format!("checkpoint {number} covers 1 journal that changed"),
                journals => format!("checkpoint {number} covers {journals} journals that changed"),
            });
            output.show(note)?;
        }
    }
    Ok(if findings.is_empty() { ExitStatus::Success } else { ExitStatus::Failure })
}
