//! `katkit audit checkpoint`

use clap::Args;

use super::signing_key;
use crate::app::Host;
use crate::auditing::{self, NewCheckpoint};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::CheckpointJson;

/// Sign what is on record, and print the signed note
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit audit checkpoint | aws s3 cp - s3://kept-elsewhere/2026-11-30.note

Without a change since the last checkpoint, prints that one's note again.")]
pub(super) struct Arguments {
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
    let key = signing_key(&opened).await?;
    let estate = &*opened.estate;
    let made = auditing::checkpoint(&*estate.state, &*estate.clock, &opened.actor, &key).await?;
    let (number, journals, note) = match &made {
        NewCheckpoint::Made { number, journals, note } => (*number, *journals, Some(note.as_str())),
        NewCheckpoint::Unchanged { number, note } => (*number, 0, note.as_deref()),
    };
    match arguments.format {
        Format::Json => {
            output.json(&CheckpointJson::of(number, journals, note, key.verifier().to_string()))?
        }
        Format::Text => {
            output.note(match (journals, number) {
                (0, 0) => "nothing is on record yet, so there is nothing to sign".to_owned(),
                (0, number) => format!("nothing changed since checkpoint {number}"),
                (1, number) => format!("checkpoint {number} covers 1 journal that changed"),
                (journals, number) => format!("checkpoint {number} covers {journals} journals that changed"),
            });
            output.show(note.unwrap_or_default())?;
        }
    }
    Ok(ExitStatus::Success)
}
